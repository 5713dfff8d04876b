/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "learner/table_priv.h"
#include "learner/words_priv.h"

#define ROWS_MAX   131072
#define CELLS_MAX  (16U << 20) /* 128 MiB of doubles */
#define VALUES_MIN 2           /* a word met once is no word to know */
#define WORDS_WIDE 32          /* of one column, when there is room for as many */

/* One field in two of the rows and more another word: an identifier says nothing of the next row.
 */
#define UNIQUE_SHARE 0.5
#define UNIQUE_ROWS  100

/* A thousandth of the rows at either end does not count for the scale of a column. */
#define TRIM_SHARE 1e-3

struct field {
    bool numbers, words, missing;
    uint64_t infinite_row, infinite_line; /* the first, 0 = none */
    struct learn_words known;
};

struct reading {
    const char *path;
    const struct learn_table_config *cfg;
    struct learn_table_summary *summary;
    struct atl_error *err;
    struct learn_table_fields fields;
    struct field *field; /* (fields.n) */
    double *cell;        /* (room, fields.n): signed log of a number, or index of a word */
    uint32_t room, held;
    struct atl_rng rng;
    bool failed;
};

static bool is_normal(const struct reading *r, const struct learn_csv *csv)
{
    if (r->cfg->n_normal == 0 || r->fields.label == UINT32_MAX)
        return true;
    const char *label = learn_csv_field(csv, r->fields.label);
    for (uint32_t i = 0; i < r->cfg->n_normal; i++) {
        if (strcmp(label, r->cfg->normal[i]) == 0)
            return true;
    }
    return false;
}

/* --- first pass: what each column holds --- */

static int look(struct reading *r, const struct learn_csv *csv)
{
    for (uint32_t f = 0; f < r->fields.n; f++) {
        double value;
        if (!r->fields.used[f])
            continue;
        struct field *field = &r->field[f];
        switch (learn_cell_read(learn_csv_field(csv, f), &value)) {
        case LEARN_CELL_NUMBER:
            field->numbers = true;
            break;
        case LEARN_CELL_MISSING:
            field->missing = true;
            break;
        case LEARN_CELL_WORD:
            field->words = true;
            break;
        case LEARN_CELL_INFINITE:
            if (field->infinite_row == 0) {
                field->infinite_row = r->summary->rows;
                field->infinite_line = learn_csv_line(csv);
            }
            break;
        }
    }
    return 0;
}

/* --- second pass: a fair sample of the rows --- */

/* Algorithm R. @return where the row goes, NULL when it is passed over */
static double *place_for(struct reading *r)
{
    if (r->held < r->room)
        return r->cell + (size_t)r->held++ * r->fields.n;
    uint64_t at = atl_rng_below(&r->rng, r->summary->normal);
    return at < r->room ? r->cell + (size_t)at * r->fields.n : NULL;
}

static int keep(struct reading *r, const struct learn_csv *csv)
{
    double *to = place_for(r);
    char word[LEARN_TABLE_NAME_BYTES];
    for (uint32_t f = 0; f < r->fields.n; f++) {
        struct field *field = &r->field[f];
        const char *text = learn_csv_field(csv, f);
        double value = 0;
        if (!r->fields.used[f])
            continue;
        if (field->words) {
            learn_table_copy(word, text);
            uint32_t known = learn_words_add(&field->known, word, &r->failed);
            value = known;
        } else if (learn_cell_read(text, &value) == LEARN_CELL_NUMBER) {
            value = learn_signed_log(value);
        } else {
            value = NAN;
        }
        if (to != NULL)
            to[f] = value;
    }
    return r->failed ? atl_error_set(r->err, -ENOMEM, "%s: out of memory", r->path) : 0;
}

static int pass(struct reading *r, const char *what,
                int (*visit)(struct reading *r, const struct learn_csv *csv))
{
    struct learn_csv *csv;
    int n = learn_csv_open(&csv, r->path, r->err);
    if (n < 0)
        return n;
    r->summary->rows = r->summary->normal = 0;
    bool header = r->cfg->header;
    while ((n = learn_csv_next(csv, r->err)) > 0) {
        if (header) {
            header = false;
            continue;
        }
        r->summary->rows++;
        n = learn_table_ragged(csv, r->path, r->summary->rows, r->fields.n, r->err);
        if (n == 0 && is_normal(r, csv)) {
            r->summary->normal++;
            n = visit(r, csv);
        }
        if (n < 0)
            break;
        if (r->summary->rows % 1024 == 0) {
            uint64_t at, bytes;
            learn_csv_place(csv, &at, &bytes);
            learn_table_say(r->cfg, what, bytes > 0 ? (double)at / (double)bytes : 0);
        }
    }
    learn_csv_close(csv);
    return n;
}

static int open_fields(struct reading *r)
{
    struct learn_csv *csv;
    int n = learn_csv_open(&csv, r->path, r->err);
    if (n < 0)
        return n;
    n = learn_table_fields_read(&r->fields, csv, r->path, r->cfg, r->err);
    learn_csv_close(csv);
    if (n < 0)
        return n;
    r->field = calloc(r->fields.n, sizeof(*r->field));
    return r->field != NULL ? 0 : atl_error_set(r->err, -ENOMEM, "%s: out of memory", r->path);
}

static int check_kinds(struct reading *r)
{
    uint32_t used = 0;
    for (uint32_t f = 0; f < r->fields.n; f++) {
        const struct field *field = &r->field[f];
        used += r->fields.used[f];
        if (r->fields.used[f] && !field->words && field->infinite_row != 0)
            return atl_error_set(r->err, -EBADMSG,
                                 "%s: row %llu (line %llu), column '%.60s': an infinite number; "
                                 "leave the field empty when it is not known",
                                 r->path, (unsigned long long)field->infinite_row,
                                 (unsigned long long)field->infinite_line, r->fields.name[f]);
    }
    if (used == 0)
        return atl_error_set(r->err, -EINVAL, "%s: every column is dropped or the label", r->path);
    if (used > LEARN_TABLE_COLUMNS_MAX - 1)
        return atl_error_set(r->err, -EINVAL, "%s: %u columns, at most %d expected; drop some",
                             r->path, used, LEARN_TABLE_COLUMNS_MAX - 1);
    if (r->summary->normal >= LEARN_TABLE_ROWS_MIN)
        return 0;
    if (r->summary->normal > 0)
        return atl_error_set(r->err, -EBADMSG,
                             "%s: %llu normal rows to learn from, at least %d expected", r->path,
                             (unsigned long long)r->summary->normal, LEARN_TABLE_ROWS_MIN);
    if (r->summary->rows == 0)
        return atl_error_set(r->err, -EBADMSG, "%s: no rows of data", r->path);
    return atl_error_set(r->err, -EBADMSG,
                         "%s: no normal rows: in none of its %llu rows is column '%.60s' \"%.60s\"",
                         r->path, (unsigned long long)r->summary->rows,
                         r->fields.name[r->fields.label], r->cfg->normal[0]);
}

/* --- from what was seen to columns --- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void moments(const double *v, uint32_t n, double low, double high, double *ret_mean,
                    double *ret_std)
{
    double sum = 0, squares = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += fmax(low, fmin(high, v[i]));
    double mean = sum / n;
    for (uint32_t i = 0; i < n; i++) {
        double d = fmax(low, fmin(high, v[i])) - mean;
        squares += d * d;
    }
    *ret_mean = mean;
    *ret_std = sqrt(squares / n);
}

/*
 * Mean and deviation of what is left when the ends are pulled in: one wild value must not squeeze
 * the rest together. Median and quartiles would do as well on most columns, but a counter that is
 * zero in nine rows of ten has none. Where the ends are all that differs, they count after all.
 */
static void fit_number(const struct reading *r, uint32_t f, double *scratch,
                       struct learn_table_column *column)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < r->held; i++) {
        double v = r->cell[(size_t)i * r->fields.n + f];
        if (isnan(v))
            column->misses = true;
        else
            scratch[n++] = v;
    }
    column->scale = 1;
    column->constant = true;
    if (n == 0)
        return;
    qsort(scratch, n, sizeof(scratch[0]), by_value);
    uint32_t trim = (uint32_t)(TRIM_SHARE * n);
    moments(scratch, n, scratch[trim], scratch[n - 1 - trim], &column->middle, &column->scale);
    double least = 1e-9 * (1 + fabs(column->middle));
    if (!(column->scale > least))
        moments(scratch, n, scratch[0], scratch[n - 1], &column->middle, &column->scale);
    column->constant = !(column->scale > least);
    if (column->constant) {
        column->middle = scratch[0];
        column->scale = 1;
    }
}

static int by_count(const void *a, const void *b)
{
    const struct learn_word *x = a, *y = b;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    return strcmp(x->text, y->text);
}

static int fit_words(const struct reading *r, uint32_t f, uint32_t most,
                     struct learn_table_column *column)
{
    const struct learn_words *known = &r->field[f].known;
    struct learn_word *sorted = malloc(known->n * sizeof(*sorted));
    free(column->word);
    column->word = calloc(most, sizeof(*column->word));
    if (sorted == NULL || column->word == NULL) {
        free(sorted);
        return atl_error_set(r->err, -ENOMEM, "%s: out of memory", r->path);
    }
    memcpy(sorted, known->item, known->n * sizeof(*sorted));
    qsort(sorted, known->n, sizeof(*sorted), by_count);
    column->category = true;
    column->constant = known->n == 1 && known->beyond == 0;
    column->n_words = 0;
    for (uint32_t w = 0; w < known->n && w < most; w++) {
        if (sorted[w].count < VALUES_MIN && w > 0)
            break;
        atl_copy(column->word[column->n_words++], LEARN_TABLE_NAME_BYTES, sorted[w].text);
    }
    free(sorted);
    return 0;
}

static bool is_identifier(const struct reading *r, uint32_t f)
{
    const struct learn_words *known = &r->field[f].known;
    double distinct = (double)known->n + (double)known->beyond;
    return r->field[f].words && r->summary->normal >= UNIQUE_ROWS &&
           distinct > UNIQUE_SHARE * (double)r->summary->normal;
}

static void note(const struct reading *r, const char *fmt, const char *name)
{
    char line[256];
    if (r->cfg->note == NULL)
        return;
    snprintf(line, sizeof(line), fmt, name);
    r->cfg->note(r->cfg->ctx, line);
}

static int fit_columns(const struct reading *r, struct learn_table_columns *columns, uint32_t most)
{
    double *scratch = malloc(r->held * sizeof(*scratch));
    if (scratch == NULL)
        return atl_error_set(r->err, -ENOMEM, "%s: out of memory", r->path);
    int n = 0;
    for (uint32_t c = 0; c < columns->n && n == 0; c++) {
        struct learn_table_column *column = &columns->item[c];
        if (r->field[column->place].words)
            n = fit_words(r, column->place, most, column);
        else
            fit_number(r, column->place, scratch, column);
    }
    free(scratch);
    return n;
}

static int choose_columns(const struct reading *r, struct learn_table_columns *columns)
{
    columns->header = r->cfg->header;
    columns->file_columns = r->fields.n;
    columns->item = calloc(r->fields.n, sizeof(*columns->item));
    if (columns->item == NULL)
        return atl_error_set(r->err, -ENOMEM, "%s: out of memory", r->path);
    for (uint32_t f = 0; f < r->fields.n; f++) {
        if (!r->fields.used[f])
            continue;
        if (is_identifier(r, f)) {
            note(r, "column '%.60s' is left out: nearly every row has another word",
                 r->fields.name[f]);
            continue;
        }
        struct learn_table_column *column = &columns->item[columns->n++];
        column->place = f;
        atl_copy(column->name, sizeof(column->name), r->fields.name[f]);
    }
    /* with fewer words a column more columns fit */
    for (uint32_t most = WORDS_WIDE; most > 0 && columns->n > 0; most /= 2) {
        int n = fit_columns(r, columns, most);
        if (n < 0)
            return n;
        if (learn_table_number(columns) <= LEARN_INPUTS_MAX)
            return 0;
    }
    return atl_error_set(r->err, -EINVAL, "%s: %u inputs of the model, 1 to %d expected", r->path,
                         columns->n == 0 ? 0 : columns->inputs, LEARN_INPUTS_MAX);
}

static int note_constants(const struct reading *r, const struct learn_table_columns *columns)
{
    char names[160] = "";
    size_t used = 0;
    uint32_t constant = 0;
    for (uint32_t c = 0; c < columns->n; c++) {
        if (!columns->item[c].constant)
            continue;
        if (used < sizeof(names))
            used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%.40s",
                                     constant > 0 ? ", " : "", columns->item[c].name);
        constant++;
    }
    if (constant == columns->n)
        return atl_error_set(
            r->err, -EBADMSG,
            "%s: every column is the same in all %llu normal rows: nothing to learn", r->path,
            (unsigned long long)r->summary->normal);
    if (constant > 0)
        note(r,
             used < sizeof(names) ? "the same in every normal row: %s"
                                  : "the same in every normal row: %s…",
             names);
    return 0;
}

static int encode(const struct reading *r, const struct learn_table_columns *columns,
                  struct learn_table_rows *rows)
{
    rows->x = calloc((size_t)r->held * columns->inputs, sizeof(*rows->x));
    if (rows->x == NULL)
        return atl_error_set(r->err, -ENOMEM, "%s: out of memory for %u rows", r->path, r->held);
    rows->n = r->held;
    for (uint32_t c = 0; c < columns->n; c++) {
        const struct learn_table_column *column = &columns->item[c];
        const struct learn_words *known = &r->field[column->place].known;
        for (uint32_t i = 0; i < r->held; i++) {
            double v = r->cell[(size_t)i * r->fields.n + column->place];
            float *x = rows->x + (size_t)i * columns->inputs;
            if (!column->category)
                learn_table_put_scaled(columns, c, v, x);
            else
                learn_table_put_word(columns, c,
                                     v < known->n
                                         ? learn_table_word(column, known->item[(uint32_t)v].text)
                                         : column->n_words,
                                     x);
        }
    }
    return 0;
}

static int read_rows(struct reading *r, struct learn_table_columns *columns,
                     struct learn_table_rows *rows)
{
    int n = open_fields(r);
    if (n == 0)
        n = pass(r, "looking at the columns", look);
    if (n == 0)
        n = check_kinds(r);
    if (n < 0)
        return n;
    r->room = CELLS_MAX / r->fields.n < ROWS_MAX ? CELLS_MAX / r->fields.n : ROWS_MAX;
    if (r->summary->normal < r->room)
        r->room = (uint32_t)r->summary->normal;
    r->cell = malloc((size_t)r->room * r->fields.n * sizeof(*r->cell));
    if (r->cell == NULL)
        return atl_error_set(r->err, -ENOMEM, "%s: out of memory for %u rows", r->path, r->room);
    n = pass(r, "reading the rows", keep);
    if (n == 0)
        n = choose_columns(r, columns);
    if (n == 0)
        n = note_constants(r, columns);
    return n < 0 ? n : encode(r, columns, rows);
}

int learn_table_read(struct learn_table_columns *ret_columns, struct learn_table_rows *ret_rows,
                     const char *path, const struct learn_table_config *cfg,
                     struct learn_table_summary *summary, struct atl_error *err)
{
    struct reading r = {.path = path, .cfg = cfg, .summary = summary, .err = err};
    struct learn_table_columns columns = {0};
    struct learn_table_rows rows = {0};
    atl_rng_init_seed(&r.rng, cfg->seed);
    int n = read_rows(&r, &columns, &rows);
    for (uint32_t f = 0; r.field != NULL && f < r.fields.n; f++)
        learn_words_finish(&r.field[f].known);
    free(r.field);
    free(r.cell);
    learn_table_fields_finish(&r.fields);
    if (n < 0) {
        learn_table_columns_finish(&columns);
        free(rows.x);
        return n;
    }
    summary->learned = rows.n;
    summary->columns = columns.n;
    summary->inputs = columns.inputs;
    *ret_columns = columns;
    *ret_rows = rows;
    return 0;
}
