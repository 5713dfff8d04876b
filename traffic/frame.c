/* SPDX-License-Identifier: Apache-2.0 */
#include "traffic/frame_priv.h"

#include <string.h>

void traf_put16(uint8_t *at, uint16_t v)
{
    at[0] = (uint8_t)(v >> 8);
    at[1] = (uint8_t)v;
}

void traf_put32(uint8_t *at, uint32_t v)
{
    traf_put16(at, (uint16_t)(v >> 16));
    traf_put16(at + 2, (uint16_t)v);
}

uint32_t traf_room(const struct traf_path *path, uint32_t header_bytes)
{
    return TRAF_MTU - (path->v6 ? 40 : 20) - header_bytes;
}

/* Order does not matter to the Internet checksum (RFC 1071 §2), so native words are summed and
 * swapped once at the end. 1,500 bytes of 32-bit words stay far below 2^64. */
static uint64_t sum(uint64_t total, const uint8_t *data, uint32_t bytes)
{
    uint64_t low = 0, high = 0;
    for (; bytes >= 8; bytes -= 8, data += 8) {
        uint64_t word;
        memcpy(&word, data, sizeof(word));
        low += (uint32_t)word;
        high += word >> 32;
    }
    uint64_t rest = 0;
    memcpy(&rest, data, bytes);
    low += (uint32_t)rest;
    high += rest >> 32;
    return total + low + high;
}

static void store(uint8_t *field, uint64_t total)
{
    while (total >> 16 != 0)
        total = (total & 0xffff) + (total >> 16);
    uint16_t word = (uint16_t)~total;
    memcpy(field, &word, sizeof(word));
}

static uint8_t *put_ethernet(uint8_t *at, const struct traf_path *path, int from)
{
    const uint8_t inner[6] = {0x02, 0x5a, 0, 0, path->site, 0x01};
    const uint8_t outer[6] = {0x02, 0x5a, 0, 0, path->site, 0xfe};
    bool leaving = from == path->inside;
    memcpy(at, leaving ? outer : inner, 6);
    memcpy(at + 6, leaving ? inner : outer, 6);
    at += 12;
    if (path->vlan != 0) {
        traf_put16(at, 0x8100);
        traf_put16(at + 2, path->vlan);
        at += 4;
    }
    traf_put16(at, path->v6 ? 0x86dd : 0x0800);
    return at + 2;
}

static uint8_t *put_ipv4(uint8_t *at, const struct traf_path *path, int from, uint8_t proto,
                         uint32_t l4_bytes, uint16_t ip_id)
{
    at[0] = 0x45;
    at[1] = 0;
    traf_put16(at + 2, (uint16_t)(20 + l4_bytes));
    traf_put16(at + 4, ip_id);
    traf_put16(at + 6, proto == TRAF_TCP ? 0x4000 : 0);
    at[8] = path->ttl[from];
    at[9] = proto;
    traf_put16(at + 10, 0);
    memcpy(at + 12, path->addr[from], 4);
    memcpy(at + 16, path->addr[!from], 4);
    store(at + 10, sum(0, at, 20));
    return at + 20;
}

static uint8_t *put_ipv6(uint8_t *at, const struct traf_path *path, int from, uint8_t proto,
                         uint32_t l4_bytes)
{
    /* one flow label for both directions of a conversation is not required; ports give a stable one
     */
    traf_put32(at, 0x60000000u | ((uint32_t)path->port[from] << 4 | (path->port[!from] & 15u)));
    traf_put16(at + 4, (uint16_t)l4_bytes);
    at[6] = proto;
    at[7] = path->ttl[from];
    memcpy(at + 8, path->addr[from], 16);
    memcpy(at + 24, path->addr[!from], 16);
    return at + 40;
}

uint8_t *traf_frame_begin(struct traf_frame *frame, const struct traf_path *path, int from,
                          uint8_t proto, uint32_t l4_bytes, uint16_t ip_id)
{
    uint8_t *at = put_ethernet(frame->data, path, from);
    at = path->v6 ? put_ipv6(at, path, from, proto, l4_bytes)
                  : put_ipv4(at, path, from, proto, l4_bytes, ip_id);
    frame->bytes = (uint32_t)(at - frame->data) + l4_bytes;
    return at;
}

/* @param field  offset of the checksum in the L4 header */
static void put_checksum(const struct traf_path *path, int from, uint8_t proto, uint8_t *l4,
                         uint32_t l4_bytes, uint32_t field)
{
    uint64_t total = 0;
    if (proto != TRAF_ICMP) { /* RFC 792 has no pseudo header */
        uint32_t address_bytes = path->v6 ? 16 : 4;
        total = sum(total, path->addr[from], address_bytes);
        total = sum(total, path->addr[!from], address_bytes);
        uint8_t rest[4] = {0, proto};
        traf_put16(rest + 2, (uint16_t)l4_bytes);
        total = sum(total, rest, 4);
    }
    memset(l4 + field, 0, 2);
    store(l4 + field, sum(total, l4, l4_bytes));
    if (proto == TRAF_UDP && l4[field] == 0 && l4[field + 1] == 0)
        memset(l4 + field, 0xff, 2); /* RFC 768: zero means "no checksum" */
}

uint8_t *traf_tcp_begin(struct traf_frame *frame, const struct traf_path *path, int from,
                        uint16_t ip_id, const struct traf_segment *segment, uint32_t payload_bytes)
{
    uint32_t header = 20u + segment->option_bytes;
    uint8_t *at = traf_frame_begin(frame, path, from, TRAF_TCP, header + payload_bytes, ip_id);
    traf_put16(at, path->port[from]);
    traf_put16(at + 2, path->port[!from]);
    traf_put32(at + 4, segment->seq);
    traf_put32(at + 8, segment->ack);
    at[12] = (uint8_t)(header / 4 << 4);
    at[13] = segment->flags;
    traf_put16(at + 14, segment->window);
    traf_put32(at + 16, 0);
    memcpy(at + 20, segment->options, segment->option_bytes);
    return at + header;
}

void traf_tcp_end(const struct traf_path *path, int from, uint8_t *payload,
                  const struct traf_segment *segment, uint32_t payload_bytes)
{
    uint32_t header = 20u + segment->option_bytes;
    put_checksum(path, from, TRAF_TCP, payload - header, header + payload_bytes, 16);
}

uint8_t *traf_udp_begin(struct traf_frame *frame, const struct traf_path *path, int from,
                        uint16_t ip_id, uint32_t payload_bytes)
{
    uint8_t *at = traf_frame_begin(frame, path, from, TRAF_UDP, 8 + payload_bytes, ip_id);
    traf_put16(at, path->port[from]);
    traf_put16(at + 2, path->port[!from]);
    traf_put16(at + 4, (uint16_t)(8 + payload_bytes));
    traf_put16(at + 6, 0);
    return at + 8;
}

void traf_udp_end(const struct traf_path *path, int from, uint8_t *payload, uint32_t payload_bytes)
{
    put_checksum(path, from, TRAF_UDP, payload - 8, 8 + payload_bytes, 6);
}

void traf_frame_echo(struct traf_frame *frame, const struct traf_path *path, int from,
                     uint16_t ip_id, uint16_t number, uint32_t payload_bytes)
{
    uint8_t proto = path->v6 ? TRAF_ICMP6 : TRAF_ICMP;
    uint8_t *at = traf_frame_begin(frame, path, from, proto, 8 + payload_bytes, ip_id);
    at[0] = path->v6 ? (from == 0 ? 128 : 129) : (from == 0 ? 8 : 0);
    at[1] = 0;
    traf_put16(at + 4, path->port[0]); /* the identifier of this run of echoes */
    traf_put16(at + 6, number);
    for (uint32_t i = 0; i < payload_bytes; i++)
        at[8 + i] = (uint8_t)(i & 0x3f);
    put_checksum(path, from, proto, at, 8 + payload_bytes, 2);
}

/* type and code by cause: RFC 792 / RFC 4443 */
static const struct {
    uint8_t type4, code4, type6, code6;
} errors[] = {
    [TRAF_UNREACH_HOST] = {3, 1, 1, 3},
    [TRAF_UNREACH_PORT] = {3, 3, 1, 4},
    [TRAF_TIME_EXCEEDED] = {11, 0, 3, 0},
};

void traf_frame_icmp_error(struct traf_frame *frame, const struct traf_path *path,
                           enum traf_unreach what, const uint8_t router[16], uint16_t ip_id)
{
    uint32_t skip = path->vlan != 0 ? 18 : 14;
    uint32_t quoted = frame->bytes - skip;
    if (quoted > 512)
        quoted = 512; /* RFC 1812 §4.3.2.3: at most 576 bytes in all */
    uint8_t quote[512];
    memcpy(quote, frame->data + skip, quoted);

    struct traf_path back = *path;
    memcpy(back.addr[1], router, 16);
    back.ttl[1] = 250;
    uint8_t proto = path->v6 ? TRAF_ICMP6 : TRAF_ICMP;
    uint8_t *at = traf_frame_begin(frame, &back, 1, proto, 8 + quoted, ip_id);
    at[0] = path->v6 ? errors[what].type6 : errors[what].type4;
    at[1] = path->v6 ? errors[what].code6 : errors[what].code4;
    traf_put32(at + 4, 0);
    memcpy(at + 8, quote, quoted);
    put_checksum(&back, 1, proto, at, 8 + quoted, 2);
}
