/* SPDX-License-Identifier: Apache-2.0 */
/* Element numbers: www.iana.org/assignments/ipfix. Reverse elements: RFC 5103 §6.1. */
#include "features/columns_priv.h"
#include "features/ipfix_priv.h"

#include <stdio.h>

enum { REVERSE_ENTERPRISE = 29305, ENTERPRISE_BIT = 0x8000, VARIABLE = 65535 };

_Static_assert((int)IPFIX_COLUMN_SKIP == (int)FLOW_DURATION,
               "packets and bytes have standard elements");
_Static_assert(FEAT_COLUMNS_MAX * 8 + 200 < IPFIX_RECORD_BYTES, "a template fits a record buffer");
_Static_assert(IPFIX_RECORD_BYTES + 20 <= FEAT_IPFIX_MESSAGE_MIN, "a record fits a message");

enum owner { IANA, REVERSE, OWN };

enum own_element {
    OWN_TUNNEL = 1,
    OWN_TUNNEL_ID,
    OWN_FLOW_FLAGS,
    OWN_SCHEMA_VERSION,
    OWN_SCHEMA_HASH,
    OWN_RECEIVED,
    OWN_PROCESSED,
    OWN_NIC_DROPPED,
    OWN_END
};

struct field {
    uint16_t id, bytes;
    enum owner owner;
    uint64_t (*get)(const struct dp_flow *flow);
};

/* --- values --- */

#define GET(name, value)                          \
    static uint64_t name(const struct dp_flow *f) \
    {                                             \
        return (uint64_t)(value);                 \
    }

/* Times of NTP: seconds since 1900 and a binary fraction (RFC 7011 §6.1.9). */
static uint64_t ntp(atl_ns ns)
{
    uint64_t seconds = ns / ATL_NS_PER_S + 2208988800U;
    uint64_t fraction = ((ns % ATL_NS_PER_S) << 32) / ATL_NS_PER_S;
    return seconds << 32 | fraction;
}

static uint64_t flag_bits(const struct dp_dir *d)
{
    uint64_t bits = 0;
    for (unsigned i = 0; i < DP_TCP_FLAGS; i++)
        bits |= (uint64_t)(d->flags[i] != 0) << i;
    return bits;
}

GET(src_port, f->src_port)
GET(dst_port, f->dst_port)
GET(proto, f->proto)
GET(end_reason, f->end_reason)
GET(icmp, (unsigned)f->icmp_type << 8 | f->icmp_code)
GET(vlan_outer, f->vlan[0])
GET(vlan_inner, f->vlan[1])
GET(fwd_packets, f->fwd.packets)
GET(bwd_packets, f->bwd.packets)
GET(fwd_bytes, f->fwd.bytes)
GET(bwd_bytes, f->bwd.bytes)
GET(fwd_flags, flag_bits(&f->fwd))
GET(bwd_flags, flag_bits(&f->bwd))
GET(fwd_ttl_min, f->fwd.ttl_min)
GET(fwd_ttl_max, f->fwd.ttl_max)
GET(bwd_ttl_min, f->bwd.ttl_min)
GET(bwd_ttl_max, f->bwd.ttl_max)
GET(tunnel, f->tunnel)
GET(tunnel_id, f->tunnel_id)
GET(flow_flags, (unsigned)f->mid_stream | (unsigned)f->reordered << 1)
GET(first_ms, f->first_ns / ATL_NS_PER_MS)
GET(last_ms, f->last_ns / ATL_NS_PER_MS)
GET(first_ntp, ntp(f->first_ns))
GET(last_ntp, ntp(f->last_ns))

static uint64_t initiator(const struct dp_flow *f)
{
    (void)f;
    return 1; /* biflowDirection: source is the initiator */
}

/* --- the flow record: addresses and ICMP by family, times by unit, the rest --- */

static const struct field family[2][3] = {
    {{8, 4, IANA, NULL}, {12, 4, IANA, NULL}, {32, 2, IANA, icmp}},
    {{27, 16, IANA, NULL}, {28, 16, IANA, NULL}, {139, 2, IANA, icmp}},
};

static const struct field times[2][2] = {
    {{152, 8, IANA, first_ms}, {153, 8, IANA, last_ms}},
    {{156, 8, IANA, first_ntp}, {157, 8, IANA, last_ntp}},
};

static const struct field common[] = {
    {7, 2, IANA, src_port},
    {11, 2, IANA, dst_port},
    {4, 1, IANA, proto},
    {136, 1, IANA, end_reason},
    {239, 1, IANA, initiator},
    {243, 2, IANA, vlan_outer},
    {245, 2, IANA, vlan_inner},
    {2, 8, IANA, fwd_packets},
    {1, 8, IANA, fwd_bytes},
    {2, 8, REVERSE, bwd_packets},
    {1, 8, REVERSE, bwd_bytes},
    {6, 2, IANA, fwd_flags},
    {6, 2, REVERSE, bwd_flags},
    {52, 1, IANA, fwd_ttl_min},
    {53, 1, IANA, fwd_ttl_max},
    {52, 1, REVERSE, bwd_ttl_min},
    {53, 1, REVERSE, bwd_ttl_max},
    {OWN_TUNNEL, 1, OWN, tunnel},
    {OWN_TUNNEL_ID, 4, OWN, tunnel_id},
    {OWN_FLOW_FLAGS, 1, OWN, flow_flags},
};

static void put_fields(struct feat_wire *w, const struct field *fields, size_t n,
                       const struct dp_flow *flow)
{
    for (size_t i = 0; i < n; i++)
        feat_wire_uint(w, fields[i].get(flow), fields[i].bytes);
}

void feat_ipfix_put_flow(struct feat_wire *w, const struct feat_ipfix_config *cfg,
                         const struct dp_flow *flow, const float *raw)
{
    bool v4 = dp_addr_is_v4(&flow->src) && dp_addr_is_v4(&flow->dst);
    size_t skip = v4 ? 12 : 0;
    feat_wire_bytes(w, flow->src.bytes + skip, sizeof(flow->src.bytes) - skip);
    feat_wire_bytes(w, flow->dst.bytes + skip, sizeof(flow->dst.bytes) - skip);
    put_fields(w, &family[!v4][2], 1, flow);
    put_fields(w, times[cfg->nanoseconds], ATL_ARRAY_LEN(times[0]), flow);
    put_fields(w, common, ATL_ARRAY_LEN(common), flow);
    for (uint32_t i = IPFIX_COLUMN_SKIP; i < FLOW_COLUMN_COUNT; i++) {
        uint32_t bits;
        memcpy(&bits, &raw[i], sizeof(bits));
        feat_wire_uint(w, bits, 4);
    }
}

/* --- templates --- */

static void put_specifier(struct feat_wire *w, const struct feat_ipfix_config *cfg, uint16_t id,
                          uint16_t bytes, enum owner owner)
{
    feat_wire_uint(w, owner == IANA ? id : id | ENTERPRISE_BIT, 2);
    feat_wire_uint(w, bytes, 2);
    if (owner != IANA)
        feat_wire_uint(w, owner == REVERSE ? REVERSE_ENTERPRISE : cfg->enterprise, 4);
}

static void put_specifiers(struct feat_wire *w, const struct feat_ipfix_config *cfg,
                           const struct field *fields, size_t n)
{
    for (size_t i = 0; i < n; i++)
        put_specifier(w, cfg, fields[i].id, fields[i].bytes, fields[i].owner);
}

static void put_flow_template(struct feat_wire *w, const struct feat_ipfix_config *cfg, bool v4)
{
    size_t n = ATL_ARRAY_LEN(family[0]) + ATL_ARRAY_LEN(times[0]) + ATL_ARRAY_LEN(common) +
               FLOW_COLUMN_COUNT - IPFIX_COLUMN_SKIP;
    feat_wire_uint(w, n, 2);
    put_specifiers(w, cfg, family[!v4], ATL_ARRAY_LEN(family[0]));
    put_specifiers(w, cfg, times[cfg->nanoseconds], ATL_ARRAY_LEN(times[0]));
    put_specifiers(w, cfg, common, ATL_ARRAY_LEN(common));
    for (uint32_t i = IPFIX_COLUMN_SKIP; i < FLOW_COLUMN_COUNT; i++)
        put_specifier(w, cfg, feat_ipfix_element(i), 4, OWN);
}

/* Options templates; the first `scopes` fields are the scope. */
static const struct field counters_fields[] = {
    {149, 4, IANA, NULL}, /* observationDomainId: scope */
    {323, 8, IANA, NULL}, /* observationTimeMilliseconds */
    {41, 8, IANA, NULL},  /* exportedMessageTotalCount */
    {40, 8, IANA, NULL},  /* exportedOctetTotalCount */
    {42, 8, IANA, NULL},  /* exportedFlowRecordTotalCount */
    {166, 8, IANA, NULL}, /* notSentFlowTotalCount */
    {OWN_RECEIVED, 8, OWN, NULL}, {OWN_PROCESSED, 8, OWN, NULL}, {OWN_NIC_DROPPED, 8, OWN, NULL},
};
static const struct field element_fields[] = {
    {346, 4, IANA, NULL},        /* privateEnterpriseNumber: scope */
    {303, 2, IANA, NULL},        /* informationElementId: scope */
    {339, 1, IANA, NULL},        /* informationElementDataType */
    {344, 1, IANA, NULL},        /* informationElementSemantics */
    {345, 2, IANA, NULL},        /* informationElementUnits */
    {341, VARIABLE, IANA, NULL}, /* informationElementName */
    {340, VARIABLE, IANA, NULL}, /* informationElementDescription */
};
static const struct field schema_fields[] = {
    {145, 2, IANA, NULL}, /* templateId: scope */
    {OWN_SCHEMA_VERSION, 4, OWN, NULL},
    {OWN_SCHEMA_HASH, FEAT_HASH_BYTES, OWN, NULL},
};

static void put_options_template(struct feat_wire *w, const struct feat_ipfix_config *cfg,
                                 enum feat_ipfix_set number)
{
    static const struct {
        const struct field *fields;
        size_t n, scopes;
    } options[] = {
        {counters_fields, ATL_ARRAY_LEN(counters_fields), 1},
        {element_fields, ATL_ARRAY_LEN(element_fields), 2},
        {schema_fields, ATL_ARRAY_LEN(schema_fields), 1},
    };
    size_t at = number - IPFIX_COUNTERS, reasons = number == IPFIX_COUNTERS ? DP_REASON_COUNT : 0;
    feat_wire_uint(w, options[at].n + reasons, 2);
    feat_wire_uint(w, options[at].scopes, 2);
    put_specifiers(w, cfg, options[at].fields, options[at].n);
    for (size_t i = 0; i < reasons; i++)
        put_specifier(w, cfg, (uint16_t)(IPFIX_REASON_FIRST + i), 8, OWN);
}

void feat_ipfix_put_template(struct feat_wire *w, const struct feat_ipfix_config *cfg,
                             enum feat_ipfix_set number)
{
    feat_wire_uint(w, number, 2);
    if (number < IPFIX_COUNTERS)
        put_flow_template(w, cfg, number == IPFIX_FLOW4);
    else
        put_options_template(w, cfg, number);
}

/* --- options records --- */

void feat_ipfix_put_counters(struct feat_wire *w, const struct feat_ipfix_config *cfg,
                             const struct dp_counters *c, const struct feat_ipfix_counters *sent,
                             uint64_t lost, atl_ns now_ns)
{
    const uint64_t totals[] = {now_ns / ATL_NS_PER_MS,
                               sent->messages,
                               sent->bytes,
                               sent->flows,
                               c->ring_full_records + lost,
                               c->received_packets,
                               c->processed_packets,
                               c->nic_dropped_packets};
    _Static_assert(ATL_ARRAY_LEN(totals) + 1 == ATL_ARRAY_LEN(counters_fields), "as the template");
    feat_wire_uint(w, cfg->domain, 4);
    for (size_t i = 0; i < ATL_ARRAY_LEN(totals); i++)
        feat_wire_uint(w, totals[i], 8);
    for (size_t i = 0; i < DP_REASON_COUNT; i++)
        feat_wire_uint(w, c->reasons[i], 8);
}

void feat_ipfix_put_schema(struct feat_wire *w, enum feat_ipfix_set number)
{
    const struct feat_schema *schema = feat_schema_flow();
    uint8_t hash[FEAT_HASH_BYTES];
    feat_schema_hash(schema, hash);
    feat_wire_uint(w, number, 2);
    feat_wire_uint(w, schema->version, 4);
    feat_wire_bytes(w, hash, sizeof(hash));
}

/* Registries of RFC 5610 §3: data types, semantics, units. */
enum { TYPE_BYTES = 0, TYPE_U8 = 1, TYPE_U32 = 3, TYPE_U64 = 4, TYPE_FLOAT = 9 };
enum { MEANS_DEFAULT = 0, MEANS_QUANTITY = 1, MEANS_TOTAL = 2, MEANS_NAME = 4, MEANS_FLAGS = 5 };
enum { UNIT_NONE = 0, UNIT_OCTETS = 2, UNIT_PACKETS = 3, UNIT_FLOWS = 4, UNIT_SECONDS = 5 };

struct element {
    uint16_t id;
    uint8_t type, means;
    uint16_t unit;
    char name[64], text[192];
};

static uint16_t unit_number(const char *unit)
{
    static const struct {
        const char *name;
        uint16_t number;
    } units[] = {{"bytes", UNIT_OCTETS},
                 {"packets", UNIT_PACKETS},
                 {"flows", UNIT_FLOWS},
                 {"s", UNIT_SECONDS}};
    for (size_t i = 0; i < ATL_ARRAY_LEN(units); i++) {
        if (strcmp(units[i].name, unit) == 0)
            return units[i].number;
    }
    return UNIT_NONE;
}

static void describe_own(uint16_t id, struct element *e)
{
    static const struct {
        uint8_t type, means;
        uint16_t unit;
        const char *name, *text;
    } rows[OWN_END] = {
        [OWN_TUNNEL] = {TYPE_U8, MEANS_NAME, UNIT_NONE, "tunnel", "kind of tunnel; 0 = none"},
        [OWN_TUNNEL_ID] = {TYPE_U32, MEANS_NAME, UNIT_NONE, "tunnel_id",
                           "TEID, VNI, label or session"},
        [OWN_FLOW_FLAGS] = {TYPE_U8, MEANS_FLAGS, UNIT_NONE, "flow_flags",
                            "1: began before the capture; 2: packets out of order, times clamped"},
        [OWN_SCHEMA_VERSION] = {TYPE_U32, MEANS_NAME, UNIT_NONE, "schema_version",
                                "version of the flow schema"},
        [OWN_SCHEMA_HASH] = {TYPE_BYTES, MEANS_DEFAULT, UNIT_NONE, "schema_hash",
                             "BLAKE2b-256 of the flow schema"},
        [OWN_RECEIVED] = {TYPE_U64, MEANS_TOTAL, UNIT_PACKETS, "received_packets",
                          "packets taken from the device"},
        [OWN_PROCESSED] = {TYPE_U64, MEANS_TOTAL, UNIT_PACKETS, "processed_packets",
                           "packets that became part of a flow"},
        [OWN_NIC_DROPPED] = {TYPE_U64, MEANS_TOTAL, UNIT_PACKETS, "nic_dropped_packets",
                             "packets lost before they were received"},
    };
    *e = (struct element){
        .id = id, .type = rows[id].type, .means = rows[id].means, .unit = rows[id].unit};
    atl_copy(e->name, sizeof(e->name), rows[id].name);
    atl_copy(e->text, sizeof(e->text), rows[id].text);
}

/* @return false: there are no more */
static bool describe(uint32_t at, struct element *e)
{
    if (at < OWN_END - 1) {
        describe_own((uint16_t)(at + 1), e);
        return true;
    }
    at -= OWN_END - 1;
    if (at < DP_REASON_COUNT) {
        enum dp_reason reason = (enum dp_reason)at;
        *e = (struct element){.id = (uint16_t)(IPFIX_REASON_FIRST + at),
                              .type = TYPE_U64,
                              .means = MEANS_TOTAL,
                              .unit = UNIT_PACKETS};
        snprintf(e->name, sizeof(e->name), "dropped_%s", dp_reason_name(reason));
        atl_copy(e->text, sizeof(e->text), dp_reason_help(reason));
        return true;
    }
    at += IPFIX_COLUMN_SKIP - (uint32_t)DP_REASON_COUNT;
    if (at >= FLOW_COLUMN_COUNT)
        return false;
    const struct feat_column *column = &feat_schema_flow()->columns[at];
    *e = (struct element){.id = feat_ipfix_element(at),
                          .type = TYPE_FLOAT,
                          .means = MEANS_QUANTITY,
                          .unit = unit_number(column->unit)};
    atl_copy(e->name, sizeof(e->name), column->name);
    snprintf(e->text, sizeof(e->text), "%s [%s]", column->formula, column->unit);
    return true;
}

/* Variable length, RFC 7011 §7; both texts are shorter than 255 bytes. */
static void put_text(struct feat_wire *w, const char *text)
{
    size_t n = strlen(text);
    feat_wire_uint(w, n, 1);
    feat_wire_bytes(w, text, n);
}

bool feat_ipfix_put_element(struct feat_wire *w, const struct feat_ipfix_config *cfg, uint32_t at)
{
    struct element e;
    if (!describe(at, &e))
        return false;
    feat_wire_uint(w, cfg->enterprise, 4);
    feat_wire_uint(w, e.id, 2);
    feat_wire_uint(w, e.type, 1);
    feat_wire_uint(w, e.means, 1);
    feat_wire_uint(w, e.unit, 2);
    put_text(w, e.name);
    put_text(w, e.text);
    return true;
}

uint16_t feat_ipfix_element(uint32_t column)
{
    if (column < IPFIX_COLUMN_SKIP)
        return 0;
    return (uint16_t)(column < FLOW_RECORD_COLUMN_COUNT
                          ? IPFIX_COLUMN_FIRST + column
                          : IPFIX_CONTEXT_FIRST + column - FLOW_RECORD_COLUMN_COUNT);
}
