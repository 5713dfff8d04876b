/* SPDX-License-Identifier: Apache-2.0 */
#include "app/capture_config_priv.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

static int read_cpus(const struct config *cfg, struct dp_config *dp, struct atl_error *err)
{
    for (uint32_t i = 0; i < cfg->capture.n_cpus; i++) {
        char *end;
        const char *text = cfg->capture.cpus[i];
        unsigned long cpu = strtoul(text, &end, 10);
        if (!isdigit((unsigned char)text[0]) || *end != '\0' || cpu >= DP_CPUS_MAX)
            return atl_error_set(err, -EINVAL,
                                 "capture.cpus: expected numbers of processors from 0, found '%s'",
                                 text);
        dp->cpus[i] = (uint16_t)cpu;
    }
    dp->n_cpus = cfg->capture.n_cpus;
    return 0;
}

int capture_config(const struct config *cfg, struct dp_config *ret_dp, struct atl_error *err)
{
    struct dp_config dp;
    dp_config_default(&dp);
    dp.backend = (enum dp_backend)cfg->capture.backend;
    dp.device = cfg->capture.device;
    dp.file = cfg->capture.file;
    dp.pace = cfg->capture.pace;
    dp.pace_speed = cfg->capture.speed;
    dp.snap_bytes = (uint32_t)cfg->capture.snap;
    dp.key = (enum dp_key_view)cfg->capture.key;
    dp.promiscuous = cfg->capture.promiscuous;
    dp.workers = (uint32_t)cfg->capture.workers;
    dp.distribution = (enum dp_distribution)cfg->capture.distribute;
    for (uint32_t i = 0; i < cfg->capture.n_eal && i + 1 < DP_EAL_ARGS_MAX; i++)
        dp.eal_args[i] = cfg->capture.eal[i];
    dp.flows_max = (uint32_t)cfg->flows.max;
    dp.detail_flows = (uint32_t)cfg->flows.detail;
    dp.timeout_idle_ns = cfg->flows.idle;
    dp.timeout_active_ns = cfg->flows.active;
    dp.timeout_udp_ns = cfg->flows.udp;
    dp.timeout_half_open_ns = cfg->flows.half_open;
    dp.timeout_closed_ns = cfg->flows.closed;
    dp.evidence_packets = cfg->evidence.enabled ? (uint32_t)cfg->evidence.packets : 0;
    dp.evidence_snap = (uint32_t)cfg->evidence.snap;
    int r = read_cpus(cfg, &dp, err);
    if (r == 0)
        *ret_dp = dp;
    return r;
}
