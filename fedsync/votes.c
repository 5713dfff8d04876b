/* SPDX-License-Identifier: Apache-2.0 */
#include "fedsync/aggregate_priv.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct fed_votes {
    uint32_t n, count, room;
    uint32_t *tags;
    float *values; /* (room, n) */
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

double fed_norm_double(const double *values, uint32_t n)
{
    double sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += values[i] * values[i];
    return sqrt(sum);
}

int fed_votes_create(struct fed_votes **ret_votes, uint32_t n)
{
    struct fed_votes *votes = calloc(1, sizeof(*votes));
    if (votes == NULL)
        return -ENOMEM;
    votes->n = n;
    *ret_votes = votes;
    return 0;
}

void fed_votes_destroy(struct fed_votes *votes)
{
    if (votes == NULL)
        return;
    free(votes->values);
    free(votes->tags);
    free(votes);
}

static int grow(struct fed_votes *votes)
{
    uint32_t room = votes->room == 0 ? 8 : 2 * votes->room;
    float *values = realloc(votes->values, (size_t)room * votes->n * sizeof(*values));
    if (values == NULL)
        return -ENOMEM;
    votes->values = values;
    uint32_t *tags = realloc(votes->tags, room * sizeof(*tags));
    if (tags == NULL)
        return -ENOMEM;
    votes->tags = tags;
    votes->room = room;
    return 0;
}

static float *row(const struct fed_votes *votes, uint32_t i)
{
    return votes->values + (size_t)i * votes->n;
}

float *fed_votes_room(struct fed_votes *votes)
{
    if (votes->count == votes->room && grow(votes) < 0)
        return NULL;
    return row(votes, votes->count);
}

int fed_votes_add(struct fed_votes *votes, double norm_max, uint32_t tag)
{
    float *values = row(votes, votes->count);
    if (!fed_all_finite(values, votes->n))
        return -EDOM;
    double norm = norm_max > 0 ? fed_norm(values, votes->n) : 0;
    for (uint32_t i = 0; norm > norm_max && i < votes->n; i++)
        values[i] = (float)((double)values[i] * (norm_max / norm));
    votes->tags[votes->count++] = tag;
    return 0;
}

uint32_t fed_votes_count(const struct fed_votes *votes)
{
    return votes->count;
}

const float *fed_votes_at(const struct fed_votes *votes, uint32_t i)
{
    return row(votes, i);
}

uint32_t fed_votes_tag(const struct fed_votes *votes, uint32_t i)
{
    return votes->tags[i];
}

void fed_votes_drop(struct fed_votes *votes, uint32_t i)
{
    uint32_t after = --votes->count - i;
    memmove(row(votes, i), row(votes, i + 1), (size_t)after * votes->n * sizeof(float));
    memmove(&votes->tags[i], &votes->tags[i + 1], after * sizeof(*votes->tags));
}

/* --- coordinate by coordinate --- */

/* Columns gathered at once, so that every cache line of a row is used whole. */
#define COLUMNS 16U

static void swap(float *a, float *b)
{
    float kept = *a;
    *a = *b;
    *b = kept;
}

/** Hoare's selection: x[k] is what sorting would put there, smaller ones before, larger behind. */
static void select_kth(float *x, uint32_t n, uint32_t k)
{
    uint32_t low = 0, high = n - 1;
    while (low < high) {
        float pivot = x[low + (high - low) / 2];
        uint32_t i = low, j = high;
        for (;;) {
            while (x[i] < pivot)
                i++;
            while (pivot < x[j])
                j--;
            if (i >= j)
                break;
            swap(&x[i++], &x[j--]);
        }
        if (k <= j)
            high = j;
        else
            low = j + 1;
    }
}

/** Mean of what stays between the `out` smallest and the `out` largest. */
static double middle_mean(float *x, uint32_t n, uint32_t out)
{
    double sum = 0;
    if (out > 0) {
        select_kth(x, n, out);
        select_kth(x + out, n - out, n - 2 * out - 1);
    }
    for (uint32_t i = out; i < n - out; i++)
        sum += (double)x[i];
    return sum / (n - 2 * out);
}

static int middle(const struct fed_votes *votes, uint32_t out, double *step)
{
    uint32_t k = votes->count;
    float *columns = malloc((size_t)k * COLUMNS * sizeof(*columns));
    if (columns == NULL)
        return -ENOMEM;
    for (uint32_t start = 0; start < votes->n; start += COLUMNS) {
        uint32_t width = votes->n - start < COLUMNS ? votes->n - start : COLUMNS;
        for (uint32_t i = 0; i < k; i++)
            for (uint32_t j = 0; j < width; j++)
                columns[(size_t)j * k + i] = row(votes, i)[start + j];
        for (uint32_t j = 0; j < width; j++)
            step[start + j] = middle_mean(columns + (size_t)j * k, k, out);
    }
    free(columns);
    return 0;
}

static int trimmed(const struct fed_votes *votes, double trim, double *step)
{
    uint32_t most = (votes->count - 1) / 2, out = (uint32_t)floor(trim * votes->count);
    return middle(votes, out < most ? out : most, step);
}

/* --- as whole vectors --- */

static void mean(const struct fed_votes *votes, double *step)
{
    memset(step, 0, votes->n * sizeof(*step));
    for (uint32_t i = 0; i < votes->count; i++)
        for (uint32_t j = 0; j < votes->n; j++)
            step[j] += (double)row(votes, i)[j];
    for (uint32_t j = 0; j < votes->n; j++)
        step[j] /= votes->count;
}

static double distance(const float *a, const double *b, uint32_t n)
{
    double sum = 0;
    for (uint32_t j = 0; j < n; j++)
        sum += ((double)a[j] - b[j]) * ((double)a[j] - b[j]);
    return sqrt(sum);
}

#define CENTRED_PASSES 5
/* Of the usual distance: a far vote counts no more than a usual one. */
#define CENTRED_RADIUS 1

/** One pass of Karimireddy, He and Jaggi 2021 (arXiv:2012.10333): the centre moves by the mean of
 *  what is left of each vote inside a ball around it. */
static void pull(const struct fed_votes *votes, float *far, float *sorted, double *sum,
                 double *step)
{
    uint32_t k = votes->count, n = votes->n;
    for (uint32_t i = 0; i < k; i++)
        far[i] = (float)distance(row(votes, i), step, n);
    memcpy(sorted, far, k * sizeof(*sorted));
    select_kth(sorted, k, k / 2);
    double radius = CENTRED_RADIUS * (double)sorted[k / 2];
    memset(sum, 0, n * sizeof(*sum));
    for (uint32_t i = 0; i < k; i++) {
        double share = (double)far[i] > radius ? radius / (double)far[i] : 1;
        for (uint32_t j = 0; j < n; j++)
            sum[j] += share * ((double)row(votes, i)[j] - step[j]);
    }
    for (uint32_t j = 0; j < n; j++)
        step[j] += sum[j] / k;
}

static int centred(const struct fed_votes *votes, double *step)
{
    float *far = malloc(2 * (size_t)votes->count * sizeof(*far));
    double *sum = malloc(votes->n * sizeof(*sum));
    int r = far == NULL || sum == NULL ? -ENOMEM : trimmed(votes, 0.5, step);
    for (int pass = 0; r == 0 && pass < CENTRED_PASSES; pass++)
        pull(votes, far, far + votes->count, sum, step);
    free(sum);
    free(far);
    return r;
}

int fed_votes_combine(const struct fed_votes *votes, enum fed_rule rule, double trim, double *step)
{
    if (votes->count == 0)
        return -EAGAIN;
    switch (rule) {
    case FED_RULE_MEAN:
        mean(votes, step);
        return 0;
    case FED_RULE_TRIMMED:
        return trimmed(votes, trim, step);
    case FED_RULE_MEDIAN:
        return trimmed(votes, 0.5, step);
    case FED_RULE_CENTRED:
        return centred(votes, step);
    }
    return -EINVAL;
}
