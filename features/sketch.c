/* SPDX-License-Identifier: Apache-2.0 */
#include "features/sketch_priv.h"

#include <math.h>
#include <string.h>

_Static_assert(sizeof(struct sketch) <= 644, "two of them for each host");

static void raise_rank(struct sketch *s, uint32_t slice, uint32_t hash)
{
    uint8_t rank = (uint8_t)(1 + __builtin_ctz(hash / SKETCH_REGISTERS | 1U << 25));
    uint8_t *at = &s->rank[slice % SKETCH_AGES][hash % SKETCH_REGISTERS];
    *at = rank > *at ? rank : *at;
}

static void to_registers(struct sketch *s)
{
    uint32_t hash[SKETCH_EXACT];
    uint8_t slice[SKETCH_EXACT];
    memcpy(hash, s->exact.hash, sizeof(hash));
    memcpy(slice, s->exact.slice, sizeof(slice));
    memset(s->rank, 0, sizeof(s->rank));
    s->hashed = true;
    for (uint32_t i = 0; i < SKETCH_EXACT; i++)
        raise_rank(s, slice[i], hash[i]);
}

/* Every entry lies in the window: older ones went at the turns. */
static void turn_exact(struct sketch *s, uint32_t slice)
{
    uint16_t kept = 0;
    for (uint32_t i = 0; i < s->n; i++) {
        if ((uint8_t)(slice - s->exact.slice[i]) >= SKETCH_AGES)
            continue;
        s->exact.hash[kept] = s->exact.hash[i];
        s->exact.slice[kept++] = s->exact.slice[i];
    }
    s->n = kept;
}

static bool is_empty(const struct sketch *s)
{
    for (uint32_t age = 0; age < SKETCH_AGES; age++)
        for (uint32_t i = 0; i < SKETCH_REGISTERS; i++)
            if (s->rank[age][i] != 0)
                return false;
    return true;
}

void feat_sketch_turn(struct sketch *s, uint32_t slice, uint32_t steps)
{
    if (steps >= SKETCH_AGES) {
        s->n = 0;
        s->hashed = false;
        return;
    }
    if (!s->hashed) {
        turn_exact(s, slice);
        return;
    }
    for (uint32_t i = 0; i < steps; i++)
        memset(s->rank[(slice - i) % SKETCH_AGES], 0, SKETCH_REGISTERS);
    if (is_empty(s)) {
        s->n = 0;
        s->hashed = false;
    }
}

void feat_sketch_add(struct sketch *s, uint32_t slice, uint64_t hash)
{
    uint32_t low = (uint32_t)hash;
    if (!s->hashed) {
        for (uint32_t i = 0; i < s->n; i++) {
            if (s->exact.hash[i] != low)
                continue;
            s->exact.slice[i] = (uint8_t)slice;
            return;
        }
        if (s->n < SKETCH_EXACT) {
            s->exact.hash[s->n] = low;
            s->exact.slice[s->n++] = (uint8_t)slice;
            return;
        }
        to_registers(s);
    }
    raise_rank(s, slice, low);
}

/* Figure 3 of the paper; its correction near 2^32 is of no use here. */
static double estimate(const uint8_t *rank, uint32_t m)
{
    double sum = 0, alpha = m == 64 ? 0.709 : 0.7213 / (1 + 1.079 / m);
    uint32_t zero = 0;
    for (uint32_t i = 0; i < m; i++) {
        sum += ldexp(1, -rank[i]);
        zero += rank[i] == 0;
    }
    double e = alpha * m * m / sum;
    return e <= 2.5 * m && zero > 0 ? m * log((double)m / zero) : e;
}

double feat_sketch_count(const struct sketch *s)
{
    if (!s->hashed)
        return s->n;
    uint8_t rank[SKETCH_REGISTERS];
    memcpy(rank, s->rank[0], sizeof(rank));
    for (uint32_t age = 1; age < SKETCH_AGES; age++)
        for (uint32_t i = 0; i < SKETCH_REGISTERS; i++)
            rank[i] = s->rank[age][i] > rank[i] ? s->rank[age][i] : rank[i];
    return estimate(rank, SKETCH_REGISTERS);
}

void feat_sketch_merge(struct dp_distinct *into, const struct dp_distinct *from)
{
    for (uint32_t i = 0; i < DP_DISTINCT_REGISTERS; i++)
        into->rank[i] = from->rank[i] > into->rank[i] ? from->rank[i] : into->rank[i];
}

double feat_sketch_distinct(const struct dp_distinct *const *slices, uint32_t n)
{
    struct dp_distinct all = {{0}};
    for (uint32_t i = 0; i < n; i++)
        feat_sketch_merge(&all, slices[i]);
    return estimate(all.rank, DP_DISTINCT_REGISTERS);
}
