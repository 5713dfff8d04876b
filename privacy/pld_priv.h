/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Privacy loss of one step on a grid, and the transform that composes many.
 *
 * For neighbours with output densities P and Q the loss is L = log(P/Q)(x), x ~ P, and
 * δ(ε) = E[(1 - e^(ε-L))+]. "Remove" has the record in P, "add" has it in Q.
 */
#ifndef PRIV_PLD_PRIV_H
#define PRIV_PLD_PRIV_H

#include "privacy/accountant_priv.h"

enum pld_side { PLD_REMOVE, PLD_ADD };

/** Mass p[i] at loss (first + i)·h; what lies above the last point counts as infinite loss. */
struct pld_pmf {
    double h;
    int64_t first;
    size_t n;
    double *p;
    double infinite;
};

/**
 * Discretise one step upwards: P and Q masses of every grid cell are kept and moved to its two ends
 * ("connect the dots", Doroshenko et al. 2022, arXiv:2207.04380), which never lowers any δ(ε).
 * @param cut  probability that may be called infinite loss
 * @return 0, -ENOMEM, -ERANGE (more than 2^24 grid points); pmf_destroy is the caller's
 */
int priv_pld_pmf_create(struct pld_pmf *pmf, const struct priv_event *event, enum pld_side side,
                        double h, double cut);
/** Range of a step's loss that is left after `cut` on either side. */
double priv_pld_pmf_width(const struct priv_event *event, double cut);

void priv_pld_pmf_destroy(struct pld_pmf *pmf);

/** log Σ p[i]·exp(order × loss) of the finite part. */
double priv_pld_pmf_log_moment(const struct pld_pmf *pmf, double order);

/** log E[e^(order·L)] of the true loss, before any discretisation, or a bound above. */
double priv_pld_log_moment(const struct priv_event *event, enum pld_side side, double order);

struct pld_complex {
    double re, im;
};

/** Roots of unity for both transforms: n/2 of them. @param n  power of two, ≥ 2 */
void priv_pld_fft_roots(struct pld_complex *roots, size_t n);
/** In place; the result is in bit-reversed order, which products do not mind. */
void priv_pld_fft_forward(struct pld_complex *x, size_t n, const struct pld_complex *roots);
/** In place from bit-reversed order; n times too large. */
void priv_pld_fft_inverse(struct pld_complex *x, size_t n, const struct pld_complex *roots);

#endif
