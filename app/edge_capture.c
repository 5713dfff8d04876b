/* SPDX-License-Identifier: Apache-2.0 */
#include "app/app_priv.h"
#include "app/capture_config_priv.h"
#include "app/edge_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void on_library_line(void *ctx, const char *line)
{
    (void)ctx;
    log_line(LOG_DEBUG, "DPDK: %s", line);
}

/* "net_af_packet0,iface=eth1,…" → "eth1" */
static bool named_interface(const char *device, char *out, size_t out_bytes)
{
    const char *at = strstr(device, "iface=");
    if (at == NULL)
        return false;
    at += strlen("iface=");
    size_t n = strcspn(at, ",");
    return n > 0 && n < out_bytes && snprintf(out, out_bytes, "%.*s", (int)n, at) > 0;
}

static int fall_back(struct edge *e, struct dp_config *dp, struct atl_error *err)
{
    const struct config *cfg = e->cfg;
    char interface[CONFIG_PATH_BYTES];
    struct atl_error why = *err;
    if (cfg->capture.fallback_device[0] != '\0')
        atl_copy(interface, sizeof(interface), cfg->capture.fallback_device);
    else if (!named_interface(cfg->capture.device, interface, sizeof(interface)))
        return atl_error_set(err, -EINVAL,
                             "%.300s; and capture.fallback_device names no interface to fall back "
                             "to",
                             why.text);
    dp->backend = DP_BACKEND_PCAP;
    dp->device = interface; /* the engine keeps no reference */
    int r = dp_engine_create(&e->engine, dp, err);
    if (r < 0)
        return r;
    log_line(LOG_WARNING, "capture: %s; fallen back to libpcap on %s", why.text, interface);
    edge_degrade(e, "capture has fallen back to libpcap");
    return 0;
}

int edge_capture_open(struct edge *e, struct atl_error *err)
{
    const struct config *cfg = e->cfg;
    struct dp_config dp;
    int r = capture_config(cfg, &dp, err);
    if (r < 0)
        return r;
    dp.link = true;
    if (log_enabled(LOG_DEBUG))
        dp.log = on_library_line;
    r = dp_engine_create(&e->engine, &dp, err);
    bool may_fall = dp.backend == DP_BACKEND_DPDK && !dp.file && cfg->capture.fallback != 0;
    return r < 0 && may_fall ? fall_back(e, &dp, err) : r;
}

void edge_degrade(struct edge *e, const char *why)
{
    if (e->n_degraded < ATL_ARRAY_LEN(e->degraded))
        e->degraded[e->n_degraded++] = why;
    node_publish_state(&e->node, "degraded");
}

void edge_capture_look(struct edge *e)
{
    enum dp_state state = dp_engine_state(e->engine);
    if (state == DP_RUNNING || e->ended)
        return;
    e->ended = true;
    if (state == DP_FAILED)
        log_line(LOG_ERROR, "capture: %s", dp_engine_error(e->engine));
    else
        log_line(LOG_INFO, "capture: %s has ended; what it held is analysed, SIGTERM ends the edge",
                 e->cfg->capture.device);
    edge_degrade(e, state == DP_FAILED ? "capture has failed" : "the capture file has ended");
}
