/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "learner/table_priv.h"

#define PLACE_NONE UINT32_MAX

/* --- which field is which column --- */

static int place_by_name(struct learn_table_encoder *s, struct atl_error *err)
{
    const struct learn_table_columns *columns = s->columns;
    for (uint32_t c = 0; c < columns->n; c++) {
        s->place[c] = PLACE_NONE;
        for (uint32_t f = 0; f < s->fields.n; f++) {
            if (strcmp(s->fields.name[f], columns->item[c].name) == 0)
                s->place[c] = f;
        }
        if (s->place[c] == PLACE_NONE)
            return atl_error_set(err, -EINVAL,
                                 "%s: no column '%.60s', which the model needs: another table%s",
                                 s->path, columns->item[c].name,
                                 columns->header ? "" : " (the model was learned without names)");
    }
    return 0;
}

/* As in the training file; or only the model's own columns, in their order. */
static int place_by_number(struct learn_table_encoder *s, struct atl_error *err)
{
    const struct learn_table_columns *columns = s->columns;
    bool whole = s->fields.n == columns->file_columns;
    if (!whole && s->fields.n != columns->n)
        return atl_error_set(
            err, -EINVAL,
            "%s: %u columns, but the model was learned from %u (%u of them inputs): "
            "another table",
            s->path, s->fields.n, columns->file_columns, columns->n);
    for (uint32_t c = 0; c < columns->n; c++)
        s->place[c] = whole ? columns->item[c].place : c;
    return 0;
}

static int place_columns(struct learn_table_encoder *s, bool header, struct atl_error *err)
{
    const struct learn_table_columns *columns = s->columns;
    s->place = calloc(columns->n, sizeof(*s->place));
    if (s->place == NULL)
        return atl_error_set(err, -ENOMEM, "%s: out of memory", s->path);
    int r = header && columns->header ? place_by_name(s, err) : place_by_number(s, err);
    for (uint32_t c = 0; c < columns->n && r == 0; c++) {
        if (!s->fields.used[s->place[c]])
            r = atl_error_set(
                err, -EINVAL,
                "%s: column '%.60s' is dropped or the label here, but the model needs "
                "it",
                s->path, columns->item[c].name);
    }
    return r;
}

/* --- a row --- */

static int bad_cell(const struct learn_table_encoder *s, const struct learn_csv *csv, uint64_t row,
                    uint32_t c, const char *what, struct atl_error *err)
{
    return atl_error_set(err, -EBADMSG, "%s: row %llu (line %llu), column '%.60s': %s '%.40s'",
                         s->path, (unsigned long long)row, (unsigned long long)learn_csv_line(csv),
                         s->columns->item[c].name, what, learn_csv_field(csv, s->place[c]));
}

int learn_table_encode(const struct learn_table_encoder *s, const struct learn_csv *csv,
                       uint64_t row, float *x, struct atl_error *err)
{
    int r = learn_table_ragged(csv, s->path, row, s->fields.n, err);
    if (r < 0)
        return r;
    const struct learn_table_columns *columns = s->columns;
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
            return bad_cell(s, csv, row, c, "a number expected, found", err);
        case LEARN_CELL_INFINITE:
            return bad_cell(s, csv, row, c, "a finite number expected, found", err);
        case LEARN_CELL_NUMBER:
        case LEARN_CELL_MISSING:
            break;
        }
        learn_table_put_number(columns, c, value, x);
    }
    return 0;
}

int learn_table_encoder_init(struct learn_table_encoder *encoder,
                             const struct learn_table_columns *columns, struct learn_csv *csv,
                             const char *path, const struct learn_table_config *cfg,
                             struct atl_error *err)
{
    *encoder = (struct learn_table_encoder){.columns = columns, .path = path};
    int r = learn_table_fields_read(&encoder->fields, csv, path, cfg, err);
    return r < 0 ? r : place_columns(encoder, cfg->header, err);
}

void learn_table_encoder_finish(struct learn_table_encoder *encoder)
{
    learn_table_fields_finish(&encoder->fields);
    free(encoder->place);
    encoder->place = NULL;
}
