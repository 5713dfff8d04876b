/* SPDX-License-Identifier: Apache-2.0 */
#include "app/gate_priv.h"
#include "learner/learner.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define WAITING_MAX 64
#define HOUR_NS     (3600.0 * ATL_NS_PER_S)
#define RATE_MAX    0.1

struct gate {
    struct gate_config cfg;
    void (*pass)(void *ctx, const struct alert_signal *signal);
    void *ctx;
    double rate, certain;
    uint64_t tests, withheld;
    atl_ns began_ns;
    uint32_t n, passed; /* passed: at once, in this look */
    double p[WAITING_MAX];
    struct alert_signal waiting[WAITING_MAX];
};

int gate_create(struct gate **ret_gate, const struct gate_config *cfg,
                void (*pass)(void *ctx, const struct alert_signal *signal), void *ctx)
{
    struct gate *g = calloc(1, sizeof(*g));
    if (g == NULL)
        return -ENOMEM;
    g->cfg = *cfg;
    g->pass = pass;
    g->ctx = ctx;
    g->rate = fmin(cfg->hourly * (double)cfg->look_ns / HOUR_NS, RATE_MAX);
    g->certain = cfg->hourly > 0 ? g->rate / (double)cfg->tests_max : 1;
    *ret_gate = g;
    return 0;
}

void gate_destroy(struct gate *g)
{
    free(g);
}

void gate_count(struct gate *g)
{
    g->tests++;
}

/* The largest p-value has the least chance to pass, and leaving it out lets no other one in. */
static uint32_t slot_for(struct gate *g, double p_value)
{
    if (g->n < WAITING_MAX)
        return g->n++;
    uint32_t worst = 0;
    for (uint32_t i = 1; i < WAITING_MAX; i++) {
        if (g->p[i] > g->p[worst])
            worst = i;
    }
    g->withheld++;
    return p_value < g->p[worst] ? worst : WAITING_MAX;
}

void gate_offer(struct gate *g, const struct alert_signal *signal, double p_value)
{
    if (p_value <= g->certain) {
        g->passed++;
        g->pass(g->ctx, signal);
        return;
    }
    uint32_t at = slot_for(g, p_value);
    if (at == WAITING_MAX)
        return;
    g->p[at] = p_value;
    g->waiting[at] = *signal;
}

/* Those that passed at once are discoveries like the others, the smallest ones. */
static double find_cut(const struct gate *g)
{
    double sorted[2 * WAITING_MAX];
    uint32_t before = g->passed < WAITING_MAX ? g->passed : WAITING_MAX;
    for (uint32_t i = 0; i < before; i++)
        sorted[i] = 0;
    for (uint32_t i = 0; i < g->n; i++)
        sorted[before + i] = g->p[i];
    return learn_fdr_cut(sorted, before + g->n, g->tests, g->rate);
}

void gate_step(struct gate *g, atl_ns now_ns, bool flush)
{
    if (!flush && now_ns < g->began_ns + g->cfg.look_ns)
        return;
    double cut = g->n > 0 ? find_cut(g) : -1;
    for (uint32_t i = 0; i < g->n; i++) {
        if (g->p[i] <= cut)
            g->pass(g->ctx, &g->waiting[i]);
        else
            g->withheld++;
    }
    g->began_ns = flush ? 0 : now_ns;
    g->n = g->passed = 0;
    g->tests = 0;
}

uint64_t gate_withheld(const struct gate *g)
{
    return g->withheld;
}

double gate_certain(const struct gate *g)
{
    return g->certain;
}
