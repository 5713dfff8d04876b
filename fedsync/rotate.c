/* SPDX-License-Identifier: Apache-2.0 */
#include "fedsync/rotate_priv.h"

#include <errno.h>
#include <math.h>
#include <sodium.h>
#include <stdlib.h>

/* Twice, since one pass leaves entries of a spiky vector only two sizes. */
#define PASSES 4

/** Random bits: bit i of window w turns entry i. */
struct signs {
    size_t window_bytes;
    uint8_t *bits;
};

static uint32_t power_below(uint32_t n)
{
    return UINT32_C(1) << (31 - __builtin_clz(n));
}

static int signs_draw(struct signs *signs, uint32_t window, const uint8_t key[32])
{
    static const uint8_t nonce[crypto_stream_chacha20_NONCEBYTES];
    signs->window_bytes = (window + 7) / 8;
    signs->bits = malloc(PASSES * signs->window_bytes);
    if (signs->bits == NULL)
        return -ENOMEM;
    crypto_stream_chacha20(signs->bits, PASSES * signs->window_bytes, nonce, key);
    return 0;
}

static void flip(float *x, uint32_t n, const uint8_t *bits)
{
    for (uint32_t i = 0; i < n; i++)
        if (bits[i / 8] >> (i % 8) & 1)
            x[i] = -x[i];
}

/** Orthonormal Walsh-Hadamard transform, its own inverse. @param n  power of two */
static void hadamard(float *x, uint32_t n)
{
    for (uint32_t half = 1; half < n; half *= 2)
        for (uint32_t start = 0; start < n; start += 2 * half)
            for (uint32_t i = start; i < start + half; i++) {
                float a = x[i], b = x[i + half];
                x[i] = a + b;
                x[i + half] = a - b;
            }
    float scale = (float)(1 / sqrt((double)n));
    for (uint32_t i = 0; i < n; i++)
        x[i] *= scale;
}

/* Even passes start at the front, odd ones end at the back. */
static float *window_of(float *x, uint32_t n, uint32_t window, int pass)
{
    return pass % 2 == 0 ? x : x + (n - window);
}

int fed_rotate(float *x, uint32_t n, const uint8_t key[32])
{
    struct signs signs;
    uint32_t window = power_below(n);
    int r = signs_draw(&signs, window, key);
    if (r < 0)
        return r;
    for (int pass = 0; pass < PASSES; pass++) {
        float *at = window_of(x, n, window, pass);
        flip(at, window, signs.bits + (size_t)pass * signs.window_bytes);
        hadamard(at, window);
    }
    free(signs.bits);
    return 0;
}

int fed_unrotate(float *x, uint32_t n, const uint8_t key[32])
{
    struct signs signs;
    uint32_t window = power_below(n);
    int r = signs_draw(&signs, window, key);
    if (r < 0)
        return r;
    for (int pass = PASSES - 1; pass >= 0; pass--) {
        float *at = window_of(x, n, window, pass);
        hadamard(at, window);
        flip(at, window, signs.bits + (size_t)pass * signs.window_bytes);
    }
    free(signs.bits);
    return 0;
}
