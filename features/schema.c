/* SPDX-License-Identifier: Apache-2.0 */
#include "features/columns_priv.h"
#include "features/features.h"

#include <math.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define COLUMN(id, name, unit, scale, top, step, formula, source) \
    {name, unit, top, step, FEAT_##scale, formula, source},
#define CONTEXT_COLUMN(id, name, unit, scale, top, step, formula, source, whose, what, life) \
    COLUMN(id, name, unit, scale, top, step, formula, source)

static const struct feat_column flow_columns[] = {FLOW_RECORD_COLUMNS(COLUMN)
                                                      FLOW_CONTEXT_COLUMNS(CONTEXT_COLUMN)};
static const struct feat_column host_columns[] = {HOST_COLUMNS(COLUMN)};

#undef CONTEXT_COLUMN
#undef COLUMN

_Static_assert(ATL_ARRAY_LEN(flow_columns) == FLOW_COLUMN_COUNT, "one row per flow column");
_Static_assert(ATL_ARRAY_LEN(host_columns) == HOST_COLUMN_COUNT, "one row per host column");
_Static_assert(FLOW_COLUMN_COUNT <= FEAT_COLUMNS_MAX && HOST_COLUMN_COUNT <= FEAT_COLUMNS_MAX,
               "rows fit the arrays of feat_host_row");

static const struct feat_schema flow_schema = {"flow", 2, FLOW_COLUMN_COUNT,
                                               FLOW_RECORD_COLUMN_COUNT, flow_columns};
static const struct feat_schema host_schema = {"host", 3, HOST_COLUMN_COUNT, HOST_COLUMN_COUNT,
                                               host_columns};

const struct feat_schema *feat_schema_flow(void)
{
    return &flow_schema;
}

const struct feat_schema *feat_schema_host(void)
{
    return &host_schema;
}

/* Text fields go in with their terminator, so that no two lists of fields join to the same bytes.
 */
static void hash_text(crypto_generichash_state *state, const char *text)
{
    crypto_generichash_update(state, (const uint8_t *)text, strlen(text) + 1);
}

static void hash_number(crypto_generichash_state *state, double number)
{
    char text[32];
    snprintf(text, sizeof(text), "%.17g", number);
    hash_text(state, text);
}

void feat_schema_hash(const struct feat_schema *schema, uint8_t out[FEAT_HASH_BYTES])
{
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, FEAT_HASH_BYTES);
    hash_text(&state, schema->name);
    hash_number(&state, schema->version);
    hash_number(&state, schema->n_own);
    for (uint32_t i = 0; i < schema->n_columns; i++) {
        const struct feat_column *c = &schema->columns[i];
        hash_text(&state, c->name);
        hash_text(&state, c->unit);
        hash_number(&state, c->top);
        hash_number(&state, c->step);
        hash_number(&state, c->scale);
        hash_text(&state, c->formula);
        hash_text(&state, c->source);
    }
    crypto_generichash_final(&state, out, FEAT_HASH_BYTES);
}

static float scale_value(const struct feat_column *c, float v)
{
    if (!(v > 0)) /* also NaN */
        return 0;
    double x = c->scale == FEAT_LINEAR ? v / c->top : log1p(v / c->step) / log1p(c->top / c->step);
    return x < FEAT_CLIP ? (float)x : FEAT_CLIP;
}

void feat_scale_row(const struct feat_schema *schema, const float *raw, float *x)
{
    for (uint32_t i = 0; i < schema->n_columns; i++)
        x[i] = scale_value(&schema->columns[i], raw[i]);
}

double feat_unscale(const struct feat_column *c, float x)
{
    if (!(x > 0))
        return 0;
    bool share = c->scale == FEAT_LINEAR && strcmp(c->unit, "1") == 0;
    double most = share ? 1 : FEAT_CLIP, v = x < most ? x : most;
    return c->scale == FEAT_LINEAR ? v * c->top : c->step * expm1(v * log1p(c->top / c->step));
}
