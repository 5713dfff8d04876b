/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/decode_priv.h"

enum {
    ETHERTYPE_IPV4 = 0x0800,
    ETHERTYPE_VLAN = 0x8100,
    ETHERTYPE_IPV6 = 0x86dd,
    ETHERTYPE_QINQ = 0x88a8,
    ETHERTYPE_QINQ_OLD = 0x9100,
    ETHERTYPE_LOWEST = 0x0600, /* below: an 802.3 length */
};

/* Take a header and keep count of what the wire still holds. */
static bool take(struct dp_decode *d, size_t n, const uint8_t **ret_p)
{
    if (!dp_take(&d->cursor, n, ret_p))
        return false;
    d->wire -= n;
    return true;
}

static enum dp_reason decode_vlan(struct dp_decode *d)
{
    if (d->depth++ >= DP_DEPTH_MAX)
        return DP_REASON_DEPTH;
    const uint8_t *tag;
    if (!take(d, 4, &tag))
        return DP_REASON_TRUNCATED;
    uint16_t *vlan = d->packet->key.vlan;
    uint16_t id = dp_be16(tag) & 0x0fff;
    /* depth counts the tags here: nothing that comes before a tag uses it up */
    if (d->depth <= 2)
        vlan[d->depth - 1] = id;
    return dp_decode_ethertype(d, dp_be16(tag + 2));
}

/* IP in 802.3 is only found behind a SNAP header with OUI 0 (RFC 1042). */
static enum dp_reason decode_llc(struct dp_decode *d, uint16_t length)
{
    dp_limit(&d->cursor, length);
    const uint8_t *snap;
    if (!take(d, 8, &snap) || dp_be32(snap) != 0xaaaa0300 || dp_be16(snap + 4) != 0)
        return DP_REASON_NOT_IP;
    uint16_t type = dp_be16(snap + 6);
    return type < ETHERTYPE_LOWEST ? DP_REASON_NOT_IP : dp_decode_ethertype(d, type);
}

enum dp_reason dp_decode_ethertype(struct dp_decode *d, uint16_t type)
{
    switch (type) {
    case ETHERTYPE_IPV4:
        return dp_decode_ipv4(d);
    case ETHERTYPE_IPV6:
        return dp_decode_ipv6(d);
    case ETHERTYPE_VLAN:
    case ETHERTYPE_QINQ:
    case ETHERTYPE_QINQ_OLD:
        return decode_vlan(d);
    default:
        return type < ETHERTYPE_LOWEST ? decode_llc(d, type) : DP_REASON_NOT_IP;
    }
}

static enum dp_reason link_ethernet(struct dp_decode *d)
{
    const uint8_t *header;
    if (!take(d, 14, &header))
        return DP_REASON_TRUNCATED;
    return dp_decode_ethertype(d, dp_be16(header + 12));
}

enum dp_reason dp_decode_ip(struct dp_decode *d)
{
    struct dp_cursor peek = d->cursor;
    const uint8_t *first;
    if (!dp_take(&peek, 1, &first))
        return DP_REASON_TRUNCATED;
    switch (first[0] >> 4) {
    case 4:
        return dp_decode_ipv4(d);
    case 6:
        return dp_decode_ipv6(d);
    default:
        return DP_REASON_BAD_HEADER;
    }
}

/* The address family of whichever system wrote the file, in its byte order. */
static enum dp_reason link_null(struct dp_decode *d)
{
    const uint8_t *header;
    if (!take(d, 4, &header))
        return DP_REASON_TRUNCATED;
    uint32_t family = dp_be32(header);
    if (family > 0xffff)
        family = (uint32_t)header[1] << 8 | header[0];
    switch (family) {
    case 2:
        return dp_decode_ipv4(d);
    case 10: /* Linux */
    case 24: /* NetBSD, OpenBSD */
    case 28: /* FreeBSD */
    case 30: /* macOS */
        return dp_decode_ipv6(d);
    default:
        return DP_REASON_NOT_IP;
    }
}

static enum dp_reason link_sll(struct dp_decode *d)
{
    const uint8_t *header;
    if (!take(d, 16, &header))
        return DP_REASON_TRUNCATED;
    uint16_t type = dp_be16(header + 14);
    return type < ETHERTYPE_LOWEST ? DP_REASON_NOT_IP : dp_decode_ethertype(d, type);
}

static enum dp_reason link_sll2(struct dp_decode *d)
{
    const uint8_t *header;
    if (!take(d, 20, &header))
        return DP_REASON_TRUNCATED;
    uint16_t type = dp_be16(header);
    return type < ETHERTYPE_LOWEST ? DP_REASON_NOT_IP : dp_decode_ethertype(d, type);
}

static const struct {
    uint32_t link;
    enum dp_reason (*decode)(struct dp_decode *d);
} links[] = {
    {1, link_ethernet},    /* EN10MB */
    {0, link_null},        /* NULL */
    {108, link_null},      /* LOOP */
    {12, dp_decode_ip},    /* RAW */
    {14, dp_decode_ip},    /* RAW on OpenBSD */
    {101, dp_decode_ip},   /* RAW in files */
    {228, dp_decode_ipv4}, /* IPV4 */
    {229, dp_decode_ipv6}, /* IPV6 */
    {113, link_sll},       /* LINUX_SLL */
    {276, link_sll2},      /* LINUX_SLL2 */
};

bool dp_decode_knows_link(uint32_t link)
{
    for (size_t i = 0; i < ATL_ARRAY_LEN(links); i++)
        if (links[i].link == link)
            return true;
    return false;
}

static enum dp_reason decode_link(struct dp_decode *d, uint32_t link)
{
    for (size_t i = 0; i < ATL_ARRAY_LEN(links); i++)
        if (links[i].link == link)
            return links[i].decode(d);
    return DP_REASON_LINK_TYPE;
}

enum dp_reason dp_decode_frame(struct dp_fragments *fragments, const struct dp_frame *frame,
                               struct dp_packet *ret_packet)
{
    *ret_packet = (struct dp_packet){.ts_ns = frame->ts_ns};
    struct dp_decode d = {
        .cursor = {frame->data, frame->data + frame->captured},
        .wire = frame->wire > frame->captured ? frame->wire : frame->captured,
        .fragments = fragments,
        .packet = ret_packet,
    };
    enum dp_reason reason = decode_link(&d, frame->link);
    if (reason != DP_DECODED)
        return reason;
    ret_packet->from = dp_key_order(&ret_packet->key);
    return DP_DECODED;
}
