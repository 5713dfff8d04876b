/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
#include "cmocka_first.h"
/* clang-format on */
#include <errno.h>
#include <malloc.h>
#include <math.h>
#include <string.h>

#include "traffic/traffic.h"

struct digest {
    uint64_t all, benign, benign_packets, packets, stop_after;
    atl_ns end_ns;
    size_t most_early, most_late;
};

/* FNV-1a over time, lengths and a stride of the bytes: equal runs give equal numbers */
static uint64_t mix(uint64_t h, const struct traf_packet *p)
{
    const uint64_t words[2] = {p->time_ns, (uint64_t)p->wire_bytes << 32 | p->captured_bytes};
    for (int i = 0; i < 2; i++)
        h = (h ^ words[i]) * 0x100000001b3ULL;
    for (uint32_t i = 0; i < p->captured_bytes; i += i < 80 ? 1 : 13)
        h = (h ^ p->data[i]) * 0x100000001b3ULL;
    return h;
}

static int digest(void *ctx, const struct traf_packet *p)
{
    struct digest *d = ctx;
    d->all = mix(d->all, p);
    if (p->attack < 0) {
        d->benign = mix(d->benign, p);
        d->benign_packets++;
    }
    return ++d->packets == d->stop_after ? -ECANCELED : 0;
}

static struct digest run(const struct traf_config *cfg)
{
    struct digest d = {.all = 1, .benign = 1};
    assert_int_equal(traf_run(cfg, digest, &d, NULL, NULL), 0);
    return d;
}

static void short_config(struct traf_config *cfg)
{
    traf_config_default(cfg);
    cfg->duration_ns = 4 * ATL_NS_PER_S;
    cfg->flows_per_second = 20;
}

static void same_seed_same_bytes(void **state)
{
    (void)state;
    struct traf_config cfg;
    short_config(&cfg);
    struct digest first = run(&cfg), second = run(&cfg);
    assert_true(first.packets > 1000);
    assert_true(first.all == second.all && first.packets == second.packets);
    cfg.seed = 2;
    assert_true(run(&cfg).all != first.all);
    cfg.seed = 1;
    cfg.site = 2;
    assert_true(run(&cfg).all != first.all);
}

static void attacks_leave_the_benign_alone(void **state)
{
    (void)state;
    struct traf_config cfg;
    short_config(&cfg);
    struct digest calm = run(&cfg);
    cfg.n_attacks = TRAF_ATTACK_COUNT;
    for (int i = 0; i < TRAF_ATTACK_COUNT; i++)
        cfg.attacks[i] =
            (struct traf_attack_plan){(enum traf_attack)i, ATL_NS_PER_S, 2 * ATL_NS_PER_S, 0};
    struct digest stormy = run(&cfg);
    assert_true(stormy.packets > calm.packets + 5000);
    assert_int_equal(stormy.benign_packets, calm.benign_packets);
    assert_true(stormy.benign == calm.benign);
}

static void emit_can_stop_the_run(void **state)
{
    (void)state;
    struct traf_config cfg;
    struct traf_summary summary = {.packets = 77};
    short_config(&cfg);
    struct digest d = {.stop_after = 10};
    assert_int_equal(traf_run(&cfg, digest, &d, &summary, NULL), -ECANCELED);
    assert_int_equal(d.packets, 10);
    assert_int_equal(summary.packets, 77);
}

static int watch_memory(void *ctx, const struct traf_packet *p)
{
    struct digest *d = ctx;
    if (++d->packets % 64 != 0)
        return 0;
    size_t used = mallinfo2().uordblks + mallinfo2().hblkhd;
    size_t *most = p->time_ns < d->end_ns ? &d->most_early : &d->most_late;
    *most = used > *most ? used : *most;
    return 0;
}

static void memory_follows_concurrent_flows(void **state)
{
    (void)state;
    struct traf_config cfg;
    traf_config_default(&cfg);
    cfg.flows_per_second = 20;
    cfg.snap_bytes = 64;
    cfg.duration_ns = 300 * ATL_NS_PER_S;
    struct digest d = {.end_ns = cfg.start_ns + 60 * ATL_NS_PER_S};
    assert_int_equal(traf_run(&cfg, watch_memory, &d, NULL, NULL), 0);
    assert_true(d.packets > 50000);
    assert_true(d.most_late <= d.most_early + d.most_early / 2);
    assert_true(d.most_late < 8u << 20);
}

static void night_is_quieter_than_evening(void **state)
{
    (void)state;
    struct traf_config cfg;
    struct traf_summary night, evening;
    short_config(&cfg);
    cfg.duration_ns = 20 * ATL_NS_PER_S;
    cfg.flows_per_second = 40;
    cfg.start_ns += 16 * 3600 * ATL_NS_PER_S; /* 04:00 */
    struct digest d = {0};
    assert_int_equal(traf_run(&cfg, digest, &d, &night, NULL), 0);
    cfg.start_ns += 16 * 3600 * ATL_NS_PER_S; /* 20:00 */
    assert_int_equal(traf_run(&cfg, digest, &d, &evening, NULL), 0);
    assert_true(evening.flows > 2 * night.flows);
}

static void expect_bad(const struct traf_config *cfg, const char *words)
{
    struct atl_error err = {""};
    assert_int_equal(traf_config_check(cfg, &err), -EINVAL);
    if (strstr(err.text, words) == NULL)
        fail_msg("expected \"%s\" in: %s", words, err.text);
    assert_int_equal(traf_run(cfg, digest, NULL, NULL, NULL), -EINVAL);
}

static void bad_configs_are_named(void **state)
{
    (void)state;
    struct traf_config good, cfg;
    traf_config_default(&good);
    assert_int_equal(traf_config_check(&good, NULL), 0);
#define EXPECT_BAD(change, words) \
    do {                          \
        cfg = good;               \
        change;                   \
        expect_bad(&cfg, words);  \
    } while (0)
    EXPECT_BAD(cfg.site = 256, "site 256: expected 0");
    EXPECT_BAD(cfg.subscribers = 0, "subscribers 0: expected 1");
    EXPECT_BAD(cfg.subscribers = 65001, "subscribers 65001");
    EXPECT_BAD(cfg.flows_per_second = 0, "flow rate 0: expected");
    EXPECT_BAD(cfg.flows_per_second = NAN, "flow rate nan");
    EXPECT_BAD(cfg.snap_bytes = 63, "captured length 63: expected 64");
    EXPECT_BAD(cfg.duration_ns = 0, "duration: expected");
    EXPECT_BAD(cfg.start_ns = UINT64_MAX / 2, "start: ");
    EXPECT_BAD(cfg.profile = TRAF_PROFILE_COUNT, "unknown profile 4");
    EXPECT_BAD(cfg.n_attacks = 65, "65 attacks: at most 64");
    EXPECT_BAD(cfg.n_attacks = 1, "attack 0 (horizontal-scan): expected a duration");
    EXPECT_BAD((cfg.n_attacks = 1, cfg.attacks[0].duration_ns = 1,
                cfg.attacks[0].after_ns = 60 * ATL_NS_PER_S),
               "begins after 60.000 s, but the capture ends after 60.000 s");
    EXPECT_BAD((cfg.n_attacks = 1, cfg.attacks[0].duration_ns = 1, cfg.attacks[0].rate_pps = -1),
               "expected a rate of 0");
}

static void extremes_still_run(void **state)
{
    (void)state;
    struct traf_config cfg;
    struct traf_summary summary;
    struct digest d = {0};
    short_config(&cfg);
    cfg.start_ns = 0;
    cfg.duration_ns = ATL_NS_PER_S;
    cfg.subscribers = 1;
    cfg.site = 0;
    assert_int_equal(traf_run(&cfg, digest, &d, &summary, NULL), 0);
    cfg.subscribers = 65000;
    cfg.site = 255;
    cfg.profile = TRAF_IOT;
    assert_int_equal(traf_run(&cfg, digest, &d, &summary, NULL), 0);
    assert_true(summary.flows > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_seed_same_bytes),
        cmocka_unit_test(attacks_leave_the_benign_alone),
        cmocka_unit_test(emit_can_stop_the_run),
        cmocka_unit_test(memory_follows_concurrent_flows),
        cmocka_unit_test(night_is_quieter_than_evening),
        cmocka_unit_test(bad_configs_are_named),
        cmocka_unit_test(extremes_still_run),
    };
    return atl_base_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
