/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "learner/table_priv.h"

static const char *const mass_names[LEARN_CONTEXT_FORESTS] = {"table.mass1", "table.mass2",
                                                              "table.mass3"};

static void add_tail(struct learn_extra *extra, const char *name, const struct learn_tail *tail,
                     double numbers[LEARN_TAIL_DOUBLES])
{
    learn_tail_pack(tail, numbers);
    extra->tensor[extra->n_tensors++] = (struct learn_extra_tensor){
        name, "F64", numbers, LEARN_TAIL_DOUBLES * sizeof(double), LEARN_TAIL_DOUBLES};
}

static void add_text(struct learn_extra *extra, const char *key, const char *value)
{
    extra->text[extra->n_texts++] = (struct learn_extra_text){key, value};
}

int learn_table_save(const struct learn_table *table, const char *path, struct atl_error *err)
{
    double tails[2][LEARN_TAIL_DOUBLES];
    struct learn_extra extra = {0};
    char context[64], facts[128];
    char *columns = learn_table_columns_dump(&table->columns);
    if (columns == NULL)
        return atl_error_set(err, -ENOMEM, "%s: out of memory", path);
    add_tail(&extra, "table.context_tail", &table->context_tail, tails[0]);
    add_tail(&extra, "table.tail", &table->tail, tails[1]);
    for (int m = 0; m < LEARN_CONTEXT_FORESTS; m++) {
        uint32_t nodes = table->reference.forest[m]->nodes;
        extra.tensor[extra.n_tensors++] = (struct learn_extra_tensor){
            mass_names[m], "U32", table->reference.mass[m], nodes * sizeof(uint32_t), nodes};
    }
    snprintf(context, sizeof(context), "%u,%u,%u", table->reference.rows, table->reference.depth,
             table->reference.window);
    snprintf(facts, sizeof(facts), "%llu,%llu,%u,%u,%llu", (unsigned long long)table->facts.rows,
             (unsigned long long)table->facts.normal, table->facts.learned, table->facts.held_back,
             (unsigned long long)table->facts.seed);
    add_text(&extra, "table.columns", columns);
    add_text(&extra, "table.context", context);
    add_text(&extra, "table.facts", facts);
    int r = learn_file_save_with(path, table->members, LEARN_TABLE_MEMBERS, &extra, err);
    free(columns);
    return r;
}

struct reader {
    const struct learn_tensors *tensors;
    const char *where;
    struct atl_error *err;
};

static int damaged(const struct reader *reader, const char *what)
{
    return atl_error_set(reader->err, -EBADMSG, "%s: damaged model file: %s", reader->where, what);
}

/* `count` whole numbers and nothing else. */
static bool parse_numbers(const char *text, uint64_t *out, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        char *end;
        if (text == NULL || *text < '0' || *text > '9')
            return false;
        out[i] = strtoull(text, &end, 10);
        if (*end != (i + 1 < count ? ',' : '\0'))
            return false;
        text = end + 1;
    }
    return true;
}

static int read_tail(const struct reader *reader, const char *name, struct learn_tail *tail)
{
    double numbers[LEARN_TAIL_DOUBLES];
    const struct learn_tensor *tensor = learn_tensors_find(reader->tensors, name);
    if (tensor == NULL || strcmp(tensor->dtype, "F64") != 0 || tensor->bytes != sizeof(numbers))
        return damaged(reader, "a tail of the table is missing");
    memcpy(numbers, tensor->data, sizeof(numbers));
    learn_tail_unpack(tail, numbers);
    return learn_tail_ok(tail) ? 0 : damaged(reader, "a tail of the table is out of range");
}

static int read_mass(const struct reader *reader, struct learn_context_reference *reference, int m)
{
    const struct learn_tensor *tensor = learn_tensors_find(reader->tensors, mass_names[m]);
    size_t bytes = reference->forest[m]->nodes * sizeof(uint32_t);
    if (tensor == NULL || strcmp(tensor->dtype, "U32") != 0 || tensor->bytes != bytes)
        return damaged(reader, "the reference of a forest is missing or of another size");
    reference->mass[m] = malloc(bytes);
    if (reference->mass[m] == NULL)
        return atl_error_set(reader->err, -ENOMEM, "%s: out of memory", reader->where);
    memcpy(reference->mass[m], tensor->data, bytes);
    return 0;
}

static int read_context(const struct reader *reader, struct learn_table *table)
{
    struct learn_context_reference *reference = &table->reference;
    uint64_t n[3];
    if (!parse_numbers(learn_tensors_text(reader->tensors, "table.context"), n, 3) || n[0] < 1 ||
        n[0] > UINT32_MAX || n[1] > LEARN_FOREST_DEPTH_MAX || n[2] > LEARN_CONTEXT_WINDOW_MAX)
        return damaged(reader, "table.context out of range");
    reference->rows = (uint32_t)n[0];
    reference->depth = (uint32_t)n[1];
    reference->window = (uint32_t)n[2];
    int r = read_tail(reader, "table.context_tail", &table->context_tail);
    if (r == 0)
        r = read_tail(reader, "table.tail", &table->tail);
    for (int m = 0; m < LEARN_CONTEXT_FORESTS && r == 0; m++)
        r = read_mass(reader, reference, m);
    return r;
}

static int read_facts(const struct reader *reader, struct learn_table *table)
{
    uint64_t n[5];
    const char *columns = learn_tensors_text(reader->tensors, "table.columns");
    if (columns == NULL)
        return atl_error_set(reader->err, -EINVAL,
                             "%s: not the model of a table; 'atalaya train --csv' makes one",
                             reader->where);
    if (!parse_numbers(learn_tensors_text(reader->tensors, "table.facts"), n, 5) ||
        n[2] > UINT32_MAX || n[3] > UINT32_MAX)
        return damaged(reader, "table.facts out of range");
    table->facts = (struct learn_table_facts){n[0], n[1], (uint32_t)n[2], (uint32_t)n[3], n[4]};
    int r = learn_table_columns_parse(&table->columns, columns);
    if (r == -ENOMEM)
        return atl_error_set(reader->err, r, "%s: out of memory", reader->where);
    return r < 0 ? damaged(reader, "table.columns out of range") : 0;
}

/* The members must fit the columns and each other, or scoring would read beyond a row. */
static int take_members(const struct reader *reader, struct learn_table *table,
                        struct learn_named *models, uint32_t n)
{
    uint8_t schema[LEARN_SCHEMA_BYTES];
    if (n != LEARN_TABLE_MEMBERS)
        return damaged(reader, "a table has three models");
    learn_table_columns_hash(&table->columns, schema);
    for (uint32_t m = 0; m < n; m++) {
        const struct learn_model *model = models[m].model;
        if (!model->calibrated || model->forest == NULL ||
            model->shape.n_in != table->columns.inputs ||
            memcmp(model->shape.schema, schema, sizeof(schema)) != 0 ||
            (m > 0 && model->layout.widest != table->members[0].model->layout.widest))
            return damaged(reader, "a model that does not fit the table's columns");
        table->members[m] = models[m];
        models[m].model = NULL;
        table->reference.forest[m] = model->forest;
    }
    return 0;
}

static int read_table(const struct reader *reader, struct learn_table *table, const uint8_t *data,
                      size_t bytes)
{
    struct learn_named models[LEARN_FILE_MODELS_MAX] = {0};
    uint32_t n = 0;
    int r = learn_file_parse(data, bytes, reader->where, models, &n, reader->err);
    if (r < 0)
        return r;
    r = read_facts(reader, table);
    if (r == 0)
        r = take_members(reader, table, models, n);
    for (uint32_t m = 0; m < n; m++)
        learn_model_destroy(models[m].model);
    return r < 0 ? r : read_context(reader, table);
}

int learn_table_parse(struct learn_table **ret_table, const uint8_t *data, size_t bytes,
                      const char *where, struct atl_error *err)
{
    struct learn_tensors *tensors = calloc(1, sizeof(*tensors));
    struct learn_table *table = calloc(1, sizeof(*table));
    int r = tensors != NULL && table != NULL
                ? learn_tensors_parse(tensors, data, bytes, where, err)
                : atl_error_set(err, -ENOMEM, "%s: out of memory", where);
    if (r == 0) {
        const struct reader reader = {tensors, where, err};
        r = read_table(&reader, table, data, bytes);
        learn_tensors_finish(tensors);
    }
    free(tensors);
    if (r < 0) {
        learn_keep_one_line(err);
        learn_table_destroy(table);
        return r;
    }
    *ret_table = table;
    return 0;
}

int learn_table_load(struct learn_table **ret_table, const char *path, struct atl_error *err)
{
    uint8_t *data;
    size_t bytes;
    int r = atl_file_read(path, LEARN_FILE_MAX, &data, &bytes, err);
    if (r < 0)
        return r;
    r = learn_table_parse(ret_table, data, bytes, path, err);
    free(data);
    return r;
}

const struct learn_table_facts *learn_table_get_facts(const struct learn_table *table)
{
    return &table->facts;
}

uint32_t learn_table_n_columns(const struct learn_table *table)
{
    return table->columns.n;
}

const char *learn_table_column_kind(const struct learn_table *table, uint32_t c,
                                    const char **ret_name, uint32_t *ret_words)
{
    const struct learn_table_column *column = &table->columns.item[c];
    *ret_name = column->name;
    *ret_words = column->n_words;
    return column->constant ? "constant" : column->category ? "category" : "number";
}

double learn_table_boundary(const struct learn_table *table)
{
    return table->tail.boundary;
}
