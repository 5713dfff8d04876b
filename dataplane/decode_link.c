/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/decode_priv.h"

enum {
    ETHERTYPE_TEB = 0x6558,
    ETHERTYPE_LOWEST = 0x0600, /* below: an 802.3 length */
    ETHERNET_BYTES = 14,
    LABEL_LAST = 1 << 8, /* bottom of the stack, in the low half of an entry */
};

static const struct {
    uint16_t type;
    uint8_t layer;
} types[] = {
    {DP_ETHERTYPE_IPV4, DP_LAYER_IPV4},
    {DP_ETHERTYPE_IPV6, DP_LAYER_IPV6},
    {DP_ETHERTYPE_VLAN, DP_LAYER_VLAN},
    {0x88a8, DP_LAYER_VLAN}, /* 802.1ad */
    {0x9100, DP_LAYER_VLAN}, /* before 802.1ad */
    {0x8847, DP_LAYER_MPLS},
    {0x8848, DP_LAYER_MPLS}, /* upstream-assigned label */
    {0x8863, DP_LAYER_PPPOE_DISCOVERY},
    {0x8864, DP_LAYER_PPPOE},
    {0x880b, DP_LAYER_PPP},
    {0x8909, DP_LAYER_CMD},
    {0x894f, DP_LAYER_NSH},
    {ETHERTYPE_TEB, DP_LAYER_ETHERNET},
};

enum dp_layer dp_layer_of_ethertype(uint16_t type)
{
    for (size_t i = 0; i < ATL_ARRAY_LEN(types); i++)
        if (types[i].type == type)
            return (enum dp_layer)types[i].layer;
    return DP_LAYER_COUNT;
}

static enum dp_layer by_ethertype(struct dp_decode *d, uint16_t type)
{
    enum dp_layer layer = dp_layer_of_ethertype(type);
    return layer != DP_LAYER_COUNT ? layer : dp_fail(d, DP_REASON_NOT_IP);
}

static enum dp_layer by_type_or_length(struct dp_decode *d, uint16_t type)
{
    if (type >= ETHERTYPE_LOWEST)
        return by_ethertype(d, type);
    dp_enclose(d, type);
    return DP_LAYER_LLC;
}

enum dp_layer dp_layer_ethernet(struct dp_decode *d)
{
    const uint8_t *header;
    if (!dp_need(d, ETHERNET_BYTES, &header))
        return DP_LAYER_FAIL;
    d->tags = 0;
    return by_type_or_length(d, dp_be16(header + 12));
}

/* The tags are those of the innermost Ethernet header that has any. */
enum dp_layer dp_layer_vlan(struct dp_decode *d)
{
    const uint8_t *tag;
    if (!dp_need(d, 4, &tag))
        return DP_LAYER_FAIL;
    uint16_t *vlan = d->packet->key.vlan;
    if (d->tags == 0)
        vlan[0] = vlan[1] = 0;
    if (d->tags < 2) {
        vlan[d->tags] = dp_be16(tag) & 0x0fff;
        dp_seen(d, d->tags == 0 ? DP_ENCAP_VLAN : DP_ENCAP_QINQ);
        d->tags++;
    }
    return by_type_or_length(d, dp_be16(tag + 2));
}

/* IP in 802.3 is only found behind a SNAP header with OUI 0 (RFC 1042). */
enum dp_layer dp_layer_llc(struct dp_decode *d)
{
    const uint8_t *snap = dp_peek(d, 0, 8), *ignored;
    if (snap == NULL || dp_be32(snap) != 0xaaaa0300 || dp_be16(snap + 4) != 0)
        return dp_fail(d, DP_REASON_NOT_IP);
    uint16_t type = dp_be16(snap + 6);
    if (type < ETHERTYPE_LOWEST || !dp_need(d, 8, &ignored))
        return dp_fail(d, DP_REASON_NOT_IP);
    return by_ethertype(d, type);
}

/* Version and length 1, 4 bytes of option, next type; in GRE the next type comes first. */
enum dp_layer dp_layer_cmd(struct dp_decode *d)
{
    const uint8_t *header;
    if (!dp_need(d, 8, &header))
        return DP_LAYER_FAIL;
    dp_seen(d, DP_ENCAP_CMD);
    return by_type_or_length(d, dp_be16(dp_be16(header) == 0x0101 ? header + 6 : header));
}

/* --- MPLS --- */

bool dp_ethernet_at(const struct dp_decode *d, size_t offset)
{
    const uint8_t *type = dp_peek(d, offset + 12, 2);
    if (type == NULL || d->left < offset + ETHERNET_BYTES)
        return false;
    uint16_t value = dp_be16(type);
    return value == DP_ETHERTYPE_ARP || dp_layer_of_ethertype(value) != DP_LAYER_COUNT;
}

/* An Ethernet address may begin like an IP header, but then the length seldom fits. */
static bool is_ip(const struct dp_decode *d)
{
    const uint8_t *h = dp_peek(d, 0, 6);
    if (h == NULL)
        return false;
    uint32_t length = h[0] >> 4 == 4 ? dp_be16(h + 2) : dp_be16(h + 4) + 40U;
    bool fits = d->partial || length <= d->left;
    if (h[0] >> 4 == 4)
        return (h[0] & 0x0f) >= 5 && length >= 20 && fits;
    return h[0] >> 4 == 6 && fits;
}

enum dp_layer dp_layer_guess(struct dp_decode *d)
{
    if (is_ip(d))
        return DP_LAYER_IP;
    if (dp_ethernet_at(d, 0))
        return DP_LAYER_ETHERNET;
    /* Neither for certain: let the IP decoder name what is wrong. */
    const uint8_t *h = dp_peek(d, 0, 1);
    if (h != NULL && (h[0] >> 4 == 4 || h[0] >> 4 == 6))
        return DP_LAYER_IP;
    return dp_not_known(d, ETHERNET_BYTES);
}

/* Nothing in the label says what follows: IP by its version (RFC 4928), or Ethernet (RFC 4448). */
static enum dp_layer below_mpls(struct dp_decode *d)
{
    const uint8_t *word = dp_peek(d, 0, 4);
    if (word != NULL && word[0] >> 4 == 0 && dp_ethernet_at(d, 4)) {
        dp_seen(d, DP_ENCAP_EOMPLS_CW);
        return dp_need(d, 4, &word) ? DP_LAYER_ETHERNET : DP_LAYER_FAIL;
    }
    enum dp_layer layer = dp_layer_guess(d);
    if (layer == DP_LAYER_FAIL)
        return dp_not_known(d, 4 + ETHERNET_BYTES);
    if (layer == DP_LAYER_ETHERNET)
        dp_seen(d, DP_ENCAP_EOMPLS);
    return layer;
}

/* One entry of the stack. */
enum dp_layer dp_layer_mpls(struct dp_decode *d)
{
    const uint8_t *entry;
    if (!dp_need(d, 4, &entry))
        return DP_LAYER_FAIL;
    if ((dp_be16(entry + 2) & LABEL_LAST) == 0)
        return DP_LAYER_MPLS;
    dp_seen(d, DP_ENCAP_MPLS);
    dp_set_tunnel(d, DP_TUNNEL_MPLS, dp_be32(entry) >> 12);
    return below_mpls(d);
}

/* --- PPP --- */

enum dp_layer dp_layer_discovery(struct dp_decode *d)
{
    dp_seen(d, DP_ENCAP_PPPOE_DISCOVERY);
    return dp_fail(d, DP_REASON_NOT_IP);
}

/* RFC 2516 §4. */
enum dp_layer dp_layer_pppoe(struct dp_decode *d)
{
    const uint8_t *header;
    if (!dp_need(d, 6, &header))
        return DP_LAYER_FAIL;
    if (header[0] != 0x11 || header[1] != 0)
        return dp_fail(d, DP_REASON_BAD_HEADER);
    dp_seen(d, DP_ENCAP_PPPOE);
    dp_set_tunnel(d, DP_TUNNEL_PPPOE, dp_be16(header + 2));
    dp_enclose(d, dp_be16(header + 4));
    return DP_LAYER_PPP;
}

/* RFC 1661 §2, 1662 §3.1: address and control may be left out, and a protocol below 256 may be one
 * byte; the low bit of a protocol's last byte is 1, of any other 0. */
enum dp_layer dp_layer_ppp(struct dp_decode *d)
{
    const uint8_t *p = dp_peek(d, 0, 2);
    if (p == NULL && d->left >= 2)
        return dp_fail(d, DP_REASON_TRUNCATED);
    if (p != NULL && p[0] == 0xff && p[1] == 0x03 && !dp_need(d, 2, &p))
        return DP_LAYER_FAIL;
    if (!dp_need(d, 1, &p))
        return DP_LAYER_FAIL;
    uint16_t protocol = p[0];
    if ((protocol & 1) == 0) {
        if (!dp_need(d, 1, &p))
            return DP_LAYER_FAIL;
        protocol = (uint16_t)(protocol << 8 | p[0]);
    }
    dp_seen(d, DP_ENCAP_PPP);
    switch (protocol) {
    case 0x0021:
        return DP_LAYER_IPV4;
    case 0x0057:
        return DP_LAYER_IPV6;
    case 0x0281:
    case 0x0283:
        return DP_LAYER_MPLS;
    default:
        return dp_fail(d, DP_REASON_NOT_IP);
    }
}

/* --- link types of captures --- */

/* The address family of whichever system wrote the file, in its byte order. */
enum dp_layer dp_layer_null(struct dp_decode *d)
{
    const uint8_t *header;
    if (!dp_need(d, 4, &header))
        return DP_LAYER_FAIL;
    uint32_t family = dp_be32(header);
    if (family > 0xffff)
        family = (uint32_t)header[1] << 8 | header[0];
    switch (family) {
    case 2:
        return DP_LAYER_IPV4;
    case 10: /* Linux */
    case 24: /* NetBSD, OpenBSD */
    case 28: /* FreeBSD */
    case 30: /* macOS */
        return DP_LAYER_IPV6;
    default:
        return dp_fail(d, DP_REASON_NOT_IP);
    }
}

enum dp_layer dp_layer_sll(struct dp_decode *d)
{
    const uint8_t *header;
    return dp_need(d, 16, &header) ? by_ethertype(d, dp_be16(header + 14)) : DP_LAYER_FAIL;
}

enum dp_layer dp_layer_sll2(struct dp_decode *d)
{
    const uint8_t *header;
    return dp_need(d, 20, &header) ? by_ethertype(d, dp_be16(header)) : DP_LAYER_FAIL;
}

enum dp_layer dp_layer_chdlc(struct dp_decode *d)
{
    const uint8_t *header;
    return dp_need(d, 4, &header) ? by_ethertype(d, dp_be16(header + 2)) : DP_LAYER_FAIL;
}
