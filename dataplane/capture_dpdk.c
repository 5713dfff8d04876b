/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <rte_ethdev.h>
#include <rte_interrupts.h>
#include <rte_mbuf.h>
#include <rte_mbuf_dyn.h>
#include <rte_version.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "dataplane/dpdk_eal_priv.h"
#include "dataplane/dpdk_rss_priv.h"
#include "dataplane/source_priv.h"

enum {
    /* Asked for; the driver takes what it can. */
    RX_DESCRIPTORS = 4096,
    RX_DESCRIPTORS_MIN = 512,
    RX_DESCRIPTORS_ALL = 16384, /* over all queues: the pool must hold them */
    TX_DESCRIPTORS = 512,
    /* For drivers that name no burst, which are those in software: they take a buffer and copy each
     * packet when they are asked. The fewer are out, the more of them is in the first cache: 8
     * instead of 32 are a tenth more packets a second. */
    RX_BURST = 8,
    POOL_CACHE = 250,
    /* Rings, caches, bursts in flight; a power of two − 1 is what a mempool stores best. */
    POOL_MBUFS = 16383,
    POOL_MBUFS_MANY = 32767,
    POOL_MBUFS_MOST = 65535,
    ETHERNET = 1, /* DLT_EN10MB */
    /* Polls in a row without a packet that mean the end of a net_pcap file. */
    END_POLLS = 16,
};

/* One device, read by one source for each of its queues; the last to close ends it. */
struct dpdk_port {
    uint16_t id;
    uint16_t burst;  /* packets asked for at a time */
    uint32_t queues; /* read */
    uint32_t open;   /* sources that are not closed yet */
    bool attached, started;
    bool interrupts; /* asked for and not refused so far */
    bool by_flow;
    struct rte_mempool *pool;
    struct rte_eth_dev_info info;
    struct dp_eal_sockets sockets;
    int ts_offset; /* of the µs timestamp in an mbuf; −1: the wall clock stamps each burst */
    uint64_t ts_flag;
    uint32_t link;
    char device[DP_EAL_DEVICE_BYTES];
};

struct dpdk_source {
    struct dp_source base;
    struct dpdk_port *port;
    uint16_t queue;
    bool registered;
    struct rte_mbuf *mbufs[DP_BURST];
    uint32_t count;
    uint32_t empty_polls;
    uint64_t nombuf_seen;
    atl_ns now_ns; /* ports: when the batch was begun */
};

static atl_ns stamp(const struct dpdk_port *s, const struct rte_mbuf *m, atl_ns now_ns)
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
    if (rte_eth_stats_get(s->port->id, &stats) == 0 && stats.rx_nombuf != s->nombuf_seen)
        s->nombuf_seen = stats.rx_nombuf;
    else
        s->base.state = DP_SOURCE_END;
}

static uint32_t dpdk_burst(struct dp_source *base, struct dp_frame *frames, uint32_t n)
{
    struct dpdk_source *s = (struct dpdk_source *)base;
    uint16_t wanted = n < s->port->burst ? (uint16_t)n : s->port->burst;
    s->count = rte_eth_rx_burst(s->port->id, s->queue, s->mbufs, wanted);
    if (s->count == 0) {
        if (base->file)
            check_end(s);
        return 0;
    }
    s->empty_polls = 0;
    if (!base->file && n == DP_BURST)
        s->now_ns = atl_clock_wall_ns();
    for (uint32_t i = 0; i < s->count; i++) {
        const struct rte_mbuf *m = s->mbufs[i];
        frames[i] = (struct dp_frame){
            .data = rte_pktmbuf_mtod(m, const uint8_t *),
            .captured = m->data_len, /* of the first segment: headers lie there */
            .wire = m->pkt_len,
            .link = s->port->link,
            .ts_ns = stamp(s->port, m, s->now_ns),
        };
    }
    return s->count;
}

/* In one piece, in our pool and nobody else's as well: nothing of it needs to be put in order. */
static bool is_plain(const struct dpdk_port *port, const struct rte_mbuf *m)
{
    return m->nb_segs == 1 && m->pool == port->pool && RTE_MBUF_DIRECT(m) &&
           rte_mbuf_refcnt_read(m) == 1;
}

/* To look at all of them first is quicker than to let DPDK sort each: a twentieth of the time. */
static void dpdk_release(struct dp_source *base)
{
    struct dpdk_source *s = (struct dpdk_source *)base;
    uint32_t plain = 0;
    while (plain < s->count && is_plain(s->port, s->mbufs[plain]))
        plain++;
    if (plain == s->count)
        rte_mempool_put_bulk(s->port->pool, (void *const *)s->mbufs, s->count);
    else
        rte_pktmbuf_free_bulk(s->mbufs, s->count);
    s->count = 0;
}

static void dpdk_losses(struct dp_source *base, struct dp_losses *sum)
{
    struct dpdk_source *s = (struct dpdk_source *)base;
    struct rte_eth_stats stats;
    if (s->queue != 0)
        return; /* the card counts for all its queues */
    if (rte_eth_stats_get(s->port->id, &stats) == 0) {
        sum->nic_missed += stats.imissed;
        sum->nic_errors += stats.ierrors;
        sum->nic_nombuf += stats.rx_nombuf;
    }
    sum->kernel += dp_eal_sockets_lost(&s->port->sockets);
}

/* An interrupt costs microseconds, so it is only armed by who would sleep anyway. */
static void dpdk_wait(struct dp_source *base, uint32_t us)
{
    struct dpdk_source *s = (struct dpdk_source *)base;
    struct rte_epoll_event event;
    if (rte_eth_dev_rx_intr_enable(s->port->id, s->queue) == 0 &&
        rte_eth_rx_queue_count(s->port->id, s->queue) <= 0)
        rte_epoll_wait(RTE_EPOLL_PER_THREAD, &event, 1, (int)(us / 1000));
    rte_eth_dev_rx_intr_disable(s->port->id, s->queue);
}

static int dpdk_enter(struct dp_source *base, struct atl_error *err)
{
    struct dpdk_source *s = (struct dpdk_source *)base;
    if (rte_lcore_id() == LCORE_ID_ANY) {
        if (rte_thread_register() != 0)
            return atl_error_set(err, -EIO,
                                 "%s: DPDK cannot register the worker thread (%s); leave out EAL "
                                 "arguments that allow secondary processes",
                                 s->port->device, rte_strerror(rte_errno));
        s->registered = true;
    }
    base->calls = s->port->interrupts &&
                  rte_eth_dev_rx_intr_ctl_q(s->port->id, s->queue, RTE_EPOLL_PER_THREAD,
                                            RTE_INTR_EVENT_ADD, NULL) == 0;
    return 0;
}

static void dpdk_leave(struct dp_source *base)
{
    struct dpdk_source *s = (struct dpdk_source *)base;
    if (base->calls)
        rte_eth_dev_rx_intr_ctl_q(s->port->id, s->queue, RTE_EPOLL_PER_THREAD, RTE_INTR_EVENT_DEL,
                                  NULL);
    if (s->registered)
        rte_thread_unregister();
    base->calls = s->registered = false;
}

static void close_port(struct dpdk_port *port)
{
    if (port->started)
        rte_eth_dev_stop(port->id);
    if (port->attached)
        dp_eal_detach(port->id, port->device);
    rte_mempool_free(port->pool);
    free(port);
}

static void dpdk_close(struct dp_source *base)
{
    struct dpdk_source *s = (struct dpdk_source *)base;
    if (s->count != 0)
        dpdk_release(base);
    if (--s->port->open == 0)
        close_port(s->port);
    free(s);
}

static const struct dp_source_ops dpdk_ops = {
    .burst = dpdk_burst,
    .release = dpdk_release,
    .losses = dpdk_losses,
    .wait = dpdk_wait,
    .enter = dpdk_enter,
    .leave = dpdk_leave,
    .close = dpdk_close,
};

/* --- opening --- */

static int port_failed(const struct dpdk_port *s, const char *what, int r, struct atl_error *err)
{
    return atl_error_set(err, r == -ENOMEM ? -ENOMEM : -EIO, "%s: cannot %s: %s (%s)", s->device,
                         what, rte_strerror(-r), dp_eal_last_line());
}

static int make_pool(struct dpdk_port *s, struct atl_error *err)
{
    char name[32];
    unsigned mbufs = s->queues <= 2    ? POOL_MBUFS
                     : s->queues <= 16 ? POOL_MBUFS_MANY
                                       : POOL_MBUFS_MOST;
    snprintf(name, sizeof(name), "atalaya%u", s->id);
    s->pool = rte_pktmbuf_pool_create(name, mbufs, POOL_CACHE, 0, RTE_MBUF_DEFAULT_BUF_SIZE,
                                      rte_eth_dev_socket_id(s->id));
    return s->pool == NULL ? port_failed(s, "reserve packet buffers", -rte_errno, err) : 0;
}

static uint16_t descriptors(uint32_t queues)
{
    uint32_t n = RX_DESCRIPTORS_ALL / queues;
    if (n > RX_DESCRIPTORS)
        return RX_DESCRIPTORS;
    return (uint16_t)(n < RX_DESCRIPTORS_MIN ? RX_DESCRIPTORS_MIN : n);
}

static int set_up_queues(struct dpdk_port *s)
{
    uint16_t rx = descriptors(s->queues), tx = TX_DESCRIPTORS;
    int r = rte_eth_dev_adjust_nb_rx_tx_desc(s->id, &rx, &tx);
    for (uint16_t queue = 0; queue < s->queues && r == 0; queue++)
        r = rte_eth_rx_queue_setup(s->id, queue, rx, SOCKET_ID_ANY, NULL, s->pool);
    if (r == 0)
        r = rte_eth_tx_queue_setup(s->id, 0, tx, SOCKET_ID_ANY, NULL);
    return r == 0 ? rte_eth_dev_start(s->id) : r;
}

static int try_port(struct dpdk_port *s, struct rte_eth_conf *conf)
{
    conf->intr_conf.rxq = s->interrupts;
    /* One transmit queue that stays silent: some drivers refuse to start without. */
    int r = rte_eth_dev_configure(s->id, (uint16_t)s->queues, 1, conf);
    return r == 0 ? set_up_queues(s) : r;
}

static int start_port(struct dpdk_port *s, const struct dp_config *cfg, struct atl_error *err)
{
    struct rte_eth_conf conf = {0};
    struct dp_rss rss;
    bool hash = s->by_flow && dp_rss_ask(&rss, &s->info, &conf);
    s->by_flow = hash;
    s->interrupts = !cfg->file;
    int r = try_port(s, &conf);
    if (r < 0 && s->interrupts) {
        s->interrupts = false;
        r = try_port(s, &conf);
    }
    if (r < 0)
        return port_failed(s, "start the port", r, err);
    s->started = true;
    /* Not every driver can, and not every one needs to. */
    if (cfg->promiscuous)
        rte_eth_promiscuous_enable(s->id);
    return 0;
}

/* --- how many queues, and whether they keep flows together --- */

static bool is_driver(const struct dpdk_port *s, const char *name)
{
    return strcmp(s->info.driver_name, name) == 0;
}

static int count_queues(struct dpdk_port *s, const struct dp_config *cfg, struct atl_error *err)
{
    uint32_t have = s->info.max_rx_queues;
    bool virtual_device = strncmp(s->info.driver_name, "net_", 4) == 0;
    bool hashes = s->info.flow_type_rss_offloads != 0;
    /* Each of these has as many queues as its arguments name, and all get packets. */
    bool fixed = is_driver(s, "net_pcap") || is_driver(s, "net_af_packet");
    if (cfg->file && have > 1)
        return atl_error_set(err, -EINVAL,
                             "%s: several capture files in one device; name one, their order "
                             "would be lost",
                             s->device);
    if (fixed && have > cfg->workers)
        return atl_error_set(err, -EINVAL,
                             "%s: the device has %u queues for %u workers; set workers: %u or "
                             "name fewer queues",
                             s->device, have, cfg->workers, have);
    s->by_flow = cfg->workers > 1 && cfg->distribution != DP_DISTRIBUTE_SOFTWARE && hashes &&
                 have >= cfg->workers;
    if (cfg->distribution == DP_DISTRIBUTE_DEVICE && cfg->workers > 1 && !s->by_flow)
        return atl_error_set(err, -EINVAL,
                             "%s: driver %s cannot spread flows over %u queues; set distribute: "
                             "software",
                             s->device, s->info.driver_name, cfg->workers);
    /* Without a hash a card puts all into its first queue; what a virtual device does is its
     * maker's choice, so all its queues are read. */
    s->queues = s->by_flow || virtual_device ? cfg->workers : 1;
    if (s->queues > have)
        s->queues = have > 0 ? have : 1;
    return 0;
}

/* A device that does not tell is trusted only where the configuration says so. */
static int test_hash(struct dpdk_port *s, const struct dp_config *cfg, struct atl_error *err)
{
    if (!s->by_flow)
        return 0;
    int r = dp_rss_prove(s->id, &s->info);
    s->by_flow = r == 0 || (r == -ENOTSUP && cfg->distribution == DP_DISTRIBUTE_DEVICE);
    if (r == -EIO && cfg->distribution == DP_DISTRIBUTE_DEVICE)
        return atl_error_set(err, -EIO,
                             "%s: its hash sends the two directions of a flow to different "
                             "workers; set distribute: software",
                             s->device);
    return 0;
}

/* Other drivers give device ticks or nothing in that field; net_pcap gives µs of wall time. */
static void find_timestamp(struct dpdk_port *s)
{
    s->ts_offset = -1;
    if (!is_driver(s, "net_pcap"))
        return;
    int flag = rte_mbuf_dynflag_lookup(RTE_MBUF_DYNFLAG_RX_TIMESTAMP_NAME, NULL);
    int offset = rte_mbuf_dynfield_lookup(RTE_MBUF_DYNFIELD_TIMESTAMP_NAME, NULL);
    if (flag < 0 || offset < 0)
        return;
    s->ts_flag = 1ULL << flag;
    s->ts_offset = offset;
}

/* The driver says little about a file it cannot read; our own reader says it well. */
static int check_file(struct dpdk_port *s, const struct dp_config *cfg, struct atl_error *err)
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

static int open_port(struct dpdk_port *s, const struct dp_config *cfg, struct atl_error *err)
{
    if (!atl_copy(s->device, sizeof(s->device), cfg->device))
        return atl_error_set(err, -EINVAL, "device: longer than %d characters",
                             DP_EAL_DEVICE_BYTES);
    s->link = ETHERNET;
    int r = cfg->file ? check_file(s, cfg, err) : 0;
    if (r == 0)
        r = dp_eal_attach(&s->id, &s->sockets, cfg, err);
    if (r < 0)
        return r;
    s->attached = true;
    r = rte_eth_dev_info_get(s->id, &s->info);
    if (r < 0)
        return port_failed(s, "ask the driver", r, err);
    uint16_t burst = s->info.default_rxportconf.burst_size;
    s->burst = burst == 0 ? RX_BURST : burst < DP_BURST ? burst : DP_BURST;
    r = count_queues(s, cfg, err);
    if (r == 0)
        r = make_pool(s, err);
    if (r == 0)
        r = start_port(s, cfg, err);
    if (r == 0)
        r = test_hash(s, cfg, err);
    if (r == 0)
        find_timestamp(s);
    return r;
}

static int open_queue(struct dp_source **ret_source, struct dpdk_port *port, uint16_t queue,
                      const struct dp_config *cfg)
{
    struct dpdk_source *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return -ENOMEM;
    s->base.ops = &dpdk_ops;
    s->base.file = cfg->file;
    s->port = port;
    s->queue = queue;
    port->open++;
    snprintf(s->base.describe, sizeof(s->base.describe), "%s port %u %s (driver %s)", rte_version(),
             port->id, cfg->device, port->info.driver_name);
    *ret_source = &s->base;
    return 0;
}

int dp_intake_open_dpdk(struct dp_intake *ret_intake, const struct dp_config *cfg,
                        struct atl_error *err)
{
    struct dpdk_port *port = calloc(1, sizeof(*port));
    if (port == NULL)
        return atl_error_set(err, -ENOMEM, "%s: out of memory", cfg->device);
    int r = open_port(port, cfg, err);
    if (r < 0) {
        close_port(port);
        return r;
    }
    port->open = 1; /* ours, until all queues have theirs */
    for (uint16_t i = 0; i < port->queues && r == 0; i++) {
        r = open_queue(&ret_intake->source[i], port, i, cfg);
        ret_intake->count += r == 0;
    }
    ret_intake->by_flow = port->by_flow;
    if (r < 0) {
        while (ret_intake->count > 0)
            dp_source_close(ret_intake->source[--ret_intake->count]);
        close_port(port);
        return atl_error_set(err, r, "%s: out of memory", cfg->device);
    }
    port->open--;
    return 0;
}

bool dp_has_dpdk(void)
{
    return true;
}
