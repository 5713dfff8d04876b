/* SPDX-License-Identifier: Apache-2.0 */
#include "features/columns_priv.h"
#include "features/features.h"
#include "features/moments_priv.h"

#include <netinet/in.h>

struct dir_columns {
    enum flow_column packets, bytes, payload, size_mean, size_std, size_min, size_max;
    enum flow_column iat_mean, iat_std, iat_max, syn, fin, rst, psh, ack, data, window;
    enum flow_column header_mean, ttl_min;
};

static const struct dir_columns fwd_columns = {
    FLOW_PACKETS_FWD,  FLOW_BYTES_FWD,    FLOW_PAYLOAD_FWD,  FLOW_SIZE_MEAN_FWD, FLOW_SIZE_STD_FWD,
    FLOW_SIZE_MIN_FWD, FLOW_SIZE_MAX_FWD, FLOW_IAT_MEAN_FWD, FLOW_IAT_STD_FWD,   FLOW_IAT_MAX_FWD,
    FLOW_SYN_FWD,      FLOW_FIN_FWD,      FLOW_RST_FWD,      FLOW_PSH_FWD,       FLOW_ACK_FWD,
    FLOW_DATA_FWD,     FLOW_WINDOW_FWD,   FLOW_HEADER_FWD,   FLOW_TTL_FWD,
};
static const struct dir_columns bwd_columns = {
    FLOW_PACKETS_BWD,  FLOW_BYTES_BWD,    FLOW_PAYLOAD_BWD,  FLOW_SIZE_MEAN_BWD, FLOW_SIZE_STD_BWD,
    FLOW_SIZE_MIN_BWD, FLOW_SIZE_MAX_BWD, FLOW_IAT_MEAN_BWD, FLOW_IAT_STD_BWD,   FLOW_IAT_MAX_BWD,
    FLOW_SYN_BWD,      FLOW_FIN_BWD,      FLOW_RST_BWD,      FLOW_PSH_BWD,       FLOW_ACK_BWD,
    FLOW_DATA_BWD,     FLOW_WINDOW_BWD,   FLOW_HEADER_BWD,   FLOW_TTL_BWD,
};

static void fill_dir(const struct dp_dir *d, const struct dir_columns *c, float *raw)
{
    double n = (double)d->packets, bytes = (double)d->bytes;
    double span_us = feat_seconds(d->first_ns, d->last_ns) * 1e6;
    raw[c->packets] = (float)n;
    raw[c->bytes] = (float)bytes;
    raw[c->payload] = (float)d->payload_bytes;
    raw[c->size_mean] = (float)feat_ratio(bytes, n);
    raw[c->size_std] = (float)feat_deviation(n, bytes, (double)d->size_sq);
    raw[c->size_min] = (float)d->size_min;
    raw[c->size_max] = (float)d->size_max;
    raw[c->iat_mean] = (float)(feat_ratio(span_us, n - 1) * 1e-6);
    raw[c->iat_std] = (float)(feat_deviation(n - 1, span_us, (double)d->iat_sq_us2) * 1e-6);
    raw[c->iat_max] = (float)(d->iat_max_us * 1e-6);
    raw[c->syn] = d->flags[DP_SYN];
    raw[c->fin] = d->flags[DP_FIN];
    raw[c->rst] = d->flags[DP_RST];
    raw[c->psh] = (float)feat_ratio(d->flags[DP_PSH], n);
    raw[c->ack] = (float)feat_ratio(d->flags[DP_ACK], n);
    raw[c->data] = (float)feat_ratio(d->payload_packets, n);
    raw[c->window] = d->window_init;
    raw[c->header_mean] = (float)feat_ratio(d->header_bytes, n);
    raw[c->ttl_min] = d->ttl_min;
}

static bool is_web(uint16_t port)
{
    return port == 80 || port == 443 || port == 8080 || port == 8443;
}

/* RFC 792, 1122 §3.2.2 and 4443 §2.1 */
static bool is_icmp_error(const struct dp_flow *f)
{
    uint8_t type = f->icmp_type;
    if (f->proto == IPPROTO_ICMPV6)
        return type < 128;
    return type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
}

static bool is_icmp_echo(const struct dp_flow *f)
{
    uint8_t type = f->icmp_type;
    return f->proto == IPPROTO_ICMPV6 ? type == 128 || type == 129 : type == 0 || type == 8;
}

static void fill_service(const struct dp_flow *f, float *raw)
{
    bool ports = f->proto != IPPROTO_ICMP && f->proto != IPPROTO_ICMPV6;
    raw[FLOW_ONE_WAY] = f->bwd.packets == 0;
    raw[FLOW_TCP] = f->proto == IPPROTO_TCP;
    raw[FLOW_UDP] = f->proto == IPPROTO_UDP;
    raw[FLOW_ICMP] = !ports;
    raw[FLOW_PORT_SYSTEM] = ports && f->dst_port > 0 && f->dst_port < 1024;
    raw[FLOW_PORT_WEB] = ports && is_web(f->dst_port);
    raw[FLOW_PORT_DNS] = ports && f->dst_port == 53;
    raw[FLOW_ICMP_ECHO] = !ports && is_icmp_echo(f);
    raw[FLOW_ICMP_ERROR] = !ports && is_icmp_error(f);
    raw[FLOW_VLAN_TAGS] = (float)((f->vlan[0] != 0) + (f->vlan[1] != 0));
    raw[FLOW_TUNNELLED] = f->tunnel != DP_TUNNEL_NONE;
    raw[FLOW_QFI] = f->qfi;
    raw[FLOW_MID_STREAM] = f->mid_stream;
}

static void fill_dns(const struct dp_dns *d, float *raw)
{
    double messages = (double)d->queries + d->responses, questions = 0;
    for (size_t i = 0; i < DP_DNS_TYPES; i++)
        questions += d->types[i];
    raw[FLOW_DNS_QUERIES] = d->queries;
    raw[FLOW_DNS_RESPONSES] = d->responses;
    raw[FLOW_DNS_NXDOMAIN] = (float)feat_ratio(d->nxdomain, d->responses);
    raw[FLOW_DNS_ODD] = d->odd;
    raw[FLOW_DNS_NAME_MEAN] = (float)feat_ratio(d->name_bytes, messages);
    raw[FLOW_DNS_NAME_MAX] = d->name_bytes_max;
    raw[FLOW_DNS_ENTROPY] = (float)feat_ratio(d->entropy / 256.0, messages);
    raw[FLOW_DNS_TXT] = (float)feat_ratio(d->types[DP_DNS_TXT], questions);
    raw[FLOW_DNS_NULL] = (float)feat_ratio(d->types[DP_DNS_NULL], questions);
    raw[FLOW_DNS_OTHER] = (float)feat_ratio(d->types[DP_DNS_OTHER], questions);
}

void feat_flow_vector(const struct dp_flow *f, float *raw)
{
    fill_dir(&f->fwd, &fwd_columns, raw);
    fill_dir(&f->bwd, &bwd_columns, raw);
    fill_service(f, raw);
    fill_dns(&f->dns, raw);

    double packets = (double)(f->fwd.packets + f->bwd.packets);
    double bytes = (double)(f->fwd.bytes + f->bwd.bytes);
    double duration = feat_seconds(f->first_ns, f->last_ns);
    /* below a second a rate says more about the clock than about the flow */
    double at_least = duration > 1 ? duration : 1;
    raw[FLOW_DURATION] = (float)duration;
    raw[FLOW_IAT_MEAN] = (float)feat_ratio(duration, packets - 1);
    raw[FLOW_IAT_STD] =
        (float)(feat_deviation(packets - 1, duration * 1e6, (double)f->iat_sq_us2) * 1e-6);
    raw[FLOW_IAT_MAX] = (float)(f->iat_max_us * 1e-6);
    raw[FLOW_PACKETS_PER_S] = (float)(packets / at_least);
    raw[FLOW_BYTES_PER_S] = (float)(bytes / at_least);
    raw[FLOW_PACKETS_BWD_SHARE] = (float)feat_ratio((double)f->bwd.packets, packets);
    raw[FLOW_BYTES_BWD_SHARE] = (float)feat_ratio((double)f->bwd.bytes, bytes);
}
