/* SPDX-License-Identifier: Apache-2.0 */
#include "learner/dense_priv.h"

#include <cblas.h>

#include "learner/learner.h"

/* In no header, but exported by every OpenBLAS that has threads: it calls this before a fork. */
extern int blas_thread_shutdown_(void) __attribute__((weak));

void learn_dense_one_thread(void)
{
    /* Setting it again would start the idle threads again. */
    if (openblas_get_num_threads() != 1)
        openblas_set_num_threads(1);
}

void learn_start(void)
{
    learn_dense_one_thread();
    if (blas_thread_shutdown_ != NULL)
        blas_thread_shutdown_();
}

void learn_dense_multiply(const struct learn_dense *layer, const float *x, uint32_t n, float *y)
{
    blasint in = (blasint)layer->in, out = (blasint)layer->out;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (blasint)n, out, in, 1.0F, x, in, layer->w,
                in, 0.0F, y, out);
}

void learn_dense_relu(const struct learn_dense *layer, const float *x, uint32_t n, float *y)
{
    learn_dense_multiply(layer, x, n, y);
    const float *restrict b = layer->b;
    for (uint32_t i = 0; i < n; i++) {
        float *restrict row = y + (size_t)i * layer->out;
        for (uint32_t k = 0; k < layer->out; k++) {
            float v = row[k] + b[k];
            row[k] = v < 0.0F ? 0.0F : v; /* this way round a NaN stays one and is found later */
        }
    }
}

void learn_dense_delta(const struct learn_dense *layer, const float *x, const float *delta,
                       uint32_t n, float *below)
{
    blasint in = (blasint)layer->in, out = (blasint)layer->out;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (blasint)n, in, out, 1.0F, delta, out,
                layer->w, in, 0.0F, below, in);
    const float *restrict from = x;
    float *restrict to = below;
    for (size_t k = 0; k < (size_t)n * layer->in; k++)
        to[k] = from[k] > 0.0F ? to[k] : 0.0F;
}

void learn_dense_gradient(uint32_t in, uint32_t out, const float *x, const float *delta, uint32_t n,
                          float *grad_w, float *grad_b)
{
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (blasint)out, (blasint)in, (blasint)n,
                1.0F, delta, (blasint)out, x, (blasint)in, 1.0F, grad_w, (blasint)in);
    float *restrict sum = grad_b;
    for (uint32_t i = 0; i < n; i++) {
        const float *restrict row = delta + (size_t)i * out;
        for (uint32_t k = 0; k < out; k++)
            sum[k] += row[k];
    }
}
