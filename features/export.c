/* SPDX-License-Identifier: Apache-2.0 */
#include "features/columns_priv.h"
#include "features/features.h"
#include "features/text_priv.h"

#include <stdio.h>

/* The vector's first four columns stand among the fixed ones already. */
#define FIRST_FEATURE FLOW_DURATION
_Static_assert(FIRST_FEATURE == 4, "packets_fwd … bytes_bwd lead the flow schema");

#define DIGITS 7 /* of a float */

static const struct {
    const char *name, *unit;
} fixed[] = {
    {"first", "s"},
    {"last", "s"},
    {"src", ""},
    {"src_port", ""},
    {"dst", ""},
    {"dst_port", ""},
    {"proto", ""},
    {"vlan", ""},
    {"tunnel", ""},
    {"tunnel_id", ""},
    {"packets_fwd", "packets"},
    {"packets_bwd", "packets"},
    {"bytes_fwd", "bytes"},
    {"bytes_bwd", "bytes"},
    {"end_reason", ""},
};

size_t feat_export_header(enum feat_format format, char *out, size_t out_bytes)
{
    const struct feat_schema *schema = feat_schema_flow();
    struct feat_text t;
    feat_text_begin(&t, out, out_bytes);
    if (format != FEAT_CSV)
        return 0;
    for (size_t i = 0; i < ATL_ARRAY_LEN(fixed); i++) {
        feat_text_put(&t, fixed[i].name);
        feat_text_char(&t, ',');
    }
    for (uint32_t i = FIRST_FEATURE; i < schema->n_columns; i++) {
        feat_text_put(&t, schema->columns[i].name);
        feat_text_char(&t, ',');
    }
    feat_text_put(&t, "community_id\n");
    return t.length;
}

size_t feat_export_units(char *out, size_t out_bytes)
{
    const struct feat_schema *schema = feat_schema_flow();
    uint8_t hash[FEAT_HASH_BYTES];
    char hex[2 * FEAT_HASH_BYTES + 1];
    struct feat_text t;
    feat_text_begin(&t, out, out_bytes);
    feat_schema_hash(schema, hash);
    atl_hex(hex, hash, sizeof(hash));
    feat_text_put(&t, "# schema flow version ");
    feat_text_u64(&t, schema->version);
    feat_text_put(&t, " hash ");
    feat_text_put(&t, hex);
    feat_text_put(&t, "\n# ");
    for (size_t i = 0; i < ATL_ARRAY_LEN(fixed); i++) {
        feat_text_put(&t, fixed[i].unit);
        feat_text_char(&t, ',');
    }
    for (uint32_t i = FIRST_FEATURE; i < schema->n_columns; i++) {
        feat_text_put(&t, schema->columns[i].unit);
        feat_text_char(&t, ',');
    }
    feat_text_char(&t, '\n');
    return t.length;
}

struct words {
    char src[DP_ADDR_TEXT_BYTES], dst[DP_ADDR_TEXT_BYTES], vlan[16], tunnel_id[12];
    char community_id[FEAT_COMMUNITY_ID_BYTES];
};

static void make_words(const struct dp_flow *f, struct words *w)
{
    dp_addr_format(&f->src, w->src);
    dp_addr_format(&f->dst, w->dst);
    feat_community_id(f, w->community_id);
    w->vlan[0] = w->tunnel_id[0] = '\0';
    if (f->vlan[1] != 0)
        snprintf(w->vlan, sizeof(w->vlan), "%u.%u", f->vlan[0], f->vlan[1]);
    else if (f->vlan[0] != 0)
        snprintf(w->vlan, sizeof(w->vlan), "%u", f->vlan[0]);
    if (dp_tunnel_has_id(f->tunnel))
        snprintf(w->tunnel_id, sizeof(w->tunnel_id), "%u", f->tunnel_id);
}

/* One column after the other in the order of the header: CSV writes the values, JSON lines the
 * names as well. */
struct row {
    struct feat_text text;
    bool json;
    uint32_t at; /* columns written */
};

static void begin_cell(struct row *r, const char *name)
{
    if (r->at++ > 0)
        feat_text_char(&r->text, ',');
    if (!r->json)
        return;
    feat_text_char(&r->text, '"');
    feat_text_put(&r->text, name);
    feat_text_bytes(&r->text, "\":", 2);
}

static void put_word(struct row *r, const char *name, const char *word)
{
    begin_cell(r, name);
    if (r->json)
        feat_text_char(&r->text, '"');
    feat_text_put(&r->text, word);
    if (r->json)
        feat_text_char(&r->text, '"');
}

static void put_count(struct row *r, const char *name, uint64_t n)
{
    begin_cell(r, name);
    feat_text_u64(&r->text, n);
}

static void put_time(struct row *r, const char *name, atl_ns ns)
{
    begin_cell(r, name);
    feat_text_time(&r->text, ns);
}

static void put_fixed(struct row *r, const struct dp_flow *f, const struct words *w)
{
    put_time(r, "first", f->first_ns);
    put_time(r, "last", f->last_ns);
    put_word(r, "src", w->src);
    put_count(r, "src_port", f->src_port);
    put_word(r, "dst", w->dst);
    put_count(r, "dst_port", f->dst_port);
    put_count(r, "proto", f->proto);
    put_word(r, "vlan", w->vlan);
    put_word(r, "tunnel", dp_tunnel_name(f->tunnel));
    put_word(r, "tunnel_id", w->tunnel_id);
    put_count(r, "packets_fwd", f->fwd.packets);
    put_count(r, "packets_bwd", f->bwd.packets);
    put_count(r, "bytes_fwd", f->fwd.bytes);
    put_count(r, "bytes_bwd", f->bwd.bytes);
    put_word(r, "end_reason", dp_end_reason_name(f->end_reason));
}

size_t feat_export_flow(enum feat_format format, const struct dp_flow *flow, const float *raw,
                        char *out, size_t out_bytes)
{
    const struct feat_schema *schema = feat_schema_flow();
    struct words w;
    struct row r = {.json = format == FEAT_JSONL};
    make_words(flow, &w);
    feat_text_begin(&r.text, out, out_bytes);
    if (r.json)
        feat_text_char(&r.text, '{');
    put_fixed(&r, flow, &w);
    for (uint32_t i = FIRST_FEATURE; i < FLOW_COLUMN_COUNT; i++) {
        begin_cell(&r, schema->columns[i].name);
        feat_text_number(&r.text, raw[i], DIGITS);
    }
    put_word(&r, "community_id", w.community_id);
    feat_text_put(&r.text, r.json ? "}\n" : "\n");
    return r.text.length;
}
