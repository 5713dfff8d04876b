/* SPDX-License-Identifier: Apache-2.0 */
#include "fedsync/encoding_priv.h"

#include "fedsync/aggregate_priv.h"
#include "fedsync/codec_priv.h"
#include "fedsync/rotate_priv.h"

#include <errno.h>
#include <math.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#define BLOCK       256U
#define INT8_TOP    127
#define SCALE_BYTES 4U
#define ZSTD_LEVEL  6

/* Levels and edges of the best 16-level quantiser of N(0, 1) (Max 1960), upper half. */
static const float levels[8] = {0.1284F, 0.3881F, 0.6568F, 0.9424F,
                                1.2562F, 1.6181F, 2.0690F, 2.7326F};
static const float edges[7] = {0.2582F, 0.5224F, 0.7996F, 1.0993F, 1.4371F, 1.8435F, 2.4008F};

uint32_t fed_encoding_bytes(enum fed_encoding encoding, uint32_t n)
{
    switch (encoding) {
    case FED_FLOAT32:
        return n * (uint32_t)sizeof(float);
    case FED_INT8:
        return n + (n + BLOCK - 1) / BLOCK * SCALE_BYTES;
    case FED_ROTATED4:
        return SCALE_BYTES + (n + 1) / 2;
    }
    return 0;
}

void fed_encoding_key(uint8_t key[32], const char *federation, uint64_t epoch, uint64_t round,
                      const char *edge)
{
    uint8_t text[2 * FED_NAME_BYTES + 2 * sizeof(uint64_t)] = {0};
    atl_copy((char *)text, FED_NAME_BYTES, federation);
    atl_copy((char *)text + FED_NAME_BYTES, FED_NAME_BYTES, edge);
    for (size_t i = 0; i < sizeof(uint64_t); i++) {
        text[2 * FED_NAME_BYTES + i] = (uint8_t)(epoch >> (8 * i));
        text[2 * FED_NAME_BYTES + sizeof(uint64_t) + i] = (uint8_t)(round >> (8 * i));
    }
    crypto_generichash(key, 32, text, sizeof(text), NULL, 0);
}

/* --- int8 --- */

static void int8_encode(const float *x, uint32_t n, uint8_t *out)
{
    for (uint32_t start = 0; start < n; start += BLOCK) {
        uint32_t length = n - start < BLOCK ? n - start : BLOCK;
        float top = 0;
        for (uint32_t i = 0; i < length; i++)
            top = fmaxf(top, fabsf(x[start + i]));
        float scale = top / INT8_TOP;
        fed_floats_to_wire(out, &scale, 1);
        out += SCALE_BYTES;
        /* A top so small that its scale is 0 leaves only zeros. */
        for (uint32_t i = 0; i < length; i++, out++) {
            float steps = scale > 0 ? rintf(x[start + i] / scale) : 0;
            *out = (uint8_t)(int8_t)fmaxf(-INT8_TOP, fminf(INT8_TOP, steps));
        }
    }
}

static int int8_decode(const uint8_t *in, uint32_t n, float *x)
{
    for (uint32_t start = 0; start < n; start += BLOCK) {
        uint32_t length = n - start < BLOCK ? n - start : BLOCK;
        float scale;
        fed_floats_from_wire(&scale, in, 1);
        if (!(scale >= 0))
            return -EBADMSG;
        in += SCALE_BYTES;
        for (uint32_t i = 0; i < length; i++, in++) {
            if ((int8_t)*in < -INT8_TOP)
                return -EBADMSG;
            x[start + i] = scale * (float)(int8_t)*in;
        }
    }
    return 0;
}

/* --- rotated4 --- */

static uint8_t level_of(float y)
{
    float size = fabsf(y);
    unsigned at = y < 0 ? 8 : 0;
    for (size_t i = 0; i < ATL_ARRAY_LEN(edges); i++)
        at += size > edges[i];
    return (uint8_t)at;
}

static float level_value(uint8_t code)
{
    return code & 8 ? -levels[code & 7] : levels[code & 7];
}

static int rotated4_encode(const float *values, uint32_t n, const uint8_t key[32], uint8_t *out)
{
    float *x = malloc(n * sizeof(*x));
    if (x == NULL)
        return -ENOMEM;
    /* Rotated at unit size, so that no sum leaves the range of a float. */
    double norm = fed_norm(values, n);
    for (uint32_t i = 0; i < n; i++)
        x[i] = norm > 0 ? (float)(values[i] / norm) : 0;
    int r = fed_rotate(x, n, key);
    double along = 0;
    float spread = (float)sqrt((double)n);
    memset(out + SCALE_BYTES, 0, (n + 1) / 2);
    for (uint32_t i = 0; r == 0 && i < n; i++) {
        uint8_t code = level_of(x[i] * spread);
        along += (double)x[i] * (double)level_value(code);
        out[SCALE_BYTES + i / 2] |= (uint8_t)(i % 2 == 0 ? code : code << 4);
    }
    float scale = norm > 0 ? (float)(norm / along) : 0; /* along > 0: each pair has one sign */
    fed_floats_to_wire(out, &scale, 1);
    free(x);
    return r;
}

static int rotated4_decode(const uint8_t *in, uint32_t n, const uint8_t key[32], float *x)
{
    float scale;
    fed_floats_from_wire(&scale, in, 1);
    if (!(scale >= 0) || (n % 2 == 1 && in[SCALE_BYTES + n / 2] >> 4 != 0))
        return -EBADMSG;
    for (uint32_t i = 0; i < n; i++)
        x[i] = level_value((in[SCALE_BYTES + i / 2] >> (i % 2 * 4)) & 15);
    int r = fed_unrotate(x, n, key);
    for (uint32_t i = 0; r == 0 && i < n; i++)
        x[i] *= scale;
    return r;
}

/* --- all --- */

static int64_t squeeze(uint8_t *data, uint32_t bytes)
{
    uint8_t *packed = malloc(bytes);
    if (packed == NULL)
        return bytes; /* longer, but right */
    size_t n = ZSTD_compress(packed, bytes, data, bytes, ZSTD_LEVEL);
    bool shorter = !ZSTD_isError(n) && n < bytes;
    if (shorter)
        memcpy(data, packed, n);
    free(packed);
    return shorter ? (int64_t)n : (int64_t)bytes;
}

int64_t fed_encode(enum fed_encoding encoding, const float *values, uint32_t n,
                   const uint8_t key[32], uint8_t *out)
{
    int r = 0;
    if (encoding == FED_INT8)
        int8_encode(values, n, out);
    else if (encoding == FED_ROTATED4)
        r = rotated4_encode(values, n, key, out);
    else
        fed_floats_to_wire(out, values, n);
    return r < 0 ? r : squeeze(out, fed_encoding_bytes(encoding, n));
}

static int decode_plain(enum fed_encoding encoding, const uint8_t *data, uint32_t n,
                        const uint8_t key[32], float *out)
{
    int r = 0;
    if (encoding == FED_INT8)
        r = int8_decode(data, n, out);
    else if (encoding == FED_ROTATED4)
        r = rotated4_decode(data, n, key, out);
    else
        fed_floats_from_wire(out, data, n);
    if (r < 0)
        return r;
    return fed_all_finite(out, n) ? 0 : -EDOM;
}

int fed_decode(enum fed_encoding encoding, const uint8_t *data, size_t bytes, uint32_t n,
               const uint8_t key[32], float *out)
{
    uint32_t whole = fed_encoding_bytes(encoding, n);
    if (n == 0 || n > FED_PARAMS_MAX || whole == 0 || bytes > whole)
        return -EBADMSG;
    if (bytes == whole)
        return decode_plain(encoding, data, n, key, out);
    uint8_t *plain = malloc(whole); /* zstd never writes past the room it is given */
    if (plain == NULL)
        return -ENOMEM;
    size_t got = ZSTD_decompress(plain, whole, data, bytes);
    int r =
        !ZSTD_isError(got) && got == whole ? decode_plain(encoding, plain, n, key, out) : -EBADMSG;
    free(plain);
    return r;
}
