/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies of the federation's messages, changed byte by byte, and encoded updates of any bytes. What
 * a decoder accepts must have exactly that encoding; an update must come out finite.
 * Input: which decoder; then edits of a good body (place, place, value), or n (2 bytes) and bytes.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fedsync/encoding_priv.h"
#include "fedsync/message_priv.h"
#include "tests/fuzz/fuzz.h"

#define BODY_BYTES 1024
#define VALUES_MAX 2000

static const uint8_t tensor[8] = {0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0};

static size_t good_body(int which, uint8_t *out)
{
    const struct fed_plan plan = {.section = "flow", .unit = "flow", .steps = 100, .clip = 1};
    const struct fed_model model = {.section = "flow", .values = tensor, .value_bytes = 8};
    const struct fed_chunk chunk = {.total = 8, .data = tensor, .bytes = 8};
    const struct fed_ack ack = {.edge = "edge-1", .verdict = FED_VERDICT_STORED, .have = 1};
    const struct fed_lease lease = {.lease_ns = 1, .n_spent = 2, .spent = {{1, 2, 3}, {.5, 4, 5}}};
    switch (which) {
    case 0:
        return fed_plan_encode(&plan, out, BODY_BYTES);
    case 1:
        return fed_model_encode(&model, out, BODY_BYTES);
    case 2:
        return fed_chunk_encode(&chunk, out, BODY_BYTES);
    case 3:
        return fed_ack_encode(&ack, out, BODY_BYTES);
    default:
        return fed_lease_encode(&lease, out, BODY_BYTES);
    }
}

/** @return bytes of the second encoding, 0 when the body was refused */
static size_t again(int which, const uint8_t *body, size_t bytes, uint8_t *out)
{
    struct fed_plan plan;
    struct fed_model model;
    struct fed_chunk chunk;
    struct fed_ack ack;
    struct fed_lease lease;
    switch (which) {
    case 0:
        return fed_plan_decode(&plan, body, bytes) == 0 ? fed_plan_encode(&plan, out, BODY_BYTES)
                                                        : 0;
    case 1:
        return fed_model_decode(&model, body, bytes) == 0
                   ? fed_model_encode(&model, out, BODY_BYTES)
                   : 0;
    case 2:
        return fed_chunk_decode(&chunk, body, bytes) == 0
                   ? fed_chunk_encode(&chunk, out, BODY_BYTES)
                   : 0;
    case 3:
        return fed_ack_decode(&ack, body, bytes) == 0 ? fed_ack_encode(&ack, out, BODY_BYTES) : 0;
    default:
        return fed_lease_decode(&lease, body, bytes) == 0
                   ? fed_lease_encode(&lease, out, BODY_BYTES)
                   : 0;
    }
}

static void body(int which, const uint8_t *edits, size_t bytes)
{
    uint8_t first[BODY_BYTES], second[BODY_BYTES];
    size_t n = good_body(which, first);
    for (; bytes >= 3; edits += 3, bytes -= 3)
        first[((size_t)edits[0] << 8 | edits[1]) % n] = edits[2];
    size_t m = again(which, first, n, second);
    if (m != 0 && (m != n || memcmp(first, second, n) != 0))
        abort();
}

static void update(enum fed_encoding encoding, const uint8_t *data, size_t bytes)
{
    static float values[VALUES_MAX];
    static const uint8_t key[32];
    if (bytes < 2)
        return;
    uint32_t n = 1 + ((uint32_t)data[0] << 8 | data[1]) % VALUES_MAX;
    if (fed_decode(encoding, data + 2, bytes - 2, n, key, values) < 0)
        return;
    for (uint32_t i = 0; i < n; i++)
        if (!isfinite(values[i]))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (bytes == 0)
        return 0;
    int which = data[0] % 8;
    if (which < 5)
        body(which, data + 1, bytes - 1);
    else
        update((enum fed_encoding)(which - 5), data + 1, bytes - 1);
    return 0;
}
