/* SPDX-License-Identifier: Apache-2.0 */
/* What stands in the templates and records; export_ipfix.c packs them into sets and messages. */
#ifndef FEAT_IPFIX_PRIV_H
#define FEAT_IPFIX_PRIV_H

#include "features/features.h"
#include "features/wire_priv.h"

enum feat_ipfix_set {
    IPFIX_SET_TEMPLATES = 2,
    IPFIX_SET_OPTIONS = 3,
    IPFIX_FLOW4 = 256, /* from here on template numbers */
    IPFIX_FLOW6,
    IPFIX_COUNTERS,
    IPFIX_ELEMENT,
    IPFIX_SCHEMA,
};

/*
 * Our own elements: 1 … 63 fixed, from IPFIX_REASON_FIRST one for each drop reason, from
 * IPFIX_COLUMN_FIRST one for each column of the flow schema that a record tells by itself, from
 * IPFIX_CONTEXT_FIRST one for each column of the context.
 */
enum {
    IPFIX_REASON_FIRST = 64,
    IPFIX_COLUMN_FIRST = 256,
    IPFIX_CONTEXT_FIRST = 512,
    IPFIX_COLUMN_SKIP = 4,
};

/** Longest record of any kind: what local buffers hold. */
#define IPFIX_RECORD_BYTES 1280

void feat_ipfix_put_template(struct feat_wire *w, const struct feat_ipfix_config *cfg,
                             enum feat_ipfix_set number);
void feat_ipfix_put_flow(struct feat_wire *w, const struct feat_ipfix_config *cfg,
                         const struct dp_flow *flow, const float *raw);
void feat_ipfix_put_counters(struct feat_wire *w, const struct feat_ipfix_config *cfg,
                             const struct dp_counters *c, const struct feat_ipfix_counters *sent,
                             uint64_t lost, atl_ns now_ns);
/** Description of the at'th own element (RFC 5610). @return false: there are no more */
bool feat_ipfix_put_element(struct feat_wire *w, const struct feat_ipfix_config *cfg, uint32_t at);
/** Which schema the records of a template follow. */
void feat_ipfix_put_schema(struct feat_wire *w, enum feat_ipfix_set number);

#endif
