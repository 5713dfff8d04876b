/* SPDX-License-Identifier: Apache-2.0 */
/* Seconds → rows of an interval. Golden numbers: Python 3.11, math.log2 over the same counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "features/features.h"
#include "features/link_columns_priv.h"

enum { ROWS_MAX = 8192 };

static struct rows {
    uint32_t n;
    struct feat_link_row list[ROWS_MAX];
} rows;

static void on_row(void *ctx, const struct feat_link_row *row)
{
    struct rows *r = ctx;
    assert_true(r->n < ROWS_MAX);
    for (uint32_t i = 0; i < LINK_COLUMN_COUNT; i++)
        assert_true(isfinite(row->raw[i]) && row->raw[i] >= 0);
    r->list[r->n++] = *row;
}

static struct feat_links *make(uint32_t interval_s)
{
    struct feat_links *links;
    rows.n = 0;
    assert_int_equal(feat_links_create(&links, interval_s, on_row, &rows), 0);
    return links;
}

static struct dp_link second_of(uint64_t second, uint64_t packets)
{
    struct dp_link s = {.second = second};
    s.counts[DP_LINK_PACKETS] = packets;
    s.counts[DP_LINK_BYTES] = 100 * packets;
    return s;
}

static void add(struct feat_links *links, uint64_t second, uint64_t packets)
{
    struct dp_link s = second_of(second, packets);
    feat_links_add(links, &s);
}

#define RAW(i, id)        ((double)rows.list[i].raw[LINK_##id])
#define assert_near(a, b) assert_true(fabs((a) - (b)) < 1e-5)

/* --- columns --- */

static void shares_and_ratios_follow_their_formulas(void **state)
{
    (void)state;
    struct feat_links *links = make(1);
    struct dp_link s = second_of(1000, 200);
    s.counts[DP_LINK_TCP] = 100;
    s.counts[DP_LINK_UDP] = 60;
    s.counts[DP_LINK_IPV6] = 40;
    s.counts[DP_LINK_SYN] = 20;
    s.counts[DP_LINK_SYN_ACK] = 5;
    s.counts[DP_LINK_RST] = 10;
    s.counts[DP_LINK_FIN] = 30;
    s.counts[DP_LINK_BEGUN] = 40;
    s.counts[DP_LINK_ANSWERED] = 10;
    s.counts[DP_LINK_DNS_RESPONSES] = 8;
    s.counts[DP_LINK_DNS_FAILED] = 2;
    s.counts[DP_LINK_DNS_NAMES] = 10;
    s.counts[DP_LINK_DNS_NAME_BYTES] = 425;
    s.counts[DP_LINK_DROPPED] = 3;
    s.counts[DP_LINK_LOST] = 4;
    s.messages[DP_TELECOM_GTPV1C] = 5;
    s.messages[DP_TELECOM_GTPV2C] = 6;
    s.errors[DP_TELECOM_PFCP] = 7;
    feat_links_add(links, &s);
    feat_links_flush(links);
    assert_int_equal(rows.n, 1);
    assert_true(rows.list[0].first_ns == 1000 * ATL_NS_PER_S);
    assert_int_equal(rows.list[0].packets, 200);
    assert_near(RAW(0, SIZE_MEAN), 100);
    assert_near(RAW(0, IPV6_SHARE), 0.25);
    assert_near(RAW(0, SYN_SHARE), 0.2);
    assert_near(RAW(0, SYN_ACK_RATIO), 0.25);
    assert_near(RAW(0, RST_SHARE), 0.1);
    assert_near(RAW(0, FIN_SHARE), 0.3);
    assert_near(RAW(0, UNANSWERED_SHARE), 0.75);
    assert_near(RAW(0, DNS_ERROR_SHARE), 0.25);
    assert_near(RAW(0, DNS_NAME_MEAN), 42.5);
    assert_near(RAW(0, DROPS), 7);
    assert_near(RAW(0, GTPC), 11);
    assert_near(RAW(0, PFCP_ERRORS), 7);
    feat_links_destroy(links);
}

/* More answers than beginnings (flows of the second before), more SYN+ACK than SYN. */
static void what_began_before_makes_nothing_negative(void **state)
{
    (void)state;
    struct feat_links *links = make(1);
    struct dp_link s = second_of(1, 3);
    s.counts[DP_LINK_BEGUN] = 1;
    s.counts[DP_LINK_ANSWERED] = 9;
    s.counts[DP_LINK_SYN] = 1;
    s.counts[DP_LINK_SYN_ACK] = 9;
    feat_links_add(links, &s);
    feat_links_flush(links);
    assert_near(RAW(0, UNANSWERED_SHARE), 0);
    assert_near(RAW(0, SYN_ACK_RATIO), 1);
    feat_links_destroy(links);
}

static void entropies_are_those_of_python(void **state)
{
    (void)state;
    struct feat_links *links = make(1);
    struct dp_link s = second_of(1, 1);
    /* [1, 2, 3, 4] */
    for (uint32_t i = 0; i < 4; i++)
        s.by_source[10 * i] = i + 1;
    for (uint32_t i = 0; i < DP_LINK_CLASSES; i++)
        s.by_destination[i] = 7;
    s.by_port[3] = 100000;
    /* [1000000, 1] */
    feat_links_add(links, &s);
    memset(s.by_source, 0, sizeof(s.by_source));
    s.by_source[1] = 1000000;
    s.by_source[2] = 1;
    s.second = 2;
    feat_links_add(links, &s);
    feat_links_flush(links);
    assert_near(RAW(0, ENTROPY_SOURCE), 1.8464393446710154);
    assert_near(RAW(0, ENTROPY_DESTINATION), 8);
    assert_near(RAW(0, ENTROPY_PORT), 0);
    assert_true(fabs(RAW(1, ENTROPY_SOURCE) - 2.137424295738942e-05) < 1e-9);
    feat_links_destroy(links);
}

/* --- time --- */

static void seconds_roll_up_to_aligned_intervals(void **state)
{
    (void)state;
    struct feat_links *links = make(10);
    for (uint64_t s = 1007; s < 1033; s++)
        add(links, s, s);
    feat_links_flush(links);
    assert_int_equal(rows.n, 4);
    const uint64_t first[] = {1000, 1010, 1020, 1030};
    const uint64_t packets[] = {1007 + 1008 + 1009, 10145, 10245, 1030 + 1031 + 1032};
    for (uint32_t i = 0; i < 4; i++) {
        assert_true(rows.list[i].first_ns == first[i] * ATL_NS_PER_S);
        assert_int_equal(rows.list[i].interval_s, 10);
        assert_int_equal(rows.list[i].packets, packets[i]);
        assert_int_equal(rows.list[i].bytes, 100 * packets[i]);
    }
    feat_links_destroy(links);
}

static void silence_gives_zeros_up_to_a_bound(void **state)
{
    (void)state;
    struct feat_links *links = make(1);
    add(links, 10, 1);
    add(links, 14, 1);
    feat_links_step(links, 14); /* 14 itself is not over */
    assert_int_equal(rows.n, 4);
    feat_links_step(links, 17);
    assert_int_equal(rows.n, 7);
    for (uint32_t i = 0; i < rows.n; i++) {
        assert_true(rows.list[i].first_ns == (10 + i) * ATL_NS_PER_S);
        assert_int_equal(rows.list[i].packets, i == 0 || i == 4);
    }
    rows.n = 0;
    add(links, UINT64_C(1) << 33, 1); /* a year 2242 */
    assert_int_equal(rows.n, 1 + FEAT_LINK_GAP_MAX);
    feat_links_flush(links);
    assert_true(rows.list[rows.n - 1].first_ns / ATL_NS_PER_S == UINT64_C(1) << 33);
    feat_links_destroy(links);
}

static void a_clock_set_back_begins_anew(void **state)
{
    (void)state;
    struct feat_links *links = make(10);
    add(links, 1000, 1);
    add(links, 1012, 2);
    add(links, 1009, 4); /* late: counts where we are */
    assert_int_equal(rows.n, 1);
    add(links, 500, 8);
    assert_int_equal(rows.n, 2);
    assert_int_equal(rows.list[1].packets, 6);
    feat_links_step(links, 100); /* and again, in silence */
    assert_int_equal(rows.n, 3);
    assert_int_equal(rows.list[2].packets, 8);
    feat_links_step(links, 120);
    assert_int_equal(rows.n, 5);
    assert_true(rows.list[3].first_ns == 100 * ATL_NS_PER_S && rows.list[3].packets == 0);
    feat_links_destroy(links);
}

static void nothing_gives_no_row(void **state)
{
    (void)state;
    struct feat_links *links = make(60);
    feat_links_step(links, 1000);
    feat_links_flush(links);
    assert_int_equal(rows.n, 0);
    feat_links_destroy(links);
    feat_links_destroy(NULL);
    assert_int_equal(feat_links_create(&links, 0, on_row, &rows), -22);
    assert_int_equal(feat_links_create(&links, 3601, on_row, &rows), -22);
}

/* Any second in any order: on_row sees that no value is odd; no packet is lost. */
static void any_seconds_give_finite_rows(void **state)
{
    (void)state;
    static const uint32_t intervals[] = {1, 10, 60};
    struct atl_rng rng;
    atl_rng_init_seed(&rng, 5);
    for (size_t k = 0; k < ATL_ARRAY_LEN(intervals); k++) {
        struct feat_links *links = make(intervals[k]);
        uint64_t sent = 0, got = 0, now = 100000;
        for (uint32_t i = 0; i < 500; i++) {
            struct dp_link s;
            atl_rng_fill(&rng, &s, sizeof(s));
            for (uint32_t c = 0; c < DP_LINK_COUNT; c++)
                s.counts[c] >>= 24 + s.counts[c] % 40;
            for (size_t r = 0; r < DP_LINK_REGISTERS; r++) {
                s.sources[r] %= 56;
                s.destinations[r] %= 56;
            }
            now += atl_rng_below(&rng, 20);
            s.second = now - atl_rng_below(&rng, 10);
            sent += s.counts[DP_LINK_PACKETS];
            feat_links_add(links, &s);
        }
        feat_links_flush(links);
        for (uint32_t i = 0; i < rows.n; i++)
            got += rows.list[i].packets;
        assert_true(got == sent);
        feat_links_destroy(links);
    }
}

static void schema_is_described_and_scales(void **state)
{
    (void)state;
    const struct feat_schema *s = feat_schema_link();
    assert_string_equal(s->name, "link");
    assert_int_equal(s->n_columns, LINK_COLUMN_COUNT);
    for (uint32_t i = 0; i < s->n_columns; i++) {
        float raw[FEAT_COLUMNS_MAX] = {0}, x[FEAT_COLUMNS_MAX];
        assert_true(strlen(s->columns[i].formula) > 0 && strlen(s->columns[i].source) > 0);
        raw[i] = (float)s->columns[i].top;
        feat_scale_row(s, raw, x);
        assert_true(fabs(x[i] - 1) < 1e-6);
        for (uint32_t j = 0; j < i; j++)
            assert_string_not_equal(s->columns[i].name, s->columns[j].name);
    }
}

/* --- text --- */

static uint32_t commas(const char *line)
{
    uint32_t n = 0;
    for (; *line != '\0'; line++)
        n += *line == ',';
    return n;
}

static void rows_become_text(void **state)
{
    (void)state;
    char head[FEAT_EXPORT_LINE_BYTES], units[FEAT_EXPORT_LINE_BYTES], line[FEAT_EXPORT_LINE_BYTES];
    struct feat_link_row row = {.first_ns = 7 * ATL_NS_PER_S,
                                .interval_s = 60,
                                .packets = UINT64_C(12345678901),
                                .bytes = UINT64_C(9876543210123)};
    const struct feat_schema *link = feat_schema_link();
    feat_view_header(link, FEAT_CSV, head, sizeof(head));
    feat_view_units(link, units, sizeof(units));
    feat_view_link(FEAT_CSV, &row, line, sizeof(line));
    assert_int_equal(commas(head), 1 + LINK_COLUMN_COUNT);
    assert_int_equal(commas(line), commas(head));
    assert_int_equal(commas(strchr(units, '\n')), commas(head));
    assert_non_null(strstr(units, "# schema link version 1 hash "));
    assert_memory_equal(head, "first,interval,packets,bytes,size_mean,", 39);
    assert_memory_equal(line, "7.000000000,60,12345678901,9876543210123,0,", 43);
    assert_int_equal(feat_view_header(link, FEAT_JSONL, head, sizeof(head)), 0);
    feat_view_link(FEAT_JSONL, &row, line, sizeof(line));
    assert_memory_equal(line, "{\"first\":7.000000000,\"interval\":60,\"packets\":12345678901,",
                        57);

    struct feat_host_row host = {.addr.bytes = {[10] = 0xff, 0xff, 192, 0, 2, 7},
                                 .role = FEAT_TARGET};
    feat_view_header(feat_schema_host(), FEAT_CSV, head, sizeof(head));
    feat_view_host(FEAT_CSV, &host, line, sizeof(line));
    assert_int_equal(commas(line), commas(head));
    assert_memory_equal(line, "0.000000000,0.000000000,192.0.2.7,target,", 41);
    feat_view_host(FEAT_JSONL, &host, line, sizeof(line));
    assert_non_null(strstr(line, "\"address\":\"192.0.2.7\",\"role\":\"target\","));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_and_ratios_follow_their_formulas),
        cmocka_unit_test(what_began_before_makes_nothing_negative),
        cmocka_unit_test(entropies_are_those_of_python),
        cmocka_unit_test(seconds_roll_up_to_aligned_intervals),
        cmocka_unit_test(silence_gives_zeros_up_to_a_bound),
        cmocka_unit_test(a_clock_set_back_begins_anew),
        cmocka_unit_test(nothing_gives_no_row),
        cmocka_unit_test(any_seconds_give_finite_rows),
        cmocka_unit_test(schema_is_described_and_scales),
        cmocka_unit_test(rows_become_text),
    };
    return cmocka_run_group_tests_name("features link", tests, NULL, NULL);
}
