/* SPDX-License-Identifier: Apache-2.0 */
#include "fedsync/aggregate_priv.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

struct fed_mean {
    uint32_t n, count;
    double sum[];
};

bool fed_all_finite(const float *values, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (!isfinite(values[i]))
            return false;
    return true;
}

/* FLT_MAX² × FED_PARAMS_MAX is far inside double: the sum cannot overflow. */
double fed_norm(const float *values, uint32_t n)
{
    double sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += (double)values[i] * (double)values[i];
    return sqrt(sum);
}

int fed_mean_create(struct fed_mean **ret_mean, uint32_t n)
{
    struct fed_mean *mean = calloc(1, sizeof(*mean) + n * sizeof(mean->sum[0]));
    if (mean == NULL)
        return -ENOMEM;
    mean->n = n;
    *ret_mean = mean;
    return 0;
}

void fed_mean_destroy(struct fed_mean *mean)
{
    free(mean);
}

int fed_mean_add(struct fed_mean *mean, const float *delta, double norm_max)
{
    if (!fed_all_finite(delta, mean->n))
        return -EDOM;
    double norm = norm_max > 0 ? fed_norm(delta, mean->n) : 0;
    double scale = norm > norm_max ? norm_max / norm : 1;
    for (uint32_t i = 0; i < mean->n; i++)
        mean->sum[i] += scale * (double)delta[i];
    mean->count++;
    return 0;
}

uint32_t fed_mean_count(const struct fed_mean *mean)
{
    return mean->count;
}

int fed_mean_apply(const struct fed_mean *mean, const float *base, float server_rate, float *out,
                   double *ret_norm)
{
    if (mean->count == 0)
        return -EAGAIN;
    double square = 0;
    for (uint32_t i = 0; i < mean->n; i++) {
        double step = mean->sum[i] / mean->count;
        square += step * step;
        out[i] = (float)((double)base[i] + (double)server_rate * step);
    }
    if (!fed_all_finite(out, mean->n))
        return -ERANGE;
    if (ret_norm != NULL)
        *ret_norm = sqrt(square);
    return 0;
}
