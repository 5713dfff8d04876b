/* SPDX-License-Identifier: Apache-2.0 */
/* memory: big tables that are there from the start, so that no packet waits for a page fault. */
#ifndef DP_MEMORY_PRIV_H
#define DP_MEMORY_PRIV_H

#include <stddef.h>

/** Zeroed, page-aligned, already backed; huge pages where the kernel gives them. NULL: no memory */
void *dp_memory_map(size_t bytes);
void dp_memory_unmap(void *memory, size_t bytes); /* NULL is fine */

#endif
