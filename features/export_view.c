/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of the host and the link view as text. */
#include "features/features.h"
#include "features/text_priv.h"

#define DIGITS 7 /* of a float */

struct fixed {
    const char *name, *unit;
};

static const struct fixed host_fixed[] = {
    {"first", "s"}, {"last", "s"}, {"address", ""}, {"role", ""}};
static const struct fixed link_fixed[] = {{"first", "s"}, {"interval", "s"}};

static const struct fixed *fixed_of(const struct feat_schema *schema, size_t *ret_n)
{
    bool link = schema == feat_schema_link();
    *ret_n = link ? ATL_ARRAY_LEN(link_fixed) : ATL_ARRAY_LEN(host_fixed);
    return link ? link_fixed : host_fixed;
}

size_t feat_view_header(const struct feat_schema *schema, enum feat_format format, char *out,
                        size_t out_bytes)
{
    struct feat_text t;
    size_t n;
    const struct fixed *fixed = fixed_of(schema, &n);
    feat_text_begin(&t, out, out_bytes);
    if (format != FEAT_CSV)
        return 0;
    for (size_t i = 0; i < n; i++) {
        feat_text_put(&t, fixed[i].name);
        feat_text_char(&t, ',');
    }
    for (uint32_t i = 0; i < schema->n_columns; i++) {
        feat_text_put(&t, schema->columns[i].name);
        feat_text_char(&t, i + 1 < schema->n_columns ? ',' : '\n');
    }
    return t.length;
}

size_t feat_view_units(const struct feat_schema *schema, char *out, size_t out_bytes)
{
    uint8_t hash[FEAT_HASH_BYTES];
    char hex[2 * FEAT_HASH_BYTES + 1];
    struct feat_text t;
    size_t n;
    const struct fixed *fixed = fixed_of(schema, &n);
    feat_text_begin(&t, out, out_bytes);
    feat_schema_hash(schema, hash);
    atl_hex(hex, hash, sizeof(hash));
    feat_text_put(&t, "# schema ");
    feat_text_put(&t, schema->name);
    feat_text_put(&t, " version ");
    feat_text_u64(&t, schema->version);
    feat_text_put(&t, " hash ");
    feat_text_put(&t, hex);
    feat_text_put(&t, "\n# ");
    for (size_t i = 0; i < n; i++) {
        feat_text_put(&t, fixed[i].unit);
        feat_text_char(&t, ',');
    }
    for (uint32_t i = 0; i < schema->n_columns; i++) {
        feat_text_put(&t, schema->columns[i].unit);
        feat_text_char(&t, i + 1 < schema->n_columns ? ',' : '\n');
    }
    return t.length;
}

struct cells {
    struct feat_text text;
    bool json;
    uint32_t at; /* cells written */
};

static void begin_row(struct cells *c, enum feat_format format, char *out, size_t out_bytes)
{
    *c = (struct cells){.json = format == FEAT_JSONL};
    feat_text_begin(&c->text, out, out_bytes);
    if (c->json)
        feat_text_char(&c->text, '{');
}

static void begin_cell(struct cells *c, const char *name)
{
    if (c->at++ > 0)
        feat_text_char(&c->text, ',');
    if (!c->json)
        return;
    feat_text_char(&c->text, '"');
    feat_text_put(&c->text, name);
    feat_text_put(&c->text, "\":");
}

static void put_time(struct cells *c, const char *name, atl_ns ns)
{
    begin_cell(c, name);
    feat_text_time(&c->text, ns);
}

static void put_word(struct cells *c, const char *name, const char *word)
{
    begin_cell(c, name);
    feat_text_put(&c->text, c->json ? "\"" : "");
    feat_text_put(&c->text, word);
    feat_text_put(&c->text, c->json ? "\"" : "");
}

static void put_count(struct cells *c, const char *name, uint64_t n)
{
    begin_cell(c, name);
    feat_text_u64(&c->text, n);
}

static size_t end_row(struct cells *c, const struct feat_schema *schema, uint32_t from,
                      const float *raw)
{
    for (uint32_t i = from; i < schema->n_columns; i++) {
        begin_cell(c, schema->columns[i].name);
        feat_text_number(&c->text, raw[i], DIGITS);
    }
    feat_text_put(&c->text, c->json ? "}\n" : "\n");
    return c->text.length;
}

size_t feat_view_host(enum feat_format format, const struct feat_host_row *row, char *out,
                      size_t out_bytes)
{
    struct cells c;
    char address[DP_ADDR_TEXT_BYTES];
    dp_addr_format(&row->addr, address);
    begin_row(&c, format, out, out_bytes);
    put_time(&c, "first", row->first_ns);
    put_time(&c, "last", row->last_ns);
    put_word(&c, "address", address);
    put_word(&c, "role", row->role == FEAT_SOURCE ? "source" : "target");
    return end_row(&c, feat_schema_host(), 0, row->raw);
}

size_t feat_view_link(enum feat_format format, const struct feat_link_row *row, char *out,
                      size_t out_bytes)
{
    struct cells c;
    begin_row(&c, format, out, out_bytes);
    put_time(&c, "first", row->first_ns);
    put_count(&c, "interval", row->interval_s);
    /* a float does not hold a busy minute to the byte */
    put_count(&c, "packets", row->packets);
    put_count(&c, "bytes", row->bytes);
    return end_row(&c, feat_schema_link(), 2, row->raw);
}
