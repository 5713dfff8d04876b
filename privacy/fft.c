/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Radix 2 is enough: one transform of 2^18 points takes about 10 ms. Decimation in frequency one
 * way and in time the other leaves out the bit reversal (Gentleman & Sande 1966, Cooley & Tukey
 * 1965).
 */
#include "privacy/pld_priv.h"

#include <math.h>

void priv_pld_fft_roots(struct pld_complex *roots, size_t n)
{
    for (size_t i = 0; i < n / 2; i++) {
        double angle = -2 * M_PI * (double)i / (double)n;
        roots[i] = (struct pld_complex){cos(angle), sin(angle)};
    }
}

void priv_pld_fft_forward(struct pld_complex *x, size_t n, const struct pld_complex *roots)
{
    for (size_t half = n / 2, stride = 1; half > 0; half /= 2, stride *= 2)
        for (size_t block = 0; block < n; block += 2 * half)
            for (size_t i = 0; i < half; i++) {
                struct pld_complex *a = &x[block + i], *b = a + half;
                const struct pld_complex w = roots[i * stride];
                double re = a->re - b->re, im = a->im - b->im;
                a->re += b->re;
                a->im += b->im;
                b->re = re * w.re - im * w.im;
                b->im = re * w.im + im * w.re;
            }
}

void priv_pld_fft_inverse(struct pld_complex *x, size_t n, const struct pld_complex *roots)
{
    for (size_t half = 1, stride = n / 2; half < n; half *= 2, stride /= 2)
        for (size_t block = 0; block < n; block += 2 * half)
            for (size_t i = 0; i < half; i++) {
                struct pld_complex *a = &x[block + i], *b = a + half;
                const struct pld_complex w = roots[i * stride];
                double re = b->re * w.re + b->im * w.im, im = b->im * w.re - b->re * w.im;
                b->re = a->re - re;
                b->im = a->im - im;
                a->re += re;
                a->im += im;
            }
}
