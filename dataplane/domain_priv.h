/* SPDX-License-Identifier: Apache-2.0 */
/*
 * domain: what each client asks about each base domain.
 *
 * A tunnel is one flow, so what betrays it, ever new names below one domain, has to be counted
 * where the names go by. They are hashed with the engine's key and forgotten.
 */
#ifndef DP_DOMAIN_PRIV_H
#define DP_DOMAIN_PRIV_H

#include "dataplane/packet_priv.h"
#include "dataplane/summary_priv.h"

/** A name while it is looked at: lower case, with dots. */
struct dp_name {
    uint8_t text[256];
    uint8_t label[128]; /* where each label begins */
    uint32_t text_bytes, labels;
};

struct dp_domains {
    struct atl_hash_key key;
    struct dp_summaries table; /* by client and domain */
};

/** @param p  endpoint 0 is the sender; p->dns has been read, with this name */
void dp_domain_note(struct dp_domains *d, const struct dp_packet *p, const struct dp_name *name);
/** Where the base domain begins in name->text. */
uint32_t dp_domain_base(const struct dp_name *name);

#endif
