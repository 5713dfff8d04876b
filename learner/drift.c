/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ADWIN (Bifet & Gavaldà, SDM 2007): a window of values that is cut where the means of its two
 * parts differ by more than chance allows. Values lie in an exponential histogram: at level i at
 * most BUCKETS sums of 2^i values each, so that memory is O(log of the window).
 *
 * The bound is their equation for small variances, ε = √(2/m · σ² · ln(2/δ')) + 2/(3m) · ln(2/δ'),
 * δ' = δ / (the most cuts that are tried).
 */
#include "learner/learner.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LEVELS   20
#define BUCKETS  6 /* one more than stays: the merge of two makes room */
#define PART_MIN 5

struct bucket {
    double sum, squares; /* squares: Σ (x − mean)² of the bucket */
};

struct level {
    uint32_t n;
    struct bucket buckets[BUCKETS]; /* oldest first */
};

struct learn_drift {
    double delta;
    struct level levels[LEVELS]; /* level i: sums of 2^i values, the newest at level 0 */
    double n, sum, squares;
    uint64_t drifts;
};

int learn_drift_create(struct learn_drift **ret_drift, double delta, struct atl_error *err)
{
    if (!(delta >= 1e-9 && delta <= 0.1))
        return atl_error_set(err, -EINVAL, "drift: delta %g: expected 1e-9 … 0.1", delta);
    struct learn_drift *drift = calloc(1, sizeof(*drift));
    if (drift == NULL)
        return atl_error_set(err, -ENOMEM, "no memory for a drift test");
    drift->delta = delta;
    *ret_drift = drift;
    return 0;
}

void learn_drift_destroy(struct learn_drift *drift)
{
    free(drift);
}

void learn_drift_reset(struct learn_drift *drift)
{
    double delta = drift->delta;
    uint64_t drifts = drift->drifts;
    memset(drift, 0, sizeof(*drift));
    drift->delta = delta;
    drift->drifts = drifts;
}

/* Σ (x − mean)² of two parts together (Chan, Golub & LeVeque 1979). */
static double join_squares(double n_a, double sum_a, double squares_a, double n_b, double sum_b,
                           double squares_b)
{
    if (n_a <= 0 || n_b <= 0)
        return squares_a + squares_b;
    double gap = sum_a / n_a - sum_b / n_b;
    return squares_a + squares_b + gap * gap * n_a * n_b / (n_a + n_b);
}

static void push(struct learn_drift *drift, uint32_t at, struct bucket bucket)
{
    struct level *level = &drift->levels[at];
    level->buckets[level->n++] = bucket;
}

static void remove_oldest_of(struct level *level, uint32_t n)
{
    memmove(level->buckets, level->buckets + n, (level->n - n) * sizeof(level->buckets[0]));
    level->n -= n;
}

static void forget_oldest(struct learn_drift *drift)
{
    uint32_t at = LEVELS;
    while (at > 0 && drift->levels[at - 1].n == 0)
        at--;
    if (at == 0)
        return;
    struct level *level = &drift->levels[at - 1];
    struct bucket gone = level->buckets[0];
    double n = ldexp(1, (int)at - 1), rest = drift->n - n;
    double gap = rest > 0 ? gone.sum / n - (drift->sum - gone.sum) / rest : 0;
    drift->squares -= gone.squares + (rest > 0 ? gap * gap * n * rest / drift->n : 0);
    drift->squares = rest > 0 ? fmax(drift->squares, 0) : 0;
    drift->sum -= gone.sum;
    drift->n = rest;
    remove_oldest_of(level, 1);
}

static void merge_full(struct learn_drift *drift)
{
    for (uint32_t at = 0; at < LEVELS && drift->levels[at].n == BUCKETS; at++) {
        if (at + 1 == LEVELS) { /* five million values: the oldest may go */
            forget_oldest(drift);
            return;
        }
        struct level *level = &drift->levels[at];
        const struct bucket *a = &level->buckets[0], *b = &level->buckets[1];
        double n = ldexp(1, (int)at);
        struct bucket both = {a->sum + b->sum,
                              join_squares(n, a->sum, a->squares, n, b->sum, b->squares)};
        remove_oldest_of(level, 2);
        push(drift, at + 1, both);
    }
}

/* Is there a place where the older values differ from the newer ones? @param ret_up  newer higher
 */
static bool differs_somewhere(const struct learn_drift *drift, bool *ret_up)
{
    double n0 = 0, sum0 = 0, variance = drift->squares / drift->n;
    double cuts = (BUCKETS - 1) * (1 + log2(drift->n));
    double tail = log(2 * cuts / drift->delta);
    for (uint32_t at = LEVELS; at-- > 0;) {
        for (uint32_t i = 0; i < drift->levels[at].n; i++) {
            n0 += ldexp(1, (int)at);
            sum0 += drift->levels[at].buckets[i].sum;
            double n1 = drift->n - n0;
            if (n0 < PART_MIN || n1 < PART_MIN)
                continue;
            double m = 1 / (1 / n0 + 1 / n1);
            double reach = sqrt(2 / m * variance * tail) + 2 / (3 * m) * tail;
            double gap = (drift->sum - sum0) / n1 - sum0 / n0;
            if (fabs(gap) <= reach)
                continue;
            *ret_up = gap > 0;
            return true;
        }
    }
    return false;
}

int learn_drift_step(struct learn_drift *drift, double value)
{
    if (!isfinite(value))
        return 0;
    value = fmin(fmax(value, 0), 1);
    drift->squares = join_squares(drift->n, drift->sum, drift->squares, 1, value, 0);
    drift->n++;
    drift->sum += value;
    push(drift, 0, (struct bucket){value, 0});
    merge_full(drift);
    bool up = false, found = false;
    while (drift->n >= 2 * PART_MIN && differs_somewhere(drift, &up)) {
        forget_oldest(drift);
        found = true;
    }
    drift->drifts += found;
    return !found ? 0 : up ? 1 : -1;
}

double learn_drift_mean(const struct learn_drift *drift)
{
    return drift->n > 0 ? drift->sum / drift->n : 0;
}

uint64_t learn_drift_values(const struct learn_drift *drift)
{
    return (uint64_t)drift->n;
}

uint64_t learn_drift_count(const struct learn_drift *drift)
{
    return drift->drifts;
}
