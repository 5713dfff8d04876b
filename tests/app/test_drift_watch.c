/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "app/drift_watch_priv.h"

/* @return drifts in so many windows of 200 scores around `level`, one in fifty of them beyond 0.5
 */
static int run(struct drift_watch *w, struct atl_rng *rng, uint32_t *minute, uint32_t minutes,
               float level)
{
    int drifts = 0;
    for (uint32_t i = 0; i < minutes; i++) {
        for (uint32_t k = 0; k < 200; k++) {
            float wild = level + 0.08F * (float)atl_rng_normal(rng);
            drift_watch_add(w, k % 50 == 0 ? 0.9F : fminf(fmaxf(wild, 0), 1));
        }
        drifts += drift_watch_step(w, ++*minute * DRIFT_WINDOW_NS) != 0;
    }
    return drifts;
}

static void quiet_weeks_do_not_drift_and_a_shift_does(void **state)
{
    (void)state;
    struct drift_watch *w;
    struct atl_rng rng;
    uint32_t minute = 1;
    atl_rng_init_seed(&rng, 4);
    assert_int_equal(drift_watch_create(&w), 0);
    assert_int_equal(drift_watch_step(w, minute * DRIFT_WINDOW_NS), 0);
    assert_int_equal(run(w, &rng, &minute, 7 * 24 * 60, 0.2F), 0);
    assert_true(fabs(drift_watch_level(w) - 0.2) < 0.02);
    assert_true(run(w, &rng, &minute, 180, 0.3F) > 0); /* within three hours */
    run(w, &rng, &minute, 600, 0.3F);
    assert_true(fabs(drift_watch_level(w) - 0.3) < 0.03);
    drift_watch_reset(w);
    assert_true(drift_watch_level(w) == 0);
    drift_watch_destroy(w);
}

static void few_rows_are_no_window(void **state)
{
    (void)state;
    struct drift_watch *w;
    assert_int_equal(drift_watch_create(&w), 0);
    drift_watch_step(w, DRIFT_WINDOW_NS);
    for (uint32_t i = 0; i < DRIFT_WINDOW_MIN - 1; i++)
        drift_watch_add(w, 1);
    drift_watch_step(w, 5 * DRIFT_WINDOW_NS);
    assert_true(drift_watch_level(w) == 0);
    drift_watch_add(w, 1);
    drift_watch_step(w, 5 * DRIFT_WINDOW_NS);
    assert_true(drift_watch_level(w) > 0.99);
    drift_watch_destroy(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quiet_weeks_do_not_drift_and_a_shift_does),
        cmocka_unit_test(few_rows_are_no_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
