/* SPDX-License-Identifier: Apache-2.0 */
#include "app/schema_print_priv.h"
#include "features/features.h"

#include <jansson.h>

typedef const struct feat_schema *(*schema_get)(void);

static const schema_get views[] = {feat_schema_flow, feat_schema_host, feat_schema_link};

static const char *scale_name(enum feat_scale scale)
{
    return scale == FEAT_LINEAR ? "linear" : "log";
}

static void hash_text(const struct feat_schema *s, char out[2 * FEAT_HASH_BYTES + 1])
{
    uint8_t hash[FEAT_HASH_BYTES];
    feat_schema_hash(s, hash);
    atl_hex(out, hash, sizeof(hash));
}

static void print_text(const struct feat_schema *s, FILE *out)
{
    char hash[2 * FEAT_HASH_BYTES + 1];
    hash_text(s, hash);
    fprintf(out, "view %s, version %u, %u columns, hash %s\n\n", s->name, s->version, s->n_columns,
            hash);
    fprintf(out, "%-20s %-10s %-14s %-7s %-50s %s\n", "name", "unit", "range", "scale", "formula",
            "source");
    for (uint32_t i = 0; i < s->n_columns; i++) {
        const struct feat_column *c = &s->columns[i];
        char range[32];
        snprintf(range, sizeof(range), "0 ... %g", c->top);
        fprintf(out, "%-20s %-10s %-14s %-7s %-50s %s\n", c->name, c->unit, range,
                scale_name(c->scale), c->formula, c->source);
    }
}

static json_t *column_json(const struct feat_column *c)
{
    json_t *column = json_pack("{s:s, s:s, s:[i, f], s:s, s:s, s:s}", "name", c->name, "unit",
                               c->unit, "range", 0, c->top, "scale", scale_name(c->scale),
                               "formula", c->formula, "source", c->source);
    if (c->scale == FEAT_LOG)
        json_object_set_new(column, "step", json_real(c->step));
    return column;
}

static json_t *schema_json(const struct feat_schema *s)
{
    char hash[2 * FEAT_HASH_BYTES + 1];
    json_t *columns = json_array();
    hash_text(s, hash);
    for (uint32_t i = 0; i < s->n_columns; i++) {
        json_t *column = column_json(&s->columns[i]);
        if (s == feat_schema_flow() && feat_ipfix_element(i) != 0)
            json_object_set_new(column, "ipfix_element", json_integer(feat_ipfix_element(i)));
        json_array_append_new(columns, column);
    }
    return json_pack("{s:s, s:i, s:s, s:o}", "name", s->name, "version", (int)s->version, "hash",
                     hash, "columns", columns);
}

int schema_print(bool json, FILE *out)
{
    if (!json) {
        for (size_t i = 0; i < ATL_ARRAY_LEN(views); i++) {
            if (i > 0)
                fputc('\n', out);
            print_text(views[i](), out);
        }
        return ferror(out) ? -1 : 0;
    }
    json_t *list = json_array();
    for (size_t i = 0; i < ATL_ARRAY_LEN(views); i++)
        json_array_append_new(list, schema_json(views[i]()));
    json_t *doc = json_pack("{s:i, s:o}", "schema", 1, "views", list);
    int r = json_dumpf(doc, out, JSON_INDENT(2));
    fputc('\n', out);
    json_decref(doc);
    return r == 0 && !ferror(out) ? 0 : -1;
}
