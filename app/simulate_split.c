/* SPDX-License-Identifier: Apache-2.0 */
#include "app/simulate_split_priv.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BY_FILE, BY_COLUMN, BY_CHANCE };

#define CLASSES_MAX  1024
#define STREAM_DEAL  0x6465616cU /* keeps the streams of one seed apart */
#define STREAM_TRUST 0x74727573U

struct simulate_split {
    const struct config *cfg;
    uint32_t n_sites;
    char (*classes)[CONFIG_NAME_BYTES]; /* BY_CHANCE: words met so far */
    uint32_t n_classes;
};

int simulate_split_create(struct simulate_split **ret_split, const struct config *cfg,
                          uint32_t files, struct atl_error *err)
{
    const uint32_t counts[] = {files, cfg->simulate.n_groups, (uint32_t)cfg->simulate.edges};
    uint32_t n = counts[cfg->simulate.partition];
    if (n < 1 || n > SIMULATE_EDGES_MAX)
        return atl_error_set(err, -EINVAL, "simulation: %u edges, 1 to %d expected", n,
                             SIMULATE_EDGES_MAX);
    struct simulate_split *split = calloc(1, sizeof(*split));
    if (split == NULL)
        return atl_error_set(err, -ENOMEM, "simulation: out of memory");
    split->cfg = cfg;
    split->n_sites = n;
    split->classes = calloc(CLASSES_MAX, sizeof(*split->classes));
    if (split->classes == NULL) {
        free(split);
        return atl_error_set(err, -ENOMEM, "simulation: out of memory");
    }
    *ret_split = split;
    return 0;
}

void simulate_split_destroy(struct simulate_split *split)
{
    if (split == NULL)
        return;
    free(split->classes);
    free(split);
}

bool simulate_split_by_file(const struct simulate_split *split)
{
    return split->cfg->simulate.partition == BY_FILE;
}

/* --- groups: name=word,word or name=* --- */

static bool group_has(const char *group, const char *word)
{
    const char *at = strchr(group, '=');
    size_t length = strlen(word);
    while (at != NULL) {
        at += 1 + strspn(at + 1, " ");
        size_t n = strcspn(at, ",");
        size_t used = n;
        while (used > 0 && at[used - 1] == ' ')
            used--;
        if (used == length && strncmp(at, word, length) == 0)
            return true;
        at = at[n] == ',' ? at + n : NULL;
    }
    return false;
}

static uint32_t find_group(const struct simulate_split *split, const char *word)
{
    for (uint32_t i = 0; i < split->n_sites; i++)
        if (group_has(split->cfg->simulate.groups[i], word))
            return i;
    for (uint32_t i = 0; i < split->n_sites; i++)
        if (group_has(split->cfg->simulate.groups[i], "*"))
            return i;
    return SIMULATE_NOWHERE;
}

static int find_class(struct simulate_split *split, const char *word, uint32_t *ret_class)
{
    char name[CONFIG_NAME_BYTES];
    atl_copy(name, sizeof(name), word);
    for (uint32_t i = 0; i < split->n_classes; i++) {
        if (strcmp(split->classes[i], name) == 0) {
            *ret_class = i;
            return 0;
        }
    }
    if (split->n_classes == CLASSES_MAX)
        return -ENOSPC;
    atl_copy(split->classes[split->n_classes], CONFIG_NAME_BYTES, name);
    *ret_class = split->n_classes++;
    return 0;
}

int simulate_split_site(struct simulate_split *split, const char *word, bool training,
                        uint32_t *site, struct atl_error *err)
{
    if (split->cfg->simulate.partition == BY_COLUMN) {
        *site = find_group(split, word);
        if (*site == SIMULATE_NOWHERE && training)
            return atl_error_set(err, -EINVAL,
                                 "simulate.groups: no edge has '%.60s' of column %s; add name=* "
                                 "for the rest",
                                 word, split->cfg->simulate.column);
    }
    if (split->cfg->simulate.partition == BY_CHANCE && training &&
        find_class(split, word, site) < 0)
        return atl_error_set(err, -ENOSPC,
                             "simulate.column: more than %d different words in column %s; leave it "
                             "out to deal all rows alike",
                             CLASSES_MAX, split->cfg->simulate.column);
    return 0;
}

/* --- by chance --- */

/* Marsaglia & Tsang 2000; for a shape below 1 with their boost. */
static double draw_gamma(struct atl_rng *rng, double shape)
{
    if (shape < 1)
        return draw_gamma(rng, shape + 1) * pow(1 - atl_rng_unit(rng), 1 / shape);
    double d = shape - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (;;) {
        double x = atl_rng_normal(rng), v = 1 + c * x;
        if (v <= 0)
            continue;
        v = v * v * v;
        if (log(1 - atl_rng_unit(rng)) < 0.5 * x * x + d - d * v + d * log(v))
            return d * v;
    }
}

/* Shares of one class: a running sum, so that one number finds the edge. */
static void draw_shares(struct atl_rng *rng, double alpha, double *sums, uint32_t n)
{
    double sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        sum += draw_gamma(rng, alpha);
        sums[i] = sum;
    }
    if (!(sum > 0)) { /* alpha so small that every number was rounded to 0 */
        uint32_t all = (uint32_t)atl_rng_below(rng, n);
        for (uint32_t i = 0; i < n; i++)
            sums[i] = i >= all;
    }
}

static uint32_t find_share(const double *sums, uint32_t n, double at)
{
    uint32_t low = 0, high = n - 1;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (at < sums[middle])
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static int deal(const struct simulate_split *split, struct simulate_rows *rows)
{
    uint32_t n = split->n_sites, classes = split->n_classes > 0 ? split->n_classes : 1;
    double *sums = malloc((size_t)classes * n * sizeof(*sums));
    struct atl_rng rng;
    if (sums == NULL)
        return -ENOMEM;
    atl_rng_init_seed(&rng, split->cfg->simulate.seed ^ STREAM_DEAL);
    for (uint32_t c = 0; c < classes; c++)
        draw_shares(&rng, split->cfg->simulate.alpha, sums + (size_t)c * n, n);
    for (uint32_t i = 0; i < rows->n; i++) {
        uint32_t class = rows->site[i] == SIMULATE_NOWHERE ? 0 : rows->site[i];
        const double *share = sums + (size_t) class * n;
        rows->site[i] = find_share(share, n, atl_rng_unit(&rng) * share[n - 1]);
    }
    free(sums);
    return 0;
}

/* --- order --- */

static int take_canary(const struct simulate_split *split, struct simulate_data *data)
{
    struct simulate_rows *rows = &data->train;
    uint32_t inputs = data->shape.n_in, wanted = (uint32_t)split->cfg->simulate.canary_rows;
    uint32_t left = rows->n, kept = 0;
    struct atl_rng rng;
    if (wanted == 0)
        return 0;
    if (wanted >= rows->n)
        return -EINVAL;
    data->canary = malloc((size_t)wanted * inputs * sizeof(float));
    if (data->canary == NULL)
        return -ENOMEM;
    atl_rng_init_seed(&rng, split->cfg->simulate.seed ^ STREAM_TRUST);
    for (uint32_t i = 0; left > 0; i++, left--) {
        const float *x = rows->x + (size_t)i * inputs;
        bool take = atl_rng_below(&rng, left) < wanted - data->n_canary;
        float *to = take ? data->canary + (size_t)data->n_canary++ * inputs
                         : rows->x + (size_t)kept * inputs;
        memmove(to, x, inputs * sizeof(float));
        if (!take)
            rows->site[kept++] = rows->site[i];
    }
    rows->n = kept;
    return 0;
}

/* Counting sort: within an edge the rows stay in the order of the file. */
static int sort_rows(struct simulate_data *data)
{
    struct simulate_rows *rows = &data->train;
    size_t inputs = data->shape.n_in;
    float *x = malloc(((size_t)rows->n * inputs + 1) * sizeof(float));
    uint32_t *next = calloc(data->n_sites, sizeof(*next));
    if (x == NULL || next == NULL) {
        free(x);
        free(next);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < rows->n; i++)
        data->sites[rows->site[i]].n++;
    for (uint32_t s = 0, first = 0; s < data->n_sites; first += data->sites[s++].n)
        data->sites[s].first = next[s] = first;
    for (uint32_t i = 0; i < rows->n; i++)
        memcpy(x + next[rows->site[i]]++ * inputs, rows->x + i * inputs, inputs * sizeof(float));
    for (uint32_t s = 0; s < data->n_sites; s++)
        for (uint32_t i = 0; i < data->sites[s].n; i++)
            rows->site[data->sites[s].first + i] = s;
    free(next);
    free(rows->x);
    rows->x = x;
    return 0;
}

static int name_sites(const struct simulate_split *split, struct simulate_data *data,
                      struct atl_error *err)
{
    for (uint32_t s = 0; s < data->n_sites; s++) {
        char *name = data->sites[s].name;
        if (split->cfg->simulate.partition != BY_COLUMN) {
            snprintf(name, CONFIG_NAME_BYTES, "edge-%04u", s + 1);
            continue;
        }
        const char *group = split->cfg->simulate.groups[s];
        size_t n = strcspn(group, "=");
        if (n == 0 || n >= CONFIG_NAME_BYTES || group[n] != '=' ||
            strspn(group, "abcdefghijklmnopqrstuvwxyz0123456789-") < n)
            return atl_error_set(err, -EINVAL,
                                 "simulate.groups: expected name=word,word with a name of 1 to 32 "
                                 "of a-z, 0-9 and '-', found '%.60s'",
                                 group);
        memcpy(name, group, n);
        name[n] = '\0';
        for (uint32_t k = 0; k < s; k++)
            if (strcmp(name, data->sites[k].name) == 0)
                return atl_error_set(err, -EINVAL, "simulate.groups: '%s' is given twice", name);
    }
    return 0;
}

int simulate_split_apply(struct simulate_split *split, struct simulate_data *data,
                         struct atl_error *err)
{
    data->n_sites = split->n_sites;
    data->test_has_sites = split->cfg->simulate.partition == BY_COLUMN;
    data->sites = calloc(split->n_sites, sizeof(*data->sites));
    int r = data->sites != NULL ? name_sites(split, data, err) : -ENOMEM;
    if (r == -EINVAL)
        return r;
    if (r == 0 && split->cfg->simulate.partition == BY_CHANCE)
        r = deal(split, &data->train);
    if (r == 0)
        r = take_canary(split, data);
    if (r == -EINVAL)
        return atl_error_set(err, r, "simulate.canary_rows: there are only %u normal rows",
                             data->train.n);
    if (r == 0)
        r = sort_rows(data);
    return r < 0 ? atl_error_set(err, r, "simulation: out of memory") : 0;
}
