/* SPDX-License-Identifier: Apache-2.0 */
#include "features/features.h"
#include "features/link_columns_priv.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define INTERVAL_MAX_S 3600
/* A second that comes later than this is one of a clock that was set back. */
#define LATE_S 3

struct feat_links {
    uint64_t interval_s;
    feat_link_fn fn;
    void *ctx;
    bool open;
    uint64_t begin_s; /* of the interval at hand */
    struct dp_link sum;
};

#define COLUMN(id, name, unit, scale, top, step, formula, source) \
    {name, unit, top, step, FEAT_##scale, formula, source},

static const struct feat_column columns[] = {LINK_COLUMNS(COLUMN)};

#undef COLUMN

_Static_assert(ATL_ARRAY_LEN(columns) == LINK_COLUMN_COUNT, "one row per column");
_Static_assert(LINK_COLUMN_COUNT <= FEAT_COLUMNS_MAX, "a row fits feat_link_row");

static const struct feat_schema schema = {"link", 1, LINK_COLUMN_COUNT, LINK_COLUMN_COUNT, columns};

const struct feat_schema *feat_schema_link(void)
{
    return &schema;
}

/* --- a row --- */

static double share(uint64_t part, uint64_t whole)
{
    if (whole == 0)
        return 0;
    return part < whole ? (double)part / (double)whole : 1;
}

/* Flajolet et al. 2007; linear counting while registers are empty. Hosts are whole. */
static double distinct(const uint8_t registers[DP_LINK_REGISTERS])
{
    const double m = DP_LINK_REGISTERS, alpha = 0.7213 / (1 + 1.079 / m);
    double sum = 0;
    unsigned empty = 0;
    for (size_t i = 0; i < DP_LINK_REGISTERS; i++) {
        sum += ldexp(1, -registers[i]);
        empty += registers[i] == 0;
    }
    double estimate = alpha * m * m / sum;
    return round(estimate <= 2.5 * m && empty > 0 ? m * log(m / empty) : estimate);
}

/* H = log2 n − 1/n Σ c log2 c */
static double entropy(const uint32_t classes[DP_LINK_CLASSES])
{
    double n = 0, sum = 0;
    for (size_t i = 0; i < DP_LINK_CLASSES; i++) {
        n += classes[i];
        if (classes[i] > 1)
            sum += classes[i] * log2(classes[i]);
    }
    double h = n > 0 ? log2(n) - sum / n : 0;
    return h > 1e-9 ? h : 0; /* below it only rounding is left */
}

static void fill_packets(const uint64_t *counts, double *v)
{
    uint64_t tcp = counts[DP_LINK_TCP], syn = counts[DP_LINK_SYN];
    uint64_t decoded = tcp + counts[DP_LINK_UDP] + counts[DP_LINK_ICMP] + counts[DP_LINK_SCTP] +
                       counts[DP_LINK_OTHER];
    v[LINK_PACKETS] = (double)counts[DP_LINK_PACKETS];
    v[LINK_BYTES] = (double)counts[DP_LINK_BYTES];
    v[LINK_SIZE_MEAN] = counts[DP_LINK_PACKETS] > 0 ? v[LINK_BYTES] / v[LINK_PACKETS] : 0;
    v[LINK_IPV6_SHARE] = share(counts[DP_LINK_IPV6], decoded);
    v[LINK_TCP] = (double)tcp;
    v[LINK_UDP] = (double)counts[DP_LINK_UDP];
    v[LINK_ICMP] = (double)counts[DP_LINK_ICMP];
    v[LINK_SCTP] = (double)counts[DP_LINK_SCTP];
    v[LINK_OTHER] = (double)counts[DP_LINK_OTHER];
    v[LINK_NO_IP] = (double)counts[DP_LINK_NO_IP];
    v[LINK_FRAGMENTS] = (double)counts[DP_LINK_FRAGMENTS];
    v[LINK_SYN] = (double)syn;
    v[LINK_SYN_ACK] = (double)counts[DP_LINK_SYN_ACK];
    v[LINK_RST] = (double)counts[DP_LINK_RST];
    v[LINK_FIN] = (double)counts[DP_LINK_FIN];
    v[LINK_SYN_SHARE] = share(syn, tcp);
    v[LINK_SYN_ACK_RATIO] = share(counts[DP_LINK_SYN_ACK], syn);
    v[LINK_RST_SHARE] = share(counts[DP_LINK_RST], tcp);
    v[LINK_FIN_SHARE] = share(counts[DP_LINK_FIN], tcp);
    v[LINK_MALFORMED] = (double)counts[DP_LINK_MALFORMED];
    v[LINK_DROPS] = (double)(counts[DP_LINK_DROPPED] + counts[DP_LINK_LOST]);
}

static void fill_flows(const struct dp_link *sum, double *v)
{
    uint64_t begun = sum->counts[DP_LINK_BEGUN], answered = sum->counts[DP_LINK_ANSWERED];
    v[LINK_FLOWS_BEGUN] = (double)begun;
    v[LINK_FLOWS_ENDED] = (double)sum->counts[DP_LINK_ENDED];
    v[LINK_UNANSWERED_SHARE] = answered < begun ? share(begun - answered, begun) : 0;
    v[LINK_SOURCES] = distinct(sum->sources);
    v[LINK_DESTINATIONS] = distinct(sum->destinations);
    v[LINK_ENTROPY_SOURCE] = entropy(sum->by_source);
    v[LINK_ENTROPY_DESTINATION] = entropy(sum->by_destination);
    v[LINK_ENTROPY_PORT] = entropy(sum->by_port);
}

static void fill_dns(const uint64_t *counts, double *v)
{
    uint64_t names = counts[DP_LINK_DNS_NAMES], failed = counts[DP_LINK_DNS_FAILED];
    v[LINK_DNS_QUERIES] = (double)counts[DP_LINK_DNS_QUERIES];
    v[LINK_DNS_ERRORS] = (double)failed;
    v[LINK_DNS_ERROR_SHARE] = share(failed, counts[DP_LINK_DNS_RESPONSES]);
    v[LINK_DNS_NAME_MEAN] = names > 0 ? (double)counts[DP_LINK_DNS_NAME_BYTES] / (double)names : 0;
}

static void fill_telecom(const uint64_t *messages, const uint64_t *errors, double *v)
{
    v[LINK_GTPC] = (double)(messages[DP_TELECOM_GTPV1C] + messages[DP_TELECOM_GTPV2C]);
    v[LINK_GTPC_ERRORS] = (double)(errors[DP_TELECOM_GTPV1C] + errors[DP_TELECOM_GTPV2C]);
    v[LINK_GTPU] = (double)messages[DP_TELECOM_GTPU];
    v[LINK_GTPU_ERRORS] = (double)errors[DP_TELECOM_GTPU];
    v[LINK_PFCP] = (double)messages[DP_TELECOM_PFCP];
    v[LINK_PFCP_ERRORS] = (double)errors[DP_TELECOM_PFCP];
    v[LINK_DIAMETER] = (double)messages[DP_TELECOM_DIAMETER];
    v[LINK_DIAMETER_ERRORS] = (double)errors[DP_TELECOM_DIAMETER];
    v[LINK_NGAP] = (double)messages[DP_TELECOM_NGAP];
    v[LINK_NGAP_ERRORS] = (double)errors[DP_TELECOM_NGAP];
}

static void tell(const struct feat_links *l, uint64_t begin_s, const struct dp_link *sum)
{
    double v[LINK_COLUMN_COUNT];
    struct feat_link_row row = {
        .first_ns = begin_s * ATL_NS_PER_S,
        .interval_s = (uint32_t)l->interval_s,
        .packets = sum->counts[DP_LINK_PACKETS],
        .bytes = sum->counts[DP_LINK_BYTES],
    };
    fill_packets(sum->counts, v);
    fill_flows(sum, v);
    fill_dns(sum->counts, v);
    fill_telecom(sum->messages, sum->errors, v);
    for (size_t i = 0; i < LINK_COLUMN_COUNT; i++)
        row.raw[i] = (float)v[i];
    l->fn(l->ctx, &row);
}

/* --- the series --- */

int feat_links_create(struct feat_links **ret_links, uint32_t interval_s, feat_link_fn fn,
                      void *ctx)
{
    if (interval_s < 1 || interval_s > INTERVAL_MAX_S)
        return -EINVAL;
    struct feat_links *l = calloc(1, sizeof(*l));
    if (l == NULL)
        return -ENOMEM;
    l->interval_s = interval_s;
    l->fn = fn;
    l->ctx = ctx;
    *ret_links = l;
    return 0;
}

void feat_links_destroy(struct feat_links *l)
{
    free(l);
}

static void begin(struct feat_links *l, uint64_t second)
{
    l->open = true;
    l->begin_s = second - second % l->interval_s;
    memset(&l->sum, 0, sizeof(l->sum));
}

void feat_links_flush(struct feat_links *l)
{
    if (l->open)
        tell(l, l->begin_s, &l->sum);
    l->open = false;
}

/* Rows of the intervals that end before `second` does; a long silence is told of only in part. */
static void pass(struct feat_links *l, uint64_t second)
{
    if (second < l->begin_s + l->interval_s)
        return;
    uint64_t first_s = l->begin_s, rows = (second - first_s) / l->interval_s;
    tell(l, first_s, &l->sum);
    begin(l, second);
    for (uint64_t i = 1; i < rows && i <= FEAT_LINK_GAP_MAX; i++)
        tell(l, first_s + i * l->interval_s, &l->sum);
}

/* The clock may have been set: also back. */
static void reach(struct feat_links *l, uint64_t second)
{
    if (l->open && second + LATE_S < l->begin_s)
        feat_links_flush(l);
    if (l->open)
        pass(l, second);
}

void feat_links_add(struct feat_links *l, const struct dp_link *second)
{
    reach(l, second->second);
    if (!l->open)
        begin(l, second->second);
    dp_link_add(&l->sum, second);
}

void feat_links_step(struct feat_links *l, uint64_t due_s)
{
    bool open = l->open;
    reach(l, due_s);
    if (open && !l->open)
        begin(l, due_s);
}
