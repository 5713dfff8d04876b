/* SPDX-License-Identifier: Apache-2.0 */
#include "learner/shuffle_priv.h"

#define ROUNDS 4

void learn_shuffle_init(struct learn_shuffle *shuffle, uint32_t n, uint64_t key)
{
    uint32_t half_bits = 1;
    while (half_bits < 16 && (1ULL << (2 * half_bits)) < n)
        half_bits++;
    *shuffle = (struct learn_shuffle){.key = key, .n = n, .half_bits = half_bits};
}

/* The finaliser of MurmurHash3 (Appleby): cheap and mixes every bit. */
static uint64_t mix(uint64_t v)
{
    v = (v ^ (v >> 33)) * 0xff51afd7ed558ccdULL;
    v = (v ^ (v >> 33)) * 0xc4ceb9fe1a85ec53ULL;
    return v ^ (v >> 33);
}

/* A Feistel network permutes 0 … 4^half_bits - 1 whatever its round function. */
static uint64_t permute(const struct learn_shuffle *shuffle, uint64_t v)
{
    uint64_t mask = (1ULL << shuffle->half_bits) - 1;
    uint64_t left = v >> shuffle->half_bits, right = v & mask;
    for (uint64_t round = 0; round < ROUNDS; round++) {
        uint64_t next = left ^ (mix(shuffle->key ^ (round << 56) ^ right) & mask);
        left = right;
        right = next;
    }
    return left << shuffle->half_bits | right;
}

uint32_t learn_shuffle_at(const struct learn_shuffle *shuffle, uint32_t i)
{
    /* Walk the cycle until back below n. It ends: i itself lies on the cycle. On average at most
     * four rounds, since the domain is at most 4·n wide (n = 1 aside: 4). */
    uint64_t v = permute(shuffle, i);
    while (v >= shuffle->n)
        v = permute(shuffle, v);
    return (uint32_t)v;
}
