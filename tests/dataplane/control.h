/* SPDX-License-Identifier: Apache-2.0 */
/* control: messages of the telecom control plane and of DNS, built byte by byte. */
#ifndef TEST_DP_CONTROL_H
#define TEST_DP_CONTROL_H

#include "tests/dataplane/tunnels.h"

static inline struct bytes build_gtpv1c(void)
{
    struct bytes f = {0};
    /* create PDP context response: sequence number, cause 199 (no resources) */
    PREPEND(&f, "\x32\x11\0\x06\x11\x22\x33\x44\0\1\0\0\x01\xc7");
    in_udp(&f, 2123, 2123);
    return f;
}

/* Create session response that is refused (cause 72 behind a recovery counter), and piggybacked on
 * it a create bearer request. */
static inline struct bytes build_gtpv2c(void)
{
    struct bytes f = {0};
    PREPEND(&f, "\x58\x21\0\x13\x11\x22\x33\x44\0\0\1\0\x03\0\1\0\7\2\0\2\0\x48\0"
                "\x48\x5f\0\x08\x11\x22\x33\x44\0\0\2\0");
    in_udp(&f, 2123, 50000);
    return f;
}

static inline struct bytes build_pfcp(void)
{
    struct bytes f = {0};
    /* session establishment response: node id, cause 1 */
    PREPEND(&f, "\x21\x33\0\x1a\1\2\3\4\5\6\7\x08\0\0\1\0\0\x3c\0\5\0\x0a\0\0\1\0\x13\0\1\1");
    in_udp(&f, 8805, 8805);
    return f;
}

static inline void diameter_answer(struct bytes *f)
{
    /* session id of three bytes and padding; experimental result 10415/5030 */
    PREPEND(f, "\1\0\0\x40\x40\0\1\x10\1\0\0\0\0\0\0\1\0\0\0\2"
               "\0\0\1\7\x40\0\0\x0b\x61\x62\x63\0"
               "\0\0\1\x29\x40\0\0\x20\0\0\1\x0a\x40\0\0\x0c\0\0\x28\xaf\0\0\1\x2a\x40\0\0\x0c\0\0"
               "\x13\xa6");
}

/* A request and an answer in one segment, behind twelve bytes of TCP options. */
static inline struct bytes build_diameter(void)
{
    struct bytes f = {0}, tcp = {0};
    diameter_answer(&f);
    PREPEND(&f, "\1\0\0\x14\xc0\0\1\x10\1\0\0\0\0\0\0\1\0\0\0\2");
    put_tcp(&tcp, 3868, 40000, F_ACK);
    tcp.b[12] = 0x80;
    put_zeros(&tcp, 12);
    prepend_bytes(&f, &tcp);
    in_proto(&f, 6);
    return f;
}

/* SACK, NGAP unsuccessful outcome of procedure 21, half an NGAP message, a Diameter answer. */
static inline struct bytes build_sctp(void)
{
    struct bytes f = {0};
    diameter_answer(&f);
    PREPEND(&f, "\0\3\0\x50\0\0\0\3\0\1\0\3\0\0\0\x2e");
    PREPEND(&f, "\0\1\0\x14\0\0\0\2\0\1\0\2\0\0\0\x3c\x20\x15\0\0");
    PREPEND(&f, "\0\3\0\x13\0\0\0\1\0\1\0\1\0\0\0\x3c\x40\x15\0\0");
    PREPEND(&f, "\x95\x2c\x95\x2c\0\0\0\1\0\0\0\0\3\0\0\x10\0\0\0\0\0\0\0\0\0\0\0\0");
    in_proto(&f, 132);
    return f;
}

static inline struct bytes build_gtpu_error(void)
{
    struct bytes f = {0};
    PREPEND(&f, "\x10\0\0\0\1\x85\0\4\x0a\0\0\1");
    in_gtp(&f, 0x30, 26);
    return f;
}

/** @param name  as on the wire, with its last zero */
static inline struct bytes dns_of(unsigned flags, const char *name, size_t n, unsigned type)
{
    struct bytes f = {0};
    put16(&f, 0xbeef);
    put16(&f, flags);
    put16(&f, 1);
    put_zeros(&f, 6);
    put(&f, name, n);
    put16(&f, type);
    put16(&f, 1);
    in_udp(&f, flags & 0x8000 ? 53 : 40000, flags & 0x8000 ? 40000 : 53);
    return f;
}

static inline struct bytes build_dns(void)
{
    return dns_of(0x0100, "\3www\7example\3com", 17, 1);
}

static inline struct bytes build_dns_nxdomain(void)
{
    return dns_of(0x8183, "\3www\7eXaMpLe\3com", 17, 16);
}

static const struct {
    const char *name;
    struct bytes (*build)(void);
} control_cases[] = {
    {"gtpv1c", build_gtpv1c}, {"gtpv2c", build_gtpv2c},
    {"pfcp", build_pfcp},     {"diameter", build_diameter},
    {"sctp", build_sctp},     {"gtpu_error", build_gtpu_error},
    {"dns", build_dns},       {"dns_nxdomain", build_dns_nxdomain},
};

#define CONTROL_CASES (sizeof(control_cases) / sizeof(control_cases[0]))

#endif
