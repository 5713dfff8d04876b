/* SPDX-License-Identifier: Apache-2.0 */
#include "app/app_priv.h"
#include "app/model_rollback_priv.h"
#include "app/options_priv.h"
#include "learner/learner.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char help[] =
    "Usage: atalaya model show MODEL [--json]\n"
    "       atalaya model diff MODEL MODEL [--json]\n"
    "       atalaya model rollback -c FILE\n\n"
    "What a model file holds, or in what two of them differ: shape, columns, origin, boundary, "
    "hash\n"
    "of the parameters. Exit code of diff: 0 when they are the same, 1 when not.\n"
    "rollback gives the model before the last one its place back, in a running edge or, when none\n"
    "runs, in its state folder. Three models are kept; done three times, nothing has changed.\n\n"
    "      --json         one JSON object\n"
    "  -c, --config FILE  rollback: the edge's configuration\n"
    "  -h, --help         this text\n\n"
    "Example: atalaya model show /var/lib/atalaya/model.safetensors\n";

static json_t *describe_model(const struct learn_named *named)
{
    const struct learn_shape *shape = learn_model_shape(named->model);
    uint8_t hash[32];
    char hash_hex[65], schema_hex[2 * LEARN_SCHEMA_BYTES + 1];
    learn_model_hash(named->model, hash);
    atl_hex(hash_hex, hash, sizeof(hash));
    atl_hex(schema_hex, shape->schema, sizeof(shape->schema));
    json_t *widths = json_array();
    json_array_append_new(widths, json_integer(shape->n_in));
    for (uint32_t l = 0; l < shape->n_widths; l++)
        json_array_append_new(widths, json_integer(shape->widths[l]));
    json_array_append_new(widths, json_integer(shape->n_in));
    json_t *o =
        json_pack("{s:s, s:s, s:o, s:i, s:i, s:s, s:s}", "name", named->name, "origin",
                  learn_model_origin(named->model), "shape", widths, "parameters",
                  (int)learn_shape_params(shape), "trees", (int)learn_model_trees(named->model),
                  "hash", hash_hex, "columns_hash", schema_hex);
    double boundary = learn_model_boundary(named->model);
    json_object_set_new(o, "boundary", isfinite(boundary) ? json_real(boundary) : json_null());
    return o;
}

static json_t *describe_table(const struct learn_table *table)
{
    const struct learn_table_facts *facts = learn_table_get_facts(table);
    json_t *columns = json_array();
    for (uint32_t c = 0; c < learn_table_n_columns(table); c++) {
        const char *name, *kind;
        uint32_t words;
        kind = learn_table_column_kind(table, c, &name, &words);
        json_array_append_new(
            columns, json_pack("{s:s, s:s, s:i}", "name", name, "kind", kind, "words", (int)words));
    }
    return json_pack("{s:I, s:I, s:i, s:i, s:I, s:f, s:o}", "rows", (json_int_t)facts->rows,
                     "normal", (json_int_t)facts->normal, "learned",
                     (int)(facts->learned - facts->held_back), "held_back", (int)facts->held_back,
                     "seed", (json_int_t)facts->seed, "boundary", learn_table_boundary(table),
                     "columns", columns);
}

static json_t *describe(const char *path)
{
    struct learn_named models[LEARN_FILE_MODELS_MAX];
    struct learn_table *table;
    struct atl_error err;
    struct stat st;
    uint32_t n;
    if (learn_file_load(path, models, &n, &err) < 0) {
        fprintf(stderr, "atalaya model: %s\n", err.text);
        return NULL;
    }
    json_t *list = json_array();
    for (uint32_t i = 0; i < n; i++) {
        json_array_append_new(list, describe_model(&models[i]));
        learn_model_destroy(models[i].model);
    }
    long long bytes = stat(path, &st) == 0 ? (long long)st.st_size : 0;
    json_t *o = json_pack("{s:i, s:s, s:I, s:o}", "schema", 1, "file", path, "bytes",
                          (json_int_t)bytes, "models", list);
    if (learn_table_load(&table, path, NULL) == 0) {
        json_object_set_new(o, "table", describe_table(table));
        learn_table_destroy(table);
    }
    return o;
}

static void print_value(const json_t *value)
{
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
    printf("%s", json_is_string(value) ? json_string_value(value) : text != NULL ? text : "?");
    free(text);
}

static void print_fields(const json_t *object, const char *indent)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value)
    {
        if (strcmp(key, "columns") == 0 || strcmp(key, "name") == 0)
            continue;
        printf("%s%-13s ", indent, key);
        print_value(value);
        putchar('\n');
    }
}

static void print_show(const json_t *o)
{
    size_t i;
    json_t *entry;
    printf("%s: %lld bytes\n", json_string_value(json_object_get(o, "file")),
           (long long)json_integer_value(json_object_get(o, "bytes")));
    json_array_foreach(json_object_get(o, "models"), i, entry)
    {
        printf("model %s\n", json_string_value(json_object_get(entry, "name")));
        print_fields(entry, "  ");
    }
    const json_t *table = json_object_get(o, "table");
    if (table == NULL)
        return;
    printf("table\n");
    print_fields(table, "  ");
    json_array_foreach(json_object_get(table, "columns"), i, entry)
    {
        long long words = json_integer_value(json_object_get(entry, "words"));
        printf("  %-8s %s", json_string_value(json_object_get(entry, "kind")),
               json_string_value(json_object_get(entry, "name")));
        printf(words > 0 ? " (%lld words)\n" : "\n", words);
    }
}

#define PATH_BYTES 256

static void join(char out[PATH_BYTES], const char *path, const char *key)
{
    snprintf(out, PATH_BYTES, "%.120s%s%.120s", path, *path != '\0' ? "." : "", key);
}

/* Every leaf that is not the same, as path → [a, b]. */
static void compare(const json_t *a, const json_t *b, const char *path, json_t *out)
{
    char below[PATH_BYTES];
    if (json_equal((json_t *)a, (json_t *)b))
        return;
    if (json_is_object(a) && json_is_object(b)) {
        const char *key;
        json_t *value;
        json_object_foreach((json_t *)a, key, value)
        {
            join(below, path, key);
            compare(value, json_object_get(b, key), below, out);
        }
        json_object_foreach((json_t *)b, key, value)
        {
            join(below, path, key);
            if (json_object_get(a, key) == NULL)
                compare(NULL, value, below, out);
        }
        return;
    }
    if (json_is_array(a) && json_is_array(b) && json_array_size(a) == json_array_size(b)) {
        for (size_t i = 0; i < json_array_size(a); i++) {
            char number[24];
            snprintf(number, sizeof(number), "%zu", i + 1);
            join(below, path, number);
            compare(json_array_get(a, i), json_array_get(b, i), below, out);
        }
        return;
    }
    json_object_set_new(out, path, json_pack("[O?, O?]", (json_t *)a, (json_t *)b));
}

static int diff(const json_t *a, const json_t *b, bool json)
{
    json_t *out = json_object(), *value;
    const char *key;
    compare(a, b, "", out);
    json_object_del(out, "file");
    bool same = json_object_size(out) == 0;
    if (json) {
        json_dumpf(out, stdout, JSON_COMPACT);
        putchar('\n');
    } else {
        json_object_foreach(out, key, value)
        {
            printf("%-24s ", key);
            print_value(json_array_get(value, 0));
            printf(" -> ");
            print_value(json_array_get(value, 1));
            putchar('\n');
        }
        if (same)
            printf("the same\n");
    }
    json_decref(out);
    return same ? EXIT_OK : EXIT_FAILED;
}

static int show(const json_t *o, bool json)
{
    if (!json) {
        print_show(o);
        return EXIT_OK;
    }
    json_dumpf(o, stdout, JSON_COMPACT);
    putchar('\n');
    return EXIT_OK;
}

int verb_model(int argc, char **argv)
{
    bool json = false;
    const char *config = NULL;
    const struct options_row rows[] = {
        {"json", 0, OPTIONS_FLAG, .flag = &json},
        {"config", 'c', OPTIONS_TEXT, .text = &config},
    };
    int code = options_read("model", help, rows, ATL_ARRAY_LEN(rows), argc, argv);
    if (code != OPTIONS_GO_ON)
        return code;
    const char *word = optind < argc ? argv[optind] : "";
    int files = argc - optind - 1;
    if (strcmp(word, "rollback") == 0)
        return config != NULL && files == 0 ? model_rollback(config)
                                            : options_usage("model", "rollback takes -c FILE");
    if (strcmp(word, "show") != 0 && strcmp(word, "diff") != 0)
        return options_usage("model", "expected show, diff or rollback, found '%s'", word);
    bool one = strcmp(word, "show") == 0;
    if (files != (one ? 1 : 2))
        return options_usage("model", "%s takes %s", word, one ? "one file" : "two files");
    json_t *a = describe(argv[optind + 1]);
    json_t *b = one || a == NULL ? NULL : describe(argv[optind + 2]);
    int r = EXIT_FAILED;
    if (a != NULL && (one || b != NULL))
        r = one ? show(a, json) : diff(a, b, json);
    json_decref(a);
    json_decref(b);
    return r;
}
