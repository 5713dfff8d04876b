/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The published series for fractional orders (Mironov-Talwar-Zhang 2019, §3.3) alternates and loses
 * all digits at small sigma or large q; summing its absolute values is sound but loose. The
 * integrand is analytic in a strip around the real line, so the trapezoidal rule converges
 * exponentially (Trefethen & Weideman 2014) and needs no case distinction.
 */
#include "privacy/accountant_priv.h"

#include <math.h>

#define NODES_MAX 20000
/* tails beyond 13 standard deviations: below exp(-84) of the whole */
#define REACH 13.0

/* log((1-q) + q·e^t) without overflow */
static double log_ratio(double q, double t)
{
    if (t > 30)
        return t + log(q) + log1p((1 - q) / q * exp(-t));
    return log1p(q * expm1(t));
}

/* (1+u)^a - 1 - a·u by its binomial series from the square on; |a·u| and |u| below 1/20 */
static double remainder_series(double a, double u)
{
    double term = a * (a - 1) / 2 * u * u, sum = term;
    for (int k = 2; k < 40 && fabs(term) > 1e-17 * fabs(sum); k++) {
        term *= (a - k) / (k + 1) * u;
        sum += term;
    }
    return sum;
}

/*
 * log |(1+u)^a - 1 - a·u| where 1+u = (1-q) + q·e^t. The mean of u is 0, so leaving out 1 + a·u
 * takes nothing from E[(1+u)^a] - 1 and saves it from cancellation: the rest has one sign.
 */
static double log_remainder(double q, double a, double t)
{
    double s = a * log_ratio(q, t);
    if (t <= 30 && fabs(s) <= 40) {
        double u = q * expm1(t);
        if (fabs(u) < 0.05 && fabs(a * u) < 0.05)
            return log(fabs(remainder_series(a, u)));
        return log(fabs(expm1(s) - a * u));
    }
    /* t > 30: u = q·e^t to all digits; else |u| < 2^44 */
    double log_au = t > 30 ? t + log(q * fabs(a)) : log(fabs(a * q * expm1(t)));
    bool au_negative = (a < 0) != (t < 0);
    double top = fmax(fmax(s, log_au), 0);
    double sum = exp(s - top) - exp(-top) + (au_negative ? 1 : -1) * exp(log_au - top);
    return top + log(fabs(sum));
}

double priv_log_moment(double q, double sigma, double a)
{
    if (a == 0 || a == 1)
        return 0;
    /* in units of sigma; singularities lie at distance pi·sigma: error exp(-4·pi²) or less */
    double h = fmin(0.25, sigma / 2);
    double low = fmin(0, a / sigma) - REACH, high = fmax(0, a / sigma) + REACH;
    double nodes = ceil((high - low) / h);
    if (!(nodes <= NODES_MAX))
        return INFINITY;

    double top = -INFINITY, sum = 0;
    for (int i = 0; i <= (int)nodes; i++) {
        double y = low + i * h;
        double v = log_remainder(q, a, (y - 0.5 / sigma) / sigma) - y * y / 2;
        if (v > top) {
            sum = sum * exp(top - v) + 1;
            top = v;
        } else if (v > -INFINITY) {
            sum += exp(v - top);
        }
    }
    if (top == -INFINITY)
        return 0;
    double log_excess = top + log(sum) + log(h) - 0.5 * log(2 * M_PI);
    if (a > 0 && a < 1) /* concave power: the excess is negative, and above -1 */
        return log1p(-fmin(exp(log_excess), 1 - 0x1p-53));
    return log_excess > 40 ? log_excess : log1p(exp(log_excess));
}
