/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every tracked (address, role) is in one hash chain and one first-in-first-out queue of looks. All
 * looks lie one step ahead of the moment they were queued, so the queue is sorted by itself; the
 * table's oldest activity is found through a second queue, moved to its end at each flow.
 */
#include "features/host_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* For each tracked host: pairs, clients' domains, and peers remembered. */
#define PAIRS_EACH 2
#define PEERS_EACH 16

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

#define DEFINE_QUEUE(field)                                               \
    static void field##_append(struct feat_hosts *h, uint32_t i)          \
    {                                                                     \
        *LINK(h, i, field) = (struct host_link){h->field.tail, HOST_NIL}; \
        if (h->field.tail != HOST_NIL)                                    \
            LINK(h, h->field.tail, field)->next = i;                      \
        else                                                              \
            h->field.head = i;                                            \
        h->field.tail = i;                                                \
    }                                                                     \
    static void field##_remove(struct feat_hosts *h, uint32_t i)          \
    {                                                                     \
        struct host_link l = *LINK(h, i, field);                          \
        if (l.prev != HOST_NIL)                                           \
            LINK(h, l.prev, field)->next = l.next;                        \
        else                                                              \
            h->field.head = l.next;                                       \
        if (l.next != HOST_NIL)                                           \
            LINK(h, l.next, field)->prev = l.prev;                        \
        else                                                              \
            h->field.tail = l.prev;                                       \
    }

DEFINE_QUEUE(by_look)
DEFINE_QUEUE(by_use)

/* --- life --- */

static uint32_t chains_for(uint32_t hosts_max)
{
    uint32_t n = 64;
    while (n < hosts_max)
        n *= 2;
    return n;
}

size_t feat_hosts_memory_bytes(const struct feat_host_config *cfg)
{
    uint32_t n = cfg->hosts_max;
    return sizeof(struct feat_hosts) + n * sizeof(struct host) + chains_for(n) * sizeof(uint32_t) +
           feat_pairs_bytes(PAIRS_EACH * n) + feat_dns_table_bytes(n) + feat_pasts_bytes(n) +
           feat_remember_bytes(PEERS_EACH * n);
}

static int create_tables(struct feat_hosts *h)
{
    uint32_t n = h->cfg.hosts_max, n_chains = chains_for(n);
    h->chain_mask = n_chains - 1;
    h->hosts = calloc(n, sizeof(*h->hosts));
    h->chains = malloc(n_chains * sizeof(*h->chains));
    if (h->hosts == NULL || h->chains == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < n_chains; i++)
        h->chains[i] = HOST_NIL;
    for (uint32_t i = 0; i < n; i++)
        h->hosts[i].chain = i + 1 < n ? i + 1 : HOST_NIL;
    int r = feat_pairs_init(&h->pairs, PAIRS_EACH * n, h->cfg.window_ns);
    if (r == 0)
        r = feat_pasts_init(&h->pasts, n, h->cfg.window_ns);
    if (r == 0)
        r = feat_dns_table_init(&h->domains, n);
    return r == 0 ? feat_remember_init(&h->known, PEERS_EACH * n) : r;
}

int feat_hosts_create(struct feat_hosts **ret_hosts, const struct feat_host_config *cfg)
{
    if (feat_host_config_check(cfg, NULL) < 0)
        return -EINVAL;
    struct feat_hosts *h = calloc(1, sizeof(*h));
    if (h == NULL)
        return -ENOMEM;
    h->cfg = *cfg;
    h->slice_ns = cfg->window_ns / HOST_SLICES;
    h->by_look = h->by_use = (struct host_queue){HOST_NIL, HOST_NIL};
    if (cfg->seed == 0)
        atl_hash_key_init(&h->key);
    else
        h->key = (struct atl_hash_key){cfg->seed, ~cfg->seed};
    int r = create_tables(h);
    if (r < 0) {
        feat_hosts_destroy(h);
        return r;
    }
    *ret_hosts = h;
    return 0;
}

void feat_hosts_destroy(struct feat_hosts *h)
{
    if (h == NULL)
        return;
    feat_pairs_finish(&h->pairs);
    feat_pasts_finish(&h->pasts);
    feat_dns_table_finish(&h->domains);
    feat_remember_finish(&h->known);
    free(h->hosts);
    free(h->chains);
    free(h);
}

/* --- the table --- */

static uint32_t *chain_of(struct feat_hosts *h, const struct dp_addr *addr, uint8_t role)
{
    uint64_t hash = atl_hash(&h->key, addr->bytes, sizeof(addr->bytes));
    return &h->chains[(hash ^ (role * 0x9e3779b9U)) & h->chain_mask];
}

void feat_host_drop(struct feat_hosts *h, uint32_t i)
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

static uint32_t slice_of(const struct feat_hosts *h)
{
    return (uint32_t)(h->now_ns / h->slice_ns);
}

void feat_host_turn(const struct feat_hosts *h, struct host *host)
{
    uint32_t slice = slice_of(h), steps = slice - host->slice;
    if (steps == 0)
        return;
    for (uint32_t i = 0; i < steps && i < SKETCH_AGES; i++)
        memset(&host->slices[(slice - i) % SKETCH_AGES], 0, sizeof(host->slices[0]));
    feat_sketch_turn(&host->peers, slice, steps);
    feat_sketch_turn(&host->ports, slice, steps);
    host->slice = slice;
}

static struct host *make(struct feat_hosts *h, uint32_t *chain, const struct dp_addr *addr,
                         uint8_t role)
{
    if (h->free == HOST_NIL) {
        /* another entry may have been the head of this very chain; the chain's place stays */
        feat_host_drop(h, h->by_use.head);
        h->evicted++;
    }
    uint32_t i = h->free;
    struct host *host = &h->hosts[i];
    h->free = host->chain;
    h->used++;
    memset(host, 0, sizeof(*host));
    host->addr = *addr;
    host->role = role;
    host->chain = *chain;
    *chain = i;
    host->look_ns = h->now_ns + h->cfg.step_ns;
    host->born_ns = h->now_ns;
    host->slice = slice_of(h);
    host->closed = host->slice / HOST_SLICES;
    by_look_append(h, i);
    by_use_append(h, i);
    return host;
}

struct host *feat_host_find(struct feat_hosts *h, const struct dp_addr *addr, uint8_t role,
                            bool absent_too)
{
    uint32_t *chain = chain_of(h, addr, role);
    for (uint32_t i = *chain; i != HOST_NIL; i = h->hosts[i].chain) {
        struct host *host = &h->hosts[i];
        if (host->role == role && memcmp(&host->addr, addr, sizeof(*addr)) == 0) {
            by_use_remove(h, i);
            by_use_append(h, i);
            feat_host_turn(h, host);
            return host;
        }
    }
    return absent_too ? make(h, chain, addr, role) : NULL;
}

void feat_host_requeue(struct feat_hosts *h, uint32_t i)
{
    h->hosts[i].look_ns = h->now_ns + h->cfg.step_ns;
    by_look_remove(h, i);
    by_look_append(h, i);
}

uint64_t feat_hosts_evicted(const struct feat_hosts *h)
{
    return h->evicted;
}

uint32_t feat_hosts_used(const struct feat_hosts *h)
{
    return h->used;
}
