/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <pcap/pcap.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

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
    pthread_mutex_t stats_lock;
    uint32_t drop_seen, ifdrop_seen; /* libpcap counts in 32 bits, which wrap */
    uint64_t dropped;
};

static uint32_t live_burst(struct dp_source *base, struct dp_frame *frames, uint32_t n)
{
    (void)n;
    struct live_source *s = (struct live_source *)base;
    struct pcap_pkthdr *header;
    const u_char *data;
    int r = pcap_next_ex(s->pcap, &header, &data);
    if (r == 1) {
        frames[0] = dp_pcap_frame(header, data, s->link);
        if (s->micro)
            frames[0].ts_ns = dp_pcap_time_ns(header->ts.tv_sec, header->ts.tv_usec * 1000LL);
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

static uint64_t live_dropped(struct dp_source *base)
{
    struct live_source *s = (struct live_source *)base;
    struct pcap_stat now;
    pthread_mutex_lock(&s->stats_lock);
    if (pcap_stats(s->pcap, &now) == 0) {
        s->dropped += (uint32_t)(now.ps_drop - s->drop_seen);
        s->dropped += (uint32_t)(now.ps_ifdrop - s->ifdrop_seen);
        s->drop_seen = now.ps_drop;
        s->ifdrop_seen = now.ps_ifdrop;
    }
    uint64_t dropped = s->dropped;
    pthread_mutex_unlock(&s->stats_lock);
    return dropped;
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
    .dropped = live_dropped,
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

int dp_source_open_live(struct dp_source **ret_source, const struct dp_config *cfg,
                        struct atl_error *err)
{
    struct live_source *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return atl_error_set(err, -ENOMEM, "%s: out of memory", cfg->device);
    s->base.ops = &live_ops;
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
