/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An update as bytes. docs/reference/wire.md is the specification.
 *
 *   float32   32 bits a value
 *   int8      blocks of 256: a float32 scale, then values -127 … 127
 *   rotated4  4 bits a value: a random rotation that every entry of the vector takes part in makes
 *             the entries nearly normal, each is rounded to the best 16 levels for a normal
 *             variable, one float32 scale makes the whole unbiased (Vargaftik et al. 2022, EDEN,
 *             arXiv:2108.08842)
 *
 * Any of them is squeezed by zstd where that makes it shorter: the length tells. All of this is
 * post-processing of what was noised: it costs no privacy.
 */
#ifndef FED_ENCODING_PRIV_H
#define FED_ENCODING_PRIV_H

#include "fedsync/fedsync.h"

/** No encoding needs more room. */
#define FED_ENCODING_ROOM(n) (4 * (size_t)(n) + 4)

/** Bytes of n values before zstd. */
uint32_t fed_encoding_bytes(enum fed_encoding encoding, uint32_t n);

/** The rotation's key: public, another one for each update. */
void fed_encoding_key(uint8_t key[32], const char *federation, uint64_t epoch, uint64_t round,
                      const char *edge);

/**
 * @param values  finite
 * @param out     fed_encoding_bytes
 * @return how many were written, or -ENOMEM
 */
int64_t fed_encode(enum fed_encoding encoding, const float *values, uint32_t n,
                   const uint8_t key[32], uint8_t *out);

/** @return 0, -EBADMSG (not what fed_encode writes), -EDOM (a value is not finite), -ENOMEM */
int fed_decode(enum fed_encoding encoding, const uint8_t *data, size_t bytes, uint32_t n,
               const uint8_t key[32], float *out);

#endif
