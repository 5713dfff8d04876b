/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flow_hash: from a flow key to 64 bits that traffic cannot steer.
 *
 * Where the processor has AES rounds each of the key's three blocks goes through three of them
 * under secret round keys, the blocks are added together by exclusive or, and three more rounds
 * follow. That is no proven PRF. What it has to withstand is a sender who picks tuples, never sees
 * a hash value and wants many of them in the same two buckets: within one block three rounds leave
 * no difference that survives with a probability worth trying, unlike a CRC or Toeplitz hash, whose
 * collisions do not depend on the secret at all. Elsewhere it is SipHash-1-3 (atl_hash). And behind
 * the hash stands the table: a bucket holds ten entries, whatever lands in it.
 */
#ifndef DP_FLOW_HASH_PRIV_H
#define DP_FLOW_HASH_PRIV_H

#include "dataplane/flow_key_priv.h"

enum { DP_HASH_BLOCKS = 3, DP_HASH_ROUNDS = 6 };

struct dp_hash;

/** Hash n keys; keys lie stride bytes apart, and so do the results. */
typedef void (*dp_hash_kernel)(const struct dp_hash *h, const struct dp_key *keys,
                               uint64_t *ret_hashes, size_t stride, uint32_t n);

struct dp_hash {
    _Alignas(16) uint8_t rounds[DP_HASH_BLOCKS + DP_HASH_ROUNDS][16]; /* secret */
    struct atl_hash_key key;
    dp_hash_kernel burst;
    const char *name;
};

/** One way to compute it. */
struct dp_hash_choice {
    const char *name;
    bool (*usable)(void);
    dp_hash_kernel burst;
};

/** Best first; the last is plain C and always usable. NULL beyond it. */
const struct dp_hash_choice *dp_hash_choice(size_t i);

/** @param choice  NULL: the best that this processor can do */
void dp_hash_init(struct dp_hash *h, const struct atl_hash_key *key,
                  const struct dp_hash_choice *choice);

static inline uint64_t dp_hash_one(const struct dp_hash *h, const struct dp_key *key)
{
    uint64_t hash;
    h->burst(h, key, &hash, 0, 1);
    return hash;
}

#endif
