/* SPDX-License-Identifier: Apache-2.0 */
/* Tunnels on UDP: VXLAN and NSH, Geneve, GTP-U, L2TP, Teredo, MPLS. */
#include "dataplane/decode_priv.h"

enum {
    VXLAN_ID = 0x08,   /* the network identifier is valid */
    VXLAN_NEXT = 0x04, /* GPE: the next protocol is named */

    GTP_EXTENSION = 0x04,
    GTP_OPTIONAL = 0x07, /* any of extension, sequence number, N-PDU number */
    GTP_PACKET = 255,
    GTP_EXTENSIONS_MAX = 8,
    GTP_PSC = 0x85, /* PDU session container, TS 38.415 §5.5 */

    L2TP_CONTROL = 0x8000, /* RFC 2661 §3.1 */
    L2TP_LENGTH = 0x4000,
    L2TP_SEQUENCE = 0x0800,
    L2TP_OFFSET = 0x0200,
};

static uint32_t be24(const uint8_t *p)
{
    return (uint32_t)p[0] << 16 | dp_be16(p + 1);
}

/* --- VXLAN, NSH, Geneve --- */

/* RFC 7348 §5. */
enum dp_layer dp_layer_vxlan(struct dp_decode *d)
{
    const uint8_t *header;
    if (!dp_need(d, 8, &header))
        return DP_LAYER_FAIL;
    if ((header[0] & VXLAN_ID) == 0)
        return dp_fail(d, DP_REASON_BAD_HEADER);
    dp_seen(d, DP_ENCAP_VXLAN);
    dp_set_tunnel(d, DP_TUNNEL_VXLAN, be24(header + 4));
    return DP_LAYER_ETHERNET;
}

/* The protocol numbers that VXLAN-GPE and NSH (RFC 8300 §2.2) share. */
static enum dp_layer by_next_protocol(struct dp_decode *d, uint8_t next)
{
    static const uint8_t layers[] = {
        [1] = DP_LAYER_IPV4, [2] = DP_LAYER_IPV6, [3] = DP_LAYER_ETHERNET,
        [4] = DP_LAYER_NSH,  [5] = DP_LAYER_MPLS,
    };
    if (next == 0 || next >= ATL_ARRAY_LEN(layers))
        return dp_fail(d, DP_REASON_NOT_IP);
    return (enum dp_layer)layers[next];
}

enum dp_layer dp_layer_vxlan_gpe(struct dp_decode *d)
{
    const uint8_t *header;
    if (!dp_need(d, 8, &header))
        return DP_LAYER_FAIL;
    if ((header[0] & 0x30) != 0) /* version */
        return dp_fail(d, DP_REASON_BAD_HEADER);
    dp_seen(d, DP_ENCAP_VXLAN_GPE);
    if ((header[0] & VXLAN_ID) != 0)
        dp_set_tunnel(d, DP_TUNNEL_VXLAN, be24(header + 4));
    else
        dp_set_plain_tunnel(d, DP_TUNNEL_VXLAN);
    return (header[0] & VXLAN_NEXT) != 0 ? by_next_protocol(d, header[3]) : DP_LAYER_ETHERNET;
}

/* RFC 8300 §2: the length counts words of four bytes, base and path header included. */
enum dp_layer dp_layer_nsh(struct dp_decode *d)
{
    const uint8_t *header, *context;
    if (!dp_need(d, 8, &header))
        return DP_LAYER_FAIL;
    uint32_t bytes = (header[1] & 0x3fU) * 4;
    if (header[0] >> 6 != 0 || bytes < 8)
        return dp_fail(d, DP_REASON_BAD_HEADER);
    if (!dp_need(d, bytes - 8, &context))
        return DP_LAYER_FAIL;
    dp_seen(d, DP_ENCAP_NSH);
    return by_next_protocol(d, header[3]);
}

/* RFC 8926 §3.4. */
enum dp_layer dp_layer_geneve(struct dp_decode *d)
{
    const uint8_t *header, *options;
    if (!dp_need(d, 8, &header))
        return DP_LAYER_FAIL;
    if (header[0] >> 6 != 0)
        return dp_fail(d, DP_REASON_BAD_HEADER);
    if (!dp_need(d, (header[0] & 0x3fU) * 4, &options))
        return DP_LAYER_FAIL;
    dp_seen(d, DP_ENCAP_GENEVE);
    dp_set_tunnel(d, DP_TUNNEL_GENEVE, be24(header + 4));
    enum dp_layer layer = dp_layer_of_ethertype(dp_be16(header + 2));
    return layer != DP_LAYER_COUNT ? layer : dp_fail(d, DP_REASON_NOT_IP);
}

/* --- GTP-U --- */

/* Length in words of four bytes, content, next type (TS 29.281 §5.2.1). */
static bool skip_extensions(struct dp_decode *d, uint8_t type)
{
    for (int i = 0; type != 0; i++) {
        const uint8_t *words, *body;
        if (i == GTP_EXTENSIONS_MAX) {
            d->reason = DP_REASON_DEPTH;
            return false;
        }
        if (!dp_need(d, 1, &words))
            return false;
        if (words[0] == 0) {
            d->reason = DP_REASON_BAD_HEADER;
            return false;
        }
        uint32_t bytes = words[0] * 4U - 1; /* ≥ 3 */
        if (!dp_need(d, bytes, &body))
            return false;
        if (type == GTP_PSC) {
            dp_seen(d, DP_ENCAP_GTPU_PSC);
            d->packet->qfi = body[1] & 0x3f;
        }
        type = body[bytes - 1];
    }
    return true;
}

/* Version 1 and no GTP'. */
enum dp_layer dp_layer_gtpu(struct dp_decode *d)
{
    const uint8_t *header, *optional;
    if (!dp_need(d, 8, &header))
        return DP_LAYER_FAIL;
    if ((header[0] & 0xf0) != 0x30)
        return dp_fail(d, DP_REASON_BAD_HEADER);
    if (header[1] != GTP_PACKET) {
        dp_telecom_note(&d->decoder->telecom, d->packet, DP_TELECOM_GTPU, false, header[1]);
        return DP_LAYER_OUTER;
    }
    uint32_t length = dp_be16(header + 2);
    if (length > d->left && !d->partial)
        return dp_fail(d, DP_REASON_BAD_HEADER);
    dp_enclose(d, length);
    if ((header[0] & GTP_OPTIONAL) != 0) {
        if (!dp_need(d, 4, &optional))
            return DP_LAYER_FAIL;
        if ((header[0] & GTP_EXTENSION) != 0 && !skip_extensions(d, optional[3]))
            return DP_LAYER_FAIL;
    }
    dp_seen(d, DP_ENCAP_GTPU);
    dp_set_tunnel(d, DP_TUNNEL_GTPU, dp_be32(header + 4));
    return dp_layer_guess(d);
}

/* --- L2TP --- */

/*
 * RFC 3931: neither the cookie's length (0, 4, 8) nor the sublayer (none or 4 bytes) is in the
 * packet, so the first offset counts at which something known begins.
 */
static enum dp_layer below_l2tpv3(struct dp_decode *d)
{
    for (size_t offset = 0; offset <= 12; offset += 4) {
        const uint8_t *ppp = dp_peek(d, offset, 4), *skipped;
        bool is_ppp = ppp != NULL && (dp_be32(ppp) == 0xff030021 || dp_be32(ppp) == 0xff030057);
        if (!is_ppp && !dp_ethernet_at(d, offset))
            continue;
        if (!dp_need(d, offset, &skipped))
            return DP_LAYER_FAIL;
        return is_ppp ? DP_LAYER_PPP : DP_LAYER_ETHERNET;
    }
    return dp_not_known(d, 12 + 14);
}

enum dp_layer dp_layer_l2tpv3_ip(struct dp_decode *d)
{
    const uint8_t *session;
    if (!dp_need(d, 4, &session))
        return DP_LAYER_FAIL;
    if (dp_be32(session) == 0)
        return DP_LAYER_OUTER; /* control */
    dp_seen(d, DP_ENCAP_L2TPV3);
    dp_set_tunnel(d, DP_TUNNEL_L2TPV3, dp_be32(session));
    return below_l2tpv3(d);
}

static bool skip_l2tp_offset(struct dp_decode *d)
{
    const uint8_t *bytes, *padding;
    return dp_need(d, 2, &bytes) && dp_need(d, dp_be16(bytes), &padding);
}

enum dp_layer dp_layer_l2tp(struct dp_decode *d)
{
    const uint8_t *flags, *length, *ids, *numbers;
    if (!dp_need(d, 2, &flags))
        return DP_LAYER_FAIL;
    uint16_t bits = dp_be16(flags);
    if ((bits & 0x0f) != 2 && (bits & 0x0f) != 3)
        return dp_fail(d, DP_REASON_BAD_HEADER);
    if ((bits & L2TP_CONTROL) != 0)
        return DP_LAYER_OUTER;
    if ((bits & 0x0f) == 3) /* two bytes reserved, then as on IP */
        return dp_need(d, 2, &length) ? DP_LAYER_L2TPV3_IP : DP_LAYER_FAIL;
    if ((bits & L2TP_LENGTH) != 0) {
        if (!dp_need(d, 2, &length))
            return DP_LAYER_FAIL;
        if (dp_be16(length) < 4)
            return dp_fail(d, DP_REASON_BAD_HEADER);
        dp_enclose(d, dp_be16(length) - 4U);
    }
    if (!dp_need(d, 4, &ids) || ((bits & L2TP_SEQUENCE) != 0 && !dp_need(d, 4, &numbers)) ||
        ((bits & L2TP_OFFSET) != 0 && !skip_l2tp_offset(d)))
        return DP_LAYER_FAIL;
    dp_seen(d, DP_ENCAP_L2TP);
    dp_set_tunnel(d, DP_TUNNEL_L2TP, dp_be16(ids + 2));
    return DP_LAYER_PPP;
}

/* --- Teredo, MPLS --- */

/* RFC 4380 §5.1.1: authentication, then origin, then IPv6; each of the first two may be missing. */
enum dp_layer dp_layer_teredo(struct dp_decode *d)
{
    const uint8_t *p = dp_peek(d, 0, 2);
    if (p != NULL && dp_be16(p) == 1) {
        const uint8_t *names;
        if (!dp_need(d, 4, &p) || !dp_need(d, p[2] + p[3] + 9U, &names))
            return DP_LAYER_FAIL;
        p = dp_peek(d, 0, 2);
    }
    if (p != NULL && dp_be16(p) == 0 && !dp_need(d, 8, &p))
        return DP_LAYER_FAIL;
    p = dp_peek(d, 0, 1);
    if (p != NULL && p[0] >> 4 != 6)
        return dp_fail(d, DP_REASON_BAD_HEADER);
    dp_seen(d, DP_ENCAP_TEREDO);
    dp_set_plain_tunnel(d, DP_TUNNEL_TEREDO);
    return DP_LAYER_IPV6;
}

enum dp_layer dp_layer_mpls_udp(struct dp_decode *d)
{
    dp_seen(d, DP_ENCAP_MPLS_UDP);
    return DP_LAYER_MPLS;
}
