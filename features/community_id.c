/* SPDX-License-Identifier: Apache-2.0 */
#include "features/features.h"

#include <netinet/in.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

/* Types of the specification that answer each other; all others hash one way, with type and code.
 */
static const uint8_t icmp_pairs[][2] = {{8, 0}, {13, 14}, {15, 16}, {17, 18}, {10, 9}};
static const uint8_t icmp6_pairs[][2] = {
    {128, 129}, {133, 134}, {135, 136}, {130, 131}, {144, 145}};

static bool icmp_partner(const uint8_t pairs[][2], size_t n, uint8_t type, uint16_t *ret_partner)
{
    for (size_t i = 0; i < n; i++) {
        for (int side = 0; side < 2; side++) {
            if (pairs[i][side] != type)
                continue;
            *ret_partner = pairs[i][1 - side];
            return true;
        }
    }
    return false;
}

struct endpoint {
    const uint8_t *addr;
    uint16_t port;
};

static bool has_ports(uint8_t proto)
{
    return proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_SCTP;
}

/* @return false when the direction must be kept (one-way ICMP) */
static bool endpoints(const struct dp_flow *f, struct endpoint *src, struct endpoint *dst)
{
    if (f->proto != IPPROTO_ICMP && f->proto != IPPROTO_ICMPV6) {
        src->port = f->src_port;
        dst->port = f->dst_port;
        return true;
    }
    bool v4 = f->proto == IPPROTO_ICMP;
    uint16_t partner = f->icmp_code;
    bool paired = icmp_partner(v4 ? icmp_pairs : icmp6_pairs,
                               v4 ? ATL_ARRAY_LEN(icmp_pairs) : ATL_ARRAY_LEN(icmp6_pairs),
                               f->icmp_type, &partner);
    src->port = f->icmp_type;
    dst->port = partner;
    return paired;
}

void feat_community_id(const struct dp_flow *f, char out[FEAT_COMMUNITY_ID_BYTES])
{
    bool v4 = dp_addr_is_v4(&f->src) && dp_addr_is_v4(&f->dst);
    size_t skip = v4 ? 12 : 0, addr_bytes = v4 ? 4 : 16;
    struct endpoint a = {f->src.bytes + skip, 0}, b = {f->dst.bytes + skip, 0};
    bool may_swap = endpoints(f, &a, &b);

    int order = memcmp(a.addr, b.addr, addr_bytes);
    if (may_swap && (order > 0 || (order == 0 && a.port > b.port))) {
        struct endpoint swap = a;
        a = b;
        b = swap;
    }

    uint8_t text[2 + 16 + 16 + 2 + 4], *at = text;
    *at++ = 0; /* seed, two bytes */
    *at++ = 0;
    memcpy(at, a.addr, addr_bytes);
    at += addr_bytes;
    memcpy(at, b.addr, addr_bytes);
    at += addr_bytes;
    *at++ = f->proto;
    *at++ = 0; /* padding */
    if (has_ports(f->proto) || f->proto == IPPROTO_ICMP || f->proto == IPPROTO_ICMPV6) {
        *at++ = (uint8_t)(a.port >> 8);
        *at++ = (uint8_t)a.port;
        *at++ = (uint8_t)(b.port >> 8);
        *at++ = (uint8_t)b.port;
    }

    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned digest_bytes = 0;
    memcpy(out, "1:", 3);
    if (EVP_Digest(text, (size_t)(at - text), digest, &digest_bytes, EVP_sha1(), NULL) == 1)
        EVP_EncodeBlock((uint8_t *)out + 2, digest, (int)digest_bytes); /* 20 bytes → 28 + NUL */
}

void feat_proto_name(uint8_t proto, char out[12])
{
    static const struct {
        uint8_t proto;
        const char *name;
    } names[] = {{IPPROTO_TCP, "TCP"},       {IPPROTO_UDP, "UDP"},   {IPPROTO_ICMP, "ICMP"},
                 {IPPROTO_ICMPV6, "ICMPv6"}, {IPPROTO_SCTP, "SCTP"}, {IPPROTO_ESP, "ESP"},
                 {IPPROTO_GRE, "GRE"}};
    for (size_t i = 0; i < ATL_ARRAY_LEN(names); i++) {
        if (names[i].proto == proto) {
            atl_copy(out, 12, names[i].name);
            return;
        }
    }
    snprintf(out, 12, "%u", proto);
}
