/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ε by composing privacy loss distributions (Koskela et al. 2020, Gopi et al. 2021).
 *
 * The masses are tilted by e^(r·loss) before the transform and back afterwards, r being the order
 * at which Chernoff's bound meets δ. The tilted sum has its middle near the wanted ε, so rounding
 * of the transform is relative to what is looked for, and δ = 1e-15 costs no digits.
 *
 * Everything that is left out is added to δ: infinite loss of a step, and what lies above the
 * window (Chernoff on the very masses that are composed). What lies below the window wraps around
 * to its top, which can only raise δ.
 */
#include "privacy/pld_priv.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Orders 2^-12 … 2^32 for Chernoff bounds */
#define ORDERS    45
#define ORDER_LOW -12

/* Share of δ that may go to each thing left out */
#define SHARE 1e-8
/* Tilted mass that may fall out of the window on either side */
#define OUTSIDE 1e-11

/* From the largest order in eights down to one that tilts nothing */
#define TRIES 15

#define POINTS_MIN (1u << 13)
#define POINTS_MAX (1u << 20)
/* Cells of one step, whose losses may spread wider than the tilted sum's */
#define STEP_POINTS_MAX 0x1p18

/* Beyond these the grid cannot be as fine as it should */
#define STEPS_FINE 3e5

struct composition {
    const struct priv_event *events;
    size_t n;
    enum pld_side side;
    double delta;

    double tilt;       /* r */
    double edge_order; /* Chernoff order for what lies above the window */
    double cut;        /* share of a step that may be called infinite loss */
    double h;
    size_t points;
    int64_t first; /* the window's lowest loss is first × h */

    struct pld_complex *roots, *product, *step;
    double log_scale; /* composed = tilted × exp(log_scale - r × loss) */
    double log_edge;  /* log of the composed moment at edge_order */
    double lost;      /* mass of infinite loss */
};

static double total_steps(const struct composition *c)
{
    double sum = 0;
    for (size_t i = 0; i < c->n; i++)
        sum += (double)c->events[i].steps;
    return sum;
}

static double total_log_moment(const struct composition *c, double order)
{
    double sum = 0;
    for (size_t i = 0; i < c->n; i++)
        sum += (double)c->events[i].steps * priv_pld_log_moment(&c->events[i], c->side, order);
    return sum;
}

/*
 * Loss that the sum, tilted by r, passes with probability e^-surprise at most, up or down. The
 * bound falls, then rises with its order; `enough` is the relative gain below which a doubled order
 * is not worth it.
 */
static double chernoff(const struct composition *c, double r, int sign, double surprise,
                       double enough, double *ret_order)
{
    double base = r != 0 ? total_log_moment(c, r) : 0, best = INFINITY;
    for (int i = 0; i < ORDERS; i++) {
        double s = ldexp(1, ORDER_LOW + i);
        double bound = (total_log_moment(c, r + sign * s) - base + surprise) / s;
        if (!(bound < best - enough * fabs(best)) && best < INFINITY)
            break;
        best = bound;
        *ret_order = s;
    }
    return sign * best;
}

static int window_choose(struct composition *c)
{
    double unused = 0, rare = -log(OUTSIDE);
    double edge = chernoff(c, 0, 1, -log(c->delta * SHARE), 0, &c->edge_order);
    double high = fmax(edge, chernoff(c, c->tilt, 1, rare, 0, &unused));
    double low = chernoff(c, c->tilt, -1, rare, 0, &unused);
    if (!(high > low && isfinite(high) && isfinite(low)))
        return -ERANGE;
    /* cells reach a little beyond the true losses, which matters where those are bounded */
    double margin = (high - low) / 64;
    high += margin;
    low -= margin;

    /*
     * A grid of h adds at most about h²/6 to the variance of each step. With a window of some 20
     * deviations this keeps the sum's variance within 2e-5 of the truth.
     */
    double points = POINTS_MIN;
    while (points < POINTS_MAX && points < 1826 * sqrt(total_steps(c)))
        points *= 2;
    c->points = (size_t)points;
    c->h = (high - low) / (points - 2);
    for (size_t i = 0; i < c->n; i++)
        c->h = fmax(c->h, priv_pld_pmf_width(&c->events[i], c->cut) / STEP_POINTS_MAX);
    c->first = (int64_t)floor(low / c->h);
    return 0;
}

static void power(struct pld_complex *x, uint64_t n)
{
    double square = x->re * x->re + x->im * x->im;
    if ((double)n * (square - 1) < -1500) { /* log z ≤ z - 1: below exp(-750) */
        *x = (struct pld_complex){0, 0};
        return;
    }
    struct pld_complex result = {1, 0}, base = *x;
    for (; n > 0; n >>= 1) {
        if (n & 1)
            result = (struct pld_complex){result.re * base.re - result.im * base.im,
                                          result.re * base.im + result.im * base.re};
        base = (struct pld_complex){base.re * base.re - base.im * base.im, 2 * base.re * base.im};
    }
    *x = result;
}

/* Tilt and normalise one step's masses, wrap them around the window, compose */
static void multiply_in(struct composition *c, const struct pld_pmf *pmf, uint64_t steps)
{
    double log_mass = priv_pld_pmf_log_moment(pmf, c->tilt);
    memset(c->step, 0, c->points * sizeof(*c->step));
    for (size_t i = 0; i < pmf->n; i++) {
        if (pmf->p[i] <= 0)
            continue;
        int64_t at = pmf->first + (int64_t)i;
        size_t slot = (size_t)at & (c->points - 1); /* two's complement: modulo also below zero */
        c->step[slot].re += exp(log(pmf->p[i]) + c->tilt * (double)at * c->h - log_mass);
    }
    priv_pld_fft_forward(c->step, c->points, c->roots);
    for (size_t i = 0; i < c->points; i++) {
        struct pld_complex x = c->step[i], *y = &c->product[i];
        power(&x, steps);
        *y = (struct pld_complex){y->re * x.re - y->im * x.im, y->re * x.im + y->im * x.re};
    }
    c->log_scale += (double)steps * log_mass;
    c->log_edge += (double)steps * priv_pld_pmf_log_moment(pmf, c->edge_order);
    c->lost += (double)steps * pmf->infinite;
}

static int compose(struct composition *c)
{
    double steps = total_steps(c);
    priv_pld_fft_roots(c->roots, c->points);
    for (size_t i = 0; i < c->points; i++)
        c->product[i] = (struct pld_complex){1, 0};
    for (size_t i = 0; i < c->n; i++) {
        struct pld_pmf pmf;
        int r = priv_pld_pmf_create(&pmf, &c->events[i], c->side, c->h, c->cut);
        if (r < 0)
            return r;
        multiply_in(c, &pmf, c->events[i].steps);
        priv_pld_pmf_destroy(&pmf);
    }
    priv_pld_fft_inverse(c->product, c->points, c->roots);
    /* masses and powers round by some 1e-16 per step: paid for ten thousandfold */
    c->log_scale += fmin(1, 1e-12 * steps) - log((double)c->points);
    c->lost += exp(c->log_edge - c->edge_order * (double)(c->first + (int64_t)c->points) * c->h);
    return 0;
}

/*
 * From the top down: `mass` is what lies above the grid point, `shrunk` the same weighted with
 * e^(point - loss), so that δ(point) = mass - shrunk + lost. Between two points δ is exactly
 * mass - e^(ε - point)·shrunk + lost.
 * @return false when ε lies below the window: *ret_epsilon is then its lower end
 */
static bool epsilon_find(const struct composition *c, double *ret_epsilon)
{
    double mass = 0, shrunk = 0, goal = c->delta - c->lost, decay = exp(-c->h);
    for (size_t i = c->points; i-- > 0;) {
        int64_t at = c->first + (int64_t)i;
        double loss = (double)at * c->h;
        shrunk *= decay;
        if (mass - shrunk > goal) {
            *ret_epsilon = fmax(0, loss + log((mass - goal) / shrunk));
            return true;
        }
        double tilted = c->product[(size_t)at & (c->points - 1)].re;
        if (tilted <= 0)
            continue;
        double p = exp(log(tilted) + c->log_scale - c->tilt * loss);
        mass += p;
        shrunk += p;
    }
    *ret_epsilon = fmax(0, (double)c->first * c->h);
    return *ret_epsilon == 0;
}

/* One window: compose in it and look for ε. @return 1 found, 0 below the window, negative errno */
static int window_epsilon(struct composition *c, double *ret_epsilon)
{
    c->log_scale = c->log_edge = c->lost = 0;
    int r = window_choose(c);
    if (r < 0)
        return r;
    c->roots = malloc(c->points / 2 * sizeof(*c->roots));
    c->product = malloc(c->points * sizeof(*c->product));
    c->step = malloc(c->points * sizeof(*c->step));
    r = c->roots == NULL || c->product == NULL || c->step == NULL ? -ENOMEM : compose(c);
    if (r == 0 && !(c->lost < c->delta))
        r = -ERANGE;
    if (r == 0)
        r = epsilon_find(c, ret_epsilon);
    free(c->roots);
    free(c->product);
    free(c->step);
    return r;
}

static int side_epsilon(struct composition *c, double *ret_epsilon)
{
    c->cut = c->delta * SHARE / total_steps(c);
    /* bounded losses would ask for ever higher orders: 0.1 % from the best is as good a tilt */
    chernoff(c, 0, 1, -log(c->delta), 1e-3, &c->tilt);
    int r = 0;
    /* Chernoff's bound may lie far above ε; then the middle of a window with less tilt is lower */
    for (int tries = 0; r == 0 && tries < TRIES; tries++, c->tilt /= 8)
        r = window_epsilon(c, ret_epsilon);
    return r < 0 ? r : 0;
}

/* δ at ε = 0: at most the sum over all steps */
static double total_variation(const struct priv_event *events, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        const struct priv_event *e = &events[i];
        double one = e->mechanism == PRIV_LAPLACE ? -expm1(-0.5 / e->sigma)
                                                  : e->q * erf(M_SQRT1_2 / (2 * e->sigma));
        sum += (double)e->steps * one;
    }
    return sum;
}

int priv_pld_epsilon(const struct priv_event *events, size_t n, double delta, double *ret_epsilon,
                     struct atl_error *err)
{
    if (n == 1 && events[0].mechanism == PRIV_GAUSSIAN) { /* merged: one step */
        *ret_epsilon = priv_gaussian_epsilon(events[0].sigma, delta);
        return 0;
    }
    if (total_variation(events, n) <= delta) {
        *ret_epsilon = 0;
        return 0;
    }
    bool symmetric = true;
    for (size_t i = 0; i < n; i++)
        symmetric = symmetric && events[i].mechanism != PRIV_POISSON_GAUSSIAN;

    double worst = 0;
    for (int side = PLD_REMOVE; side <= (symmetric ? PLD_REMOVE : PLD_ADD); side++) {
        struct composition c = {
            .events = events, .n = n, .side = (enum pld_side)side, .delta = delta};
        double epsilon;
        int r = side_epsilon(&c, &epsilon);
        if (r == -ENOMEM)
            return atl_error_set(err, r, "out of memory for the privacy loss of %zu events", n);
        worst = r < 0 ? INFINITY : fmax(worst, epsilon);
    }
    /* where the grid is coarse or fails, the Rényi bound is as true and may be lower */
    double steps = 0, other;
    for (size_t i = 0; i < n; i++)
        steps += (double)events[i].steps;
    if ((worst == INFINITY || steps > STEPS_FINE) &&
        priv_rdp_epsilon(events, n, delta, &other, NULL) == 0)
        worst = fmin(worst, other);
    if (worst == INFINITY)
        return atl_error_set(err, -ERANGE, "no finite epsilon at delta %g", delta);
    *ret_epsilon = worst;
    return 0;
}
