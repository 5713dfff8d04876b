/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/if_packet.h>
#include <pcap/pcap.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "dataplane/capture_pcap_priv.h"
#include "dataplane/source_priv.h"

enum {
    /* The kernel hands over a block of packets when it is full or this old. */
    BLOCK_MS = 10,
    BUFFER_BYTES = 16 * 1024 * 1024,
    INTERFACES_MAX = 256,
};

struct live_source {
    struct dp_source base;
    pcap_t *pcap;
    uint32_t link;
    bool micro; /* the handle has no nanoseconds to give */
    /* Before this each socket of a group saw every packet: only what is newer counts. */
    atl_ns since_ns;
    pthread_mutex_t stats_lock;
    uint32_t drop_seen, ifdrop_seen; /* libpcap counts in 32 bits, which wrap */
    uint64_t dropped, missed;
    bool first; /* of its group */
};

static uint32_t live_burst(struct dp_source *base, struct dp_frame *frames, uint32_t n)
{
    (void)n;
    struct live_source *s = (struct live_source *)base;
    struct pcap_pkthdr *header;
    const u_char *data;
    int r;
    while ((r = pcap_next_ex(s->pcap, &header, &data)) == 1) {
        frames[0] = dp_pcap_frame(header, data, s->link);
        if (s->micro)
            frames[0].ts_ns = dp_pcap_time_ns(header->ts.tv_sec, header->ts.tv_usec * 1000LL);
        if (ATL_LIKELY(frames[0].ts_ns >= s->since_ns))
            return 1;
    }
    if (r < 0) {
        base->state = DP_SOURCE_FAILED;
        atl_error_set(&base->error, -EIO, "%s: capture stopped: %s; is the interface still there?",
                      base->describe, pcap_geterr(s->pcap));
    }
    return 0;
}

static void live_release(struct dp_source *base)
{
    (void)base;
}

static void count_losses(struct live_source *s, struct dp_losses *sum)
{
    struct pcap_stat now;
    pthread_mutex_lock(&s->stats_lock);
    if (pcap_stats(s->pcap, &now) == 0) {
        s->dropped += (uint32_t)(now.ps_drop - s->drop_seen);
        s->missed += (uint32_t)(now.ps_ifdrop - s->ifdrop_seen);
        s->drop_seen = now.ps_drop;
        s->ifdrop_seen = now.ps_ifdrop;
    }
    sum->kernel += s->dropped;
    if (s->first)
        sum->nic_missed += s->missed; /* of the interface: the same for each socket */
    pthread_mutex_unlock(&s->stats_lock);
}

static void live_losses(struct dp_source *base, struct dp_losses *sum)
{
    count_losses((struct live_source *)base, sum);
}

static void live_wait(struct dp_source *base, uint32_t us)
{
    const struct live_source *s = (const struct live_source *)base;
    struct pollfd ready = {.fd = pcap_get_selectable_fd(s->pcap), .events = POLLIN};
    struct timespec t = {.tv_sec = us / 1000000, .tv_nsec = (long)(us % 1000000) * 1000};
    ppoll(&ready, ready.fd >= 0, &t, NULL);
}

static void live_close(struct dp_source *base)
{
    struct live_source *s = (struct live_source *)base;
    if (s->pcap != NULL)
        pcap_close(s->pcap);
    pthread_mutex_destroy(&s->stats_lock);
    free(s);
}

static const struct dp_source_ops live_ops = {
    .burst = live_burst,
    .release = live_release,
    .losses = live_losses,
    .wait = live_wait,
    .close = live_close,
};

static int no_such_device(const char *device, struct atl_error *err)
{
    char why[PCAP_ERRBUF_SIZE];
    pcap_if_t *all = NULL;
    const char *names[INTERFACES_MAX];
    char list[256] = "";
    size_t n = 0, used = 0;
    if (pcap_findalldevs(&all, why) == 0)
        for (pcap_if_t *i = all; i != NULL && n < INTERFACES_MAX; i = i->next)
            names[n++] = i->name;
    for (size_t i = 0; i < n && used < sizeof(list); i++)
        used +=
            (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", i > 0 ? ", " : "", names[i]);
    const char *near = n > 0 ? atl_nearest(device, names, n) : NULL;
    if (near != NULL)
        atl_error_set(err, -ENOENT, "%s: no such interface; did you mean %s? (there are: %s)",
                      device, near, list);
    else
        atl_error_set(err, -ENOENT, "%s: no such interface; there are: %s", device,
                      n > 0 ? list : "none");
    if (all != NULL)
        pcap_freealldevs(all);
    return -ENOENT;
}

static int explain_activate(struct live_source *s, const char *device, int r, struct atl_error *err)
{
    switch (r) {
    case PCAP_ERROR_NO_SUCH_DEVICE:
        return no_such_device(device, err);
    case PCAP_ERROR_PERM_DENIED:
    case PCAP_ERROR_PROMISC_PERM_DENIED:
        return atl_error_set(err, -EPERM,
                             "%s: no permission to capture; run as root or give the program the "
                             "right: setcap cap_net_raw,cap_net_admin+ep <program>",
                             device);
    case PCAP_ERROR_IFACE_NOT_UP:
        return atl_error_set(err, -EIO, "%s: the interface is down; ip link set %s up", device,
                             device);
    default:
        return atl_error_set(err, -EIO, "%s: cannot capture: %s (%s)", device, pcap_statustostr(r),
                             pcap_geterr(s->pcap));
    }
}

static int activate(struct live_source *s, const struct dp_config *cfg, struct atl_error *err)
{
    char why[PCAP_ERRBUF_SIZE] = "";
    s->pcap = pcap_create(cfg->device, why);
    if (s->pcap == NULL)
        return atl_error_set(err, -EIO, "%s: cannot capture: %s", cfg->device, why);
    pcap_set_snaplen(s->pcap, (int)cfg->snap_bytes);
    pcap_set_promisc(s->pcap, cfg->promiscuous);
    pcap_set_timeout(s->pcap, BLOCK_MS);
    pcap_set_buffer_size(s->pcap, BUFFER_BYTES);
    pcap_set_tstamp_precision(s->pcap, PCAP_TSTAMP_PRECISION_NANO);
    int r = pcap_activate(s->pcap);
    if (r < 0)
        return explain_activate(s, cfg->device, r, err);
    s->micro = pcap_get_tstamp_precision(s->pcap) != PCAP_TSTAMP_PRECISION_NANO;
    s->link = (uint32_t)pcap_datalink(s->pcap);
    if (pcap_setnonblock(s->pcap, 1, why) < 0)
        return atl_error_set(err, -EIO, "%s: cannot poll: %s", cfg->device, why);
    return 0;
}

static int open_one(struct dp_source **ret_source, const struct dp_config *cfg,
                    struct atl_error *err)
{
    struct live_source *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return atl_error_set(err, -ENOMEM, "%s: out of memory", cfg->device);
    s->base.ops = &live_ops;
    s->base.calls = true;
    pthread_mutex_init(&s->stats_lock, NULL);
    int r = activate(s, cfg, err);
    if (r < 0) {
        live_close(&s->base);
        return r;
    }
    const char *name = pcap_datalink_val_to_name((int)s->link);
    snprintf(s->base.describe, sizeof(s->base.describe), "libpcap interface %s (%s)", cfg->device,
             name != NULL ? name : "unnamed link type");
    *ret_source = &s->base;
    return 0;
}

/* --- several sockets that share the packets: packet(7), PACKET_FANOUT --- */

/*
 * The kernel's hash is symmetric (__skb_get_hash_symmetric), and leaves the ports of a fragmented
 * datagram out for all of its fragments. No ROLLOVER, which breaks up flows, and no DEFRAG, which
 * changes sizes.
 */
static int join_group(const struct live_source *s, uint16_t *group)
{
    int fd = pcap_fileno(s->pcap);
    int how = PACKET_FANOUT_HASH, wish;
    socklen_t bytes = sizeof(wish);
    if (fd < 0)
        return -ENOTSUP;
    if (s->first)
        wish = (how | PACKET_FANOUT_FLAG_UNIQUEID) << 16;
    else
        wish = how << 16 | *group;
    if (setsockopt(fd, SOL_PACKET, PACKET_FANOUT, &wish, sizeof(wish)) < 0)
        return -errno;
    if (s->first && getsockopt(fd, SOL_PACKET, PACKET_FANOUT, &wish, &bytes) < 0)
        return -errno;
    *group = (uint16_t)(wish & 0xffff);
    return 0;
}

static void close_from(struct dp_intake *intake, uint32_t first)
{
    while (intake->count > first)
        dp_source_close(intake->source[--intake->count]);
}

static int open_group(struct dp_intake *intake, const struct dp_config *cfg)
{
    uint16_t group = 0;
    int r = 0;
    for (uint32_t i = 0; i < cfg->workers && r == 0; i++) {
        if (i > 0)
            r = open_one(&intake->source[i], cfg, NULL);
        if (r == 0) {
            intake->count = i + 1;
            r = join_group((struct live_source *)intake->source[i], &group);
        }
    }
    return r;
}

/* What came before the group was whole came more than once, or was lost to nobody's surprise. */
static void begin_now(struct dp_intake *intake)
{
    atl_ns now_ns = atl_clock_wall_ns();
    for (uint32_t i = 0; i < intake->count; i++) {
        struct dp_losses ignored = {0};
        struct live_source *s = (struct live_source *)intake->source[i];
        s->since_ns = now_ns;
        count_losses(s, &ignored);
        s->dropped = s->missed = 0;
    }
}

int dp_intake_open_live(struct dp_intake *ret_intake, const struct dp_config *cfg,
                        struct atl_error *err)
{
    int r = open_one(&ret_intake->source[0], cfg, err);
    if (r < 0)
        return r;
    ret_intake->count = 1;
    ((struct live_source *)ret_intake->source[0])->first = true;
    if (cfg->workers == 1 || cfg->distribution == DP_DISTRIBUTE_SOFTWARE)
        return 0;
    r = open_group(ret_intake, cfg);
    if (r == 0) {
        begin_now(ret_intake);
        ret_intake->by_flow = true;
        return 0;
    }
    if (cfg->distribution == DP_DISTRIBUTE_DEVICE) {
        close_from(ret_intake, 0);
        return atl_error_set(err, -EIO,
                             "%s: the kernel cannot share this interface among %u sockets (%s); "
                             "set distribute: software",
                             cfg->device, cfg->workers, strerror(-r));
    }
    /* A group of one, that the first may have joined by now, gets every packet. */
    close_from(ret_intake, 1);
    begin_now(ret_intake);
    return 0;
}
