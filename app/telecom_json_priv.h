/* SPDX-License-Identifier: Apache-2.0 */
/* What an engine has counted of tunnels and of the telecom control plane, as JSON. */
#ifndef TELECOM_JSON_PRIV_H
#define TELECOM_JSON_PRIV_H

#include "dataplane/dataplane.h"

#include <jansson.h>

#define TELECOM_CODES_MAX 24 /* of one protocol that are named in the totals */
#define TELECOM_PEERS_MAX 10 /* in the totals */

/** Who says what: [{peer, errors, gtpv2c: {messages: {"32": 1}, causes: {"16": 1}}, other}], all
 * of it. */
json_t *telecom_peers_json(const struct dp_engine *engine);
/**
 * Totals, bounded: {protocols: {gtpv2c: {messages, causes, errors, other}}, peers: [{peer,
 * messages, errors}], peers_known, other}. The commonest codes and the peers with most errors are
 * named.
 */
json_t *telecom_totals_json(const struct dp_engine *engine);
/** {name: count} of those that were seen. */
json_t *encapsulations_json(const struct dp_counters *c);
json_t *fallbacks_json(const struct dp_counters *c);

#endif
