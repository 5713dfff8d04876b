/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cursor: the only code that touches packet bytes.
 *
 * A header is taken whole or not at all; its fields are then read at constant offsets below the
 * size that was taken.
 */
#ifndef DP_CURSOR_PRIV_H
#define DP_CURSOR_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dp_cursor {
    const uint8_t *at, *end; /* at ≤ end */
};

static inline size_t dp_left(const struct dp_cursor *c)
{
    return (size_t)(c->end - c->at);
}

static inline bool dp_take(struct dp_cursor *c, size_t n, const uint8_t **ret_p)
{
    if (dp_left(c) < n)
        return false;
    *ret_p = c->at;
    c->at += n;
    return true;
}

static inline bool dp_skip(struct dp_cursor *c, size_t n)
{
    const uint8_t *ignored;
    return dp_take(c, n, &ignored);
}

/** Forget what lies more than n bytes ahead, e.g. Ethernet padding behind an IP packet. */
static inline void dp_limit(struct dp_cursor *c, size_t n)
{
    if (n < dp_left(c))
        c->end = c->at + n;
}

static inline uint16_t dp_be16(const uint8_t *p)
{
    return (uint16_t)((unsigned)p[0] << 8 | p[1]);
}

static inline uint32_t dp_be32(const uint8_t *p)
{
    return (uint32_t)dp_be16(p) << 16 | dp_be16(p + 2);
}

#endif
