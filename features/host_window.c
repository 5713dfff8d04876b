/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every tracked (address, role) is in one hash chain and one first-in-first-out queue of looks. All
 * looks lie one step ahead of the moment they were queued, so the queue is sorted by itself; the
 * table's oldest activity is found through a second queue, moved to its end at each flow.
 */
#include "features/columns_priv.h"
#include "features/features.h"

#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define NIL           UINT32_MAX
#define DISTINCT_BITS 1024

/* Linear counting (Whang et al. 1990): within 3 % up to 3,000, then saturating near 7,000. */
struct distinct {
    uint64_t bits[DISTINCT_BITS / 64];
};

struct link {
    uint32_t prev, next;
};

struct host {
    struct dp_addr addr;
    uint8_t role;
    uint32_t chain; /* next in the hash chain; next free entry when free */
    struct link by_look, by_use;
    atl_ns look_ns, window_ns; /* next look; when the window began */
    atl_ns first_ns, last_ns;
    uint64_t packets_out, packets_in, bytes_out, bytes_in;
    uint32_t flows, tcp, udp, icmp, dns, small;
    uint32_t half_open, refused, unanswered;
    uint32_t flows_looked; /* flows at the last look: nothing new, nothing to look at */
    struct distinct peers, ports;
    struct dp_flow sample;
};

struct queue {
    uint32_t head, tail;
};

struct feat_hosts {
    struct feat_host_config cfg;
    struct atl_hash_key key;
    struct host *hosts;
    uint32_t *chains;
    uint32_t chain_mask, free, used;
    struct queue by_look, by_use;
    atl_ns now_ns;
    uint64_t evicted;
};

void feat_host_config_default(struct feat_host_config *cfg)
{
    *cfg = (struct feat_host_config){
        .hosts_max = 16384,
        .window_ns = 60 * ATL_NS_PER_S,
        .step_ns = 5 * ATL_NS_PER_S,
    };
}

int feat_host_config_check(const struct feat_host_config *cfg, struct atl_error *err)
{
    if (cfg->hosts_max < 64 || cfg->hosts_max > 1U << 22)
        return atl_error_set(err, -EINVAL, "hosts_max: expected 64 … 4194304, found %u",
                             cfg->hosts_max);
    if (cfg->step_ns < ATL_NS_PER_S / 10)
        return atl_error_set(err, -EINVAL, "step: expected at least 100ms");
    if (cfg->window_ns < cfg->step_ns || cfg->window_ns > 86400 * ATL_NS_PER_S)
        return atl_error_set(err, -EINVAL, "window: expected at least one step and at most 1d");
    return 0;
}

/* --- queues of entries, linked by index --- */

#define LINK(h, i, field) (&(h)->hosts[i].field)

#define DEFINE_QUEUE(field)                                      \
    static void field##_append(struct feat_hosts *h, uint32_t i) \
    {                                                            \
        *LINK(h, i, field) = (struct link){h->field.tail, NIL};  \
        if (h->field.tail != NIL)                                \
            LINK(h, h->field.tail, field)->next = i;             \
        else                                                     \
            h->field.head = i;                                   \
        h->field.tail = i;                                       \
    }                                                            \
    static void field##_remove(struct feat_hosts *h, uint32_t i) \
    {                                                            \
        struct link l = *LINK(h, i, field);                      \
        if (l.prev != NIL)                                       \
            LINK(h, l.prev, field)->next = l.next;               \
        else                                                     \
            h->field.head = l.next;                              \
        if (l.next != NIL)                                       \
            LINK(h, l.next, field)->prev = l.prev;               \
        else                                                     \
            h->field.tail = l.prev;                              \
    }

DEFINE_QUEUE(by_look)
DEFINE_QUEUE(by_use)

/* --- the table --- */

static uint32_t chains_for(uint32_t hosts_max)
{
    uint32_t n = 64;
    while (n < hosts_max)
        n *= 2;
    return n;
}

int feat_hosts_create(struct feat_hosts **ret_hosts, const struct feat_host_config *cfg)
{
    if (feat_host_config_check(cfg, NULL) < 0)
        return -EINVAL;
    struct feat_hosts *h = calloc(1, sizeof(*h));
    if (h == NULL)
        return -ENOMEM;
    h->cfg = *cfg;
    h->by_look = h->by_use = (struct queue){NIL, NIL};
    if (cfg->seed == 0)
        atl_hash_key_init(&h->key);
    else
        h->key = (struct atl_hash_key){cfg->seed, ~cfg->seed};
    uint32_t n_chains = chains_for(cfg->hosts_max);
    h->chain_mask = n_chains - 1;
    h->hosts = calloc(cfg->hosts_max, sizeof(*h->hosts));
    h->chains = malloc(n_chains * sizeof(*h->chains));
    if (h->hosts == NULL || h->chains == NULL) {
        feat_hosts_destroy(h);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < n_chains; i++)
        h->chains[i] = NIL;
    for (uint32_t i = 0; i < cfg->hosts_max; i++)
        h->hosts[i].chain = i + 1 < cfg->hosts_max ? i + 1 : NIL;
    *ret_hosts = h;
    return 0;
}

void feat_hosts_destroy(struct feat_hosts *h)
{
    if (h == NULL)
        return;
    free(h->hosts);
    free(h->chains);
    free(h);
}

static uint32_t *chain_of(struct feat_hosts *h, const struct dp_addr *addr, uint8_t role)
{
    uint64_t hash = atl_hash(&h->key, addr->bytes, sizeof(addr->bytes));
    return &h->chains[(hash ^ (role * 0x9e3779b9U)) & h->chain_mask];
}

static void drop(struct feat_hosts *h, uint32_t i)
{
    struct host *host = &h->hosts[i];
    uint32_t *at = chain_of(h, &host->addr, host->role);
    while (*at != i)
        at = &h->hosts[*at].chain;
    *at = host->chain;
    by_look_remove(h, i);
    by_use_remove(h, i);
    host->chain = h->free;
    h->free = i;
    h->used--;
}

static void begin_window(struct feat_hosts *h, struct host *host)
{
    size_t counted_from = offsetof(struct host, first_ns);
    memset((char *)host + counted_from, 0, sizeof(*host) - counted_from);
    host->window_ns = h->now_ns;
}

static struct host *find_or_make(struct feat_hosts *h, const struct dp_addr *addr, uint8_t role)
{
    uint32_t *chain = chain_of(h, addr, role);
    for (uint32_t i = *chain; i != NIL; i = h->hosts[i].chain) {
        struct host *host = &h->hosts[i];
        if (host->role == role && memcmp(&host->addr, addr, sizeof(*addr)) == 0) {
            by_use_remove(h, i);
            by_use_append(h, i);
            return host;
        }
    }
    if (h->free == NIL) {
        drop(h, h->by_use.head);
        h->evicted++;
    }
    uint32_t i = h->free;
    struct host *host = &h->hosts[i];
    h->free = host->chain;
    h->used++;
    host->addr = *addr;
    host->role = role;
    host->chain = *chain;
    *chain = i;
    host->look_ns = h->now_ns + h->cfg.step_ns;
    by_look_append(h, i);
    by_use_append(h, i);
    begin_window(h, host);
    return host;
}

/* --- counting --- */

static void distinct_add(struct distinct *d, uint64_t hash)
{
    d->bits[hash % DISTINCT_BITS / 64] |= 1ULL << (hash & 63);
}

static double distinct_count(const struct distinct *d)
{
    int zero = DISTINCT_BITS;
    for (size_t i = 0; i < ATL_ARRAY_LEN(d->bits); i++)
        zero -= __builtin_popcountll(d->bits[i]);
    return DISTINCT_BITS * log((double)DISTINCT_BITS / (zero > 0 ? zero : 1));
}

enum outcome { ANSWERED, HALF_OPEN, REFUSED, UNANSWERED };

/* A traceroute is thirty unanswered ports to the naive eye; its range is as good as a service. */
static bool is_traceroute(const struct dp_flow *f)
{
    return f->proto == IPPROTO_UDP && f->dst_port >= 33434 && f->dst_port <= 33534 &&
           f->bwd.packets == 0 && f->fwd.packets <= 3;
}

static enum outcome outcome_of(const struct dp_flow *f)
{
    bool tcp = f->proto == IPPROTO_TCP;
    if (is_traceroute(f))
        return ANSWERED; /* by ICMP, from on the way */
    if (f->bwd.packets == 0)
        return tcp && f->fwd.flags[DP_SYN] > 0 ? HALF_OPEN : UNANSWERED;
    if (tcp && f->bwd.flags[DP_RST] > 0 && f->bwd.flags[DP_SYN] == 0 && f->bwd.payload_bytes == 0 &&
        f->fwd.flags[DP_SYN] > 0)
        return REFUSED;
    return ANSWERED;
}

static void count(struct feat_hosts *h, const struct dp_flow *f, enum feat_role role)
{
    bool source = role == FEAT_SOURCE;
    const struct dp_dir *out = source ? &f->fwd : &f->bwd, *in = source ? &f->bwd : &f->fwd;
    const struct dp_addr *peer = source ? &f->dst : &f->src;
    struct host *host = find_or_make(h, source ? &f->src : &f->dst, role);
    enum outcome outcome = outcome_of(f);

    if (host->flows == 0 || f->first_ns < host->first_ns)
        host->first_ns = f->first_ns;
    if (f->last_ns > host->last_ns)
        host->last_ns = f->last_ns;
    host->flows++;
    host->packets_out += out->packets;
    host->packets_in += in->packets;
    host->bytes_out += out->bytes;
    host->bytes_in += in->bytes;
    host->tcp += f->proto == IPPROTO_TCP;
    host->udp += f->proto == IPPROTO_UDP;
    host->icmp += f->proto == IPPROTO_ICMP || f->proto == IPPROTO_ICMPV6;
    host->dns += f->dst_port == 53;
    host->small += f->fwd.packets + f->bwd.packets <= 3;
    host->half_open += outcome == HALF_OPEN;
    host->refused += outcome == REFUSED;
    host->unanswered += outcome == UNANSWERED;
    distinct_add(&host->peers, atl_hash(&h->key, peer->bytes, sizeof(peer->bytes)));
    uint32_t service = (uint32_t)f->proto << 16 | (is_traceroute(f) ? 33434 : f->dst_port);
    distinct_add(&host->ports, atl_hash(&h->key, &service, sizeof(service)));
    host->sample = *f;
}

void feat_hosts_add(struct feat_hosts *h, const struct dp_flow *flow)
{
    if (h->now_ns == 0)
        h->now_ns = flow->last_ns;
    count(h, flow, FEAT_SOURCE);
    count(h, flow, FEAT_TARGET);
}

/* --- looking --- */

static void fill_raw(const struct host *host, atl_ns now_ns, float *raw)
{
    double flows = host->flows;
    double packets = (double)(host->packets_out + host->packets_in);
    double bytes = (double)(host->bytes_out + host->bytes_in);
    double peers = distinct_count(&host->peers), ports = distinct_count(&host->ports);
    double elapsed = (double)(now_ns - host->window_ns) * 1e-9;
    elapsed = elapsed > 1 ? elapsed : 1;
    /* the four in the ratios keeps one failure among two flows from looking like an outage */
    uint32_t failed = host->half_open + host->refused + host->unanswered;
    raw[HOST_ROLE_TARGET] = host->role == FEAT_TARGET;
    raw[HOST_FLOWS] = (float)flows;
    raw[HOST_PEERS] = (float)peers;
    raw[HOST_PORTS] = (float)ports;
    raw[HOST_PACKETS_OUT] = (float)host->packets_out;
    raw[HOST_PACKETS_IN] = (float)host->packets_in;
    raw[HOST_BYTES_OUT] = (float)host->bytes_out;
    raw[HOST_BYTES_IN] = (float)host->bytes_in;
    raw[HOST_HALF_OPEN] = (float)host->half_open;
    raw[HOST_REFUSED] = (float)host->refused;
    raw[HOST_UNANSWERED] = (float)host->unanswered;
    raw[HOST_HALF_OPEN_RATIO] = (float)(host->half_open / (host->tcp + 4.0));
    raw[HOST_FAILED_RATIO] = (float)(failed / (flows + 4));
    raw[HOST_PEERS_PER_FLOW] = (float)fmin(peers / flows, 1);
    raw[HOST_PORTS_PER_FLOW] = (float)fmin(ports / flows, 1);
    raw[HOST_FLOWS_PER_S] = (float)(flows / elapsed);
    raw[HOST_PACKETS_PER_S] = (float)(packets / elapsed);
    raw[HOST_PACKETS_PER_FLOW] = (float)(packets / flows);
    raw[HOST_SIZE_MEAN_OUT] =
        host->packets_out > 0 ? (float)((double)host->bytes_out / (double)host->packets_out) : 0;
    raw[HOST_BYTES_OUT_SHARE] = bytes > 0 ? (float)((double)host->bytes_out / bytes) : 0;
    raw[HOST_TCP_SHARE] = (float)(host->tcp / flows);
    raw[HOST_UDP_SHARE] = (float)(host->udp / flows);
    raw[HOST_ICMP_SHARE] = (float)(host->icmp / flows);
    raw[HOST_DNS_SHARE] = (float)(host->dns / flows);
    raw[HOST_SMALL_SHARE] = (float)(host->small / flows);
}

static void fill_row(const struct host *host, atl_ns now_ns, bool closed, struct feat_host_row *row)
{
    row->addr = host->addr;
    row->role = host->role;
    row->closed = closed;
    row->first_ns = host->first_ns;
    row->last_ns = host->last_ns;
    row->flows = host->flows;
    row->peers = (uint32_t)lround(distinct_count(&host->peers));
    row->packets = host->packets_out + host->packets_in;
    row->sample = host->sample;
    fill_raw(host, now_ns, row->raw);
}

uint32_t feat_hosts_take(struct feat_hosts *h, atl_ns now_ns, bool flush,
                         struct feat_host_row *rows, uint32_t n)
{
    if (now_ns > h->now_ns)
        h->now_ns = now_ns; /* a clock that steps back waits until time has caught up */
    uint32_t taken = 0;
    while (taken < n && h->by_look.head != NIL) {
        uint32_t i = h->by_look.head;
        struct host *host = &h->hosts[i];
        if (!flush && host->look_ns > h->now_ns)
            break;
        bool closed = flush || h->now_ns - host->window_ns >= h->cfg.window_ns;
        if (host->flows > 0 && (closed || host->flows != host->flows_looked))
            fill_row(host, h->now_ns, closed, &rows[taken++]);
        if (flush || (closed && host->flows == 0)) {
            drop(h, i);
            continue;
        }
        host->flows_looked = host->flows;
        if (closed)
            begin_window(h, host);
        host->look_ns = h->now_ns + h->cfg.step_ns;
        by_look_remove(h, i);
        by_look_append(h, i);
    }
    if (h->used == 0 && flush)
        h->now_ns = 0; /* the next file may be older than this one */
    return taken;
}

uint64_t feat_hosts_evicted(const struct feat_hosts *h)
{
    return h->evicted;
}

uint32_t feat_hosts_used(const struct feat_hosts *h)
{
    return h->used;
}
