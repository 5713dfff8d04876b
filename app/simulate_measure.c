/* SPDX-License-Identifier: Apache-2.0 */
#include "app/simulate_measure_priv.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define ERROR_CLIP 0.5F /* one wild column of a row is less odd than many that are off a little */

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* A score that is not finite is as odd as can be. */
static void make_finite(float *scores, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (!isfinite(scores[i]))
            scores[i] = HUGE_VALF;
}

/* First place in the sorted scores that is above (or not below) a score. */
static uint32_t place(const float *sorted, uint32_t n, float score, bool above)
{
    uint32_t low = 0, high = n;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (sorted[middle] < score || (above && sorted[middle] == score))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Share of the attacks that score higher than this normal row; a tie counts half. */
static double outranked(const float *attacks, uint32_t n, float score)
{
    double not_above = place(attacks, n, score, true), below = place(attacks, n, score, false);
    return (n - 0.5 * (not_above + below)) / n;
}

/* Adds up per edge, and over all at place n_sites. */
struct sums {
    double *sum;
    uint32_t *count;
};

static void add(struct sums *s, uint32_t at, double value)
{
    s->sum[at] += value;
    s->count[at]++;
}

static int own_rows(const struct simulate_data *data, const float *params, const float *attacks,
                    uint32_t n_attacks, struct sums *sums)
{
    float *scores = malloc(((size_t)data->train.n + 1) * sizeof(*scores));
    int r = scores == NULL ? -ENOMEM : 0;
    if (r == 0 && data->train.n > 0)
        r = learn_params_loss(&data->shape, params, data->train.x, data->train.n, ERROR_CLIP,
                              scores, NULL);
    if (r == 0)
        make_finite(scores, data->train.n);
    for (uint32_t i = 0; r == 0 && i < data->train.n; i++)
        add(sums, data->train.site[i], outranked(attacks, n_attacks, scores[i]));
    free(scores);
    return r;
}

static int sum_up(const struct simulate_data *data, const float *params, float *scores,
                  float *attacks, struct sums *sums, bool sites)
{
    const struct simulate_rows *test = &data->test;
    uint32_t n = 0;
    int r = learn_params_loss(&data->shape, params, test->x, test->n, ERROR_CLIP, scores, NULL);
    if (r < 0)
        return r;
    make_finite(scores, test->n);
    for (uint32_t i = 0; i < test->n; i++)
        if (test->attack[i])
            attacks[n++] = scores[i];
    qsort(attacks, n, sizeof(*attacks), by_value);
    for (uint32_t i = 0; i < test->n; i++) {
        if (test->attack[i])
            continue;
        double share = outranked(attacks, n, scores[i]);
        add(sums, data->n_sites, share);
        if (data->test_has_sites && test->site[i] < data->n_sites)
            add(sums, test->site[i], share);
    }
    return sites && !data->test_has_sites ? own_rows(data, params, attacks, n, sums) : 0;
}

int simulate_measure(const struct simulate_data *data, const float *params, double *ret_auc,
                     double *site_auc)
{
    struct sums sums = {calloc(data->n_sites + 1, sizeof(double)),
                        calloc(data->n_sites + 1, sizeof(uint32_t))};
    float *scores = malloc(data->test.n * sizeof(*scores));
    float *attacks = malloc(data->test.n * sizeof(*attacks));
    int r = -ENOMEM;
    if (sums.sum != NULL && sums.count != NULL && scores != NULL && attacks != NULL)
        r = sum_up(data, params, scores, attacks, &sums, site_auc != NULL);
    if (r == 0) {
        *ret_auc = sums.sum[data->n_sites] / sums.count[data->n_sites];
        for (uint32_t s = 0; site_auc != NULL && s < data->n_sites; s++)
            site_auc[s] = sums.count[s] > 0 ? sums.sum[s] / sums.count[s] : NAN;
    }
    free(attacks);
    free(scores);
    free(sums.count);
    free(sums.sum);
    return r;
}

double simulate_canary(const struct simulate_data *data, const float *params)
{
    double mean;
    int r = learn_params_loss(&data->shape, params, data->canary, data->n_canary, ERROR_CLIP, NULL,
                              &mean);
    return r == 0 ? mean : NAN;
}
