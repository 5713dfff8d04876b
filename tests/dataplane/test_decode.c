/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "dataplane/decode_priv.h"
#include "tests/dataplane/frames.h"

enum { ETHERNET = 1, A = 0x0a000001, B = 0x0a000002 };

static struct dp_decoder *decoder;

static enum dp_reason decode_as(const struct bytes *f, size_t captured, uint32_t link,
                                struct dp_packet *p)
{
    /* On the heap and of the exact size, so that a sanitizer sees the first byte beyond. */
    uint8_t *copy = malloc(captured > 0 ? captured : 1);
    assert_non_null(copy);
    memcpy(copy, f->b, captured);
    struct dp_frame frame = {copy, (uint32_t)captured, (uint32_t)f->n, link, 5 * ATL_NS_PER_S};
    enum dp_reason reason = dp_decode_frame(decoder, &frame, p);
    free(copy);
    return reason;
}

static enum dp_reason decode(const struct bytes *f, struct dp_packet *p)
{
    return decode_as(f, f->n, ETHERNET, p);
}

static uint16_t sport(const struct dp_packet *p)
{
    return p->key.port[p->from];
}

static uint16_t dport(const struct dp_packet *p)
{
    return p->key.port[p->from ^ 1];
}

static void assert_addr(const struct dp_addr *addr, const char *text)
{
    char got[DP_ADDR_TEXT_BYTES];
    dp_addr_format(addr, got);
    assert_string_equal(got, text);
}

static void tcp_over_ipv4(void **state)
{
    (void)state;
    struct dp_packet p;
    struct bytes f = tcp_frame(B, 40000, A, 443, F_SYN | F_ACK, 100);
    put_zeros(&f, 7); /* Ethernet padding is no payload */
    assert_int_equal(decode(&f, &p), DP_DECODED);
    assert_addr(&p.key.addr[0], "10.0.0.1");
    assert_addr(&p.key.addr[1], "10.0.0.2");
    assert_int_equal(p.from, 1);
    assert_int_equal(sport(&p), 40000);
    assert_int_equal(dport(&p), 443);
    assert_int_equal(p.key.proto, 6);
    assert_int_equal(p.bytes, 140);
    assert_int_equal(p.header_bytes, 20);
    assert_int_equal(p.payload_bytes, 100);
    assert_int_equal(p.tcp_flags, 1U << DP_SYN | 1U << DP_ACK);
    assert_int_equal(p.window, 0x2000);
    assert_int_equal(p.ttl, 64);
}

static void both_directions_have_one_key(void **state)
{
    (void)state;
    struct dp_packet there, back;
    struct bytes f = udp_frame(A, 5000, B, 53, 30), g = udp_frame(B, 53, A, 5000, 90);
    assert_int_equal(decode(&f, &there), DP_DECODED);
    assert_int_equal(decode(&g, &back), DP_DECODED);
    assert_memory_equal(&there.key, &back.key, sizeof(there.key));
    assert_int_not_equal(there.from, back.from);
    /* Same address on both ends: the ports decide. */
    f = udp_frame(A, 9, A, 8, 0);
    g = udp_frame(A, 8, A, 9, 0);
    assert_int_equal(decode(&f, &there), DP_DECODED);
    assert_int_equal(decode(&g, &back), DP_DECODED);
    assert_memory_equal(&there.key, &back.key, sizeof(there.key));
    assert_int_not_equal(there.from, back.from);
}

static void ipv4_options_and_tcp_options(void **state)
{
    (void)state;
    struct dp_packet p;
    struct bytes f = {0};
    put_ethernet(&f, 0x0800);
    put_ipv4(&f, 20 + 8 + 32 + 5, 6, A, B);
    f.b[14] = 0x47;
    put_zeros(&f, 8);
    put_tcp(&f, 1, 2, F_ACK);
    f.b[14 + 28 + 12] = 0x80;
    put_zeros(&f, 12 + 5);
    assert_int_equal(decode(&f, &p), DP_DECODED);
    assert_int_equal(p.header_bytes, 32);
    assert_int_equal(p.payload_bytes, 5);
    assert_int_equal(sport(&p), 1);
}

static void two_vlan_tags(void **state)
{
    (void)state;
    struct dp_packet p;
    struct bytes f = {0};
    put_ethernet(&f, 0x88a8);
    put16(&f, 0x2000 | 100);
    put16(&f, 0x8100);
    put16(&f, 200);
    put16(&f, 0x0800);
    put_ipv4(&f, 28, 17, A, B);
    put_udp(&f, 1, 2, 0);
    assert_int_equal(decode(&f, &p), DP_DECODED);
    assert_int_equal(p.key.vlan[0], 100);
    assert_int_equal(p.key.vlan[1], 200);
    assert_int_equal(p.bytes, 28);
}

static void tags_use_up_the_depth(void **state)
{
    (void)state;
    struct dp_packet p;
    unsigned most = DP_DEPTH_MAX - 3; /* Ethernet, IP and UDP need their share */
    for (unsigned tags = most; tags <= most + 1; tags++) {
        struct bytes f = {0};
        put_ethernet(&f, 0x8100);
        for (unsigned i = 1; i <= tags; i++) {
            put16(&f, i);
            put16(&f, i == tags ? 0x0800 : 0x8100);
        }
        put_ipv4(&f, 28, 17, A, B);
        put_udp(&f, 1, 2, 0);
        assert_int_equal(decode(&f, &p), tags == most ? DP_DECODED : DP_REASON_DEPTH);
    }
}

static void llc_is_not_ip_but_snap_is(void **state)
{
    (void)state;
    struct dp_packet p;
    struct bytes stp = {0}, snap = {0};
    put_ethernet(&stp, 38);
    put(&stp, "\x42\x42\x03\0\0\0\0\0", 8);
    put_zeros(&stp, 38);
    assert_int_equal(decode(&stp, &p), DP_REASON_NOT_IP);
    put_ethernet(&snap, 36);
    put(&snap, "\xaa\xaa\x03\0\0\0\x08\0", 8);
    put_ipv4(&snap, 28, 17, A, B);
    put_udp(&snap, 1, 2, 0);
    assert_int_equal(decode(&snap, &p), DP_DECODED);
    struct bytes arp = {0};
    put_ethernet(&arp, 0x0806);
    put_zeros(&arp, 46);
    assert_int_equal(decode(&arp, &p), DP_REASON_NOT_IP);
}

/* IPv6, hop-by-hop, routing, destination, AH, fragment (whole), destination, then UDP. */
static struct bytes ipv6_with_extensions(void)
{
    struct bytes f = {0};
    put_ethernet(&f, 0x86dd);
    put_ipv6(&f, 8 + 24 + 8 + 24 + 8 + 16 + 8 + 4, 0, 1, 2);
    put(&f, "\x2b\0\x01\x04\0\0\0\0", 8);
    put(&f, "\x3c\x02\x04\0", 4);
    put_zeros(&f, 20);
    put(&f, "\x33\0\x01\x04\0\0\0\0", 8);
    put(&f, "\x2c\x04\0\0", 4);
    put_zeros(&f, 20);
    put(&f, "\x3c\0\0\0\0\0\0\x07", 8);
    put(&f, "\x11\x01", 2);
    put_zeros(&f, 14);
    put_udp(&f, 7, 8, 4);
    put_zeros(&f, 4);
    return f;
}

static void ipv6_extension_headers(void **state)
{
    (void)state;
    struct dp_packet p;
    struct bytes f = ipv6_with_extensions();
    assert_int_equal(decode(&f, &p), DP_DECODED);
    assert_addr(&p.key.addr[0], "2001:db8::1");
    assert_int_equal(p.key.proto, 17);
    assert_int_equal(sport(&p), 7);
    assert_int_equal(p.payload_bytes, 4);
    assert_int_equal(p.bytes, 140);
    assert_int_equal(p.ttl, 63);
}

static void endless_extension_headers(void **state)
{
    (void)state;
    struct dp_packet p;
    struct bytes f = {0};
    put_ethernet(&f, 0x86dd);
    put_ipv6(&f, 800, 60, 1, 2);
    for (int i = 0; i < 100; i++)
        put(&f, "\x3c\0\x01\x04\0\0\0\0", 8);
    assert_int_equal(decode(&f, &p), DP_REASON_DEPTH);
    /* A header longer than the packet. */
    f.b[14 + 40 + 1] = 0xff;
    assert_int_equal(decode(&f, &p), DP_REASON_BAD_HEADER);
}

static void lengths_of_zero_ask_the_wire(void **state)
{
    (void)state;
    struct dp_packet p;
    struct bytes f = tcp_frame(A, 1, B, 2, F_ACK, 1000);
    set16(&f, 16, 0);
    assert_int_equal(decode(&f, &p), DP_DECODED);
    assert_int_equal(p.bytes, 1040);
    assert_int_equal(p.payload_bytes, 1000);
    struct bytes jumbo = {0};
    put_ethernet(&jumbo, 0x86dd);
    put_ipv6(&jumbo, 0, 0, 1, 2);
    put(&jumbo, "\x11\0\xc2\x04\0\x01\0\0", 8);
    put_udp(&jumbo, 1, 2, 0);
    put_zeros(&jumbo, 500);
    assert_int_equal(decode(&jumbo, &p), DP_DECODED);
    assert_int_equal(p.bytes, 40 + 8 + 8 + 500);
    assert_int_equal(p.payload_bytes, 500);
    struct bytes none = {0};
    put_ethernet(&none, 0x86dd);
    put_ipv6(&none, 0, 59, 1, 2);
    put_zeros(&none, 6);
    assert_int_equal(decode(&none, &p), DP_DECODED);
    assert_int_equal(p.bytes, 40);
}

static void icmp_is_keyed_by_echo_identifier(void **state)
{
    (void)state;
    struct dp_packet p;
    for (unsigned type = 0; type <= 8; type += 8) {
        struct bytes f = {0};
        put_ethernet(&f, 0x0800);
        put_ipv4(&f, 84, 1, A, B);
        put8(&f, type);
        put_zeros(&f, 3);
        put16(&f, 0xbeef);
        put_zeros(&f, 58);
        assert_int_equal(decode(&f, &p), DP_DECODED);
        assert_int_equal(sport(&p), 0xbeef);
        assert_int_equal(dport(&p), 0xbeef);
        assert_int_equal(p.icmp_type, type);
        assert_int_equal(p.payload_bytes, 56);
        f.b[34] = 3; /* destination unreachable */
        f.b[35] = 1;
        assert_int_equal(decode(&f, &p), DP_DECODED);
        assert_int_equal(sport(&p), 0);
        assert_int_equal(p.icmp_code, 1);
    }
    struct bytes f = {0};
    put_ethernet(&f, 0x86dd);
    put_ipv6(&f, 8, 58, 1, 2);
    put(&f, "\x81\0\0\0\x12\x34\0\0", 8);
    assert_int_equal(decode(&f, &p), DP_DECODED);
    assert_int_equal(sport(&p), 0x1234);
}

static void sctp_has_ports_esp_and_others_have_none(void **state)
{
    (void)state;
    static const struct {
        unsigned proto, port, payload;
    } cases[] = {{132, 0x0102, 28}, {50, 0, 40}, {47, 0, 40}, {89, 0, 40}};
    for (size_t i = 0; i < ATL_ARRAY_LEN(cases); i++) {
        struct dp_packet p;
        struct bytes f = {0};
        put_ethernet(&f, 0x0800);
        put_ipv4(&f, 60, cases[i].proto, A, B);
        for (unsigned k = 1; k <= 40; k++)
            put8(&f, k);
        assert_int_equal(decode(&f, &p), DP_DECODED);
        assert_int_equal(p.key.proto, cases[i].proto);
        assert_int_equal(sport(&p), cases[i].port);
        assert_int_equal(p.payload_bytes, cases[i].payload);
    }
}

static struct bytes fragment(unsigned field, unsigned payload)
{
    struct bytes f = {0};
    put_ethernet(&f, 0x0800);
    put_ipv4(&f, 20 + payload, 17, A, B);
    set16(&f, 14 + 6, field);
    if ((field & 0x1fff) == 0)
        put_udp(&f, 4000, 53, 2000);
    while (f.n < 34 + payload)
        put8(&f, 0xee);
    return f;
}

static void later_fragments_join_the_first(void **state)
{
    (void)state;
    struct dp_packet first, later, stranger;
    struct bytes f = fragment(0x2000, 1480), g = fragment(185, 528), h = fragment(185, 528);
    set16(&h, 14 + 4, 0x4321); /* another datagram */
    assert_int_equal(decode(&f, &first), DP_DECODED);
    assert_int_equal(decode(&g, &later), DP_DECODED);
    assert_int_equal(decode(&h, &stranger), DP_DECODED);
    assert_memory_equal(&first.key, &later.key, sizeof(first.key));
    assert_int_equal(first.payload_bytes, 1472);
    assert_int_equal(later.payload_bytes, 528);
    assert_int_equal(later.header_bytes, 0);
    assert_int_equal(sport(&stranger), 0);
    assert_int_equal(stranger.key.proto, 17);
    /* 31 s later the identification may belong to another datagram. */
    struct dp_frame late = {g.b, (uint32_t)g.n, (uint32_t)g.n, ETHERNET, 36 * ATL_NS_PER_S};
    assert_int_equal(dp_decode_frame(decoder, &late, &later), DP_DECODED);
    assert_int_equal(sport(&later), 0);
}

static void ipv6_fragments_know_the_upper_protocol(void **state)
{
    (void)state;
    struct dp_packet first, later;
    struct bytes f = {0}, g = {0};
    put_ethernet(&f, 0x86dd);
    put_ipv6(&f, 8 + 8 + 8 + 8, 44, 1, 2);
    put(&f, "\x3c\0\0\x01\x11\x22\x33\x44", 8);
    put(&f, "\x11\0\x01\x04\0\0\0\0", 8);
    put_udp(&f, 600, 700, 100);
    put_zeros(&f, 8);
    put_ethernet(&g, 0x86dd);
    put_ipv6(&g, 8 + 92, 44, 1, 2);
    put(&g, "\x3c\0\0\x18\x11\x22\x33\x44", 8);
    put_zeros(&g, 92);
    assert_int_equal(decode(&f, &first), DP_DECODED);
    assert_int_equal(decode(&g, &later), DP_DECODED);
    assert_int_equal(first.key.proto, 17);
    assert_memory_equal(&first.key, &later.key, sizeof(first.key));
}

static void contradictions(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        uint8_t value;
    } cases[] = {{14, 0x55}, {14, 0x44}, {17, 19}};
    struct dp_packet p;
    for (size_t i = 0; i < ATL_ARRAY_LEN(cases); i++) {
        struct bytes f = tcp_frame(A, 1, B, 2, F_ACK, 0);
        f.b[cases[i].at] = cases[i].value;
        assert_int_equal(decode(&f, &p), DP_REASON_BAD_HEADER);
    }
    /* An IP packet with no room for ports is hostile, but it is an IP packet. */
    struct bytes tiny = {0};
    put_ethernet(&tiny, 0x0800);
    put_ipv4(&tiny, 22, 6, A, B);
    while (tiny.n < 60) /* padding, which must not be taken for ports */
        put8(&tiny, 0x77);
    assert_int_equal(decode(&tiny, &p), DP_DECODED);
    assert_int_equal(sport(&p), 0);
    assert_int_equal(p.payload_bytes, 0);
    assert_int_equal(p.header_bytes, 2);
}

/* A snapped frame: sizes come from the IP header; cut ports are not guessed. */
static void every_truncation(void **state)
{
    (void)state;
    struct dp_packet whole, p;
    struct bytes f = tcp_frame(A, 1000, B, 2000, F_SYN, 300);
    assert_int_equal(decode(&f, &whole), DP_DECODED);
    for (size_t n = 0; n <= f.n; n++) {
        bool enough = n >= 14 + 20 + 4;
        assert_int_equal(decode_as(&f, n, ETHERNET, &p), enough ? DP_DECODED : DP_REASON_TRUNCATED);
        if (!enough)
            continue;
        assert_memory_equal(&p.key, &whole.key, sizeof(p.key));
        assert_int_equal(p.bytes, 340);
        assert_int_equal(p.payload_bytes, 300);
    }
    struct bytes g = ipv6_with_extensions();
    for (size_t n = 0; n <= g.n; n++)
        assert_int_equal(decode_as(&g, n, ETHERNET, &p),
                         n >= g.n - 8 ? DP_DECODED : DP_REASON_TRUNCATED);
}

/* No frame may be read beyond its end: every byte of good frames changed, at every length. */
static void every_byte_changed(void **state)
{
    (void)state;
    const struct bytes frames[] = {
        tcp_frame(A, 1000, B, 2000, F_SYN, 4),
        ipv6_with_extensions(),
        fragment(0x2000, 16),
    };
    static const uint8_t values[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
    for (size_t i = 0; i < ATL_ARRAY_LEN(frames); i++)
        for (size_t at = 0; at < frames[i].n; at++)
            for (size_t v = 0; v < ATL_ARRAY_LEN(values); v++) {
                struct bytes f = frames[i];
                struct dp_packet p;
                f.b[at] = values[v];
                for (size_t n = at + 1; n <= f.n; n += 3)
                    assert_in_range(decode_as(&f, n, ETHERNET, &p), 0, DP_DECODED);
            }
}

static void link_types(void **state)
{
    (void)state;
    static const struct {
        uint32_t link;
        const char *head;
        size_t bytes;
    } cases[] = {
        {12, "", 0},
        {14, "", 0},
        {101, "", 0},
        {228, "", 0},
        {0, "\2\0\0\0", 4},
        {0, "\0\0\0\2", 4},
        {108, "\0\0\0\2", 4},
        {113, "\0\0\0\1\0\6\2\0\0\0\0\1\0\0\x08\0", 16},
        {276, "\x08\0\0\0\0\0\0\1\0\1\0\6\2\0\0\0\0\1\0\0", 20},
    };
    struct dp_packet p;
    for (size_t i = 0; i < ATL_ARRAY_LEN(cases); i++) {
        struct bytes f = {0};
        put(&f, cases[i].head, cases[i].bytes);
        put_ipv4(&f, 28, 17, A, B);
        put_udp(&f, 1, 2, 0);
        assert_int_equal(decode_as(&f, f.n, cases[i].link, &p), DP_DECODED);
        assert_int_equal(p.bytes, 28);
        assert_true(dp_decode_knows_link(cases[i].link));
    }
    struct bytes f = {0};
    put_ipv6(&f, 8, 17, 1, 2);
    put_udp(&f, 1, 2, 0);
    assert_int_equal(decode_as(&f, f.n, 229, &p), DP_DECODED);
    assert_int_equal(decode_as(&f, f.n, 12, &p), DP_DECODED);
    assert_int_equal(decode_as(&f, f.n, 228, &p), DP_REASON_BAD_HEADER);
    assert_int_equal(decode_as(&f, f.n, 105, &p), DP_REASON_LINK_TYPE);
    assert_false(dp_decode_knows_link(105));
}

static void names(void **state)
{
    (void)state;
    assert_string_equal(dp_reason_name(DP_REASON_NOT_IP), "not_ip");
    assert_string_equal(dp_reason_name(DP_REASON_COUNT), "unknown");
    assert_string_equal(dp_end_reason_name(DP_END_CLOSED), "end");
    assert_string_equal(dp_end_reason_name(DP_END_RESOURCES), "resources");
    assert_string_equal(dp_end_reason_name((enum dp_end_reason)0), "unknown");
    assert_string_equal(dp_tunnel_name(DP_TUNNEL_NONE), "");
    for (unsigned i = 0; i < DP_REASON_COUNT; i++)
        assert_true(strlen(dp_reason_help((enum dp_reason)i)) > 10);
}

int main(void)
{
    if (atl_base_init() < 0)
        return 1;
    struct atl_hash_key key;
    atl_hash_key_init(&key);
    decoder = malloc(sizeof(*decoder));
    if (decoder == NULL)
        return 1;
    dp_decoder_init(decoder, DP_KEY_INNER, &key);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tcp_over_ipv4),
        cmocka_unit_test(both_directions_have_one_key),
        cmocka_unit_test(ipv4_options_and_tcp_options),
        cmocka_unit_test(two_vlan_tags),
        cmocka_unit_test(tags_use_up_the_depth),
        cmocka_unit_test(llc_is_not_ip_but_snap_is),
        cmocka_unit_test(ipv6_extension_headers),
        cmocka_unit_test(endless_extension_headers),
        cmocka_unit_test(lengths_of_zero_ask_the_wire),
        cmocka_unit_test(icmp_is_keyed_by_echo_identifier),
        cmocka_unit_test(sctp_has_ports_esp_and_others_have_none),
        cmocka_unit_test(later_fragments_join_the_first),
        cmocka_unit_test(ipv6_fragments_know_the_upper_protocol),
        cmocka_unit_test(contradictions),
        cmocka_unit_test(every_truncation),
        cmocka_unit_test(every_byte_changed),
        cmocka_unit_test(link_types),
        cmocka_unit_test(names),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(decoder);
    return failed;
}
