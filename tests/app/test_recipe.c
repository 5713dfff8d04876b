/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "app/recipe_priv.h"

#define ROWS 40

/* Two sites that see the same conversation, one alone and one in a crowd. */
static void what_leaves_does_not_depend_on_other_records(void **state)
{
    (void)state;
    struct feat_context_config cfg = {.seed = 1, .entries_max = 1024};
    struct feat_context *alone, *crowd;
    const struct feat_schema *s = feat_schema_flow();
    struct dp_flow f = {.proto = 6, .dst_port = 443, .first_ns = 1000, .last_ns = 5000};
    float a[FEAT_COLUMNS_MAX] = {0}, b[FEAT_COLUMNS_MAX] = {0};
    f.fwd.packets = 5;
    f.fwd.bytes = 700;
    assert_int_equal(feat_context_create(&alone, &cfg), 0);
    assert_int_equal(feat_context_create(&crowd, &cfg), 0);
    for (int i = 0; i < 50; i++)
        feat_context_row(crowd, &f, b);
    feat_context_row(crowd, &f, b);
    feat_context_row(alone, &f, a);
    feat_scale_row(s, a, a);
    feat_scale_row(s, b, b);
    assert_memory_not_equal(a, b, s->n_columns * sizeof(float));
    recipe_keep_own(VIEW_FLOW, a, 1);
    recipe_keep_own(VIEW_FLOW, b, 1);
    assert_memory_equal(a, b, s->n_columns * sizeof(float));
    assert_true(a[0] > 0); /* the record's own are still there */
    feat_context_destroy(alone);
    feat_context_destroy(crowd);
}

static void every_row_keeps_its_own_columns(void **state)
{
    (void)state;
    const enum view views[] = {VIEW_FLOW, VIEW_HOST};
    for (size_t v = 0; v < ATL_ARRAY_LEN(views); v++) {
        const struct feat_schema *s = view_schema(views[v]);
        float *rows = malloc((size_t)ROWS * s->n_columns * sizeof(*rows));
        for (uint32_t i = 0; i < ROWS * s->n_columns; i++)
            rows[i] = (float)(i + 1);
        recipe_keep_own(views[v], rows, ROWS);
        for (uint32_t i = 0; i < ROWS * s->n_columns; i++)
            assert_true(rows[i] == (i % s->n_columns < s->n_own ? (float)(i + 1) : 0));
        free(rows);
    }
    assert_true(feat_schema_flow()->n_own < feat_schema_flow()->n_columns);
    assert_true(feat_schema_host()->n_own == feat_schema_host()->n_columns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_leaves_does_not_depend_on_other_records),
        cmocka_unit_test(every_row_keeps_its_own_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
