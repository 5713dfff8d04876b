/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Discrete Gaussian by table inversion and convolution, with constant work: which entries are read
 * and how many never depends on the value drawn, for samplers by rejection were broken by their
 * timing (Jin et al. 2022, arXiv:2112.05307).
 *
 * sigma ≤ 8: half table of the distribution function. A probability p is right to p·2^-57 (long
 * double, argument up to 75) + 2^-126 (fixed point); what the table leaves out is below 2^-108.
 *
 * sigma > 8: x = k·y + z with z from a table, y with the rest of the variance, again by the same
 * rule (Micciancio & Walter 2017, after Peikert 2010). Given x, y is Gaussian with deviation
 * τ = σy·σz/σ, and the sum over whole y differs from its integral by 2·exp(-2π²τ²): below 2^-63 of
 * itself for τ ≥ 1.5.
 *
 * With at most 20 levels: but for values of total probability below 2^-56, the logarithm of every
 * probability is right to 2^-52. n released numbers add at most n·2^-51 to ε and n·2^-56 to δ.
 */
#include "privacy/privacy.h"

#include <assert.h>
#include <math.h>

#define BASE_SIGMA 8.0
/* 12.25 deviations: exp(-12.25²/2) < 2^-108 */
#define TAIL       12.25
#define ENTRIES    99 /* 8 × 12.25 + 1 */
#define LEVELS_MAX 20
#define SMOOTH     1.5

__extension__ typedef unsigned __int128 uint128;

/* Entry i: P(|z| ≤ i) × 2^127; a draw counts the entries that it reaches */
struct level {
    int64_t factor; /* k of the level above: the sum so far is multiplied by it */
    int entries;
    uint128 reach[ENTRIES];
};

struct sampler {
    int levels;
    struct level level[LEVELS_MAX];
};

static void table_fill(struct level *level, double sigma)
{
    long double weight[ENTRIES], sum = 0;
    int n = (int)ceil(TAIL * sigma);
    for (int i = n; i >= 0; i--) { /* small ones first */
        long double x = i / (long double)sigma;
        weight[i] = (i == 0 ? 1 : 2) * expl(-x * x / 2);
        sum += weight[i];
    }
    uint128 reach = 0;
    for (int i = 0; i < n; i++) {
        reach += (uint128)ldexpl(weight[i] / sum, 127);
        level->reach[i] = reach;
    }
    level->entries = n; /* the last value takes what is left over */
}

static void sampler_init(struct sampler *s, double sigma)
{
    s->levels = 0;
    while (sigma > BASE_SIGMA) {
        assert(s->levels < LEVELS_MAX - 1);
        struct level *level = &s->level[s->levels++];
        double part = fmin(BASE_SIGMA, sigma * M_SQRT1_2);
        double rest = sqrt((sigma - part) * (sigma + part));
        double k = fmax(1, floor(part * rest / sigma / SMOOTH));
        table_fill(level, part);
        level->factor = (int64_t)k;
        sigma = rest / k;
    }
    struct level *last = &s->level[s->levels++];
    table_fill(last, sigma);
    last->factor = 1;
}

static int64_t level_draw(const struct level *level, const uint64_t random[2])
{
    uint128 u = ((uint128)random[0] << 64 | random[1]) >> 1;
    int64_t sign = -(int64_t)(random[1] & 1), value = 0;
    for (int i = 0; i < level->entries; i++)
        value += u >= level->reach[i];
    return (value ^ sign) - sign;
}

static int64_t sampler_draw(const struct sampler *s, struct atl_rng *rng)
{
    uint64_t random[LEVELS_MAX][2];
    atl_rng_fill(rng, random, (size_t)s->levels * sizeof(random[0]));
    int64_t sum = 0;
    for (int i = s->levels - 1; i >= 0; i--)
        sum = sum * s->level[i].factor + level_draw(&s->level[i], random[i]);
    return sum;
}

void priv_noise_fill(struct atl_rng *rng, double sigma, int64_t *out, size_t n)
{
    assert(sigma > 0 && sigma <= 0x1p40);
    struct sampler s;
    sampler_init(&s, sigma);
    for (size_t i = 0; i < n; i++)
        out[i] = sampler_draw(&s, rng);
}

void priv_noise_add(struct atl_rng *rng, double sigma, double grain, float *values, size_t n)
{
    assert(grain > 0 && sigma / grain <= 0x1p40);
    struct sampler s;
    sampler_init(&s, sigma / grain);
    for (size_t i = 0; i < n; i++) {
        int64_t noise = sampler_draw(&s, rng);
        values[i] = (float)((nearbyint(values[i] / grain) + (double)noise) * grain);
    }
}

double priv_grid_sensitivity(double clip, double grain, size_t n)
{
    /* each entry moves by half a grain at most; 2^-40 covers the rounding of norms in double */
    return (clip + grain / 2 * sqrt((double)n)) * (1 + 0x1p-40);
}
