/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "learner/dense_priv.h"
#include "learner/table_priv.h"

struct learn_sheet {
    struct learn_table_columns columns;
};

int learn_sheet_fit(struct learn_sheet **ret_sheet, const char *path,
                    const struct learn_table_config *cfg, struct atl_error *err)
{
    struct learn_table_summary summary = {0};
    struct learn_table_rows rows = {0};
    struct learn_sheet *sheet = calloc(1, sizeof(*sheet));
    if (sheet == NULL)
        return atl_error_set(err, -ENOMEM, "%s: out of memory", path);
    int r = learn_table_read(&sheet->columns, &rows, path, cfg, &summary, err);
    free(rows.x);
    if (r < 0) {
        learn_sheet_destroy(sheet);
        return r;
    }
    *ret_sheet = sheet;
    return 0;
}

void learn_sheet_destroy(struct learn_sheet *sheet)
{
    if (sheet == NULL)
        return;
    learn_table_columns_finish(&sheet->columns);
    free(sheet);
}

uint32_t learn_sheet_inputs(const struct learn_sheet *sheet)
{
    return sheet->columns.inputs;
}

void learn_sheet_hash(const struct learn_sheet *sheet, uint8_t out[LEARN_SCHEMA_BYTES])
{
    learn_table_columns_hash(&sheet->columns, out);
}

struct reading {
    const struct learn_table_config *cfg;
    const char *path;
    struct learn_table_encoder encoder;
    uint32_t by; /* field, UINT32_MAX = none */
    uint64_t rows;
    float *x;
    learn_sheet_fn row;
    void *ctx;
    struct atl_error *err;
};

static bool is_normal(const struct reading *s, const struct learn_csv *csv)
{
    uint32_t label = s->encoder.fields.label;
    if (s->cfg->n_normal == 0 || label == UINT32_MAX)
        return true;
    for (uint32_t i = 0; i < s->cfg->n_normal; i++) {
        if (strcmp(learn_csv_field(csv, label), s->cfg->normal[i]) == 0)
            return true;
    }
    return false;
}

static int one_row(struct reading *s, const struct learn_csv *csv)
{
    int r = learn_table_encode(&s->encoder, csv, ++s->rows, s->x, s->err);
    if (r < 0)
        return r;
    return s->row(s->ctx, s->x, is_normal(s, csv),
                  s->by != UINT32_MAX ? learn_csv_field(csv, s->by) : "");
}

static int find_by(struct reading *s, const char *by)
{
    s->by = by != NULL ? learn_table_fields_find(&s->encoder.fields, by) : UINT32_MAX;
    if (by != NULL && s->by == UINT32_MAX)
        return atl_error_set(s->err, -EINVAL, "%s: no column '%.60s' among its %u", s->path, by,
                             s->encoder.fields.n);
    return 0;
}

static int read_all(struct reading *s, const struct learn_sheet *sheet, struct learn_csv *csv,
                    const char *by)
{
    s->x = learn_floats(sheet->columns.inputs);
    if (s->x == NULL)
        return atl_error_set(s->err, -ENOMEM, "%s: out of memory", s->path);
    int r = learn_table_encoder_init(&s->encoder, &sheet->columns, csv, s->path, s->cfg, s->err);
    if (r == 0)
        r = find_by(s, by);
    if (r == 0 && !s->cfg->header)
        r = one_row(s, csv);
    while (r == 0 && (r = learn_csv_next(csv, s->err)) > 0)
        r = one_row(s, csv);
    return r;
}

int learn_sheet_read(const struct learn_sheet *sheet, const char *path,
                     const struct learn_table_config *cfg, const char *by, learn_sheet_fn row,
                     void *ctx, struct atl_error *err)
{
    struct reading s = {.cfg = cfg, .path = path, .row = row, .ctx = ctx, .err = err};
    struct learn_csv *csv;
    int r = learn_csv_open(&csv, path, err);
    if (r < 0)
        return r;
    r = read_all(&s, sheet, csv, by);
    learn_table_encoder_finish(&s.encoder);
    learn_csv_close(csv);
    free(s.x);
    return r;
}
