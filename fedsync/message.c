/* SPDX-License-Identifier: Apache-2.0 */
#include "fedsync/message_priv.h"

#include "fedsync/chunk_priv.h"
#include "fedsync/envelope_priv.h"

#include <errno.h>
#include <string.h>

int fed_params_check(uint32_t n, struct atl_error *err)
{
    const uint32_t most =
        (FED_MESSAGE_BYTES_MAX - FED_BODY_BYTES_MAX - FED_ENVELOPE_BYTES_MAX) / sizeof(float);
    if (n <= most)
        return 0;
    return atl_error_set(err, -EFBIG,
                         "the model has %u parameters, one message carries at most %u: make its "
                         "layers narrower",
                         n, most);
}

/* --- plan --- */

size_t fed_plan_encode(const struct fed_plan *plan, uint8_t *out, size_t capacity)
{
    struct fed_writer w = {.data = out, .capacity = capacity};
    fed_put_map(&w, 16);
    fed_put_uint(&w, 1);
    fed_put_text(&w, plan->section);
    fed_put_uint(&w, 2);
    fed_put_bytes(&w, plan->schema, sizeof(plan->schema));
    fed_put_uint(&w, 3);
    fed_put_bytes(&w, plan->base_hash, sizeof(plan->base_hash));
    fed_put_uint(&w, 4);
    fed_put_text(&w, plan->unit);
    fed_put_uint(&w, 5);
    fed_put_uint(&w, plan->steps);
    fed_put_uint(&w, 6);
    fed_put_double(&w, plan->sample_rate);
    fed_put_uint(&w, 7);
    fed_put_double(&w, plan->clip);
    fed_put_uint(&w, 8);
    fed_put_double(&w, plan->noise_multiplier);
    fed_put_uint(&w, 9);
    fed_put_double(&w, (double)plan->learning_rate);
    fed_put_uint(&w, 10);
    fed_put_double(&w, plan->delta);
    fed_put_uint(&w, 11);
    fed_put_uint(&w, plan->quorum);
    fed_put_uint(&w, 12);
    fed_put_uint(&w, plan->deadline_ns);
    fed_put_uint(&w, 13);
    fed_put_uint(&w, plan->encoding);
    fed_put_uint(&w, 14);
    fed_put_double(&w, (double)plan->proximal);
    fed_put_uint(&w, 15);
    fed_put_uint(&w, plan->cohort);
    fed_put_uint(&w, 16);
    fed_put_uint(&w, plan->spread_ns);
    return w.used;
}

int fed_plan_decode(struct fed_plan *ret_plan, const uint8_t *body, size_t bytes)
{
    struct fed_plan plan = {0};
    struct fed_reader r;
    char unit[FED_NAME_BYTES];
    fed_reader_init(&r, body, bytes);
    fed_get_map(&r, 16);
    fed_get_key(&r, 1);
    fed_get_name(&r, plan.section);
    fed_get_key(&r, 2);
    fed_get_fixed(&r, plan.schema, sizeof(plan.schema));
    fed_get_key(&r, 3);
    fed_get_fixed(&r, plan.base_hash, sizeof(plan.base_hash));
    fed_get_key(&r, 4);
    fed_get_name(&r, unit);
    fed_get_key(&r, 5);
    plan.steps = (uint32_t)fed_get_uint(&r, UINT32_MAX);
    fed_get_key(&r, 6);
    plan.sample_rate = fed_get_double(&r);
    fed_get_key(&r, 7);
    plan.clip = fed_get_double(&r);
    fed_get_key(&r, 8);
    plan.noise_multiplier = fed_get_double(&r);
    fed_get_key(&r, 9);
    double learning_rate = fed_get_double(&r);
    fed_get_key(&r, 10);
    plan.delta = fed_get_double(&r);
    fed_get_key(&r, 11);
    plan.quorum = (uint32_t)fed_get_uint(&r, UINT32_MAX);
    fed_get_key(&r, 12);
    plan.deadline_ns = fed_get_uint(&r, UINT64_MAX);
    fed_get_key(&r, 13);
    plan.encoding = (enum fed_encoding)fed_get_uint(&r, FED_ROTATED4);
    fed_get_key(&r, 14);
    double proximal = fed_get_double(&r);
    plan.proximal = (float)proximal;
    fed_get_key(&r, 15);
    plan.cohort = fed_get_uint(&r, UINT64_MAX);
    fed_get_key(&r, 16);
    plan.spread_ns = fed_get_uint(&r, UINT64_MAX);
    plan.learning_rate = (float)learning_rate;
    /* A rate that float32 cannot hold was not written by our encoder. */
    if ((double)plan.learning_rate != learning_rate || (double)plan.proximal != proximal ||
        !atl_copy(plan.unit, sizeof(plan.unit), unit) || fed_reader_finish(&r) < 0)
        return -EPROTO;
    *ret_plan = plan;
    return 0;
}

/* --- model --- */

size_t fed_model_encode(const struct fed_model *model, uint8_t *out, size_t capacity)
{
    struct fed_writer w = {.data = out, .capacity = capacity};
    fed_put_map(&w, 5);
    fed_put_uint(&w, 1);
    fed_put_text(&w, model->section);
    fed_put_uint(&w, 2);
    fed_put_bytes(&w, model->schema, sizeof(model->schema));
    fed_put_uint(&w, 3);
    fed_put_bytes(&w, model->hash, sizeof(model->hash));
    fed_put_uint(&w, 4);
    fed_put_floats(&w, model->values, model->value_bytes);
    fed_put_uint(&w, 5);
    fed_put_uint(&w, model->expires_ns);
    return w.used;
}

int fed_model_decode(struct fed_model *ret_model, const uint8_t *body, size_t bytes)
{
    struct fed_model model = {0};
    struct fed_reader r;
    fed_reader_init(&r, body, bytes);
    fed_get_map(&r, 5);
    fed_get_key(&r, 1);
    fed_get_name(&r, model.section);
    fed_get_key(&r, 2);
    fed_get_fixed(&r, model.schema, sizeof(model.schema));
    fed_get_key(&r, 3);
    fed_get_fixed(&r, model.hash, sizeof(model.hash));
    fed_get_key(&r, 4);
    model.values = fed_get_floats(&r, FED_PARAMS_BYTES_MAX, &model.value_bytes);
    fed_get_key(&r, 5);
    model.expires_ns = fed_get_uint(&r, UINT64_MAX);
    int code = fed_reader_finish(&r);
    if (code == 0)
        *ret_model = model;
    return code;
}

/* --- chunk of an update --- */

size_t fed_chunk_encode(const struct fed_chunk *chunk, uint8_t *out, size_t capacity)
{
    struct fed_writer w = {.data = out, .capacity = capacity};
    fed_put_map(&w, 4);
    fed_put_uint(&w, 1);
    fed_put_bytes(&w, chunk->base_hash, sizeof(chunk->base_hash));
    fed_put_uint(&w, 2);
    fed_put_bytes(&w, chunk->whole, sizeof(chunk->whole));
    fed_put_uint(&w, 3);
    fed_put_uint(&w, chunk->total);
    fed_put_uint(&w, 4);
    fed_put_bytes(&w, chunk->data, chunk->bytes);
    return w.used;
}

int fed_chunk_decode(struct fed_chunk *ret_chunk, const uint8_t *body, size_t bytes)
{
    struct fed_chunk chunk = {0};
    struct fed_reader r;
    fed_reader_init(&r, body, bytes);
    fed_get_map(&r, 4);
    fed_get_key(&r, 1);
    fed_get_fixed(&r, chunk.base_hash, sizeof(chunk.base_hash));
    fed_get_key(&r, 2);
    fed_get_fixed(&r, chunk.whole, sizeof(chunk.whole));
    fed_get_key(&r, 3);
    chunk.total = (uint32_t)fed_get_uint(&r, FED_UPDATE_BYTES_MAX);
    fed_get_key(&r, 4);
    chunk.data = fed_get_bytes(&r, FED_CHUNK_BYTES, &chunk.bytes);
    int code = fed_reader_finish(&r);
    if (code == 0)
        *ret_chunk = chunk;
    return code;
}

/* --- acknowledgement --- */

size_t fed_ack_encode(const struct fed_ack *ack, uint8_t *out, size_t capacity)
{
    struct fed_writer w = {.data = out, .capacity = capacity};
    fed_put_map(&w, 4);
    fed_put_uint(&w, 1);
    fed_put_text(&w, ack->edge);
    fed_put_uint(&w, 2);
    fed_put_bytes(&w, ack->whole, sizeof(ack->whole));
    fed_put_uint(&w, 3);
    fed_put_uint(&w, ack->verdict);
    fed_put_uint(&w, 4);
    fed_put_uint(&w, ack->have);
    return w.used;
}

int fed_ack_decode(struct fed_ack *ret_ack, const uint8_t *body, size_t bytes)
{
    struct fed_ack ack = {0};
    struct fed_reader r;
    fed_reader_init(&r, body, bytes);
    fed_get_map(&r, 4);
    fed_get_key(&r, 1);
    fed_get_name(&r, ack.edge);
    fed_get_key(&r, 2);
    fed_get_fixed(&r, ack.whole, sizeof(ack.whole));
    fed_get_key(&r, 3);
    ack.verdict = (enum fed_verdict)fed_get_uint(&r, FED_VERDICT_REFUSED);
    fed_get_key(&r, 4);
    ack.have = fed_get_uint(&r, UINT64_MAX);
    int code = fed_reader_finish(&r);
    if (code == 0)
        *ret_ack = ack;
    return code;
}

/* --- lease --- */

void fed_put_spent(struct fed_writer *w, const struct fed_spent *spent, uint32_t n)
{
    fed_put_array(w, n);
    for (uint32_t i = 0; i < n; i++) {
        fed_put_array(w, 3);
        fed_put_double(w, spent[i].sample_rate);
        fed_put_double(w, spent[i].noise_multiplier);
        fed_put_uint(w, spent[i].steps);
    }
}

uint32_t fed_get_spent(struct fed_reader *r, struct fed_spent spent[FED_SPENT_MAX])
{
    uint32_t n = (uint32_t)fed_get_array_up_to(r, FED_SPENT_MAX);
    for (uint32_t i = 0; i < n; i++) {
        fed_get_array(r, 3);
        spent[i].sample_rate = fed_get_double(r);
        spent[i].noise_multiplier = fed_get_double(r);
        spent[i].steps = fed_get_uint(r, UINT64_MAX);
    }
    return n;
}

size_t fed_lease_encode(const struct fed_lease *lease, uint8_t *out, size_t capacity)
{
    struct fed_writer w = {.data = out, .capacity = capacity};
    fed_put_map(&w, 5);
    fed_put_uint(&w, 1);
    fed_put_uint(&w, lease->lease_ns);
    fed_put_uint(&w, 2);
    fed_put_uint(&w, lease->commits);
    fed_put_uint(&w, 3);
    fed_put_uint(&w, lease->model_epoch);
    fed_put_uint(&w, 4);
    fed_put_uint(&w, lease->model_round);
    fed_put_uint(&w, 5);
    fed_put_spent(&w, lease->spent, lease->n_spent);
    return w.used;
}

int fed_lease_decode(struct fed_lease *ret_lease, const uint8_t *body, size_t bytes)
{
    struct fed_lease lease = {0};
    struct fed_reader r;
    fed_reader_init(&r, body, bytes);
    fed_get_map(&r, 5);
    fed_get_key(&r, 1);
    lease.lease_ns = fed_get_uint(&r, FED_LEASE_MAX_NS);
    fed_get_key(&r, 2);
    lease.commits = fed_get_uint(&r, UINT64_MAX);
    fed_get_key(&r, 3);
    lease.model_epoch = fed_get_uint(&r, UINT64_MAX);
    fed_get_key(&r, 4);
    lease.model_round = fed_get_uint(&r, UINT64_MAX);
    fed_get_key(&r, 5);
    lease.n_spent = fed_get_spent(&r, lease.spent);
    int code = fed_reader_finish(&r);
    if (code == 0)
        *ret_lease = lease;
    return code;
}
