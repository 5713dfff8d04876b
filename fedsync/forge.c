/* SPDX-License-Identifier: Apache-2.0 */
#include "fedsync/aggregate_priv.h"
#include "fedsync/chunk_priv.h"
#include "fedsync/codec_priv.h"
#include "fedsync/encoding_priv.h"
#include "fedsync/envelope_priv.h"
#include "fedsync/message_priv.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The encoders are made for finite values: what is none goes into the bytes that every encoding
 * begins with, a value or a scale. */
static int64_t encode(const struct fed_plan *plan, const char *name, const float *values,
                      uint32_t n, uint8_t *out)
{
    uint8_t key[32];
    if (fed_all_finite(values, n)) {
        fed_encoding_key(key, plan->federation, plan->epoch, plan->round, name);
        return fed_encode(plan->encoding, values, n, key, out);
    }
    uint32_t bytes = fed_encoding_bytes(plan->encoding, n);
    const float bad = NAN;
    memset(out, 0, bytes);
    fed_floats_to_wire(out, &bad, 1);
    return bytes;
}

static int send_chunk(const struct fed_plan *plan, const struct fed_identity *identity,
                      struct fed_chunk *chunk, const uint8_t *data, uint32_t index,
                      fed_send_fn send, void *ctx)
{
    chunk->data = data + (size_t)index * FED_CHUNK_BYTES;
    chunk->bytes = fed_chunk_bytes(chunk->total, index);
    size_t capacity = chunk->bytes + FED_BODY_BYTES_MAX, bytes;
    uint8_t *body = malloc(capacity), *payload;
    if (body == NULL)
        return -ENOMEM;
    struct fed_envelope env = {.type = FED_TYPE_UPDATE,
                               .epoch = plan->epoch,
                               .round = plan->round,
                               .seq = index,
                               .body = body,
                               .body_bytes = fed_chunk_encode(chunk, body, capacity)};
    int r = fed_envelope_seal(&payload, &bytes, &env, plan->federation, identity);
    free(body);
    if (r < 0)
        return r;
    char topic[sizeof("up/") + FED_NAME_BYTES];
    snprintf(topic, sizeof(topic), "up/%s", identity->name);
    send(ctx, topic, payload, bytes, false);
    free(payload);
    return 0;
}

int fed_forge_update(const struct fed_plan *plan, const struct fed_identity *identity,
                     const float *values, uint32_t n, fed_send_fn send, void *ctx)
{
    if (n == 0 || n > FED_PARAMS_MAX)
        return -EINVAL;
    uint8_t *data = malloc(FED_ENCODING_ROOM(n));
    if (data == NULL)
        return -ENOMEM;
    int64_t total = encode(plan, identity->name, values, n, data);
    int r = total < 0 ? (int)total : 0;
    if (r == 0) {
        struct fed_chunk chunk = {.total = (uint32_t)total};
        memcpy(chunk.base_hash, plan->base_hash, sizeof(chunk.base_hash));
        fed_hash(chunk.whole, data, (size_t)total);
        for (uint32_t i = 0; r == 0 && i < fed_chunk_count(chunk.total); i++)
            r = send_chunk(plan, identity, &chunk, data, i, send, ctx);
    }
    free(data);
    return r;
}
