/* SPDX-License-Identifier: Apache-2.0 */
/* The looks inside: telecom control messages per peer, DNS per flow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

#include "dataplane/decode_priv.h"
#include "dataplane/dns_digest_priv.h"
#include "tests/dataplane/control.h"

enum { ROWS_MAX = DP_TELECOM_SETS * DP_TELECOM_WAYS * (DP_TELECOM_CODES + 1) };

static struct dp_decoder *decoder;
static struct dp_telecom_row rows[ROWS_MAX];
static uint32_t row_count;

static struct dp_packet decode_cut(const struct bytes *f, size_t captured)
{
    uint8_t *copy = malloc(captured > 0 ? captured : 1);
    assert_non_null(copy);
    memcpy(copy, f->b, captured);
    struct dp_frame frame = {copy, (uint32_t)captured, (uint32_t)f->n, 1, ATL_NS_PER_S};
    struct dp_packet p = {.bytes = 0};
    (void)dp_decode_frame(decoder, &frame, &p);
    free(copy);
    return p;
}

/* Decode into an empty table; the rows are all that the frame left there. */
static void decode_alone(struct bytes f)
{
    struct atl_hash_key key;
    atl_hash_key_init(&key);
    dp_decoder_init(decoder, DP_KEY_INNER, &key);
    decode_cut(&f, f.n);
    row_count = dp_telecom_read(&decoder->telecom, rows, ROWS_MAX);
}

static uint64_t count_of(enum dp_telecom_protocol protocol, bool cause, uint32_t code, bool error)
{
    for (uint32_t i = 0; i < row_count; i++)
        if (rows[i].protocol == protocol && rows[i].cause == cause && rows[i].code == code &&
            rows[i].error == error && !rows[i].other && rows[i].peer.bytes[15] == 1)
            return rows[i].count;
    return 0;
}

static void gtp_c(void **state)
{
    (void)state;
    decode_alone(build_gtpv1c());
    assert_int_equal(row_count, 2);
    assert_int_equal(count_of(DP_TELECOM_GTPV1C, false, 17, false), 1);
    assert_int_equal(count_of(DP_TELECOM_GTPV1C, true, 199, true), 1);
    decode_alone(build_gtpv2c());
    assert_int_equal(row_count, 3);
    assert_int_equal(count_of(DP_TELECOM_GTPV2C, false, 33, false), 1);
    assert_int_equal(count_of(DP_TELECOM_GTPV2C, false, 95, false), 1);
    assert_int_equal(count_of(DP_TELECOM_GTPV2C, true, 72, true), 1);
}

static void pfcp_and_gtp_u(void **state)
{
    (void)state;
    decode_alone(build_pfcp());
    assert_int_equal(row_count, 2);
    assert_int_equal(count_of(DP_TELECOM_PFCP, false, 51, false), 1);
    assert_int_equal(count_of(DP_TELECOM_PFCP, true, 1, false), 1);
    decode_alone(build_gtpu_error());
    assert_int_equal(row_count, 1);
    assert_int_equal(count_of(DP_TELECOM_GTPU, false, 26, true), 1);
    decode_alone(build_gtpu());
    assert_int_equal(row_count, 0); /* a subscriber's packet is nobody's message */
}

static void diameter_in_one_segment(void **state)
{
    (void)state;
    decode_alone(build_diameter());
    assert_int_equal(row_count, 3);
    assert_int_equal(count_of(DP_TELECOM_DIAMETER, false, 272 + (1U << 24), false), 1);
    assert_int_equal(count_of(DP_TELECOM_DIAMETER, false, 272, false), 1);
    assert_int_equal(count_of(DP_TELECOM_DIAMETER, true, 5030, true), 1);
    /* The middle of a longer message is none. */
    struct bytes f = build_diameter();
    f.b[14 + 20 + 32] = 7;
    decode_alone(f);
    assert_int_equal(row_count, 0);
}

static void sctp_chunks_and_what_they_carry(void **state)
{
    (void)state;
    decode_alone(build_sctp());
    assert_int_equal(count_of(DP_TELECOM_SCTP, false, 3, false), 1);
    assert_int_equal(count_of(DP_TELECOM_SCTP, false, 0, false), 3);
    assert_int_equal(count_of(DP_TELECOM_NGAP, false, 512 + 21, true), 1);
    assert_int_equal(count_of(DP_TELECOM_NGAP, false, 256 + 21, false), 0); /* no first part */
    assert_int_equal(count_of(DP_TELECOM_DIAMETER, true, 5030, true), 1);
    assert_int_equal(row_count, 5);
}

/* Nothing is read beyond a cut frame, and a frame cut anywhere is still a packet. */
static void every_truncation_and_every_byte_changed(void **state)
{
    (void)state;
    static const uint8_t values[] = {0x00, 0x01, 0x7f, 0xff};
    for (size_t i = 0; i < CONTROL_CASES; i++) {
        struct bytes good = control_cases[i].build();
        for (size_t n = 14 + 20 + 4; n <= good.n; n++)
            assert_int_equal(decode_cut(&good, n).bytes, good.n - 14);
        for (size_t at = 14 + 20; at < good.n; at++)
            for (size_t v = 0; v < ATL_ARRAY_LEN(values); v++) {
                struct bytes f = good;
                f.b[at] = values[v];
                assert_int_equal(decode_cut(&f, f.n).bytes, good.n - 14);
            }
    }
}

static struct dp_packet packet_of(uint32_t sender)
{
    struct dp_packet p = {.bytes = 1};
    uint8_t v4[4] = {(uint8_t)(sender >> 24), (uint8_t)(sender >> 16), (uint8_t)(sender >> 8),
                     (uint8_t)sender};
    p.key.addr[0] = dp_addr_mapped(v4);
    return p;
}

static void a_flood_of_peers_keeps_the_talkative(void **state)
{
    (void)state;
    struct dp_telecom *t = calloc(1, sizeof(*t));
    assert_non_null(t);
    struct dp_packet regular = packet_of(1);
    for (uint32_t i = 0; i < 20000; i++) {
        struct dp_packet p = packet_of(0x0b000000 + i);
        dp_telecom_note(t, &p, DP_TELECOM_PFCP, false, 1);
        if (i % 50 == 0)
            dp_telecom_note(t, &regular, DP_TELECOM_PFCP, false, 2);
    }
    row_count = dp_telecom_read(t, rows, ROWS_MAX);
    assert_in_range(row_count, 1000, DP_TELECOM_SETS * DP_TELECOM_WAYS);
    assert_int_equal(count_of(DP_TELECOM_PFCP, false, 2, false), 400);
    /* The same without room for the rows: the number is that of all. */
    assert_int_equal(dp_telecom_read(t, NULL, 0), row_count);
    free(t);
}

static void codes_beyond_a_peers_room_are_counted_together(void **state)
{
    (void)state;
    struct dp_telecom *t = calloc(1, sizeof(*t));
    assert_non_null(t);
    struct dp_packet p = packet_of(1);
    for (uint32_t code = 0; code < 100; code++)
        dp_telecom_note(t, &p, DP_TELECOM_GTPV1C, false, code);
    row_count = dp_telecom_read(t, rows, ROWS_MAX);
    assert_int_equal(row_count, DP_TELECOM_CODES + 1);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < row_count; i++)
        sum += rows[i].count;
    assert_int_equal(sum, 100);
    assert_true(rows[row_count - 1].other);
    free(t);
}

/* --- DNS --- */

static void a_query_and_its_denial(void **state)
{
    (void)state;
    struct bytes f = build_dns(), g = build_dns_nxdomain();
    struct dp_packet query = decode_cut(&f, f.n), answer = decode_cut(&g, g.n);
    struct dp_dns dns = {0};
    dp_dns_update(&dns, &query.dns);
    dp_dns_update(&dns, &answer.dns);
    assert_int_equal(dns.queries, 1);
    assert_int_equal(dns.responses, 1);
    assert_int_equal(dns.nxdomain, 1);
    assert_int_equal(dns.name_bytes, 2 * 15);
    assert_int_equal(dns.name_bytes_max, 15);
    assert_int_equal(dns.types[DP_DNS_ADDRESS], 1);
    assert_int_equal(dns.types[DP_DNS_TXT], 1);
    assert_int_equal(dns.odd, 0);
    /* Python: -sum(c/13*log2(c/13) for "wwwexamplecom"), times 256 = 774.91; case does not count */
    assert_in_range(dns.entropy, 2 * 773, 2 * 776);
}

/* The table of logarithms against the C library's, on names of every length and many mixtures. */
static void entropy_is_shannons(void **state)
{
    (void)state;
    struct atl_rng rng;
    atl_rng_init_seed(&rng, 3);
    for (uint32_t n = 1; n <= 250; n++) {
        uint64_t letters = 1 + atl_rng_below(&rng, 200);
        uint32_t seen[256] = {0}, text = 0;
        char name[256];
        size_t at = 0;
        for (uint32_t left = n; left > 0;) {
            uint32_t label = left > 63 ? 63 : left;
            name[at++] = (char)label;
            for (uint32_t i = 0; i < label; i++) {
                uint8_t byte = (uint8_t)atl_rng_below(&rng, letters);
                seen[byte >= 'A' && byte <= 'Z' ? byte + 32 : byte]++;
                name[at++] = (char)byte;
            }
            text += label + (text != 0);
            left -= label;
        }
        name[at++] = 0;
        double expected = 0;
        for (size_t i = 0; i < 256; i++)
            if (seen[i] > 0)
                expected -= seen[i] / (double)n * log2(seen[i] / (double)n);
        struct bytes f = dns_of(0x0100, name, at, 10);
        struct dp_dns_seen dns = decode_cut(&f, f.n).dns;
        assert_int_equal(dns.name_bytes, text);
        if (fabs(dns.entropy / 256.0 - expected) > 0.01)
            fail_msg("%u bytes: %g bits, expected %g", n, dns.entropy / 256.0, expected);
    }
}

/* A tunnel sends more than the counts hold: they stay true to the means and shares. */
static void a_flood_of_queries_keeps_means_and_shares(void **state)
{
    (void)state;
    struct bytes f = build_dns(), g = dns_of(0x0100, "\3abc", 5, 16);
    struct dp_dns_seen address = decode_cut(&f, f.n).dns, txt = decode_cut(&g, g.n).dns;
    struct dp_dns dns = {0};
    for (uint32_t i = 0; i < 200000; i++)
        dp_dns_update(&dns, i % 4 == 0 ? &address : &txt);
    assert_int_equal(dns.queries, UINT16_MAX);
    double mean = dns.name_bytes / (double)dns.queries;
    assert_true(fabs(mean - (15 + 3 * 3) / 4.0) < 0.01);
    double share = dns.types[DP_DNS_TXT] / (double)(dns.types[DP_DNS_TXT] + dns.types[0]);
    assert_true(fabs(share - 0.75) < 0.02);
    assert_int_equal(dns.types[DP_DNS_NULL] + dns.types[DP_DNS_OTHER], 0);
    for (uint32_t i = 0; i < 1000; i++)
        dp_dns_update(&dns, &(struct dp_dns_seen){.what = DP_DNS_ODD});
    assert_int_equal(dns.odd, UINT8_MAX);
}

static void odd_messages(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t bytes;
    } cases[] = {
        {"\xc0\x0c", 2}, /* a pointer where nothing stands before */
        {"\x40", 1},     /* a label of 64 */
        {"\5ab", 3},     /* runs into the type and ends there */
    };
    for (size_t i = 0; i < ATL_ARRAY_LEN(cases); i++) {
        struct bytes f = dns_of(0x0100, cases[i].name, cases[i].bytes, 1);
        assert_int_equal(decode_cut(&f, f.n).dns.what, DP_DNS_ODD);
    }
    struct bytes f = {0};
    put_zeros(&f, 5);
    in_udp(&f, 40000, 53);
    assert_int_equal(decode_cut(&f, f.n).dns.what, DP_DNS_ODD);
    /* What the capture cut is not odd. */
    f = build_dns();
    assert_int_equal(decode_cut(&f, f.n - 8).dns.what, DP_DNS_QUERY);
    assert_int_equal(decode_cut(&f, 14 + 28 + 6).dns.what, 0);
    /* Other ports are none of our business. */
    set16(&f, 36, 5353);
    assert_int_equal(decode_cut(&f, f.n).dns.what, 0);
}

static void longest_name(void **state)
{
    (void)state;
    char name[300];
    size_t at = 0;
    for (int i = 0; i < 4; i++) {
        size_t label = i < 3 ? 63 : 61;
        name[at++] = (char)label;
        memset(name + at, 'a' + i, label);
        at += label;
    }
    name[at++] = 0;
    struct bytes f = dns_of(0x0100, name, at, 28);
    assert_int_equal(decode_cut(&f, f.n).dns.name_bytes, 253);
    name[at - 63] = 62; /* one more */
    name[at - 1] = 'x';
    name[at++] = 0;
    f = dns_of(0x0100, name, at, 28);
    assert_int_equal(decode_cut(&f, f.n).dns.what, DP_DNS_ODD);
}

int main(void)
{
    if (atl_base_init() < 0)
        return 1;
    decoder = calloc(1, sizeof(*decoder));
    if (decoder == NULL)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gtp_c),
        cmocka_unit_test(pfcp_and_gtp_u),
        cmocka_unit_test(diameter_in_one_segment),
        cmocka_unit_test(sctp_chunks_and_what_they_carry),
        cmocka_unit_test(every_truncation_and_every_byte_changed),
        cmocka_unit_test(a_flood_of_peers_keeps_the_talkative),
        cmocka_unit_test(codes_beyond_a_peers_room_are_counted_together),
        cmocka_unit_test(a_query_and_its_denial),
        cmocka_unit_test(entropy_is_shannons),
        cmocka_unit_test(a_flood_of_queries_keeps_means_and_shares),
        cmocka_unit_test(odd_messages),
        cmocka_unit_test(longest_name),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(decoder);
    return failed;
}
