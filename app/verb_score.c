/* SPDX-License-Identifier: Apache-2.0 */
#include "app/app_priv.h"
#include "app/outfile_priv.h"
#include "app/table_options_priv.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

static const char help[] =
    "Usage: atalaya score --csv FILE --model MODEL [OPTION]… [--out SCORES]\n\n"
    "Score every row of a table with a model of 'atalaya train': a header 'score', then one "
    "number\n"
    "from 0 to 1 for each row, in their order; above 0.5 is unlike what was learned. Rows are "
    "judged\n"
    "by themselves and by how many like them are near, so keep them in the order of time.\n\n"
    "      --csv FILE      the table, CSV, gzip'ed or not; same columns as the training table\n"
    "      --model MODEL   what 'atalaya train' wrote\n"
    "      --no-header     the first row is data, not names\n"
    "      --label COL     a column that is no input: by name, or by number from 1\n"
    "      --normal VALUE  accepted and not used, so that the options of training can stay\n"
    "      --drop COL,…    further columns that are no inputs\n"
    "  -o, --out SCORES    write here instead of standard output\n"
    "      --json          summary as one JSON object: on standard output with --out, else on\n"
    "                      standard error\n"
    "  -h, --help          this text\n\n"
    "Nothing is written when a row cannot be read.\n\n"
    "Example: atalaya score --csv today.csv --model flows.safetensors --label label --out s.csv\n";

struct score {
    struct table_options table;
    const char *model, *out;
    bool json;
    FILE *stream;
};

static int parse(struct score *score, int argc, char **argv)
{
    struct table_options *table = &score->table;
    const struct options_row rows[] = {
        TABLE_OPTIONS(table),
        {"model", 0, OPTIONS_TEXT, .text = &score->model},
        {"out", 'o', OPTIONS_TEXT, .text = &score->out},
        {"json", 0, OPTIONS_FLAG, .flag = &score->json},
    };
    int code = table_options_read(table, help, rows, ATL_ARRAY_LEN(rows), argc, argv);
    if (code == OPTIONS_GO_ON && score->model == NULL)
        return options_usage("score", "--model is missing");
    return code;
}

static int write_row(void *ctx, float score, float p_value)
{
    (void)p_value;
    return fprintf(((struct score *)ctx)->stream, "%.9g\n", (double)score) < 0 ? -EIO : 0;
}

/* Standard output gets the scores only when there are all of them. */
static int hand_over(FILE *from, struct atl_error *err)
{
    char block[65536];
    size_t n;
    rewind(from);
    while ((n = fread(block, 1, sizeof(block), from)) > 0) {
        if (fwrite(block, 1, n, stdout) != n)
            return atl_error_set(err, -EIO, "cannot write to standard output: %s", strerror(errno));
    }
    return ferror(from) ? atl_error_set(err, -EIO, "cannot read back what was scored") : 0;
}

static int score_into(struct score *score, const struct learn_table *table,
                      struct learn_table_summary *summary, struct atl_error *err)
{
    fputs("score\n", score->stream);
    int r = learn_table_score(table, score->table.csv, &score->table.cfg, write_row, score, summary,
                              err);
    progress_end(&score->table.progress);
    if (r == -EIO && ferror(score->stream))
        return atl_error_set(err, r, "cannot write the scores: %s", strerror(errno));
    return r;
}

static int score_to_stdout(struct score *score, const struct learn_table *table,
                           struct learn_table_summary *summary, struct atl_error *err)
{
    score->stream = tmpfile();
    if (score->stream == NULL)
        return atl_error_set(err, -errno, "cannot make a temporary file: %s", strerror(errno));
    int r = score_into(score, table, summary, err);
    if (r == 0)
        r = hand_over(score->stream, err);
    fclose(score->stream);
    return r;
}

static int score_to_file(struct score *score, const struct learn_table *table,
                         struct learn_table_summary *summary, struct atl_error *err)
{
    struct outfile out;
    int r = outfile_open(&out, score->out, err);
    if (r < 0)
        return r;
    score->stream = out.stream;
    r = score_into(score, table, summary, err);
    if (r == 0)
        return outfile_close(&out, err);
    outfile_discard(&out);
    return r;
}

static void print(const struct score *score, const struct learn_table_summary *s, double seconds)
{
    FILE *to = score->out != NULL && score->json ? stdout : stderr;
    if (!score->json) {
        fprintf(to, "%s: %llu rows, %llu of them above 0.5; %.1f s\n", score->table.csv,
                (unsigned long long)s->rows, (unsigned long long)s->above, seconds);
        return;
    }
    json_t *o =
        json_pack("{s:i, s:s, s:s, s:I, s:I, s:i, s:i, s:f}", "schema", 1, "csv", score->table.csv,
                  "model", score->model, "rows", (json_int_t)s->rows, "above", (json_int_t)s->above,
                  "columns", (int)s->columns, "inputs", (int)s->inputs, "seconds", seconds);
    json_dumpf(o, to, JSON_COMPACT);
    fputc('\n', to);
    json_decref(o);
}

static int run(struct score *score)
{
    struct learn_table *table;
    struct learn_table_summary summary;
    struct atl_error err;
    atl_ns begun_ns = atl_clock_mono_ns();
    int r = learn_table_load(&table, score->model, &err);
    if (r == 0) {
        r = score->out != NULL ? score_to_file(score, table, &summary, &err)
                               : score_to_stdout(score, table, &summary, &err);
        learn_table_destroy(table);
    }
    if (r < 0) {
        fprintf(stderr, "atalaya score: %s\n", err.text);
        return EXIT_FAILED;
    }
    print(score, &summary, (double)(atl_clock_mono_ns() - begun_ns) / (double)ATL_NS_PER_S);
    return EXIT_OK;
}

int verb_score(int argc, char **argv)
{
    struct score score = {.json = false};
    table_options_init(&score.table, "score");
    int code = parse(&score, argc, argv);
    if (code == OPTIONS_GO_ON)
        code = run(&score);
    table_options_finish(&score.table);
    return code;
}
