/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Columns and defects after CICFlowMeter 4.0 (github.com/ahlashkari/CICFlowMeter, BasicFlow.java).
 *
 * Without the record's detail 29 columns are empty in both modes, and with compat those that
 * depend on the first or the last packet alone, unless the sums leave no doubt.
 */
#include "features/cic_priv.h"
#include "features/moments_priv.h"

#include <assert.h>
#include <netinet/in.h>
#include <string.h>

static void set(struct feat_cic_cells *c, enum cic_column column, double value)
{
    c->value[column] = value;
    c->known[column] = true;
}

static void forget(struct feat_cic_cells *c, enum cic_column column)
{
    c->value[column] = 0;
    c->known[column] = false;
}

/* What the original computes with whole numbers. */
static double whole_ratio(uint64_t part, uint64_t whole)
{
    return whole != 0 ? (double)(part / whole) : 0;
}

static double whole_us(atl_ns from, atl_ns to)
{
    return to > from ? (double)((to - from) / ATL_NS_PER_US) : 0;
}

struct dir_columns {
    enum cic_column packets, length, length_mean, segment_mean, packets_per_s, header, psh, urg;
    enum cic_column iat_total, iat_mean, iat_std, iat_max, iat_min, window;
};

static const struct dir_columns fwd_columns = {
    CIC_FWD_PACKETS,       CIC_FWD_LENGTH,   CIC_FWD_LENGTH_MEAN, CIC_FWD_SEGMENT_MEAN,
    CIC_FWD_PACKETS_PER_S, CIC_FWD_HEADER,   CIC_FWD_PSH,         CIC_FWD_URG,
    CIC_FWD_IAT_TOTAL,     CIC_FWD_IAT_MEAN, CIC_FWD_IAT_STD,     CIC_FWD_IAT_MAX,
    CIC_FWD_IAT_MIN,       CIC_FWD_WINDOW,
};
static const struct dir_columns bwd_columns = {
    CIC_BWD_PACKETS,       CIC_BWD_LENGTH,   CIC_BWD_LENGTH_MEAN, CIC_BWD_SEGMENT_MEAN,
    CIC_BWD_PACKETS_PER_S, CIC_BWD_HEADER,   CIC_BWD_PSH,         CIC_BWD_URG,
    CIC_BWD_IAT_TOTAL,     CIC_BWD_IAT_MEAN, CIC_BWD_IAT_STD,     CIC_BWD_IAT_MAX,
    CIC_BWD_IAT_MIN,       CIC_BWD_WINDOW,
};

static void fill_dir(struct feat_cic_cells *c, const struct dp_dir *d, double duration_s,
                     const struct dir_columns *at)
{
    double n = (double)d->packets, span = whole_us(d->first_ns, d->last_ns);
    double mean = feat_ratio((double)d->payload_bytes, n);
    set(c, at->packets, n);
    set(c, at->length, (double)d->payload_bytes);
    set(c, at->length_mean, mean);
    set(c, at->segment_mean, mean);
    set(c, at->packets_per_s, feat_ratio(n, duration_s));
    set(c, at->header, d->header_bytes);
    set(c, at->psh, d->flags[DP_PSH]);
    set(c, at->urg, d->flags[DP_URG]);
    set(c, at->iat_total, span);
    set(c, at->iat_mean, feat_ratio(span, n - 1));
    set(c, at->iat_std, feat_deviation(n - 1, span, (double)d->iat_sq_us2));
    set(c, at->iat_max, d->iat_max_us);
    set(c, at->iat_min, d->iat_min_us);
    set(c, at->window, d->window_init);
}

static const struct {
    enum cic_column column;
    enum dp_tcp_flag flag;
} flag_columns[] = {
    {CIC_FIN, DP_FIN}, {CIC_SYN, DP_SYN}, {CIC_RST, DP_RST}, {CIC_PSH, DP_PSH},
    {CIC_ACK, DP_ACK}, {CIC_URG, DP_URG}, {CIC_CWR, DP_CWR}, {CIC_ECE, DP_ECE},
};

static void fill_both(struct feat_cic_cells *c, const struct dp_flow *f, double duration_us)
{
    const struct dp_dir *fwd = &f->fwd, *bwd = &f->bwd;
    double n = (double)(fwd->packets + bwd->packets), s = duration_us * 1e-6;
    double length = (double)(fwd->payload_bytes + bwd->payload_bytes);
    set(c, CIC_DURATION, duration_us);
    set(c, CIC_BYTES_PER_S, feat_ratio(length, s));
    set(c, CIC_PACKETS_PER_S, feat_ratio(n, s));
    set(c, CIC_IAT_MEAN, feat_ratio(duration_us, n - 1));
    set(c, CIC_IAT_STD, feat_deviation(n - 1, duration_us, (double)f->iat_sq_us2));
    set(c, CIC_IAT_MAX, f->iat_max_us);
    set(c, CIC_IAT_MIN, f->iat_min_us);
    set(c, CIC_LENGTH_MEAN, feat_ratio(length, n));
    set(c, CIC_SIZE_MEAN, feat_ratio(length, n));
    set(c, CIC_DOWN_UP, feat_ratio((double)bwd->packets, (double)fwd->packets));
    set(c, CIC_FWD_DATA_PACKETS, fwd->payload_packets);
    for (size_t i = 0; i < ATL_ARRAY_LEN(flag_columns); i++)
        set(c, flag_columns[i].column,
            (double)fwd->flags[flag_columns[i].flag] + bwd->flags[flag_columns[i].flag]);
}

/* --- with detail --- */

struct detail_columns {
    enum cic_column length_max, length_min, length_std, bulk_bytes, bulk_packets, bulk_rate;
    enum cic_column subflow_packets, subflow_bytes;
};

static const struct detail_columns fwd_detail = {
    CIC_FWD_LENGTH_MAX,   CIC_FWD_LENGTH_MIN, CIC_FWD_LENGTH_STD,      CIC_FWD_BULK_BYTES,
    CIC_FWD_BULK_PACKETS, CIC_FWD_BULK_RATE,  CIC_SUBFLOW_FWD_PACKETS, CIC_SUBFLOW_FWD_BYTES,
};
static const struct detail_columns bwd_detail = {
    CIC_BWD_LENGTH_MAX,   CIC_BWD_LENGTH_MIN, CIC_BWD_LENGTH_STD,      CIC_BWD_BULK_BYTES,
    CIC_BWD_BULK_PACKETS, CIC_BWD_BULK_RATE,  CIC_SUBFLOW_BWD_PACKETS, CIC_SUBFLOW_BWD_BYTES,
};

static void fill_detail_dir(struct feat_cic_cells *c, const struct dp_dir *d,
                            const struct dp_detail_dir *more, double subflows,
                            const struct detail_columns *at)
{
    const struct dp_bulks *b = &more->bulks;
    double n = (double)d->packets, length = (double)d->payload_bytes;
    set(c, at->length_max, more->payload_max);
    set(c, at->length_min, more->payload_min);
    set(c, at->length_std, feat_deviation(n, length, (double)more->payload_sq));
    set(c, at->bulk_bytes, feat_ratio((double)b->bytes, b->n));
    set(c, at->bulk_packets, feat_ratio(b->packets, b->n));
    set(c, at->bulk_rate, feat_ratio((double)b->bytes, (double)b->ns * 1e-9));
    set(c, at->subflow_packets, n / subflows);
    set(c, at->subflow_bytes, length / subflows);
}

/* The four columns of active or idle times stand in this order. */
static void fill_spells(struct feat_cic_cells *c, enum cic_column mean, const struct dp_spells *s)
{
    double n = s->n, sum = (double)s->us;
    set(c, mean, feat_ratio(sum, n));
    set(c, mean + 1, feat_deviation(n, sum, (double)s->sq_us2));
    set(c, mean + 2, (double)s->max_us);
    set(c, mean + 3, (double)s->min_us);
}

static_assert(CIC_ACTIVE_MIN == CIC_ACTIVE_MEAN + 3 && CIC_IDLE_MIN == CIC_IDLE_MEAN + 3,
              "mean, deviation, largest, smallest");

static double least(const struct dp_flow *f)
{
    const struct dp_detail *d = &f->detail;
    if (f->fwd.packets == 0 || f->bwd.packets == 0)
        return f->fwd.packets != 0 ? d->fwd.payload_min : d->bwd.payload_min;
    return fmin(d->fwd.payload_min, d->bwd.payload_min);
}

/* @param n, length, sq  of all packets, the first maybe twice */
static void fill_lengths(struct feat_cic_cells *c, double n, double length, double sq)
{
    double deviation = feat_deviation(n, length, sq);
    set(c, CIC_LENGTH_MEAN, feat_ratio(length, n));
    set(c, CIC_LENGTH_STD, deviation);
    set(c, CIC_LENGTH_VARIANCE, deviation * deviation);
}

static void fill_detail(struct feat_cic_cells *c, const struct dp_flow *f)
{
    const struct dp_detail *d = &f->detail;
    double subflows = (double)d->pauses + 1;
    fill_detail_dir(c, &f->fwd, &d->fwd, subflows, &fwd_detail);
    fill_detail_dir(c, &f->bwd, &d->bwd, subflows, &bwd_detail);
    set(c, CIC_LENGTH_MIN, least(f));
    set(c, CIC_LENGTH_MAX, fmax(d->fwd.payload_max, d->bwd.payload_max));
    fill_lengths(c, (double)(f->fwd.packets + f->bwd.packets),
                 (double)(f->fwd.payload_bytes + f->bwd.payload_bytes),
                 (double)d->fwd.payload_sq + (double)d->bwd.payload_sq);
    set(c, CIC_FWD_HEADER_MIN, d->fwd.header_min);
    fill_spells(c, CIC_ACTIVE_MEAN, &d->active);
    fill_spells(c, CIC_IDLE_MEAN, &d->idle);
}

/* --- the defects --- */

/* Counted in the first packet only: known when none of the packets has the flag, or all have. */
static void only_first(struct feat_cic_cells *c, enum cic_column column, uint64_t with, uint64_t n)
{
    if (with == 0 || with == n)
        set(c, column, with > 0);
    else
        forget(c, column);
}

/* The first packet is not counted, whether it carried data or not. */
static void all_but_first(struct feat_cic_cells *c, uint64_t with, uint64_t n)
{
    if (with == 0 || with == n)
        set(c, CIC_FWD_DATA_PACKETS, with > 0 ? (double)with - 1 : 0);
    else
        forget(c, CIC_FWD_DATA_PACKETS);
}

/* The lengths of the first packet enter twice; without any payload that changes nothing. */
static void first_length_twice(struct feat_cic_cells *c, const struct dp_flow *f)
{
    if (f->fwd.payload_bytes + f->bwd.payload_bytes == 0)
        return;
    forget(c, CIC_LENGTH_MEAN);
    forget(c, CIC_SIZE_MEAN);
}

/* Java divides by zero without a word: 0/0 is NaN, the rest infinity. */
static void rates_at_zero(struct feat_cic_cells *c, const struct dp_flow *f)
{
    bool bytes = f->fwd.payload_bytes + f->bwd.payload_bytes > 0;
    set(c, CIC_BYTES_PER_S, bytes ? INFINITY : NAN);
    set(c, CIC_PACKETS_PER_S, INFINITY);
}

/* Flags and window of TCP over IPv6 were never read; UDP's header length came from a TCP object. */
static void spoil_v6(struct feat_cic_cells *c, const struct dp_flow *f)
{
    static const enum cic_column zero[] = {CIC_FIN,        CIC_SYN,       CIC_RST,     CIC_PSH,
                                           CIC_ACK,        CIC_URG,       CIC_CWR,     CIC_ECE,
                                           CIC_FWD_PSH,    CIC_BWD_PSH,   CIC_FWD_URG, CIC_BWD_URG,
                                           CIC_FWD_WINDOW, CIC_BWD_WINDOW};
    if (dp_addr_is_v4(&f->src))
        return;
    for (size_t i = 0; i < ATL_ARRAY_LEN(zero); i++)
        set(c, zero[i], 0);
    if (f->proto == IPPROTO_UDP) {
        forget(c, CIC_FWD_HEADER);
        forget(c, CIC_BWD_HEADER);
        forget(c, CIC_FWD_HEADER_MIN);
    }
}

/* What the sums alone tell of columns that depend on one packet. */
static void spoil_in_doubt(struct feat_cic_cells *c, const struct dp_flow *f)
{
    const struct dp_dir *fwd = &f->fwd;
    first_length_twice(c, f);
    only_first(c, CIC_FWD_PSH, fwd->flags[DP_PSH], fwd->packets);
    only_first(c, CIC_FWD_URG, fwd->flags[DP_URG], fwd->packets);
    all_but_first(c, fwd->payload_packets, fwd->packets);
    if (f->bwd.packets > 1) /* each packet overwrites the window of the one before */
        forget(c, CIC_BWD_WINDOW);
}

/* Every packet begins a subflow, because a timestamp is compared with a millionth of another. */
static void spoil_subflows(struct feat_cic_cells *c, const struct dp_flow *f)
{
    uint64_t n = f->fwd.packets + f->bwd.packets;
    set(c, CIC_SUBFLOW_FWD_PACKETS, whole_ratio(f->fwd.packets, n));
    set(c, CIC_SUBFLOW_FWD_BYTES, whole_ratio(f->fwd.payload_bytes, n));
    set(c, CIC_SUBFLOW_BWD_PACKETS, whole_ratio(f->bwd.packets, n));
    set(c, CIC_SUBFLOW_BWD_BYTES, whole_ratio(f->bwd.payload_bytes, n));
}

/* The time since 1970 is the first idle time of every flow. */
static void spoil_idle(struct feat_cic_cells *c, const struct dp_flow *f)
{
    const struct dp_spells *s = &f->detail.idle;
    double since_1970 = whole_us(0, f->first_ns), n = (double)s->n + 1;
    double sum = (double)s->us + since_1970;
    set(c, CIC_IDLE_MEAN, sum / n);
    set(c, CIC_IDLE_STD, feat_deviation(n, sum, (double)s->sq_us2 + since_1970 * since_1970));
    set(c, CIC_IDLE_MAX, fmax((double)s->max_us, since_1970));
    set(c, CIC_IDLE_MIN, s->n > 0 ? fmin((double)s->min_us, since_1970) : since_1970);
}

static void spoil_detail(struct feat_cic_cells *c, const struct dp_flow *f)
{
    const struct dp_detail *d = &f->detail;
    double n = (double)(f->fwd.packets + f->bwd.packets), first = d->first_payload;
    double length = (double)(f->fwd.payload_bytes + f->bwd.payload_bytes) + first;
    fill_lengths(c, n + 1, length,
                 (double)d->fwd.payload_sq + (double)d->bwd.payload_sq + first * first);
    set(c, CIC_SIZE_MEAN, feat_ratio(length, n));
    set(c, CIC_FWD_PSH, d->first_flags >> DP_PSH & 1);
    set(c, CIC_FWD_URG, d->first_flags >> DP_URG & 1);
    set(c, CIC_FWD_DATA_PACKETS, (double)f->fwd.payload_packets - (first > 0));
    set(c, CIC_BWD_WINDOW, d->bwd.window_last);
    set(c, CIC_BWD_BULK_BYTES, whole_ratio(d->mixed.bytes, d->mixed.n));
    set(c, CIC_BWD_BULK_PACKETS, whole_ratio(d->mixed.packets, d->mixed.n));
    set(c, CIC_BWD_BULK_RATE,
        floor(feat_ratio((double)d->mixed.bytes, whole_us(0, d->mixed.ns) * 1e-6)));
    spoil_idle(c, f);
}

static void spoil(struct feat_cic_cells *c, const struct dp_flow *f)
{
    if (f->detail.known)
        spoil_detail(c, f);
    else
        spoil_in_doubt(c, f);
    set(c, CIC_BWD_PSH, 0);
    set(c, CIC_BWD_URG, 0);
    set(c, CIC_DOWN_UP, whole_ratio(f->bwd.packets, f->fwd.packets));
    if (c->value[CIC_DURATION] <= 0)
        rates_at_zero(c, f);
    /* two arrays are compared by identity, so every bulk counts as backward */
    set(c, CIC_FWD_BULK_BYTES, 0);
    set(c, CIC_FWD_BULK_PACKETS, 0);
    set(c, CIC_FWD_BULK_RATE, 0);
    spoil_subflows(c, f);
    spoil_v6(c, f);
}

void feat_cic_values(const struct dp_flow *f, bool compat, struct feat_cic_cells *c)
{
    double duration_us = whole_us(f->first_ns, f->last_ns);
    memset(c, 0, sizeof(*c));
    fill_dir(c, &f->fwd, duration_us * 1e-6, &fwd_columns);
    fill_dir(c, &f->bwd, duration_us * 1e-6, &bwd_columns);
    fill_both(c, f, duration_us);
    if (f->detail.known)
        fill_detail(c, f);
    if (compat)
        spoil(c, f);
}
