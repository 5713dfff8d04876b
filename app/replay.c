/* SPDX-License-Identifier: Apache-2.0 */
#include "app/replay_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define STEP_NS ATL_NS_PER_S

/* The same file gives the same rows and scores every time, and the build the same factory model. */
#define SEED 1

struct replay {
    const struct replay_ops *ops;
    struct dp_engine *engine;
    atl_ns told_ns; /* the latest step */
};

static int step(struct replay *r, atl_ns now_ns, bool last)
{
    if (now_ns > r->told_ns)
        r->told_ns = now_ns;
    return r->ops->step != NULL ? r->ops->step(r->ops->ctx, r->told_ns, last) : 0;
}

/* A burst of a quiet network lasts hours: time goes on with the records, too. */
static int hand_out(struct replay *r, const struct dp_flow *flow)
{
    if (r->told_ns != 0 && flow->last_ns >= r->told_ns + STEP_NS &&
        step(r, flow->last_ns, false) != 0)
        return 1;
    return r->ops->flow(r->ops->ctx, flow);
}

static int drain(struct replay *r)
{
    struct atl_ring *ring = dp_engine_ring(r->engine, 0);
    const void *elems;
    for (uint32_t n; (n = atl_ring_peek(ring, &elems)) > 0; atl_ring_release(ring, n)) {
        const struct dp_flow *flows = elems;
        for (uint32_t i = 0; i < n; i++) {
            if (hand_out(r, &flows[i]) != 0)
                return 1;
        }
    }
    return 0;
}

/* Nobody to tell: emptied all the same. */
static void drain_reports(const struct replay *r)
{
    const struct replay_ops *ops = r->ops;
    struct atl_ring *ring = dp_engine_reports(r->engine, 0);
    const void *elems;
    for (uint32_t n; (n = atl_ring_peek(ring, &elems)) > 0; atl_ring_release(ring, n)) {
        const struct dp_report *reports = elems;
        for (uint32_t i = 0; i < n && ops->report != NULL; i++)
            ops->report(ops->ctx, &reports[i]);
    }
}

static int run(struct dp_engine *engine, const struct replay_ops *ops)
{
    struct replay r = {.ops = ops, .engine = engine};
    enum dp_state state;
    do {
        state = dp_engine_step(engine);
        if (drain(&r) != 0)
            return 1;
        if (ops->link != NULL)
            dp_engine_link(engine, ops->link, ops->ctx);
        drain_reports(&r);
        if (step(&r, dp_engine_now_ns(engine), state != DP_RUNNING) != 0)
            return 1;
    } while (state == DP_RUNNING);
    return 0;
}

int replay_file(enum dp_backend backend, enum dp_key_view key, const char *device,
                const struct replay_ops *ops, struct dp_counters *ret_counters,
                struct atl_error *err)
{
    struct dp_config cfg;
    dp_config_default(&cfg);
    cfg.backend = backend;
    cfg.key = key;
    cfg.device = device;
    cfg.file = true;
    cfg.seed = SEED;
    cfg.link = ops->link != NULL;
    cfg.detail_flows = ops->detail_flows < cfg.flows_max ? ops->detail_flows : cfg.flows_max;
    struct dp_engine *engine;
    int r = dp_engine_create(&engine, &cfg, err);
    if (r < 0) {
        memset(ret_counters, 0, sizeof(*ret_counters));
        return r;
    }
    r = run(engine, ops);
    dp_engine_counters(engine, ret_counters);
    if (dp_engine_state(engine) == DP_FAILED)
        r = atl_error_set(err, -EIO, "%s", dp_engine_error(engine));
    if (ops->end != NULL)
        ops->end(ops->ctx, engine);
    dp_engine_destroy(engine);
    return r;
}

void replay_describe(const char *path, const struct dp_counters *c, char *out, size_t out_bytes)
{
    int n =
        snprintf(out, out_bytes, "%s: %" PRIu64 " packets read, %" PRIu64 " in %" PRIu64 " flows",
                 path, c->received_packets, c->processed_packets, c->flows_exported);
    for (int i = 0; i < DP_REASON_COUNT && n >= 0 && (size_t)n < out_bytes; i++) {
        if (c->reasons[i] > 0)
            n += snprintf(out + n, out_bytes - (size_t)n, "; %" PRIu64 " %s", c->reasons[i],
                          dp_reason_name((enum dp_reason)i));
    }
    if (c->detail_missed > 0 && n >= 0 && (size_t)n < out_bytes)
        snprintf(out + n, out_bytes - (size_t)n, "; %" PRIu64 " records without detail",
                 c->detail_missed);
}
