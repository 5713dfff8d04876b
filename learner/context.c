/* SPDX-License-Identifier: Apache-2.0 */
#include "learner/context_priv.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

/* As if every cell had been met this often more: a handful of rows proves nothing. */
#define PRIOR 3.0

struct learn_context {
    const struct learn_context_reference *reference;
    uint32_t trees, half, room;             /* room: rows in the ring, 2 × half + 1 */
    uint32_t *cell;                         /* (room, trees) */
    uint32_t *count[LEARN_CONTEXT_FORESTS]; /* (nodes) rows of the window in a cell */
    uint64_t added, taken, left;            /* rows; left: gone from the window */
};

static uint32_t cell_of(const struct learn_forest *forest, uint32_t tree, uint32_t depth,
                        const float *x)
{
    uint32_t at = forest->root[tree];
    for (uint32_t d = 0; d < depth; d++) {
        struct learn_forest_node here = forest->node[at];
        at = (here.to >> LEARN_FOREST_SHIFT) + (x[here.to & LEARN_FOREST_COLUMN] > here.cut);
    }
    return at;
}

int learn_context_reference_fill(struct learn_context_reference *reference, const float *rows,
                                 uint32_t n, uint32_t n_in)
{
    for (int f = 0; f < LEARN_CONTEXT_FORESTS; f++) {
        const struct learn_forest *forest = reference->forest[f];
        uint32_t *mass = calloc(forest->nodes, sizeof(*mass));
        if (mass == NULL)
            return -ENOMEM;
        for (uint32_t t = 0; t < forest->trees; t++) {
            for (uint32_t i = 0; i < n; i++)
                mass[cell_of(forest, t, reference->depth, rows + (size_t)i * n_in)]++;
        }
        reference->mass[f] = mass;
    }
    reference->rows = n;
    return 0;
}

void learn_context_reference_finish(struct learn_context_reference *reference)
{
    for (int f = 0; f < LEARN_CONTEXT_FORESTS; f++) {
        free(reference->mass[f]);
        reference->mass[f] = NULL;
    }
}

int learn_context_create(struct learn_context **ret_context,
                         const struct learn_context_reference *reference)
{
    struct learn_context *context = calloc(1, sizeof(*context));
    if (context == NULL)
        return -ENOMEM;
    context->reference = reference;
    context->half = reference->window / 2;
    context->room = 2 * context->half + 1;
    bool ok = true;
    for (int f = 0; f < LEARN_CONTEXT_FORESTS; f++) {
        context->trees += reference->forest[f]->trees;
        context->count[f] = calloc(reference->forest[f]->nodes, sizeof(uint32_t));
        ok = ok && context->count[f] != NULL;
    }
    context->cell = calloc((size_t)context->room * context->trees, sizeof(*context->cell));
    if (!ok || context->cell == NULL) {
        learn_context_destroy(context);
        return -ENOMEM;
    }
    *ret_context = context;
    return 0;
}

void learn_context_destroy(struct learn_context *context)
{
    if (context == NULL)
        return;
    for (int f = 0; f < LEARN_CONTEXT_FORESTS; f++)
        free(context->count[f]);
    free(context->cell);
    free(context);
}

static uint32_t *cells_of(const struct learn_context *context, uint64_t row)
{
    return context->cell + (size_t)(row % context->room) * context->trees;
}

void learn_context_add(struct learn_context *context, const float *x)
{
    const struct learn_context_reference *reference = context->reference;
    uint32_t *cell = cells_of(context, context->added++);
    for (int f = 0; f < LEARN_CONTEXT_FORESTS; f++) {
        const struct learn_forest *forest = reference->forest[f];
        for (uint32_t t = 0; t < forest->trees; t++) {
            *cell = cell_of(forest, t, reference->depth, x);
            context->count[f][*cell++]++;
        }
    }
}

static void leave(struct learn_context *context)
{
    const uint32_t *cell = cells_of(context, context->left++);
    for (int f = 0; f < LEARN_CONTEXT_FORESTS; f++) {
        for (uint32_t t = 0; t < context->reference->forest[f]->trees; t++)
            context->count[f][*cell++]--;
    }
}

static double crowding(const struct learn_context *context)
{
    const struct learn_context_reference *reference = context->reference;
    const uint32_t *cell = cells_of(context, context->taken);
    double others = (double)(context->added - context->left - 1), sum = 0;
    double share = others / reference->rows;
    for (int f = 0; f < LEARN_CONTEXT_FORESTS; f++) {
        const uint32_t *count = context->count[f], *mass = reference->mass[f];
        for (uint32_t t = 0; t < reference->forest[f]->trees; t++, cell++) {
            double seen = count[*cell] - 1.0; /* without the row itself */
            sum += log((seen + PRIOR) / (mass[*cell] * share + PRIOR));
        }
    }
    return log1p(exp(sum / context->trees));
}

bool learn_context_take(struct learn_context *context, bool end, double *ret_statistic)
{
    uint64_t waiting = context->added - context->taken;
    if (waiting == 0 || (!end && waiting <= context->half))
        return false;
    while (context->left + context->half < context->taken)
        leave(context);
    *ret_statistic = crowding(context);
    context->taken++;
    return true;
}
