/* SPDX-License-Identifier: Apache-2.0 */
#include "app/hint_priv.h"

#include <string.h>

#define UDP 17

struct facts {
    float flows, peers, ports, failed, half_open, packets_per_s, packets_per_flow;
    float tcp, udp, dns_share, icmp_per_s, repeats, mail_peers;
    float upload, upload_share, upload_excess, bytes_out_share;
    float beacon, beacon_new, turned_after;
    float dns_queries, names, name_bytes, dns_odd;
    float arrivals_peak, arrival_syns;
    bool amplifier; /* the latest flow comes from a port whose servers answer more than is asked */
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

static bool is_amplifier(const struct dp_flow *flow)
{
    /* echo, chargen, DNS, portmap, NTP, NetBIOS, SNMP, CLDAP, SSDP, WS-Discovery, mDNS, memcached
     */
    static const uint16_t ports[] = {7, 19, 53, 111, 123, 137, 161, 389, 1900, 3702, 5353, 11211};
    for (size_t i = 0; i < ATL_ARRAY_LEN(ports); i++)
        if (flow->proto == UDP && flow->src_port == ports[i])
            return true;
    return false;
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
        .tcp = value(row, "tcp_share"),
        .udp = value(row, "udp_share"),
        .dns_share = value(row, "dns_share"),
        .icmp_per_s = value(row, "icmp_packets_per_s"),
        .repeats = value(row, "repeat_flows"),
        .mail_peers = value(row, "mail_peers"),
        .upload = value(row, "upload_max"),
        .upload_share = value(row, "upload_share"),
        .upload_excess = value(row, "upload_excess"),
        .bytes_out_share = value(row, "bytes_out_share"),
        .beacon = value(row, "beacon_score"),
        .beacon_new = value(row, "beacon_new"),
        .turned_after = value(row, "turned_after"),
        .dns_queries = value(row, "dns_queries"),
        .names = value(row, "dns_names"),
        .name_bytes = value(row, "dns_name_mean"),
        .dns_odd = value(row, "dns_odd_share"),
        .arrivals_peak = value(row, "arrivals_peak"),
        .arrival_syns = value(row, "arrival_syn_share"),
        .amplifier = is_amplifier(&row->sample),
    };
}

/* --- rules for either end --- */

static bool is_icmp_flood(const struct facts *f)
{
    return f->icmp_per_s >= 100 && f->icmp_per_s > 0.5F * f->packets_per_s;
}

static bool is_vertical_scan(const struct facts *f)
{
    return f->ports >= 15 && f->ports > f->peers && f->failed > 0.3F;
}

static bool is_brute_force(const struct facts *f)
{
    return f->repeats >= 20 && f->tcp > 0.5F && f->packets_per_flow >= 4 &&
           f->packets_per_flow <= 60;
}

/* --- rules for the initiator --- */

static bool is_horizontal_scan(const struct facts *f)
{
    return f->peers >= 10 && f->peers >= f->ports && f->failed > 0.3F;
}

static bool is_spam_run(const struct facts *f)
{
    return f->mail_peers >= 5;
}

static bool is_dns_tunnel(const struct facts *f)
{
    return f->names >= 20 && (f->name_bytes >= 40 || f->dns_odd > 0.5F);
}

static bool is_turned(const struct facts *f)
{
    return f->turned_after > 0;
}

static bool is_new_upload(const struct facts *f)
{
    return f->upload_excess > 0;
}

static bool is_new_beacon(const struct facts *f)
{
    return f->beacon_new > 0;
}

static bool is_dns_volume(const struct facts *f)
{
    return f->names >= 20 || (f->dns_share > 0.7F && f->dns_queries >= 20);
}

static bool is_exfiltration(const struct facts *f)
{
    return f->upload >= 5e6F && f->upload_share > 0.9F;
}

/* Many packets a flow and no answer: a probe of a port sends one or two. */
static bool is_one_way_flood(const struct facts *f)
{
    return f->packets_per_s > 200 && f->packets_per_flow > 10 && f->bytes_out_share > 0.9F &&
           f->failed > 0.5F;
}

static bool is_source_flood(const struct facts *f)
{
    return f->peers <= 3 && f->packets_per_s > 200;
}

static bool is_beacon(const struct facts *f)
{
    return f->beacon > 0;
}

/* --- rules for the responder --- */

static bool is_syn_flood(const struct facts *f)
{
    return (f->tcp > 0.5F && f->half_open > 0.5F) ||
           (f->arrivals_peak >= 100 && f->arrival_syns > 0.5F);
}

static bool is_udp_flood(const struct facts *f)
{
    return f->udp > 0.5F && f->failed > 0.5F;
}

/* Answers that open a flow: nobody here has asked. */
static bool is_amplification(const struct facts *f)
{
    return is_udp_flood(f) && f->amplifier;
}

struct rule {
    bool (*fits)(const struct facts *facts);
    struct hint hint;
};

static const struct rule source_rules[] = {
    {is_icmp_flood,
     {"icmp_flood", "sends ICMP at an unusual rate", "T1498.001", {"icmp_packets_per_s"}}},
    {is_one_way_flood,
     {"flood",
      "sends packets at an unusual rate to who never answers",
      "T1498.001",
      {"packets_per_s", "packets_per_flow", "failed_ratio"}}},
    {is_vertical_scan,
     {"vertical_scan",
      "tries many ports of few hosts, and most tries fail",
      "T1046",
      {"ports", "failed_ratio"}}},
    {is_spam_run,
     {"spam_run", "delivers mail to unusually many servers", "T1071.003", {"mail_peers"}}},
    {is_horizontal_scan,
     {"horizontal_scan",
      "tries the same few ports on many hosts, and most tries fail",
      "T1046",
      {"peers", "failed_ratio"}}},
    {is_dns_tunnel,
     {"dns_tunnel",
      "asks ever new and long names below one domain",
      "T1071.004",
      {"dns_names", "dns_name_mean", "dns_odd_share"}}},
    {is_turned,
     {"lateral_movement",
      "calls a service that so far it only answered itself",
      "T1021",
      {"turned_after"}}},
    {is_new_upload,
     {"exfiltration",
      "sends far more to one host than it ever did before",
      "T1048",
      {"upload_excess", "upload_max"}}},
    {is_brute_force,
     {"brute_force",
      "opens short sessions to one service again and again",
      "T1110",
      {"repeat_flows", "packets_per_flow"}}},
    {is_new_beacon,
     {"beacon",
      "calls one service, new to it, at regular intervals",
      "T1071.001",
      {"beacon_new", "beacon_period"}}},
    {is_dns_volume,
     {"dns_volume",
      "asks unusually much of the DNS",
      "T1071.004",
      {"dns_names", "dns_queries", "dns_share"}}},
    {is_exfiltration,
     {"exfiltration",
      "sends far more to one host than it receives",
      "T1048",
      {"upload_max", "upload_share"}}},
    {is_source_flood,
     {"flood", "sends packets to one host at an unusual rate", "T1498.001", {"packets_per_s"}}},
    {is_beacon,
     {"beacon",
      "calls one service at regular intervals",
      "T1071.001",
      {"beacon_score", "beacon_period"}}},
};

static const struct rule target_rules[] = {
    {is_icmp_flood,
     {"icmp_flood", "receives ICMP at an unusual rate", "T1498.001", {"icmp_packets_per_s"}}},
    {is_vertical_scan,
     {"vertical_scan",
      "many of its ports are tried, and most tries fail",
      "T1046",
      {"ports", "failed_ratio"}}},
    {is_syn_flood,
     {"syn_flood",
      "receives connection attempts that are never completed",
      "T1498.001",
      {"half_open_ratio", "arrivals_peak", "arrival_syn_share"}}},
    {is_amplification,
     {"amplification",
      "receives answers of UDP servers that it never asked",
      "T1498.002",
      {"udp_share", "failed_ratio"}}},
    {is_udp_flood,
     {"udp_flood",
      "receives UDP that it does not answer",
      "T1498.001",
      {"udp_share", "failed_ratio"}}},
};

static const struct hint anomaly = {
    "anomaly", "behaves unlike anything learned so far", "", {NULL}};

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
