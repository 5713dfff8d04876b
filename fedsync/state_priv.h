/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What must survive a crash. Every file is BLAKE2b-256 of the content, then the content, replaced
 * whole. Loaders return -ENOENT when there is none and -EBADMSG when it is damaged.
 */
#ifndef FED_STATE_PRIV_H
#define FED_STATE_PRIV_H

#include "fedsync/chunk_priv.h"
#include "fedsync/fedsync.h"
#include "fedsync/message_priv.h"

int fed_state_save(const char *dir, const char *name, const uint8_t *data, size_t bytes,
                   struct atl_error *err);
/** *ret_data is malloc'ed, the caller's. */
int fed_state_load(const char *dir, const char *name, size_t max_bytes, uint8_t **ret_data,
                   size_t *ret_bytes, struct atl_error *err);

/* --- an update: at the hub what was received, at the edge what was trained --- */

struct fed_update {
    char federation[FED_NAME_BYTES];
    uint64_t epoch, round;
    char edge[FED_NAME_BYTES];
    uint8_t base_hash[FED_HASH_BYTES], whole[FED_HASH_BYTES];
    enum fed_encoding encoding;
    const uint8_t *data; /* as fed_encode gave it */
    size_t bytes;
};
int fed_update_save(const char *dir, const struct fed_update *update, struct atl_error *err);
/** ret_update->data points into *ret_buffer, which the caller frees. */
int fed_update_load(const char *dir, const char *edge, struct fed_update *ret_update,
                    uint8_t **ret_buffer, struct atl_error *err);
void fed_update_remove(const char *dir, const char *edge);

/* --- the hub --- */

struct fed_hub_record {
    uint64_t epoch;      /* highest that was used or seen */
    uint64_t last_round; /* highest number given to a round */
    uint64_t open_epoch; /* of last_round while it is open, else 0 */
    uint64_t commits;
    uint32_t n_spent;
    struct fed_spent spent[FED_SPENT_MAX];
    uint64_t model_epoch, model_round;
    uint8_t model_hash[FED_HASH_BYTES];
    const uint8_t *values; /* float32, wire order */
    size_t value_bytes;
    double canary_best; /* least loss of a committed model; below 0 = not judged yet */
    /* What the optimiser carries on. Saved in wire order; loaded into memory of its own, malloc'ed,
     * the caller's. */
    float *memory;
    uint32_t memory_floats;
};
int fed_hub_record_save(const char *dir, const struct fed_hub_record *record,
                        struct atl_error *err);
/** ret_record->values points into *ret_buffer, which the caller frees. */
int fed_hub_record_load(const char *dir, struct fed_hub_record *ret_record, uint8_t **ret_buffer,
                        struct atl_error *err);
/** When the list is full the last entry is made worse than both, so that ε stays an upper bound. */
void fed_spent_add(struct fed_hub_record *record, double sample_rate, double noise_multiplier,
                   uint64_t steps);

#endif
