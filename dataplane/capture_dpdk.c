/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_mbuf_dyn.h>
#include <rte_version.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "dataplane/dpdk_eal_priv.h"
#include "dataplane/source_priv.h"

enum {
    /* Asked for; the driver takes what it can. */
    RX_DESCRIPTORS = 4096,
    TX_DESCRIPTORS = 512,
    POOL_CACHE = 250,
    /* Ring, cache, bursts in flight; a power of two − 1 is what a mempool stores best. */
    POOL_MBUFS = 16383,
    ETHERNET = 1, /* DLT_EN10MB */
    /* Polls in a row without a packet that mean the end of a net_pcap file. */
    END_POLLS = 16,
};

struct dpdk_source {
    struct dp_source base;
    uint16_t port;
    bool have_port, started, registered;
    struct rte_mempool *pool;
    struct rte_mbuf *mbufs[DP_BURST];
    uint32_t count;
    int ts_offset; /* of the µs timestamp in an mbuf; −1: the wall clock stamps each burst */
    uint64_t ts_flag;
    uint32_t link;
    uint32_t empty_polls;
    uint64_t nombuf_seen;
    char device[DP_EAL_DEVICE_BYTES];
};

static atl_ns stamp(const struct dpdk_source *s, const struct rte_mbuf *m, atl_ns now_ns)
{
    if (s->ts_offset < 0 || (m->ol_flags & s->ts_flag) == 0)
        return now_ns;
    return *RTE_MBUF_DYNFIELD(m, s->ts_offset, const rte_mbuf_timestamp_t *) * ATL_NS_PER_US;
}

/* net_pcap does not tell the end of its file: it has come when nothing comes and nothing lacks. */
static void check_end(struct dpdk_source *s)
{
    struct rte_eth_stats stats;
    if (++s->empty_polls < END_POLLS)
        return;
    s->empty_polls = 0;
    if (rte_eth_stats_get(s->port, &stats) == 0 && stats.rx_nombuf != s->nombuf_seen)
        s->nombuf_seen = stats.rx_nombuf;
    else
        s->base.state = DP_SOURCE_END;
}

static uint32_t dpdk_burst(struct dp_source *base, struct dp_frame *frames, uint32_t n)
{
    struct dpdk_source *s = (struct dpdk_source *)base;
    s->count = rte_eth_rx_burst(s->port, 0, s->mbufs, (uint16_t)n);
    if (s->count == 0) {
        if (base->file)
            check_end(s);
        return 0;
    }
    s->empty_polls = 0;
    atl_ns now_ns = base->file ? 0 : atl_clock_wall_ns();
    for (uint32_t i = 0; i < s->count; i++) {
        const struct rte_mbuf *m = s->mbufs[i];
        frames[i] = (struct dp_frame){
            .data = rte_pktmbuf_mtod(m, const uint8_t *),
            .captured = m->data_len, /* of the first segment: headers lie there */
            .wire = m->pkt_len,
            .link = s->link,
            .ts_ns = stamp(s, m, now_ns),
        };
    }
    return s->count;
}

static void dpdk_release(struct dp_source *base)
{
    struct dpdk_source *s = (struct dpdk_source *)base;
    rte_pktmbuf_free_bulk(s->mbufs, s->count);
    s->count = 0;
}

static uint64_t dpdk_dropped(struct dp_source *base)
{
    struct dpdk_source *s = (struct dpdk_source *)base;
    struct rte_eth_stats stats;
    if (rte_eth_stats_get(s->port, &stats) != 0)
        return 0;
    return stats.imissed + stats.ierrors + stats.rx_nombuf;
}

static int dpdk_enter(struct dp_source *base, struct atl_error *err)
{
    struct dpdk_source *s = (struct dpdk_source *)base;
    if (rte_lcore_id() != LCORE_ID_ANY)
        return 0;
    if (rte_thread_register() != 0)
        return atl_error_set(err, -EIO,
                             "%s: DPDK cannot register the worker thread (%s); leave out EAL "
                             "arguments that allow secondary processes",
                             s->device, rte_strerror(rte_errno));
    s->registered = true;
    return 0;
}

static void dpdk_leave(struct dp_source *base)
{
    struct dpdk_source *s = (struct dpdk_source *)base;
    if (s->registered)
        rte_thread_unregister();
    s->registered = false;
}

static void dpdk_close(struct dp_source *base)
{
    struct dpdk_source *s = (struct dpdk_source *)base;
    if (s->count != 0)
        dpdk_release(base);
    if (s->started)
        rte_eth_dev_stop(s->port);
    if (s->have_port)
        dp_eal_detach(s->port, s->device);
    rte_mempool_free(s->pool);
    free(s);
}

static const struct dp_source_ops dpdk_ops = {
    .burst = dpdk_burst,
    .release = dpdk_release,
    .dropped = dpdk_dropped,
    .enter = dpdk_enter,
    .leave = dpdk_leave,
    .close = dpdk_close,
};

static int port_failed(const struct dpdk_source *s, const char *what, int r, struct atl_error *err)
{
    return atl_error_set(err, r == -ENOMEM ? -ENOMEM : -EIO, "%s: cannot %s: %s (%s)", s->device,
                         what, rte_strerror(-r), dp_eal_last_line());
}

static int start_port(struct dpdk_source *s, const struct dp_config *cfg, struct atl_error *err)
{
    struct rte_eth_conf conf = {0};
    uint16_t rx = RX_DESCRIPTORS, tx = TX_DESCRIPTORS;
    char name[32];
    snprintf(name, sizeof(name), "atalaya%u", s->port);
    s->pool = rte_pktmbuf_pool_create(name, POOL_MBUFS, POOL_CACHE, 0, RTE_MBUF_DEFAULT_BUF_SIZE,
                                      rte_eth_dev_socket_id(s->port));
    if (s->pool == NULL)
        return port_failed(s, "reserve packet buffers", -rte_errno, err);

    /* One transmit queue that stays silent: some drivers refuse to start without. */
    int r = rte_eth_dev_configure(s->port, 1, 1, &conf);
    if (r == 0)
        r = rte_eth_dev_adjust_nb_rx_tx_desc(s->port, &rx, &tx);
    if (r == 0)
        r = rte_eth_rx_queue_setup(s->port, 0, rx, SOCKET_ID_ANY, NULL, s->pool);
    if (r == 0)
        r = rte_eth_tx_queue_setup(s->port, 0, tx, SOCKET_ID_ANY, NULL);
    if (r == 0)
        r = rte_eth_dev_start(s->port);
    if (r < 0)
        return port_failed(s, "start the port", r, err);
    s->started = true;
    /* Not every driver can, and not every one needs to. */
    if (cfg->promiscuous)
        rte_eth_promiscuous_enable(s->port);
    return 0;
}

/* Other drivers give device ticks or nothing in that field; net_pcap gives µs of wall time. */
static void find_timestamp(struct dpdk_source *s, const char *driver)
{
    s->ts_offset = -1;
    if (strcmp(driver, "net_pcap") != 0)
        return;
    int flag = rte_mbuf_dynflag_lookup(RTE_MBUF_DYNFLAG_RX_TIMESTAMP_NAME, NULL);
    int offset = rte_mbuf_dynfield_lookup(RTE_MBUF_DYNFIELD_TIMESTAMP_NAME, NULL);
    if (flag < 0 || offset < 0)
        return;
    s->ts_flag = 1ULL << flag;
    s->ts_offset = offset;
}

static int open_port(struct dpdk_source *s, const struct dp_config *cfg, struct atl_error *err)
{
    int r = dp_eal_attach(&s->port, cfg, err);
    if (r < 0)
        return r;
    s->have_port = true;
    r = start_port(s, cfg, err);
    if (r < 0)
        return r;
    struct rte_eth_dev_info info;
    r = rte_eth_dev_info_get(s->port, &info);
    if (r < 0)
        return port_failed(s, "ask the driver", r, err);
    find_timestamp(s, info.driver_name);
    snprintf(s->base.describe, sizeof(s->base.describe), "%s port %u %s (driver %s)", rte_version(),
             s->port, cfg->device, info.driver_name);
    return 0;
}

/* The driver says little about a file it cannot read; our own reader says it well. */
static int check_file(struct dpdk_source *s, const struct dp_config *cfg, struct atl_error *err)
{
    char path[DP_EAL_DEVICE_BYTES];
    int r = dp_eal_capture_path(cfg->device, path, err);
    if (r < 0)
        return r;
    struct dp_source *file;
    r = dp_source_open_file(&file, path, err);
    if (r < 0)
        return r;
    struct dp_frame frame;
    if (file->ops->burst(file, &frame, 1) == 1)
        s->link = frame.link;
    dp_source_close(file);
    return 0;
}

int dp_source_open_dpdk(struct dp_source **ret_source, const struct dp_config *cfg,
                        struct atl_error *err)
{
    struct dpdk_source *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return atl_error_set(err, -ENOMEM, "%s: out of memory", cfg->device);
    s->base.ops = &dpdk_ops;
    s->base.file = cfg->file;
    s->link = ETHERNET;
    int r = 0;
    if (!atl_copy(s->device, sizeof(s->device), cfg->device))
        r = atl_error_set(err, -EINVAL, "device: longer than %d characters", DP_EAL_DEVICE_BYTES);
    if (r == 0 && cfg->file)
        r = check_file(s, cfg, err);
    if (r == 0)
        r = open_port(s, cfg, err);
    if (r < 0) {
        dpdk_close(&s->base);
        return r;
    }
    *ret_source = &s->base;
    return 0;
}

bool dp_has_dpdk(void)
{
    return true;
}
