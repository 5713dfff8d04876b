/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gradient of one row in layer l is the outer product δ·(a, 1)ᵀ of the layer's input and
 * delta, so its squared norm is (‖a‖² + 1)·‖δ‖² (Goodfellow 2015, arXiv:1510.01799), and the layers
 * add up. In the same way ⟨gᵢ, gⱼ⟩ = (aᵢ·aⱼ + 1)·(δᵢ·δⱼ), and the squared norm of a unit's summed
 * gradient is the sum of these over all pairs of its rows. No gradient of a row or of a unit is
 * ever formed.
 */
#include <math.h>
#include <string.h>

#include "learner/train_priv.h"

/* Chosen when the program starts: twice the width where the processor has it */
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
#define WIDE __attribute__((target_clones("avx2", "default")))
#else
#define WIDE
#endif

/* square (n) += (‖a‖² + 1)·‖δ‖² for a (n, in) and δ (n, out) */
WIDE static void add_squares(const float *restrict a, uint32_t in, const float *restrict d,
                             uint32_t out, uint32_t n, float *restrict square)
{
    for (uint32_t i = 0; i < n; i++) {
        float aa = 0.0F, dd = 0.0F;
        const float *ai = a + (size_t)i * in, *di = d + (size_t)i * out;
#pragma omp simd reduction(+ : aa)
        for (uint32_t k = 0; k < in; k++)
            aa += ai[k] * ai[k];
#pragma omp simd reduction(+ : dd)
        for (uint32_t k = 0; k < out; k++)
            dd += di[k] * di[k];
        square[i] += (aa + 1.0F) * dd;
    }
}

static void gradient_norms(const struct learn_tape *tape, uint32_t n, float norm[LEARN_SLICE])
{
    const struct learn_layout *layout = &tape->layout;
    memset(norm, 0, n * sizeof(*norm));
    for (uint32_t l = 0; l < layout->n_layers; l++)
        add_squares(tape->in[l], layout->dim[l], tape->delta[l], layout->dim[l + 1], n, norm);
    for (uint32_t i = 0; i < n; i++)
        norm[i] = sqrtf(norm[i]);
}

WIDE static void scale(float *restrict v, uint32_t n, float factor)
{
    for (uint32_t k = 0; k < n; k++)
        v[k] *= factor;
}

static void scale_deltas(struct learn_tape *tape, uint32_t row, float factor)
{
    for (uint32_t l = 0; l < tape->layout.n_layers; l++) {
        uint32_t out = tape->layout.dim[l + 1];
        scale(tape->delta[l] + (size_t)row * out, out, factor);
    }
}

/* @return the norm that is left */
static double clip_row(struct learn_tape *tape, uint32_t row, double norm, double limit)
{
    if (!isfinite(norm)) { /* its gradient has no bound: it must not count at all */
        learn_tape_drop(tape, row);
        return 0;
    }
    if (norm <= limit)
        return norm;
    scale_deltas(tape, row, (float)(limit / norm));
    return limit;
}

void learn_tape_clip(struct learn_tape *tape, uint32_t n, double limit)
{
    float norm[LEARN_SLICE];
    gradient_norms(tape, n, norm);
    for (uint32_t i = 0; i < n; i++)
        clip_row(tape, i, (double)norm[i], limit);
}

/* --- units of several rows --- */

#define ABREAST 4

/* s (ABREAST) = products of row x with as many rows from y on. Inlined, to be as wide as its caller
 */
__attribute__((always_inline)) static inline void
dots(const float *restrict x, const float *restrict y, uint32_t n, float s[ABREAST])
{
    const float *y1 = y + n, *y2 = y1 + n, *y3 = y2 + n;
    float s0 = 0.0F, s1 = 0.0F, s2 = 0.0F, s3 = 0.0F;
#pragma omp simd reduction(+ : s0, s1, s2, s3)
    for (uint32_t k = 0; k < n; k++) {
        s0 += x[k] * y[k];
        s1 += x[k] * y1[k];
        s2 += x[k] * y2[k];
        s3 += x[k] * y3[k];
    }
    s[0] = s0;
    s[1] = s1;
    s[2] = s2;
    s[3] = s3;
}

__attribute__((always_inline)) static inline float dot(const float *restrict x,
                                                       const float *restrict y, uint32_t n)
{
    float sum = 0.0F;
#pragma omp simd reduction(+ : sum)
    for (uint32_t k = 0; k < n; k++)
        sum += x[k] * y[k];
    return sum;
}

/* @return Σ over the pairs i < j of the n rows of a (n, in) and d (n, out) of (aᵢ·aⱼ + 1)·(δᵢ·δⱼ)
 */
WIDE static double pair_sum(const float *a, uint32_t in, const float *d, uint32_t out, uint32_t n)
{
    double sum = 0;
    for (uint32_t i = 0; i + 1 < n; i++) {
        const float *ai = a + (size_t)i * in, *di = d + (size_t)i * out;
        uint32_t j = i + 1;
        for (; j + ABREAST <= n; j += ABREAST) {
            float aa[ABREAST], dd[ABREAST];
            dots(ai, a + (size_t)j * in, in, aa);
            dots(di, d + (size_t)j * out, out, dd);
            for (int k = 0; k < ABREAST; k++)
                sum += ((double)aa[k] + 1) * (double)dd[k];
        }
        for (; j < n; j++)
            sum += ((double)dot(ai, a + (size_t)j * in, in) + 1) *
                   (double)dot(di, d + (size_t)j * out, out);
    }
    return sum;
}

/*
 * A product of n floats summed in at least four lanes is right to (n/4 + 4)·2^-24·‖x‖·‖y‖, so by
 * Cauchy-Schwarz the square of the whole norm is right to twice that times (Σ‖gᵢ‖)². Rows that
 * cancel each other must not slip through that gap: it is added.
 */
static double unit_norm(const struct learn_tape *tape, uint32_t first, uint32_t n, double squares,
                        double sum)
{
    const struct learn_layout *layout = &tape->layout;
    double pairs = 0;
    for (uint32_t l = 0; l < layout->n_layers; l++) {
        uint32_t in = layout->dim[l], out = layout->dim[l + 1];
        pairs += pair_sum(tape->in[l] + (size_t)first * in, in,
                          tape->delta[l] + (size_t)first * out, out, n);
    }
    double gap = (layout->widest / 2.0 + 8) * 0x1p-24;
    return sqrt(fmax(0, squares + 2 * pairs) + gap * sum * sum);
}

static void clip_unit(struct learn_tape *tape, const float *norm, uint32_t first, uint32_t n,
                      double limit)
{
    double sum = 0, squares = 0;
    for (uint32_t i = first; i < first + n; i++) {
        double left = clip_row(tape, i, (double)norm[i], n > 1 ? limit * LEARN_ROW_SHARE : limit);
        sum += left;
        squares += left * left;
    }
    if (sum <= limit || n == 1)
        return;
    double whole = unit_norm(tape, first, n, squares, sum);
    if (whole <= limit)
        return;
    for (uint32_t i = first; i < first + n; i++)
        scale_deltas(tape, i, (float)(limit / whole));
}

void learn_tape_clip_units(struct learn_tape *tape, const uint32_t *end, uint32_t units,
                           double limit)
{
    float norm[LEARN_SLICE];
    gradient_norms(tape, end[units - 1], norm);
    for (uint32_t u = 0, first = 0; u < units; first = end[u++])
        clip_unit(tape, norm, first, end[u] - first, limit);
}
