/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "learner/tape_priv.h"
#include "tests/learner/reference.h"
#include "tests/learner/table.h"

enum { IN = 13, OUT = 7, ROWS = 37 };

struct arrays {
    float w[OUT * IN], b[OUT], x[ROWS * IN], y[ROWS * OUT], delta[ROWS * OUT], below[ROWS * IN];
    float grad_w[OUT * IN], grad_b[OUT];
};

static void fill(float *v, size_t n, uint64_t seed)
{
    struct atl_rng rng;
    atl_rng_init_seed(&rng, seed);
    for (size_t k = 0; k < n; k++)
        v[k] = (float)atl_rng_normal(&rng);
}

static void forward_is_the_plain_loop(void **state)
{
    (void)state;
    static struct arrays a;
    fill(a.w, OUT * IN, 1);
    fill(a.b, OUT, 2);
    fill(a.x, ROWS * IN, 3);
    struct learn_dense layer = {a.w, a.b, IN, OUT};
    learn_dense_relu(&layer, a.x, ROWS, a.y);
    uint32_t zeros = 0;
    for (int i = 0; i < ROWS; i++) {
        for (int o = 0; o < OUT; o++) {
            double want = (double)a.b[o];
            for (int k = 0; k < IN; k++)
                want += (double)a.w[o * IN + k] * (double)a.x[i * IN + k];
            assert_float_equal(a.y[i * OUT + o], want < 0 ? 0 : want, 1e-5);
            zeros += want < 0;
        }
    }
    assert_in_range(zeros, ROWS * OUT / 4, ROWS * OUT * 3 / 4);
}

static void backward_is_the_plain_loop(void **state)
{
    (void)state;
    static struct arrays a;
    fill(a.w, OUT * IN, 1);
    fill(a.x, ROWS * IN, 3);
    fill(a.delta, ROWS * OUT, 4);
    fill(a.grad_w, OUT * IN, 5); /* gradients are added to what is there */
    struct learn_dense layer = {a.w, a.b, IN, OUT};
    learn_dense_delta(&layer, a.x, a.delta, ROWS, a.below);
    learn_dense_gradient(IN, OUT, a.x, a.delta, ROWS, a.grad_w, a.grad_b);
    for (int i = 0; i < ROWS; i++) {
        for (int k = 0; k < IN; k++) {
            double want = 0;
            for (int o = 0; o < OUT; o++)
                want += (double)a.delta[i * OUT + o] * (double)a.w[o * IN + k];
            assert_float_equal(a.below[i * IN + k], a.x[i * IN + k] > 0 ? want : 0, 1e-5);
        }
    }
    float before[OUT * IN];
    fill(before, OUT * IN, 5);
    for (int o = 0; o < OUT; o++) {
        double bias = 0;
        for (int i = 0; i < ROWS; i++)
            bias += (double)a.delta[i * OUT + o];
        assert_float_equal(a.grad_b[o], bias, 1e-4);
        for (int k = 0; k < IN; k++) {
            double want = (double)before[o * IN + k];
            for (int i = 0; i < ROWS; i++)
                want += (double)a.delta[i * OUT + o] * (double)a.x[i * IN + k];
            assert_float_equal(a.grad_w[o * IN + k], want, 1e-4);
        }
    }
}

static const struct learn_shape small = {.n_in = 9, .n_widths = 3, .widths = {6, 3, 5}};

/* The reference itself is held against the definition of a derivative. */
static void reference_is_the_finite_difference(void **state)
{
    (void)state;
    struct learn_model *model;
    assert_int_equal(learn_model_create(&model, &small, 5), 0);
    float params[200], row[9];
    double grad[200];
    assert_true(model->layout.params < 200);
    memcpy(params, model->params, model->layout.params * sizeof(float));
    fill(row, 9, 6);
    reference_loss(&model->layout, params, row, 0.5, grad);
    for (uint32_t k = 0; k < model->layout.params; k++) {
        float held = params[k], step = 1e-3F;
        params[k] = held + step;
        double width = (double)params[k];
        double above = reference_loss(&model->layout, params, row, 0.5, NULL);
        params[k] = held - step;
        width -= (double)params[k];
        double below = reference_loss(&model->layout, params, row, 0.5, NULL);
        params[k] = held;
        assert_true(fabs((above - below) / width - grad[k]) < 1e-3);
    }
    learn_model_destroy(model);
}

static void batch_gradient_is_the_sum_of_rows(void **state)
{
    (void)state;
    struct learn_model *model;
    struct learn_tape tape;
    assert_int_equal(learn_model_create(&model, &small, 5), 0);
    assert_int_equal(learn_tape_init(&tape, &model->layout), 0);
    float grad[200] = {0};
    double want[200] = {0}, one[200], loss = 0;
    fill(tape.in[0], (size_t)ROWS * 9, 7);
    for (int i = 0; i < ROWS; i++) {
        loss += reference_loss(&model->layout, model->params, tape.in[0] + (size_t)i * 9, 0.5, one);
        for (uint32_t k = 0; k < model->layout.params; k++)
            want[k] += one[k];
    }
    assert_float_equal(learn_tape_run(&tape, model->params, ROWS, 0.5F), loss, 1e-4);
    learn_tape_gradient(&tape, ROWS, grad);
    for (uint32_t k = 0; k < model->layout.params; k++)
        assert_float_equal(grad[k], want[k], 1e-4);
    learn_tape_finish(&tape);
    learn_model_destroy(model);
}

static void bad_rows_count_for_nothing(void **state)
{
    (void)state;
    struct learn_model *model;
    struct learn_tape tape;
    assert_int_equal(learn_model_create(&model, &small, 5), 0);
    assert_int_equal(learn_tape_init(&tape, &model->layout), 0);
    float clean[200] = {0}, dirty[200] = {0}, rows[4 * 9];
    fill(rows, 4 * 9, 8);
    memcpy(tape.in[0], rows, 9 * sizeof(float));
    double want = learn_tape_run(&tape, model->params, 1, 1.0F);
    learn_tape_gradient(&tape, 1, clean);
    rows[1 * 9 + 2] = NAN;
    rows[2 * 9 + 3] = INFINITY;
    rows[3 * 9 + 4] = 3e38F;
    rows[3 * 9 + 5] = -3e38F;
    memcpy(tape.in[0], rows, sizeof(rows));
    double loss = learn_tape_run(&tape, model->params, 3, 1.0F);
    learn_tape_gradient(&tape, 3, dirty);
    assert_float_equal(loss, want, 1e-6);
    for (uint32_t k = 0; k < model->layout.params; k++)
        assert_float_equal(dirty[k], clean[k], 1e-6);
    memcpy(tape.in[0], rows, sizeof(rows));
    assert_true(isfinite(learn_tape_run(&tape, model->params, 4, 1.0F)));
    learn_tape_finish(&tape);
    learn_model_destroy(model);
}

int main(void)
{
    if (atl_base_init() < 0)
        return 1;
    learn_dense_one_thread();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forward_is_the_plain_loop),
        cmocka_unit_test(backward_is_the_plain_loop),
        cmocka_unit_test(reference_is_the_finite_difference),
        cmocka_unit_test(batch_gradient_is_the_sum_of_rows),
        cmocka_unit_test(bad_rows_count_for_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
