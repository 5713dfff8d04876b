/* SPDX-License-Identifier: Apache-2.0 */
#include "fedsync/chunk_priv.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

struct fed_assembler {
    uint8_t whole[FED_HASH_BYTES];
    uint32_t total;
    uint64_t have;
    uint8_t data[];
};

_Static_assert(FED_PARAMS_MAX * sizeof(float) <= FED_UPDATE_BYTES_MAX, "64 bits name every piece");

void fed_hash(uint8_t out[FED_HASH_BYTES], const uint8_t *data, size_t bytes)
{
    crypto_generichash(out, FED_HASH_BYTES, data, bytes, NULL, 0);
}

uint32_t fed_chunk_count(uint32_t total)
{
    return (total + FED_CHUNK_BYTES - 1) / FED_CHUNK_BYTES;
}

uint32_t fed_chunk_bytes(uint32_t total, uint64_t index)
{
    if (index >= fed_chunk_count(total))
        return 0;
    uint32_t left = total - (uint32_t)index * FED_CHUNK_BYTES;
    return left < FED_CHUNK_BYTES ? left : FED_CHUNK_BYTES;
}

uint64_t fed_chunk_mask(uint32_t total)
{
    return UINT64_MAX >> (64 - fed_chunk_count(total));
}

int fed_assembler_create(struct fed_assembler **ret_assembler, uint32_t total,
                         const uint8_t whole[FED_HASH_BYTES])
{
    if (total == 0 || total > FED_UPDATE_BYTES_MAX)
        return -EINVAL;
    struct fed_assembler *a = malloc(sizeof(*a) + total);
    if (a == NULL)
        return -ENOMEM;
    memcpy(a->whole, whole, sizeof(a->whole));
    a->total = total;
    a->have = 0;
    *ret_assembler = a;
    return 0;
}

void fed_assembler_destroy(struct fed_assembler *assembler)
{
    free(assembler);
}

int fed_assembler_add(struct fed_assembler *assembler, uint64_t index, const uint8_t *data,
                      size_t bytes)
{
    /* A length of 0 is what fed_chunk_bytes says past the end, so index < 64 below. */
    if (bytes == 0 || bytes != fed_chunk_bytes(assembler->total, index))
        return -EINVAL;
    uint64_t bit = UINT64_C(1) << index;
    if ((assembler->have & bit) != 0)
        return -EALREADY;
    memcpy(assembler->data + index * FED_CHUNK_BYTES, data, bytes);
    assembler->have |= bit;
    return 0;
}

uint64_t fed_assembler_have(const struct fed_assembler *assembler)
{
    return assembler->have;
}

uint32_t fed_assembler_total(const struct fed_assembler *assembler)
{
    return assembler->total;
}

const uint8_t *fed_assembler_whole(const struct fed_assembler *assembler)
{
    return assembler->whole;
}

int fed_assembler_join(const struct fed_assembler *assembler, const uint8_t **ret_data)
{
    uint8_t hash[FED_HASH_BYTES];
    if (assembler->have != fed_chunk_mask(assembler->total))
        return -EAGAIN;
    fed_hash(hash, assembler->data, assembler->total);
    if (memcmp(hash, assembler->whole, sizeof(hash)) != 0)
        return -EBADMSG;
    *ret_data = assembler->data;
    return 0;
}
