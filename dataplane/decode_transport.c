/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/decode_priv.h"

#include "dataplane/service_priv.h"

enum { ICMP_ECHO_REPLY = 0, ICMP_ECHO = 8, ICMPV6_ECHO = 128, ICMPV6_ECHO_REPLY = 129 };

enum {
    UDP_BYTES = 8,
    SCTP_BYTES = 12,
    PORTS_BYTES = 4,
};

/* What is known of a UDP port, in the slot of the port. */
static const struct service {
    uint8_t layer;
    bool answers;
    void (*look)(struct dp_decode *d);
} services[ATL_ARRAY_LEN(dp_service_ports)] = {
#define DP_ROW(port, layer, look, answers) [DP_SERVICE_SLOT(port)] = {layer, answers, look},
    DP_SERVICES(DP_ROW)
#undef DP_ROW
};

/* IP protocols that carry packets. */
static const struct {
    uint8_t proto, layer;
} carriers[] = {
    {4, DP_LAYER_IP_IN_IP},         {41, DP_LAYER_IP_IN_IP},   {47, DP_LAYER_GRE},
    {97, DP_LAYER_ETHERIP},         {115, DP_LAYER_L2TPV3_IP}, {137, DP_LAYER_MPLS_IN_IP},
    {143, DP_LAYER_ETHERNET_IN_IP},
};

/* The header of header_bytes, as far as the rest of the IP packet has room for it, is no payload.
 */
static void set_header_bytes(struct dp_decode *d, uint64_t rest, uint64_t header_bytes)
{
    if (header_bytes > rest)
        header_bytes = rest;
    d->packet->header_bytes = (uint16_t)header_bytes;
    d->packet->payload_bytes = (uint32_t)(rest - header_bytes);
}

/*
 * The least of a transport header that a flow can be keyed with. An IP packet too small to hold it
 * is hostile but real, and is keyed without; one that the capture cut there is not guessed at.
 */
static bool take_least(struct dp_decode *d, uint32_t n, const uint8_t **ret_p)
{
    *ret_p = NULL;
    return d->left < n || dp_need(d, n, ret_p);
}

static bool take_ports(struct dp_decode *d, bool *ret_has)
{
    const uint8_t *ports;
    bool good = take_least(d, PORTS_BYTES, &ports);
    *ret_has = ports != NULL;
    if (ports != NULL) {
        d->packet->key.port[0] = dp_be16(ports);
        d->packet->key.port[1] = dp_be16(ports + 2);
    }
    return good;
}

/* Remember the ports for the fragments to come. */
static void remember(struct dp_decode *d)
{
    const struct dp_key *key = &d->packet->key;
    struct dp_fragment_hint hint = {key->port[0], key->port[1], d->proto};
    if (d->first)
        dp_fragments_put(&d->decoder->fragments, &d->datagram, &hint, d->packet->ts_ns);
}

/* Step over what remains of a transport header; a look inside needs it whole. */
static bool skip_header(struct dp_decode *d, uint32_t n)
{
    const uint8_t *ignored;
    return dp_need(d, n, &ignored);
}

static bool has_port(const struct dp_decode *d, uint16_t port)
{
    return d->packet->key.port[0] == port || d->packet->key.port[1] == port;
}

static enum dp_layer decode_tcp(struct dp_decode *d)
{
    bool has_ports;
    uint32_t header_bytes = 20;
    uint64_t rest = d->left;
    if (!take_ports(d, &has_ports))
        return DP_LAYER_FAIL;
    const uint8_t *more = NULL;
    if (has_ports && dp_take(&d->cursor, 12, &more)) {
        d->left -= 12;
        uint32_t words = more[8] >> 4;
        if (words > 5)
            header_bytes = words * 4;
        d->packet->tcp_flags = more[9];
        d->packet->window = dp_be16(more + 10);
    }
    set_header_bytes(d, rest, header_bytes);
    remember(d);
    if (more != NULL && has_port(d, DP_PORT_DIAMETER) && skip_header(d, header_bytes - 16))
        dp_look_diameter(d);
    return DP_LAYER_DONE;
}

static const struct service *service_of(uint16_t port)
{
    return dp_service_may_be(port) ? &services[DP_SERVICE_SLOT(port)] : NULL;
}

static enum dp_layer decode_udp(struct dp_decode *d)
{
    bool has_ports;
    set_header_bytes(d, d->left, UDP_BYTES);
    if (!take_ports(d, &has_ports))
        return DP_LAYER_FAIL;
    remember(d);
    const struct service *s = service_of(d->packet->key.port[1]);
    if (s == NULL)
        s = service_of(d->packet->key.port[0]);
    if (!has_ports || s == NULL)
        return DP_LAYER_DONE;
    if (!s->answers && !dp_service_may_be(d->packet->key.port[1]))
        return DP_LAYER_DONE;
    if (s->look != NULL) {
        if (skip_header(d, UDP_BYTES - PORTS_BYTES))
            s->look(d);
        return DP_LAYER_DONE;
    }
    if (d->decoder->view == DP_KEY_OUTER)
        return DP_LAYER_DONE;
    dp_enter(d);
    return skip_header(d, UDP_BYTES - PORTS_BYTES) ? (enum dp_layer)s->layer : DP_LAYER_FAIL;
}

static enum dp_layer decode_sctp(struct dp_decode *d)
{
    bool has_ports;
    set_header_bytes(d, d->left, SCTP_BYTES);
    if (!take_ports(d, &has_ports))
        return DP_LAYER_FAIL;
    remember(d);
    if (has_ports && skip_header(d, SCTP_BYTES - PORTS_BYTES))
        dp_look_sctp(d);
    return DP_LAYER_DONE;
}

static bool is_echo(uint8_t proto, uint8_t type)
{
    if (proto == DP_PROTO_ICMP)
        return type == ICMP_ECHO || type == ICMP_ECHO_REPLY;
    return type == ICMPV6_ECHO || type == ICMPV6_ECHO_REPLY;
}

static enum dp_layer decode_icmp(struct dp_decode *d)
{
    const uint8_t *header, *more;
    set_header_bytes(d, d->left, 8);
    if (!take_least(d, 2, &header))
        return DP_LAYER_FAIL;
    if (header == NULL)
        return DP_LAYER_DONE;
    d->packet->icmp_type = header[0];
    d->packet->icmp_code = header[1];
    if (is_echo(d->proto, header[0]) && dp_take(&d->cursor, 4, &more)) {
        d->packet->key.port[0] = dp_be16(more + 2);
        d->packet->key.port[1] = d->packet->key.port[0];
    }
    remember(d);
    return DP_LAYER_DONE;
}

static enum dp_layer decode_other(struct dp_decode *d)
{
    d->packet->payload_bytes = (uint32_t)d->left;
    remember(d);
    if (d->decoder->view == DP_KEY_OUTER)
        return DP_LAYER_DONE;
    for (size_t i = 0; i < ATL_ARRAY_LEN(carriers); i++) {
        if (carriers[i].proto == d->proto) {
            dp_enter(d);
            return (enum dp_layer)carriers[i].layer;
        }
    }
    return DP_LAYER_DONE;
}

/* A later fragment borrows ports and protocol from the first one, if that was seen. */
static enum dp_layer decode_later_fragment(struct dp_decode *d)
{
    struct dp_key *key = &d->packet->key;
    d->packet->payload_bytes = (uint32_t)d->left;
    const struct dp_fragment_hint *hint =
        dp_fragments_get(&d->decoder->fragments, &d->datagram, d->packet->ts_ns);
    if (hint != NULL) {
        key->port[0] = hint->src_port;
        key->port[1] = hint->dst_port;
        key->proto = hint->proto;
    }
    return DP_LAYER_DONE;
}

enum dp_layer dp_layer_transport(struct dp_decode *d)
{
    d->packet->key.proto = d->proto;
    if (d->later)
        return decode_later_fragment(d);
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
        return decode_other(d);
    }
}
