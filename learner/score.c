/* SPDX-License-Identifier: Apache-2.0 */
#include "learner/score_priv.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LANES 8

/*
 * statistic = mean_j r_j + TOP_WEIGHT · (mean of the three largest r_j), r_j the scaled errors. The
 * mean sees what is a little wrong everywhere, the three largest what is very wrong in one field
 * and would be lost among a hundred quiet ones. It rises strictly with every r_j, because the mean
 * does.
 */
#define TOP_WEIGHT 0.05
#define TOP        3

/*
 * A second body for processors with AVX2, chosen when the program is loaded: 87 → 52 ns a row. It
 * gives the same bits, since AVX2 alone fuses no multiplication with an addition. Not under the
 * thread sanitizer: the compiler instruments the chooser too, which runs before the sanitizer is
 * up.
 */
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
#define WIDE __attribute__((target_clones("avx2", "default")))
#else
#define WIDE
#endif

int learn_scratch_create(struct learn_scratch **ret_scratch, const struct learn_shape *shape)
{
    int r = learn_shape_check(shape, NULL);
    if (r < 0)
        return r;
    struct learn_layout layout;
    learn_layout_init(&layout, shape);
    struct learn_scratch *scratch = calloc(1, sizeof(*scratch));
    if (scratch == NULL)
        return -ENOMEM;
    scratch->n_in = shape->n_in;
    scratch->widest = layout.widest;
    scratch->a = learn_floats((size_t)LEARN_BATCH_MAX * layout.widest);
    scratch->b = learn_floats((size_t)LEARN_BATCH_MAX * layout.widest);
    if (scratch->a == NULL || scratch->b == NULL) {
        learn_scratch_destroy(scratch);
        return -ENOMEM;
    }
    learn_dense_one_thread();
    *ret_scratch = scratch;
    return 0;
}

void learn_scratch_destroy(struct learn_scratch *scratch)
{
    if (scratch == NULL)
        return;
    free(scratch->a);
    free(scratch->b);
    free(scratch);
}

bool learn_scratch_fits(const struct learn_scratch *scratch, const struct learn_model *model)
{
    return model->layout.widest <= scratch->widest;
}

/* y = ReLU(y + b), rows of `out` */
WIDE static void activate(float *restrict y, const float *restrict b, uint32_t n, uint32_t out)
{
    for (uint32_t i = 0; i < n; i++) {
        float *restrict row = y + (size_t)i * out;
        for (uint32_t k = 0; k < out; k++) {
            float v = row[k] + b[k];
            row[k] = v < 0.0F ? 0.0F : v; /* this way round a NaN stays one and is found later */
        }
    }
}

const float *learn_reconstruct(const struct learn_model *model, struct learn_scratch *scratch,
                               const float *x, uint32_t n)
{
    const struct learn_layout *layout = &model->layout;
    const float *from = x;
    for (uint32_t l = 0;; l++) {
        struct learn_dense layer = learn_layer(layout, model->params, l);
        float *to = l % 2 == 0 ? scratch->a : scratch->b;
        learn_dense_multiply(&layer, from, n, to);
        if (l + 1 == layout->n_layers)
            return to;
        activate(to, layer.b, n, layer.out);
        from = to;
    }
}

/* What is not inlined is not compiled for the wider processor. */
#define INLINE __attribute__((always_inline)) static inline

/* Vector types of GCC and clang: eight columns side by side in registers, without a branch. */
typedef float lanes __attribute__((vector_size(LANES * sizeof(float))));
typedef int32_t lane_bits __attribute__((vector_size(LANES * sizeof(int32_t))));

/* The three largest values seen in each lane. */
struct top {
    lanes first, second, third;
};

/* A loop, because GCC makes one instruction of it and three of comparing vectors and blending them;
 * over copies, because lanes indexed through a pointer would live in memory. Wide vectors go by
 * pointer: what passes them by value differs between processors. */
INLINE void keep_larger(lanes *v, const lanes *other)
{
    lanes a = *v, b = *other, kept = a;
    for (int k = 0; k < LANES; k++)
        kept[k] = a[k] > b[k] ? a[k] : b[k];
    *v = kept;
}

INLINE void keep_smaller(lanes *v, const lanes *other)
{
    lanes a = *v, b = *other, kept = a;
    for (int k = 0; k < LANES; k++)
        kept[k] = a[k] < b[k] ? a[k] : b[k];
    *v = kept;
}

INLINE void insert(struct top *top, const lanes *value)
{
    lanes pushed = top->first, further = top->second;
    keep_smaller(&pushed, value);
    keep_smaller(&further, &pushed);
    keep_larger(&top->first, value);
    keep_larger(&top->second, &pushed);
    keep_larger(&top->third, &further);
}

/* The k-th largest of two sorted lists is the largest of their k-th ones and of min(i-th of one,
 * (k - i)-th of the other). */
INLINE void merge(struct top *top, const struct top *other)
{
    lanes first_first = top->first, first_second = top->first, second_first = top->second;
    keep_smaller(&first_first, &other->first);
    keep_smaller(&first_second, &other->second);
    keep_smaller(&second_first, &other->first);
    keep_larger(&top->first, &other->first);
    keep_larger(&top->second, &other->second);
    keep_larger(&top->second, &first_first);
    keep_larger(&top->third, &other->third);
    keep_larger(&top->third, &first_second);
    keep_larger(&top->third, &second_first);
}

/* Folds half of the lanes onto the other: the rest is not looked at again. */
#define FOLD(top, ...)                                                        \
    do {                                                                      \
        const struct top half = {                                             \
            __builtin_shufflevector((top).first, (top).first, __VA_ARGS__),   \
            __builtin_shufflevector((top).second, (top).second, __VA_ARGS__), \
            __builtin_shufflevector((top).third, (top).third, __VA_ARGS__),   \
        };                                                                    \
        merge(&(top), &half);                                                 \
    } while (0)

INLINE double top_sum(const struct top *found)
{
    struct top top = *found;
    FOLD(top, 4, 5, 6, 7, 0, 1, 2, 3);
    FOLD(top, 2, 3, 0, 1, 6, 7, 4, 5);
    FOLD(top, 1, 0, 3, 2, 5, 4, 7, 6);
    return (double)top.first[0] + (double)top.second[0] + (double)top.third[0];
}

INLINE void load(lanes *v, const float *at)
{
    memcpy(v, at, sizeof(*v));
}

/* learn_scaled_error on every lane, of the error in *e; a NaN stays one, by way of a + a. */
INLINE void scaled_errors(lanes *e, const lanes *scale)
{
    const lane_bits magnitude = (lane_bits){0} + INT32_MAX;
    const lanes knee = (lanes){0} + LEARN_KNEE;
    lanes a = (lanes)((lane_bits)(*e * *scale) & magnitude);
    lanes inside = a;
    keep_smaller(&inside, &knee);
    *e = inside * (a + a - inside);
}

WIDE double learn_statistic(const float *x, const float *y, const float *bias, const float *scale,
                            uint32_t n)
{
    struct top top = {0};
    lanes sum = {0};
    uint32_t j = 0;
    for (; j + LANES <= n; j += LANES) {
        lanes r, expected, b, scales;
        load(&r, x + j);
        load(&expected, y + j);
        load(&b, bias + j);
        load(&scales, scale + j);
        r -= expected + b;
        scaled_errors(&r, &scales);
        sum += r;
        insert(&top, &r);
    }
    for (; j < n; j++) {
        lanes r = {learn_scaled_error(x[j], y[j] + bias[j], scale[j])};
        sum += r;
        insert(&top, &r);
    }
    double mean =
        (double)((sum[0] + sum[4]) + (sum[1] + sum[5]) + (sum[2] + sum[6]) + (sum[3] + sum[7])) / n;
    return mean + TOP_WEIGHT * top_sum(&top) / (n < TOP ? n : TOP);
}

void learn_statistics(const struct learn_model *model, struct learn_scratch *scratch,
                      const float *x, uint32_t n, double *statistic)
{
    uint32_t n_in = model->layout.dim[0];
    const float *bias = model->params + model->layout.b[model->layout.n_layers - 1];
    const float *y = learn_reconstruct(model, scratch, x, n);
    for (uint32_t i = 0; i < n; i++) {
        size_t at = (size_t)i * n_in;
        statistic[i] = learn_statistic(x + at, y + at, bias, model->error_scale, n_in);
    }
}

void learn_score(const struct learn_model *model, struct learn_scratch *scratch, const float *x,
                 uint32_t n, float *score, float *p_value)
{
    double statistic[LEARN_BATCH_MAX];
    const struct learn_tail *judge = learn_judge(model);
    bool usable = model->calibrated && learn_scratch_fits(scratch, model);
    if (n > LEARN_BATCH_MAX)
        n = LEARN_BATCH_MAX;
    if (n == 0)
        return;
    if (usable)
        learn_judge_statistics(model, scratch, x, n, statistic);
    for (uint32_t i = 0; i < n; i++) {
        double s = usable ? statistic[i] : NAN;
        score[i] = learn_tail_score(judge, s);
        if (p_value != NULL)
            p_value[i] = isfinite(s) ? (float)learn_tail_p(judge, s) : (float)LEARN_P_MIN;
    }
}
