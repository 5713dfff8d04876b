/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/link_watch_priv.h"

#define MINUTE_S 60U
#define DAY      1440U
#define T0_S     (20000ULL * 86400) /* midnight */

struct bench {
    struct link_watch *watch;
    struct atl_rng rng;
    uint64_t at_s;
    uint32_t signals;
    uint64_t first_s; /* end of the evidence of the first signal */
    struct alert_signal last;
    uint8_t *taught; /* state after three days */
    size_t taught_bytes;
};

struct load {
    double times; /* of the usual traffic */
    double syn;   /* a second, on top */
};

static void on_signal(void *ctx, const struct alert_signal *signal)
{
    struct bench *b = ctx;
    if (b->signals++ == 0)
        b->first_s = signal->time_ns / ATL_NS_PER_S;
    b->last = *signal;
}

static uint32_t place(const char *name)
{
    const struct feat_schema *schema = feat_schema_link();
    for (uint32_t i = 0; i < schema->n_columns; i++)
        if (strcmp(schema->columns[i].name, name) == 0)
            return i;
    fail_msg("no column %s", name);
    return 0;
}

/* A day's wave of 1 to 3 with a fifth of noise, which the sum of two draws gives a middle. */
static void row(struct bench *b, uint32_t interval_s, struct load load)
{
    double wave = 2 + sin(2 * M_PI * (double)(b->at_s % 86400) / 86400);
    double noise = 0.8 + 0.2 * (atl_rng_unit(&b->rng) + atl_rng_unit(&b->rng));
    double usual = wave * noise * load.times * interval_s, syn = load.syn * interval_s;
    struct feat_link_row r = {.first_ns = b->at_s * ATL_NS_PER_S, .interval_s = interval_s};
    r.raw[place("packets")] = (float)round(500 * usual + syn);
    r.raw[place("bytes")] = (float)round(400000 * usual + 60 * syn);
    r.raw[place("flows_begun")] = (float)round(20 * usual + syn);
    r.raw[place("syn")] = (float)round(15 * usual + syn);
    r.raw[place("udp")] = (float)round(150 * usual);
    r.raw[place("icmp")] = (float)round(2 * usual);
    r.raw[place("unanswered_share")] = (float)(0.05 + (syn > 0 ? 0.9 : 0));
    link_watch_row(b->watch, &r);
}

static void minutes(struct bench *b, uint32_t n, struct load load)
{
    for (uint32_t i = 0; i < n; i++, b->at_s += MINUTE_S)
        row(b, MINUTE_S, load);
}

static const struct load usual = {.times = 1};

static void renew(struct bench *b, const struct link_watch_config *cfg)
{
    struct atl_error err;
    link_watch_destroy(b->watch);
    b->watch = NULL;
    b->signals = 0;
    assert_int_equal(link_watch_create(&b->watch, cfg, on_signal, b, &err), 0);
}

/* Three days are learned once and handed to each test. */
static int teach(void **state)
{
    struct bench *b = calloc(1, sizeof(*b));
    struct link_watch_config cfg;
    link_watch_config_default(&cfg);
    atl_rng_init_seed(&b->rng, 1);
    b->at_s = T0_S;
    renew(b, &cfg);
    minutes(b, 3 * DAY, usual);
    assert_int_equal(b->signals, 0);
    assert_int_equal(link_watch_save(b->watch, &b->taught, &b->taught_bytes), 0);
    *state = b;
    return 0;
}

static int finish(void **state)
{
    struct bench *b = *state;
    link_watch_destroy(b->watch);
    free(b->taught);
    free(b);
    return 0;
}

/* Noon of the fourth day; */
static struct bench *taught(void **state)
{
    struct bench *b = *state;
    struct link_watch_config cfg;
    struct atl_error err;
    link_watch_config_default(&cfg);
    renew(b, &cfg);
    assert_int_equal(link_watch_restore(b->watch, b->taught, b->taught_bytes, &err), 0);
    b->at_s = T0_S + 3 * 86400ULL;
    minutes(b, DAY / 2, usual);
    assert_int_equal(b->signals, 0);
    return b;
}

static void quiet_weeks_stay_quiet(void **state)
{
    struct bench *b = taught(state);
    minutes(b, 8 * DAY, usual);
    assert_int_equal(b->signals, 0);
}

static void flood_is_told_within_seconds(void **state)
{
    struct bench *b = taught(state);
    uint64_t begin_s = b->at_s;
    row(b, 10, (struct load){1, 14200});
    assert_int_equal(b->signals, 1);
    assert_true(b->first_s == begin_s + 10);
    assert_string_equal(b->last.kind, "volume_change");
    assert_string_equal(b->last.role, "link");
    assert_string_equal(b->last.entity, "link");
    assert_string_equal(b->last.technique, "T1498.001");
    assert_string_equal(b->last.features[0].name, "syn");
    assert_string_equal(b->last.features[0].unit, "packets/s");

    row(b, MINUTE_S, (struct load){1, 14200}); /* the whole of that minute */
    assert_int_equal(b->signals, 2);
    assert_true(b->last.features[0].observed > 14200 && b->last.features[0].observed < 14300);
    assert_true(b->last.features[0].expected > 15 && b->last.features[0].expected < 50);
    assert_true(strncmp(b->last.hint, "SYN per second 14,2", 19) == 0);
    assert_non_null(strstr(b->last.hint, ", expected "));
    assert_true(b->last.score > 0.5 && b->last.score <= 1);
}

static void gentle_flood_needs_three_minutes(void **state)
{
    struct bench *b = taught(state);
    minutes(b, 2, (struct load){1, 90});
    assert_int_equal(b->signals, 0);
    minutes(b, 1, (struct load){1, 90});
    assert_int_equal(b->signals, 1);
}

static void short_bump_is_none(void **state)
{
    struct bench *b = taught(state);
    minutes(b, 2, (struct load){2.8, 0});
    minutes(b, 60, usual);
    assert_int_equal(b->signals, 0);
}

static void alarm_ends_with_the_flood(void **state)
{
    struct bench *b = taught(state);
    minutes(b, 30, (struct load){1, 2000});
    assert_int_equal(b->signals, 30);
    minutes(b, 200, usual);
    assert_int_equal(b->signals, 30);
    /* and what a flood is was not learned */
    minutes(b, 1, (struct load){1, 2000});
    assert_int_equal(b->signals, 31);
}

static void step_becomes_the_normal(void **state)
{
    struct bench *b = taught(state);
    minutes(b, 360, (struct load){8, 0});
    assert_true(b->signals >= 350);
    minutes(b, 2, (struct load){8, 0});
    uint32_t told = b->signals;
    minutes(b, 600, (struct load){8, 0});
    assert_int_equal(b->signals, told);
}

static void outage_is_told(void **state)
{
    struct bench *b = taught(state);
    minutes(b, 5, (struct load){0, 0});
    assert_true(b->signals >= 1);
    assert_string_equal(b->last.technique, "");
    assert_true(b->last.features[0].observed == 0 && b->last.features[0].expected > 0);
    assert_non_null(strstr(b->last.hint, " 0, expected "));
    uint32_t told = b->signals;
    minutes(b, 240, usual); /* its end is no change of its own */
    assert_int_equal(b->signals, told);
}

static void slow_growth_is_learned(void **state)
{
    struct bench *b = taught(state);
    for (uint32_t i = 0; i < 2 * DAY; i++)
        minutes(b, 1, (struct load){1 + 3.0 * i / (2 * DAY), 0});
    assert_int_equal(b->signals, 0);
}

static void hole_in_time_is_no_outage(void **state)
{
    struct bench *b = taught(state);
    b->at_s += 5 * 3600ULL;
    row(b, 10, (struct load){50, 0});      /* of what kind of minute nobody knows */
    minutes(b, 1, (struct load){0.05, 0}); /* the rest of a minute */
    minutes(b, 240, usual);
    assert_int_equal(b->signals, 0);
}

static void clock_set_is_no_change(void **state)
{
    struct bench *b = taught(state);
    b->at_s -= 3600;
    minutes(b, 120, usual);
    b->at_s += 7200;
    minutes(b, 120, usual);
    assert_int_equal(b->signals, 0);
}

static void nothing_is_told_before_the_warmup(void **state)
{
    struct bench *b = *state;
    struct link_watch_config cfg;
    link_watch_config_default(&cfg);
    renew(b, &cfg);
    b->at_s = T0_S;
    minutes(b, DAY - 10, usual);
    minutes(b, 5, (struct load){1, 5000});
    assert_int_equal(b->signals, 0);
}

static void empty_link_has_floors(void **state)
{
    struct bench *b = *state;
    struct link_watch_config cfg;
    link_watch_config_default(&cfg);
    cfg.warmup_ns = 3600 * ATL_NS_PER_S;
    renew(b, &cfg);
    b->at_s = T0_S;
    minutes(b, 120, (struct load){0, 0});
    minutes(b, 10, (struct load){0.008, 0}); /* 8 packets a second */
    assert_int_equal(b->signals, 0);
    minutes(b, 1, (struct load){0, 100});
    assert_int_equal(b->signals, 1);
}

static void damaged_state_is_refused(void **state)
{
    struct bench *b = *state;
    struct link_watch_config cfg;
    struct atl_error err;
    link_watch_config_default(&cfg);
    renew(b, &cfg);
    for (size_t cut = 0; cut < b->taught_bytes; cut += 1 + b->taught_bytes / 13)
        assert_int_equal(link_watch_restore(b->watch, b->taught, cut, &err), -EBADMSG);
    for (size_t at = 0; at < b->taught_bytes; at += 1 + b->taught_bytes / 29) {
        b->taught[at] ^= 0x40;
        assert_int_equal(link_watch_restore(b->watch, b->taught, b->taught_bytes, &err), -EBADMSG);
        b->taught[at] ^= 0x40;
    }
    assert_int_equal(link_watch_restore(b->watch, b->taught, b->taught_bytes, &err), 0);
    cfg.alarms_per_day = 1;
    renew(b, &cfg);
    assert_int_equal(link_watch_restore(b->watch, b->taught, b->taught_bytes, &err), -EBADMSG);
    assert_non_null(strstr(err.text, "settings"));
}

static void settings_are_checked(void **state)
{
    (void)state;
    struct link_watch_config cfg;
    struct link_watch *watch = NULL;
    struct atl_error err;
    link_watch_config_default(&cfg);
    cfg.min_change = 1;
    assert_int_equal(link_watch_create(&watch, &cfg, on_signal, NULL, &err), -EINVAL);
    link_watch_config_default(&cfg);
    cfg.alarms_per_day = NAN;
    assert_int_equal(link_watch_create(&watch, &cfg, on_signal, NULL, &err), -EINVAL);
    assert_null(watch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quiet_weeks_stay_quiet),
        cmocka_unit_test(flood_is_told_within_seconds),
        cmocka_unit_test(gentle_flood_needs_three_minutes),
        cmocka_unit_test(short_bump_is_none),
        cmocka_unit_test(alarm_ends_with_the_flood),
        cmocka_unit_test(step_becomes_the_normal),
        cmocka_unit_test(outage_is_told),
        cmocka_unit_test(slow_growth_is_learned),
        cmocka_unit_test(hole_in_time_is_no_outage),
        cmocka_unit_test(clock_set_is_no_change),
        cmocka_unit_test(nothing_is_told_before_the_warmup),
        cmocka_unit_test(empty_link_has_floors),
        cmocka_unit_test(damaged_state_is_refused),
        cmocka_unit_test(settings_are_checked),
    };
    return cmocka_run_group_tests_name("link watch", tests, teach, finish);
}
