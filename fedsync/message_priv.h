/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies of the messages: maps with the keys 1, 2, 3 … in this order, all present.
 *
 * Encoders return the size, also when it is larger than capacity (nothing usable is written then).
 * Decoders return 0 or -EPROTO; pointers in what they give back point into the input.
 */
#ifndef FED_MESSAGE_PRIV_H
#define FED_MESSAGE_PRIV_H

#include "fedsync/codec_priv.h"
#include "fedsync/fedsync.h"

#define FED_PARAMS_BYTES_MAX (FED_PARAMS_MAX * 4U)
#define FED_BODY_BYTES_MAX   512U /* of any body, tensors not counted */
/** No message is larger, so every broker and our own client carry it. */
#define FED_MESSAGE_BYTES_MAX (1U << 20)

/** Does a model of n parameters fit into one message? @return 0, -EFBIG */
int fed_params_check(uint32_t n, struct atl_error *err);

/** Federation, epoch and round are the envelope's: the caller fills them in after decoding. */
size_t fed_plan_encode(const struct fed_plan *plan, uint8_t *out, size_t capacity);
int fed_plan_decode(struct fed_plan *ret_plan, const uint8_t *body, size_t bytes);

struct fed_model {
    char section[FED_NAME_BYTES];
    uint8_t schema[LEARN_SCHEMA_BYTES], hash[32];
    const uint8_t *values; /* float32, wire order */
    size_t value_bytes;
    atl_ns expires_ns; /* wall time; 0 = never */
};
size_t fed_model_encode(const struct fed_model *model, uint8_t *out, size_t capacity);
int fed_model_decode(struct fed_model *ret_model, const uint8_t *body, size_t bytes);

/** One piece of an update; which one is the envelope's seq. */
struct fed_chunk {
    uint8_t base_hash[32]; /* of the model that the update moves */
    uint8_t whole[32];     /* BLAKE2b-256 of all pieces together */
    uint32_t total;        /* bytes of all pieces */
    const uint8_t *data;
    size_t bytes;
};
size_t fed_chunk_encode(const struct fed_chunk *chunk, uint8_t *out, size_t capacity);
int fed_chunk_decode(struct fed_chunk *ret_chunk, const uint8_t *body, size_t bytes);

enum fed_verdict {
    FED_VERDICT_PARTIAL, /* still waiting for the chunks not in `have` */
    FED_VERDICT_STORED,  /* whole and on disk */
    FED_VERDICT_REFUSED, /* final: do not send again */
};
struct fed_ack {
    char edge[FED_NAME_BYTES];
    uint8_t whole[32];
    enum fed_verdict verdict;
    uint64_t have; /* bit i: chunk i has arrived */
};
size_t fed_ack_encode(const struct fed_ack *ack, uint8_t *out, size_t capacity);
int fed_ack_decode(struct fed_ack *ret_ack, const uint8_t *body, size_t bytes);

/** What the edges of all rounds so far were asked to spend, equal steps joined. */
struct fed_spent {
    double sample_rate, noise_multiplier;
    uint64_t steps;
};
#define FED_SPENT_MAX 32
void fed_put_spent(struct fed_writer *w, const struct fed_spent *spent, uint32_t n);
/** @return how many, at most FED_SPENT_MAX */
uint32_t fed_get_spent(struct fed_reader *r, struct fed_spent spent[FED_SPENT_MAX]);

#define FED_LEASE_BYTES_MAX (64U + FED_SPENT_MAX * 32U)
/** "I lead": the envelope's epoch and latest round, its seq counts the renewals of this epoch. */
struct fed_lease {
    atl_ns lease_ns;                   /* how long it holds without a renewal */
    uint64_t commits;                  /* since the federation began */
    uint64_t model_epoch, model_round; /* of the model that it leads from */
    uint32_t n_spent;
    struct fed_spent spent[FED_SPENT_MAX];
};
size_t fed_lease_encode(const struct fed_lease *lease, uint8_t *out, size_t capacity);
int fed_lease_decode(struct fed_lease *ret_lease, const uint8_t *body, size_t bytes);

#endif
