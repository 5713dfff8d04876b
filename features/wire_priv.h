/* SPDX-License-Identifier: Apache-2.0 */
/* A bounded writer of big-endian numbers: what does not fit is not written and sets `full`. */
#ifndef FEAT_WIRE_PRIV_H
#define FEAT_WIRE_PRIV_H

#include "base/base.h"

#include <string.h>

struct feat_wire {
    uint8_t *out;
    size_t room, length; /* length ≤ room */
    bool full;
};

static inline uint8_t *feat_wire_take(struct feat_wire *w, size_t n)
{
    if (ATL_UNLIKELY(w->room - w->length < n)) {
        w->full = true;
        return NULL;
    }
    w->length += n;
    return w->out + w->length - n;
}

/** The lowest `bytes` (1 … 8) bytes of v. */
static inline void feat_wire_uint(struct feat_wire *w, uint64_t v, size_t bytes)
{
    uint8_t *at = feat_wire_take(w, bytes);
    for (size_t i = bytes; at != NULL && i > 0; i--, v >>= 8)
        at[i - 1] = (uint8_t)v;
}

static inline void feat_wire_bytes(struct feat_wire *w, const void *bytes, size_t n)
{
    uint8_t *at = feat_wire_take(w, n);
    if (at != NULL)
        memcpy(at, bytes, n);
}

/** Overwrite two bytes written before; at + 2 ≤ length. */
static inline void feat_wire_patch16(struct feat_wire *w, size_t at, size_t v)
{
    w->out[at] = (uint8_t)(v >> 8);
    w->out[at + 1] = (uint8_t)v;
}

#endif
