/* SPDX-License-Identifier: Apache-2.0 */
#include "fedsync/cohort_priv.h"

#include "fedsync/chunk_priv.h"
#include "fedsync/encoding_priv.h"

#include <stdlib.h>
#include <string.h>

uint64_t fed_cohort_lot(const char *federation, uint64_t epoch, uint64_t round, const char *edge)
{
    static const char purpose[] = "cohort";
    uint8_t text[32 + sizeof(purpose)], hash[FED_HASH_BYTES];
    fed_encoding_key(text, federation, epoch, round, edge);
    memcpy(text + 32, purpose, sizeof(purpose));
    fed_hash(hash, text, sizeof(text));
    uint64_t lot = 0;
    for (size_t i = 0; i < sizeof(lot); i++)
        lot |= (uint64_t)hash[i] << (8 * i);
    return lot;
}

static int compare(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return a < b ? -1 : a > b;
}

uint64_t fed_cohort_limit(uint64_t *lots, uint32_t n, uint32_t wanted)
{
    if (wanted == 0 || wanted >= n)
        return FED_COHORT_ALL;
    qsort(lots, n, sizeof(*lots), compare);
    return lots[wanted - 1];
}
