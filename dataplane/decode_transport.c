/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/decode_priv.h"

enum { ICMP_ECHO_REPLY = 0, ICMP_ECHO = 8, ICMPV6_ECHO = 128, ICMPV6_ECHO_REPLY = 129 };

/* The header of header_bytes, as far as the IP packet has room for it, is not payload. */
static void set_header_bytes(struct dp_decode *d, uint32_t header_bytes)
{
    if (header_bytes > d->rest)
        header_bytes = d->rest;
    d->packet->header_bytes = (uint16_t)header_bytes;
    d->packet->payload_bytes = d->rest - header_bytes;
}

/*
 * The least of a transport header that a flow can be keyed with. An IP packet too small to hold it
 * is hostile but real, and is keyed without; one that the capture cut there is not guessed at.
 */
static enum dp_reason take_least(struct dp_decode *d, uint32_t n, const uint8_t **ret_p)
{
    *ret_p = NULL;
    if (dp_take(&d->cursor, n, ret_p))
        return DP_DECODED;
    return d->rest < n ? DP_DECODED : DP_REASON_TRUNCATED;
}

static enum dp_reason decode_ports(struct dp_decode *d)
{
    const uint8_t *ports;
    enum dp_reason reason = take_least(d, 4, &ports);
    if (ports != NULL) {
        d->packet->key.port[0] = dp_be16(ports);
        d->packet->key.port[1] = dp_be16(ports + 2);
    }
    return reason;
}

static enum dp_reason decode_tcp(struct dp_decode *d)
{
    uint32_t header_bytes = 20;
    enum dp_reason reason = decode_ports(d);
    const uint8_t *more;
    if (reason == DP_DECODED && dp_take(&d->cursor, 12, &more)) {
        uint32_t words = more[8] >> 4;
        if (words > 5)
            header_bytes = words * 4;
        d->packet->tcp_flags = more[9];
        d->packet->window = dp_be16(more + 10);
    }
    set_header_bytes(d, header_bytes);
    return reason;
}

static enum dp_reason decode_udp(struct dp_decode *d)
{
    set_header_bytes(d, 8);
    return decode_ports(d);
}

static enum dp_reason decode_sctp(struct dp_decode *d)
{
    set_header_bytes(d, 12);
    return decode_ports(d);
}

static bool is_echo(uint8_t proto, uint8_t type)
{
    if (proto == DP_PROTO_ICMP)
        return type == ICMP_ECHO || type == ICMP_ECHO_REPLY;
    return type == ICMPV6_ECHO || type == ICMPV6_ECHO_REPLY;
}

static enum dp_reason decode_icmp(struct dp_decode *d)
{
    set_header_bytes(d, 8);
    const uint8_t *header, *more;
    enum dp_reason reason = take_least(d, 2, &header);
    if (header == NULL)
        return reason;
    d->packet->icmp_type = header[0];
    d->packet->icmp_code = header[1];
    if (is_echo(d->proto, header[0]) && dp_take(&d->cursor, 4, &more)) {
        d->packet->key.port[0] = dp_be16(more + 2);
        d->packet->key.port[1] = d->packet->key.port[0];
    }
    return DP_DECODED;
}

static enum dp_reason decode_by_proto(struct dp_decode *d)
{
    switch (d->proto) {
    case DP_PROTO_TCP:
        return decode_tcp(d);
    case DP_PROTO_UDP:
        return decode_udp(d);
    case DP_PROTO_ICMP:
    case DP_PROTO_ICMPV6:
        return decode_icmp(d);
    case DP_PROTO_SCTP:
        return decode_sctp(d);
    default:
        d->packet->payload_bytes = d->rest;
        return DP_DECODED;
    }
}

/* A later fragment borrows ports and protocol from the first one, if that was seen. */
static void decode_later_fragment(struct dp_decode *d)
{
    struct dp_key *key = &d->packet->key;
    d->packet->payload_bytes = d->rest;
    const struct dp_fragment_hint *hint =
        dp_fragments_get(d->fragments, &d->datagram, d->packet->ts_ns);
    if (hint == NULL)
        return;
    key->port[0] = hint->src_port;
    key->port[1] = hint->dst_port;
    key->proto = hint->proto;
}

enum dp_reason dp_decode_transport(struct dp_decode *d)
{
    struct dp_key *key = &d->packet->key;
    key->proto = d->proto;
    if (d->later) {
        decode_later_fragment(d);
        return DP_DECODED;
    }
    enum dp_reason reason = decode_by_proto(d);
    if (reason == DP_DECODED && d->first) {
        struct dp_fragment_hint hint = {key->port[0], key->port[1], d->proto};
        dp_fragments_put(d->fragments, &d->datagram, &hint, d->packet->ts_ns);
    }
    return reason;
}
