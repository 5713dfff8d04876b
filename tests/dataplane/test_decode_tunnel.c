/* SPDX-License-Identifier: Apache-2.0 */
/* Every encapsulation, built byte by byte: what it is keyed with, whole, cut and damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "dataplane/decode_priv.h"
#include "tests/dataplane/tunnels.h"

enum { ETHERNET = 1 };

static struct dp_decoder *inner, *outer;

static enum dp_reason decode_cut(struct dp_decoder *decoder, const struct bytes *f, size_t captured,
                                 struct dp_packet *p)
{
    /* On the heap and of the exact size, so that a sanitizer sees the first byte beyond. */
    uint8_t *copy = malloc(captured > 0 ? captured : 1);
    assert_non_null(copy);
    memcpy(copy, f->b, captured);
    struct dp_frame frame = {copy, (uint32_t)captured, (uint32_t)f->n, ETHERNET, ATL_NS_PER_S};
    enum dp_reason reason = dp_decode_frame(decoder, &frame, p);
    free(copy);
    return reason;
}

static enum dp_reason decode(struct dp_decoder *decoder, const struct bytes *f, struct dp_packet *p)
{
    return decode_cut(decoder, f, f->n, p);
}

static uint64_t fallbacks(void)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < DP_REASON_COUNT; i++)
        sum += atl_counter_get(&inner->fallbacks[i]);
    return sum;
}

/* The last byte of the sender's address tells the packets apart. */
static uint8_t sender(const struct dp_packet *p)
{
    return p->key.addr[p->from].bytes[15];
}

static bool is_inner(const struct tunnel_case *c, const struct dp_packet *p)
{
    uint32_t a = dp_be32(p->key.addr[p->from].bytes + 12);
    return c->v6 ? sender(p) == 0xa && p->bytes == IN6_BYTES
                 : a == IN_A && p->bytes == IN_BYTES && sender(p) == 1;
}

static void each_is_keyed_by_what_it_carries(void **state)
{
    (void)state;
    for (size_t i = 0; i < TUNNEL_CASES; i++) {
        const struct tunnel_case *c = &tunnel_cases[i];
        struct bytes f = c->build();
        struct dp_packet p;
        uint64_t before = atl_counter_get(&inner->encaps[c->encap]), fell = fallbacks();
        if (decode(inner, &f, &p) != DP_DECODED || !is_inner(c, &p))
            fail_msg("%s: not decoded, or %u bytes from …%u", c->name, p.bytes, sender(&p));
        if (p.key.tunnel != c->tunnel || p.tunnel_id != c->id)
            fail_msg("%s: tunnel %s %u", c->name, dp_tunnel_name((enum dp_tunnel)p.key.tunnel),
                     p.tunnel_id);
        bool each_way = dp_tunnel_id_each_way(p.key.tunnel);
        assert_int_equal(p.key.tunnel_id, each_way ? 0 : c->id);
        assert_int_equal(p.key.port[p.from], 1000);
        assert_int_equal(p.key.port[p.from ^ 1], 2000);
        assert_int_equal(p.key.proto, 17);
        assert_int_equal(p.payload_bytes, 20);
        assert_int_equal(p.header_bytes, 8);
        if (atl_counter_get(&inner->encaps[c->encap]) != before + 1)
            fail_msg("%s: encapsulation not counted", c->name);
        assert_int_equal(fallbacks(), fell);
    }
}

static void the_outer_view_stops_at_the_first_packet(void **state)
{
    (void)state;
    for (size_t i = 0; i < TUNNEL_CASES; i++) {
        const struct tunnel_case *c = &tunnel_cases[i];
        struct bytes f = c->build();
        struct dp_packet p;
        assert_int_equal(decode(outer, &f, &p), DP_DECODED);
        if (c->outer == 0) {
            assert_true(is_inner(c, &p));
            continue;
        }
        if (p.bytes != f.n - c->outer || is_inner(c, &p) || sender(&p) != 1)
            fail_msg("%s: %u bytes from …%u", c->name, p.bytes, sender(&p));
        assert_int_equal(p.key.tunnel, c->outer == 26 ? DP_TUNNEL_MPLS : DP_TUNNEL_NONE);
    }
}

/* A cut packet is keyed by the innermost packet that is whole; lost only before the first one. */
static void every_truncation(void **state)
{
    (void)state;
    for (size_t i = 0; i < TUNNEL_CASES; i++) {
        const struct tunnel_case *c = &tunnel_cases[i];
        struct bytes f = c->build();
        size_t first_outer = 0, first_inner = 0;
        for (size_t n = 0; n <= f.n; n++) {
            struct dp_packet p;
            uint64_t fell = fallbacks();
            enum dp_reason reason = decode_cut(inner, &f, n, &p);
            bool is_in = reason == DP_DECODED && is_inner(c, &p);
            if (reason != DP_DECODED && reason != DP_REASON_TRUNCATED)
                fail_msg("%s at %zu: %s", c->name, n, dp_reason_name(reason));
            if (reason == DP_DECODED && first_outer == 0)
                first_outer = n;
            if (is_in && first_inner == 0)
                first_inner = n;
            if ((first_outer != 0 && reason != DP_DECODED) || (first_inner != 0 && !is_in))
                fail_msg("%s at %zu: worse than one byte less", c->name, n);
            if (reason == DP_DECODED && fallbacks() - fell != !is_in)
                fail_msg("%s at %zu: fallback not counted", c->name, n);
            if (reason == DP_DECODED && !is_in && c->outer != 26)
                assert_int_equal(p.key.tunnel, DP_TUNNEL_NONE);
        }
        /* The payload of 20 and what UDP has behind its ports need not be there. */
        size_t padding = c->tunnel == DP_TUNNEL_PPPOE ? 6 : 0;
        if (first_inner != f.n - padding - 24)
            fail_msg("%s: inner from %zu of %zu on", c->name, first_inner, f.n);
    }
}

/* No byte beyond the frame is read, whatever the frame says; both roads agree. */
static void every_byte_changed(void **state)
{
    (void)state;
    static const uint8_t values[] = {0x00, 0x01, 0x45, 0x80, 0xff};
    for (size_t i = 0; i < TUNNEL_CASES; i++) {
        struct bytes good = tunnel_cases[i].build();
        for (size_t at = 0; at < good.n; at++)
            for (size_t v = 0; v < ATL_ARRAY_LEN(values); v++) {
                struct bytes f = good;
                struct dp_packet p;
                f.b[at] = values[v];
                assert_in_range(decode(inner, &f, &p), 0, DP_DECODED);
                assert_in_range(decode_cut(inner, &f, f.n - (at % 32), &p), 0, DP_DECODED);
                assert_in_range(decode(outer, &f, &p), 0, DP_DECODED);
            }
    }
}

static void assert_falls_back(struct bytes f, enum dp_reason reason)
{
    struct dp_packet p;
    uint64_t before = atl_counter_get(&inner->fallbacks[reason]), all = fallbacks();
    assert_int_equal(decode(inner, &f, &p), DP_DECODED);
    assert_int_equal(sender(&p), 1);
    assert_int_equal(p.bytes, f.n - 14);
    assert_int_equal(p.key.tunnel, DP_TUNNEL_NONE);
    assert_int_equal(p.key.tunnel_id, 0);
    assert_int_equal(p.key.vlan[0], 0);
    assert_int_equal(p.qfi, 0);
    assert_int_equal(atl_counter_get(&inner->fallbacks[reason]), before + 1);
    assert_int_equal(fallbacks(), all + 1);
}

static void what_is_no_ip_inside_leaves_the_outer_packet(void **state)
{
    (void)state;
    struct bytes f = {0};
    put_zeros(&f, 28);
    in_ethernet(&f, 0x0806);
    PREPEND(&f, "\x08\0\0\0\0\x12\x34\0");
    in_udp(&f, 50000, 4789);
    assert_falls_back(f, DP_REASON_NOT_IP);
    f = (struct bytes){0};
    PREPEND(&f, "\0\0\0\0"); /* GRE keep-alive */
    in_proto(&f, 47);
    assert_falls_back(f, DP_REASON_NOT_IP);
    f = build_l2tp();
    set16(&f, f.n - 50, 0xc021); /* LCP */
    assert_falls_back(f, DP_REASON_NOT_IP);
}

static void contradictions_inside_leave_the_outer_packet(void **state)
{
    (void)state;
    static const struct {
        struct bytes (*build)(void);
        size_t from_end; /* 48: the first byte of the inner IPv4 packet */
        uint8_t value;
    } cases[] = {
        {build_ipip, 48, 0x55},                           /* version */
        {build_ipip, 48, 0x44},                           /* header length */
        {build_ipip, 46, 0xff},                           /* longer than what encloses it */
        {build_gtpu, 46, 0xff},                           /* the same */
        {build_gtpu, 53, 0xff},                           /* GTP length */
        {build_vxlan, 70, 0x00},                          /* no valid network identifier */
        {build_geneve, 78, 0xc0},                         /* version */
        {build_etherip, 64, 0x20}, {build_gre, 51, 0x05}, /* version */
        {build_pptp, 68, 0xb0},                           /* a checksum in enhanced GRE */
        {build_l2tp, 67, 0x09},                           /* version */
        {build_nsh, 71, 0x01},                            /* shorter than its base header */
    };
    for (size_t i = 0; i < ATL_ARRAY_LEN(cases); i++) {
        struct bytes f = cases[i].build();
        f.b[f.n - cases[i].from_end] = cases[i].value;
        assert_falls_back(f, DP_REASON_BAD_HEADER);
    }
}

/* Subscribers of different depths: whole packets all the way down, until the budget ends. */
static void a_nest_too_deep_leaves_the_packet_before(void **state)
{
    (void)state;
    struct bytes f = inner4();
    for (int i = 0; i < 12; i++)
        in_ipv4(&f, 4);
    in_ethernet(&f, 0x0800);
    struct dp_packet p;
    uint64_t before = atl_counter_get(&inner->fallbacks[DP_REASON_DEPTH]);
    assert_int_equal(decode(inner, &f, &p), DP_DECODED);
    assert_int_equal(atl_counter_get(&inner->fallbacks[DP_REASON_DEPTH]), before + 1);
    assert_int_equal(p.key.tunnel, DP_TUNNEL_IPIP);
    assert_true(p.bytes > IN_BYTES && p.bytes < f.n - 14);
}

static void control_messages_are_packets_of_their_own(void **state)
{
    (void)state;
    struct bytes cases[5] = {0};
    struct dp_packet p;
    put_zeros(&cases[0], 4);
    in_gtp(&cases[0], 0x32, 1); /* echo request */
    PREPEND(&cases[1], "\xc8\x02\0\x0c\0\1\0\0\0\0\0\0");
    in_udp(&cases[1], 1701, 1701);
    PREPEND(&cases[2], "\0\0\0\0\xc8\x03\0\x0c\0\0\0\1\0\0\0\0");
    in_proto(&cases[2], 115);
    PREPEND(&cases[3], "\xc8\x03\0\x0c\0\0\0\1\0\0\0\0");
    in_udp(&cases[3], 1701, 1701);
    PREPEND(&cases[4], "\x20\x81\x88\x0b\0\0\xbe\xef\0\0\0\1"); /* acknowledges, says nothing */
    in_proto(&cases[4], 47);
    for (size_t i = 0; i < ATL_ARRAY_LEN(cases); i++) {
        uint64_t before = fallbacks();
        assert_int_equal(decode(inner, &cases[i], &p), DP_DECODED);
        assert_int_equal(p.bytes, cases[i].n - 14);
        assert_int_equal(p.key.tunnel, DP_TUNNEL_NONE);
        assert_int_equal(fallbacks(), before);
    }
}

static void a_random_source_port_is_no_tunnel(void **state)
{
    (void)state;
    static const struct {
        unsigned sport, dport;
        bool tunnel;
    } cases[] = {
        {4789, 40000, false}, {40000, 4789, true},  {40000, 8472, true},  {8472, 4789, true},
        {6081, 40000, false}, {4790, 40000, false}, {6635, 40000, false},
    };
    for (size_t i = 0; i < ATL_ARRAY_LEN(cases); i++) {
        struct bytes f = build_vxlan();
        struct dp_packet p;
        set16(&f, 34, cases[i].sport);
        set16(&f, 36, cases[i].dport);
        uint64_t before = fallbacks();
        assert_int_equal(decode(inner, &f, &p), DP_DECODED);
        assert_int_equal(p.key.tunnel, cases[i].tunnel ? DP_TUNNEL_VXLAN : DP_TUNNEL_NONE);
        assert_int_equal(fallbacks(), before);
    }
}

/* The first fragment holds the inner headers; the later ones only the outer. */
static void fragments_of_a_tunnel(void **state)
{
    (void)state;
    struct bytes f = build_vxlan(), g = {0};
    struct dp_packet first, later;
    size_t at = f.n - IN_BYTES;
    set16(&f, at + 2, 1400); /* the inner packet goes on in the next fragment */
    set16(&f, 14 + 6, 0x2000);
    assert_int_equal(decode(inner, &f, &first), DP_DECODED);
    assert_int_equal(first.key.tunnel, DP_TUNNEL_VXLAN);
    assert_int_equal(first.bytes, 1400);
    put_zeros(&g, 100);
    in_proto(&g, 17);
    set16(&g, 14 + 6, 12);
    assert_int_equal(decode(inner, &g, &later), DP_DECODED);
    assert_int_equal(later.key.tunnel, DP_TUNNEL_NONE);
    assert_int_equal(later.key.port[later.from ^ 1], 4789);
    assert_int_equal(later.bytes, 120);
}

/* The same datagram number in two tunnels is two datagrams. */
static void fragments_in_tunnels_do_not_mix(void **state)
{
    (void)state;
    struct dp_packet p;
    struct bytes f = inner4();
    set16(&f, 6, 0x2000);
    struct bytes a = vxlan_of(f);
    assert_int_equal(decode(inner, &a, &p), DP_DECODED);
    assert_int_equal(p.key.port[p.from], 1000);
    set16(&f, 6, 3);
    struct bytes same = vxlan_of(f), other = vxlan_of(f);
    assert_int_equal(decode(inner, &same, &p), DP_DECODED);
    assert_int_equal(p.key.port[p.from], 1000);
    other.b[14 + 20 + 8 + 6] = 0x77; /* another network */
    assert_int_equal(decode(inner, &other, &p), DP_DECODED);
    assert_int_equal(p.key.port[p.from], 0);
}

static void details(void **state)
{
    (void)state;
    struct dp_packet p;
    struct bytes f = build_gtpu_psc();
    assert_int_equal(decode(inner, &f, &p), DP_DECODED);
    assert_int_equal(p.qfi, 9);
    f = build_erspan_2(); /* the tag of the mirrored frame */
    assert_int_equal(decode(inner, &f, &p), DP_DECODED);
    assert_int_equal(p.key.vlan[0], 5);
    assert_int_equal(p.key.vlan[1], 0);
    f = build_nest(); /* nothing inside has a tag: those of the frame */
    assert_int_equal(decode(inner, &f, &p), DP_DECODED);
    assert_int_equal(p.key.vlan[0], 100);
    assert_int_equal(p.key.vlan[1], 200);
    f = (struct bytes){0};
    put_zeros(&f, 20);
    in_ethernet(&f, 0x8863);
    uint64_t before = atl_counter_get(&inner->encaps[DP_ENCAP_PPPOE_DISCOVERY]);
    assert_int_equal(decode(inner, &f, &p), DP_REASON_NOT_IP);
    assert_int_equal(atl_counter_get(&inner->encaps[DP_ENCAP_PPPOE_DISCOVERY]), before + 1);
}

/* The straight road is a shortcut, not an opinion. */
static void both_roads_agree(void **state)
{
    (void)state;
    struct atl_rng rng;
    atl_rng_init_seed(&rng, 5);
    uint32_t decoded = 0;
    for (int i = 0; i < 40000; i++) {
        struct bytes f = {0};
        unsigned payload = (unsigned)atl_rng_below(&rng, 40);
        unsigned sport = (unsigned)atl_rng_u64(&rng) & 0xffff, dport = sport >> 3;
        bool udp = atl_rng_below(&rng, 2) == 0, v6 = atl_rng_below(&rng, 2) == 0;
        if (udp)
            put_udp(&f, sport, dport, payload);
        else
            put_tcp(&f, sport, dport, (unsigned)atl_rng_below(&rng, 256));
        put_zeros(&f, payload);
        if (v6)
            in_ipv6(&f, udp ? 17 : 6);
        else
            in_ipv4(&f, udp ? 17 : 6);
        bool tagged = atl_rng_below(&rng, 4) == 0;
        if (tagged)
            prepend(&f, v6 ? "\x2a\xbc\x86\xdd" : "\x2a\xbc\x08\0", 4);
        in_ethernet(&f, tagged ? 0x8100 : v6 ? 0x86dd : 0x0800);
        if (atl_rng_below(&rng, 2) == 0)
            f.b[atl_rng_below(&rng, f.n)] = (uint8_t)atl_rng_u64(&rng);
        uint32_t captured =
            atl_rng_below(&rng, 4) == 0 ? (uint32_t)atl_rng_below(&rng, f.n + 1) : (uint32_t)f.n;
        struct dp_frame frame = {f.b, captured, (uint32_t)f.n, ETHERNET, 7};
        struct dp_packet a, b;
        memset(&a, 0xaa, sizeof(a));
        enum dp_reason x = dp_decode_frame(inner, &frame, &a);
        enum dp_reason y = dp_decode_any(inner, &frame, &b);
        assert_int_equal(x, y);
        if (x != DP_DECODED)
            continue;
        decoded++;
        a.hash = b.hash;
        a.clock_ns = b.clock_ns;
        assert_memory_equal(&a.key, &b.key, sizeof(a.key));
        assert_memory_equal(&a.ts_ns, &b.ts_ns,
                            offsetof(struct dp_packet, dns) + sizeof(a.dns) -
                                offsetof(struct dp_packet, ts_ns));
    }
    assert_true(decoded > 20000);
}

static void names_and_help(void **state)
{
    (void)state;
    for (unsigned i = 0; i < DP_ENCAP_COUNT; i++) {
        assert_true(strlen(dp_encap_name((enum dp_encap)i)) >= 3);
        assert_true(strlen(dp_encap_help((enum dp_encap)i)) >= 3);
    }
    for (unsigned i = 1; i < DP_TUNNEL_COUNT; i++) {
        assert_true(strlen(dp_tunnel_name((enum dp_tunnel)i)) >= 3);
        assert_true(strlen(dp_tunnel_help((enum dp_tunnel)i)) >= 3);
    }
    assert_true(dp_tunnel_has_id(DP_TUNNEL_GTPU));
    assert_false(dp_tunnel_has_id(DP_TUNNEL_6IN4));
    assert_string_equal(dp_encap_name(DP_ENCAP_COUNT), "unknown");
    assert_string_equal(dp_tunnel_name(DP_TUNNEL_COUNT), "unknown");
    assert_false(dp_tunnel_has_id(DP_TUNNEL_COUNT));
}

static struct dp_decoder *create(enum dp_key_view view)
{
    struct atl_hash_key key;
    struct dp_decoder *decoder = malloc(sizeof(*decoder));
    atl_hash_key_init(&key);
    if (decoder == NULL)
        abort();
    dp_decoder_init(decoder, view, &key);
    return decoder;
}

int main(void)
{
    if (atl_base_init() < 0)
        return 1;
    inner = create(DP_KEY_INNER);
    outer = create(DP_KEY_OUTER);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_keyed_by_what_it_carries),
        cmocka_unit_test(the_outer_view_stops_at_the_first_packet),
        cmocka_unit_test(every_truncation),
        cmocka_unit_test(every_byte_changed),
        cmocka_unit_test(what_is_no_ip_inside_leaves_the_outer_packet),
        cmocka_unit_test(contradictions_inside_leave_the_outer_packet),
        cmocka_unit_test(a_nest_too_deep_leaves_the_packet_before),
        cmocka_unit_test(control_messages_are_packets_of_their_own),
        cmocka_unit_test(a_random_source_port_is_no_tunnel),
        cmocka_unit_test(fragments_of_a_tunnel),
        cmocka_unit_test(fragments_in_tunnels_do_not_mix),
        cmocka_unit_test(details),
        cmocka_unit_test(both_roads_agree),
        cmocka_unit_test(names_and_help),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(inner);
    free(outer);
    return failed;
}
