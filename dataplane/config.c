/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "dataplane/evidence_priv.h"
#include "dataplane/worker_priv.h"

enum { FLOWS_MIN = 1024, FLOWS_MAX = 1 << 26, RING_MIN = 256, RING_MAX = 1 << 24 };

void dp_config_default(struct dp_config *cfg)
{
    *cfg = (struct dp_config){
        .backend = DP_BACKEND_PCAP,
        .pace_speed = 1.0,
        .snap_bytes = 512,
        .promiscuous = true,
        .workers = 1,
        .evidence_snap = 128,
        .flows_max = 1 << 18,
        .detail_parts = DP_DETAIL_SUMS,
        .ring_records = 1 << 14,
        .timeout_idle_ns = 60 * ATL_NS_PER_S,
        .timeout_active_ns = 120 * ATL_NS_PER_S,
        .timeout_udp_ns = 30 * ATL_NS_PER_S,
        .timeout_half_open_ns = 5 * ATL_NS_PER_S,
        .timeout_closed_ns = 2 * ATL_NS_PER_S,
    };
}

static int check_range(const char *field, uint32_t value, uint32_t min, uint32_t max,
                       struct atl_error *err)
{
    if (value >= min && value <= max)
        return 0;
    return atl_error_set(err, -EINVAL, "%s: %u is outside %u … %u", field, value, min, max);
}

static int check_timeout(const char *field, atl_ns value, struct atl_error *err)
{
    if (value >= DP_TIMEOUT_MIN_NS && value <= DP_TIMEOUT_MAX_NS)
        return 0;
    return atl_error_set(err, -EINVAL, "%s: %g s is outside 0.1 s … 86400 s", field,
                         (double)value / (double)ATL_NS_PER_S);
}

static int check_timeouts(const struct dp_config *cfg, struct atl_error *err)
{
    const struct {
        const char *field;
        atl_ns value;
    } timeouts[] = {
        {"timeout_idle", cfg->timeout_idle_ns},
        {"timeout_active", cfg->timeout_active_ns},
        {"timeout_udp", cfg->timeout_udp_ns},
        {"timeout_half_open", cfg->timeout_half_open_ns},
        {"timeout_closed", cfg->timeout_closed_ns},
    };
    int r = 0;
    for (size_t i = 0; i < ATL_ARRAY_LEN(timeouts) && r == 0; i++)
        r = check_timeout(timeouts[i].field, timeouts[i].value, err);
    return r;
}

static int check_device(const struct dp_config *cfg, struct atl_error *err)
{
    if (cfg->backend != DP_BACKEND_PCAP && cfg->backend != DP_BACKEND_DPDK)
        return atl_error_set(err, -EINVAL, "backend: %d is neither libpcap nor DPDK",
                             (int)cfg->backend);
    if (cfg->device == NULL || cfg->device[0] == '\0')
        return atl_error_set(err, -EINVAL, "device: missing; expected %s",
                             cfg->backend == DP_BACKEND_DPDK ? "a port name or a vdev string"
                             : cfg->file                     ? "a capture file or -"
                                                             : "an interface name");
    /* Written so that NaN is refused, too. */
    if (cfg->pace && !(cfg->pace_speed >= 0.01 && cfg->pace_speed <= 1000))
        return atl_error_set(err, -EINVAL, "pace_speed: %g is outside 0.01 … 1000",
                             cfg->pace_speed);
    if (cfg->pace && !cfg->file)
        return atl_error_set(err, -EINVAL, "pace: only a capture file can be paced");
    return 0;
}

static int check_distribution(const struct dp_config *cfg, struct atl_error *err)
{
    if ((unsigned)cfg->distribution > DP_DISTRIBUTE_SOFTWARE)
        return atl_error_set(err, -EINVAL, "distribution: %d is none of auto, device, software",
                             (int)cfg->distribution);
    if (cfg->file && cfg->workers > 1 && cfg->distribution == DP_DISTRIBUTE_DEVICE)
        return atl_error_set(err, -EINVAL,
                             "distribution: a file cannot spread its packets; set auto");
    if (cfg->n_cpus > DP_WORKERS_MAX)
        return atl_error_set(err, -EINVAL, "n_cpus: %u are more than %d", cfg->n_cpus,
                             DP_WORKERS_MAX);
    for (uint32_t i = 0; i < cfg->n_cpus; i++)
        if (cfg->cpus[i] >= DP_CPUS_MAX)
            return atl_error_set(err, -EINVAL, "cpus: %u is above %d", cfg->cpus[i],
                                 DP_CPUS_MAX - 1);
    if (cfg->flows_max / cfg->workers < FLOWS_MIN)
        return atl_error_set(err, -EINVAL,
                             "flows_max: %u are too few for %u workers; set at least %u",
                             cfg->flows_max, cfg->workers, cfg->workers * FLOWS_MIN);
    return 0;
}

int dp_config_check(const struct dp_config *cfg, struct atl_error *err)
{
    int r = check_device(cfg, err);
    if (r == 0)
        r = check_range("snap_bytes", cfg->snap_bytes, 64, 65535, err);
    if (r == 0)
        r = check_range("key", cfg->key, DP_KEY_INNER, DP_KEY_OUTER, err);
    if (r == 0)
        r = check_range("workers", cfg->workers, 1, DP_WORKERS_MAX, err);
    if (r == 0)
        r = check_range("flows_max", cfg->flows_max, FLOWS_MIN, FLOWS_MAX, err);
    if (r == 0 && cfg->evidence_packets != 0)
        r = check_range("evidence_packets", cfg->evidence_packets, 64, 1 << 24, err);
    if (r == 0)
        r = check_range("evidence_snap", cfg->evidence_snap, 32, 2048, err);
    if (r == 0)
        r = check_range("detail_flows", cfg->detail_flows, 0, cfg->flows_max, err);
    if (r == 0 && cfg->detail_flows != 0)
        r = check_range("detail_parts", cfg->detail_parts, 1, DP_DETAIL_FIRST | DP_DETAIL_SUMS,
                        err);
    if (r == 0)
        r = check_distribution(cfg, err);
    if (r == 0)
        r = check_range("ring_records", cfg->ring_records, RING_MIN, RING_MAX, err);
    if (r == 0 && (cfg->ring_records & (cfg->ring_records - 1)) != 0)
        r = atl_error_set(err, -EINVAL, "ring_records: %u is no power of two", cfg->ring_records);
    return r == 0 ? check_timeouts(cfg, err) : r;
}

uint64_t dp_config_memory_bytes(const struct dp_config *cfg)
{
    uint32_t workers = cfg->workers > 0 ? cfg->workers : 1;
    return workers * (sizeof(struct dp_worker) + sizeof(struct dp_decoder) +
                      sizeof(struct dp_targets) + DP_REPORTS * sizeof(struct dp_report) +
                      dp_table_bytes(cfg->flows_max / workers, cfg->detail_flows / workers,
                                     cfg->detail_parts) +
                      (uint64_t)cfg->ring_records * sizeof(struct dp_flow) +
                      (cfg->link ? dp_links_bytes() : 0)) +
           dp_distribute_bytes(workers) +
           workers * dp_evidence_bytes(cfg->evidence_packets, cfg->evidence_snap);
}
