/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/decode_priv.h"

enum {
    NEXT_HOP_BY_HOP = 0,
    NEXT_ROUTING = 43,
    NEXT_FRAGMENT = 44,
    NEXT_NONE = 59,
    NEXT_DESTINATION = 60,
};

static struct dp_addr mapped(const uint8_t *v4)
{
    struct dp_addr addr = {.bytes = {[10] = 0xff, [11] = 0xff}};
    memcpy(addr.bytes + 12, v4, 4);
    return addr;
}

static void set_ends(struct dp_decode *d, struct dp_addr src, struct dp_addr dst)
{
    d->packet->key.addr[0] = src;
    d->packet->key.addr[1] = dst;
}

/* Where in its datagram this packet lies: offset in units of 8 bytes. */
static void set_fragment(struct dp_decode *d, uint32_t id, uint16_t offset, bool more)
{
    if (offset == 0 && !more)
        return;
    d->first = offset == 0;
    d->later = offset != 0;
    d->datagram = (struct dp_datagram){
        .src = d->packet->key.addr[0],
        .dst = d->packet->key.addr[1],
        .id = id,
        .proto = d->proto,
    };
}

/*
 * Take n more bytes of headers. What the IP length leaves no room for contradicts the packet; what
 * only the capture leaves no room for was cut.
 */
static enum dp_reason take_inside(struct dp_decode *d, uint32_t n, const uint8_t **ret_p)
{
    if (d->rest < n)
        return DP_REASON_BAD_HEADER;
    if (!dp_take(&d->cursor, n, ret_p))
        return DP_REASON_TRUNCATED;
    d->rest -= n;
    return DP_DECODED;
}

static enum dp_reason decode_fragment_header(struct dp_decode *d)
{
    const uint8_t *header;
    enum dp_reason reason = take_inside(d, 8, &header);
    if (reason != DP_DECODED)
        return reason;
    uint16_t field = dp_be16(header + 2);
    d->proto = header[0];
    set_fragment(d, dp_be32(header + 4), field >> 3, (field & 1) != 0);
    return DP_DECODED;
}

/* Next header, length: in units of 8 bytes after the first 8, but AH in units of 4 after 8. */
static enum dp_reason decode_sized_header(struct dp_decode *d)
{
    const uint8_t *header;
    uint32_t unit = d->proto == DP_PROTO_AH ? 4 : 8;
    enum dp_reason reason = take_inside(d, 8, &header);
    if (reason != DP_DECODED)
        return reason;
    const uint8_t *body;
    d->proto = header[0];
    return take_inside(d, header[1] * unit, &body);
}

static enum dp_reason decode_extensions(struct dp_decode *d, bool v6)
{
    while (!d->later) {
        bool extension = d->proto == DP_PROTO_AH;
        if (v6)
            extension = extension || d->proto == NEXT_HOP_BY_HOP || d->proto == NEXT_ROUTING ||
                        d->proto == NEXT_FRAGMENT || d->proto == NEXT_DESTINATION;
        if (!extension)
            break;
        if (d->depth++ >= DP_DEPTH_MAX)
            return DP_REASON_DEPTH;
        bool fragment = v6 && d->proto == NEXT_FRAGMENT;
        enum dp_reason reason = fragment ? decode_fragment_header(d) : decode_sized_header(d);
        if (reason != DP_DECODED)
            return reason;
    }
    return dp_decode_transport(d);
}

enum dp_reason dp_decode_ipv4(struct dp_decode *d)
{
    const uint8_t *header, *options;
    if (!dp_take(&d->cursor, 20, &header))
        return DP_REASON_TRUNCATED;
    uint32_t header_bytes = (header[0] & 0x0fU) * 4;
    if (header[0] >> 4 != 4 || header_bytes < 20)
        return DP_REASON_BAD_HEADER;
    /* 0: segmentation offload left the length to the card, so the wire has to tell. */
    uint32_t total = dp_be16(header + 2);
    if (total == 0)
        total = (uint32_t)d->wire;
    if (total < header_bytes)
        return DP_REASON_BAD_HEADER;
    if (!dp_take(&d->cursor, header_bytes - 20, &options))
        return DP_REASON_TRUNCATED;

    d->rest = total - header_bytes;
    dp_limit(&d->cursor, d->rest);
    d->packet->bytes = total;
    d->packet->ttl = header[8];
    d->proto = header[9];
    set_ends(d, mapped(header + 12), mapped(header + 16));
    uint16_t field = dp_be16(header + 6);
    set_fragment(d, dp_be16(header + 4), field & 0x1fff, (field & 0x2000) != 0);
    return decode_extensions(d, false);
}

enum dp_reason dp_decode_ipv6(struct dp_decode *d)
{
    const uint8_t *header;
    if (!dp_take(&d->cursor, 40, &header))
        return DP_REASON_TRUNCATED;
    if (header[0] >> 4 != 6)
        return DP_REASON_BAD_HEADER;
    /* 0: a jumbogram (RFC 2675) or segmentation offload, unless there really is nothing. */
    uint32_t rest = dp_be16(header + 4);
    d->proto = header[6];
    if (rest == 0 && d->proto != NEXT_NONE)
        rest = (uint32_t)d->wire - 40;

    d->rest = rest;
    dp_limit(&d->cursor, rest);
    d->packet->bytes = rest + 40;
    d->packet->ttl = header[7];
    struct dp_addr src, dst;
    memcpy(src.bytes, header + 8, 16);
    memcpy(dst.bytes, header + 24, 16);
    set_ends(d, src, dst);
    return decode_extensions(d, true);
}
