/* SPDX-License-Identifier: Apache-2.0 */
/* A reader of its own for the tests: shares no code with the room it checks. */
#ifndef TEST_PACKET_H
#define TEST_PACKET_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct packet {
    bool vlan, v6, checksums_good;
    uint8_t proto, tcp_flags;
    const uint8_t *src, *dst, *l4;
    uint32_t address_bytes, l4_bytes;
    uint16_t sport, dport;
};

static inline uint32_t word(const uint8_t *at)
{
    return (uint32_t)at[0] << 8 | at[1];
}

/* RFC 1071, byte by byte */
static inline uint32_t ones_sum(uint32_t total, const uint8_t *at, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        total += i % 2 == 0 ? (uint32_t)at[i] << 8 : at[i];
    while (total > 0xffff)
        total = (total >> 16) + (total & 0xffff);
    return total;
}

static inline bool l4_good(const struct packet *p)
{
    if (p->proto == 50)
        return true; /* ESP has no checksum */
    uint32_t total = 0;
    if (p->proto != 1) {
        total = ones_sum(total, p->src, p->address_bytes);
        total = ones_sum(total, p->dst, p->address_bytes);
        const uint8_t rest[4] = {0, p->proto, (uint8_t)(p->l4_bytes >> 8), (uint8_t)p->l4_bytes};
        total = ones_sum(total, rest, 4);
    }
    return ones_sum(total, p->l4, p->l4_bytes) == 0xffff;
}

/** @return false when lengths or types do not add up */
static inline bool packet_read(struct packet *p, const uint8_t *data, uint32_t bytes)
{
    memset(p, 0, sizeof(*p));
    uint32_t at = 12;
    if (bytes < 34)
        return false;
    p->vlan = word(data + at) == 0x8100;
    at += p->vlan ? 4 : 0;
    uint32_t type = word(data + at);
    at += 2;
    const uint8_t *ip = data + at;
    bool header_good = true;
    if (type == 0x0800) {
        p->proto = ip[9];
        p->src = ip + 12;
        p->dst = ip + 16;
        p->address_bytes = 4;
        p->l4 = ip + 20;
        p->l4_bytes = word(ip + 2) - 20;
        header_good = ip[0] == 0x45 && ones_sum(0, ip, 20) == 0xffff;
    } else if (type == 0x86dd && bytes >= at + 40) {
        p->v6 = true;
        p->proto = ip[6];
        p->src = ip + 8;
        p->dst = ip + 24;
        p->address_bytes = 16;
        p->l4 = ip + 40;
        p->l4_bytes = word(ip + 4);
        header_good = ip[0] >> 4 == 6;
    } else {
        return false;
    }
    if ((uint32_t)(p->l4 - data) + p->l4_bytes != bytes || p->l4_bytes < 8)
        return false;
    p->sport = (uint16_t)word(p->l4);
    p->dport = (uint16_t)word(p->l4 + 2);
    if (p->proto == 6)
        p->tcp_flags = p->l4[13];
    p->checksums_good = header_good && l4_good(p);
    return true;
}

#endif
