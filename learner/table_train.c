/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "learner/score_priv.h"
#include "learner/table_priv.h"

#define HELD_MIN    64
#define HELD_SHARE  5 /* one in five */
#define BATCH       256
#define FAST_PASSES 12
#define SLOW_PASSES 8
#define FAST_RATE   3e-3F
#define SLOW_RATE   6e-4F
#define STEPS_MIN   240
#define STEPS_MAX   8192
#define ERROR_CLIP  1.0F /* in units of a column's deviation: a rare wild value teaches little */
#define TREES       40
#define TREE_ROWS   4096
#define WINDOW      4096
#define WINDOW_MIN  64
#define RISK        1e-2
#define KNEE        5.0 /* surprise of one in 148 */
#define REPORTS     20  /* of progress in each training */

void learn_table_say(const struct learn_table_config *cfg, const char *what, double share)
{
    if (cfg->progress != NULL)
        cfg->progress(cfg->ctx, what, share < 1 ? share : 1);
}

/* Fisher-Yates: what is held back is a fair sample. */
static void shuffle(struct learn_table_rows *rows, uint32_t n_in, uint64_t seed)
{
    struct atl_rng rng;
    float held[LEARN_INPUTS_MAX];
    size_t bytes = n_in * sizeof(float);
    atl_rng_init_seed(&rng, seed);
    for (uint32_t i = rows->n; i > 1; i--) {
        float *a = rows->x + (size_t)(i - 1) * n_in;
        float *b = rows->x + (size_t)atl_rng_below(&rng, i) * n_in;
        memcpy(held, a, bytes);
        memmove(a, b, bytes);
        memcpy(b, held, bytes);
    }
}

struct job {
    struct learn_table *table;
    const struct learn_table_config *cfg;
    const float *rows, *held; /* learned from; held back */
    uint32_t n, n_held;
    struct atl_error *err;
};

static uint32_t steps_for(uint32_t n, uint32_t passes)
{
    uint32_t steps = passes * (n / BATCH + 1);
    return steps < STEPS_MIN ? STEPS_MIN : steps < STEPS_MAX ? steps : STEPS_MAX;
}

/* Trains from `model`, which is replaced. */
static int train_at(const struct job *job, struct learn_model **model, float rate, uint32_t passes,
                    uint64_t seed, double from, double to)
{
    const struct learn_train_config cfg = {
        .batch = BATCH, .learning_rate = rate, .error_clip = ERROR_CLIP, .seed = seed};
    struct learn_trainer *trainer;
    int r = learn_trainer_create(&trainer, *model, &cfg, job->err);
    if (r < 0)
        return r;
    uint32_t steps = steps_for(job->n, passes), done = 0;
    for (uint32_t part = 1; part <= REPORTS; part++) {
        uint32_t until = (uint32_t)((uint64_t)steps * part / REPORTS);
        learn_trainer_run(trainer, job->rows, job->n, until - done);
        done = until;
        learn_table_say(job->cfg, "training", from + (to - from) * part / REPORTS);
    }
    struct learn_model *trained;
    r = learn_trainer_model(trainer, &trained, job->err);
    learn_trainer_destroy(trainer);
    if (r < 0)
        return r;
    learn_model_destroy(*model);
    *model = trained;
    return 0;
}

static int add_forest(const struct job *job, struct learn_model **model, uint64_t seed)
{
    const struct learn_forest_config cfg = {.trees = TREES, .sample = TREE_ROWS, .seed = seed};
    struct learn_model *grown, *calibrated;
    int r = learn_model_grow_forest(&grown, *model, job->rows, job->n, &cfg, job->err);
    if (r < 0)
        return r;
    r = learn_model_calibrate(&calibrated, grown, job->held, job->n_held, RISK, "table", job->err);
    learn_model_destroy(grown);
    if (r < 0)
        return r;
    learn_model_destroy(*model);
    *model = calibrated;
    return 0;
}

static int make_member(const struct job *job, uint32_t m)
{
    struct learn_table *table = job->table;
    struct learn_shape shape;
    uint8_t schema[LEARN_SCHEMA_BYTES];
    uint64_t seed = job->cfg->seed * LEARN_TABLE_MEMBERS + m;
    double from = (double)m / LEARN_TABLE_MEMBERS, to = (m + 1.0) / LEARN_TABLE_MEMBERS;
    double mid = from + (to - from) * FAST_PASSES / (FAST_PASSES + SLOW_PASSES);
    learn_table_columns_hash(&table->columns, schema);
    learn_shape_default(&shape, table->columns.inputs, schema);
    struct learn_named *member = &table->members[m];
    snprintf(member->name, sizeof(member->name), "table-%u", m + 1);
    int r = learn_model_create(&member->model, &shape, seed);
    if (r < 0)
        return atl_error_set(job->err, r, "training: out of memory");
    r = train_at(job, &member->model, FAST_RATE, FAST_PASSES, seed, from, mid);
    if (r == 0)
        r = train_at(job, &member->model, SLOW_RATE, SLOW_PASSES, seed + 1, mid, to);
    return r < 0 ? r : add_forest(job, &member->model, seed);
}

/*
 * A fitted tail runs on for ever, but no few thousand rows can tell one in e^30 from one in e^300:
 * beyond what they can, a surprise counts less and less, so that no single witness drowns the rest.
 */
static double damped(double surprise)
{
    return surprise <= KNEE ? surprise : KNEE + log1p(surprise - KNEE);
}

void learn_table_surprise(const struct learn_table *table, struct learn_scratch *scratch,
                          const float *x, uint32_t n, double *surprise)
{
    double statistic[LEARN_BATCH_MAX];
    for (uint32_t i = 0; i < n; i++)
        surprise[i] = 0;
    for (int m = 0; m < LEARN_TABLE_MEMBERS; m++) {
        const struct learn_model *model = table->members[m].model;
        learn_statistics(model, scratch, x, n, statistic);
        for (uint32_t i = 0; i < n; i++)
            surprise[i] += damped(learn_tail_surprise(&model->tail, statistic[i]));
    }
    for (uint32_t i = 0; i < n; i++)
        surprise[i] /= LEARN_TABLE_MEMBERS;
}

double learn_table_total(const struct learn_table *table, double surprise, double company)
{
    return surprise + damped(learn_tail_surprise(&table->context_tail, company));
}

static int watch_company(const struct job *job, double *company)
{
    struct learn_context *context;
    int r = learn_context_create(&context, &job->table->reference);
    if (r < 0)
        return r;
    uint32_t taken = 0;
    for (uint32_t i = 0; i < job->n_held; i++) {
        learn_context_add(context, job->held + (size_t)i * job->table->columns.inputs);
        taken += learn_context_take(context, false, &company[taken]);
    }
    while (learn_context_take(context, true, &company[taken]))
        taken++;
    learn_context_destroy(context);
    return 0;
}

static int fit_company(const struct job *job, struct learn_scratch *scratch, double *company,
                       double *total)
{
    struct learn_table *table = job->table;
    uint32_t n_in = table->columns.inputs;
    int r = watch_company(job, company);
    if (r < 0)
        return r;
    memcpy(total, company, job->n_held * sizeof(*total));
    learn_tail_fit(&table->context_tail, total, job->n_held, RISK); /* sorts what it is given */
    for (uint32_t at = 0; at < job->n_held; at += LEARN_BATCH_MAX) {
        uint32_t n = job->n_held - at < LEARN_BATCH_MAX ? job->n_held - at : LEARN_BATCH_MAX;
        learn_table_surprise(table, scratch, job->held + (size_t)at * n_in, n, total + at);
    }
    for (uint32_t i = 0; i < job->n_held; i++)
        total[i] = learn_table_total(table, total[i], company[i]);
    learn_tail_fit(&table->tail, total, job->n_held, RISK);
    return 0;
}

static int set_boundary(const struct job *job)
{
    struct learn_table *table = job->table;
    struct learn_context_reference *reference = &table->reference;
    for (int m = 0; m < LEARN_TABLE_MEMBERS; m++)
        reference->forest[m] = table->members[m].model->forest;
    reference->depth = LEARN_CONTEXT_DEPTH;
    /* a longer window than was ever watched would be judged by a stranger's habits */
    reference->window = job->n_held < WINDOW ? job->n_held : WINDOW;
    if (reference->window < WINDOW_MIN)
        reference->window = WINDOW_MIN;
    struct learn_scratch *scratch = NULL;
    double *company = calloc(job->n_held + 1, sizeof(*company));
    double *total = calloc(job->n_held, sizeof(*total));
    int r = company != NULL && total != NULL
                ? learn_scratch_create(&scratch, learn_model_shape(table->members[0].model))
                : -ENOMEM;
    if (r == 0)
        r = learn_context_reference_fill(reference, job->rows, job->n, table->columns.inputs);
    if (r == 0)
        r = fit_company(job, scratch, company, total);
    learn_scratch_destroy(scratch);
    free(company);
    free(total);
    return r < 0 ? atl_error_set(job->err, r, "training: out of memory") : 0;
}

static int learn(struct learn_table *table, struct learn_table_rows *rows,
                 const struct learn_table_config *cfg, struct atl_error *err)
{
    uint32_t n_in = table->columns.inputs;
    uint32_t held = rows->n / HELD_SHARE < HELD_MIN ? HELD_MIN : rows->n / HELD_SHARE;
    shuffle(rows, n_in, cfg->seed);
    const struct job job = {.table = table,
                            .cfg = cfg,
                            .rows = rows->x,
                            .held = rows->x + (size_t)(rows->n - held) * n_in,
                            .n = rows->n - held,
                            .n_held = held,
                            .err = err};
    table->facts.held_back = held;
    int r = 0;
    for (uint32_t m = 0; m < LEARN_TABLE_MEMBERS && r == 0; m++)
        r = make_member(&job, m);
    return r < 0 ? r : set_boundary(&job);
}

int learn_table_train(struct learn_table **ret_table, const char *path,
                      const struct learn_table_config *cfg, struct learn_table_summary *ret_summary,
                      struct atl_error *err)
{
    struct learn_table_summary summary = {0};
    struct learn_table_rows rows = {0};
    if (cfg->n_normal > 0 && cfg->label == NULL)
        return atl_error_set(err, -EINVAL,
                             "training: --normal says which --label is normal: no "
                             "label column is named");
    struct learn_table *table = calloc(1, sizeof(*table));
    if (table == NULL)
        return atl_error_set(err, -ENOMEM, "training: out of memory");
    int r = learn_table_read(&table->columns, &rows, path, cfg, &summary, err);
    if (r == 0) {
        table->facts =
            (struct learn_table_facts){summary.rows, summary.normal, rows.n, 0, cfg->seed};
        r = learn(table, &rows, cfg, err);
    }
    free(rows.x);
    if (r < 0) {
        learn_table_destroy(table);
        learn_keep_one_line(err);
        return r;
    }
    *ret_summary = summary;
    *ret_table = table;
    return 0;
}

void learn_table_destroy(struct learn_table *table)
{
    if (table == NULL)
        return;
    learn_context_reference_finish(&table->reference);
    for (int m = 0; m < LEARN_TABLE_MEMBERS; m++)
        learn_model_destroy(table->members[m].model);
    learn_table_columns_finish(&table->columns);
    free(table);
}
