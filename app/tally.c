/* SPDX-License-Identifier: Apache-2.0 */
#include "app/tally_priv.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WAYS 8

struct tally {
    struct atl_hash_key key;
    double risk;
    struct tally_entry entries[TALLY_ENTRIES];
};

int tally_create(struct tally **ret_tally, double risk)
{
    struct tally *t = calloc(1, sizeof(*t));
    if (t == NULL)
        return -ENOMEM;
    atl_hash_key_init(&t->key);
    t->risk = risk;
    *ret_tally = t;
    return 0;
}

void tally_destroy(struct tally *tally)
{
    free(tally);
}

/* The source's own entry, or the least interesting one of its set. */
static struct tally_entry *find(struct tally *t, const struct dp_addr *addr)
{
    uint64_t hash = atl_hash(&t->key, addr->bytes, sizeof(addr->bytes));
    struct tally_entry *set = &t->entries[hash % (TALLY_ENTRIES / WAYS) * WAYS], *victim = set;
    for (int i = 0; i < WAYS; i++) {
        if (set[i].flows > 0 && memcmp(&set[i].addr, addr, sizeof(*addr)) == 0)
            return &set[i];
        if (set[i].unusual < victim->unusual ||
            (set[i].unusual == victim->unusual && set[i].flows < victim->flows))
            victim = &set[i];
    }
    memset(victim, 0, sizeof(*victim));
    victim->addr = *addr;
    return victim;
}

struct tally_entry *tally_add(struct tally *t, const struct dp_flow *flow, bool unusual,
                              float score)
{
    struct tally_entry *e = find(t, &flow->src);
    e->flows++;
    if (!unusual)
        return NULL;
    bool again = e->unusual > 0 && memcmp(&e->last_dst, &flow->dst, sizeof(flow->dst)) == 0;
    e->last_dst = flow->dst;
    if (e->unusual == 0 || flow->first_ns < e->first_ns)
        e->first_ns = flow->first_ns;
    if (flow->last_ns > e->last_ns)
        e->last_ns = flow->last_ns;
    e->unusual += !again;
    if (score <= e->worst)
        return NULL;
    e->worst = score;
    e->sample = *flow;
    return e;
}

/* P(X ≥ k) ≤ exp(-n·KL(k/n ‖ r)) for a binomial X and k/n > r (Hoeffding 1963, theorem 1). */
double tally_p_value(const struct tally *t, const struct tally_entry *e)
{
    double n = e->flows, share = e->unusual / n, r = t->risk;
    if (share <= r)
        return 1;
    double kl = share * log(share / r);
    if (share < 1)
        kl += (1 - share) * log((1 - share) / (1 - r));
    return exp(-n * kl);
}

struct tally_entry *tally_next(struct tally *t, uint32_t *at)
{
    while (*at < TALLY_ENTRIES) {
        struct tally_entry *e = &t->entries[(*at)++];
        if (e->flows > 0)
            return e;
    }
    return NULL;
}

void tally_clear(struct tally *t)
{
    memset(t->entries, 0, sizeof(t->entries));
}
