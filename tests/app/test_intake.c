/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/intake_priv.h"

#define MINUTE_NS (60 * ATL_NS_PER_S)
#define T0        (1000000 * ATL_NS_PER_S)

/* A keyed hash in the program; here any number with all its bits in use. */
static uint64_t source(uint64_t number)
{
    return (number + 1) * UINT64_C(0x9e3779b97f4a7c15);
}

static struct intake *make(atl_ns delay_ns, uint64_t hourly, uint32_t rows)
{
    struct intake *in;
    const struct intake_config cfg = {.n_in = 2,
                                      .rows = rows,
                                      .delay_ns = delay_ns,
                                      .hourly_rows = hourly,
                                      .n_strata = 4,
                                      .seed = 1,
                                      .fair_sample = true};
    assert_int_equal(intake_create(&in, &cfg), 0);
    return in;
}

static bool offer(struct intake *in, uint64_t who, bool normal, atl_ns now_ns)
{
    const float x[2] = {(float)who, normal};
    const struct intake_row row = {.x = x, .source = source(who), .normal = normal};
    return intake_offer(in, &row, now_ns, true);
}

static void rows_wait_and_a_late_verdict_drops_them(void **state)
{
    (void)state;
    struct intake *in = make(10 * MINUTE_NS, 0, 1000);
    for (uint32_t i = 0; i < 60; i++) {
        offer(in, i % 2, true, T0 + i * ATL_NS_PER_S);
        intake_step(in, T0 + i * ATL_NS_PER_S, false);
    }
    assert_int_equal(learn_strata_rows(intake_memory(in)), 0);
    uint32_t waiting = intake_waiting(in);
    assert_in_range(waiting, 20, 60);
    intake_forget(in, source(1), T0 + 5 * MINUTE_NS);
    assert_true(intake_forgotten(in) > 5);
    intake_step(in, T0 + 12 * MINUTE_NS, false);
    assert_int_equal(intake_waiting(in), 0);
    const struct learn_strata *memory = intake_memory(in);
    assert_int_equal(learn_strata_rows(memory), waiting - intake_forgotten(in));
    assert_int_equal(learn_strata_of_unit(memory, source(1)), 0);
    assert_true(learn_strata_of_unit(memory, source(0)) > 10);
    /* a verdict reaches back by the delay: these rows came just now */
    intake_forget(in, source(0), T0 + 5 * MINUTE_NS);
    assert_int_equal(learn_strata_of_unit(memory, source(0)), 0);
    intake_destroy(in);
}

static void odd_rows_judge_but_never_teach(void **state)
{
    (void)state;
    struct intake *in = make(0, 0, 1000);
    uint32_t n, odd = 0;
    for (uint32_t i = 0; i < 8000; i++)
        offer(in, 1, i % 3 != 0, T0 + i);
    const float *held_back = intake_held_back(in, &n);
    assert_int_equal(n, 1000);
    for (uint32_t i = 0; i < n; i++)
        odd += held_back[2 * i + 1] == 0;
    assert_in_range(odd, 300, 367);
    const struct learn_strata *memory = intake_memory(in);
    for (uint32_t i = 0; i < learn_strata_rows(memory); i++)
        assert_true(learn_strata_data(memory)[2 * i + 1] == 1);
    assert_int_equal(learn_reservoir_offered(intake_sample(in)), intake_taken(in));
    intake_destroy(in);
}

static void one_source_owns_a_bounded_share(void **state)
{
    (void)state;
    struct intake *in = make(0, 100, 4000);
    for (uint32_t s = 0; s < 3600; s++) { /* forty hosts, one row a minute each; one floods */
        atl_ns now_ns = T0 / (3600 * ATL_NS_PER_S) * (3600 * ATL_NS_PER_S) + s * ATL_NS_PER_S;
        if (s % 60 < 40)
            offer(in, 10 + s % 60, true, now_ns);
        for (int i = 0; i < 50; i++)
            offer(in, 1, true, now_ns);
    }
    const struct learn_strata *memory = intake_memory(in);
    assert_true(learn_strata_of_unit(memory, source(1)) <= 100);
    assert_true(learn_strata_rows(memory) > 1900); /* seven of eight of the others' 2,400 */
    assert_int_equal(intake_refused(in), 3600 * 50 - 100);
    intake_destroy(in);
}

/* Each probe of a spoofed flood comes from another address: the door shuts, nobody gets past it. */
static void a_flood_of_sources_shuts_the_door(void **state)
{
    (void)state;
    struct intake *in = make(0, 10, 100000);
    for (uint32_t i = 0; i < 1000000; i++)
        offer(in, 1000 + i, true, T0);
    assert_true(intake_taken(in) < 400000); /* 16,384 cells × 10 in each of four rows at most */
    assert_true(intake_refused(in) > 600000);
    assert_true(offer(in, 5, true, T0 + 3600 * ATL_NS_PER_S)); /* until the next hour */
    intake_destroy(in);
}

/* What waits is a sample of the whole delay, not of its first busy second. */
static void a_busy_line_is_sampled_evenly(void **state)
{
    (void)state;
    struct intake *in = make(10 * MINUTE_NS, 0, 2000);
    uint32_t before = 0;
    for (uint32_t minute = 0; minute < 10; minute++) {
        for (uint32_t i = 0; i < 60000; i++)
            offer(in, i, true, T0 + minute * MINUTE_NS + i * ATL_NS_PER_MS);
        uint32_t came = intake_waiting(in) - before;
        before = intake_waiting(in);
        assert_in_range(came, 70, 160); /* a tenth of 1,001, less the held back */
    }
    intake_destroy(in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_wait_and_a_late_verdict_drops_them),
        cmocka_unit_test(odd_rows_judge_but_never_teach),
        cmocka_unit_test(one_source_owns_a_bounded_share),
        cmocka_unit_test(a_flood_of_sources_shuts_the_door),
        cmocka_unit_test(a_busy_line_is_sampled_evenly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
