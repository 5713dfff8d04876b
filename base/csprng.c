/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base.h"

#include <errno.h>
#include <math.h>
#include <sodium.h>
#include <string.h>

__extension__ typedef unsigned __int128 uint128;

int atl_base_init(void)
{
    return sodium_init() < 0 ? -EIO : 0;
}

static void refill(struct atl_rng *rng)
{
    static const uint8_t zeros[sizeof(rng->buffer)];
    static const uint8_t nonce[crypto_stream_chacha20_NONCEBYTES];
    crypto_stream_chacha20_xor_ic(rng->buffer, zeros, sizeof(zeros), nonce, rng->block, rng->key);
    rng->block += sizeof(rng->buffer) / 64;
    rng->used = 0;
    if (!rng->secure)
        return;
    memcpy(rng->key, rng->buffer, sizeof(rng->key));
    memset(rng->buffer, 0, sizeof(rng->key));
    rng->used = sizeof(rng->key);
    rng->block = 0;
}

static void start(struct atl_rng *rng, bool secure)
{
    rng->secure = secure;
    rng->block = 0;
    rng->used = sizeof(rng->buffer);
}

void atl_rng_init_secure(struct atl_rng *rng)
{
    randombytes_buf(rng->key, sizeof(rng->key));
    start(rng, true);
}

void atl_rng_init_seed(struct atl_rng *rng, uint64_t seed)
{
    uint8_t text[8];
    for (int i = 0; i < 8; i++)
        text[i] = (uint8_t)(seed >> (8 * i));
    crypto_generichash(rng->key, sizeof(rng->key), text, sizeof(text), NULL, 0);
    start(rng, false);
}

void atl_rng_fill(struct atl_rng *rng, void *out, size_t bytes)
{
    uint8_t *at = out;
    while (bytes > 0) {
        if (rng->used == sizeof(rng->buffer))
            refill(rng);
        size_t n = sizeof(rng->buffer) - rng->used;
        if (n > bytes)
            n = bytes;
        memcpy(at, rng->buffer + rng->used, n);
        memset(rng->buffer + rng->used, 0, n);
        rng->used += (uint32_t)n;
        at += n;
        bytes -= n;
    }
}

uint64_t atl_rng_u64(struct atl_rng *rng)
{
    uint8_t b[8];
    atl_rng_fill(rng, b, sizeof(b));
    uint64_t v = 0;
    for (int i = 0; i < 8; i++)
        v |= (uint64_t)b[i] << (8 * i);
    return v;
}

uint64_t atl_rng_below(struct atl_rng *rng, uint64_t bound)
{
    /* Lemire 2019: one multiplication, rejected with probability below bound / 2^64 */
    uint64_t threshold = -bound % bound;
    for (;;) {
        uint128 product = (uint128)atl_rng_u64(rng) * bound;
        if ((uint64_t)product >= threshold)
            return (uint64_t)(product >> 64);
    }
}

double atl_rng_unit(struct atl_rng *rng)
{
    return (double)(atl_rng_u64(rng) >> 11) * 0x1p-53;
}

double atl_rng_normal(struct atl_rng *rng)
{
    double u = 1.0 - atl_rng_unit(rng); /* (0, 1]: the logarithm exists */
    return sqrt(-2.0 * log(u)) * cos(2.0 * M_PI * atl_rng_unit(rng));
}
