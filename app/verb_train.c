/* SPDX-License-Identifier: Apache-2.0 */
#include "app/app_priv.h"
#include "app/table_options_priv.h"

#include <jansson.h>
#include <stdio.h>

static const char help[] =
    "Usage: atalaya train --csv FILE [OPTION]… --out MODEL\n\n"
    "Learn what the normal rows of any table look like. FILE is CSV, gzip'ed or not; columns may "
    "be\n"
    "numbers, categories and empty. 'atalaya score' then gives any such table its scores.\n\n"
    "      --csv FILE      the table; read twice, so no pipe\n"
    "      --no-header     the first row is data, not names\n"
    "      --label COL     a column that is no input: by name, or by number from 1\n"
    "      --normal VALUE  learn only from rows with this label; may be given again\n"
    "      --drop COL,…    further columns that are no inputs\n"
    "      --seed N        another number, another start [1]; the same one gives the same model\n"
    "  -o, --out MODEL     write the model here\n"
    "      --json          summary as one JSON object on standard output\n"
    "  -h, --help          this text\n\n"
    "Example: atalaya train --csv flows.csv --label label --normal benign --out "
    "flows.safetensors\n";

struct train {
    struct table_options table;
    const char *out;
    bool json;
};

static int parse(struct train *train, int argc, char **argv)
{
    struct table_options *table = &train->table;
    const struct options_row rows[] = {
        TABLE_OPTIONS(table),
        {"seed", 0, OPTIONS_COUNT, .count = &table->cfg.seed, .max = UINT32_MAX},
        {"out", 'o', OPTIONS_TEXT, .text = &train->out},
        {"json", 0, OPTIONS_FLAG, .flag = &train->json},
    };
    int code = table_options_read(table, help, rows, ATL_ARRAY_LEN(rows), argc, argv);
    if (code != OPTIONS_GO_ON)
        return code;
    if (train->out == NULL)
        return options_usage("train", "--out is missing");
    if (table->cfg.n_normal > 0 && table->cfg.label == NULL)
        return options_usage("train", "--normal needs --label, the column it is found in");
    if (table->cfg.label != NULL && table->cfg.n_normal == 0)
        fprintf(stderr, "atalaya train: note: no --normal: every row counts as normal\n");
    return OPTIONS_GO_ON;
}

static void print(const struct train *train, const struct learn_table *table,
                  const struct learn_table_summary *s, double seconds)
{
    const struct learn_table_facts *facts = learn_table_get_facts(table);
    if (!train->json) {
        fprintf(stderr,
                "%s: %llu rows, %llu of them normal; learned from %u, held back %u; %u columns, "
                "%u inputs; %.1f s\n",
                train->out, (unsigned long long)s->rows, (unsigned long long)s->normal,
                s->learned - facts->held_back, facts->held_back, s->columns, s->inputs, seconds);
        return;
    }
    json_t *o = json_pack("{s:i, s:s, s:I, s:I, s:i, s:i, s:i, s:i, s:I, s:f, s:f}", "schema", 1,
                          "model", train->out, "rows", (json_int_t)s->rows, "normal",
                          (json_int_t)s->normal, "learned", (int)(s->learned - facts->held_back),
                          "held_back", (int)facts->held_back, "columns", (int)s->columns, "inputs",
                          (int)s->inputs, "seed", (json_int_t)facts->seed, "boundary",
                          learn_table_boundary(table), "seconds", seconds);
    json_dumpf(o, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(o);
}

static int run(struct train *train)
{
    struct learn_table *table;
    struct learn_table_summary summary;
    struct atl_error err;
    atl_ns begun_ns = atl_clock_mono_ns();
    int r = learn_table_train(&table, train->table.csv, &train->table.cfg, &summary, &err);
    progress_end(&train->table.progress);
    if (r == 0) {
        r = learn_table_save(table, train->out, &err);
        if (r == 0)
            print(train, table, &summary,
                  (double)(atl_clock_mono_ns() - begun_ns) / (double)ATL_NS_PER_S);
        learn_table_destroy(table);
    }
    if (r < 0)
        fprintf(stderr, "atalaya train: %s\n", err.text);
    return r < 0 ? EXIT_FAILED : EXIT_OK;
}

int verb_train(int argc, char **argv)
{
    struct train train = {.json = false};
    table_options_init(&train.table, "train");
    int code = parse(&train, argc, argv);
    if (code == OPTIONS_GO_ON)
        code = run(&train);
    table_options_finish(&train.table);
    return code;
}
