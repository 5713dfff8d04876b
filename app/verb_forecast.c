/* SPDX-License-Identifier: Apache-2.0 */
/* `atalaya forecast`: what a series was expected to be, row by row. */
#include "app/app_priv.h"
#include "app/options_priv.h"
#include "app/outfile_priv.h"
#include "app/series_priv.h"
#include "learner/learner.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char help[] =
    "Usage: atalaya forecast --csv FILE [--out FILE]\n\n"
    "Read a series (timestamp,value) and write, for each row, what was expected of it from the\n"
    "rows before: timestamp,value,expected,low,high,score. A score of 0.5 and more: something\n"
    "new begins here. Rows of a pipe are answered as they come.\n\n"
    "  -i, --csv FILE         the series, or - for standard input. Stamps are RFC 3339,\n"
    "                         YYYY-MM-DD hh:mm:ss or Unix seconds; an empty value is a gap\n"
    "  -o, --out FILE         write there instead of standard output; appears when complete\n"
    "      --interval SECONDS sampling interval (default: taken from the first rows)\n"
    "      --coverage SHARE   of values that low … high shall hold (default 0.99)\n"
    "      --risk P           mean p-value at the boundary score 0.5 (default 0.005; smaller: "
    "fewer\n"
    "                         alarms)\n"
    "      --state FILE       go on from what an earlier run learned, and keep it there\n"
    "      --json             the summary on standard error as one JSON object\n"
    "  -h, --help             this text\n\n"
    "Example: atalaya forecast --csv link.csv --out link.forecast.csv\n";

#define STATE_BYTES_MAX (64U << 20)

struct request {
    const char *csv, *out, *state;
    struct learn_forecast_config cfg;
    bool json, shaped; /* shaped: an option that saved state would contradict */
};

struct tally {
    uint64_t rows, gaps, steps_back, outside, anomalies;
};

static int parse(int argc, char **argv, struct request *request)
{
    struct learn_forecast_config *cfg = &request->cfg;
    const struct options_row rows[] = {
        {"csv", 'i', OPTIONS_TEXT, .text = &request->csv},
        {"out", 'o', OPTIONS_TEXT, .text = &request->out},
        {"interval", 0, OPTIONS_NUMBER, .number = &cfg->interval_s, .given = &request->shaped},
        {"coverage", 0, OPTIONS_NUMBER, .number = &cfg->coverage, .given = &request->shaped},
        {"risk", 0, OPTIONS_NUMBER, .number = &cfg->risk, .given = &request->shaped},
        {"state", 0, OPTIONS_TEXT, .text = &request->state},
        {"json", 0, OPTIONS_FLAG, .flag = &request->json},
    };
    int code = options_read("forecast", help, rows, ATL_ARRAY_LEN(rows), argc, argv);
    if (code != OPTIONS_GO_ON)
        return code;
    struct atl_error err;
    if (learn_forecast_config_check(&request->cfg, &err) < 0)
        return options_usage("forecast", "%s", err.text);
    if (request->csv == NULL)
        return options_usage("forecast", "--csv is missing");
    return options_no_words("forecast", argc, argv);
}

static int open_forecaster(const struct request *request, struct learn_forecaster **ret_forecaster,
                           struct atl_error *err)
{
    uint8_t *data;
    size_t bytes;
    int r = -ENOENT;
    if (request->state != NULL)
        r = atl_file_read(request->state, STATE_BYTES_MAX, &data, &bytes, err);
    if (r == -ENOENT)
        return learn_forecaster_create(ret_forecaster, &request->cfg, err);
    if (r < 0)
        return r;
    struct atl_error why;
    if (request->shaped)
        r = atl_error_set(&why, -EINVAL,
                          "holds its own settings: leave --interval, --coverage and --risk out");
    else
        r = learn_forecaster_restore(ret_forecaster, data, bytes, &why);
    free(data);
    if (r < 0)
        atl_error_set(err, r, "%s: %s", request->state, why.text);
    return r;
}

static int save_state(const char *path, const struct learn_forecaster *forecaster,
                      struct atl_error *err)
{
    uint8_t *data;
    size_t bytes;
    if (path == NULL)
        return 0;
    if (learn_forecaster_save(forecaster, &data, &bytes) < 0)
        return atl_error_set(err, -ENOMEM, "%s: no memory for the state", path);
    int r = atl_file_write(path, data, bytes, 0600, err);
    free(data);
    return r;
}

static void count(struct tally *tally, const struct series_row *row,
                  const struct learn_forecast_row *said)
{
    tally->rows++;
    tally->gaps += said->gap;
    tally->steps_back += said->clock_stepped;
    tally->outside += !said->gap && (row->value < said->low || row->value > said->high);
    tally->anomalies += said->score >= 0.5;
}

static bool comes_slowly(FILE *stream)
{
    struct stat st;
    return fstat(fileno(stream), &st) != 0 || !S_ISREG(st.st_mode);
}

static int run(struct learn_forecaster *forecaster, struct series_reader *reader,
               struct outfile *out, struct tally *tally, struct atl_error *err)
{
    bool flush = comes_slowly(reader->stream);
    struct series_row row;
    int r;
    fputs("timestamp,value,expected,low,high,score\n", out->stream);
    while ((r = series_read(reader, &row, err)) == 1) {
        struct learn_forecast_row said;
        learn_forecaster_step(forecaster, row.at_s, row.offset_s, row.value, &said);
        fprintf(out->stream, "%s,%s,%.9g,%.9g,%.9g,%.6f\n", row.stamp, row.number, said.expected,
                said.low, said.high, said.score);
        if (flush && fflush(out->stream) != 0)
            break;
        count(tally, &row, &said);
        if (ferror(out->stream))
            break;
    }
    if (ferror(out->stream))
        return atl_error_set(err, -EIO, "cannot write the result: %s", strerror(errno));
    if (r == 0 && tally->rows == 0)
        return atl_error_set(err, -EINVAL, "%s: no rows: expected timestamp,value", reader->name);
    return r;
}

static void print_summary(const struct tally *tally, double interval_s, bool json)
{
    if (!json) {
        fprintf(stderr,
                "%" PRIu64 " rows every %g s, %" PRIu64 " gaps, %" PRIu64
                " steps back in time; %" PRIu64 " outside low … high, %" PRIu64
                " with a score of 0.5 and more\n",
                tally->rows, interval_s, tally->gaps, tally->steps_back, tally->outside,
                tally->anomalies);
        return;
    }
    json_t *object =
        json_pack("{sI sf sI sI sI sI}", "rows", (json_int_t)tally->rows, "interval_s", interval_s,
                  "gaps", (json_int_t)tally->gaps, "clock_steps", (json_int_t)tally->steps_back,
                  "outside", (json_int_t)tally->outside, "anomalies", (json_int_t)tally->anomalies);
    json_dumpf(object, stderr, JSON_COMPACT);
    fputc('\n', stderr);
    json_decref(object);
}

static int forecast(const struct request *request, FILE *in, struct atl_error *err)
{
    struct series_reader reader = {.stream = in,
                                   .name = in == stdin ? "standard input" : request->csv};
    struct learn_forecaster *forecaster;
    struct outfile out;
    struct tally tally = {0};
    int r = open_forecaster(request, &forecaster, err);
    if (r < 0)
        return r;
    r = outfile_open(&out, request->out, err);
    if (r == 0) {
        r = run(forecaster, &reader, &out, &tally, err);
        if (r == 0)
            r = outfile_close(&out, err);
        else
            outfile_discard(&out);
    }
    if (r == 0)
        r = save_state(request->state, forecaster, err);
    if (r == 0)
        print_summary(&tally, learn_forecaster_interval(forecaster), request->json);
    learn_forecaster_destroy(forecaster);
    return r;
}

int verb_forecast(int argc, char **argv)
{
    struct request request = {0};
    learn_forecast_config_default(&request.cfg);
    int code = parse(argc, argv, &request);
    if (code != OPTIONS_GO_ON)
        return code;
    FILE *in = strcmp(request.csv, "-") == 0 ? stdin : fopen(request.csv, "re");
    if (in == NULL) {
        fprintf(stderr, "atalaya forecast: %s: %s\n", request.csv, strerror(errno));
        return EXIT_FAILED;
    }
    struct atl_error err;
    int r = forecast(&request, in, &err);
    if (in != stdin)
        fclose(in);
    if (r < 0)
        fprintf(stderr, "atalaya forecast: %s\n", err.text);
    return r < 0 ? EXIT_FAILED : EXIT_OK;
}
