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

#include "learner/learner.h"

#define STEP_S 300
#define DAY    288

static struct learn_forecaster *with_risk(double risk)
{
    struct learn_forecast_config cfg;
    struct learn_forecaster *f;
    learn_forecast_config_default(&cfg);
    cfg.memory_rows = 2048;
    cfg.risk = risk;
    assert_int_equal(learn_forecaster_create(&f, &cfg, NULL), 0);
    return f;
}

static struct learn_forecaster *fresh(void)
{
    return with_risk(0.005);
}

static struct learn_forecast_row step(struct learn_forecaster *f, double at_s, double value)
{
    struct learn_forecast_row row;
    learn_forecaster_step(f, at_s, 0, value, &row);
    assert_true(isfinite(row.expected) && isfinite(row.low) && isfinite(row.high));
    assert_true(row.low <= row.expected && row.expected <= row.high);
    assert_true(row.score >= 0 && row.score <= 1 && row.p_value > 0 && row.p_value <= 1);
    assert_true(row.gap == !isfinite(value) || fabs(value) > LEARN_FORECAST_VALUE_MAX);
    return row;
}

/* A link: a day's wave, a quieter weekend, noise. */
static double link_at(uint32_t i, struct atl_rng *rng)
{
    double day = 100 + 40 * sin(2 * M_PI * i / DAY);
    double weekend = (i / DAY) % 7 >= 5 ? 0.6 : 1.0;
    return day * weekend + 3 * atl_rng_normal(rng);
}

static double noise_at(uint32_t i, struct atl_rng *rng, double last)
{
    (void)i, (void)last;
    return 50 + atl_rng_normal(rng);
}

/* An autoregressive series: neighbours resemble each other, as in any queue. */
static double wander_at(uint32_t i, struct atl_rng *rng, double last)
{
    return 200 + (i == 0 ? 0 : 0.9 * (last - 200)) + atl_rng_normal(rng);
}

static double wave_at(uint32_t i, struct atl_rng *rng, double last)
{
    (void)last;
    return link_at(i, rng);
}

/* @return alarms among n rows; *ret_outside of the interval */
static uint32_t alarms_of(double (*next)(uint32_t, struct atl_rng *, double), double risk,
                          uint32_t n, uint32_t *ret_outside)
{
    uint32_t alarms = 0;
    double value = 0;
    struct atl_rng rng;
    struct learn_forecaster *f = with_risk(risk);
    atl_rng_init_seed(&rng, 5);
    *ret_outside = 0;
    for (uint32_t i = 0; i < n; i++) {
        value = next(i, &rng, value);
        struct learn_forecast_row row = step(f, (double)i * STEP_S, value);
        alarms += row.score >= 0.5;
        *ret_outside += value < row.low || value > row.high;
    }
    learn_forecaster_destroy(f);
    return alarms;
}

static void few_false_alarms_and_true_coverage(void **state)
{
    (void)state;
    double (*const series[])(uint32_t, struct atl_rng *, double) = {wave_at, noise_at, wander_at};
    for (size_t s = 0; s < ATL_ARRAY_LEN(series); s++) {
        uint32_t outside, n = 8000;
        uint32_t alarms = alarms_of(series[s], 0.005, n, &outside);
        uint32_t rare = alarms_of(series[s], 0.0005, n, &outside);
        print_message("# series %zu: %u and %u alarms, %u outside of %u\n", s, alarms, rare,
                      outside, n);
        assert_in_range(alarms, 0, 3 * n / 1000);
        assert_in_range(rare, 0, n / 2000);
        assert_in_range(outside, n / 200, n / 67); /* 0.5 … 1.5 %, the aim is 1 % */
    }
}

/* Highest score in rows from … from + 5 of a quiet series that `change` spoils there. */
static double best_score(double (*change)(double value, uint32_t since, double noise))
{
    struct atl_rng rng;
    struct learn_forecaster *f = fresh();
    double best = 0;
    atl_rng_init_seed(&rng, 11);
    for (uint32_t i = 0; i < 3005; i++) {
        double noise = atl_rng_normal(&rng);
        double value = 100 + 20 * sin(2 * M_PI * i / DAY) + noise;
        if (i >= 3000)
            value = change(value, i - 3000, noise);
        double score = step(f, (double)i * STEP_S, value).score;
        if (i >= 3000)
            best = fmax(best, score);
    }
    learn_forecaster_destroy(f);
    return best;
}

static double spike(double value, uint32_t since, double noise)
{
    (void)noise;
    return since == 2 ? value + 60 : value;
}

static double new_level(double value, uint32_t since, double noise)
{
    (void)since, (void)noise;
    return value + 40;
}

static double outage(double value, uint32_t since, double noise)
{
    (void)value, (void)since, (void)noise;
    return 0;
}

static double trembling(double value, uint32_t since, double noise)
{
    (void)since;
    return value + 30 * noise;
}

static double nothing(double value, uint32_t since, double noise)
{
    (void)since, (void)noise;
    return value;
}

static void changes_are_seen_at_once(void **state)
{
    (void)state;
    assert_true(best_score(spike) >= 0.5);
    assert_true(best_score(new_level) >= 0.5);
    assert_true(best_score(outage) >= 0.5);
    assert_true(best_score(trembling) >= 0.5);
    assert_true(best_score(nothing) < 0.5);
}

static void one_alarm_an_episode(void **state)
{
    (void)state;
    struct atl_rng rng;
    struct learn_forecaster *f = fresh();
    uint32_t alarms = 0;
    atl_rng_init_seed(&rng, 3);
    for (uint32_t i = 0; i < 2100; i++) {
        double value = 100 + atl_rng_normal(&rng) + (i >= 2000 && i < 2040 ? 500 : 0);
        alarms += step(f, (double)i * STEP_S, value).score >= 0.5 && i >= 2000;
    }
    assert_in_range(alarms, 1, 3);
    learn_forecaster_destroy(f);
}

static double absolute_error(struct learn_forecaster *f, uint32_t days, struct atl_rng *rng,
                             uint32_t from, double *ret_persistence)
{
    double error = 0, persistence = 0, last = 0;
    for (uint32_t i = 0; i < days * 24; i++) { /* hourly */
        double hour = i % 24, weekday = i / 24 % 7;
        double busy = hour >= 8 && hour < 18 && weekday < 5 ? 100 : 10;
        double value = busy + atl_rng_normal(rng);
        struct learn_forecast_row row = step(f, (double)i * 3600, value);
        if (i >= from * 24) {
            error += fabs(value - row.expected);
            persistence += fabs(value - last);
        }
        last = value;
    }
    *ret_persistence = persistence;
    return error;
}

static void the_week_is_learned(void **state)
{
    (void)state;
    struct atl_rng rng;
    struct learn_forecaster *f = fresh();
    double persistence;
    atl_rng_init_seed(&rng, 1);
    /* from the fifth week on, steps of office hours are no surprise */
    double error = absolute_error(f, 42, &rng, 28, &persistence);
    assert_true(error < 0.35 * persistence);
    assert_true(learn_forecaster_interval(f) == 3600);
    learn_forecaster_destroy(f);
}

static void nothing_is_seen_before_it_comes(void **state)
{
    (void)state;
    struct atl_rng rng;
    struct learn_forecaster *a = fresh(), *b = fresh();
    atl_rng_init_seed(&rng, 2);
    for (uint32_t i = 0; i <= 1000; i++) {
        double value = link_at(i, &rng);
        struct learn_forecast_row ra = step(a, (double)i * STEP_S, value);
        struct learn_forecast_row rb = step(b, (double)i * STEP_S, i < 1000 ? value : 1e6);
        assert_true(ra.expected == rb.expected && ra.low == rb.low && ra.high == rb.high);
        assert_true(i < 1000 ? ra.score == rb.score : ra.score < rb.score);
    }
    learn_forecaster_destroy(a);
    learn_forecaster_destroy(b);
}

static void gaps_are_no_anomaly(void **state)
{
    (void)state;
    struct atl_rng rng;
    struct learn_forecaster *f = fresh();
    atl_rng_init_seed(&rng, 4);
    uint32_t alarms = 0;
    for (uint32_t i = 0; i < 4000; i++) {
        double value = link_at(i, &rng);
        if (i >= 3000 && i < 3100) { /* half a night of empty values */
            struct learn_forecast_row row = step(f, (double)i * STEP_S, NAN);
            assert_true(row.gap && row.score == 0 && row.p_value == 1);
            continue;
        }
        if (i >= 3400 && i < 3500) /* and of missing rows */
            continue;
        alarms += step(f, (double)i * STEP_S, value).score >= 0.5 && i >= 3000;
    }
    assert_in_range(alarms, 0, 1);
    learn_forecaster_destroy(f);
}

static void clock_steps_are_reported(void **state)
{
    (void)state;
    struct atl_rng rng;
    struct learn_forecaster *f = fresh();
    uint32_t steps = 0, alarms = 0;
    atl_rng_init_seed(&rng, 6);
    for (uint32_t i = 0; i < 3000; i++) {
        /* autumn: the hour before row 2000 is lived twice; spring: one is left out */
        double at = i < 2000 ? i : i - 12.0;
        if (i >= 2500)
            at += 24;
        struct learn_forecast_row row = step(f, at * STEP_S, link_at(i, &rng));
        steps += row.clock_stepped;
        alarms += row.score >= 0.5 && i >= 2000;
    }
    assert_int_equal(steps, 1);
    assert_in_range(alarms, 0, 1);
    learn_forecaster_destroy(f);
}

static void interval_survives_odd_first_stamps(void **state)
{
    (void)state;
    static const double stamps[] = {0, 300, 300, 600, 3900, 4200, 4100, 4500, 4800, 5100, 5400};
    struct learn_forecaster *f = fresh();
    for (size_t i = 0; i < ATL_ARRAY_LEN(stamps); i++)
        step(f, stamps[i], 1);
    assert_true(learn_forecaster_interval(f) == 300);
    learn_forecaster_destroy(f);
}

static void constant_series_stays_quiet(void **state)
{
    (void)state;
    struct learn_forecaster *f = fresh();
    for (uint32_t i = 0; i < 1500; i++) {
        struct learn_forecast_row row = step(f, (double)i * STEP_S, 42);
        assert_true(row.score == 0 && row.expected == 42 && row.low == 42 && row.high == 42);
    }
    assert_true(step(f, 1500.0 * STEP_S, 42.0001).score < 0.5); /* rounding is no change */
    assert_true(step(f, 1501.0 * STEP_S, 60).score >= 0.5);
    learn_forecaster_destroy(f);
}

static void numbers_stay_finite(void **state)
{
    (void)state;
    static const double odd[] = {0,     -0.0, 1e100, -1e100,   1e-300,   5e-324,
                                 1e300, NAN,  1,     INFINITY, -INFINITY};
    struct atl_rng rng;
    struct learn_forecaster *f = fresh();
    atl_rng_init_seed(&rng, 8);
    for (uint32_t i = 0; i < 6000; i++) {
        double value = odd[atl_rng_below(&rng, ATL_ARRAY_LEN(odd))];
        double at = atl_rng_below(&rng, 50) == 0 ? odd[atl_rng_below(&rng, ATL_ARRAY_LEN(odd))]
                                                 : (double)i * STEP_S;
        step(f, at, value); /* asserts it */
    }
    learn_forecaster_destroy(f);
}

static void saved_state_continues_bit_for_bit(void **state)
{
    (void)state;
    static const uint32_t cuts[] = {0, 1, 63, 700, 2047, 2048, 4095, 4096, 5000};
    for (size_t c = 0; c < ATL_ARRAY_LEN(cuts); c++) {
        struct atl_rng rng;
        struct learn_forecaster *a = fresh(), *b;
        uint8_t *data;
        size_t bytes;
        atl_rng_init_seed(&rng, 9);
        for (uint32_t i = 0; i < cuts[c]; i++)
            step(a, (double)i * STEP_S, link_at(i, &rng));
        assert_int_equal(learn_forecaster_save(a, &data, &bytes), 0);
        assert_int_equal(learn_forecaster_restore(&b, data, bytes, NULL), 0);
        free(data);
        for (uint32_t i = cuts[c]; i < cuts[c] + 300; i++) {
            double value = i % 50 == 7 ? NAN : link_at(i, &rng);
            struct learn_forecast_row ra = step(a, (double)i * STEP_S, value);
            struct learn_forecast_row rb = step(b, (double)i * STEP_S, value);
            assert_true(ra.expected == rb.expected && ra.low == rb.low && ra.high == rb.high);
            assert_true(ra.score == rb.score && ra.p_value == rb.p_value && ra.gap == rb.gap);
        }
        learn_forecaster_destroy(a);
        learn_forecaster_destroy(b);
    }
}

static void damaged_state_is_refused(void **state)
{
    (void)state;
    struct learn_forecaster *f = fresh(), *none = NULL;
    struct atl_error err;
    uint8_t *data;
    size_t bytes;
    for (uint32_t i = 0; i < 500; i++)
        step(f, (double)i * STEP_S, i % 7);
    assert_int_equal(learn_forecaster_save(f, &data, &bytes), 0);
    for (size_t i = 0; i < bytes; i += i < 100 ? 1 : 9973) {
        data[i] ^= 0x40;
        assert_int_equal(learn_forecaster_restore(&none, data, bytes, &err), -EBADMSG);
        data[i] ^= 0x40;
    }
    for (size_t n = 0; n < bytes; n = n * 2 + 1)
        assert_int_equal(learn_forecaster_restore(&none, data, n, &err), -EBADMSG);
    assert_null(none);
    free(data);
    learn_forecaster_destroy(f);
}

static void configuration_is_checked(void **state)
{
    (void)state;
    struct learn_forecast_config cfg;
    struct learn_forecaster *f = NULL;
    struct atl_error err;
    learn_forecast_config_default(&cfg);
    assert_int_equal(learn_forecast_config_check(&cfg, &err), 0);
    cfg.coverage = 1;
    assert_int_equal(learn_forecaster_create(&f, &cfg, &err), -EINVAL);
    assert_non_null(strstr(err.text, "coverage 1: expected 0.5"));
    learn_forecast_config_default(&cfg);
    cfg.memory_rows = 100;
    assert_int_equal(learn_forecast_config_check(&cfg, &err), -EINVAL);
    learn_forecast_config_default(&cfg);
    cfg.interval_s = NAN;
    assert_int_equal(learn_forecast_config_check(&cfg, &err), -EINVAL);
    assert_null(f);
    learn_forecaster_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_false_alarms_and_true_coverage),
        cmocka_unit_test(changes_are_seen_at_once),
        cmocka_unit_test(one_alarm_an_episode),
        cmocka_unit_test(the_week_is_learned),
        cmocka_unit_test(nothing_is_seen_before_it_comes),
        cmocka_unit_test(gaps_are_no_anomaly),
        cmocka_unit_test(clock_steps_are_reported),
        cmocka_unit_test(interval_survives_odd_first_stamps),
        cmocka_unit_test(constant_series_stays_quiet),
        cmocka_unit_test(numbers_stay_finite),
        cmocka_unit_test(saved_state_continues_bit_for_bit),
        cmocka_unit_test(damaged_state_is_refused),
        cmocka_unit_test(configuration_is_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
