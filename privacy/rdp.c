/* SPDX-License-Identifier: Apache-2.0 */
#include "privacy/accountant_priv.h"

#include <errno.h>
#include <math.h>

/* Whole orders up to here by their exact sum. */
#define SUM_ORDER_MAX 1024

/*
 * Mironov-Talwar-Zhang 2019, eq. 4, minus 1: Σ C(n,k)(1-q)^(n-k)q^k (exp((k²-k)/2σ²) - 1). All
 * terms are positive, and those of k = 0, 1 vanish.
 */
static double log_moment_whole(double q, double sigma, int n)
{
    double log_q = log(q), log_rest = log1p(-q);
    double log_binomial = log(n), top = -INFINITY, sum = 0;
    for (int k = 2; k <= n; k++) {
        log_binomial += log((double)(n - k + 1) / k);
        double x = (double)k * (k - 1) / (2 * sigma * sigma);
        double log_gain = x > 40 ? x : log(expm1(x));
        double v = log_binomial + (n - k) * log_rest + k * log_q + log_gain;
        if (v > top) {
            sum = sum * exp(top - v) + 1;
            top = v;
        } else {
            sum += exp(v - top);
        }
    }
    double log_excess = top + log(sum);
    return log_excess > 40 ? log_excess : log1p(exp(log_excess));
}

static double log_moment_sampled(double q, double sigma, double alpha)
{
    double unsampled = alpha * (alpha - 1) / (2 * sigma * sigma); /* sampling never adds */
    if (alpha == floor(alpha) && alpha <= SUM_ORDER_MAX)
        return fmin(log_moment_whole(q, sigma, (int)alpha), unsampled);
    double exact = priv_log_moment(q, sigma, alpha);
    if (exact < INFINITY || alpha > SUM_ORDER_MAX - 1)
        return fmin(exact, unsampled);
    /* the logarithm of a moment is convex in its order: a chord lies above */
    double low = floor(alpha), part = alpha - low;
    double left = low > 1 ? log_moment_whole(q, sigma, (int)low) : 0;
    double right = log_moment_whole(q, sigma, (int)low + 1);
    return fmin((1 - part) * left + part * right, unsampled);
}

/* Mironov 2017, table II, less 1 inside the logarithm */
static double rdp_laplace(double b, double alpha)
{
    if ((alpha - 1) / b > 40) /* the second term is below exp(-80) of the first */
        return (log(alpha / (2 * alpha - 1)) + (alpha - 1) / b) / (alpha - 1) + 0x1p-50;
    double excess = alpha * expm1((alpha - 1) / b) + (alpha - 1) * expm1(-alpha / b);
    return log1p(fmax(0, excess) / (2 * alpha - 1)) / (alpha - 1);
}

double priv_rdp_step(const struct priv_event *event, double alpha)
{
    if (!(alpha > 1) || priv_event_check(event, NULL) < 0)
        return INFINITY;
    double sigma = event->sigma;
    if (event->mechanism == PRIV_LAPLACE)
        return rdp_laplace(sigma, alpha);
    if (priv_event_is_sum(event))
        return priv_sum_rdp(event, alpha);
    if (event->mechanism == PRIV_TREE_GAUSSIAN) /* of all `steps` leaves: the tree is one release */
        return INFINITY;
    if (event->q == 1)
        return alpha / (2 * sigma * sigma);
    return log_moment_sampled(event->q, sigma, alpha) / (alpha - 1);
}

/* Canonne-Kamath-Steinke 2020, proposition 12; where the Kullback-Leibler divergence is so small
 * that the total variation alone is below δ (Bretagnolle & Huber 1978), ε = 0 */
static double epsilon_at(double alpha, double rdp, double delta)
{
    if (delta * delta + expm1(-rdp) > 0)
        return 0;
    return fmax(0, rdp + log1p(-1 / alpha) - log(delta * alpha) / (alpha - 1));
}

/*
 * 1.1 … 10.9 in tenths, 11 … 63, then a step of an eighth up to 2^20. The lower part is the
 * customary set, so that results compare digit for digit with other RDP accountants.
 */
#define TENTHS 99
#define WHOLES 53
#define STEPS  112

static double order(int i)
{
    if (i < TENTHS)
        return 1 + (i + 1) / 10.0;
    if (i < TENTHS + WHOLES)
        return 11 + (i - TENTHS);
    int step = i - TENTHS - WHOLES;
    return ldexp(8 + step % 8, 3 + step / 8);
}

int priv_rdp_epsilon(const struct priv_event *events, size_t n, double delta, double *ret_epsilon,
                     struct atl_error *err)
{
    double best = INFINITY;
    for (int i = 0; i < TENTHS + WHOLES + STEPS; i++) {
        double alpha = order(i), rdp = 0;
        for (size_t j = 0; j < n; j++)
            rdp += (double)events[j].steps * priv_rdp_step(&events[j], alpha);
        best = fmin(best, epsilon_at(alpha, rdp, delta));
    }
    if (best == INFINITY)
        return atl_error_set(err, -ERANGE, "no finite epsilon at delta %g", delta);
    *ret_epsilon = best;
    return 0;
}
