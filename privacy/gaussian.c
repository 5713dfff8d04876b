/* SPDX-License-Identifier: Apache-2.0 */
#include "privacy/accountant_priv.h"

#include <math.h>

/* log of the standard normal distribution function */
static double log_normal_cdf(double x)
{
    if (x > -30)
        return log(0.5 * erfc(-x * M_SQRT1_2));
    /* asymptotic series of Mills' ratio; next term below 105/x^8 < 2e-10 */
    double r = 1 / (x * x);
    return -0.5 * x * x - log(-x) - 0.5 * log(2 * M_PI) + log1p(-r * (1 - 3 * r * (1 - 5 * r)));
}

/* Balle & Wang 2018, theorem 8: Φ(μ/2 - ε/μ) - e^ε Φ(-μ/2 - ε/μ), in logarithms */
static double log_delta(double mu, double epsilon)
{
    double first = log_normal_cdf(mu / 2 - epsilon / mu);
    double second = epsilon + log_normal_cdf(-mu / 2 - epsilon / mu);
    return second < first ? first + log(-expm1(second - first)) : -INFINITY;
}

double priv_gaussian_epsilon(double sigma, double delta)
{
    double mu = 1 / sigma, goal = log(delta);
    /* erf(μ/√8) < μ/2 bounds δ at ε = 0, where the difference above would lose its digits */
    if (delta >= mu / 2 || log_delta(mu, 0) <= goal)
        return 0;
    /* Chernoff: P(L > ε) ≤ δ already there */
    double low = 0, high = mu * mu / 2 + mu * sqrt(-2 * goal);
    for (int i = 0; i < 100 && high - low > 1e-15 * high; i++) {
        double middle = low + (high - low) / 2;
        if (log_delta(mu, middle) <= goal)
            high = middle;
        else
            low = middle;
    }
    return high;
}
