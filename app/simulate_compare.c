/* SPDX-License-Identifier: Apache-2.0 */
#include "app/app_priv.h"
#include "app/node_priv.h"
#include "app/options_priv.h"
#include "app/simulate_run_priv.h"

#include <errno.h>
#include <math.h>
#include <string.h>

/* What two runs are set side by side by; a path into summary.json or cost.json. */
static const struct row {
    const char *name, *file, *section, *key;
} rows[] = {
    {"edges", "summary", NULL, "edges"},
    {"rounds", "summary", NULL, "rounds"},
    {"committed", "summary", NULL, "commits"},
    {"seed", "summary", NULL, "seed"},
    {"AUC alone", "summary", "auc", "alone"},
    {"AUC federated", "summary", "auc", "federated"},
    {"AUC pooled", "summary", "auc", "pooled"},
    {"AUC worst edge", "summary", "worst", "auc_federated"},
    {"rounds to target", "summary", NULL, "rounds_to_target"},
    {"epsilon", "summary", NULL, "epsilon"},
    {"at delta", "summary", NULL, "delta"},
    {"noise", "summary", NULL, "noise_multiplier"},
    {"bytes up", "summary", NULL, "bytes_up"},
    {"bytes down", "summary", NULL, "bytes_down"},
    {"share of float32", "summary", NULL, "share_of_float32"},
    {"refused", "summary", NULL, "refused"},
    {"spoiled", "summary", NULL, "spoiled"},
    {"hostile counted", "summary", NULL, "hostile_updates_counted"},
    {"processor seconds", "cost", NULL, "cpu_seconds"},
    {"joules", "cost", NULL, "joules"},
};

struct side {
    const char *dir;
    json_t *summary, *cost;
};

static json_t *load_json(const char *dir, const char *name, struct atl_error *err)
{
    char path[SIMULATE_PATH_BYTES];
    json_error_t at;
    snprintf(path, sizeof(path), "%s/%s.json", dir, name);
    json_t *doc = json_load_file(path, 0, &at);
    if (doc == NULL)
        atl_error_set(err, -EINVAL, "%s: %.160s; expected the folder of a finished run", path,
                      at.text);
    return doc;
}

/* What each run has, whatever it was told to do. */
static bool is_summary(const json_t *doc)
{
    return json_is_integer(json_object_get(doc, "rounds")) &&
           json_is_array(json_object_get(doc, "sites"));
}

static int open_side(struct side *side, const char *dir, struct atl_error *err)
{
    side->dir = dir;
    side->summary = load_json(dir, "summary", err);
    if (side->summary != NULL && !is_summary(side->summary))
        return atl_error_set(err, -EINVAL,
                             "%s/summary.json is of no simulation; expected the folder of a "
                             "finished run",
                             dir);
    side->cost = side->summary != NULL ? load_json(dir, "cost", err) : NULL;
    return side->cost != NULL ? 0 : -EINVAL;
}

static double value_of(const struct side *side, const struct row *row)
{
    const json_t *doc = strcmp(row->file, "cost") == 0 ? side->cost : side->summary;
    if (row->section != NULL)
        doc = json_object_get(doc, row->section);
    const json_t *value = json_object_get(doc, row->key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static void print_value(double value)
{
    if (isnan(value))
        printf(" %16s", "-");
    else if (value == rint(value) && fabs(value) < 1e15)
        printf(" %16.0f", value);
    else
        printf(" %16.5g", value);
}

static void print_table(const struct side sides[2])
{
    printf("%-20s %16.16s %16.16s %16s\n", "", sides[0].dir, sides[1].dir, "difference");
    for (size_t i = 0; i < ATL_ARRAY_LEN(rows); i++) {
        double a = value_of(&sides[0], &rows[i]), b = value_of(&sides[1], &rows[i]);
        printf("%-20s", rows[i].name);
        print_value(a);
        print_value(b);
        print_value(b - a);
        putchar('\n');
    }
}

static void print_json(const struct side sides[2])
{
    json_t *doc = json_pack("{s:i, s:[s, s]}", "schema", 1, "runs", sides[0].dir, sides[1].dir);
    for (size_t i = 0; i < ATL_ARRAY_LEN(rows); i++) {
        char key[64];
        snprintf(key, sizeof(key), "%s%s%s", rows[i].section != NULL ? rows[i].section : "",
                 rows[i].section != NULL ? "." : "", rows[i].key);
        json_object_set_new(doc, key,
                            json_pack("[o, o]", node_number(value_of(&sides[0], &rows[i])),
                                      node_number(value_of(&sides[1], &rows[i]))));
    }
    json_dumpf(doc, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
    putchar('\n');
    json_decref(doc);
}

int simulate_compare(int argc, char **argv, const char *help)
{
    struct side sides[2] = {{0}};
    struct atl_error err = {""};
    bool json = false;
    const struct options_row options[] = {{"json", 0, OPTIONS_FLAG, .flag = &json}};
    int code = options_read("simulate compare", help, options, ATL_ARRAY_LEN(options), argc, argv);
    if (code != OPTIONS_GO_ON)
        return code;
    if (argc - optind != 2)
        return options_usage("simulate compare", "expected two folders of runs");
    int r = open_side(&sides[0], argv[optind], &err);
    if (r == 0)
        r = open_side(&sides[1], argv[optind + 1], &err);
    if (r < 0)
        fprintf(stderr, "atalaya simulate compare: %s\n", err.text);
    else if (json)
        print_json(sides);
    else
        print_table(sides);
    for (int i = 0; i < 2; i++) {
        json_decref(sides[i].summary);
        json_decref(sides[i].cost);
    }
    return r < 0 ? EXIT_FAILED : EXIT_OK;
}
