/* SPDX-License-Identifier: Apache-2.0 */
#include "app/app_priv.h"
#include "app/config_file_priv.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

/* libyaml 0.2.5 itself has no bound on nesting. */
#define DEPTH_MAX      8
#define FILE_MAX_BYTES (1U << 20)
#define PATH_BYTES     160

struct level {
    char path[PATH_BYTES]; /* of this mapping or list */
    bool list;
    bool awaiting_value; /* mapping: `key` was read */
    char key[PATH_BYTES];
    yaml_mark_t key_mark;
};

struct walk {
    yaml_parser_t parser;
    struct level levels[DEPTH_MAX];
    int depth; /* levels in use */
    struct config *cfg;
    struct config_report *report;
    struct config_places places;
    bool role_known, broken; /* broken: no YAML from there on */
};

static struct config_place place_of(const yaml_mark_t *mark)
{
    return (struct config_place){(uint32_t)mark->line + 1, (uint32_t)mark->column + 1};
}

/* --- looking keys up --- */

static const struct config_key *find_key(const char *path)
{
    size_t n;
    const struct config_key *keys = config_keys(&n);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(keys[i].path, path) == 0)
            return &keys[i];
    }
    return NULL;
}

static bool is_section(const char *path)
{
    size_t n, length = strlen(path);
    const struct config_key *keys = config_keys(&n);
    for (size_t i = 0; i < n; i++) {
        if (strncmp(keys[i].path, path, length) == 0 && keys[i].path[length] == '.')
            return true;
    }
    return false;
}

static void unknown_key(struct walk *w, const char *path, struct config_place at)
{
    size_t n;
    const struct config_key *keys = config_keys(&n);
    const char *paths[CONFIG_KEYS_MAX];
    for (size_t i = 0; i < n; i++)
        paths[i] = keys[i].path;
    const char *near = atl_nearest(path, paths, n);
    config_problem(w->report, at, "unknown key '%s'%s%s%s", path,
                   near != NULL ? "; did you mean '" : "", near != NULL ? near : "",
                   near != NULL ? "'?" : "");
}

/* --- the walk --- */

static struct level *top(struct walk *w)
{
    return w->depth > 0 ? &w->levels[w->depth - 1] : NULL;
}

static void join(char out[PATH_BYTES], const char *path, const char *key)
{
    size_t n = strlen(path);
    atl_copy(out, PATH_BYTES, path);
    if (n > 0 && n + 1 < PATH_BYTES)
        out[n++] = '.';
    atl_copy(out + n, PATH_BYTES - n, key);
}

static void store(struct walk *w, const char *path, const char *text, struct config_place at)
{
    const struct config_key *key = find_key(path);
    size_t n, index = (size_t)(key - config_keys(&n));
    bool list_item = key->type == CONFIG_LIST;
    if (w->places.at[index].line != 0 && !list_item) {
        config_problem(w->report, at, "%s: given twice; first on line %u", path,
                       w->places.at[index].line);
        return;
    }
    w->places.at[index] = at;
    struct atl_error err;
    if (config_value_parse(key, text, w->cfg, &err) < 0)
        config_problem(w->report, at, "%.80s: %.150s", path, err.text);
    else if (strcmp(path, "role") == 0)
        w->role_known = true;
}

static void scalar(struct walk *w, const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    struct level *l = top(w);
    if (l == NULL) {
        config_problem(w->report, place_of(&event->start_mark),
                       "expected 'key: value' lines, found plain text");
        return;
    }
    if (memchr(text, '\0', event->data.scalar.length) != NULL) {
        config_problem(w->report, place_of(&event->start_mark), "expected text without NUL bytes");
        l->awaiting_value = false;
        return;
    }
    if (!l->list && !l->awaiting_value) {
        join(l->key, l->path, text);
        l->key_mark = event->start_mark;
        l->awaiting_value = true;
        if (find_key(l->key) == NULL && !is_section(l->key))
            unknown_key(w, l->key, place_of(&event->start_mark));
        return;
    }
    const char *path = l->list ? l->path : l->key;
    const struct config_key *key = find_key(path);
    l->awaiting_value = false;
    if (key == NULL && is_section(path))
        config_problem(w->report, place_of(&event->start_mark),
                       "%s: expected indented keys below it", path);
    if (key == NULL)
        return;
    if ((key->type == CONFIG_LIST) != l->list)
        config_problem(w->report, place_of(&event->start_mark), "%s: expected %s", path,
                       l->list ? "one value, not a list" : "a list: one '- item' a line");
    else
        store(w, path, text, place_of(&event->start_mark));
}

static int begin(struct walk *w, const yaml_event_t *event, bool list)
{
    struct level *above = top(w);
    if (w->depth == DEPTH_MAX) {
        config_problem(w->report, place_of(&event->start_mark), "expected at most %d nested levels",
                       DEPTH_MAX);
        return -EINVAL;
    }
    struct level *l = &w->levels[w->depth++];
    memset(l, 0, sizeof(*l));
    l->list = list;
    if (above == NULL) {
        if (list)
            config_problem(w->report, place_of(&event->start_mark),
                           "expected 'key: value' lines, found a list");
        return 0;
    }
    if (!above->list && !above->awaiting_value)
        config_problem(w->report, place_of(&event->start_mark), "expected a plain key");
    atl_copy(l->path, sizeof(l->path), above->list ? above->path : above->key);
    above->awaiting_value = false;
    if (!list && find_key(l->path) != NULL)
        config_problem(w->report, place_of(&event->start_mark),
                       "%s: expected a value, found keys below it", l->path);
    return 0;
}

/* @return 1 to go on, 0 at the end, -EINVAL to give up */
static int one_event(struct walk *w, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_STREAM_END_EVENT:
        return 0;
    case YAML_ALIAS_EVENT:
        config_problem(w->report, place_of(&event->start_mark),
                       "aliases (*name) are not allowed here");
        if (top(w) != NULL)
            top(w)->awaiting_value = false;
        return 1;
    case YAML_SCALAR_EVENT:
        if (event->data.scalar.anchor != NULL || event->data.scalar.tag != NULL)
            config_problem(w->report, place_of(&event->start_mark),
                           "anchors (&name) and tags (!name) are not allowed");
        scalar(w, event);
        return 1;
    case YAML_MAPPING_START_EVENT:
        return begin(w, event, false) < 0 ? -EINVAL : 1;
    case YAML_SEQUENCE_START_EVENT:
        return begin(w, event, true) < 0 ? -EINVAL : 1;
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        w->depth--;
        return 1;
    default:
        return 1;
    }
}

static void syntax_error(struct walk *w)
{
    const yaml_parser_t *p = &w->parser;
    const char *what = p->problem != NULL ? p->problem : "unreadable";
    bool tab = strstr(what, "cannot start any token") != NULL || strstr(what, "tab ") != NULL;
    config_problem(w->report, place_of(&p->problem_mark), "not YAML: %s%s", what,
                   tab ? " (indent with spaces, not with tabs)" : "");
    w->broken = true;
}

static void walk_file(struct walk *w)
{
    bool more = true;
    while (more) {
        yaml_event_t event;
        if (!yaml_parser_parse(&w->parser, &event)) {
            syntax_error(w);
            return;
        }
        more = one_event(w, &event) == 1;
        yaml_event_delete(&event);
    }
}

static void check_presence(struct walk *w)
{
    size_t n;
    const struct config_key *keys = config_keys(&n);
    unsigned all = (1U << CONFIG_ROLES) - 1, roles = w->role_known ? 1U << w->cfg->role : all;
    for (size_t i = 0; i < n; i++) {
        bool seen = w->places.at[i].line != 0;
        if (keys[i].required && (keys[i].roles & roles) == roles && !seen)
            config_problem(w->report, config_nowhere, "%s is missing: %s", keys[i].path,
                           keys[i].help);
        if (seen && !(keys[i].roles & roles))
            config_problem(w->report, w->places.at[i], "%s: not a key of role '%s'", keys[i].path,
                           config_role_name(w->cfg->role));
    }
}

int config_load(const char *path, struct config *cfg, struct config_report *report)
{
    memset(report, 0, sizeof(*report));
    config_default(cfg, CONFIG_EDGE);
    struct atl_error err;
    uint8_t *data;
    if (atl_file_read(path, FILE_MAX_BYTES, &data, &report->source_bytes, &err) < 0) {
        config_problem(report, config_nowhere, "%.230s", err.text);
        return -EINVAL;
    }
    report->source = (char *)data;
    crypto_generichash(cfg->digest, sizeof(cfg->digest), data, report->source_bytes, NULL, 0);

    struct walk *w = calloc(1, sizeof(*w));
    if (w == NULL || !yaml_parser_initialize(&w->parser)) {
        free(w);
        config_problem(report, config_nowhere, "out of memory");
        return -EINVAL;
    }
    w->cfg = cfg;
    w->report = report;
    yaml_parser_set_input_string(&w->parser, data, report->source_bytes);
    walk_file(w);
    if (!w->broken) /* else what is missing may stand below */
        check_presence(w);
    if (report->n == 0)
        config_check_sense(cfg, &w->places, report);
    yaml_parser_delete(&w->parser);
    free(w);
    return report->n > 0 ? -EINVAL : 0;
}

int config_read(const char *path, enum config_role role, struct config *cfg)
{
    struct config_report *report = calloc(1, sizeof(*report));
    if (report == NULL)
        return EXIT_FAILED;
    int code = EXIT_OK;
    if (config_load(path, cfg, report) < 0) {
        config_report_print(report, path, stderr);
        code = EXIT_CONFIG;
    } else if (cfg->role != role) {
        fprintf(stderr, "%s: role: expected '%s' for this verb, found '%s'\n", path,
                config_role_name(role), config_role_name(cfg->role));
        code = EXIT_CONFIG;
    }
    config_report_finish(report);
    free(report);
    return code;
}
