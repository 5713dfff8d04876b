/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "learner/score_priv.h"
#include "learner/table_priv.h"

struct scoring {
    const struct learn_table *table;
    const char *path;
    const struct learn_table_config *cfg;
    struct learn_table_encoder encoder;
    struct learn_scratch *scratch;
    struct learn_context *context;
    float *batch; /* (LEARN_BATCH_MAX, inputs) */
    uint32_t held;
    double *surprise; /* ring of LEARN_CONTEXT_WINDOW_MAX + LEARN_BATCH_MAX: rows not yet taken */
    uint64_t judged, given;
    int (*row)(void *ctx, float score, float p_value);
    void *ctx;
    struct learn_table_summary summary;
    struct atl_error *err;
};

#define RING (LEARN_CONTEXT_WINDOW_MAX + LEARN_BATCH_MAX)

static int give(struct scoring *s, double company)
{
    const struct learn_table *table = s->table;
    double total = learn_table_total(table, s->surprise[s->given++ % RING], company);
    float score = learn_tail_score(&table->tail, total);
    s->summary.above += score > 0.5F;
    return s->row(s->ctx, score, (float)learn_tail_p(&table->tail, total));
}

static int judge_batch(struct scoring *s)
{
    double surprise[LEARN_BATCH_MAX], company;
    learn_table_surprise(s->table, s->scratch, s->batch, s->held, surprise);
    int r = 0;
    for (uint32_t i = 0; i < s->held && r == 0; i++) {
        s->surprise[s->judged++ % RING] = surprise[i];
        learn_context_add(s->context, s->batch + (size_t)i * s->table->columns.inputs);
        if (learn_context_take(s->context, false, &company))
            r = give(s, company);
    }
    s->held = 0;
    return r;
}

static int score_row(struct scoring *s, const struct learn_csv *csv)
{
    s->summary.rows++;
    float *x = s->batch + (size_t)s->held * s->table->columns.inputs;
    int r = learn_table_encode(&s->encoder, csv, s->summary.rows, x, s->err);
    if (r == 0 && ++s->held == LEARN_BATCH_MAX)
        r = judge_batch(s);
    if (s->summary.rows % 1024 == 0) {
        uint64_t at, bytes;
        learn_csv_place(csv, &at, &bytes);
        learn_table_say(s->cfg, "scoring", bytes > 0 ? (double)at / (double)bytes : 0);
    }
    return r;
}

static int score_rows(struct scoring *s, struct learn_csv *csv)
{
    double company;
    int r = learn_table_encoder_init(&s->encoder, &s->table->columns, csv, s->path, s->cfg, s->err);
    if (r == 0 && !s->cfg->header)
        r = score_row(s, csv);
    while (r == 0 && (r = learn_csv_next(csv, s->err)) > 0)
        r = score_row(s, csv);
    if (r == 0)
        r = judge_batch(s);
    while (r == 0 && learn_context_take(s->context, true, &company))
        r = give(s, company);
    return r;
}

static int scoring_init(struct scoring *s)
{
    const struct learn_table *table = s->table;
    s->batch = learn_floats((size_t)LEARN_BATCH_MAX * table->columns.inputs);
    s->surprise = calloc(RING, sizeof(*s->surprise));
    int r = s->batch != NULL && s->surprise != NULL ? 0 : -ENOMEM;
    if (r == 0)
        r = learn_scratch_create(&s->scratch, learn_model_shape(table->members[0].model));
    if (r == 0)
        r = learn_context_create(&s->context, &table->reference);
    return r < 0 ? atl_error_set(s->err, r, "%s: out of memory", s->path) : 0;
}

static void scoring_finish(struct scoring *s)
{
    learn_table_encoder_finish(&s->encoder);
    learn_context_destroy(s->context);
    learn_scratch_destroy(s->scratch);
    free(s->surprise);
    free(s->batch);
}

int learn_table_score(const struct learn_table *table, const char *path,
                      const struct learn_table_config *cfg,
                      int (*row)(void *ctx, float score, float p_value), void *ctx,
                      struct learn_table_summary *ret_summary, struct atl_error *err)
{
    struct scoring s = {
        .table = table, .path = path, .cfg = cfg, .row = row, .ctx = ctx, .err = err};
    struct learn_csv *csv;
    int r = learn_csv_open(&csv, path, err);
    if (r < 0)
        return r;
    r = scoring_init(&s);
    if (r == 0)
        r = score_rows(&s, csv);
    learn_csv_close(csv);
    scoring_finish(&s);
    if (r < 0) {
        learn_keep_one_line(err);
        return r;
    }
    s.summary.columns = table->columns.n;
    s.summary.inputs = table->columns.inputs;
    *ret_summary = s.summary;
    return 0;
}
