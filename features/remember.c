/* SPDX-License-Identifier: Apache-2.0 */
#include "features/remember_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LINE_WORDS  8
#define LINE_THINGS 32 /* 16 bits each */
#define BITS        4  /* set for each thing */
#define LASTS_NS    (43200 * ATL_NS_PER_S)

static uint32_t lines_for(uint32_t things)
{
    uint32_t lines = 1;
    while (lines < things / LINE_THINGS)
        lines *= 2;
    return lines;
}

size_t feat_remember_bytes(uint32_t things)
{
    return 2 * (size_t)lines_for(things) * LINE_WORDS * sizeof(uint64_t);
}

int feat_remember_init(struct remember *r, uint32_t things)
{
    *r = (struct remember){.lines = lines_for(things)};
    for (int i = 0; i < 2; i++) {
        r->bits[i] = calloc(r->lines, LINE_WORDS * sizeof(uint64_t));
        if (r->bits[i] == NULL)
            return -ENOMEM;
    }
    return 0;
}

void feat_remember_finish(struct remember *r)
{
    free(r->bits[0]);
    free(r->bits[1]);
}

static bool holds(const uint64_t *line, const uint64_t mask[LINE_WORDS])
{
    uint64_t missing = 0;
    for (int i = 0; i < LINE_WORDS; i++)
        missing |= mask[i] & ~line[i];
    return missing == 0;
}

static void turn(struct remember *r, atl_ns now_ns)
{
    bool full = r->held >= r->lines * LINE_THINGS;
    /* a clock that begins anew begins a new half day */
    if (r->began_ns == 0 || now_ns < r->began_ns)
        r->began_ns = now_ns;
    if (!full && now_ns - r->began_ns < LASTS_NS)
        return;
    uint64_t *elder = r->bits[1];
    r->bits[1] = r->bits[0];
    r->bits[0] = elder;
    memset(elder, 0, r->lines * LINE_WORDS * sizeof(uint64_t));
    r->held = 0;
    r->began_ns = now_ns;
}

bool feat_remember_add(struct remember *r, uint64_t hash, atl_ns now_ns)
{
    turn(r, now_ns);
    uint64_t mask[LINE_WORDS] = {0}, low = hash;
    size_t at = (size_t)(hash >> 40 & (r->lines - 1)) * LINE_WORDS;
    for (int i = 0; i < BITS; i++, low >>= 9)
        mask[low >> 6 & (LINE_WORDS - 1)] |= UINT64_C(1) << (low & 63);
    if (holds(&r->bits[0][at], mask))
        return true;
    bool known = holds(&r->bits[1][at], mask);
    for (int i = 0; i < LINE_WORDS; i++)
        r->bits[0][at + (size_t)i] |= mask[i];
    r->held++;
    return known;
}
