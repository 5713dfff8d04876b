/* SPDX-License-Identifier: Apache-2.0 */
#include "learner/forest_priv.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLE_MIN 8
#define SAMPLE_MAX 8192
#define EULER      0.57721566490153286
#define GROUP      8 /* rows that walk a tree side by side, to hide the latency of its loads */

void learn_forest_config_default(struct learn_forest_config *cfg)
{
    *cfg = (struct learn_forest_config){.trees = 32, .sample = 256, .seed = 1};
}

int learn_forest_config_check(const struct learn_forest_config *cfg, struct atl_error *err)
{
    if (cfg->trees < 1 || cfg->trees > LEARN_FOREST_TREES_MAX)
        return atl_error_set(err, -EINVAL, "forest: %u trees, expected 1 to %d", cfg->trees,
                             LEARN_FOREST_TREES_MAX);
    if (cfg->sample < SAMPLE_MIN || cfg->sample > SAMPLE_MAX)
        return atl_error_set(err, -EINVAL, "forest: %u rows a tree, expected %d to %d", cfg->sample,
                             SAMPLE_MIN, SAMPLE_MAX);
    return 0;
}

/* Mean depth of a random binary search tree of n, the usual length of a path (Liu et al., eq. 1) */
static double usual_length(uint32_t n)
{
    if (n < 2)
        return 0;
    return n == 2 ? 1 : 2 * (log(n - 1.0) + EULER) - 2 * (n - 1.0) / n;
}

static uint32_t depth_limit(uint32_t sample)
{
    uint32_t depth = 1;
    while ((1U << depth) < sample) /* sample ≤ 2^13 */
        depth++;
    return depth;
}

/* One tree being grown over `picked`, whose rows are moved so that every node owns a run of them.
 */
struct grower {
    struct learn_forest *forest;
    const float *rows;
    uint32_t n_in, limit;
    struct atl_rng rng;
    uint32_t *picked;
    uint32_t column[LEARN_INPUTS_MAX]; /* a permutation, drawn from without putting back */
};

struct branch {
    uint32_t node, first, n, depth;
};

static float value_of(const struct grower *g, uint32_t place, uint32_t column)
{
    return g->rows[(size_t)g->picked[place] * g->n_in + column];
}

static void range_of(const struct grower *g, const struct branch *b, uint32_t column,
                     float *ret_low, float *ret_high)
{
    float low = value_of(g, b->first, column), high = low;
    for (uint32_t i = b->first + 1; i < b->first + b->n; i++) {
        float v = value_of(g, i, column);
        low = v < low ? v : low;
        high = v > high ? v : high;
    }
    *ret_low = low;
    *ret_high = high;
}

/* A random column that is not the same in all rows of the branch, and a random cut between its ends
 * that leaves rows on both sides. @return false when there is none */
static bool choose_cut(struct grower *g, const struct branch *b, uint32_t *ret_column,
                       float *ret_cut)
{
    for (uint32_t left = g->n_in; left > 0; left--) {
        uint32_t at = (uint32_t)atl_rng_below(&g->rng, left);
        uint32_t column = g->column[at];
        g->column[at] = g->column[left - 1];
        g->column[left - 1] = column;
        float low, high;
        range_of(g, b, column, &low, &high);
        if (!(low < high))
            continue;
        double at_cut = (double)low + atl_rng_unit(&g->rng) * ((double)high - (double)low);
        float cut = (float)at_cut;
        *ret_cut = cut < high ? cut : low; /* rounding may reach high: low ≤ cut < high holds */
        *ret_column = column;
        return true;
    }
    return false;
}

/* @return how many rows of the branch are not above the cut; they come first afterwards */
static uint32_t part(struct grower *g, const struct branch *b, uint32_t column, float cut)
{
    uint32_t below = b->first;
    for (uint32_t i = b->first; i < b->first + b->n; i++) {
        if (value_of(g, i, column) > cut)
            continue;
        uint32_t row = g->picked[i];
        g->picked[i] = g->picked[below];
        g->picked[below++] = row;
    }
    return below - b->first;
}

static void make_leaf(struct learn_forest *forest, const struct branch *b)
{
    forest->node[b->node] = (struct learn_forest_node){INFINITY, b->node << LEARN_FOREST_SHIFT};
    forest->length[b->node] = (float)(b->depth + usual_length(b->n));
    if (b->depth > forest->depth)
        forest->depth = b->depth;
}

static void grow_tree(struct grower *g)
{
    struct learn_forest *forest = g->forest;
    /* depth first: every level leaves at most one branch waiting */
    struct branch stack[LEARN_FOREST_DEPTH_MAX + 2];
    uint32_t waiting = 0;
    stack[waiting++] = (struct branch){forest->nodes++, 0, forest->sample, 0};
    while (waiting > 0) {
        struct branch b = stack[--waiting];
        uint32_t column;
        float cut;
        if (b.depth == g->limit || b.n < 2 || !choose_cut(g, &b, &column, &cut)) {
            make_leaf(forest, &b);
            continue;
        }
        uint32_t child = forest->nodes, below = part(g, &b, column, cut);
        forest->nodes += 2;
        forest->node[b.node] =
            (struct learn_forest_node){cut, child << LEARN_FOREST_SHIFT | column};
        forest->length[b.node] = 0;
        stack[waiting++] = (struct branch){child + 1, b.first + below, b.n - below, b.depth + 1};
        stack[waiting++] = (struct branch){child, b.first, below, b.depth + 1};
    }
}

/* The first `sample` places of `picked` become a random choice without putting back. */
static void pick(struct grower *g, uint32_t n)
{
    for (uint32_t i = 0; i < g->forest->sample; i++) {
        uint32_t at = i + (uint32_t)atl_rng_below(&g->rng, n - i);
        uint32_t row = g->picked[at];
        g->picked[at] = g->picked[i];
        g->picked[i] = row;
    }
}

static struct learn_forest *forest_alloc(uint32_t nodes)
{
    struct learn_forest *forest = calloc(1, sizeof(*forest));
    if (forest == NULL)
        return NULL;
    forest->node = calloc(nodes, sizeof(*forest->node));
    forest->length = calloc(nodes, sizeof(*forest->length));
    if (forest->node == NULL || forest->length == NULL) {
        learn_forest_destroy(forest);
        return NULL;
    }
    return forest;
}

static int grow(struct learn_forest *forest, const float *rows, uint32_t n, uint32_t n_in,
                uint64_t seed)
{
    struct grower *g = calloc(1, sizeof(*g));
    if (g == NULL)
        return -ENOMEM;
    g->forest = forest;
    g->rows = rows;
    g->n_in = n_in;
    g->limit = depth_limit(forest->sample);
    g->picked = calloc(n, sizeof(*g->picked));
    if (g->picked == NULL) {
        free(g);
        return -ENOMEM;
    }
    atl_rng_init_seed(&g->rng, seed);
    for (uint32_t j = 0; j < n_in; j++)
        g->column[j] = j;
    for (uint32_t i = 0; i < n; i++)
        g->picked[i] = i;
    for (uint32_t t = 0; t < forest->trees; t++) {
        forest->root[t] = forest->nodes;
        pick(g, n);
        grow_tree(g);
    }
    free(g->picked);
    free(g);
    return 0;
}

int learn_forest_create(struct learn_forest **ret_forest, const float *rows, uint32_t n,
                        uint32_t n_in, const struct learn_forest_config *cfg, struct atl_error *err)
{
    int r = learn_forest_config_check(cfg, err);
    if (r < 0)
        return r;
    if (n < SAMPLE_MIN)
        return atl_error_set(err, -EINVAL, "forest: %u rows, at least %d expected", n, SAMPLE_MIN);
    uint32_t sample = cfg->sample < n ? cfg->sample : n;
    /* a tree of s leaves has 2s - 1 nodes: ≤ 128 × 2 × 8192 = LEARN_FOREST_NODES_MAX */
    struct learn_forest *forest = forest_alloc(cfg->trees * 2 * sample);
    if (forest == NULL)
        return atl_error_set(err, -ENOMEM, "forest: out of memory");
    forest->trees = cfg->trees;
    forest->sample = sample;
    r = grow(forest, rows, n, n_in, cfg->seed);
    struct learn_forest *fitting = NULL;
    if (r == 0)
        r = learn_forest_copy(&fitting, forest); /* without the room that was not needed */
    learn_forest_destroy(forest);
    if (r < 0)
        return atl_error_set(err, r, "forest: out of memory");
    *ret_forest = fitting;
    return 0;
}

int learn_forest_copy(struct learn_forest **ret_forest, const struct learn_forest *forest)
{
    struct learn_forest *copy = forest_alloc(forest->nodes);
    if (copy == NULL)
        return -ENOMEM;
    struct learn_forest_node *node = copy->node;
    float *length = copy->length;
    memcpy(node, forest->node, forest->nodes * sizeof(*node));
    memcpy(length, forest->length, forest->nodes * sizeof(*length));
    *copy = *forest;
    copy->node = node;
    copy->length = length;
    *ret_forest = copy;
    return 0;
}

void learn_forest_destroy(struct learn_forest *forest)
{
    if (forest == NULL)
        return;
    free(forest->node);
    free(forest->length);
    free(forest);
}

/* Every inner node leads onwards within its tree and every leaf to itself, so that no walk leaves
 * the array; `depth` steps bring each walk to a leaf. */
static bool walks_end(struct learn_forest *forest, uint32_t n_in)
{
    uint8_t *level = calloc(forest->nodes, 1);
    bool ok = level != NULL;
    for (uint32_t i = 0; ok && i < forest->nodes; i++) {
        uint32_t child = forest->node[i].to >> LEARN_FOREST_SHIFT;
        uint32_t column = forest->node[i].to & LEARN_FOREST_COLUMN;
        ok = column < n_in && isfinite(forest->length[i]) && forest->length[i] >= 0;
        if (!ok || child == i) {
            ok = ok && forest->node[i].cut == INFINITY;
            continue;
        }
        ok = isfinite(forest->node[i].cut) && child > i && child < forest->nodes - 1 &&
             level[i] < LEARN_FOREST_DEPTH_MAX;
        if (!ok)
            break;
        for (uint32_t k = child; k < child + 2; k++) {
            level[k] = level[k] > level[i] ? level[k] : (uint8_t)(level[i] + 1);
            forest->depth = level[k] > forest->depth ? level[k] : forest->depth;
        }
    }
    free(level);
    return ok;
}

int learn_forest_from_arrays(struct learn_forest **ret_forest, const struct learn_forest *facts,
                             const struct learn_forest_node *node, const float *length,
                             uint32_t n_in)
{
    if (facts->trees < 1 || facts->trees > LEARN_FOREST_TREES_MAX || facts->sample < SAMPLE_MIN ||
        facts->sample > SAMPLE_MAX || facts->nodes < 1 || facts->nodes > LEARN_FOREST_NODES_MAX)
        return -EBADMSG;
    for (uint32_t t = 0; t < facts->trees; t++) {
        if (facts->root[t] >= facts->nodes)
            return -EBADMSG;
    }
    struct learn_forest *forest = forest_alloc(facts->nodes);
    if (forest == NULL)
        return -ENOMEM;
    memcpy(forest->node, node, facts->nodes * sizeof(*node));
    memcpy(forest->length, length, facts->nodes * sizeof(*length));
    memcpy(forest->root, facts->root, sizeof(forest->root));
    forest->trees = facts->trees;
    forest->sample = facts->sample;
    forest->nodes = facts->nodes;
    if (!walks_end(forest, n_in)) {
        learn_forest_destroy(forest);
        return -EBADMSG;
    }
    *ret_forest = forest;
    return 0;
}

/* GROUP rows from x on down one tree. Bounds: walks_end, or grow_tree by construction. */
static inline void walk(const struct learn_forest *forest, uint32_t root, const float *x,
                        uint32_t n_in, float *sum)
{
    const struct learn_forest_node *node = forest->node;
    uint32_t at[GROUP];
    for (uint32_t i = 0; i < GROUP; i++)
        at[i] = root;
    for (uint32_t d = 0; d < forest->depth; d++) {
        for (uint32_t i = 0; i < GROUP; i++) {
            struct learn_forest_node here = node[at[i]];
            float v = x[i * n_in + (here.to & LEARN_FOREST_COLUMN)];
            at[i] = (here.to >> LEARN_FOREST_SHIFT) + (v > here.cut);
        }
    }
    for (uint32_t i = 0; i < GROUP; i++)
        sum[i] += forest->length[at[i]];
}

static void walk_one(const struct learn_forest *forest, uint32_t root, const float *x, float *sum)
{
    uint32_t at = root;
    for (uint32_t d = 0; d < forest->depth; d++) {
        struct learn_forest_node here = forest->node[at];
        at = (here.to >> LEARN_FOREST_SHIFT) + (x[here.to & LEARN_FOREST_COLUMN] > here.cut);
    }
    *sum += forest->length[at];
}

void learn_forest_statistics(const struct learn_forest *forest, const float *x, uint32_t n,
                             uint32_t n_in, double *statistic)
{
    float sum[LEARN_BATCH_MAX] = {0};
    uint32_t whole = n - n % GROUP;
    for (uint32_t t = 0; t < forest->trees; t++) {
        for (uint32_t i = 0; i < whole; i += GROUP)
            walk(forest, forest->root[t], x + (size_t)i * n_in, n_in, sum + i);
        for (uint32_t i = whole; i < n; i++)
            walk_one(forest, forest->root[t], x + (size_t)i * n_in, sum + i);
    }
    double scale = -1.0 / (forest->trees * usual_length(forest->sample));
    for (uint32_t i = 0; i < n; i++)
        statistic[i] = exp2((double)sum[i] * scale);
}
