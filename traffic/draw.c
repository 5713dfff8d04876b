/* SPDX-License-Identifier: Apache-2.0 */
#include "traffic/draw_priv.h"

#include <math.h>

double traf_between(struct atl_rng *rng, double low, double high)
{
    return low + (high - low) * atl_rng_unit(rng);
}

bool traf_chance(struct atl_rng *rng, double probability)
{
    return atl_rng_unit(rng) < probability;
}

static double draw_raw(struct atl_rng *rng, const struct traf_dist *dist)
{
    switch (dist->shape) {
    case TRAF_LOGNORMAL:
        return dist->a * exp(dist->b * atl_rng_normal(rng));
    case TRAF_PARETO:
        return dist->a * pow(1.0 - atl_rng_unit(rng), -1.0 / dist->b);
    case TRAF_UNIFORM:
        return traf_between(rng, dist->a, dist->b);
    case TRAF_FIXED:
        break;
    }
    return dist->a;
}

double traf_draw(struct atl_rng *rng, const struct traf_dist *dist)
{
    double v = draw_raw(rng, dist);
    return dist->most > 0 && v > dist->most ? dist->most : v;
}

uint32_t traf_draw_u32(struct atl_rng *rng, const struct traf_dist *dist)
{
    double v = traf_draw(rng, dist);
    return v >= 2e9 ? 2000000000u : (uint32_t)(v + 0.5);
}

atl_ns traf_draw_ns(struct atl_rng *rng, const struct traf_dist *dist)
{
    double v = traf_draw(rng, dist);
    return v >= 1e6 ? (atl_ns)1e15 : (atl_ns)(v * 1e9);
}

atl_ns traf_gap_ns(struct atl_rng *rng, double per_second)
{
    double seconds = -log(1.0 - atl_rng_unit(rng)) / per_second;
    return seconds >= 1e6 ? (atl_ns)1e15 : (atl_ns)(seconds * 1e9) + 1;
}

uint32_t traf_zipf(struct atl_rng *rng, uint32_t n)
{
    /* inverse of the continuous 1/x density on 1 … n+1 */
    uint32_t rank = (uint32_t)pow((double)n + 1.0, atl_rng_unit(rng)) - 1;
    return rank < n ? rank : n - 1;
}

double traf_part(uint64_t hash, int part)
{
    return (double)(hash >> (16 * part) & 0xffff) / 65536.0;
}
