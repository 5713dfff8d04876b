/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Conformal ranks against a bounded memory: how strange is a number beside the last so many of its
 * own kind (split conformal p-values; Vovk et al. 2005), with a generalised Pareto tail past the
 * largest of them, where ranks have nothing more to say.
 */
#ifndef LEARN_CONFORMAL_PRIV_H
#define LEARN_CONFORMAL_PRIV_H

#include "base/base.h"

#define LEARN_EVIDENCE_MAX 20.0 /* nats; e^-20 is 2e-9 */

/** The last `cap` values, in order of arrival and in order of size. */
struct learn_rank {
    double *ring, *sorted; /* (cap) each */
    uint32_t cap, n, at;   /* at: where the next one goes */
};

/** @return 0, -ENOMEM */
int learn_rank_init(struct learn_rank *rank, uint32_t cap);
void learn_rank_finish(struct learn_rank *rank);
/** O(cap) memory moved. @param value  finite */
void learn_rank_push(struct learn_rank *rank, double value);
/** Make `sorted` anew from `ring` (cap, n and at are set). */
void learn_rank_rebuild(struct learn_rank *rank);
/** The value below which a share q of the memory lies; 0 when empty. */
double learn_rank_quantile(const struct learn_rank *rank, double q);
/**
 * -ln p that a value this high comes by chance, 0 … LEARN_EVIDENCE_MAX; 0 before
 * LEARN_RANK_ROWS_MIN values are known.
 * @param grain  differences this small mean nothing (> 0)
 */
double learn_rank_evidence_high(const struct learn_rank *rank, double value, double grain);
/** The same for a value this low. */
double learn_rank_evidence_low(const struct learn_rank *rank, double value, double grain);

#define LEARN_RANK_ROWS_MIN 30

#endif
