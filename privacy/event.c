/* SPDX-License-Identifier: Apache-2.0 */
#include "privacy/accountant_priv.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PARTIES_MAX (1U << 20)
#define DIM_MAX     (1U << 24)
#define GRAIN_MIN   1e-9

static const char *const mechanism_names[] = {
    [PRIV_GAUSSIAN] = "gaussian",
    [PRIV_POISSON_GAUSSIAN] = "poisson_gaussian",
    [PRIV_LAPLACE] = "laplace",
    [PRIV_TREE_GAUSSIAN] = "tree_gaussian",
    [PRIV_DISCRETE_GAUSSIAN_SUM] = "discrete_gaussian_sum",
    [PRIV_SKELLAM_SUM] = "skellam_sum",
};

static const char *const accountant_names[] = {
    [PRIV_RDP] = "rdp",
    [PRIV_PLD] = "pld",
};

static int find(const char *name, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(name, names[i]) == 0)
            return (int)i;
    return -EINVAL;
}

const char *priv_mechanism_name(enum priv_mechanism mechanism)
{
    return (size_t)mechanism < ATL_ARRAY_LEN(mechanism_names) ? mechanism_names[mechanism] : "?";
}

int priv_mechanism_parse(const char *name, enum priv_mechanism *ret_mechanism)
{
    int i = find(name, mechanism_names, ATL_ARRAY_LEN(mechanism_names));
    if (i < 0)
        return i;
    *ret_mechanism = (enum priv_mechanism)i;
    return 0;
}

const char *priv_accountant_name(enum priv_accountant accountant)
{
    return (size_t)accountant < ATL_ARRAY_LEN(accountant_names) ? accountant_names[accountant]
                                                                : "?";
}

int priv_accountant_parse(const char *name, enum priv_accountant *ret_accountant)
{
    int i = find(name, accountant_names, ATL_ARRAY_LEN(accountant_names));
    if (i < 0)
        return i;
    *ret_accountant = (enum priv_accountant)i;
    return 0;
}

bool priv_event_is_sum(const struct priv_event *event)
{
    return event->mechanism == PRIV_DISCRETE_GAUSSIAN_SUM || event->mechanism == PRIV_SKELLAM_SUM;
}

static int sum_check(const struct priv_sum *sum, struct atl_error *err)
{
    if (sum->parties < 1 || sum->parties > PARTIES_MAX)
        return atl_error_set(err, -EINVAL, "parties: %u is outside 1 <= parties <= %u",
                             sum->parties, PARTIES_MAX);
    if (sum->dim < 1 || sum->dim > DIM_MAX)
        return atl_error_set(err, -EINVAL, "dim: %u is outside 1 <= dim <= %u", sum->dim, DIM_MAX);
    if (!(sum->grain >= GRAIN_MIN && sum->grain <= 1))
        return atl_error_set(err, -EINVAL, "grain: %g is outside %g <= grain <= 1", sum->grain,
                             GRAIN_MIN);
    return 0;
}

int priv_event_check(const struct priv_event *event, struct atl_error *err)
{
    if ((size_t)event->mechanism >= ATL_ARRAY_LEN(mechanism_names))
        return atl_error_set(err, -EINVAL, "mechanism: unknown number %d", (int)event->mechanism);
    if (!(event->q > 0 && event->q <= 1))
        return atl_error_set(err, -EINVAL, "q: %g is outside 0 < q <= 1", event->q);
    if (event->mechanism != PRIV_POISSON_GAUSSIAN && event->q != 1)
        return atl_error_set(err, -EINVAL,
                             "q: %s takes every record, so q must be 1 (got %g); "
                             "poisson_gaussian is the sampled one",
                             priv_mechanism_name(event->mechanism), event->q);
    if (!(event->sigma > 0 && event->sigma <= PRIV_SIGMA_MAX))
        return atl_error_set(err, -EINVAL, "sigma: %g is outside 0 < sigma <= %g%s", event->sigma,
                             PRIV_SIGMA_MAX,
                             event->sigma == 0 ? "; without noise epsilon is infinite" : "");
    if (event->steps < 1 || event->steps > PRIV_STEPS_MAX)
        return atl_error_set(err, -EINVAL, "steps: %llu is outside 1 <= steps <= %llu",
                             (unsigned long long)event->steps, (unsigned long long)PRIV_STEPS_MAX);
    return priv_event_is_sum(event) ? sum_check(&event->sum, err) : 0;
}

static int compare(const void *left, const void *right)
{
    const struct priv_event *a = left, *b = right;
    if (a->mechanism != b->mechanism)
        return a->mechanism < b->mechanism ? -1 : 1;
    if (a->sigma != b->sigma)
        return a->sigma < b->sigma ? -1 : 1;
    if (a->q != b->q)
        return a->q < b->q ? -1 : 1;
    if (a->sum.parties != b->sum.parties)
        return a->sum.parties < b->sum.parties ? -1 : 1;
    if (a->sum.dim != b->sum.dim)
        return a->sum.dim < b->sum.dim ? -1 : 1;
    if (a->sum.grain != b->sum.grain)
        return a->sum.grain < b->sum.grain ? -1 : 1;
    return 0;
}

/* Nodes that hold a given leaf of a tree over so many */
static int tree_levels(uint64_t leaves)
{
    return 64 - __builtin_clzll(leaves);
}

/* Σ T/σ² of what is a plain Gaussian to the accountant, else 0 */
static double gaussian_precision(const struct priv_event *e)
{
    if (e->mechanism == PRIV_TREE_GAUSSIAN)
        return tree_levels(e->steps) / e->sigma / e->sigma;
    bool plain =
        e->mechanism == PRIV_GAUSSIAN || (e->mechanism == PRIV_POISSON_GAUSSIAN && e->q == 1);
    return plain ? (double)e->steps / e->sigma / e->sigma : 0;
}

/* out may be events: what is written lies behind what is read */
static size_t merge_equal(const struct priv_event *events, size_t n, struct priv_event *out)
{
    size_t used = 0;
    double precision = 0; /* Σ T/σ² of the plain Gaussians */
    for (size_t i = 0; i < n; i++) {
        const struct priv_event *e = &events[i];
        double own = gaussian_precision(e);
        precision += own;
        if (own == 0)
            out[used++] = *e;
    }
    qsort(out, used, sizeof(*out), compare);

    size_t kept = 0;
    for (size_t i = 0; i < used; i++) {
        if (kept > 0 && compare(&out[kept - 1], &out[i]) == 0)
            out[kept - 1].steps += out[i].steps;
        else
            out[kept++] = out[i];
    }
    if (precision > 0)
        out[kept++] = (struct priv_event){
            .mechanism = PRIV_GAUSSIAN, .q = 1, .sigma = 1 / sqrt(precision), .steps = 1};
    return kept;
}

/*
 * Less noise and a larger share reveal more: the divergences are convex in both arguments, and more
 * noise is post-processing. So rounding this way keeps every bound true.
 */
static void coarsen(struct priv_event *event)
{
    int power;
    double part = frexp(event->q, &power);
    event->q = ldexp(ceil(part * 256) / 256, power);
    part = frexp(event->sigma, &power);
    event->sigma = ldexp(floor(part * 256) / 256, power);
}

size_t priv_events_merge(const struct priv_event *events, size_t n, struct priv_event *out)
{
    size_t kept = merge_equal(events, n, out);
    if (kept <= PRIV_EVENTS_EXACT)
        return kept;
    for (size_t i = 0; i < kept; i++)
        coarsen(&out[i]);
    return merge_equal(out, kept, out);
}
