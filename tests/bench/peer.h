/* SPDX-License-Identifier: Apache-2.0 */
/* peer: DPDK's table, to be measured beside ours; without DPDK it cannot be created. */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#include <stdbool.h>
#include <stdint.h>

/** Once, before anything else. */
void bench_rte_start(char *program);
bool bench_rte_create(uint32_t entries, uint32_t key_bytes);
void bench_rte_add(const void *key);
/** @return how many of n ≤ 32 keys are there */
uint32_t bench_rte_lookup(const void **keys, uint32_t n);
void bench_rte_destroy(void);

#endif
