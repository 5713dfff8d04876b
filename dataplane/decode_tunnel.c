/* SPDX-License-Identifier: Apache-2.0 */
/* Tunnels directly on IP: GRE and its kin, IP in IP, Ethernet in IP, L2TPv3. */
#include "dataplane/decode_priv.h"

enum {
    GRE_CHECKSUM = 0x8000, /* RFC 2784, 2890; routing: RFC 1701 */
    GRE_ROUTING = 0x4000,
    GRE_KEY = 0x2000,
    GRE_SEQUENCE = 0x1000,
    GRE_ACK = 0x0080, /* version 1, RFC 2637 §4.1 */
    GRE_ROUTES_MAX = 8,
    GRE_ERSPAN = 0x88be, /* types I and II */
    GRE_ERSPAN_3 = 0x22eb,
    GRE_WCCP = 0x883e,
};

/* The addresses' family tells which IP is outside, d->proto which is inside. */
enum dp_layer dp_layer_ip_in_ip(struct dp_decode *d)
{
    static const struct {
        uint8_t tunnel, encap;
    } kinds[2][2] = {
        {{DP_TUNNEL_IPIP, DP_ENCAP_IPIP}, {DP_TUNNEL_6IN4, DP_ENCAP_6IN4}},
        {{DP_TUNNEL_4IN6, DP_ENCAP_4IN6}, {DP_TUNNEL_6IN6, DP_ENCAP_6IN6}},
    };
    bool inner_v6 = d->proto == 41;
    dp_set_plain_tunnel(d, (enum dp_tunnel)kinds[d->v6][inner_v6].tunnel);
    dp_seen(d, (enum dp_encap)kinds[d->v6][inner_v6].encap);
    return inner_v6 ? DP_LAYER_IPV6 : DP_LAYER_IPV4;
}

enum dp_layer dp_layer_eth_in_ip(struct dp_decode *d)
{
    dp_seen(d, DP_ENCAP_ETHERIP);
    dp_set_plain_tunnel(d, DP_TUNNEL_ETHERIP);
    return DP_LAYER_ETHERNET;
}

/* RFC 3378: version 3, the rest zero. */
enum dp_layer dp_layer_etherip(struct dp_decode *d)
{
    const uint8_t *header;
    if (!dp_need(d, 2, &header))
        return DP_LAYER_FAIL;
    return dp_be16(header) == 0x3000 ? DP_LAYER_ETHERNET_IN_IP : dp_fail(d, DP_REASON_BAD_HEADER);
}

enum dp_layer dp_layer_mpls_in_ip(struct dp_decode *d)
{
    dp_seen(d, DP_ENCAP_MPLS_IP);
    return DP_LAYER_MPLS;
}

/* --- GRE --- */

/* Source route entries (RFC 1701): family, offset, length; the last has length 0. */
static bool skip_routes(struct dp_decode *d)
{
    for (int i = 0; i < GRE_ROUTES_MAX; i++) {
        const uint8_t *entry, *route;
        if (!dp_need(d, 4, &entry))
            return false;
        if (entry[3] == 0)
            return true;
        if (!dp_need(d, entry[3], &route))
            return false;
    }
    d->reason = DP_REASON_DEPTH;
    return false;
}

/* Type I has no header of its own; II: version, VLAN, …, session. */
static enum dp_layer erspan_2(struct dp_decode *d, bool sequence)
{
    const uint8_t *header;
    if (!sequence) {
        dp_set_tunnel(d, DP_TUNNEL_ERSPAN, 0);
        dp_seen(d, DP_ENCAP_ERSPAN_1);
        return DP_LAYER_ETHERNET;
    }
    if (!dp_need(d, 8, &header))
        return DP_LAYER_FAIL;
    dp_set_tunnel(d, DP_TUNNEL_ERSPAN, dp_be16(header + 2) & 0x3ffU);
    dp_seen(d, DP_ENCAP_ERSPAN_2);
    return DP_LAYER_ETHERNET;
}

/* Twelve bytes, and eight more when the last bit of them says so; the frame type is in between. */
static enum dp_layer erspan_3(struct dp_decode *d)
{
    const uint8_t *header, *platform;
    if (!dp_need(d, 12, &header) || ((header[11] & 1) != 0 && !dp_need(d, 8, &platform)))
        return DP_LAYER_FAIL;
    dp_set_tunnel(d, DP_TUNNEL_ERSPAN, dp_be16(header + 2) & 0x3ffU);
    dp_seen(d, DP_ENCAP_ERSPAN_3);
    switch (dp_be16(header + 10) >> 10 & 0x1f) {
    case 0:
        return DP_LAYER_ETHERNET;
    case 2:
        return DP_LAYER_IP;
    default:
        return dp_fail(d, DP_REASON_NOT_IP);
    }
}

/* Version 2 has a redirect header, version 1 none; that header cannot begin like an IP packet. */
enum dp_layer dp_layer_wccp(struct dp_decode *d)
{
    const uint8_t *first = dp_peek(d, 0, 1), *redirect;
    dp_seen(d, DP_ENCAP_WCCP);
    dp_set_plain_tunnel(d, DP_TUNNEL_WCCP);
    if ((first == NULL || first[0] >> 4 != 4) && !dp_need(d, 4, &redirect))
        return DP_LAYER_FAIL;
    return DP_LAYER_IPV4;
}

static enum dp_layer ethernet_in_gre(struct dp_decode *d, const uint8_t *key)
{
    if (key == NULL) {
        dp_seen(d, DP_ENCAP_TEB);
        return DP_LAYER_ETHERNET;
    }
    /* RFC 7637 §3.2: the upper 24 bits are the subnet, the rest is entropy. */
    dp_set_tunnel(d, DP_TUNNEL_NVGRE, dp_be32(key) >> 8);
    dp_seen(d, DP_ENCAP_NVGRE);
    return DP_LAYER_ETHERNET;
}

static enum dp_layer gre_payload(struct dp_decode *d, uint16_t type, const uint8_t *key,
                                 bool sequence)
{
    dp_seen(d, DP_ENCAP_GRE);
    if (key != NULL)
        dp_set_tunnel(d, DP_TUNNEL_GRE, dp_be32(key));
    else
        dp_set_plain_tunnel(d, DP_TUNNEL_GRE);
    switch (type) {
    case GRE_ERSPAN:
        return erspan_2(d, sequence);
    case GRE_ERSPAN_3:
        return erspan_3(d);
    case GRE_WCCP:
        return DP_LAYER_WCCP;
    default:
        break;
    }
    enum dp_layer layer = dp_layer_of_ethertype(type);
    if (layer == DP_LAYER_ETHERNET)
        return ethernet_in_gre(d, key);
    return layer != DP_LAYER_COUNT ? layer : dp_fail(d, DP_REASON_NOT_IP);
}

/* PPTP: payload length and call identifier stand where the key would. */
static enum dp_layer enhanced_gre(struct dp_decode *d, uint16_t flags, uint16_t type)
{
    const uint8_t *call, *number;
    if ((flags & (GRE_CHECKSUM | GRE_ROUTING)) != 0 || (flags & GRE_KEY) == 0 || type != 0x880b)
        return dp_fail(d, DP_REASON_BAD_HEADER);
    if (!dp_need(d, 4, &call) || ((flags & GRE_SEQUENCE) != 0 && !dp_need(d, 4, &number)) ||
        ((flags & GRE_ACK) != 0 && !dp_need(d, 4, &number)))
        return DP_LAYER_FAIL;
    if ((flags & GRE_SEQUENCE) == 0)
        return DP_LAYER_OUTER; /* an acknowledgement and nothing else */
    dp_seen(d, DP_ENCAP_PPTP);
    dp_set_tunnel(d, DP_TUNNEL_PPTP, dp_be16(call + 2));
    dp_enclose(d, dp_be16(call));
    return DP_LAYER_PPP;
}

enum dp_layer dp_layer_gre(struct dp_decode *d)
{
    const uint8_t *header, *field, *key = NULL;
    if (!dp_need(d, 4, &header))
        return DP_LAYER_FAIL;
    uint16_t flags = dp_be16(header), type = dp_be16(header + 2);
    if ((flags & 7) == 1)
        return enhanced_gre(d, flags, type);
    if ((flags & 7) != 0)
        return dp_fail(d, DP_REASON_BAD_HEADER);
    if ((flags & (GRE_CHECKSUM | GRE_ROUTING)) != 0 && !dp_need(d, 4, &field))
        return DP_LAYER_FAIL;
    if ((flags & GRE_KEY) != 0 && !dp_need(d, 4, &key))
        return DP_LAYER_FAIL;
    if ((flags & GRE_SEQUENCE) != 0 && !dp_need(d, 4, &field))
        return DP_LAYER_FAIL;
    if ((flags & GRE_ROUTING) != 0 && !skip_routes(d))
        return DP_LAYER_FAIL;
    return gre_payload(d, type, key, (flags & GRE_SEQUENCE) != 0);
}
