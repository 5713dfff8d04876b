/* SPDX-License-Identifier: Apache-2.0 */
#include "privacy/pld_priv.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define POINTS_MAX (1u << 24)

/* Both tails of a normal, so that a difference keeps its digits on either side */
struct tails {
    double below, above;
};

static struct tails normal_tails(double z)
{
    return (struct tails){0.5 * erfc(-z * M_SQRT1_2), 0.5 * erfc(z * M_SQRT1_2)};
}

static double between(struct tails a, struct tails b)
{
    return fmax(0, a.above < a.below ? a.above - b.above : b.below - a.below);
}

/* A point on the loss axis of "remove", with what lies on either side under both densities */
struct cut {
    struct tails with, without; /* with the record, without it */
};

struct mass {
    double with, without;
};

/* With the record: (1-q)·N(0,σ²) + q·N(1,σ²); the loss log(1-q + q·e^((2x-1)/2σ²)) rises with x */
static struct cut gaussian_cut(const struct priv_event *e, double loss)
{
    double q = e->q, t;
    if (loss > 30)
        t = loss - log(q) + log1p(-(1 - q) * exp(-loss));
    else
        t = q < 1 ? log1p(expm1(loss) / q) : loss; /* NaN below log(1-q): never reached */
    double x = loss <= log1p(-q) ? -INFINITY : e->sigma * e->sigma * t + 0.5;
    struct tails shifted = normal_tails((x - 1) / e->sigma), base = normal_tails(x / e->sigma);
    return (struct cut){
        {(1 - q) * base.below + q * shifted.below, (1 - q) * base.above + q * shifted.above}, base};
}

/* Densities e^(-|x|/b)/2b and the same around 1; the loss (|x-1|-|x|)/b falls from 1/b to -1/b */
static struct cut laplace_cut(const struct priv_event *e, double loss)
{
    double b = e->sigma;
    if (loss >= 1 / b)
        return (struct cut){{1, 0}, {1, 0}};
    if (loss < -1 / b)
        return (struct cut){{0, 1}, {0, 1}};
    double x = (1 - b * loss) / 2; /* 0 < x ≤ 1; the atoms at both ends lie beyond */
    double far = 0.5 * exp(-x / b), near = 0.5 * exp(-(1 - x) / b);
    return (struct cut){{far, 1 - far}, {1 - near, near}};
}

static struct cut cut_at(const struct priv_event *e, double loss)
{
    return e->mechanism == PRIV_LAPLACE ? laplace_cut(e, loss) : gaussian_cut(e, loss);
}

static double loss_at(const struct priv_event *e, double x)
{
    double t = (2 * x - 1) / (2 * e->sigma * e->sigma);
    return t > 30 ? t + log(e->q) + log1p((1 - e->q) / e->q * exp(-t)) : log1p(e->q * expm1(t));
}

/* Losses of "remove" outside of which lies less than `cut` on either side */
static void loss_range(const struct priv_event *e, double cut, double *low, double *high)
{
    if (e->mechanism == PRIV_LAPLACE) {
        *high = 1 / e->sigma;
        *low = -*high;
        return;
    }
    double reach = sqrt(-2 * log(cut)); /* P(z > reach) < exp(-reach²/2) */
    *low = e->q < 1 ? loss_at(e, -reach * e->sigma)
                    : (-2 * reach * e->sigma - 1) / (2 * e->sigma * e->sigma);
    *high = loss_at(e, 1 + reach * e->sigma);
}

/*
 * Masses p, q of a cell [l, l+h] go to its ends as a + b = p and a·e^-l + b·e^-(l+h) = q. The
 * allowance pays for the cancellation in p - q·e^l, always towards the larger loss.
 */
static void deposit(struct pld_pmf *pmf, size_t cell, double p, double q)
{
    if (p <= 0)
        return;
    double l = (double)(pmf->first + (int64_t)cell) * pmf->h;
    double b = fabs(l) < 600 ? (p - q * exp(l)) / -expm1(-pmf->h) : p;
    b += p * 1e-13 / pmf->h;
    b = fmin(fmax(b, 0), p);
    pmf->p[cell] += p - b;
    pmf->p[cell + 1] += b;
}

static void fill_remove(struct pld_pmf *pmf, const struct priv_event *e)
{
    struct cut left = cut_at(e, (double)pmf->first * pmf->h);
    pmf->p[0] += left.with.below;
    for (size_t cell = 0; cell + 1 < pmf->n; cell++) {
        struct cut right = cut_at(e, (double)(pmf->first + (int64_t)cell + 1) * pmf->h);
        deposit(pmf, cell, between(left.with, right.with), between(left.without, right.without));
        left = right;
    }
    pmf->infinite = left.with.above;
}

/* The same axis mirrored: roles and signs swap */
static void fill_add(struct pld_pmf *pmf, const struct priv_event *e)
{
    struct cut right = cut_at(e, (double)-pmf->first * pmf->h);
    pmf->p[0] += right.without.above;
    for (size_t cell = 0; cell + 1 < pmf->n; cell++) {
        struct cut left = cut_at(e, (double)-(pmf->first + (int64_t)cell + 1) * pmf->h);
        deposit(pmf, cell, between(left.without, right.without), between(left.with, right.with));
        right = left;
    }
    pmf->infinite = right.without.below;
}

double priv_pld_pmf_width(const struct priv_event *event, double cut)
{
    double low, high;
    loss_range(event, cut, &low, &high);
    return high - low;
}

int priv_pld_pmf_create(struct pld_pmf *pmf, const struct priv_event *event, enum pld_side side,
                        double h, double cut)
{
    double low, high;
    loss_range(event, cut, &low, &high);
    if (side == PLD_ADD) {
        double swap = low;
        low = -high;
        high = -swap;
    }
    /* one cell more on each side: atoms of Laplace lie exactly on the range */
    double first = floor(low / h) - 1, last = ceil(high / h) + 1;
    if (!(last - first < POINTS_MAX))
        return -ERANGE;
    *pmf = (struct pld_pmf){.h = h, .first = (int64_t)first, .n = (size_t)(last - first) + 1};
    pmf->p = calloc(pmf->n, sizeof(*pmf->p));
    if (pmf->p == NULL)
        return -ENOMEM;
    if (side == PLD_REMOVE)
        fill_remove(pmf, event);
    else
        fill_add(pmf, event);
    return 0;
}

void priv_pld_pmf_destroy(struct pld_pmf *pmf)
{
    free(pmf->p);
    pmf->p = NULL;
}

double priv_pld_pmf_log_moment(const struct pld_pmf *pmf, double order)
{
    double top = -INFINITY, sum = 0;
    for (size_t i = 0; i < pmf->n; i++) {
        if (pmf->p[i] <= 0)
            continue;
        double v = log(pmf->p[i]) + order * (double)(pmf->first + (int64_t)i) * pmf->h;
        if (v > top) {
            sum = sum * exp(top - v) + 1;
            top = v;
        } else {
            sum += exp(v - top);
        }
    }
    return top + log(sum);
}

/* Atoms e^(r/b)/2 and e^(-(r+1)/b)/2, and what lies between: ∫ e^(-x/b) e^(r(1-2x)/b) / 2b */
static double laplace_log_moment(double b, double r)
{
    double t = 1 + 2 * r;
    double middle = fabs(t / b) < 1e-8 ? 1 / b : -expm1(-t / b) / t;
    double v = r / b, w = -(r + 1) / b;
    if (t / b < -600) /* the middle part is then e^w / 2|t| */
        return w + log(0.5 + 0.5 / -t);
    return v + log(0.5 + 0.5 * exp(w - v) + 0.5 * middle);
}

double priv_pld_log_moment(const struct priv_event *event, enum pld_side side, double order)
{
    if (event->mechanism == PRIV_LAPLACE)
        return laplace_log_moment(event->sigma, order);
    if (event->q == 1)
        return order * (order + 1) / (2 * event->sigma * event->sigma);
    /* E_P[(P/Q)^r] is E_Q[(P/Q)^(r+1)] when the record is in P, E_P[(Q/P)^-r] when it is in Q */
    double a = side == PLD_REMOVE ? order + 1 : -order;
    double exact = priv_log_moment(event->q, event->sigma, a);
    if (exact < INFINITY)
        return exact;
    if (a > 0) /* sampling never adds; and the power is concave below 1 */
        return fmax(0, a * (a - 1) / (2 * event->sigma * event->sigma));
    return a * log1p(-event->q); /* P/Q ≥ 1-q */
}
