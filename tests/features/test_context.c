/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "flow_maker.h"

static struct feat_context *make(uint32_t entries_max)
{
    const struct feat_context_config cfg = {.seed = 1, .entries_max = entries_max};
    struct feat_context *c;
    assert_int_equal(feat_context_create(&c, &cfg), 0);
    return c;
}

static double column(const float *raw, const char *name)
{
    const struct feat_schema *s = feat_schema_flow();
    for (uint32_t i = 0; i < s->n_columns; i++) {
        if (strcmp(s->columns[i].name, name) == 0)
            return raw[i];
    }
    fail_msg("no column %s", name);
    return 0;
}

static struct dp_flow flow_at(const char *src, const char *dst, uint16_t port, double s)
{
    struct dp_flow f = make_flow(src, 40000, dst, port, IPPROTO_TCP);
    f.last_ns = (atl_ns)((1e6 + s) * 1e9);
    f.first_ns = f.last_ns - ATL_NS_PER_S;
    return f;
}

static double add(struct feat_context *c, const struct dp_flow *f, const char *name)
{
    float raw[FEAT_COLUMNS_MAX];
    feat_context_row(c, f, raw);
    return column(raw, name);
}

static void a_flow_counts_half_after_a_half_life(void **state)
{
    (void)state;
    struct feat_context *c = make(1024);
    struct dp_flow f = flow_at("10.0.0.1", "10.0.0.2", 443, 0);
    assert_float_equal(add(c, &f, "src_flows_10s"), 1, 0);
    f.last_ns += 10 * ATL_NS_PER_S;
    assert_float_equal(add(c, &f, "src_flows_10s"), 1.5, 1e-6);
    f.last_ns += 20 * ATL_NS_PER_S;
    assert_float_equal(add(c, &f, "src_flows_10s"), 1.375, 1e-6);
    assert_float_equal(add(c, &f, "src_flows_600s"), 2 + exp2(-1.0 / 30) + exp2(-1.0 / 20), 1e-5);
    feat_context_destroy(c);
}

static void a_late_flow_counts_by_its_own_age(void **state)
{
    (void)state;
    struct feat_context *a = make(1024), *b = make(1024);
    struct dp_flow early = flow_at("10.0.0.1", "10.0.0.2", 443, 0), late = early, last = early;
    late.last_ns += 7 * ATL_NS_PER_S;
    last.last_ns += 31 * ATL_NS_PER_S;
    early.fwd.bytes = 5000;
    add(a, &early, "src_flows_10s");
    add(a, &late, "src_flows_10s");
    add(b, &late, "src_flows_10s");
    add(b, &early, "src_flows_10s");
    assert_float_equal(add(a, &last, "src_flows_10s"), add(b, &last, "src_flows_10s"), 1e-6);
    assert_float_equal(add(a, &last, "src_bytes_mean_600s"), add(b, &last, "src_bytes_mean_600s"),
                       1e-3);
    feat_context_destroy(a);
    feat_context_destroy(b);
}

static void silence_and_a_clock_set_back_far_begin_anew(void **state)
{
    (void)state;
    static const int64_t steps[] = {6001, -6001, -900000};
    for (size_t i = 0; i < ATL_ARRAY_LEN(steps); i++) {
        struct feat_context *c = make(1024);
        struct dp_flow f = flow_at("10.0.0.1", "10.0.0.2", 443, 0);
        for (int k = 0; k < 100; k++)
            add(c, &f, "src_flows_10s");
        f.last_ns = (atl_ns)((int64_t)f.last_ns + steps[i] * (int64_t)ATL_NS_PER_S);
        assert_float_equal(add(c, &f, "src_flows_600s"), 1, 0);
        assert_float_equal(add(c, &f, "src_new_60s"), 1, 0); /* and the peer is new again */
        feat_context_destroy(c);
    }
}

static void means_and_deviations_by_hand(void **state)
{
    (void)state;
    struct feat_context *c = make(1024);
    struct dp_flow f = flow_at("10.0.0.1", "10.0.0.2", 443, 0);
    float raw[FEAT_COLUMNS_MAX];
    static const uint64_t bytes[] = {100, 300, 800};
    for (size_t i = 0; i < ATL_ARRAY_LEN(bytes); i++) {
        f.fwd.packets = 10 * (i + 1);
        f.bwd.packets = 1;
        f.fwd.bytes = bytes[i];
        f.bwd.bytes = 0;
        feat_context_row(c, &f, raw);
    }
    assert_float_equal(column(raw, "src_packets_mean_600s"), 21, 1e-4);
    assert_float_equal(column(raw, "src_bytes_mean_600s"), 400, 1e-3);
    assert_float_equal(column(raw, "service_bytes_std_600s"), sqrt(260000.0 / 3), 1e-2);
    f.last_ns += 8 * ATL_NS_PER_S;
    feat_context_row(c, &f, raw);
    assert_float_equal(column(raw, "service_gap_mean_60s"), 8 / (1 + 2 * exp2(-8.0 / 60)), 1e-5);
    feat_context_destroy(c);
}

static void a_scan_shows_in_source_and_pair(void **state)
{
    (void)state;
    struct feat_context *c = make(65536);
    float raw[FEAT_COLUMNS_MAX];
    for (int i = 0; i < 200; i++) {
        char dst[32];
        snprintf(dst, sizeof(dst), "10.1.%d.%d", i / 100, i % 100);
        struct dp_flow f = flow_at("10.0.0.1", dst, 23, 0);
        make_half_open(&f);
        feat_context_row(c, &f, raw);
    }
    assert_float_equal(column(raw, "src_new_60s"), 200, 0);
    assert_float_equal(column(raw, "src_failed_60s"), 200.0 / 204, 1e-6);
    assert_float_equal(column(raw, "dst_flows_10s"), 1, 0);
    for (uint16_t port = 1; port <= 100; port++) {
        struct dp_flow f = flow_at("10.0.0.2", "10.2.0.1", port, 0);
        f.bwd.flags[DP_SYN] = 0;
        f.bwd.flags[DP_RST] = 1;
        f.bwd.payload_packets = 0;
        feat_context_row(c, &f, raw);
    }
    assert_float_equal(column(raw, "src_new_60s"), 1, 0);    /* one peer … */
    assert_float_equal(column(raw, "pair_new_60s"), 100, 0); /* … and all its ports */
    assert_float_equal(column(raw, "src_failed_60s"), 100.0 / 104, 1e-6);
    assert_float_equal(column(raw, "service_flows_10s"), 1, 0);
    feat_context_destroy(c);
}

static void only_a_regular_pair_beats(void **state)
{
    (void)state;
    struct feat_context *c = make(1024);
    struct atl_rng rng;
    atl_rng_init_seed(&rng, 3);
    double regular = 0, wild = 0, s = 0;
    for (int i = 0; i < 100; i++) {
        struct dp_flow f = flow_at("10.0.0.1", "10.0.0.2", 443, i * 30 + atl_rng_unit(&rng));
        regular = add(c, &f, "pair_beat_600s");
        s -= 30 * log(1 - atl_rng_unit(&rng));
        f = flow_at("10.0.0.3", "10.0.0.4", 443, s);
        wild = add(c, &f, "pair_beat_600s");
    }
    assert_true(regular > 0.75 && regular < 1);
    assert_true(wild >= 0 && wild < 0.35);
    feat_context_destroy(c);
}

/* Two weeks at a thousand flows a second, in steps: the sums settle where theory has them. */
static void weeks_do_not_drift(void **state)
{
    (void)state;
    struct feat_context *c = make(1024);
    struct dp_flow f = flow_at("10.0.0.1", "10.0.0.2", 443, 0);
    double expected = 1 / (1 - exp2(-0.5 / 600)), found = 0, beat = 0;
    for (int i = 0; i < 14 * 86400 / 2; i++) {
        f.last_ns += ATL_NS_PER_S / 2;
        float raw[FEAT_COLUMNS_MAX];
        feat_context_row(c, &f, raw);
        found = column(raw, "src_flows_600s");
        beat = column(raw, "pair_beat_600s");
    }
    assert_float_equal(found / expected, 1, 1e-6);
    assert_true(beat > 0.99 && beat < 1);
    feat_context_destroy(c);
}

static void a_flood_evicts_the_idle_and_memory_stays(void **state)
{
    (void)state;
    struct feat_context *c = make(1024);
    struct dp_flow busy = flow_at("10.0.0.1", "10.0.0.2", 443, 0);
    struct feat_context_counters counters;
    double flows = 0;
    for (uint32_t i = 0; i < 20000; i++) {
        struct dp_flow f = flow_at("10.0.0.1", "10.0.0.2", 443, i * 1e-3);
        uint32_t spoofed = i * 2654435761U;
        memcpy(f.src.bytes + 12, &spoofed, 4);
        feat_context_row(c, &f, (float[FEAT_COLUMNS_MAX]){0});
        if (i % 10 == 0) {
            busy.last_ns = f.last_ns;
            flows = add(c, &busy, "src_flows_600s");
        }
    }
    feat_context_counters(c, &counters);
    assert_in_range(counters.used, 1000, 1024);
    assert_true(counters.evicted > 30000);
    assert_true(flows > 1900); /* what is in use is not what makes room */
    feat_context_destroy(c);
}

/* All entries of a flow in one bucket, all as young as can be: none may take another's place. */
static void a_full_bucket_holds_one_flow(void **state)
{
    (void)state;
    struct feat_context *c = make(1024);
    for (uint32_t i = 0; i < 20000; i++) {
        struct dp_flow f = flow_at("10.0.0.1", "10.0.0.2", (uint16_t)i, 0);
        memcpy(f.src.bytes + 12, &i, 4);
        memcpy(f.dst.bytes + 8, &i, 4);
        float raw[FEAT_COLUMNS_MAX];
        feat_context_row(c, &f, raw);
        assert_float_equal(column(raw, "pair_flows_600s"), 1, 0);
        assert_float_equal(column(raw, "service_flows_600s"), 1, 0);
    }
    feat_context_destroy(c);
}

/* Leaps of years both ways, saturated and empty records: every value finite and not negative. */
static void hostile_flows_give_finite_rows(void **state)
{
    (void)state;
    struct feat_context *c = make(1024);
    struct atl_rng rng;
    float raw[FEAT_COLUMNS_MAX];
    atl_rng_init_seed(&rng, 4);
    for (int i = 0; i < 50000; i++) {
        struct dp_flow f = flow_at("10.0.0.1", "10.0.0.2", 443, 0);
        uint64_t kind = atl_rng_below(&rng, 8);
        if (kind == 0)
            memset(&f, 0xff, sizeof(f));
        if (kind == 1)
            memset(&f, 0, sizeof(f));
        if (kind == 2)
            f.last_ns = atl_rng_u64(&rng);
        if (kind > 2)
            f.last_ns += atl_rng_below(&rng, 12000 * ATL_NS_PER_S);
        f.src.bytes[15] = (uint8_t)atl_rng_below(&rng, 4);
        feat_context_row(c, &f, raw);
        for (uint32_t k = 0; k < feat_schema_flow()->n_columns; k++) {
            if (!isfinite(raw[k]) || raw[k] < 0)
                fail_msg("%s is %g", feat_schema_flow()->columns[k].name, (double)raw[k]);
        }
    }
    feat_context_destroy(c);
}

static void a_seed_makes_it_repeatable_and_clear_makes_it_new(void **state)
{
    (void)state;
    struct feat_context *a = make(1024), *b = make(1024);
    float one[FEAT_COLUMNS_MAX] = {0}, two[FEAT_COLUMNS_MAX] = {0};
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < 5000; i++) {
            struct dp_flow f = flow_at("10.0.0.1", "10.0.0.2", 443, i);
            memcpy(f.src.bytes + 12, &i, 4);
            feat_context_row(a, &f, one);
            if (round == 1)
                feat_context_row(b, &f, two);
        }
        if (round == 0)
            feat_context_clear(a);
    }
    assert_memory_equal(one, two, sizeof(one));
    struct feat_context_counters counters[2];
    feat_context_counters(a, &counters[0]);
    feat_context_counters(b, &counters[1]);
    assert_memory_equal(&counters[0], &counters[1], sizeof(counters[0]));
    feat_context_destroy(a);
    feat_context_destroy(b);
}

static void sizes_are_checked(void **state)
{
    (void)state;
    struct feat_context_config cfg;
    struct atl_error err;
    struct feat_context *c;
    feat_context_config_default(&cfg);
    assert_int_equal(feat_context_config_check(&cfg, &err), 0);
    cfg.entries_max = 1023;
    assert_int_equal(feat_context_config_check(&cfg, &err), -EINVAL);
    assert_non_null(strstr(err.text, "1023"));
    assert_int_equal(feat_context_create(&c, &cfg), -EINVAL);
    cfg.entries_max = (1U << 24) + 1;
    assert_int_equal(feat_context_config_check(&cfg, &err), -EINVAL);
    cfg.entries_max = 65536;
    assert_in_range(feat_context_memory_bytes(&cfg) / cfg.entries_max, 100, 256);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flow_counts_half_after_a_half_life),
        cmocka_unit_test(a_late_flow_counts_by_its_own_age),
        cmocka_unit_test(silence_and_a_clock_set_back_far_begin_anew),
        cmocka_unit_test(means_and_deviations_by_hand),
        cmocka_unit_test(a_scan_shows_in_source_and_pair),
        cmocka_unit_test(only_a_regular_pair_beats),
        cmocka_unit_test(weeks_do_not_drift),
        cmocka_unit_test(a_flood_evicts_the_idle_and_memory_stays),
        cmocka_unit_test(a_full_bucket_holds_one_flow),
        cmocka_unit_test(hostile_flows_give_finite_rows),
        cmocka_unit_test(a_seed_makes_it_repeatable_and_clear_makes_it_new),
        cmocka_unit_test(sizes_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
