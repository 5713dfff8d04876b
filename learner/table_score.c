/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "learner/score_priv.h"
#include "learner/table_priv.h"

#define PLACE_NONE UINT32_MAX

struct scoring {
    const struct learn_table *table;
    const char *path;
    const struct learn_table_config *cfg;
    struct learn_table_fields fields;
    uint32_t *place; /* (columns.n) the field of each column */
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

/* --- which field is which column --- */

static int place_by_name(struct scoring *s)
{
    const struct learn_table_columns *columns = &s->table->columns;
    for (uint32_t c = 0; c < columns->n; c++) {
        s->place[c] = PLACE_NONE;
        for (uint32_t f = 0; f < s->fields.n; f++) {
            if (strcmp(s->fields.name[f], columns->item[c].name) == 0)
                s->place[c] = f;
        }
        if (s->place[c] == PLACE_NONE)
            return atl_error_set(s->err, -EINVAL,
                                 "%s: no column '%.60s', which the model needs: another table%s",
                                 s->path, columns->item[c].name,
                                 columns->header ? "" : " (the model was learned without names)");
    }
    return 0;
}

/* As in the training file; or only the model's own columns, in their order. */
static int place_by_number(struct scoring *s)
{
    const struct learn_table_columns *columns = &s->table->columns;
    bool whole = s->fields.n == columns->file_columns;
    if (!whole && s->fields.n != columns->n)
        return atl_error_set(
            s->err, -EINVAL,
            "%s: %u columns, but the model was learned from %u (%u of them inputs): "
            "another table",
            s->path, s->fields.n, columns->file_columns, columns->n);
    for (uint32_t c = 0; c < columns->n; c++)
        s->place[c] = whole ? columns->item[c].place : c;
    return 0;
}

static int place_columns(struct scoring *s)
{
    const struct learn_table_columns *columns = &s->table->columns;
    s->place = calloc(columns->n, sizeof(*s->place));
    if (s->place == NULL)
        return atl_error_set(s->err, -ENOMEM, "%s: out of memory", s->path);
    int r = s->cfg->header && columns->header ? place_by_name(s) : place_by_number(s);
    for (uint32_t c = 0; c < columns->n && r == 0; c++) {
        if (!s->fields.used[s->place[c]])
            r = atl_error_set(
                s->err, -EINVAL,
                "%s: column '%.60s' is dropped or the label here, but the model needs "
                "it",
                s->path, columns->item[c].name);
    }
    return r;
}

/* --- a row --- */

static int bad_cell(const struct scoring *s, const struct learn_csv *csv, uint32_t c,
                    const char *text, const char *what)
{
    return atl_error_set(s->err, -EBADMSG, "%s: row %llu (line %llu), column '%.60s': %s '%.40s'",
                         s->path, (unsigned long long)s->summary.rows,
                         (unsigned long long)learn_csv_line(csv), s->table->columns.item[c].name,
                         what, text);
}

static int encode(const struct scoring *s, const struct learn_csv *csv, float *x)
{
    const struct learn_table_columns *columns = &s->table->columns;
    x[columns->inputs - 1] = 0.0F;
    for (uint32_t c = 0; c < columns->n; c++) {
        const struct learn_table_column *column = &columns->item[c];
        const char *text = learn_csv_field(csv, s->place[c]);
        double value = NAN;
        if (column->category) {
            learn_table_put_word(columns, c, learn_table_word(column, text), x);
            continue;
        }
        switch (learn_cell_read(text, &value)) {
        case LEARN_CELL_WORD:
            return bad_cell(s, csv, c, text, "a number expected, found");
        case LEARN_CELL_INFINITE:
            return bad_cell(s, csv, c, text, "a finite number expected, found");
        case LEARN_CELL_NUMBER:
        case LEARN_CELL_MISSING:
            break;
        }
        learn_table_put_number(columns, c, value, x);
    }
    return 0;
}

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
    int r = learn_table_ragged(csv, s->path, s->summary.rows, s->fields.n, s->err);
    if (r == 0)
        r = encode(s, csv, s->batch + (size_t)s->held * s->table->columns.inputs);
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
    int r = learn_table_fields_read(&s->fields, csv, s->path, s->cfg, s->err);
    if (r == 0)
        r = place_columns(s);
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
    learn_table_fields_finish(&s->fields);
    learn_context_destroy(s->context);
    learn_scratch_destroy(s->scratch);
    free(s->surprise);
    free(s->batch);
    free(s->place);
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
