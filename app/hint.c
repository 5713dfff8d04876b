/* SPDX-License-Identifier: Apache-2.0 */
#include "app/hint_priv.h"

#include <string.h>

struct facts {
    float flows, peers, ports, failed, half_open, packets_per_s, packets_per_flow, size_out;
    float bytes_out_share, bytes_out, tcp, udp, icmp, dns, small;
    uint16_t port;
};

static float value(const struct feat_host_row *row, const char *name)
{
    const struct feat_schema *s = feat_schema_host();
    for (uint32_t i = 0; i < s->n_columns; i++) {
        if (strcmp(s->columns[i].name, name) == 0)
            return row->raw[i];
    }
    return 0;
}

static struct facts facts_of(const struct feat_host_row *row)
{
    return (struct facts){
        .flows = value(row, "flows"),
        .peers = value(row, "peers"),
        .ports = value(row, "ports"),
        .failed = value(row, "failed_ratio"),
        .half_open = value(row, "half_open_ratio"),
        .packets_per_s = value(row, "packets_per_s"),
        .packets_per_flow = value(row, "packets_per_flow"),
        .size_out = value(row, "size_mean_out"),
        .bytes_out_share = value(row, "bytes_out_share"),
        .bytes_out = value(row, "bytes_out"),
        .tcp = value(row, "tcp_share"),
        .udp = value(row, "udp_share"),
        .icmp = value(row, "icmp_share"),
        .dns = value(row, "dns_share"),
        .small = value(row, "small_share"),
        .port = row->sample.dst_port,
    };
}

/* --- rules for the initiator --- */

static bool is_vertical_scan(const struct facts *f)
{
    return f->ports >= 15 && f->ports > f->peers && f->failed > 0.3F;
}

static bool is_horizontal_scan(const struct facts *f)
{
    return f->peers >= 10 && f->peers >= f->ports && f->failed > 0.3F;
}

static bool is_spam_run(const struct facts *f)
{
    return f->peers >= 10 && f->tcp > 0.5F && (f->port == 25 || f->port == 587);
}

static bool is_brute_force(const struct facts *f)
{
    return f->flows >= 20 && f->peers <= 3 && f->ports <= 3 && f->tcp > 0.8F &&
           f->packets_per_flow >= 4 && f->packets_per_flow <= 60;
}

static bool is_dns_volume(const struct facts *f)
{
    return f->dns > 0.7F && f->flows >= 20;
}

static bool is_exfiltration(const struct facts *f)
{
    return f->bytes_out_share > 0.8F && f->bytes_out > 1e7F && f->size_out > 600;
}

static bool is_source_flood(const struct facts *f)
{
    return f->peers <= 3 && f->packets_per_s > 200;
}

/* --- rules for the responder --- */

static bool is_syn_flood(const struct facts *f)
{
    return f->tcp > 0.5F && f->half_open > 0.5F;
}

static bool is_udp_flood(const struct facts *f)
{
    return f->udp > 0.5F && f->failed > 0.5F;
}

static bool is_icmp_flood(const struct facts *f)
{
    return f->icmp > 0.5F;
}

struct rule {
    bool (*fits)(const struct facts *facts);
    struct hint hint;
};

static const struct rule source_rules[] = {
    {is_vertical_scan,
     {"vertical_scan", "tries many ports of few hosts, and most tries fail", "T1046"}},
    {is_horizontal_scan,
     {"horizontal_scan", "tries the same few ports on many hosts, and most tries fail", "T1046"}},
    {is_spam_run, {"spam_run", "delivers mail to unusually many servers", "T1071.003"}},
    {is_dns_volume, {"dns_volume", "asks unusually much of the DNS", "T1071.004"}},
    {is_exfiltration, {"exfiltration", "sends far more than it receives", "T1048"}},
    {is_source_flood, {"flood", "sends packets to one host at an unusual rate", "T1498.001"}},
    {is_brute_force,
     {"brute_force", "opens short sessions to one service again and again", "T1110"}},
};

static const struct rule target_rules[] = {
    {is_syn_flood,
     {"syn_flood", "receives connection attempts that are never completed", "T1498.001"}},
    {is_icmp_flood, {"icmp_flood", "receives ICMP at an unusual rate", "T1498.001"}},
    {is_udp_flood, {"udp_flood", "receives UDP that it does not answer", "T1498.001"}},
};

static const struct hint anomaly = {"anomaly", "behaves unlike anything learned so far", ""};

const struct hint *hint_for_host(const struct feat_host_row *row)
{
    struct facts facts = facts_of(row);
    bool source = row->role == FEAT_SOURCE;
    const struct rule *rules = source ? source_rules : target_rules;
    size_t n = source ? ATL_ARRAY_LEN(source_rules) : ATL_ARRAY_LEN(target_rules);
    for (size_t i = 0; i < n; i++) {
        if (rules[i].fits(&facts))
            return &rules[i].hint;
    }
    return &anomaly;
}
