/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host_dns: what one client asks about one base domain in a sliding window, from the dataplane's
 * reports. Fixed memory, sets of eight; who was silent longest gives way. Known by a hash alone.
 */
#ifndef FEAT_HOST_DNS_PRIV_H
#define FEAT_HOST_DNS_PRIV_H

#include "features/sketch_priv.h"

struct host_dns {
    float names;      /* distinct below this base domain, estimated */
    float name_bytes; /* mean length */
    float entropy;    /* mean, bits a byte */
    float odd_share;  /* of types other than A and AAAA */
    float queries;
};

struct dns_entry {
    uint64_t id;                                    /* 0 = free */
    uint32_t slice;                                 /* of the latest report */
    float queries, named, name_bytes, entropy, odd; /* older slices count half of the next */
    struct dp_distinct names[SKETCH_AGES];
};

struct dns_table {
    struct dns_entry *set;
    uint32_t sets; /* power of two */
};

/** @return 0, -ENOMEM */
int feat_dns_table_init(struct dns_table *table, uint32_t entries_max);
void feat_dns_table_finish(struct dns_table *table); /* zeroed is fine */
size_t feat_dns_table_bytes(uint32_t entries_max);
/** @param client  hash of the client's address, keyed  @return the window's figures */
struct host_dns feat_dns_table_add(struct dns_table *table, uint64_t client, uint32_t slice,
                                   const struct dp_domain *report);

#endif
