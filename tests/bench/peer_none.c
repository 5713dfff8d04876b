/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/peer.h"

void bench_rte_start(char *program)
{
    (void)program;
}

bool bench_rte_create(uint32_t entries, uint32_t key_bytes)
{
    (void)entries;
    (void)key_bytes;
    return false;
}

void bench_rte_add(const void *key)
{
    (void)key;
}

uint32_t bench_rte_lookup(const void **keys, uint32_t n)
{
    (void)keys;
    (void)n;
    return 0;
}

void bench_rte_destroy(void)
{
}
