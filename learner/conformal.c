/* SPDX-License-Identifier: Apache-2.0 */
#include "learner/conformal_priv.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The tail is fitted to the top twentieth, of ten values at least. */
#define TAIL_SHARE    0.05
#define TAIL_ROWS_MIN 10U
/* As in spot.c: no natural upper end, and no tail so heavy that a few values rule it. */
#define SHAPE_MAX 0.7
#define SHAPE_EPS 1e-6
/* A tail narrower than this share of the body's width would call rounding an anomaly. */
#define WIDTH_SHARE 0.02

int learn_rank_init(struct learn_rank *rank, uint32_t cap)
{
    *rank = (struct learn_rank){.cap = cap};
    rank->ring = calloc(cap, sizeof(double));
    rank->sorted = calloc(cap, sizeof(double));
    return rank->ring != NULL && rank->sorted != NULL ? 0 : -ENOMEM;
}

void learn_rank_finish(struct learn_rank *rank)
{
    free(rank->ring);
    free(rank->sorted);
    *rank = (struct learn_rank){0};
}

/* @return how many are below value */
static uint32_t below(const struct learn_rank *rank, double value)
{
    uint32_t low = 0, high = rank->n;
    while (low < high) {
        uint32_t mid = (low + high) / 2;
        if (rank->sorted[mid] < value)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

void learn_rank_push(struct learn_rank *rank, double value)
{
    double *sorted = rank->sorted;
    value += 0.0; /* -0 would not be told apart by order, but by its bytes */
    if (rank->n == rank->cap) {
        uint32_t old = below(rank, rank->ring[rank->at]); /* < n: it is in there */
        memmove(sorted + old, sorted + old + 1, (rank->n - old - 1) * sizeof(*sorted));
        rank->n--;
    }
    uint32_t here = below(rank, value);
    memmove(sorted + here + 1, sorted + here, (rank->n - here) * sizeof(*sorted));
    sorted[here] = value;
    rank->ring[rank->at] = value;
    rank->at = (rank->at + 1) % rank->cap;
    rank->n++;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void learn_rank_rebuild(struct learn_rank *rank)
{
    memcpy(rank->sorted, rank->ring,
           rank->n * sizeof(double)); /* a ring not yet full starts at 0 */
    qsort(rank->sorted, rank->n, sizeof(double), by_value);
}

double learn_rank_quantile(const struct learn_rank *rank, double q)
{
    if (rank->n == 0)
        return 0.0;
    uint32_t i = (uint32_t)(q * rank->n);
    return rank->sorted[i < rank->n ? i : rank->n - 1];
}

/* The i-th largest (or smallest, mirrored), so that both tails are one piece of code. */
static double nth(const struct learn_rank *rank, uint32_t i, bool high)
{
    return high ? rank->sorted[rank->n - 1 - i] : -rank->sorted[i];
}

/* Probability-weighted moments (Hosking & Wallis 1987), as in spot.c; y_k ≥ … ≥ y_1 descending. */
static double tail_evidence(const struct learn_rank *rank, double value, double grain, bool high)
{
    uint32_t n = rank->n, k = (uint32_t)(n * TAIL_SHARE);
    k = k < TAIL_ROWS_MIN ? TAIL_ROWS_MIN : k; /* < n, since n ≥ LEARN_RANK_ROWS_MIN */
    double u = nth(rank, k, high), a0 = 0, a1 = 0;
    for (uint32_t i = 0; i < k; i++) {
        double y = nth(rank, i, high) - u;
        a0 += y / k;
        a1 += y * ((i + 0.35) / k) / k;
    }
    double spread = a0 - 2.0 * a1;
    double shape = spread > 0 ? fmin(fmax(2.0 - a0 / spread, 0.0), SHAPE_MAX) : 0.0;
    double width = learn_rank_quantile(rank, 0.9) - learn_rank_quantile(rank, 0.1);
    double scale = fmax(a0 * (1.0 - shape), fmax(WIDTH_SHARE * width, grain));
    double y = (value - u) / scale;
    return (shape < SHAPE_EPS ? y : log1p(shape * y) / shape) - log((double)k / n);
}

static double evidence(const struct learn_rank *rank, double value, double grain, bool high)
{
    if (rank->n < LEARN_RANK_ROWS_MIN)
        return 0.0;
    double e;
    double largest = nth(rank, 0, high);
    if (value <= largest) {
        uint32_t as_far =
            high ? rank->n - below(rank, value) : below(rank, nextafter(-value, INFINITY));
        e = log((rank->n + 1.0) / (as_far + 1.0));
    } else {
        e = tail_evidence(rank, value, grain, high);
    }
    return fmin(fmax(e, 0.0), LEARN_EVIDENCE_MAX);
}

double learn_rank_evidence_high(const struct learn_rank *rank, double value, double grain)
{
    return evidence(rank, value, grain, true);
}

double learn_rank_evidence_low(const struct learn_rank *rank, double value, double grain)
{
    return evidence(rank, -value, grain, false);
}
