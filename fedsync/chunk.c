/* SPDX-License-Identifier: Apache-2.0 */
#include "fedsync/chunk_priv.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

struct fed_assembler {
    uint8_t whole[FED_HASH_BYTES];
    uint32_t params;
    uint64_t have;
    uint8_t data[];
};

_Static_assert(FED_CHUNK_BYTES % sizeof(float) == 0, "no float is cut in two");
_Static_assert(FED_PARAMS_MAX / 64 * sizeof(float) == FED_CHUNK_BYTES, "64 bits name every piece");

void fed_hash(uint8_t out[FED_HASH_BYTES], const uint8_t *data, size_t bytes)
{
    crypto_generichash(out, FED_HASH_BYTES, data, bytes, NULL, 0);
}

static uint32_t total_bytes(uint32_t params)
{
    return params * (uint32_t)sizeof(float);
}

uint32_t fed_chunk_count(uint32_t params)
{
    return (total_bytes(params) + FED_CHUNK_BYTES - 1) / FED_CHUNK_BYTES;
}

uint32_t fed_chunk_bytes(uint32_t params, uint64_t index)
{
    if (index >= fed_chunk_count(params))
        return 0;
    uint32_t left = total_bytes(params) - (uint32_t)index * FED_CHUNK_BYTES;
    return left < FED_CHUNK_BYTES ? left : FED_CHUNK_BYTES;
}

uint64_t fed_chunk_mask(uint32_t params)
{
    return UINT64_MAX >> (64 - fed_chunk_count(params));
}

int fed_assembler_create(struct fed_assembler **ret_assembler, uint32_t params,
                         const uint8_t whole[FED_HASH_BYTES])
{
    if (params == 0 || params > FED_PARAMS_MAX)
        return -EINVAL;
    struct fed_assembler *a = malloc(sizeof(*a) + total_bytes(params));
    if (a == NULL)
        return -ENOMEM;
    memcpy(a->whole, whole, sizeof(a->whole));
    a->params = params;
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
    if (bytes == 0 || bytes != fed_chunk_bytes(assembler->params, index))
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

const uint8_t *fed_assembler_whole(const struct fed_assembler *assembler)
{
    return assembler->whole;
}

int fed_assembler_join(const struct fed_assembler *assembler, const uint8_t **ret_data)
{
    uint8_t hash[FED_HASH_BYTES];
    if (assembler->have != fed_chunk_mask(assembler->params))
        return -EAGAIN;
    fed_hash(hash, assembler->data, total_bytes(assembler->params));
    if (memcmp(hash, assembler->whole, sizeof(hash)) != 0)
        return -EBADMSG;
    *ret_data = assembler->data;
    return 0;
}
