/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/memory_priv.h"

#include <string.h>
#include <sys/mman.h>

void *dp_memory_map(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    /* Only a hint: without huge pages the tables work, with more TLB misses. */
    madvise(memory, bytes, MADV_HUGEPAGE);
    memset(memory, 0, bytes);
    return memory;
}

void dp_memory_unmap(void *memory, size_t bytes)
{
    if (memory != NULL)
        munmap(memory, bytes);
}
