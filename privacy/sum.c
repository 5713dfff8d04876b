/* SPDX-License-Identifier: Apache-2.0 */
/* Noised sums: many parties, a share of integer noise each. Everything here is in grid steps. */
#include "privacy/accountant_priv.h"

#include <math.h>

/* Terms of the series below that are added one by one; the rest are no larger than the last. */
#define SERIES_TERMS 4096

struct sensitivity {
    double l1, l2;
};

/* Norms after random rounding with β = e^-½ (arXiv:2102.06387, theorem 1). */
static struct sensitivity rounded(const struct priv_sum *sum)
{
    double clip = 1 / sum->grain, root_dim = sqrt(sum->dim);
    double usual = clip * clip + 0.25 * sum->dim + (clip + 0.5 * root_dim);
    double l2 = fmin(clip + root_dim, sqrt(usual));
    /* whole numbers: each entry is at most its own square */
    return (struct sensitivity){.l1 = l2 * fmin(root_dim, l2), .l2 = l2};
}

/* How far a sum of discrete Gaussians is from one: τ of proposition 14. */
static double sum_distance(uint32_t parties, double share_sigma)
{
    double rate = 2 * M_PI * M_PI * share_sigma * share_sigma, total = 0, term = 0;
    uint32_t last = parties - 1 < SERIES_TERMS ? parties - 1 : SERIES_TERMS;
    for (uint32_t k = 1; k <= last; k++) {
        term = exp(-rate * k / (k + 1));
        total += term;
    }
    return 10 * (total + (parties - 1 - last) * term);
}

static double discrete_gaussian(const struct priv_sum *sum, double sigma, double alpha)
{
    struct sensitivity s = rounded(sum);
    double tau = sum_distance(sum->parties, sigma / sqrt(sum->parties));
    double l1 = s.l1 / sigma, l2 = s.l2 / sigma, dim = sum->dim, far = l2 + sqrt(dim) * tau;
    double best = fmin(alpha / 2 * l2 * l2 + tau * dim,
                       alpha / 2 * (l2 * l2 + 2 * l1 * tau + tau * tau * dim));
    return fmin(best, alpha / 2 * far * far);
}

static double skellam(const struct priv_sum *sum, double sigma, double alpha)
{
    struct sensitivity s = rounded(sum);
    double mu = sigma * sigma, l2 = s.l2 * s.l2;
    double near = ((2 * alpha - 1) * l2 + 6 * s.l1) / (4 * mu * mu), far = 3 * s.l1 / (2 * mu);
    return alpha * l2 / (2 * mu) + fmin(near, far);
}

double priv_sum_rdp(const struct priv_event *event, double alpha)
{
    if (!(alpha >= 2) || alpha != floor(alpha))
        return INFINITY;
    double sigma = event->sigma / event->sum.grain;
    return event->mechanism == PRIV_SKELLAM_SUM ? skellam(&event->sum, sigma, alpha)
                                                : discrete_gaussian(&event->sum, sigma, alpha);
}
