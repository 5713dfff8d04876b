/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "app/detector_priv.h"
#include "app/recipe_priv.h"

struct seen {
    uint32_t signals;
    struct alert_signal last;
    uint64_t scored[VIEW_COUNT];
};

static void on_signal(void *ctx, const struct alert_signal *signal)
{
    struct seen *seen = ctx;
    seen->signals++;
    seen->last = *signal;
}

static void on_scored(void *ctx, const struct detector_scored *scored)
{
    ((struct seen *)ctx)->scored[scored->view]++;
    assert_true(scored->score >= 0 && scored->score <= 1);
}

#define T0 (1000000 * ATL_NS_PER_S)

#define BENIGN_HOSTS 40

/* A benign conversation of one of the hosts with one of 50 servers. */
static struct dp_flow benign(struct atl_rng *rng, atl_ns now_ns)
{
    uint32_t host = (uint32_t)atl_rng_below(rng, BENIGN_HOSTS) + 1,
             server = (uint32_t)atl_rng_below(rng, 50);
    struct dp_flow f = {
        .src.bytes = {[10] = 0xff, 0xff, 10, 0, 0, (uint8_t)host},
        .dst.bytes = {[10] = 0xff, 0xff, 198, 18, 0, (uint8_t)server},
        .src_port = (uint16_t)(1024 + atl_rng_below(rng, 60000)),
        .dst_port = 443,
        .proto = IPPROTO_TCP,
        .first_ns = now_ns - ATL_NS_PER_S,
        .last_ns = now_ns,
    };
    uint64_t n = 5 + atl_rng_below(rng, 20);
    f.fwd = (struct dp_dir){.packets = n,
                            .bytes = n * 80,
                            .size_min = 40,
                            .size_max = 400,
                            .size_sq = n * 9000,
                            .first_ns = f.first_ns,
                            .last_ns = f.last_ns};
    f.bwd = (struct dp_dir){.packets = n,
                            .bytes = n * 900,
                            .size_min = 40,
                            .size_max = 1500,
                            .size_sq = n * 1000000,
                            .payload_bytes = n * 850,
                            .payload_packets = (uint32_t)n - 2,
                            .first_ns = f.first_ns,
                            .last_ns = f.last_ns};
    f.fwd.flags[DP_SYN] = f.bwd.flags[DP_SYN] = 1;
    return f;
}

static struct dp_flow probe(uint32_t i, atl_ns now_ns)
{
    struct dp_flow f = {
        .src.bytes = {[10] = 0xff, 0xff, 10, 0, 0, 200},
        .dst.bytes = {[10] = 0xff, 0xff, 198, 51, (uint8_t)(i / 200), (uint8_t)(i % 200)},
        .src_port = 40000,
        .dst_port = 23,
        .proto = IPPROTO_TCP,
        .first_ns = now_ns,
        .last_ns = now_ns,
    };
    f.fwd = (struct dp_dir){.packets = 1,
                            .bytes = 40,
                            .size_min = 40,
                            .size_max = 40,
                            .size_sq = 1600,
                            .first_ns = now_ns,
                            .last_ns = now_ns};
    f.fwd.flags[DP_SYN] = 1;
    return f;
}

static void run_benign(struct detector *d, struct atl_rng *rng, uint32_t from_s, uint32_t to_s)
{
    for (uint32_t s = from_s; s < to_s; s++) {
        atl_ns now_ns = T0 + s * ATL_NS_PER_S;
        for (int i = 0; i < 40; i++) {
            struct dp_flow f = benign(rng, now_ns);
            detector_add(d, &f);
        }
        detector_step(d, now_ns, false);
    }
}

static void learn(struct detector *d, enum view view)
{
    float *rows;
    uint32_t n;
    struct learn_model *model;
    struct atl_error err;
    assert_int_equal(detector_copy_rows(d, view, &rows, &n), 0);
    assert_int_equal(recipe_train(view, NULL, rows, n, 1, RECIPE_LOCAL, &model, &err), 0);
    free(rows);
    detector_post_model(d, view, model);
}

static void make(struct detector **ret_detector, struct seen *seen)
{
    struct detector_config cfg = {.min_flows = 20,
                                  .reservoir_rows = 20000,
                                  .seed = 1,
                                  .fair_sample = true,
                                  .in_iface = "test"};
    feat_host_config_default(&cfg.hosts);
    feat_context_config_default(&cfg.context);
    cfg.hosts.seed = cfg.context.seed = 1;
    const struct detector_ops ops = {.signal = on_signal, .scored = on_scored, .ctx = seen};
    assert_int_equal(detector_create(ret_detector, &cfg, &ops), 0);
}

#define WARY_HOURLY 400

/* As an edge learns: rows wait, and each source may teach so much. */
static void make_wary(struct detector **ret_detector, struct seen *seen)
{
    struct detector_config cfg = {
        .min_flows = 20,
        .reservoir_rows = 20000,
        .seed = 1,
        .fair_sample = true,
        .learn_delay_ns = 120 * ATL_NS_PER_S,
        .learn_hourly = WARY_HOURLY,
        .false_hourly = 1,
        .in_iface = "test",
    };
    feat_host_config_default(&cfg.hosts);
    feat_context_config_default(&cfg.context);
    cfg.hosts.seed = cfg.context.seed = 1;
    const struct detector_ops ops = {.signal = on_signal, .scored = on_scored, .ctx = seen};
    assert_int_equal(detector_create(ret_detector, &cfg, &ops), 0);
}

static void silent_without_models(void **state)
{
    (void)state;
    struct seen seen = {0};
    struct detector *d;
    struct atl_rng rng;
    atl_rng_init_seed(&rng, 1);
    make(&d, &seen);
    run_benign(d, &rng, 0, 60);
    assert_int_equal(seen.signals, 0);
    assert_int_equal(seen.scored[VIEW_FLOW] + seen.scored[VIEW_HOST], 0);
    struct detector_stats stats;
    detector_stats(d, &stats);
    assert_int_equal(stats.offered[VIEW_FLOW], 60 * 40);
    detector_destroy(d);
}

static void a_scan_is_signalled_and_not_learned(void **state)
{
    (void)state;
    struct seen seen = {0};
    struct detector *d;
    struct atl_rng rng;
    atl_rng_init_seed(&rng, 2);
    make(&d, &seen);
    run_benign(d, &rng, 0, 1200);
    learn(d, VIEW_FLOW);
    learn(d, VIEW_HOST);
    run_benign(d, &rng, 1200, 1500);
    assert_int_equal(seen.signals, 0);
    assert_true(seen.scored[VIEW_FLOW] > 10000 && seen.scored[VIEW_HOST] > 1000);

    struct detector_stats before, after;
    detector_stats(d, &before);
    for (uint32_t s = 1500; s < 1540; s++) {
        atl_ns now_ns = T0 + s * ATL_NS_PER_S;
        for (uint32_t i = 0; i < 30; i++) {
            struct dp_flow f = probe((s - 1500) * 30 + i, now_ns);
            detector_add(d, &f);
        }
        detector_step(d, now_ns, false);
    }
    detector_stats(d, &after);
    assert_true(seen.signals > 0);
    assert_string_equal(seen.last.entity, "10.0.0.200");
    assert_string_equal(seen.last.role, "source");
    assert_true(seen.last.score > 0.5);
    assert_true(seen.last.n_features > 0);
    assert_true(seen.last.features[0].observed != seen.last.features[0].expected);
    /* what the hint rests on comes first, strongest first */
    assert_string_equal(seen.last.kind, "horizontal_scan");
    assert_string_equal(seen.last.features[0].name, "failed_ratio");
    assert_string_equal(seen.last.features[1].name, "peers");
    /* the flow model knows no unanswered SYN: next to none of the 1,200 probes may be remembered */
    assert_true(after.offered[VIEW_FLOW] - before.offered[VIEW_FLOW] < 60);
    detector_destroy(d);
}

static void run_with_scan(struct detector *d, struct atl_rng *rng, uint32_t from_s, uint32_t to_s,
                          uint32_t probes_per_s)
{
    for (uint32_t s = from_s; s < to_s; s++) {
        for (uint32_t i = 0; i < probes_per_s; i++) {
            struct dp_flow f = probe((s - from_s) * probes_per_s + i, T0 + s * ATL_NS_PER_S);
            detector_add(d, &f);
        }
        run_benign(d, rng, s, s + 1);
    }
}

/* @return rows of the host that has most, of *ret_n */
static uint32_t rows_of_the_loudest(struct detector *d, uint32_t *ret_n)
{
    float *rows;
    uint64_t *unit;
    uint32_t most = 0;
    assert_int_equal(detector_copy_units(d, VIEW_FLOW, &rows, &unit, ret_n), 0);
    for (uint32_t i = 0; i < *ret_n; i++) {
        uint32_t n = 0;
        for (uint32_t k = 0; k < *ret_n; k++)
            n += unit[k] == unit[i];
        most = n > most ? n : most;
    }
    free(rows);
    free(unit);
    return most;
}

/* Nothing can judge its flows yet: three of four rows offered are the attacker's. */
static void a_flood_before_any_model_owns_a_bounded_share(void **state)
{
    (void)state;
    struct seen seen = {0};
    struct detector *d;
    struct detector_stats stats;
    struct atl_rng rng;
    uint32_t n;
    atl_rng_init_seed(&rng, 4);
    make_wary(&d, &seen);
    run_with_scan(d, &rng, 0, 120, 120);
    assert_true(rows_of_the_loudest(d, &n) <= WARY_HOURLY);
    assert_in_range(n, 4700, 4800 + WARY_HOURLY); /* all of the others' */
    detector_stats(d, &stats);
    assert_int_equal(stats.refused[VIEW_FLOW], 120 * 120 - WARY_HOURLY);
    detector_destroy(d);
}

/* Ten minutes of scanning, then everything is learned afresh from what was let in. */
static void an_attack_during_learning_is_still_found_after_it(void **state)
{
    (void)state;
    struct seen seen = {0};
    struct detector *d;
    struct atl_rng rng;
    atl_rng_init_seed(&rng, 5);
    make_wary(&d, &seen);
    run_benign(d, &rng, 0, 1200);
    learn(d, VIEW_FLOW);
    learn(d, VIEW_HOST);
    run_with_scan(d, &rng, 1200, 1800, 20);
    assert_true(seen.signals > 0);
    run_benign(d, &rng, 1800, 2400);
    learn(d, VIEW_FLOW);
    learn(d, VIEW_HOST);
    run_benign(d, &rng, 2400, 2700);
    seen.signals = 0;
    run_with_scan(d, &rng, 2700, 2760, 20);
    assert_true(seen.signals > 0);
    assert_string_equal(seen.last.entity, "10.0.0.200");
    detector_destroy(d);
}

struct link_rows {
    uint32_t n[3]; /* of 1, 10, 60 s */
    uint64_t packets[3];
    atl_ns last_ns[3];
};

static void on_link(void *ctx, const struct feat_link_row *row)
{
    struct link_rows *rows = ctx;
    int i = row->interval_s == 1 ? 0 : row->interval_s == 10 ? 1 : 2;
    assert_true(row->interval_s == 1 || row->interval_s == 10 || row->interval_s == 60);
    assert_true(row->first_ns >= rows->last_ns[i]);
    rows->n[i]++;
    rows->packets[i] += row->packets;
    rows->last_ns[i] = row->first_ns;
}

static void link_rows_of_three_intervals_are_handed_on(void **state)
{
    (void)state;
    struct link_rows rows = {.n = {0}};
    struct detector_config cfg = {.min_flows = 20, .reservoir_rows = 100, .in_iface = "test"};
    struct detector *d;
    feat_host_config_default(&cfg.hosts);
    feat_context_config_default(&cfg.context);
    const struct detector_ops ops = {.signal = on_signal, .link = on_link, .ctx = &rows};
    assert_int_equal(detector_create(&d, &cfg, &ops), 0);
    for (uint64_t s = 6000; s < 6120; s++) {
        struct dp_link second = {.second = s};
        second.counts[DP_LINK_PACKETS] = 7;
        if (s % 2 == 0) /* the others are silent */
            detector_link(d, &second);
        detector_link_step(d, s + 1);
    }
    assert_int_equal(rows.n[0], 120);
    assert_int_equal(rows.n[1], 12);
    assert_int_equal(rows.n[2], 2);
    struct dp_link begun = {.second = 6120};
    detector_link(d, &begun);
    detector_step(d, 6121 * ATL_NS_PER_S, true); /* the row at hand goes out */
    assert_int_equal(rows.n[2], 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(rows.packets[i], 60 * 7);
    detector_destroy(d);
}

static void the_same_rows_give_the_same_model(void **state)
{
    (void)state;
    uint8_t hash[2][32];
    for (int run = 0; run < 2; run++) {
        struct seen seen = {0};
        struct detector *d;
        struct atl_rng rng;
        struct learn_model *model;
        struct atl_error err;
        float *rows;
        uint32_t n;
        atl_rng_init_seed(&rng, 3);
        make(&d, &seen);
        run_benign(d, &rng, 0, 300);
        assert_int_equal(detector_copy_rows(d, VIEW_HOST, &rows, &n), 0);
        assert_int_equal(recipe_train(VIEW_HOST, NULL, rows, n, 9, "x", &model, &err), 0);
        learn_model_hash(model, hash[run]);
        learn_model_destroy(model);
        free(rows);
        detector_destroy(d);
    }
    assert_memory_equal(hash[0], hash[1], 32);
}

/* One number for each host of run_benign, the same in both views (one also has the servers) */
static void rows_know_their_hosts(void **state)
{
    (void)state;
    struct seen seen = {0};
    struct detector *d;
    struct atl_rng rng;
    atl_rng_init_seed(&rng, 3);
    make(&d, &seen);
    run_benign(d, &rng, 0, 60);
    uint64_t hosts[VIEW_COUNT][128];
    uint32_t distinct[VIEW_COUNT] = {0};
    for (enum view v = 0; v < VIEW_COUNT; v++) {
        float *rows;
        uint64_t *unit;
        uint32_t n;
        assert_int_equal(detector_copy_units(d, v, &rows, &unit, &n), 0);
        for (uint32_t i = 0; i < n; i++) {
            uint32_t k = 0;
            while (k < distinct[v] && hosts[v][k] != unit[i])
                k++;
            assert_true(k < ATL_ARRAY_LEN(hosts[v]));
            hosts[v][k] = unit[i];
            distinct[v] += k == distinct[v];
        }
        free(rows);
        free(unit);
    }
    assert_int_equal(distinct[VIEW_FLOW], BENIGN_HOSTS);
    for (uint32_t i = 0; i < BENIGN_HOSTS; i++) {
        uint32_t k = 0;
        while (k < distinct[VIEW_HOST] && hosts[VIEW_HOST][k] != hosts[VIEW_FLOW][i])
            k++;
        assert_true(k < distinct[VIEW_HOST]);
    }
    detector_destroy(d);
}

static void too_few_rows_are_refused(void **state)
{
    (void)state;
    float rows[10 * FEAT_COLUMNS_MAX] = {0};
    struct learn_model *model = NULL;
    struct atl_error err;
    assert_true(recipe_train(VIEW_FLOW, NULL, rows, 10, 1, "x", &model, &err) < 0);
    assert_null(model);
    assert_non_null(strstr(err.text, "10 rows"));
}

int main(void)
{
    if (atl_base_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silent_without_models),
        cmocka_unit_test(a_scan_is_signalled_and_not_learned),
        cmocka_unit_test(a_flood_before_any_model_owns_a_bounded_share),
        cmocka_unit_test(an_attack_during_learning_is_still_found_after_it),
        cmocka_unit_test(link_rows_of_three_intervals_are_handed_on),
        cmocka_unit_test(the_same_rows_give_the_same_model),
        cmocka_unit_test(rows_know_their_hosts),
        cmocka_unit_test(too_few_rows_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
