/* SPDX-License-Identifier: Apache-2.0 */
#include "features/cic_priv.h"
#include "features/text_priv.h"

#include <math.h>
#include <netinet/in.h>
#include <stdio.h>
#include <time.h>

#define DIGITS 12

#define CIC_NAME(id, name) name,
static const char *const names[] = {CIC_COLUMNS(CIC_NAME)};
#undef CIC_NAME

#define FIXED_COLUMNS "Flow ID,Src IP,Src Port,Dst IP,Dst Port,Protocol,Timestamp"
#define LABEL         "NeedManualLabel"

size_t feat_cic_header(enum feat_format format, char *out, size_t out_bytes)
{
    struct feat_text t;
    feat_text_begin(&t, out, out_bytes);
    if (format != FEAT_CSV)
        return 0;
    feat_text_put(&t, FIXED_COLUMNS);
    for (size_t i = 0; i < CIC_COLUMN_COUNT; i++) {
        feat_text_char(&t, ',');
        feat_text_put(&t, names[i]);
    }
    feat_text_put(&t, ",Label\n");
    return t.length;
}

struct words {
    char id[2 * DP_ADDR_TEXT_BYTES + 24], src[DP_ADDR_TEXT_BYTES], dst[DP_ADDR_TEXT_BYTES];
    char src_port[8], dst_port[8], proto[8], first[ATL_TIME_TEXT_BYTES];
};

/* CICFlowMeter writes "04/07/2017 08:54:58 AM" in the zone of its machine; we in UTC. */
static void format_local(atl_ns ns, char out[ATL_TIME_TEXT_BYTES])
{
    time_t s = (time_t)(ns / ATL_NS_PER_S);
    struct tm tm;
    out[0] = '\0';
    if (gmtime_r(&s, &tm) != NULL)
        strftime(out, ATL_TIME_TEXT_BYTES, "%d/%m/%Y %I:%M:%S %p", &tm);
}

static void make_words(const struct dp_flow *f, bool compat, struct words *w)
{
    /* the original knows TCP and UDP; all else is protocol 0 between ports 0 */
    bool known = !compat || f->proto == IPPROTO_TCP || f->proto == IPPROTO_UDP;
    dp_addr_format(&f->src, w->src);
    dp_addr_format(&f->dst, w->dst);
    snprintf(w->src_port, sizeof(w->src_port), "%u", known ? f->src_port : 0U);
    snprintf(w->dst_port, sizeof(w->dst_port), "%u", known ? f->dst_port : 0U);
    snprintf(w->proto, sizeof(w->proto), "%u", known ? f->proto : 0U);
    snprintf(w->id, sizeof(w->id), "%s-%s-%s-%s-%s", w->src, w->dst, w->src_port, w->dst_port,
             w->proto);
    if (compat)
        format_local(f->first_ns, w->first);
    else
        atl_clock_format(f->first_ns, w->first);
}

static void put_csv(struct feat_text *t, const struct words *w, const struct feat_cic_cells *c)
{
    const char *const fixed[] = {w->id,       w->src,   w->src_port, w->dst,
                                 w->dst_port, w->proto, w->first};
    for (size_t i = 0; i < ATL_ARRAY_LEN(fixed); i++) {
        feat_text_put(t, fixed[i]);
        feat_text_char(t, ',');
    }
    for (size_t i = 0; i < CIC_COLUMN_COUNT; i++) {
        if (c->known[i] && isfinite(c->value[i]))
            feat_text_number(t, c->value[i], DIGITS);
        else if (c->known[i])
            feat_text_put(t, isnan(c->value[i]) ? "NaN" : "Infinity");
        feat_text_char(t, ',');
    }
    feat_text_put(t, LABEL "\n");
}

/* JSON has no infinity: what is not finite is null, what is not known is left out. */
static void put_jsonl(struct feat_text *t, const struct words *w, const struct feat_cic_cells *c)
{
    char head[512];
    snprintf(head, sizeof(head),
             "{\"Flow ID\":\"%s\",\"Src IP\":\"%s\",\"Src Port\":%s,\"Dst IP\":\"%s\","
             "\"Dst Port\":%s,\"Protocol\":%s,\"Timestamp\":\"%s\"",
             w->id, w->src, w->src_port, w->dst, w->dst_port, w->proto, w->first);
    feat_text_put(t, head);
    for (size_t i = 0; i < CIC_COLUMN_COUNT; i++) {
        if (!c->known[i])
            continue;
        feat_text_put(t, ",\"");
        feat_text_put(t, names[i]);
        feat_text_put(t, "\":");
        if (isfinite(c->value[i]))
            feat_text_number(t, c->value[i], DIGITS);
        else
            feat_text_put(t, "null");
    }
    feat_text_put(t, ",\"Label\":\"" LABEL "\"}\n");
}

static bool first_is_backward(const struct dp_flow *f)
{
    if (f->detail.known)
        return f->detail.first_backward;
    return f->bwd.packets != 0 && (f->fwd.packets == 0 || f->fwd.first_ns > f->bwd.first_ns);
}

/* To the original the first packet's sender is always forward. */
static struct dp_flow as_first_seen(const struct dp_flow *f)
{
    struct dp_flow turned = *f;
    if (!first_is_backward(f))
        return turned;
    turned.src = f->dst;
    turned.dst = f->src;
    turned.src_port = f->dst_port;
    turned.dst_port = f->src_port;
    turned.fwd = f->bwd;
    turned.bwd = f->fwd;
    turned.detail.fwd = f->detail.bwd;
    turned.detail.bwd = f->detail.fwd;
    turned.detail.first_backward = false;
    return turned;
}

size_t feat_cic_flow(enum feat_format format, bool compat, const struct dp_flow *flow, char *out,
                     size_t out_bytes)
{
    struct dp_flow f = compat ? as_first_seen(flow) : *flow;
    struct feat_cic_cells cells;
    struct words w;
    struct feat_text t;
    feat_text_begin(&t, out, out_bytes);
    if (compat && f.fwd.packets + f.bwd.packets < 2)
        return 0;
    feat_cic_values(&f, compat, &cells);
    make_words(&f, compat, &w);
    if (format == FEAT_CSV)
        put_csv(&t, &w, &cells);
    else
        put_jsonl(&t, &w, &cells);
    return t.length;
}
