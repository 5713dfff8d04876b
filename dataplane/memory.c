/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/memory_priv.h"

#include <sys/mman.h>

enum { PAGE_BYTES = 4096 }; /* the smallest there are */

void *dp_memory_map(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    /* Only a hint: without huge pages the tables work, with more TLB misses. */
    madvise(memory, bytes, MADV_HUGEPAGE);
    /* It is zero already; what has been touched once is there to stay. */
    for (size_t at = 0; at < bytes; at += PAGE_BYTES)
        ((volatile char *)memory)[at] = 0;
    return memory;
}

void dp_memory_unmap(void *memory, size_t bytes)
{
    if (memory != NULL)
        munmap(memory, bytes);
}
