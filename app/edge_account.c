/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The accounts: once a second every packet must be somewhere. One that is not means that a figure
 * lies, so nobody could trust the rest; it is told like an attack.
 */
#include "app/app_priv.h"
#include "app/edge_priv.h"

#include <inttypes.h>
#include <stdio.h>

#define ACCOUNTS_NS ATL_NS_PER_S

static void make_signal(int64_t missing, const struct dp_counters *c, atl_ns now_ns,
                        const char *node, struct alert_signal *ret_signal)
{
    *ret_signal = (struct alert_signal){
        .time_ns = now_ns,
        .first_ns = now_ns,
        .kind = "accounting",
        .role = "source",
        .detector = "accounting",
        .score = 1,
        .p_value = 0,
        .n_features = 1,
        .features = {{.name = "packets_unaccounted",
                      .unit = "packets",
                      .observed = (double)missing,
                      .expected = 0}},
    };
    atl_copy(ret_signal->entity, sizeof(ret_signal->entity), node);
    snprintf(ret_signal->hint, sizeof(ret_signal->hint),
             "Of %" PRIu64 " packets received, %" PRId64
             " are in no counter: a fault of this program, please report it.",
             c->received_packets, missing);
}

void edge_account_check(struct edge *e, atl_ns mono_ns)
{
    struct dp_counters c;
    if (mono_ns < e->accounts_due_ns)
        return;
    e->accounts_due_ns = mono_ns + ACCOUNTS_NS;
    dp_engine_counters(e->engine, &c);
    int64_t missing = dp_counters_difference(&c);
    /* Nothing may be on its way between workers that have ended. */
    if (missing == 0 && e->ended)
        missing = c.handed_packets;
    if (missing == 0)
        return;
    if (!e->mismatch) {
        log_line(LOG_ERROR, "accounting: %lld packets are missing from the counters",
                 (long long)missing);
        edge_degrade(e, "packets are missing from the counters");
    }
    e->mismatch = true;
    atomic_store(&e->packets_missing, missing);
}

void edge_account_raise(struct edge *e)
{
    struct alert_signal signal;
    struct dp_counters c;
    int64_t missing = atomic_exchange(&e->packets_missing, 0);
    if (missing == 0)
        return;
    dp_engine_counters(e->engine, &c);
    make_signal(missing, &c, dp_engine_now_ns(e->engine), e->cfg->node, &signal);
    alert_book_raise(e->book, &signal);
}
