/* SPDX-License-Identifier: Apache-2.0 */
/* toeplitz: the hash with which cards choose a queue. */
#ifndef DP_TOEPLITZ_PRIV_H
#define DP_TOEPLITZ_PRIV_H

#include "base/base.h"

/** An IPv6 tuple of 36 bytes, and the 32 bits behind its last. */
#define DP_TOEPLITZ_KEY_BYTES_MIN 40

/** A key that gives both directions of a flow the same hash. */
void dp_toeplitz_key(uint8_t *key, size_t bytes);
/** Microsoft's receive-side scaling hash. @param key  at least bytes + 4 long */
uint32_t dp_toeplitz(const uint8_t *key, const uint8_t *input, size_t bytes);
/**
 * Send made-up conversations over IPv4 and IPv6, with and without ports, both ways.
 * @param reta  queue of each bucket; reta_size is a power of two, or 0: each hash is a queue
 */
bool dp_toeplitz_is_symmetric(const uint8_t *key, size_t key_bytes, const uint16_t *reta,
                              size_t reta_size);

#endif
