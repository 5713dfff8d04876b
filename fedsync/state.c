/* SPDX-License-Identifier: Apache-2.0 */
#include "fedsync/state_priv.h"

#include "fedsync/codec_priv.h"
#include "fedsync/message_priv.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RECORD_HEAD_BYTES_MAX 2048U /* of any record, tensor not counted */
#define RECORD_BYTES_MAX      (3 * FED_PARAMS_BYTES_MAX + RECORD_HEAD_BYTES_MAX)

static int path_of(char out[PATH_MAX], const char *dir, const char *name, struct atl_error *err)
{
    if (snprintf(out, PATH_MAX, "%s/%s", dir, name) < PATH_MAX)
        return 0;
    return atl_error_set(err, -ENAMETOOLONG, "state folder %.80s…: path too long", dir);
}

int fed_state_save(const char *dir, const char *name, const uint8_t *data, size_t bytes,
                   struct atl_error *err)
{
    char path[PATH_MAX];
    int r = path_of(path, dir, name, err);
    if (r < 0)
        return r;
    uint8_t *file = malloc(FED_HASH_BYTES + bytes);
    if (file == NULL)
        return atl_error_set(err, -ENOMEM, "cannot write %s: out of memory", path);
    fed_hash(file, data, bytes);
    memcpy(file + FED_HASH_BYTES, data, bytes);
    r = atl_file_write(path, file, FED_HASH_BYTES + bytes, 0600, err);
    free(file);
    return r;
}

int fed_state_load(const char *dir, const char *name, size_t max_bytes, uint8_t **ret_data,
                   size_t *ret_bytes, struct atl_error *err)
{
    char path[PATH_MAX];
    uint8_t *file, hash[FED_HASH_BYTES];
    size_t bytes;
    int r = path_of(path, dir, name, err);
    if (r == 0)
        r = atl_file_read(path, FED_HASH_BYTES + max_bytes, &file, &bytes, err);
    if (r < 0)
        return r;
    if (bytes >= FED_HASH_BYTES)
        fed_hash(hash, file + FED_HASH_BYTES, bytes - FED_HASH_BYTES);
    if (bytes < FED_HASH_BYTES || memcmp(hash, file, FED_HASH_BYTES) != 0) {
        free(file);
        return atl_error_set(err, -EBADMSG, "%s is damaged: restore it, or remove it to start over",
                             path);
    }
    *ret_bytes = bytes - FED_HASH_BYTES;
    memmove(file, file + FED_HASH_BYTES, *ret_bytes);
    *ret_data = file;
    return 0;
}

static void remove_file(const char *dir, const char *name)
{
    char path[PATH_MAX];
    if (path_of(path, dir, name, NULL) == 0)
        unlink(path);
}

/* --- updates --- */

static void update_name(char out[NAME_MAX], const char *edge)
{
    snprintf(out, NAME_MAX, "update-%s.cbor", edge);
}

static size_t update_encode(const struct fed_update *update, uint8_t *out, size_t capacity)
{
    struct fed_writer w = {.data = out, .capacity = capacity};
    fed_put_array(&w, 8);
    fed_put_text(&w, update->federation);
    fed_put_uint(&w, update->epoch);
    fed_put_uint(&w, update->round);
    fed_put_text(&w, update->edge);
    fed_put_bytes(&w, update->base_hash, sizeof(update->base_hash));
    fed_put_bytes(&w, update->whole, sizeof(update->whole));
    fed_put_uint(&w, update->encoding);
    fed_put_bytes(&w, update->data, update->bytes);
    return w.used;
}

static int update_decode(struct fed_update *update, const uint8_t *data, size_t bytes)
{
    struct fed_reader r;
    fed_reader_init(&r, data, bytes);
    fed_get_array(&r, 8);
    fed_get_name(&r, update->federation);
    update->epoch = fed_get_uint(&r, UINT64_MAX);
    update->round = fed_get_uint(&r, UINT64_MAX);
    fed_get_name(&r, update->edge);
    fed_get_fixed(&r, update->base_hash, sizeof(update->base_hash));
    fed_get_fixed(&r, update->whole, sizeof(update->whole));
    update->encoding = (enum fed_encoding)fed_get_uint(&r, FED_ROTATED4);
    update->data = fed_get_bytes(&r, FED_UPDATE_BYTES_MAX, &update->bytes);
    return fed_reader_finish(&r);
}

int fed_update_save(const char *dir, const struct fed_update *update, struct atl_error *err)
{
    char name[NAME_MAX];
    size_t capacity = RECORD_HEAD_BYTES_MAX + update->bytes;
    uint8_t *data = malloc(capacity);
    if (data == NULL)
        return atl_error_set(err, -ENOMEM, "cannot keep the update: out of memory");
    update_name(name, update->edge);
    size_t bytes = update_encode(update, data, capacity);
    int r = fed_state_save(dir, name, data, bytes, err);
    free(data);
    return r;
}

int fed_update_load(const char *dir, const char *edge, struct fed_update *ret_update,
                    uint8_t **ret_buffer, struct atl_error *err)
{
    char name[NAME_MAX];
    uint8_t *data;
    size_t bytes;
    update_name(name, edge);
    int r = fed_state_load(dir, name, RECORD_BYTES_MAX, &data, &bytes, err);
    if (r < 0)
        return r;
    if (update_decode(ret_update, data, bytes) < 0) {
        free(data);
        return atl_error_set(err, -EBADMSG, "%s/%s is not an update: remove it", dir, name);
    }
    *ret_buffer = data;
    return 0;
}

void fed_update_remove(const char *dir, const char *edge)
{
    char name[NAME_MAX];
    update_name(name, edge);
    remove_file(dir, name);
}

/* --- the hub --- */

#define HUB_NAME "hub.cbor"

/** @param memory  record->memory in wire order */
static size_t hub_encode(const struct fed_hub_record *record, const uint8_t *memory, uint8_t *out,
                         size_t capacity)
{
    struct fed_writer w = {.data = out, .capacity = capacity};
    fed_put_array(&w, 11);
    fed_put_uint(&w, record->epoch);
    fed_put_uint(&w, record->last_round);
    fed_put_uint(&w, record->open_epoch);
    fed_put_uint(&w, record->commits);
    fed_put_spent(&w, record->spent, record->n_spent);
    fed_put_uint(&w, record->model_epoch);
    fed_put_uint(&w, record->model_round);
    fed_put_bytes(&w, record->model_hash, sizeof(record->model_hash));
    fed_put_floats(&w, record->values, record->value_bytes);
    fed_put_double(&w, record->canary_best);
    fed_put_floats(&w, memory, record->memory_floats * sizeof(float));
    return w.used;
}

static int take_memory(struct fed_hub_record *record, const uint8_t *wire, size_t bytes)
{
    record->memory_floats = (uint32_t)(bytes / sizeof(float));
    record->memory = malloc(bytes + 1);
    if (record->memory == NULL)
        return -ENOMEM;
    fed_floats_from_wire(record->memory, wire, record->memory_floats);
    return 0;
}

static int hub_decode(struct fed_hub_record *record, const uint8_t *data, size_t bytes)
{
    size_t memory_bytes;
    struct fed_reader r;
    fed_reader_init(&r, data, bytes);
    fed_get_array(&r, 11);
    record->epoch = fed_get_uint(&r, UINT64_MAX);
    record->last_round = fed_get_uint(&r, UINT64_MAX);
    record->open_epoch = fed_get_uint(&r, UINT64_MAX);
    record->commits = fed_get_uint(&r, UINT64_MAX);
    record->n_spent = fed_get_spent(&r, record->spent);
    record->model_epoch = fed_get_uint(&r, UINT64_MAX);
    record->model_round = fed_get_uint(&r, UINT64_MAX);
    fed_get_fixed(&r, record->model_hash, sizeof(record->model_hash));
    record->values = fed_get_floats(&r, FED_PARAMS_BYTES_MAX, &record->value_bytes);
    record->canary_best = fed_get_double(&r);
    const uint8_t *memory = fed_get_floats(&r, 2 * FED_PARAMS_BYTES_MAX, &memory_bytes);
    int code = fed_reader_finish(&r);
    return code < 0 ? code : take_memory(record, memory, memory_bytes);
}

int fed_hub_record_save(const char *dir, const struct fed_hub_record *record, struct atl_error *err)
{
    size_t memory_bytes = record->memory_floats * sizeof(float);
    size_t capacity = RECORD_HEAD_BYTES_MAX + record->value_bytes + memory_bytes;
    uint8_t *data = malloc(capacity), *memory = malloc(memory_bytes + 1);
    int r = -ENOMEM;
    if (data == NULL || memory == NULL) {
        atl_error_set(err, r, "cannot keep the hub's state: out of memory");
    } else {
        fed_floats_to_wire(memory, record->memory, record->memory_floats);
        size_t bytes = hub_encode(record, memory, data, capacity);
        r = fed_state_save(dir, HUB_NAME, data, bytes, err);
    }
    free(memory);
    free(data);
    return r;
}

/* Without it the epochs would begin anew, and edges refuse those that they have seen. */
static int hub_damaged(const char *dir, struct atl_error *err)
{
    return atl_error_set(err, -EBADMSG,
                         "%s/" HUB_NAME
                         " is damaged: restore it from backup; or remove it and give "
                         "the federation another name, for edges refuse to begin the old one over",
                         dir);
}

int fed_hub_record_load(const char *dir, struct fed_hub_record *ret_record, uint8_t **ret_buffer,
                        struct atl_error *err)
{
    uint8_t *data;
    size_t bytes;
    int r = fed_state_load(dir, HUB_NAME, RECORD_BYTES_MAX, &data, &bytes, err);
    if (r < 0)
        return r == -EBADMSG ? hub_damaged(dir, err) : r;
    if (hub_decode(ret_record, data, bytes) < 0) {
        free(data);
        return hub_damaged(dir, err);
    }
    *ret_buffer = data;
    return 0;
}

/* More than the accountant takes has no finite ε; wrapped around it would have a small one. */
static uint64_t sum_steps(uint64_t a, uint64_t b)
{
    return a < UINT64_MAX - b ? a + b : UINT64_MAX;
}

void fed_spent_add(struct fed_hub_record *record, double sample_rate, double noise_multiplier,
                   uint64_t steps)
{
    for (uint32_t i = 0; i < record->n_spent; i++) {
        struct fed_spent *spent = &record->spent[i];
        if (spent->sample_rate == sample_rate && spent->noise_multiplier == noise_multiplier) {
            spent->steps = sum_steps(spent->steps, steps);
            return;
        }
    }
    if (record->n_spent < FED_SPENT_MAX) {
        record->spent[record->n_spent++] = (struct fed_spent){sample_rate, noise_multiplier, steps};
        return;
    }
    struct fed_spent *last = &record->spent[FED_SPENT_MAX - 1];
    last->sample_rate = sample_rate > last->sample_rate ? sample_rate : last->sample_rate;
    if (noise_multiplier < last->noise_multiplier)
        last->noise_multiplier = noise_multiplier;
    last->steps = sum_steps(last->steps, steps);
}
