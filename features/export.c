/* SPDX-License-Identifier: Apache-2.0 */
#include "features/columns_priv.h"
#include "features/features.h"

#include <inttypes.h>
#include <stdio.h>

/* The vector's first four columns stand among the fixed ones already. */
#define FIRST_FEATURE FLOW_DURATION
_Static_assert(FIRST_FEATURE == 4, "packets_fwd … bytes_bwd lead the flow schema");

#define FIXED_COLUMNS                                                                           \
    "first,last,src,src_port,dst,dst_port,proto,vlan,tunnel,tunnel_id,packets_fwd,packets_bwd," \
    "bytes_fwd,bytes_bwd,end_reason"

/* Text that grows in a caller's buffer; counts on when it is full, as snprintf does. */
struct text {
    char *out;
    size_t room, length;
};

static void put(struct text *t, const char *fmt, ...) ATL_PRINTF(2, 3);

static void put(struct text *t, const char *fmt, ...)
{
    size_t left = t->length < t->room ? t->room - t->length : 0;
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(left > 0 ? t->out + t->length : NULL, left, fmt, args);
    va_end(args);
    if (n > 0)
        t->length += (size_t)n;
}

size_t feat_export_header(enum feat_format format, char *out, size_t out_bytes)
{
    struct text t = {out, out_bytes, 0};
    if (out_bytes > 0)
        out[0] = '\0';
    if (format != FEAT_CSV)
        return 0;
    put(&t, "%s", FIXED_COLUMNS);
    const struct feat_schema *schema = feat_schema_flow();
    for (uint32_t i = FIRST_FEATURE; i < schema->n_columns; i++)
        put(&t, ",%s", schema->columns[i].name);
    put(&t, "\n");
    return t.length;
}

struct line {
    char src[DP_ADDR_TEXT_BYTES], dst[DP_ADDR_TEXT_BYTES], vlan[16], tunnel_id[12];
    char first[24], last[24];
};

static void format_time(atl_ns ns, char out[24])
{
    snprintf(out, 24, "%" PRIu64 ".%09" PRIu64, ns / ATL_NS_PER_S, ns % ATL_NS_PER_S);
}

static void format_parts(const struct dp_flow *f, struct line *l)
{
    dp_addr_format(&f->src, l->src);
    dp_addr_format(&f->dst, l->dst);
    format_time(f->first_ns, l->first);
    format_time(f->last_ns, l->last);
    l->vlan[0] = l->tunnel_id[0] = '\0';
    if (f->vlan[1] != 0)
        snprintf(l->vlan, sizeof(l->vlan), "%u.%u", f->vlan[0], f->vlan[1]);
    else if (f->vlan[0] != 0)
        snprintf(l->vlan, sizeof(l->vlan), "%u", f->vlan[0]);
    if (dp_tunnel_has_id(f->tunnel))
        snprintf(l->tunnel_id, sizeof(l->tunnel_id), "%" PRIu32, f->tunnel_id);
}

static void put_csv(struct text *t, const struct dp_flow *f, const struct line *l, const float *raw)
{
    put(t, "%s,%s,%s,%u,%s,%u,%u,%s,%s,%s", l->first, l->last, l->src, f->src_port, l->dst,
        f->dst_port, f->proto, l->vlan, dp_tunnel_name(f->tunnel), l->tunnel_id);
    put(t, ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%s", f->fwd.packets, f->bwd.packets,
        f->fwd.bytes, f->bwd.bytes, dp_end_reason_name(f->end_reason));
    for (uint32_t i = FIRST_FEATURE; i < FLOW_COLUMN_COUNT; i++)
        put(t, ",%.7g", (double)raw[i]);
    put(t, "\n");
}

static void put_jsonl(struct text *t, const struct dp_flow *f, const struct line *l,
                      const float *raw)
{
    const struct feat_schema *schema = feat_schema_flow();
    put(t, "{\"first\":%s,\"last\":%s,\"src\":\"%s\",\"src_port\":%u,\"dst\":\"%s\"", l->first,
        l->last, l->src, f->src_port, l->dst);
    put(t, ",\"dst_port\":%u,\"proto\":%u,\"vlan\":\"%s\",\"tunnel\":\"%s\",\"tunnel_id\":\"%s\"",
        f->dst_port, f->proto, l->vlan, dp_tunnel_name(f->tunnel), l->tunnel_id);
    put(t, ",\"packets_fwd\":%" PRIu64 ",\"packets_bwd\":%" PRIu64, f->fwd.packets, f->bwd.packets);
    put(t, ",\"bytes_fwd\":%" PRIu64 ",\"bytes_bwd\":%" PRIu64 ",\"end_reason\":\"%s\"",
        f->fwd.bytes, f->bwd.bytes, dp_end_reason_name(f->end_reason));
    for (uint32_t i = FIRST_FEATURE; i < FLOW_COLUMN_COUNT; i++)
        put(t, ",\"%s\":%.7g", schema->columns[i].name, (double)raw[i]);
    put(t, "}\n");
}

size_t feat_export_flow(enum feat_format format, const struct dp_flow *flow, char *out,
                        size_t out_bytes)
{
    float raw[FLOW_COLUMN_COUNT];
    struct line l;
    struct text t = {out, out_bytes, 0};
    feat_flow_vector(flow, raw);
    format_parts(flow, &l);
    if (format == FEAT_CSV)
        put_csv(&t, flow, &l, raw);
    else
        put_jsonl(&t, flow, &l, raw);
    return t.length;
}
