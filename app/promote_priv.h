/* SPDX-License-Identifier: Apache-2.0 */
/* May a model learned in the shadow take the place of the one that works? */
#ifndef PROMOTE_PRIV_H
#define PROMOTE_PRIV_H

#include "learner/learner.h"

/** Fewest rows held back that can tell. */
#define PROMOTE_ROWS_MIN 256

struct promote_verdict {
    uint32_t rows;               /* recent ones that neither model was trained on */
    uint32_t over_now, over_new; /* of them beyond the boundary of each */
    bool promote;                /* enough rows, and not one more of them would be odd */
};

/** @param rows  (n, I). @return 0, -ENOMEM */
int promote_judge(const struct learn_model *now, const struct learn_model *fresh, const float *rows,
                  uint32_t n, struct promote_verdict *ret_verdict);

/**
 * After a promotion: has the share of odd rows jumped? More than three times what it was, and more
 * than what chance or a single talker brings.
 * @param before  share before, or the recipe's risk when that is higher
 */
bool promote_regretted(double before, uint64_t scored, uint64_t odd);

#endif
