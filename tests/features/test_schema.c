/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "flow_maker.h"

static void check_names(const struct feat_schema *schema)
{
    for (uint32_t i = 0; i < schema->n_columns; i++) {
        const struct feat_column *c = &schema->columns[i];
        assert_true(strlen(c->name) > 0 && strlen(c->unit) > 0 && strlen(c->formula) > 0);
        assert_true(c->top > 0 && c->step > 0);
        for (uint32_t j = 0; j < i; j++)
            assert_string_not_equal(c->name, schema->columns[j].name);
    }
}

static void every_column_is_described_once(void **state)
{
    (void)state;
    check_names(feat_schema_flow());
    check_names(feat_schema_host());
    assert_true(feat_schema_flow()->n_columns >= 40);
}

static void hash_tells_views_apart(void **state)
{
    (void)state;
    uint8_t a[FEAT_HASH_BYTES], b[FEAT_HASH_BYTES], again[FEAT_HASH_BYTES];
    feat_schema_hash(feat_schema_flow(), a);
    feat_schema_hash(feat_schema_host(), b);
    feat_schema_hash(feat_schema_flow(), again);
    assert_memory_equal(a, again, sizeof(a));
    assert_memory_not_equal(a, b, sizeof(a));
}

static void scaling_can_be_undone(void **state)
{
    (void)state;
    const struct feat_schema *s = feat_schema_flow();
    for (uint32_t i = 0; i < s->n_columns; i++) {
        float raw[FEAT_COLUMNS_MAX] = {0}, x[FEAT_COLUMNS_MAX];
        raw[i] = (float)(s->columns[i].top * 0.37);
        feat_scale_row(s, raw, x);
        assert_true(x[i] > 0 && x[i] < 1);
        assert_true(fabs(feat_unscale(&s->columns[i], x[i]) - raw[i]) < 1e-4 * raw[i]);
        raw[i] = (float)s->columns[i].top;
        feat_scale_row(s, raw, x);
        assert_true(fabs(x[i] - 1) < 1e-6);
    }
}

static const struct feat_column *column_named(const struct feat_schema *s, const char *name)
{
    for (uint32_t i = 0; i < s->n_columns; i++)
        if (strcmp(s->columns[i].name, name) == 0)
            return &s->columns[i];
    fail_msg("no column %s", name);
    return NULL;
}

static void a_guess_stays_where_values_can_be(void **state)
{
    (void)state;
    const struct feat_schema *s = feat_schema_host();
    const struct feat_column *share = column_named(s, "beacon_score");
    const struct feat_column *size = column_named(s, "size_mean_out");
    assert_true(feat_unscale(share, 1.27F) == 1);
    assert_true(feat_unscale(share, -0.2F) == 0);
    assert_true(feat_unscale(size, 1.25F) == 1.25 * 1500); /* jumbo frames */
}

static void hostile_values_stay_finite(void **state)
{
    (void)state;
    const struct feat_schema *s = feat_schema_host();
    const float hostile[] = {NAN, INFINITY, -INFINITY, -1, 3e38F};
    for (size_t h = 0; h < ATL_ARRAY_LEN(hostile); h++) {
        float raw[FEAT_COLUMNS_MAX], x[FEAT_COLUMNS_MAX];
        for (uint32_t i = 0; i < s->n_columns; i++)
            raw[i] = hostile[h];
        feat_scale_row(s, raw, x);
        for (uint32_t i = 0; i < s->n_columns; i++)
            assert_true(x[i] >= 0 && x[i] <= FEAT_CLIP);
    }
}

/* Records at the edges: nothing, one packet, everything saturated, time that stands still. */
static void odd_records_give_finite_rows(void **state)
{
    (void)state;
    struct dp_flow odd[4];
    memset(&odd[0], 0, sizeof(odd[0]));
    memset(&odd[1], 0xff, sizeof(odd[1]));
    odd[2] = make_flow("1.1.1.1", 1, "2.2.2.2", 2, IPPROTO_TCP);
    make_half_open(&odd[2]);
    odd[3] = make_flow("::1", 1, "::2", 2, IPPROTO_ICMPV6);
    odd[3].last_ns = odd[3].first_ns - 5;
    for (size_t k = 0; k < ATL_ARRAY_LEN(odd); k++) {
        float raw[FEAT_COLUMNS_MAX];
        feat_flow_vector(&odd[k], raw);
        for (uint32_t i = 0; i < feat_schema_flow()->n_own; i++)
            assert_true(isfinite(raw[i]) && raw[i] >= 0);
    }
}

static float column(const float *raw, const char *name)
{
    const struct feat_schema *s = feat_schema_flow();
    for (uint32_t i = 0; i < s->n_columns; i++) {
        if (strcmp(s->columns[i].name, name) == 0)
            return raw[i];
    }
    fail_msg("no column %s", name);
    return 0;
}

static void values_by_hand(void **state)
{
    (void)state;
    struct dp_flow f = make_flow("10.0.0.1", 40000, "10.0.0.2", 443, IPPROTO_TCP);
    float raw[FEAT_COLUMNS_MAX];
    feat_flow_vector(&f, raw);
    assert_float_equal(column(raw, "duration"), 1, 1e-6);
    assert_float_equal(column(raw, "size_mean_fwd"), 50, 1e-4);
    assert_float_equal(column(raw, "size_std_fwd"), sqrt(200), 1e-3);
    assert_float_equal(column(raw, "size_std_bwd"), sqrt(460800), 1e-1);
    assert_float_equal(column(raw, "iat_mean"), 1.0 / 3, 1e-5);
    assert_float_equal(column(raw, "iat_mean_fwd"), 1, 1e-5);
    assert_float_equal(column(raw, "packets_per_s"), 4, 1e-5);
    assert_float_equal(column(raw, "bytes_bwd_share"), 1040.0 / 1140, 1e-5);
    assert_float_equal(column(raw, "data_share_bwd"), 0.5, 1e-6);
    assert_float_equal(column(raw, "port_web"), 1, 0);
    assert_float_equal(column(raw, "one_way"), 0, 0);
    assert_float_equal(column(raw, "mid_stream"), 0, 0);
}

static void names_and_tags_by_hand(void **state)
{
    (void)state;
    struct dp_flow f = make_flow("10.0.0.1", 40000, "10.0.0.2", 53, IPPROTO_UDP);
    float raw[FEAT_COLUMNS_MAX];
    f.vlan[0] = 100;
    f.vlan[1] = 7;
    f.tunnel = DP_TUNNEL_GTPU;
    f.qfi = 9;
    f.dns = (struct dp_dns){.queries = 3,
                            .responses = 1,
                            .nxdomain = 1,
                            .odd = 2,
                            .name_bytes_max = 60,
                            .name_bytes = 100,
                            .entropy = 4 * 640,
                            .types = {2, 1, 0, 1}};
    feat_flow_vector(&f, raw);
    assert_float_equal(column(raw, "vlan_tags"), 2, 0);
    assert_float_equal(column(raw, "tunnelled"), 1, 0);
    assert_float_equal(column(raw, "qfi"), 9, 0);
    assert_float_equal(column(raw, "dns_nxdomain_share"), 1, 0);
    assert_float_equal(column(raw, "dns_odd"), 2, 0);
    assert_float_equal(column(raw, "dns_name_mean"), 25, 0);
    assert_float_equal(column(raw, "dns_name_max"), 60, 0);
    assert_float_equal(column(raw, "dns_entropy"), 2.5, 0);
    assert_float_equal(column(raw, "dns_txt_share"), 0.25, 0);
    assert_float_equal(column(raw, "dns_other_share"), 0.25, 0);
}

static void icmp_errors_are_no_echoes(void **state)
{
    (void)state;
    static const struct {
        uint8_t proto, type, echo, error;
    } rows[] = {
        {IPPROTO_ICMP, 8, 1, 0},     {IPPROTO_ICMP, 0, 1, 0},   {IPPROTO_ICMP, 3, 0, 1},
        {IPPROTO_ICMP, 11, 0, 1},    {IPPROTO_ICMP, 13, 0, 0},  {IPPROTO_ICMPV6, 128, 1, 0},
        {IPPROTO_ICMPV6, 135, 0, 0}, {IPPROTO_ICMPV6, 3, 0, 1}, {IPPROTO_UDP, 3, 0, 0},
    };
    for (size_t i = 0; i < ATL_ARRAY_LEN(rows); i++) {
        struct dp_flow f = make_flow("10.0.0.1", 0, "10.0.0.2", 0, rows[i].proto);
        float raw[FEAT_COLUMNS_MAX];
        f.icmp_type = rows[i].type;
        feat_flow_vector(&f, raw);
        assert_float_equal(column(raw, "icmp_echo"), rows[i].echo, 0);
        assert_float_equal(column(raw, "icmp_error"), rows[i].error, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_column_is_described_once),
        cmocka_unit_test(hash_tells_views_apart),
        cmocka_unit_test(scaling_can_be_undone),
        cmocka_unit_test(a_guess_stays_where_values_can_be),
        cmocka_unit_test(hostile_values_stay_finite),
        cmocka_unit_test(odd_records_give_finite_rows),
        cmocka_unit_test(values_by_hand),
        cmocka_unit_test(names_and_tags_by_hand),
        cmocka_unit_test(icmp_errors_are_no_echoes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
