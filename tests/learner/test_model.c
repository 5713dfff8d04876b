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

#include "learner/model_priv.h"
#include "tests/learner/table.h"

static const uint8_t schema[LEARN_SCHEMA_BYTES] = {7};

static void shapes_are_checked(void **state)
{
    (void)state;
    struct learn_shape shape;
    struct atl_error err;
    learn_shape_default(&shape, 80, schema);
    assert_int_equal(learn_shape_check(&shape, &err), 0);
    assert_int_equal(shape.n_widths, 3);
    assert_int_equal(shape.widths[0], 40);
    assert_int_equal(shape.widths[1], 10);
    assert_int_equal(shape.widths[2], 40);
    assert_memory_equal(shape.schema, schema, sizeof(schema));
    /* 80-40-10-40-80 by hand */
    assert_int_equal(learn_shape_params(&shape), 81 * 40 + 41 * 10 + 11 * 40 + 41 * 80);
    for (uint32_t n = 1; n <= LEARN_INPUTS_MAX; n++) {
        learn_shape_default(&shape, n, schema);
        assert_int_equal(learn_shape_check(&shape, &err), 0);
        assert_true(shape.widths[1] >= 4);
    }

    struct learn_shape bad[] = {shape, shape, shape, shape, shape, shape};
    bad[0].n_in = 0;
    bad[1].n_in = LEARN_INPUTS_MAX + 1;
    bad[2].n_widths = 0;
    bad[3].n_widths = LEARN_LAYERS_MAX;
    bad[4].widths[2] = 0;
    bad[5].widths[0] = 4097;
    for (size_t i = 0; i < ATL_ARRAY_LEN(bad); i++) {
        struct learn_model *model = NULL;
        assert_int_equal(learn_shape_check(&bad[i], &err), -EINVAL);
        assert_true(strncmp(err.text, "model shape: ", 13) == 0);
        assert_int_equal(learn_model_create(&model, &bad[i], 1), -EINVAL);
        assert_null(model);
    }
    bad[0] = (struct learn_shape){.n_in = 1, .n_widths = 7};
    for (int l = 0; l < 7; l++)
        bad[0].widths[l] = 4096;
    assert_int_equal(learn_shape_check(&bad[0], &err), -EINVAL);
}

static void he_weights_have_their_variance(void **state)
{
    (void)state;
    struct learn_shape shape = {.n_in = 100, .n_widths = 1, .widths = {200}};
    struct learn_model *a, *b, *c;
    assert_int_equal(learn_model_create(&a, &shape, 1), 0);
    assert_int_equal(learn_model_create(&b, &shape, 1), 0);
    assert_int_equal(learn_model_create(&c, &shape, 2), 0);
    const float *p = learn_model_params(a);
    size_t bytes = learn_shape_params(&shape) * sizeof(float);
    assert_memory_equal(p, learn_model_params(b), bytes);
    assert_memory_not_equal(p, learn_model_params(c), bytes);
    assert_int_equal((uintptr_t)p % ATL_CACHE_LINE_BYTES, 0);
    double first = 0, last = 0;
    for (int k = 0; k < 20000; k++) {
        first += (double)p[k] * (double)p[k] / 20000;
        last += (double)p[20200 + k] * (double)p[20200 + k] / 20000;
    }
    assert_float_equal(first, 2.0 / 100, 0.001);
    assert_float_equal(last, 1.0 / 200, 0.00025);
    for (int k = 0; k < 200; k++)
        assert_true(p[20000 + k] == 0);
    learn_model_destroy(a);
    learn_model_destroy(b);
    learn_model_destroy(c);
    learn_model_destroy(NULL);
}

static void hash_names_shape_and_parameters(void **state)
{
    (void)state;
    struct learn_shape shape;
    struct learn_model *a, *b;
    uint8_t first[32], second[32];
    learn_shape_default(&shape, 20, schema);
    assert_int_equal(learn_model_create(&a, &shape, 1), 0);
    uint32_t n = learn_shape_params(&shape);
    float *params = malloc(n * sizeof(float));
    memcpy(params, learn_model_params(a), n * sizeof(float));
    learn_model_hash(a, first);

    assert_int_equal(learn_model_from_params(&b, &shape, params, NULL), 0);
    learn_model_hash(b, second);
    assert_memory_equal(first, second, 32);
    learn_model_destroy(b);

    params[n - 1] = nextafterf(params[n - 1], 1);
    assert_int_equal(learn_model_from_params(&b, &shape, params, NULL), 0);
    learn_model_hash(b, second);
    assert_memory_not_equal(first, second, 32);
    learn_model_destroy(b);

    memcpy(params, learn_model_params(a), n * sizeof(float));
    shape.schema[31] ^= 1;
    assert_int_equal(learn_model_from_params(&b, &shape, params, NULL), 0);
    learn_model_hash(b, second);
    assert_memory_not_equal(first, second, 32);
    learn_model_destroy(b);

    struct atl_error err;
    params[4] = INFINITY;
    b = NULL;
    assert_int_equal(learn_model_from_params(&b, &shape, params, &err), -EINVAL);
    assert_null(b);
    assert_non_null(strstr(err.text, "parameter 5 of "));
    free(params);
    learn_model_destroy(a);
}

static void calibration_refuses_bad_input(void **state)
{
    (void)state;
    struct learn_shape shape;
    struct learn_model *model, *calibrated = NULL;
    struct atl_error err;
    table_shape(&shape);
    assert_int_equal(learn_model_create(&model, &shape, 1), 0);
    float *rows = table_normal(64, 1);
    assert_int_equal(learn_model_calibrate(&calibrated, model, rows, 63, 1e-3, "", &err), -EINVAL);
    assert_string_equal(err.text, "calibration: 63 rows, at least 64 expected");
    assert_int_equal(learn_model_calibrate(&calibrated, model, rows, 64, 0.2, "", &err), -EINVAL);
    assert_int_equal(learn_model_calibrate(&calibrated, model, rows, 64, NAN, "", &err), -EINVAL);
    assert_int_equal(learn_model_calibrate(&calibrated, model, rows, 64, 1e-3,
                                           "a text of more than thirty-one bytes", &err),
                     -EINVAL);
    assert_int_equal(learn_model_calibrate(&calibrated, model, rows, 64, 1e-3, "\n", &err),
                     -EINVAL);
    rows[TABLE_COLUMNS + 2] = NAN;
    assert_int_equal(learn_model_calibrate(&calibrated, model, rows, 64, 1e-3, "", &err), -EINVAL);
    assert_string_equal(err.text, "calibration: row 2, column 3 is not a finite number");
    rows[TABLE_COLUMNS + 2] = 3e38F; /* an infinite error on the row that sets the tail */
    assert_int_equal(learn_model_calibrate(&calibrated, model, rows, 64, 1e-3, "", &err), -ERANGE);
    assert_null(calibrated);
    rows[TABLE_COLUMNS + 2] = 0;
    assert_int_equal(learn_model_calibrate(&calibrated, model, rows, 64, 1e-3, "round 7", &err), 0);
    assert_true(learn_model_calibrated(calibrated));
    assert_false(learn_model_calibrated(model));
    assert_string_equal(learn_model_origin(calibrated), "round 7");
    assert_string_equal(learn_model_origin(model), "");
    free(rows);
    learn_model_destroy(calibrated);
    learn_model_destroy(model);
}

int main(void)
{
    if (atl_base_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes_are_checked),
        cmocka_unit_test(he_weights_have_their_variance),
        cmocka_unit_test(hash_names_shape_and_parameters),
        cmocka_unit_test(calibration_refuses_bad_input),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
