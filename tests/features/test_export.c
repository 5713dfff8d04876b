/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "flow_maker.h"

static size_t commas(const char *text)
{
    size_t n = 0;
    for (; *text != '\0'; text++)
        n += *text == ',';
    return n;
}

static void csv_begins_with_the_contract(void **state)
{
    (void)state;
    char header[FEAT_EXPORT_LINE_BYTES], line[FEAT_EXPORT_LINE_BYTES];
    const char *fixed = "first,last,src,src_port,dst,dst_port,proto,vlan,tunnel,tunnel_id,"
                        "packets_fwd,packets_bwd,bytes_fwd,bytes_bwd,end_reason,";
    assert_true(feat_export_header(FEAT_CSV, header, sizeof(header)) > strlen(fixed));
    assert_memory_equal(header, fixed, strlen(fixed));

    struct dp_flow f = make_flow("10.0.0.1", 40000, "2001:db8::2", 443, IPPROTO_TCP);
    f.first_ns = 1000000000123456789ULL;
    f.last_ns = 1000000001000000001ULL;
    f.vlan[0] = 100;
    f.vlan[1] = 7;
    size_t n = feat_export_flow(FEAT_CSV, &f, make_row(&f).raw, line, sizeof(line));
    assert_int_equal(n, strlen(line));
    const char *expected = "1000000000.123456789,1000000001.000000001,10.0.0.1,40000,2001:db8::2,"
                           "443,6,100.7,,,2,2,100,1040,end,";
    assert_memory_equal(line, expected, strlen(expected));
    assert_int_equal(commas(line), commas(header));
    const char *id = strrchr(line, ',') + 1, *last = strrchr(header, ',') + 1;
    assert_string_equal(last, "community_id\n");
    char expected_id[FEAT_COMMUNITY_ID_BYTES];
    feat_community_id(&f, expected_id);
    assert_memory_equal(id, expected_id, strlen(expected_id));
}

static void units_stand_in_comments_cell_by_cell(void **state)
{
    (void)state;
    char header[FEAT_EXPORT_LINE_BYTES], units[FEAT_EXPORT_LINE_BYTES];
    feat_export_header(FEAT_CSV, header, sizeof(header));
    size_t n = feat_export_units(units, sizeof(units));
    assert_int_equal(n, strlen(units));
    char *second = strchr(units, '\n') + 1;
    assert_memory_equal(units, "# schema flow version ", 22);
    assert_memory_equal(second, "# s,s,,", 7);
    assert_int_equal(commas(second), commas(header));
}

static void jsonl_is_one_line(void **state)
{
    (void)state;
    char line[FEAT_EXPORT_LINE_BYTES];
    struct dp_flow f = make_flow("10.0.0.1", 40000, "10.0.0.2", 53, IPPROTO_UDP);
    size_t n = feat_export_flow(FEAT_JSONL, &f, make_row(&f).raw, line, sizeof(line));
    assert_int_equal(line[0], '{');
    assert_memory_equal(line + n - 2, "}\n", 2);
    assert_non_null(strstr(line, "\"port_dns\":1"));
    assert_int_equal(feat_export_header(FEAT_JSONL, line, sizeof(line)), 0);
}

static void longest_record_fits(void **state)
{
    (void)state;
    struct dp_flow f;
    memset(&f, 0xff, sizeof(f));
    f.end_reason = DP_END_RESOURCES;
    f.tunnel = DP_TUNNEL_NONE;
    char line[FEAT_EXPORT_LINE_BYTES];
    assert_true(feat_export_flow(FEAT_JSONL, &f, make_row(&f).raw, line, sizeof(line)) <
                sizeof(line));
    char small[16];
    assert_true(feat_export_flow(FEAT_CSV, &f, make_row(&f).raw, small, sizeof(small)) >
                sizeof(small));
    assert_int_equal(small[15], '\0');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(csv_begins_with_the_contract),
        cmocka_unit_test(units_stand_in_comments_cell_by_cell),
        cmocka_unit_test(jsonl_is_one_line),
        cmocka_unit_test(longest_record_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
