/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The company a row is in: are rows like it more frequent around it than they were in training? A
 * flood of requests that look ordinary one by one is seen here and nowhere else. "Like it" is being
 * in the same cell of random trees (the half-space trees of Tan, Ting & Liu 2011 compare the mass
 * of such cells in a window to that of a reference the same way).
 */
#ifndef LEARN_CONTEXT_PRIV_H
#define LEARN_CONTEXT_PRIV_H

#include "learner/forest_priv.h"

#define LEARN_CONTEXT_FORESTS    3
#define LEARN_CONTEXT_DEPTH      12
#define LEARN_CONTEXT_WINDOW_MAX 8192

struct learn_context_reference {
    const struct learn_forest *forest[LEARN_CONTEXT_FORESTS]; /* borrowed */
    uint32_t *mass[LEARN_CONTEXT_FORESTS];                    /* (nodes) rows seen in a cell */
    uint32_t rows, depth, window;
};

/** Count the rows of training into the cells. The forests are set; @return 0, -ENOMEM */
int learn_context_reference_fill(struct learn_context_reference *reference, const float *rows,
                                 uint32_t n, uint32_t n_in);
void learn_context_reference_finish(struct learn_context_reference *reference);

/** One pass over rows in their order. */
struct learn_context;
int learn_context_create(struct learn_context **ret_context,
                         const struct learn_context_reference *reference);
void learn_context_destroy(struct learn_context *context); /* NULL is fine */
/** The next row; at most window / 2 + 1 may be waiting to be taken. */
void learn_context_add(struct learn_context *context, const float *x);
/**
 * The statistic of the oldest row not yet taken, once half a window lies behind it: > 0, about ln 2
 * where the company is as usual, higher where rows like this one crowd.
 * @param end  no more rows will come
 * @return false when there is none to take
 */
bool learn_context_take(struct learn_context *context, bool end, double *ret_statistic);

#endif
