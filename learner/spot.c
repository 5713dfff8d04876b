/* SPDX-License-Identifier: Apache-2.0 */
#include "learner/spot_priv.h"

#include <math.h>
#include <stdlib.h>

/* A tail of 2 % of the rows, but never fewer than 100 excesses unless that were over a tenth. */
#define TAIL_SHARE    0.02
#define EXCESSES_GOOD 100
#define TAIL_SHARE_HI 0.1
#define EXCESSES_MIN  12

/*
 * Fewer excesses carry no shape. Then the tail is the exponential from the median through the
 * largest value, widened by half because the largest of a few dozen says little about the rest.
 */
#define SCALED_MAX_WIDEN 1.5

/*
 * An error has no natural upper end, so ξ < 0 would only promise too much. Above 0.7 the extreme
 * quantiles run away with the few largest rows.
 */
#define SHAPE_MAX 0.7
#define SHAPE_EPS 1e-6

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* @return excesses to use, 0 when they are too few */
static uint32_t excesses(uint32_t n)
{
    double k = TAIL_SHARE * n;
    if (k < EXCESSES_GOOD)
        k = fmin(EXCESSES_GOOD, TAIL_SHARE_HI * n);
    return k < EXCESSES_MIN ? 0 : (uint32_t)k;
}

/*
 * Probability-weighted moments (Hosking & Wallis 1987): a0 = E[y], a1 = E[y (1 - F(y))], with
 * σ = 2·a0·a1 / (a0 - 2·a1) and ξ = 2 - a0 / (a0 - 2·a1). When ξ is clamped, σ = a0·(1 - ξ) keeps
 * the mean excess.
 */
static void fit_pareto(struct learn_tail *tail, const double *sorted, uint32_t k)
{
    double a0 = 0, a1 = 0;
    for (uint32_t i = 0; i < k; i++) {
        double y = sorted[i] - tail->threshold;
        double below = (i + 1 - 0.35) / k;
        a0 += y / k;
        a1 += y * (1.0 - below) / k;
    }
    double spread = a0 - 2.0 * a1;
    double shape = spread > 0 ? 2.0 - a0 / spread : 0.0;
    if (!(shape > 0.0))
        shape = 0.0;
    if (shape > SHAPE_MAX)
        shape = SHAPE_MAX;
    tail->shape = shape;
    tail->scale = a0 * (1.0 - shape);
}

static void fit_scaled_max(struct learn_tail *tail, const double *sorted, uint32_t n)
{
    tail->threshold = sorted[(n - 1) / 2];
    tail->share = 0.5;
    tail->shape = 0.0;
    /* half the rows lie above the median, the largest near its 1 / n quantile */
    tail->scale = SCALED_MAX_WIDEN * (sorted[n - 1] - tail->threshold) / log(n / 2.0);
}

static void fill_body(struct learn_tail *tail, const double *sorted, uint32_t last)
{
    for (uint32_t i = 0; i < LEARN_TAIL_POINTS; i++) {
        double at = (double)last * i / (LEARN_TAIL_POINTS - 1);
        uint32_t low = (uint32_t)at; /* ≤ last, and at == last at the end */
        uint32_t high = low < last ? low + 1 : last;
        tail->body[i] = sorted[low] + (at - low) * (sorted[high] - sorted[low]);
        if (i > 0 && tail->body[i] < tail->body[i - 1]) /* rounding between equal values */
            tail->body[i] = tail->body[i - 1];
    }
    tail->body[LEARN_TAIL_POINTS - 1] = tail->threshold;
}

void learn_tail_fit(struct learn_tail *tail, double *values, uint32_t n, double risk)
{
    qsort(values, n, sizeof(values[0]), by_value);
    *tail = (struct learn_tail){.risk = risk};
    uint32_t k = excesses(n);
    if (k > 0) {
        tail->threshold = values[n - k - 1];
        tail->share = (double)k / n;
        fit_pareto(tail, values + n - k, k);
    } else {
        fit_scaled_max(tail, values, n);
    }
    /* rows that are all alike: one percent more is still no alarm */
    tail->scale = fmax(tail->scale, fmax(1e-2 * tail->threshold, 1e-9));
    fill_body(tail, values, k > 0 ? n - k - 1 : (n - 1) / 2);
    tail->boundary = fmax(learn_tail_quantile(tail, risk), 1e-9);
}

double learn_tail_quantile(const struct learn_tail *tail, double p)
{
    if (p < tail->share) {
        double t = log(tail->share / p);
        double reach = tail->shape < SHAPE_EPS ? t : expm1(tail->shape * t) / tail->shape;
        return tail->threshold + tail->scale * reach;
    }
    double at = (1.0 - p) / (1.0 - tail->share) * (LEARN_TAIL_POINTS - 1);
    uint32_t low = (uint32_t)at; /* 0 ≤ at ≤ last point, since share ≤ p < 1 */
    if (low >= LEARN_TAIL_POINTS - 1)
        return tail->threshold;
    return tail->body[low] + (at - low) * (tail->body[low + 1] - tail->body[low]);
}

static double body_p(const struct learn_tail *tail, double value)
{
    /* body[low] ≤ value ≤ body[low + 1] at the end. Where it goes is anyone's guess, so no branch:
     * half the time of a whole score went into wrong guesses here. */
    uint32_t low = 0;
    for (uint32_t step = (LEARN_TAIL_POINTS - 1) / 2; step > 0; step /= 2)
        low += step & -(uint32_t)(tail->body[low + step] < value);
    double step = tail->body[low + 1] - tail->body[low];
    double at = low + (step > 0 ? (value - tail->body[low]) / step : 0.0);
    return 1.0 - (1.0 - tail->share) * at / (LEARN_TAIL_POINTS - 1);
}

_Static_assert(((LEARN_TAIL_POINTS - 1) & (LEARN_TAIL_POINTS - 2)) == 0, "halved without rest");

double learn_tail_p(const struct learn_tail *tail, double value)
{
    if (value <= tail->body[0])
        return 1.0;
    if (value <= tail->threshold)
        return body_p(tail, value);
    double y = (value - tail->threshold) / tail->scale;
    double p = tail->shape < SHAPE_EPS ? exp(-y) : exp(-log1p(tail->shape * y) / tail->shape);
    p *= tail->share;
    return p > LEARN_P_MIN ? p : LEARN_P_MIN; /* a NaN fails every comparison and ends here */
}

double learn_tail_surprise(const struct learn_tail *tail, double value)
{
    if (!(value < INFINITY))
        return INFINITY;
    if (value <= tail->body[0])
        return 0.0;
    if (value <= tail->threshold)
        return -log(body_p(tail, value));
    double y = (value - tail->threshold) / tail->scale;
    double beyond = tail->shape < SHAPE_EPS ? y : log1p(tail->shape * y) / tail->shape;
    return beyond - log(tail->share);
}

bool learn_tail_ok(const struct learn_tail *tail)
{
    for (uint32_t i = 0; i < LEARN_TAIL_POINTS; i++) {
        if (!isfinite(tail->body[i]) || (i > 0 && tail->body[i] < tail->body[i - 1]))
            return false;
    }
    return tail->risk > 0 && tail->risk < 1 && tail->boundary > 0 && isfinite(tail->boundary) &&
           tail->body[0] >= 0 && tail->threshold == tail->body[LEARN_TAIL_POINTS - 1] &&
           tail->share > 0 && tail->share <= 0.5 && tail->scale > 0 && isfinite(tail->scale) &&
           tail->shape >= 0 && tail->shape <= 1;
}

float learn_tail_score(const struct learn_tail *tail, double value)
{
    if (!(value < INFINITY))
        return 1.0F;
    /* 1 / (1 + t/s): neither overflows nor loses the small end; 0 / 0 cannot be, boundary > 0 */
    double score = value > 0 ? 1.0 / (1.0 + tail->boundary / value) : 0.0;
    return score < 0x1.fffffep-1 ? (float)score : 0x1.fffffep-1F;
}
