/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/decode_priv.h"

enum {
    NEXT_HOP_BY_HOP = 0,
    NEXT_ROUTING = 43,
    NEXT_FRAGMENT = 44,
    NEXT_NONE = 59,
    NEXT_DESTINATION = 60,
    ROUTING_SEGMENTS = 4,
};

/* All that is known of an enclosing packet but its tunnel and tags is forgotten. */
static void begin_packet(struct dp_decode *d, struct dp_addr src, struct dp_addr dst)
{
    struct dp_packet *p = d->packet;
    *p = (struct dp_packet){
        .ts_ns = p->ts_ns,
        .qfi = p->qfi,
        .tunnel_id = p->tunnel_id,
        .key =
            {
                .addr = {src, dst},
                .vlan = {p->key.vlan[0], p->key.vlan[1]},
                .tunnel = p->key.tunnel,
                .tunnel_id = p->key.tunnel_id,
            },
    };
    d->first = d->later = false;
}

/* Where in its datagram this packet lies: offset in units of 8 bytes. */
static void set_fragment(struct dp_decode *d, uint32_t id, uint16_t offset, bool more)
{
    if (offset == 0 && !more)
        return;
    const struct dp_key *key = &d->packet->key;
    dp_seen(d, DP_ENCAP_FRAGMENT);
    d->first = offset == 0;
    d->later = offset != 0;
    d->datagram = (struct dp_datagram){
        .src = key->addr[0],
        .dst = key->addr[1],
        .id = id,
        .tunnel_id = d->packet->tunnel_id,
        .vlan = {key->vlan[0], key->vlan[1]},
        .tunnel = key->tunnel,
        .proto = d->proto,
    };
}

static bool is_extension(const struct dp_decode *d)
{
    if (d->later)
        return false;
    if (d->proto == DP_PROTO_AH)
        return true;
    return d->v6 && (d->proto == NEXT_HOP_BY_HOP || d->proto == NEXT_ROUTING ||
                     d->proto == NEXT_FRAGMENT || d->proto == NEXT_DESTINATION);
}

/* What follows an IP header or an extension header: d->proto. */
static enum dp_layer after_ip(const struct dp_decode *d)
{
    return is_extension(d) ? DP_LAYER_EXTENSION : DP_LAYER_TRANSPORT;
}

/* Next header, length: in units of 8 bytes after the first 8, but AH in units of 4 after 8. */
enum dp_layer dp_layer_extension(struct dp_decode *d)
{
    uint8_t kind = d->proto;
    const uint8_t *header, *body;
    if (!dp_need(d, 8, &header))
        return DP_LAYER_FAIL;
    d->proto = header[0];
    if (kind == NEXT_FRAGMENT) {
        uint16_t field = dp_be16(header + 2);
        set_fragment(d, dp_be32(header + 4), field >> 3, (field & 1) != 0);
        return after_ip(d);
    }
    if (kind == NEXT_ROUTING && header[2] == ROUTING_SEGMENTS)
        dp_seen(d, DP_ENCAP_SRH);
    if (!dp_need(d, header[1] * (kind == DP_PROTO_AH ? 4U : 8U), &body))
        return DP_LAYER_FAIL;
    return after_ip(d);
}

enum dp_layer dp_layer_ip(struct dp_decode *d)
{
    const uint8_t *first = dp_peek(d, 0, 1), *ignored;
    if (first == NULL)
        return dp_need(d, 1, &ignored) ? DP_LAYER_DONE : DP_LAYER_FAIL;
    switch (first[0] >> 4) {
    case 4:
        return DP_LAYER_IPV4;
    case 6:
        return DP_LAYER_IPV6;
    default:
        return dp_fail(d, DP_REASON_BAD_HEADER);
    }
}

/*
 * The packet's own length replaces that of what encloses it. The frame may be shorter (it was
 * captured before a card cut it); a packet that holds another may not, unless it is a fragment.
 */
static bool set_rest(struct dp_decode *d, uint64_t rest)
{
    if (d->in_ip && !d->partial && rest > d->left)
        return false;
    d->left = rest;
    d->in_ip = true;
    dp_limit(&d->cursor, rest);
    return true;
}

enum dp_layer dp_layer_ipv4(struct dp_decode *d)
{
    const uint8_t *header, *options;
    uint64_t enclosing = d->left;
    if (!dp_need(d, 20, &header))
        return DP_LAYER_FAIL;
    uint32_t header_bytes = (header[0] & 0x0fU) * 4;
    if (header[0] >> 4 != 4 || header_bytes < 20)
        return dp_fail(d, DP_REASON_BAD_HEADER);
    /* 0: segmentation offload left the length to the card, so the wire has to tell. */
    uint32_t total = dp_be16(header + 2);
    if (total == 0)
        total = (uint32_t)enclosing;
    if (total < header_bytes || !set_rest(d, total - 20))
        return dp_fail(d, DP_REASON_BAD_HEADER);
    if (!dp_need(d, header_bytes - 20, &options))
        return DP_LAYER_FAIL;

    begin_packet(d, dp_addr_mapped(header + 12), dp_addr_mapped(header + 16));
    d->packet->bytes = total;
    d->packet->ttl = header[8];
    d->proto = header[9];
    d->v6 = false;
    uint16_t field = dp_be16(header + 6);
    set_fragment(d, dp_be16(header + 4), field & 0x1fff, (field & 0x2000) != 0);
    return after_ip(d);
}

enum dp_layer dp_layer_ipv6(struct dp_decode *d)
{
    const uint8_t *header;
    if (!dp_need(d, 40, &header))
        return DP_LAYER_FAIL;
    if (header[0] >> 4 != 6)
        return dp_fail(d, DP_REASON_BAD_HEADER);
    /* 0: a jumbogram (RFC 2675) or segmentation offload, unless there really is nothing. */
    uint32_t rest = dp_be16(header + 4);
    if (rest == 0 && header[6] != NEXT_NONE)
        rest = (uint32_t)d->left;
    if (!set_rest(d, rest))
        return dp_fail(d, DP_REASON_BAD_HEADER);

    struct dp_addr src, dst;
    memcpy(src.bytes, header + 8, 16);
    memcpy(dst.bytes, header + 24, 16);
    begin_packet(d, src, dst);
    d->packet->bytes = rest + 40;
    d->packet->ttl = header[7];
    d->proto = header[6];
    d->v6 = true;
    return after_ip(d);
}
