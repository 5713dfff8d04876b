/* SPDX-License-Identifier: Apache-2.0 */
#include "app/recipe_priv.h"
#include "app/replay_priv.h"
#include "app/simulate_data_priv.h"
#include "app/simulate_split_priv.h"
#include "features/features.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KIND_CSV, KIND_CAPTURE };

#define JOINED_MAX_BYTES (1U << 30)

struct load {
    struct simulate_data *data;
    const struct config *cfg;
    struct simulate_split *split;
    struct simulate_rows *into;
    uint32_t inputs;
    uint32_t file;   /* of the training files: the edge, where files are edges */
    bool training;   /* only normal rows count */
    bool all_attack; /* captures of attacks */
    struct atl_error *err;
};

/* --- rows --- */

static int grow(struct simulate_rows *rows, uint32_t inputs)
{
    if (rows->n < rows->room)
        return 0;
    if (rows->n >= SIMULATE_ROWS_MAX)
        return -EFBIG;
    uint32_t room = rows->room < 4096 ? 4096 : 2 * rows->room;
    float *x = realloc(rows->x, (size_t)room * inputs * sizeof(*x));
    if (x != NULL)
        rows->x = x;
    uint32_t *site = realloc(rows->site, room * sizeof(*site));
    if (site != NULL)
        rows->site = site;
    bool *attack = realloc(rows->attack, room * sizeof(*attack));
    if (attack != NULL)
        rows->attack = attack;
    if (x == NULL || site == NULL || attack == NULL)
        return -ENOMEM;
    rows->room = room;
    return 0;
}

static int add_row(struct load *l, const float *x, bool attack, uint32_t site)
{
    int r = grow(l->into, l->inputs);
    if (r < 0)
        return atl_error_set(l->err, r, "simulation: %s",
                             r == -EFBIG ? "more than 8,388,608 rows" : "out of memory");
    memcpy(l->into->x + (size_t)l->into->n * l->inputs, x, l->inputs * sizeof(*x));
    l->into->site[l->into->n] = site;
    l->into->attack[l->into->n++] = attack;
    return 0;
}

static int on_row(void *ctx, const float *x, bool normal, const char *word)
{
    struct load *l = ctx;
    if (l->training && !normal)
        return 0;
    uint32_t site = l->training && simulate_split_by_file(l->split) ? l->file : SIMULATE_NOWHERE;
    int r = simulate_split_site(l->split, word, l->training, &site, l->err);
    return r < 0 ? r : add_row(l, x, !normal, site);
}

static int on_flow(void *ctx, const struct dp_flow *flow)
{
    struct load *l = ctx;
    float x[FEAT_COLUMNS_MAX] = {0}; /* as edges train for others: a record's own columns only */
    feat_flow_vector(flow, x);
    feat_scale_row(feat_schema_flow(), x, x);
    recipe_keep_own(VIEW_FLOW, x, 1);
    return add_row(l, x, l->all_attack, l->training ? l->file : SIMULATE_NOWHERE);
}

static int read_capture(struct load *l, const char *path)
{
    const struct replay_ops ops = {.flow = on_flow, .ctx = l};
    struct dp_counters counters;
    return replay_file(DP_BACKEND_PCAP, DP_KEY_INNER, path, &ops, &counters, l->err);
}

/* --- files --- */

static void finish_paths(glob_t *found)
{
    globfree(found);
    *found = (glob_t){0};
}

static int find_paths(glob_t *found, const char (*items)[CONFIG_PATH_BYTES], uint32_t n,
                      struct atl_error *err)
{
    *found = (glob_t){0};
    for (uint32_t i = 0; i < n; i++) {
        /* What matches nothing stays as it is: opening it says what is wrong. */
        int r = glob(items[i], GLOB_NOCHECK | (i > 0 ? GLOB_APPEND : 0), NULL, found);
        if (r != 0)
            return atl_error_set(err, -EIO, "%.200s: cannot look for files", items[i]);
    }
    return 0;
}

static int append_file(FILE *out, const char *path, bool skip_line, struct atl_error *err)
{
    uint8_t *data;
    size_t bytes;
    int r = atl_file_read(path, JOINED_MAX_BYTES, &data, &bytes, err);
    if (r < 0)
        return r;
    const uint8_t *at = data;
    if (skip_line) {
        const uint8_t *end = memchr(data, '\n', bytes);
        at = end != NULL ? end + 1 : data + bytes;
    }
    size_t left = bytes - (size_t)(at - data);
    bool whole = left == 0 || at[left - 1] == '\n';
    bool good = fwrite(at, 1, left, out) == left && (whole || fputc('\n', out) != EOF);
    free(data);
    return good ? 0 : atl_error_set(err, -EIO, "simulation: cannot write the joined files");
}

/* The columns are those of all edges together, and the reader takes one file. */
static int join(const glob_t *files, bool header, const char *path, struct atl_error *err)
{
    FILE *out = fopen(path, "wb");
    if (out == NULL)
        return atl_error_set(err, -errno, "%s: %s", path, strerror(errno));
    int r = 0;
    for (size_t i = 0; i < files->gl_pathc && r == 0; i++)
        r = append_file(out, files->gl_pathv[i], header && i > 0, err);
    if (fclose(out) != 0 && r == 0)
        r = atl_error_set(err, -EIO, "%s: %s", path, strerror(errno));
    return r;
}

static int choose_shape(struct load *l, const uint8_t hash[LEARN_SCHEMA_BYTES])
{
    struct learn_shape *shape = &l->data->shape;
    uint32_t n = l->cfg->simulate.n_widths;
    learn_shape_default(shape, l->inputs, hash);
    if (n == 0)
        return 0;
    if (n > ATL_ARRAY_LEN(shape->widths))
        return atl_error_set(l->err, -EINVAL, "simulate.widths: at most %zu layers expected",
                             ATL_ARRAY_LEN(shape->widths));
    shape->n_widths = n;
    for (uint32_t i = 0; i < n; i++)
        shape->widths[i] = (uint32_t)strtoul(l->cfg->simulate.widths[i], NULL, 10);
    return learn_shape_check(shape, l->err);
}

/* --- CSV --- */

struct csv_source {
    struct learn_table_config table;
    const char *normal[CONFIG_LIST_MAX], *drop[CONFIG_LIST_MAX];
    struct learn_sheet *sheet;
};

static void csv_config(struct csv_source *s, const struct config *cfg)
{
    for (uint32_t i = 0; i < cfg->simulate.n_normal; i++)
        s->normal[i] = cfg->simulate.normal[i];
    for (uint32_t i = 0; i < cfg->simulate.n_drop; i++)
        s->drop[i] = cfg->simulate.drop[i];
    s->table = (struct learn_table_config){
        .header = cfg->simulate.header,
        .label = cfg->simulate.label,
        .normal = s->normal,
        .n_normal = cfg->simulate.n_normal,
        .drop = s->drop,
        .n_drop = cfg->simulate.n_drop,
        .seed = 1,
    };
}

static int fit_columns(struct load *l, struct csv_source *s, const glob_t *train,
                       const char *scratch)
{
    char joined[CONFIG_PATH_BYTES + 32];
    const char *path = train->gl_pathv[0];
    int r = 0;
    if (train->gl_pathc > 1) {
        snprintf(joined, sizeof(joined), "%s/joined.csv", scratch);
        path = joined;
        r = join(train, s->table.header, joined, l->err);
    }
    if (r == 0)
        r = learn_sheet_fit(&s->sheet, path, &s->table, l->err);
    if (r < 0)
        return r;
    uint8_t hash[LEARN_SCHEMA_BYTES];
    learn_sheet_hash(s->sheet, hash);
    l->inputs = learn_sheet_inputs(s->sheet);
    return choose_shape(l, hash);
}

static int read_csv(struct load *l, const struct csv_source *s, const glob_t *files)
{
    const char *by = l->cfg->simulate.column[0] != '\0' ? l->cfg->simulate.column : NULL;
    int r = 0;
    for (size_t i = 0; i < files->gl_pathc && r == 0; i++) {
        l->file = (uint32_t)i;
        r = learn_sheet_read(s->sheet, files->gl_pathv[i], &s->table, by, on_row, l, l->err);
    }
    return r;
}

static int load_csv(struct load *l, const glob_t *train, const glob_t *test, const char *scratch)
{
    struct csv_source source = {0};
    csv_config(&source, l->cfg);
    int r = fit_columns(l, &source, train, scratch);
    if (r == 0)
        r = read_csv(l, &source, train);
    l->training = false;
    l->into = &l->data->test;
    if (r == 0)
        r = read_csv(l, &source, test);
    learn_sheet_destroy(source.sheet);
    return r;
}

/* --- captures --- */

static int read_captures(struct load *l, const glob_t *files)
{
    int r = 0;
    for (size_t i = 0; i < files->gl_pathc && r == 0; i++) {
        l->file = (uint32_t)i;
        r = read_capture(l, files->gl_pathv[i]);
    }
    return r;
}

static int load_captures(struct load *l, const glob_t *train, const glob_t *test)
{
    const struct feat_schema *schema = feat_schema_flow();
    uint8_t hash[LEARN_SCHEMA_BYTES];
    glob_t attacks;
    feat_schema_hash(schema, hash);
    l->inputs = schema->n_columns;
    int r = choose_shape(l, hash);
    if (r == 0)
        r = read_captures(l, train);
    l->training = false;
    l->into = &l->data->test;
    if (r == 0)
        r = read_captures(l, test);
    l->all_attack = true;
    if (r == 0) {
        r = find_paths(&attacks, l->cfg->simulate.attacks, l->cfg->simulate.n_attacks, l->err);
        if (r == 0)
            r = read_captures(l, &attacks);
        finish_paths(&attacks);
    }
    return r;
}

/* --- all --- */

static int check_measured(const struct simulate_rows *test, struct atl_error *err)
{
    uint32_t attacks = 0;
    for (uint32_t i = 0; i < test->n; i++)
        attacks += test->attack[i];
    if (attacks > 0 && attacks < test->n)
        return 0;
    return atl_error_set(err, -EINVAL,
                         "simulation: of %u test rows %u are attacks; expected some of both",
                         test->n, attacks);
}

static int load(struct load *l, const glob_t *train, const glob_t *test, const char *scratch)
{
    int r = simulate_split_create(&l->split, l->cfg, (uint32_t)train->gl_pathc, l->err);
    if (r == 0)
        r = l->cfg->simulate.kind == KIND_CSV ? load_csv(l, train, test, scratch)
                                              : load_captures(l, train, test);
    if (r == 0)
        r = check_measured(&l->data->test, l->err);
    if (r == 0)
        r = simulate_split_apply(l->split, l->data, l->err);
    simulate_split_destroy(l->split);
    return r;
}

int simulate_data_read(struct simulate_data *data, const struct config *cfg, const char *scratch,
                       struct atl_error *err)
{
    glob_t train, test;
    struct load l = {.data = data, .cfg = cfg, .into = &data->train, .training = true, .err = err};
    *data = (struct simulate_data){0};
    int r = find_paths(&train, cfg->simulate.train, cfg->simulate.n_train, err);
    if (r == 0) {
        r = find_paths(&test, cfg->simulate.test, cfg->simulate.n_test, err);
        if (r == 0)
            r = load(&l, &train, &test, scratch);
        finish_paths(&test);
    }
    finish_paths(&train);
    return r;
}

static void rows_finish(struct simulate_rows *rows)
{
    free(rows->x);
    free(rows->site);
    free(rows->attack);
}

void simulate_data_finish(struct simulate_data *data)
{
    rows_finish(&data->train);
    rows_finish(&data->test);
    free(data->canary);
    free(data->sites);
    *data = (struct simulate_data){0};
}
