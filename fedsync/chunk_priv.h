/* SPDX-License-Identifier: Apache-2.0 */
/* An update in pieces: cut by position, put together in any order, proven by one hash. */
#ifndef FED_CHUNK_PRIV_H
#define FED_CHUNK_PRIV_H

#include "fedsync/fedsync.h"

#define FED_HASH_BYTES 32U

/** BLAKE2b-256. */
void fed_hash(uint8_t out[FED_HASH_BYTES], const uint8_t *data, size_t bytes);

#define FED_UPDATE_BYTES_MAX (64U * FED_CHUNK_BYTES)

/** 1 … 64 pieces for 1 … FED_UPDATE_BYTES_MAX bytes. */
uint32_t fed_chunk_count(uint32_t total);
/** Bytes of piece `index`; 0 past the end. All but the last have FED_CHUNK_BYTES. */
uint32_t fed_chunk_bytes(uint32_t total, uint64_t index);
/** One bit for every piece. */
uint64_t fed_chunk_mask(uint32_t total);

struct fed_assembler;
/** Takes the total at once and never more. @return 0, -EINVAL, -ENOMEM */
int fed_assembler_create(struct fed_assembler **ret_assembler, uint32_t total,
                         const uint8_t whole[FED_HASH_BYTES]);
void fed_assembler_destroy(struct fed_assembler *assembler);
/** @return 0, -EALREADY (had this piece; the first one stays), -EINVAL (index or length) */
int fed_assembler_add(struct fed_assembler *assembler, uint64_t index, const uint8_t *data,
                      size_t bytes);
uint64_t fed_assembler_have(const struct fed_assembler *assembler);
uint32_t fed_assembler_total(const struct fed_assembler *assembler);
const uint8_t *fed_assembler_whole(const struct fed_assembler *assembler);
/** The joined bytes, valid until destroy. @return 0, -EAGAIN (pieces missing), -EBADMSG (hash) */
int fed_assembler_join(const struct fed_assembler *assembler, const uint8_t **ret_data);

#endif
