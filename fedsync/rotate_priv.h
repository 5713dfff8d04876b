/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A random rotation of a vector of any length: Hadamard transforms behind random signs, over the
 * longest power of two from the front and then from the back, so that each entry is mixed with at
 * least half of the others and nothing is padded.
 */
#ifndef FED_ROTATE_PRIV_H
#define FED_ROTATE_PRIV_H

#include "base/base.h"

/** In place. @return 0, -ENOMEM */
int fed_rotate(float *x, uint32_t n, const uint8_t key[32]);
/** The inverse. */
int fed_unrotate(float *x, uint32_t n, const uint8_t key[32]);

#endif
