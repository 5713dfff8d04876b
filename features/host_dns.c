/* SPDX-License-Identifier: Apache-2.0 */
#include "features/host_dns_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "features/sets_priv.h"

size_t feat_dns_table_bytes(uint32_t entries_max)
{
    return (size_t)feat_sets_for(entries_max) * FEAT_WAYS * sizeof(struct dns_entry);
}

int feat_dns_table_init(struct dns_table *t, uint32_t entries_max)
{
    t->sets = feat_sets_for(entries_max);
    t->set = calloc(t->sets, FEAT_WAYS * sizeof(*t->set));
    return t->set != NULL ? 0 : -ENOMEM;
}

void feat_dns_table_finish(struct dns_table *t)
{
    free(t->set);
}

static struct dns_entry *find(struct dns_table *t, uint64_t id, uint32_t slice)
{
    struct dns_entry *set = &t->set[(id & (t->sets - 1)) * FEAT_WAYS], *oldest = set;
    for (int i = 0; i < FEAT_WAYS; i++) {
        if (set[i].id == id)
            return &set[i];
        if (set[i].id == 0 || slice - set[i].slice > slice - oldest->slice)
            oldest = &set[i];
        if (set[i].id == 0)
            break;
    }
    memset(oldest, 0, sizeof(*oldest));
    oldest->id = id;
    oldest->slice = slice;
    return oldest;
}

static void turn(struct dns_entry *e, uint32_t slice)
{
    uint32_t steps = slice - e->slice;
    for (uint32_t i = 0; i < steps && i < SKETCH_AGES; i++) {
        memset(&e->names[(slice - i) % SKETCH_AGES], 0, sizeof(e->names[0]));
        e->queries /= 2;
        e->named /= 2;
        e->name_bytes /= 2;
        e->entropy /= 2;
        e->odd /= 2;
    }
    if (steps >= SKETCH_AGES)
        e->queries = e->named = e->name_bytes = e->entropy = e->odd = 0;
    e->slice = slice;
}

static struct host_dns figures(const struct dns_entry *e)
{
    const struct dp_distinct *slices[SKETCH_AGES];
    for (uint32_t i = 0; i < SKETCH_AGES; i++)
        slices[i] = &e->names[i];
    float named = e->named > 0 ? e->named : 1;
    return (struct host_dns){
        .names = (float)feat_sketch_distinct(slices, SKETCH_AGES),
        .name_bytes = e->name_bytes / named,
        .entropy = e->entropy / named,
        .odd_share = e->odd / named,
        .queries = e->queries,
    };
}

struct host_dns feat_dns_table_add(struct dns_table *t, uint64_t client, uint32_t slice,
                                   const struct dp_domain *r)
{
    uint64_t id = client ^ r->domain;
    struct dns_entry *e = find(t, id + (id == 0), slice);
    turn(e, slice);
    feat_sketch_merge(&e->names[slice % SKETCH_AGES], &r->names);
    e->queries += (float)r->queries;
    e->named += (float)r->named;
    e->name_bytes += (float)r->name_bytes;
    e->entropy += (float)r->entropy / 256;
    e->odd += (float)(r->named - r->types[DP_DNS_ADDRESS]);
    return figures(e);
}
