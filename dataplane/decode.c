/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/decode_priv.h"

#include "dataplane/service_priv.h"

static enum dp_layer (*const layers[DP_LAYER_COUNT])(struct dp_decode *d) = {
#define DP_ROW(id, function) [DP_LAYER_##id] = function,
    DP_LAYERS(DP_ROW)
#undef DP_ROW
};

static const struct {
    uint32_t link;
    enum dp_layer layer;
} links[] = {
    {1, DP_LAYER_ETHERNET},     /* EN10MB */
    {0, DP_LAYER_LINK_NULL},    /* NULL */
    {108, DP_LAYER_LINK_NULL},  /* LOOP */
    {9, DP_LAYER_PPP},          /* PPP */
    {50, DP_LAYER_PPP},         /* PPP_SERIAL */
    {51, DP_LAYER_PPPOE},       /* PPP_ETHER */
    {104, DP_LAYER_LINK_CHDLC}, /* C_HDLC */
    {12, DP_LAYER_IP},          /* RAW */
    {14, DP_LAYER_IP},          /* RAW on OpenBSD */
    {101, DP_LAYER_IP},         /* RAW in files */
    {228, DP_LAYER_IPV4},       /* IPV4 */
    {229, DP_LAYER_IPV6},       /* IPV6 */
    {113, DP_LAYER_LINK_SLL},   /* LINUX_SLL */
    {276, DP_LAYER_LINK_SLL2},  /* LINUX_SLL2 */
};

void dp_decoder_init(struct dp_decoder *decoder, enum dp_key_view view,
                     const struct atl_hash_key *key)
{
    memset(decoder, 0, sizeof(*decoder));
    decoder->view = view;
    decoder->fragments.key = *key;
    decoder->telecom.key = *key;
    decoder->domains.key = *key;
}

static enum dp_layer layer_of_link(uint32_t link)
{
    for (size_t i = 0; i < ATL_ARRAY_LEN(links); i++)
        if (links[i].link == link)
            return links[i].layer;
    return DP_LAYER_COUNT;
}

bool dp_decode_knows_link(uint32_t link)
{
    return layer_of_link(link) != DP_LAYER_COUNT;
}

static enum dp_layer run(struct dp_decode *d, enum dp_layer layer)
{
    while (layer < DP_LAYER_COUNT) {
        if (d->depth++ == DP_DEPTH_MAX)
            return dp_fail(d, DP_REASON_DEPTH);
        layer = layers[layer](d);
    }
    return layer;
}

__attribute__((noinline)) enum dp_reason dp_decode_any(struct dp_decoder *decoder,
                                                       const struct dp_frame *frame,
                                                       struct dp_packet *ret_packet)
{
    struct dp_decode d;
    memset(&d, 0, offsetof(struct dp_decode, outer));
    d.cursor = (struct dp_cursor){frame->data, frame->data + frame->captured};
    d.left = frame->wire > frame->captured ? frame->wire : frame->captured;
    d.decoder = decoder;
    d.packet = ret_packet;
    *ret_packet = (struct dp_packet){.ts_ns = frame->ts_ns};
    enum dp_layer layer = layer_of_link(frame->link);
    if (layer == DP_LAYER_COUNT)
        return DP_REASON_LINK_TYPE;
    layer = run(&d, layer);
    if (layer == DP_LAYER_FAIL && !d.has_outer)
        return d.reason;
    if (layer == DP_LAYER_FAIL)
        atl_counter_add(&decoder->fallbacks[d.reason], 1);
    if (layer != DP_LAYER_DONE)
        *ret_packet = d.outer;
    ret_packet->from = dp_key_order(&ret_packet->key);
    return DP_DECODED;
}

/* --- the straight road --- */

/*
 * An address as two words in registers: one that is put together in memory from smaller parts and
 * then read as a whole makes the processor wait for the parts.
 */
struct words {
    uint64_t high, low; /* as they lie */
};

static inline struct words words_of(const uint8_t *address)
{
    return (struct words){dp_key_word(address), dp_key_word(address + 8)};
}

/** ::ffff:a.b.c.d */
static inline struct words words_of_v4(const uint8_t *address)
{
    uint32_t last;
    memcpy(&last, address, sizeof(last));
    return (struct words){0, dp_key_mapped(last)};
}

static inline void put_words(struct dp_addr *addr, struct words w)
{
    memcpy(addr->bytes, &w.high, sizeof(w.high));
    memcpy(addr->bytes + 8, &w.low, sizeof(w.low));
}

/* The endpoints in canonical order, without a branch on traffic. */
static inline void set_ends(struct dp_packet *p, struct words src, struct words dst,
                            const uint8_t *ports)
{
    uint16_t sport = dp_be16(ports), dport = dp_be16(ports + 2);
    unsigned from = dp_words_swap(src.high, src.low, dst.high, dst.low, sport, dport);
    put_words(&p->key.addr[from], src);
    put_words(&p->key.addr[from ^ 1], dst);
    p->key.port[from] = sport;
    p->key.port[from ^ 1] = dport;
    p->from = (uint8_t)from;
}

static inline bool plain_udp(struct dp_packet *p, const uint8_t *h, uint32_t rest)
{
    if (rest < 8 || dp_service_may_be(dp_be16(h)) || dp_service_may_be(dp_be16(h + 2)))
        return false;
    p->header_bytes = 8;
    p->payload_bytes = rest - 8;
    p->tcp_flags = 0;
    p->window = 0;
    return true;
}

static inline bool plain_tcp(struct dp_packet *p, struct dp_cursor *c, const uint8_t *h,
                             uint32_t rest)
{
    const uint8_t *more;
    if (rest < 20 || !dp_take(c, 12, &more))
        return false;
    uint32_t header_bytes = (more[4] >> 4) * 4U;
    if (header_bytes < 20 || header_bytes > rest || dp_service_is_tcp(dp_be16(h)) ||
        dp_service_is_tcp(dp_be16(h + 2)))
        return false;
    p->header_bytes = (uint16_t)header_bytes;
    p->payload_bytes = rest - header_bytes;
    p->tcp_flags = more[5];
    p->window = dp_be16(more + 6);
    return true;
}

static inline __attribute__((always_inline)) bool
plain_transport(struct dp_packet *p, struct dp_cursor *c, uint8_t proto, uint32_t rest,
                struct words src, struct words dst)
{
    const uint8_t *h;
    if (!dp_take(c, 8, &h))
        return false;
    bool plain = proto == DP_PROTO_TCP   ? plain_tcp(p, c, h, rest)
                 : proto == DP_PROTO_UDP ? plain_udp(p, h, rest)
                                         : false;
    if (!plain)
        return false;
    p->key.proto = proto;
    set_ends(p, src, dst, h);
    return true;
}

static inline bool plain_ipv4(struct dp_packet *p, struct dp_cursor *c)
{
    const uint8_t *h;
    /* No options, no fragment. */
    if (!dp_take(c, 20, &h) || h[0] != 0x45 || (dp_be16(h + 6) & 0x3fff) != 0)
        return false;
    uint32_t total = dp_be16(h + 2);
    if (total < 28)
        return false;
    p->bytes = total;
    p->ttl = h[8];
    return plain_transport(p, c, h[9], total - 20, words_of_v4(h + 12), words_of_v4(h + 16));
}

static inline bool plain_ipv6(struct dp_packet *p, struct dp_cursor *c)
{
    const uint8_t *h;
    if (!dp_take(c, 40, &h) || h[0] >> 4 != 6)
        return false;
    uint32_t rest = dp_be16(h + 4);
    p->bytes = rest + 40;
    p->ttl = h[7];
    return plain_transport(p, c, h[6], rest, words_of(h + 8), words_of(h + 24));
}

/* @return false when the frame needs the loop; *p is scratch then and nothing was counted */
static inline bool decode_plain(struct dp_decoder *decoder, const struct dp_frame *frame,
                                struct dp_packet *p)
{
    struct dp_cursor c = {frame->data, frame->data + frame->captured};
    const uint8_t *h, *tag;
    if (frame->link != 1 || !dp_take(&c, 14, &h))
        return false;
    uint16_t type = dp_be16(h + 12), vlan = 0;
    bool tagged = type == DP_ETHERTYPE_VLAN;
    if (tagged) {
        if (!dp_take(&c, 4, &tag))
            return false;
        vlan = dp_be16(tag) & 0x0fff;
        type = dp_be16(tag + 2);
    }
    p->ts_ns = frame->ts_ns;
    p->tunnel_id = p->qfi = 0;
    p->dns = (struct dp_dns_seen){0};
    p->key.vlan[0] = vlan;
    p->key.vlan[1] = 0;
    p->key.tunnel_id = 0;
    p->key.tunnel = DP_TUNNEL_NONE;
    p->key.zero = 0;
    if (type == DP_ETHERTYPE_IPV4 ? !plain_ipv4(p, &c)
                                  : type != DP_ETHERTYPE_IPV6 || !plain_ipv6(p, &c))
        return false;
    if (tagged)
        atl_counter_add(&decoder->encaps[DP_ENCAP_VLAN], 1);
    return true;
}

enum dp_reason dp_decode_frame(struct dp_decoder *decoder, const struct dp_frame *frame,
                               struct dp_packet *ret_packet)
{
    if (ATL_LIKELY(decode_plain(decoder, frame, ret_packet)))
        return DP_DECODED;
    return dp_decode_any(decoder, frame, ret_packet);
}
