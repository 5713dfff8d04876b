/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/peer.h"

#include <sys/mman.h>

#include <rte_eal.h>
#include <rte_hash.h>
#include <rte_hash_crc.h>
#include <rte_memory.h>

static struct rte_hash *table;
static bool started;

/* The pages that our own table gets, too. */
static int ask_for_huge(const struct rte_memseg_list *list, void *arg)
{
    (void)arg;
    madvise(list->base_va, list->len, MADV_HUGEPAGE);
    return 0;
}

void bench_rte_start(char *program)
{
    char words[][16] = {"--no-huge", "-m", "1536",           "--no-shconf",  "--no-pci",
                        "-l",        "0",  "--no-telemetry", "--log-level=1"};
    enum { WORDS = sizeof(words) / sizeof(words[0]) };
    char *argv[WORDS + 1] = {program};
    for (int i = 0; i < WORDS; i++)
        argv[i + 1] = words[i];
    started = rte_eal_init(WORDS + 1, argv) >= 0;
    if (started)
        rte_memseg_list_walk(ask_for_huge, NULL);
}

bool bench_rte_create(uint32_t entries, uint32_t key_bytes)
{
    struct rte_hash_parameters parameters = {
        .name = "bench",
        .entries = entries + entries / 4,
        .key_len = key_bytes,
        .hash_func = rte_hash_crc,
    };
    table = started ? rte_hash_create(&parameters) : NULL;
    return table != NULL;
}

void bench_rte_add(const void *key)
{
    rte_hash_add_key(table, key);
}

uint32_t bench_rte_lookup(const void **keys, uint32_t n)
{
    int32_t positions[32];
    uint32_t found = 0;
    rte_hash_lookup_bulk(table, keys, n, positions);
    for (uint32_t i = 0; i < n; i++)
        found += positions[i] >= 0;
    return found;
}

void bench_rte_destroy(void)
{
    rte_hash_free(table);
    table = NULL;
}
