/* SPDX-License-Identifier: Apache-2.0 */
/* tunnels: one frame for each encapsulation, built from the inside out. */
#ifndef TEST_DP_TUNNELS_H
#define TEST_DP_TUNNELS_H

#include "tests/dataplane/frames.h"

enum {
    IN_A = 0x0ac80001, /* of the packet inside: UDP, 1000 to 2000, 20 bytes of payload */
    IN_B = 0x0ac80002,
    OUT_A = 0x0a000001,
    OUT_B = 0x0a000002,
    IN_BYTES = 48,
    IN6_BYTES = 68,
};

static inline void prepend(struct bytes *f, const void *data, size_t n)
{
    memmove(f->b + n, f->b, f->n);
    memcpy(f->b, data, n);
    f->n += n;
}

#define PREPEND(f, text) prepend((f), (text), sizeof(text) - 1)

static inline void prepend_bytes(struct bytes *f, const struct bytes *head)
{
    prepend(f, head->b, head->n);
}

static inline struct bytes inner4(void)
{
    struct bytes f = {0};
    put_ipv4(&f, IN_BYTES, 17, IN_A, IN_B);
    put_udp(&f, 1000, 2000, 20);
    put_zeros(&f, 20);
    return f;
}

static inline struct bytes inner6(void)
{
    struct bytes f = {0};
    put_ipv6(&f, IN6_BYTES - 40, 17, 0xa, 0xb);
    put_udp(&f, 1000, 2000, 20);
    put_zeros(&f, 20);
    return f;
}

static inline void in_ethernet(struct bytes *f, unsigned type)
{
    struct bytes head = {0};
    put_ethernet(&head, type);
    prepend_bytes(f, &head);
}

static inline void in_ipv4(struct bytes *f, unsigned proto)
{
    struct bytes head = {0};
    put_ipv4(&head, (unsigned)f->n + 20, proto, OUT_A, OUT_B);
    prepend_bytes(f, &head);
}

static inline void in_ipv6(struct bytes *f, unsigned next)
{
    struct bytes head = {0};
    put_ipv6(&head, (unsigned)f->n, next, 1, 2);
    prepend_bytes(f, &head);
}

/** UDP in IPv4 in Ethernet. */
static inline void in_udp(struct bytes *f, unsigned sport, unsigned dport)
{
    struct bytes head = {0};
    put_udp(&head, sport, dport, (unsigned)f->n);
    prepend_bytes(f, &head);
    in_ipv4(f, 17);
    in_ethernet(f, 0x0800);
}

/** IP protocol in IPv4 in Ethernet. */
static inline void in_proto(struct bytes *f, unsigned proto)
{
    in_ipv4(f, proto);
    in_ethernet(f, 0x0800);
}

static inline struct bytes vxlan_of(struct bytes f)
{
    in_ethernet(&f, 0x0800);
    PREPEND(&f, "\x08\0\0\0\0\x12\x34\0");
    in_udp(&f, 50000, 4789);
    return f;
}

/** @param flags, type  the first two bytes; the TEID is 0x11223344 */
static inline void in_gtp(struct bytes *f, unsigned flags, unsigned type)
{
    struct bytes head = {0};
    put8(&head, flags);
    put8(&head, type);
    put16(&head, (unsigned)f->n);
    put32(&head, 0x11223344);
    prepend_bytes(f, &head);
    in_udp(f, 2152, 2152);
}

/* --- one builder for each --- */

static inline struct bytes build_qinq(void)
{
    struct bytes f = inner4();
    PREPEND(&f, "\x20\x64\x81\0\0\xc8\x08\0");
    in_ethernet(&f, 0x88a8);
    return f;
}

static inline struct bytes build_mpls(void)
{
    struct bytes f = inner4();
    PREPEND(&f, "\0\x01\x10\x40\0\x04\xd1\x40"); /* labels 17 and 77 */
    in_ethernet(&f, 0x8847);
    return f;
}

static inline struct bytes build_eompls(void)
{
    struct bytes f = inner4();
    in_ethernet(&f, 0x0800);
    PREPEND(&f, "\0\x04\xd1\x40");
    in_ethernet(&f, 0x8847);
    return f;
}

static inline struct bytes build_eompls_cw(void)
{
    struct bytes f = inner6();
    in_ethernet(&f, 0x86dd);
    PREPEND(&f, "\0\x04\xd1\x40\0\0\0\x09");
    in_ethernet(&f, 0x8847);
    return f;
}

static inline struct bytes pppoe_of(struct bytes f, const char *ppp, size_t n)
{
    struct bytes head = {0};
    prepend(&f, ppp, n);
    put(&head, "\x11\0\x0b\xad", 4);
    put16(&head, (unsigned)f.n);
    prepend_bytes(&f, &head);
    in_ethernet(&f, 0x8864);
    put_zeros(&f, 6); /* Ethernet padding */
    return f;
}

static inline struct bytes build_pppoe(void)
{
    return pppoe_of(inner4(), "\0\x21", 2);
}

static inline struct bytes build_pppoe_v6(void)
{
    return pppoe_of(inner6(), "\0\x57", 2);
}

static inline struct bytes build_pppoe_pfc(void)
{
    return pppoe_of(inner4(), "\x21", 1);
}

static inline struct bytes build_pppoe_acfc(void)
{
    return pppoe_of(inner6(), "\xff\x03\x57", 3);
}

static inline struct bytes build_ipip(void)
{
    struct bytes f = inner4();
    in_proto(&f, 4);
    return f;
}

static inline struct bytes build_6in4(void)
{
    struct bytes f = inner6();
    in_proto(&f, 41);
    return f;
}

static inline struct bytes build_4in6(void)
{
    struct bytes f = inner4();
    in_ipv6(&f, 4);
    in_ethernet(&f, 0x86dd);
    return f;
}

static inline struct bytes build_srh(void)
{
    struct bytes f = inner6();
    struct bytes head = {0};
    put(&head, "\x29\x04\x04\x01\x01\0\0\0", 8); /* two segments, one left */
    put_zeros(&head, 32);
    prepend_bytes(&f, &head);
    in_ipv6(&f, 43);
    in_ethernet(&f, 0x86dd);
    return f;
}

static inline struct bytes build_srh_ethernet(void)
{
    struct bytes f = inner4();
    struct bytes head = {0};
    in_ethernet(&f, 0x0800);
    put(&head, "\x8f\x02\x04\0\0\0\0\0", 8);
    put_zeros(&head, 16);
    prepend_bytes(&f, &head);
    in_ipv6(&f, 43);
    in_ethernet(&f, 0x86dd);
    return f;
}

static inline struct bytes build_etherip(void)
{
    struct bytes f = inner4();
    in_ethernet(&f, 0x0800);
    PREPEND(&f, "\x30\0");
    in_proto(&f, 97);
    return f;
}

static inline struct bytes build_mpls_ip(void)
{
    struct bytes f = inner4();
    PREPEND(&f, "\0\x04\xd1\x40");
    in_proto(&f, 137);
    return f;
}

static inline struct bytes build_gre(void)
{
    struct bytes f = inner4();
    PREPEND(&f, "\0\0\x08\0");
    in_proto(&f, 47);
    return f;
}

/* Checksum, routing with one entry of four bytes and the last one, key, sequence number. */
static inline struct bytes build_gre_all(void)
{
    struct bytes f = inner6();
    PREPEND(&f, "\xf0\0\x86\xdd\0\0\0\0\0\0\x01\x02\0\0\0\x07\x08\0\0\x04\1\2\3\4\0\0\0\0");
    in_proto(&f, 47);
    return f;
}

static inline struct bytes build_gre_mpls(void)
{
    struct bytes f = inner4();
    PREPEND(&f, "\0\0\x88\x47\0\x04\xd1\x40");
    in_proto(&f, 47);
    return f;
}

static inline struct bytes build_cmd(void)
{
    struct bytes f = inner4();
    PREPEND(&f, "\x01\x01\0\x01\0\x07\x08\0");
    in_ethernet(&f, 0x8909);
    return f;
}

static inline struct bytes build_pptp(void)
{
    struct bytes f = inner4();
    struct bytes head = {0};
    PREPEND(&f, "\xff\x03\0\x21");
    put(&head, "\x30\x81\x88\x0b", 4);
    put16(&head, (unsigned)f.n);
    put(&head, "\xbe\xef\0\0\0\1\0\0\0\2", 10);
    prepend_bytes(&f, &head);
    in_proto(&f, 47);
    return f;
}

static inline struct bytes build_nvgre(void)
{
    struct bytes f = inner4();
    in_ethernet(&f, 0x0800);
    PREPEND(&f, "\x20\0\x65\x58\0\x12\x34\x56");
    in_proto(&f, 47);
    return f;
}

static inline struct bytes build_teb(void)
{
    struct bytes f = inner6();
    in_ethernet(&f, 0x86dd);
    PREPEND(&f, "\0\0\x65\x58");
    in_proto(&f, 47);
    return f;
}

static inline struct bytes build_erspan_1(void)
{
    struct bytes f = inner4();
    in_ethernet(&f, 0x0800);
    PREPEND(&f, "\0\0\x88\xbe");
    in_proto(&f, 47);
    return f;
}

static inline struct bytes build_erspan_2(void)
{
    struct bytes f = inner4();
    PREPEND(&f, "\0\x05\x08\0"); /* a tag inside */
    in_ethernet(&f, 0x8100);
    PREPEND(&f, "\x10\0\x88\xbe\0\0\0\1\x10\x05\x01\x23\0\0\0\0");
    in_proto(&f, 47);
    return f;
}

static inline struct bytes build_erspan_3(void)
{
    struct bytes f = inner4();
    in_ethernet(&f, 0x0800);
    PREPEND(&f, "\x10\0\x22\xeb\0\0\0\1\x20\0\x03\xff\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0");
    in_proto(&f, 47);
    return f;
}

static inline struct bytes build_erspan_3_ip(void)
{
    struct bytes f = inner6();
    PREPEND(&f, "\x10\0\x22\xeb\0\0\0\1\x20\0\x03\xff\0\0\0\0\0\0\x08\0");
    in_proto(&f, 47);
    return f;
}

static inline struct bytes build_wccp(void)
{
    struct bytes f = inner4();
    PREPEND(&f, "\0\0\x88\x3e\x05\x59\0\x48");
    in_proto(&f, 47);
    return f;
}

static inline struct bytes build_wccp_1(void)
{
    struct bytes f = inner4();
    PREPEND(&f, "\0\0\x88\x3e");
    in_proto(&f, 47);
    return f;
}

static inline struct bytes build_vxlan(void)
{
    return vxlan_of(inner4());
}

static inline struct bytes build_vxlan_gpe(void)
{
    struct bytes f = inner6();
    PREPEND(&f, "\x0c\0\0\x02\0\x12\x34\0");
    in_udp(&f, 4790, 4790);
    return f;
}

static inline struct bytes build_nsh(void)
{
    struct bytes f = inner4();
    PREPEND(&f, "\x0c\0\0\x04\0\x12\x34\0\x0f\xc6\x01\x01\0\0\x01\xff");
    f.b[9] = 6; /* words, with 16 bytes of context */
    struct bytes g = {0};
    put(&g, f.b, 16);
    put_zeros(&g, 16);
    put(&g, f.b + 16, f.n - 16);
    in_udp(&g, 4790, 4790);
    return g;
}

static inline struct bytes build_geneve(void)
{
    struct bytes f = inner4();
    in_ethernet(&f, 0x0800);
    PREPEND(&f, "\x02\0\x65\x58\0\x12\x34\0\1\2\3\1\0\0\0\0");
    in_udp(&f, 50000, 6081);
    return f;
}

static inline struct bytes build_gtpu(void)
{
    struct bytes f = inner4();
    in_gtp(&f, 0x30, 255);
    return f;
}

/* Sequence number, then a PDCP number and a PDU session container with QFI 9. */
static inline struct bytes build_gtpu_psc(void)
{
    struct bytes f = inner6();
    PREPEND(&f, "\0\1\0\xc0\x01\x12\x34\x85\x01\x10\x09\0");
    in_gtp(&f, 0x36, 255);
    return f;
}

static inline struct bytes build_l2tp(void)
{
    struct bytes f = inner4();
    struct bytes head = {0};
    PREPEND(&f, "\xff\x03\0\x21");
    put(&head, "\x4a\x02", 2);
    put16(&head, (unsigned)f.n + 16);
    put(&head, "\0\x07\x12\x34\0\1\0\2\0\2\xee\xee", 12);
    prepend_bytes(&f, &head);
    in_udp(&f, 1701, 1701);
    return f;
}

static inline struct bytes build_l2tp_short(void)
{
    struct bytes f = inner6();
    PREPEND(&f, "\0\x02\0\x07\x12\x34\x57");
    in_udp(&f, 40000, 1701);
    return f;
}

static inline struct bytes build_l2tpv3_udp(void)
{
    struct bytes f = inner4();
    in_ethernet(&f, 0x0800);
    PREPEND(&f, "\0\x03\0\0\0\0\x12\x34");
    in_udp(&f, 1701, 1701);
    return f;
}

/* A cookie of eight bytes and a sublayer of four. */
static inline struct bytes build_l2tpv3_ip(void)
{
    struct bytes f = inner4();
    in_ethernet(&f, 0x0800);
    PREPEND(&f, "\0\0\x12\x34\xc0\xff\xee\xc0\xff\xee\xc0\xff\x40\0\0\1");
    in_proto(&f, 115);
    return f;
}

static inline struct bytes build_teredo(void)
{
    struct bytes f = inner6();
    /* authentication with a name of two bytes, then the origin */
    PREPEND(&f, "\0\1\2\0\x61\x62\1\2\3\4\5\6\7\x08\0\0\0\x12\x34\xf5\xff\xff\xfe");
    in_udp(&f, 3544, 40000);
    return f;
}

static inline struct bytes build_mpls_udp(void)
{
    struct bytes f = inner4();
    PREPEND(&f, "\0\x04\xd1\x40");
    in_udp(&f, 50000, 6635);
    return f;
}

/* One subscriber in GTP-U in QinQ and MPLS; his packet is in plain GRE once more. */
static inline struct bytes build_nest(void)
{
    struct bytes f = inner4();
    PREPEND(&f, "\0\0\x08\0");
    in_ipv4(&f, 47);
    in_gtp(&f, 0x30, 255);
    memmove(f.b, f.b + 14, f.n - 14);
    f.n -= 14;
    PREPEND(&f, "\0\x64\x81\0\0\xc8\x88\x47\0\x04\xd1\x40");
    in_ethernet(&f, 0x88a8);
    return f;
}

static const struct tunnel_case {
    const char *name;
    struct bytes (*build)(void);
    uint8_t tunnel, encap;
    uint32_t id;
    uint16_t outer; /* bytes of headers before the outer IP packet that encloses all; 0 = none */
    bool v6;
} tunnel_cases[] = {
    {"qinq", build_qinq, DP_TUNNEL_NONE, DP_ENCAP_QINQ, 0, 0, false},
    {"mpls", build_mpls, DP_TUNNEL_MPLS, DP_ENCAP_MPLS, 77, 0, false},
    {"eompls", build_eompls, DP_TUNNEL_MPLS, DP_ENCAP_EOMPLS, 77, 0, false},
    {"eompls_cw", build_eompls_cw, DP_TUNNEL_MPLS, DP_ENCAP_EOMPLS_CW, 77, 0, true},
    {"pppoe", build_pppoe, DP_TUNNEL_PPPOE, DP_ENCAP_PPPOE, 0xbad, 0, false},
    {"pppoe_v6", build_pppoe_v6, DP_TUNNEL_PPPOE, DP_ENCAP_PPP, 0xbad, 0, true},
    {"pppoe_pfc", build_pppoe_pfc, DP_TUNNEL_PPPOE, DP_ENCAP_PPP, 0xbad, 0, false},
    {"pppoe_acfc", build_pppoe_acfc, DP_TUNNEL_PPPOE, DP_ENCAP_PPP, 0xbad, 0, true},
    {"ipip", build_ipip, DP_TUNNEL_IPIP, DP_ENCAP_IPIP, 0, 14, false},
    {"6in4", build_6in4, DP_TUNNEL_6IN4, DP_ENCAP_6IN4, 0, 14, true},
    {"4in6", build_4in6, DP_TUNNEL_4IN6, DP_ENCAP_4IN6, 0, 14, false},
    {"srh", build_srh, DP_TUNNEL_6IN6, DP_ENCAP_SRH, 0, 14, true},
    {"srh_ethernet", build_srh_ethernet, DP_TUNNEL_ETHERIP, DP_ENCAP_ETHERIP, 0, 14, false},
    {"etherip", build_etherip, DP_TUNNEL_ETHERIP, DP_ENCAP_ETHERIP, 0, 14, false},
    {"mpls_ip", build_mpls_ip, DP_TUNNEL_MPLS, DP_ENCAP_MPLS_IP, 77, 14, false},
    {"gre", build_gre, DP_TUNNEL_GRE, DP_ENCAP_GRE, 0, 14, false},
    {"gre_all", build_gre_all, DP_TUNNEL_GRE, DP_ENCAP_GRE, 0x102, 14, true},
    {"gre_mpls", build_gre_mpls, DP_TUNNEL_MPLS, DP_ENCAP_GRE, 77, 14, false},
    {"cmd", build_cmd, DP_TUNNEL_NONE, DP_ENCAP_CMD, 0, 0, false},
    {"pptp", build_pptp, DP_TUNNEL_PPTP, DP_ENCAP_PPTP, 0xbeef, 14, false},
    {"nvgre", build_nvgre, DP_TUNNEL_NVGRE, DP_ENCAP_NVGRE, 0x1234, 14, false},
    {"teb", build_teb, DP_TUNNEL_GRE, DP_ENCAP_TEB, 0, 14, true},
    {"erspan_1", build_erspan_1, DP_TUNNEL_ERSPAN, DP_ENCAP_ERSPAN_1, 0, 14, false},
    {"erspan_2", build_erspan_2, DP_TUNNEL_ERSPAN, DP_ENCAP_ERSPAN_2, 0x123, 14, false},
    {"erspan_3", build_erspan_3, DP_TUNNEL_ERSPAN, DP_ENCAP_ERSPAN_3, 0x3ff, 14, false},
    {"erspan_3_ip", build_erspan_3_ip, DP_TUNNEL_ERSPAN, DP_ENCAP_ERSPAN_3, 0x3ff, 14, true},
    {"wccp", build_wccp, DP_TUNNEL_WCCP, DP_ENCAP_WCCP, 0, 14, false},
    {"wccp_1", build_wccp_1, DP_TUNNEL_WCCP, DP_ENCAP_WCCP, 0, 14, false},
    {"vxlan", build_vxlan, DP_TUNNEL_VXLAN, DP_ENCAP_VXLAN, 0x1234, 14, false},
    {"vxlan_gpe", build_vxlan_gpe, DP_TUNNEL_VXLAN, DP_ENCAP_VXLAN_GPE, 0x1234, 14, true},
    {"nsh", build_nsh, DP_TUNNEL_VXLAN, DP_ENCAP_NSH, 0x1234, 14, false},
    {"geneve", build_geneve, DP_TUNNEL_GENEVE, DP_ENCAP_GENEVE, 0x1234, 14, false},
    {"gtpu", build_gtpu, DP_TUNNEL_GTPU, DP_ENCAP_GTPU, 0x11223344, 14, false},
    {"gtpu_psc", build_gtpu_psc, DP_TUNNEL_GTPU, DP_ENCAP_GTPU_PSC, 0x11223344, 14, true},
    {"l2tp", build_l2tp, DP_TUNNEL_L2TP, DP_ENCAP_L2TP, 0x1234, 14, false},
    {"l2tp_short", build_l2tp_short, DP_TUNNEL_L2TP, DP_ENCAP_L2TP, 0x1234, 14, true},
    {"l2tpv3_udp", build_l2tpv3_udp, DP_TUNNEL_L2TPV3, DP_ENCAP_L2TPV3, 0x1234, 14, false},
    {"l2tpv3_ip", build_l2tpv3_ip, DP_TUNNEL_L2TPV3, DP_ENCAP_L2TPV3, 0x1234, 14, false},
    {"teredo", build_teredo, DP_TUNNEL_TEREDO, DP_ENCAP_TEREDO, 0, 14, true},
    {"mpls_udp", build_mpls_udp, DP_TUNNEL_MPLS, DP_ENCAP_MPLS_UDP, 77, 14, false},
    {"nest", build_nest, DP_TUNNEL_GTPU, DP_ENCAP_GTPU, 0x11223344, 26, false},
};

#define TUNNEL_CASES (sizeof(tunnel_cases) / sizeof(tunnel_cases[0]))

#endif
