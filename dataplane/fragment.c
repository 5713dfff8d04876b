/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/fragment_priv.h"

static_assert(sizeof(struct dp_datagram) == 48, "hashed as bytes: no padding allowed");

static size_t slot_of(const struct dp_fragments *f, const struct dp_datagram *datagram)
{
    return atl_hash(&f->key, datagram, sizeof(*datagram)) % DP_FRAGMENT_SLOTS;
}

void dp_fragments_put(struct dp_fragments *f, const struct dp_datagram *datagram,
                      const struct dp_fragment_hint *hint, atl_ns now_ns)
{
    size_t slot = slot_of(f, datagram);
    f->slots[slot].datagram = *datagram;
    f->slots[slot].hint = *hint;
    f->slots[slot].seen_ns = now_ns;
    f->slots[slot].used = true;
}

const struct dp_fragment_hint *dp_fragments_get(const struct dp_fragments *f,
                                                const struct dp_datagram *datagram, atl_ns now_ns)
{
    size_t slot = slot_of(f, datagram);
    if (!f->slots[slot].used || memcmp(&f->slots[slot].datagram, datagram, sizeof(*datagram)) != 0)
        return NULL;
    /* Captures may run backwards a little: an age below 0 is young. */
    atl_ns seen_ns = f->slots[slot].seen_ns;
    if (now_ns > seen_ns && now_ns - seen_ns > DP_FRAGMENT_NS)
        return NULL;
    return &f->slots[slot].hint;
}
