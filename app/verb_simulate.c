/* SPDX-License-Identifier: Apache-2.0 */
#include "app/app_priv.h"
#include "app/options_priv.h"
#include "app/simulate_measure_priv.h"
#include "app/simulate_run_priv.h"
#include "app/version_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <math.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static const char help[] =
    "Usage: atalaya simulate -c FILE [--out DIR] [--restart]\n"
    "       atalaya simulate compare [--json] DIR DIR\n\n"
    "Run a whole federation in one process over CSV files or captures: edges, hub, ledgers and\n"
    "messages are the daemons' own, without a network. One JSON line a round and a summary go to\n"
    "standard output, a table to standard error. The run's folder holds what it takes to repeat "
    "it,\n"
    "bit for bit; a run that was killed goes on where it stopped. Noise comes from the seed: what\n"
    "comes out is not private.\n\n"
    "  -c, --config FILE  configuration of role simulate (see configs/simulate.yaml)\n"
    "  -o, --out DIR      folder of the run [FILE with .run in place of .yaml]\n"
    "      --restart      begin anew where there is a run already\n"
    "      --json         compare: one JSON object\n"
    "  -h, --help         this text\n\n"
    "Example: atalaya simulate -c configs/simulate.yaml --out /tmp/run\n";

#define SHARED_MEMORY "/dev/shm"

/* --- folders --- */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

/* Only what is ours is taken away: the place in shared memory is known to others. */
static void remove_folder(const char *path)
{
    struct stat st;
    if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid())
        nftw(path, remove_one, 32, FTW_DEPTH | FTW_PHYS);
}

/* Keys, ledgers and messages live as files in memory where there is such a place: nothing of them
 * has to outlive the run, and each is synced as on an edge. */
static int make_scratch(struct simulate_run *run, struct atl_error *err)
{
    char real[PATH_MAX], hex[17];
    uint8_t hash[32];
    if (realpath(run->out, real) == NULL)
        return atl_error_set(err, -errno, "%s: %s", run->out, strerror(errno));
    crypto_generichash(hash, sizeof(hash), (const uint8_t *)real, strlen(real), NULL, 0);
    atl_hex(hex, hash, 8);
    snprintf(run->scratch, sizeof(run->scratch), SHARED_MEMORY "/atalaya-simulate-%u-%s",
             (unsigned)geteuid(), hex);
    remove_folder(run->scratch);
    if (mkdir(run->scratch, 0700) == 0)
        return 0;
    if (snprintf(run->scratch, sizeof(run->scratch), "%s/scratch", run->out) >=
        (int)sizeof(run->scratch))
        return atl_error_set(err, -ENAMETOOLONG, "%s: path too long", run->out);
    remove_folder(run->scratch);
    return atl_dir_make(run->scratch, err);
}

static int lock_folder(struct simulate_run *run, struct atl_error *err)
{
    char path[SIMULATE_PATH_BYTES];
    int r = atl_dir_make(run->out, err);
    if (r < 0)
        return r;
    snprintf(path, sizeof(path), "%s/lock", run->out);
    run->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (run->lock_fd < 0)
        return atl_error_set(err, -errno, "%s: %s", path, strerror(errno));
    if (flock(run->lock_fd, LOCK_EX | LOCK_NB) < 0)
        return atl_error_set(err, -EBUSY, "%s: another simulation works in it", run->out);
    return 0;
}

static const char *const files[] = {"state.json", "rounds.jsonl", "summary.json", "cost.json",
                                    "run.json",   "config.yaml",  "model.bin"};

static void forget_run(const struct simulate_run *run)
{
    char path[SIMULATE_PATH_BYTES];
    for (size_t i = 0; i < ATL_ARRAY_LEN(files); i++) {
        snprintf(path, sizeof(path), "%s/%s", run->out, files[i]);
        remove(path);
    }
}

static bool is_finished(const struct simulate_run *run)
{
    char path[SIMULATE_PATH_BYTES];
    snprintf(path, sizeof(path), "%s/summary.json", run->out);
    return access(path, F_OK) == 0;
}

static int write_text(const struct simulate_run *run, const char *name, const char *text,
                      struct atl_error *err)
{
    char path[SIMULATE_PATH_BYTES];
    snprintf(path, sizeof(path), "%s/%s", run->out, name);
    return atl_file_write(path, text, strlen(text), 0644, err);
}

static int write_json(const struct simulate_run *run, const char *name, const json_t *doc,
                      struct atl_error *err)
{
    char *text = json_dumps(doc, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    if (text == NULL)
        return atl_error_set(err, -ENOMEM, "simulation: out of memory");
    int r = write_text(run, name, text, err);
    free(text);
    return r;
}

static int describe(const struct simulate_run *run, struct atl_error *err)
{
    char digest[17];
    uint8_t *data;
    size_t bytes;
    int r = atl_file_read(run->config_path, 1U << 20, &data, &bytes, err);
    if (r < 0)
        return r;
    r = write_text(run, "config.yaml", (const char *)data, err);
    free(data);
    atl_hex(digest, run->cfg->digest, sizeof(run->cfg->digest));
    json_t *doc =
        json_pack("{s:i, s:s, s:I, s:s, s:I, s:I, s:I}", "schema", 1, "version", ATL_VERSION,
                  "seed", (json_int_t)run->cfg->simulate.seed, "config", digest, "edges",
                  (json_int_t)run->data.n_sites, "train_rows", (json_int_t)run->data.train.n,
                  "test_rows", (json_int_t)run->data.test.n);
    if (r == 0)
        r = write_json(run, "run.json", doc, err);
    json_decref(doc);
    return r;
}

/* --- rounds --- */

static void on_progress(void *ctx, const char *what, double share)
{
    struct simulate_run *run = ctx;
    progress_report(&run->progress, what, share);
}

static int add_line(struct simulate_run *run, const char *line)
{
    size_t n = strlen(line);
    char *lines = realloc(run->lines, run->lines_bytes + n + 2);
    if (lines == NULL)
        return -ENOMEM;
    run->lines = lines;
    memcpy(lines + run->lines_bytes, line, n);
    memcpy(lines + run->lines_bytes + n, "\n", 2);
    run->lines_bytes += n + 1;
    return 0;
}

static int measure(struct simulate_run *run, struct atl_error *err)
{
    const struct simulate_world *w = &run->world;
    if (simulate_measure(&run->data, w->model, &run->auc, NULL) < 0)
        return atl_error_set(err, -ENOMEM, "simulation: out of memory");
    run->epsilon = 0;
    for (uint32_t i = 0; i < w->n_edges; i++)
        run->epsilon = fmax(run->epsilon, priv_ledger_epsilon(w->edges[i].ledger));
    double target = run->cfg->simulate.target_auc;
    if (target > 0 && run->reached == 0 && run->auc >= target)
        run->reached = w->attempt;
    return 0;
}

static int one_round(struct simulate_run *run, struct atl_error *err)
{
    int r = simulate_world_round(&run->world, err);
    if (r == 0)
        r = measure(run, err);
    if (r < 0)
        return r;
    json_t *doc = simulate_report_round(run);
    char *line = json_dumps(doc, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(doc);
    if (line == NULL || add_line(run, line) < 0) {
        free(line);
        return atl_error_set(err, -ENOMEM, "simulation: out of memory");
    }
    progress_end(&run->progress);
    puts(line);
    fflush(stdout);
    free(line);
    simulate_cost_add(run);
    r = write_text(run, "rounds.jsonl", run->lines, err);
    return r < 0 ? r : simulate_state_save(run, err);
}

static int finish_run(struct simulate_run *run, struct atl_error *err)
{
    json_t *summary = NULL;
    char path[SIMULATE_PATH_BYTES];
    int r = simulate_report_summary(run, &summary, err);
    if (r < 0)
        return r;
    simulate_cost_add(run);
    progress_end(&run->progress);
    json_t *cost = simulate_report_cost(&run->spent);
    snprintf(path, sizeof(path), "%s/model.bin", run->out);
    r = atl_file_write(path, run->world.model, run->world.params * sizeof(float), 0644, err);
    if (r == 0)
        r = write_json(run, "cost.json", cost, err);
    if (r == 0)
        r = write_json(run, "summary.json", summary, err);
    json_decref(cost);
    if (r == 0) {
        snprintf(path, sizeof(path), "%s/state.json", run->out);
        remove(path);
        json_t *line = json_pack("{s:O}", "summary", summary);
        json_dumpf(line, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
        putchar('\n');
        json_decref(line);
        simulate_report_table(summary, &run->spent, stderr);
    }
    json_decref(summary);
    return r;
}

static int go(struct simulate_run *run, struct atl_error *err)
{
    int r = make_scratch(run, err);
    if (r == 0)
        r = simulate_data_read(&run->data, run->cfg, run->scratch, err);
    if (r < 0)
        return r;
    run->world_made = true;
    r = simulate_world_init(&run->world, run->cfg, &run->data, run->scratch, err);
    if (r == 0)
        r = simulate_state_load(run, err);
    if (r == 1) {
        fprintf(stderr, "%s: goes on after round %u\n", run->out, (unsigned)run->world.attempt);
        fputs(run->lines, stdout);
        r = 0;
    } else if (r == 0) {
        r = describe(run, err);
    }
    run->world.progress = on_progress;
    run->world.ctx = run;
    while (r == 0 && run->world.attempt < run->cfg->federation.rounds)
        r = one_round(run, err);
    return r < 0 ? r : finish_run(run, err);
}

static void finish(struct simulate_run *run)
{
    progress_end(&run->progress);
    if (run->world_made)
        simulate_world_finish(&run->world);
    simulate_data_finish(&run->data);
    if (run->scratch[0] != '\0')
        remove_folder(run->scratch);
    json_decref(run->charges);
    free(run->lines);
    if (run->lock_fd >= 0)
        close(run->lock_fd);
}

/* --- command line --- */

/* A ledger holds its folder locked: a thousand of them are more than is usual. */
static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void default_out(const char *config_path, char out[CONFIG_PATH_BYTES])
{
    size_t n = strlen(config_path);
    bool yaml = n > 5 && strcmp(config_path + n - 5, ".yaml") == 0;
    snprintf(out, CONFIG_PATH_BYTES, "%.*s.run", (int)(yaml ? n - 5 : n), config_path);
}

static int run_simulation(const char *config_path, const char *out, bool restart)
{
    struct simulate_run *run = calloc(1, sizeof(*run));
    struct config *cfg = calloc(1, sizeof(*cfg));
    struct atl_error err = {""};
    int code = EXIT_FAILED;
    if (run != NULL && cfg != NULL)
        code = config_read(config_path, CONFIG_SIMULATE, cfg);
    if (code != EXIT_OK) {
        free(cfg);
        free(run);
        return code;
    }
    *run = (struct simulate_run){
        .cfg = cfg, .config_path = config_path, .out = out, .lock_fd = -1, .charges = json_array()};
    raise_file_limit();
    progress_begin(&run->progress);
    simulate_cost_begin(run);
    int r = lock_folder(run, &err);
    if (r == 0 && restart)
        forget_run(run);
    if (r == 0 && is_finished(run))
        r = atl_error_set(&err, -EEXIST,
                          "%s holds a finished run; choose another --out, or --restart", out);
    if (r == 0)
        r = go(run, &err);
    finish(run);
    if (r < 0)
        fprintf(stderr, "atalaya simulate: %s\n", err.text);
    free(cfg);
    free(run);
    return r < 0 ? EXIT_FAILED : EXIT_OK;
}

int verb_simulate(int argc, char **argv)
{
    const char *config_path = NULL, *out = NULL;
    char folder[CONFIG_PATH_BYTES];
    bool restart = false, json; /* its results are JSON already */
    const struct options_row rows[] = {
        {"config", 'c', OPTIONS_TEXT, .text = &config_path},
        {"out", 'o', OPTIONS_TEXT, .text = &out},
        {"restart", 0, OPTIONS_FLAG, .flag = &restart},
        {"json", 0, OPTIONS_FLAG, .flag = &json},
    };
    if (argc > 1 && strcmp(argv[1], "compare") == 0)
        return simulate_compare(argc - 1, argv + 1, help);
    int code = options_read("simulate", help, rows, ATL_ARRAY_LEN(rows), argc, argv);
    if (code == OPTIONS_GO_ON)
        code = options_no_words("simulate", argc, argv);
    if (code != OPTIONS_GO_ON)
        return code;
    if (config_path == NULL)
        return options_usage("simulate", "expected -c FILE");
    if (out == NULL)
        default_out(config_path, folder);
    return run_simulation(config_path, out != NULL ? out : folder, restart);
}
