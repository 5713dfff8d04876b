/* SPDX-License-Identifier: Apache-2.0 */
/* dns_digest: the one look inside, for tunnels through DNS are invisible otherwise. */
#ifndef DP_DNS_DIGEST_PRIV_H
#define DP_DNS_DIGEST_PRIV_H

#include "dataplane/packet_priv.h"

static_assert(sizeof(struct dp_dns) == 20, "where a TCP flow has its flags and windows");
static_assert(DP_DNS_TYPES == 4, "a type takes two bits of struct dp_dns_seen");

/** Add one packet, only if seen->what is not 0. */
void dp_dns_update(struct dp_dns *dns, const struct dp_dns_seen *seen);

#endif
