/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "learner/table_priv.h"

void learn_table_columns_finish(struct learn_table_columns *columns)
{
    for (uint32_t c = 0; columns->item != NULL && c < columns->n; c++)
        free(columns->item[c].word);
    free(columns->item);
    *columns = (struct learn_table_columns){0};
}

/* Inputs a column takes. */
static uint32_t width_of(const struct learn_table_column *column)
{
    return column->category ? column->n_words + 1 : 1U + column->misses;
}

uint32_t learn_table_number(struct learn_table_columns *columns)
{
    uint32_t at = 0; /* ≤ 512 × 65 */
    for (uint32_t c = 0; c < columns->n; c++) {
        columns->item[c].first = at;
        at += width_of(&columns->item[c]);
    }
    columns->inputs = at + 1;
    return columns->inputs;
}

double learn_signed_log(double value)
{
    return copysign(log1p(fabs(value)), value);
}

enum learn_cell learn_cell_read(const char *text, double *ret_value)
{
    static const char *const missing[] = {"", "?", "na", "n/a", "nan", "-nan", "null", "none"};
    for (size_t i = 0; i < ATL_ARRAY_LEN(missing); i++) {
        if (strcasecmp(text, missing[i]) == 0)
            return LEARN_CELL_MISSING;
    }
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end != '\0')
        return LEARN_CELL_WORD;
    if (!isfinite(value))
        return LEARN_CELL_INFINITE;
    *ret_value = value;
    return LEARN_CELL_NUMBER;
}

void learn_table_copy(char out[LEARN_TABLE_NAME_BYTES], const char *text)
{
    atl_copy(out, LEARN_TABLE_NAME_BYTES, text);
    bool plain = true;
    for (const char *c = out; *c != '\0'; c++)
        plain = plain && (unsigned char)*c < 0x80;
    json_t *probe = plain ? NULL : json_string(out);
    if (plain || probe != NULL) {
        json_decref(probe);
        return;
    }
    for (char *c = out; *c != '\0'; c++) {
        if ((unsigned char)*c >= 0x80)
            *c = '?';
    }
}

uint32_t learn_table_word(const struct learn_table_column *column, const char *text)
{
    char word[LEARN_TABLE_NAME_BYTES];
    learn_table_copy(word, text);
    for (uint32_t w = 0; w < column->n_words; w++) {
        if (strcmp(column->word[w], word) == 0)
            return w;
    }
    return column->n_words;
}

void learn_table_put_number(const struct learn_table_columns *columns, uint32_t c, double value,
                            float *x)
{
    learn_table_put_scaled(columns, c, learn_signed_log(value), x);
}

void learn_table_put_scaled(const struct learn_table_columns *columns, uint32_t c, double value,
                            float *x)
{
    const struct learn_table_column *column = &columns->item[c];
    bool missing = isnan(value);
    double scaled = missing ? 0.0 : (value - column->middle) / column->scale;
    float f = (float)fmax(fmin(scaled, (double)LEARN_TABLE_CLIP), (double)-LEARN_TABLE_CLIP);
    x[column->first] = f;
    if (column->misses)
        x[column->first + 1] = missing ? 1.0F : 0.0F;
    else if (missing)
        x[columns->inputs - 1] = 1.0F;
}

void learn_table_put_word(const struct learn_table_columns *columns, uint32_t c, uint32_t word,
                          float *x)
{
    const struct learn_table_column *column = &columns->item[c];
    for (uint32_t w = 0; w <= column->n_words; w++)
        x[column->first + w] = w == word ? 1.0F : 0.0F;
}

static json_t *describe(const struct learn_table_column *column)
{
    json_t *out = json_pack("{s:s%, s:i, s:b}", "name", column->name, strlen(column->name), "place",
                            (int)column->place, "constant", column->constant);
    if (!column->category) {
        json_object_set_new(out, "middle", json_real(column->middle));
        json_object_set_new(out, "scale", json_real(column->scale));
        json_object_set_new(out, "misses", json_boolean(column->misses));
        return out;
    }
    json_t *words = json_array();
    for (uint32_t w = 0; w < column->n_words; w++)
        json_array_append_new(words, json_string(column->word[w]));
    json_object_set_new(out, "words", words);
    return out;
}

char *learn_table_columns_dump(const struct learn_table_columns *columns)
{
    json_t *list = json_array();
    for (uint32_t c = 0; c < columns->n; c++)
        json_array_append_new(list, describe(&columns->item[c]));
    json_t *root = json_pack("{s:b, s:i, s:o}", "header", columns->header, "file_columns",
                             (int)columns->file_columns, "columns", list);
    char *text =
        root != NULL && json_array_size(list) == columns->n ? json_dumps(root, JSON_COMPACT) : NULL;
    json_decref(root);
    return text;
}

static int parse_words(struct learn_table_column *column, const json_t *words)
{
    size_t n = json_array_size(words);
    if (n > LEARN_TABLE_WORDS_MAX)
        return -EBADMSG;
    column->category = true;
    column->n_words = (uint32_t)n;
    column->word = calloc(n > 0 ? n : 1, sizeof(*column->word));
    if (column->word == NULL)
        return -ENOMEM;
    for (size_t w = 0; w < n; w++) {
        const char *word = json_string_value(json_array_get(words, w));
        if (word == NULL || !atl_copy(column->word[w], LEARN_TABLE_NAME_BYTES, word))
            return -EBADMSG;
    }
    return 0;
}

static int parse_column(struct learn_table_column *column, const json_t *entry,
                        uint32_t file_columns)
{
    const char *name = json_string_value(json_object_get(entry, "name"));
    json_int_t place = json_integer_value(json_object_get(entry, "place"));
    if (name == NULL || !atl_copy(column->name, sizeof(column->name), name) ||
        !json_is_integer(json_object_get(entry, "place")) || place < 0 || place >= file_columns)
        return -EBADMSG;
    column->place = (uint32_t)place;
    column->constant = json_is_true(json_object_get(entry, "constant"));
    const json_t *words = json_object_get(entry, "words");
    if (json_is_array(words))
        return parse_words(column, words);
    column->middle = json_number_value(json_object_get(entry, "middle"));
    column->scale = json_number_value(json_object_get(entry, "scale"));
    column->misses = json_is_true(json_object_get(entry, "misses"));
    return isfinite(column->middle) && isnormal(column->scale) && column->scale > 0 ? 0 : -EBADMSG;
}

static int parse_root(struct learn_table_columns *columns, const json_t *root)
{
    const json_t *list = json_object_get(root, "columns");
    json_int_t fields = json_integer_value(json_object_get(root, "file_columns"));
    size_t n = json_array_size(list);
    if (n < 1 || n > LEARN_TABLE_COLUMNS_MAX || fields < (json_int_t)n ||
        fields > LEARN_CSV_FIELDS_MAX)
        return -EBADMSG;
    columns->header = json_is_true(json_object_get(root, "header"));
    columns->file_columns = (uint32_t)fields;
    columns->n = (uint32_t)n;
    columns->item = calloc(n, sizeof(*columns->item));
    if (columns->item == NULL)
        return -ENOMEM;
    int r = 0;
    for (size_t c = 0; c < n && r == 0; c++)
        r = parse_column(&columns->item[c], json_array_get(list, c), columns->file_columns);
    if (r == 0 && learn_table_number(columns) > LEARN_INPUTS_MAX)
        r = -EBADMSG;
    return r;
}

int learn_table_columns_parse(struct learn_table_columns *ret_columns, const char *text)
{
    json_error_t at;
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &at);
    struct learn_table_columns columns = {0};
    int r = parse_root(&columns, root);
    json_decref(root);
    if (r < 0) {
        learn_table_columns_finish(&columns);
        return r;
    }
    *ret_columns = columns;
    return 0;
}

static void hash_text(crypto_generichash_state *state, const char *text)
{
    crypto_generichash_update(state, (const uint8_t *)text, strlen(text) + 1);
}

/* What the inputs mean, not how they are scaled: two models of the same columns share it. */
void learn_table_columns_hash(const struct learn_table_columns *columns,
                              uint8_t out[LEARN_SCHEMA_BYTES])
{
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, LEARN_SCHEMA_BYTES);
    for (uint32_t c = 0; c < columns->n; c++) {
        const struct learn_table_column *column = &columns->item[c];
        hash_text(&state, column->name);
        hash_text(&state, column->category ? "category" : column->misses ? "number?" : "number");
        for (uint32_t w = 0; w < column->n_words; w++)
            hash_text(&state, column->word[w]);
    }
    crypto_generichash_final(&state, out, LEARN_SCHEMA_BYTES);
}
