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
#include <string.h>
#include <unistd.h>

#include "app/canary_priv.h"
#include "app/recipe_priv.h"
#include "traffic/traffic.h"

static void write_site(char path[64], double seconds)
{
    struct traf_config cfg;
    struct traf_summary summary;
    struct atl_error err = {""};
    snprintf(path, 64, "/tmp/test-canary-%d.pcap", (int)getpid());
    traf_config_default(&cfg);
    cfg.seed = 7;
    cfg.flows_per_second = 20;
    cfg.duration_ns = (atl_ns)(seconds * 1e9);
    cfg.snap_bytes = 128;
    if (traf_write_pcap(&cfg, path, &summary, &err) < 0)
        fail_msg("%s", err.text);
}

static void tells_a_spoilt_model_from_a_good_one(void **state)
{
    (void)state;
    char path[64];
    struct canary *canary, *again;
    struct learn_shape shape;
    struct learn_model *model;
    struct atl_error err = {""};
    write_site(path, 20);
    if (canary_open(&canary, path, &err) < 0 || canary_open(&again, path, &err) < 0)
        fail_msg("%s", err.text);
    remove(path);
    assert_in_range(canary_rows(canary), RECIPE_ROWS_MIN, CANARY_ROWS);
    recipe_shape(VIEW_FLOW, &shape);
    uint32_t n = learn_shape_params(&shape);
    assert_int_equal(learn_model_create(&model, &shape, 1), 0);
    float *params = malloc(n * sizeof(*params));
    memcpy(params, learn_model_params(model), n * sizeof(*params));
    double good = canary_judge(canary, params, n);
    assert_true(good > 0 && good == canary_judge(again, params, n));
    for (uint32_t k = 0; k < n; k++)
        params[k] *= 3;
    assert_true(canary_judge(canary, params, n) > 2 * good);
    params[0] = NAN;
    assert_true(isnan(canary_judge(canary, params, n)));
    assert_true(isnan(canary_judge(canary, learn_model_params(model), n - 1)));
    free(params);
    learn_model_destroy(model);
    canary_close(again);
    canary_close(canary);
}

static void few_flows_and_no_file_are_refused(void **state)
{
    (void)state;
    char path[64];
    struct canary *canary = NULL;
    struct atl_error err = {""};
    write_site(path, 0.5);
    assert_int_equal(canary_open(&canary, path, &err), -EINVAL);
    assert_non_null(strstr(err.text, "at least 128 expected"));
    remove(path);
    assert_true(canary_open(&canary, path, &err) < 0);
    assert_null(canary);
    canary_close(NULL);
}

int main(void)
{
    if (atl_base_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_a_spoilt_model_from_a_good_one),
        cmocka_unit_test(few_flows_and_no_file_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
