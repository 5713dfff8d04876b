/* SPDX-License-Identifier: Apache-2.0 */
/* frames: packets built byte by byte, and capture files made of them. */
#ifndef TEST_DP_FRAMES_H
#define TEST_DP_FRAMES_H

#include <stdio.h>
#include <string.h>

#include "dataplane/packet_priv.h"

struct bytes {
    size_t n;
    uint8_t b[4096];
};

static inline void put(struct bytes *f, const void *data, size_t n)
{
    memcpy(f->b + f->n, data, n);
    f->n += n;
}

static inline void put8(struct bytes *f, unsigned v)
{
    f->b[f->n++] = (uint8_t)v;
}

static inline void put16(struct bytes *f, unsigned v)
{
    put8(f, v >> 8);
    put8(f, v & 0xff);
}

static inline void put32(struct bytes *f, uint32_t v)
{
    put16(f, v >> 16);
    put16(f, v & 0xffff);
}

static inline void put_zeros(struct bytes *f, size_t n)
{
    memset(f->b + f->n, 0, n);
    f->n += n;
}

static inline void set16(struct bytes *f, size_t at, unsigned v)
{
    f->b[at] = (uint8_t)(v >> 8);
    f->b[at + 1] = (uint8_t)v;
}

static inline void put_ethernet(struct bytes *f, unsigned type)
{
    put(f, "\x02\0\0\0\0\x01\x02\0\0\0\0\x02", 12);
    put16(f, type);
}

enum { F_FIN = 1, F_SYN = 2, F_RST = 4, F_PSH = 8, F_ACK = 16 };

/** @param total  of the IP packet */
static inline void put_ipv4(struct bytes *f, unsigned total, unsigned proto, uint32_t src,
                            uint32_t dst)
{
    put16(f, 0x4500);
    put16(f, total);
    put16(f, 0x1234);
    put16(f, 0);
    put8(f, 64);
    put8(f, proto);
    put16(f, 0);
    put32(f, src);
    put32(f, dst);
}

static inline void put_ipv6(struct bytes *f, unsigned payload, unsigned next, uint8_t src,
                            uint8_t dst)
{
    put32(f, 0x60000000);
    put16(f, payload);
    put8(f, next);
    put8(f, 63);
    put(f, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0", 15);
    put8(f, src);
    put(f, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0", 15);
    put8(f, dst);
}

static inline void put_tcp(struct bytes *f, unsigned sport, unsigned dport, unsigned flags)
{
    put16(f, sport);
    put16(f, dport);
    put_zeros(f, 8);
    put8(f, 0x50);
    put8(f, flags);
    put16(f, 0x2000);
    put_zeros(f, 4);
}

static inline void put_udp(struct bytes *f, unsigned sport, unsigned dport, unsigned payload)
{
    put16(f, sport);
    put16(f, dport);
    put16(f, 8 + payload);
    put16(f, 0);
}

/** A whole Ethernet frame with TCP over IPv4. */
static inline struct bytes tcp_frame(uint32_t src, unsigned sport, uint32_t dst, unsigned dport,
                                     unsigned flags, unsigned payload)
{
    struct bytes f = {0};
    put_ethernet(&f, 0x0800);
    put_ipv4(&f, 40 + payload, 6, src, dst);
    put_tcp(&f, sport, dport, flags);
    put_zeros(&f, payload);
    return f;
}

static inline struct bytes udp_frame(uint32_t src, unsigned sport, uint32_t dst, unsigned dport,
                                     unsigned payload)
{
    struct bytes f = {0};
    put_ethernet(&f, 0x0800);
    put_ipv4(&f, 28 + payload, 17, src, dst);
    put_udp(&f, sport, dport, payload);
    put_zeros(&f, payload);
    return f;
}

/* --- capture files: the classic format with µs, in this machine's byte order --- */

static inline void pcap_begin(FILE *file, uint32_t link)
{
    const uint32_t header[6] = {0xa1b2c3d4, 0x00040002, 0, 0, 65535, link};
    fwrite(header, sizeof(header), 1, file);
}

static inline void pcap_add(FILE *file, const struct bytes *f, uint64_t us)
{
    const uint32_t header[4] = {(uint32_t)(us / 1000000), (uint32_t)(us % 1000000), (uint32_t)f->n,
                                (uint32_t)f->n};
    fwrite(header, sizeof(header), 1, file);
    fwrite(f->b, f->n, 1, file);
}

#endif
