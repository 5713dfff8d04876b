/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flow_match: which ways of a bucket may hold a flow.
 *
 * A bucket is one cache line: ten tags of 16 hash bits, compared at once, and where the ten entries
 * are. The last word says which of them are on probation, so that a victim is found without a look
 * at the entries.
 */
#ifndef DP_FLOW_MATCH_PRIV_H
#define DP_FLOW_MATCH_PRIV_H

#include <assert.h>

#include "base/base.h"

#define DP_BUCKET_WAYS 10
#define DP_BUCKET_ALL  ((1U << DP_BUCKET_WAYS) - 1)

struct dp_bucket {
    _Alignas(ATL_CACHE_LINE_BYTES) uint16_t tag[DP_BUCKET_WAYS]; /* 0 = empty */
    uint32_t ref[DP_BUCKET_WAYS];                                /* entry number */
    uint32_t probation;                                          /* bit n: way n */
};

static_assert(sizeof(struct dp_bucket) == ATL_CACHE_LINE_BYTES, "one line");

/**
 * For each of n tags the ways of its bucket that carry it.
 * @param bucket    bucket numbers
 * @param ret_ways  bit w of element i: way w of bucket[i] carries tag[i]
 */
typedef void (*dp_match_kernel)(const struct dp_bucket *buckets, const uint32_t *bucket,
                                const uint16_t *tag, uint16_t *ret_ways, uint32_t n);

struct dp_match_choice {
    const char *name;
    bool (*usable)(void);
    dp_match_kernel burst;
};

/** Best first; the last is plain C and always usable. NULL beyond it. */
const struct dp_match_choice *dp_match_choice(size_t i);

/** The best that this processor can do. */
const struct dp_match_choice *dp_match_best(void);

/** The reference, and what single look-ups outside of bursts use. */
static inline unsigned dp_match_one(const struct dp_bucket *b, uint16_t tag)
{
    unsigned ways = 0;
    for (unsigned i = 0; i < DP_BUCKET_WAYS; i++)
        ways |= (unsigned)(b->tag[i] == tag) << i;
    return ways;
}

#endif
