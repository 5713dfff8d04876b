/* SPDX-License-Identifier: Apache-2.0 */
#include "app/app_priv.h"
#include "app/config_priv.h"
#include "app/exporter_priv.h"
#include "bus/bus.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

/* libyaml 0.2.5 itself has no bound on nesting. */
#define DEPTH_MAX      8
#define FILE_MAX_BYTES (1U << 20)
#define PATH_BYTES     160
#define KEYS_MAX       192

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
    bool seen[KEYS_MAX];
    yaml_mark_t where[KEYS_MAX];
    bool role_known;
};

static void problem(struct config_report *r, const yaml_mark_t *mark, const char *fmt, ...)
    ATL_PRINTF(3, 4);

static void problem(struct config_report *r, const yaml_mark_t *mark, const char *fmt, ...)
{
    if (r->n == CONFIG_PROBLEMS_MAX) {
        r->more++;
        return;
    }
    struct config_problem *p = &r->problems[r->n++];
    p->line = mark != NULL ? (uint32_t)mark->line + 1 : 0;
    p->column = mark != NULL ? (uint32_t)mark->column + 1 : 0;
    va_list args;
    va_start(args, fmt);
    vsnprintf(p->text, sizeof(p->text), fmt, args);
    va_end(args);
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

static void unknown_key(struct walk *w, const char *path, const yaml_mark_t *mark)
{
    size_t n;
    const struct config_key *keys = config_keys(&n);
    const char *paths[KEYS_MAX];
    for (size_t i = 0; i < n; i++)
        paths[i] = keys[i].path;
    const char *near = atl_nearest(path, paths, n);
    problem(w->report, mark, "unknown key '%s'%s%s%s", path, near != NULL ? "; did you mean '" : "",
            near != NULL ? near : "", near != NULL ? "'?" : "");
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

static void store(struct walk *w, const char *path, const char *text, const yaml_mark_t *mark)
{
    const struct config_key *key = find_key(path);
    size_t n, index = (size_t)(key - config_keys(&n));
    bool list_item = key->type == CONFIG_LIST;
    if (w->seen[index] && !list_item) {
        problem(w->report, mark, "%s: given twice; first on line %zu", path,
                w->where[index].line + 1);
        return;
    }
    w->seen[index] = true;
    w->where[index] = *mark;
    struct atl_error err;
    if (config_value_parse(key, text, w->cfg, &err) < 0)
        problem(w->report, mark, "%.80s: %.150s", path, err.text);
    else if (strcmp(path, "role") == 0)
        w->role_known = true;
}

static void scalar(struct walk *w, const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    struct level *l = top(w);
    if (l == NULL) {
        problem(w->report, &event->start_mark, "expected 'key: value' lines, found plain text");
        return;
    }
    if (memchr(text, '\0', event->data.scalar.length) != NULL) {
        problem(w->report, &event->start_mark, "expected text without NUL bytes");
        l->awaiting_value = false;
        return;
    }
    if (!l->list && !l->awaiting_value) {
        join(l->key, l->path, text);
        l->key_mark = event->start_mark;
        l->awaiting_value = true;
        if (find_key(l->key) == NULL && !is_section(l->key))
            unknown_key(w, l->key, &event->start_mark);
        return;
    }
    const char *path = l->list ? l->path : l->key;
    const struct config_key *key = find_key(path);
    l->awaiting_value = false;
    if (key == NULL && is_section(path))
        problem(w->report, &event->start_mark, "%s: expected indented keys below it", path);
    if (key == NULL)
        return;
    if ((key->type == CONFIG_LIST) != l->list)
        problem(w->report, &event->start_mark, "%s: expected %s", path,
                l->list ? "one value, not a list" : "a list: one '- item' a line");
    else
        store(w, path, text, &event->start_mark);
}

static int begin(struct walk *w, const yaml_event_t *event, bool list)
{
    struct level *above = top(w);
    if (w->depth == DEPTH_MAX) {
        problem(w->report, &event->start_mark, "expected at most %d nested levels", DEPTH_MAX);
        return -EINVAL;
    }
    struct level *l = &w->levels[w->depth++];
    memset(l, 0, sizeof(*l));
    l->list = list;
    if (above == NULL) {
        if (list)
            problem(w->report, &event->start_mark, "expected 'key: value' lines, found a list");
        return 0;
    }
    if (!above->list && !above->awaiting_value)
        problem(w->report, &event->start_mark, "expected a plain key");
    atl_copy(l->path, sizeof(l->path), above->list ? above->path : above->key);
    above->awaiting_value = false;
    if (!list && find_key(l->path) != NULL)
        problem(w->report, &event->start_mark, "%s: expected a value, found keys below it",
                l->path);
    return 0;
}

/* @return 1 to go on, 0 at the end, -EINVAL to give up */
static int one_event(struct walk *w, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_STREAM_END_EVENT:
        return 0;
    case YAML_ALIAS_EVENT:
        problem(w->report, &event->start_mark, "aliases (*name) are not allowed here");
        if (top(w) != NULL)
            top(w)->awaiting_value = false;
        return 1;
    case YAML_SCALAR_EVENT:
        if (event->data.scalar.anchor != NULL || event->data.scalar.tag != NULL)
            problem(w->report, &event->start_mark,
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
    yaml_mark_t mark = p->problem_mark;
    const char *what = p->problem != NULL ? p->problem : "unreadable";
    bool tab = strstr(what, "cannot start any token") != NULL || strstr(what, "tab ") != NULL;
    problem(w->report, &mark, "not YAML: %s%s", what,
            tab ? " (indent with spaces, not with tabs)" : "");
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

/* --- what only the whole file can tell --- */

static void check_presence(struct walk *w)
{
    size_t n;
    const struct config_key *keys = config_keys(&n);
    unsigned role = 1U << w->cfg->role;
    for (size_t i = 0; i < n; i++) {
        if (keys[i].required && (keys[i].roles & role) && !w->seen[i])
            problem(w->report, NULL, "%s is missing: %s", keys[i].path, keys[i].help);
        if (w->seen[i] && w->role_known && !(keys[i].roles & role))
            problem(w->report, &w->where[i], "%s: not a key of role '%s'", keys[i].path,
                    config_role_name(w->cfg->role));
    }
}

/* Where the file gives this key; NULL when it does not. */
static const yaml_mark_t *mark_of(const struct walk *w, const char *path)
{
    size_t n;
    const struct config_key *keys = config_keys(&n), *key = find_key(path);
    return w->seen[key - keys] ? &w->where[key - keys] : NULL;
}

static const char *or_null(const char *text)
{
    return text[0] != '\0' ? text : NULL;
}

static void check_broker(struct walk *w)
{
    const struct config *c = w->cfg;
    struct bus_config bus;
    struct atl_error err;
    if (c->broker.url[0] == '\0')
        return;
    bus_config_default(&bus);
    bus.url = c->broker.url;
    bus.username = or_null(c->broker.username);
    bus.password = or_null(c->broker.password_file); /* that there is one, not which */
    bus.ca_file = or_null(c->broker.ca);
    bus.cert_file = or_null(c->broker.cert);
    bus.key_file = or_null(c->broker.key);
    if (bus_config_check(&bus, &err) < 0)
        problem(w->report, mark_of(w, "broker.url"), "broker: %.200s", err.text);
}

static void check_export(struct walk *w)
{
    const struct config *c = w->cfg;
    struct exporter_config exporter;
    struct atl_error err;
    config_exporter(c, &exporter);
    if (c->export.to[0] != '\0' && exporter_config_check(&exporter, &err) < 0)
        problem(w->report, mark_of(w, "export.to"), "export: %.200s", err.text);
}

static void check_simulation(struct walk *w)
{
    const struct config *c = w->cfg;
    bool column = c->simulate.partition == 1, file = c->simulate.partition == 0;
    if (c->federation.rounds == 0)
        problem(w->report, mark_of(w, "federation.rounds"),
                "federation.rounds: expected at least 1 in a simulation");
    if (c->simulate.kind == 1 && !file)
        problem(w->report, mark_of(w, "simulate.partition"),
                "simulate.partition: expected file when the data are captures");
    if (c->simulate.kind == 1 && c->simulate.n_attacks == 0)
        problem(w->report, NULL, "simulate.attacks is missing: captures of attacks to measure on");
    if (c->simulate.kind == 0 && c->simulate.label[0] == '\0')
        problem(w->report, NULL, "simulate.label is missing: the column that names the attacks");
    if (c->simulate.kind == 0 && c->simulate.n_normal == 0)
        problem(w->report, NULL, "simulate.normal is missing: the labels of normal rows");
    if (column && (c->simulate.column[0] == '\0' || c->simulate.n_groups == 0))
        problem(w->report, mark_of(w, "simulate.partition"),
                "simulate.partition: column needs simulate.column and simulate.groups");
}

/* Edges and both hubs carry the same two names. */
static void check_hubs(struct walk *w)
{
    const struct config *c = w->cfg;
    const char *hub = c->federation.hub, *standby = c->federation.standby;
    const yaml_mark_t *at = mark_of(w, "federation.hub"),
                      *second = mark_of(w, "federation.standby");
    if (standby[0] != '\0' && strcmp(hub, standby) == 0)
        problem(w->report, second, "federation.standby: expected another node than federation.hub");
    if (c->role == CONFIG_EDGE && (strcmp(hub, c->node) == 0 || strcmp(standby, c->node) == 0))
        problem(w->report, strcmp(hub, c->node) == 0 ? at : second,
                "federation: this node, '%s', is the edge: name the hub's node here", c->node);
    if (c->role != CONFIG_HUB)
        return;
    if (standby[0] != '\0' && hub[0] == '\0')
        problem(w->report, second,
                "federation.hub is missing: with a standby both hubs and all edges name both");
    else if (hub[0] != '\0' && strcmp(hub, c->node) != 0 && strcmp(standby, c->node) != 0)
        problem(w->report, at,
                "federation.hub: expected that it or federation.standby names this node, '%s'",
                c->node);
}

/* What the hub itself would refuse; 'check' and a reload must say so before. */
static void check_rounds(struct walk *w)
{
    const struct config *c = w->cfg;
    uint64_t quorum = c->federation.quorum;
    if (c->role == CONFIG_EDGE)
        return;
    if (c->federation.expected != 0 && c->federation.expected < quorum)
        problem(w->report, mark_of(w, "federation.expected"),
                "federation.expected: expected at least federation.quorum, or 0");
    if (c->federation.cohort != 0 && c->federation.cohort < quorum)
        problem(w->report, mark_of(w, "federation.cohort"),
                "federation.cohort: expected at least federation.quorum, or 0");
    if (c->federation.spread > c->federation.deadline / 2)
        problem(w->report, mark_of(w, "federation.spread"),
                "federation.spread: expected at most half of federation.deadline");
}

static void check_sense(struct walk *w)
{
    const struct config *c = w->cfg;
    check_broker(w);
    check_export(w);
    if (c->flows.detail > c->flows.max)
        problem(w->report, mark_of(w, "flows.detail"), "flows.detail: expected at most flows.max");
    if (c->hosts.step > c->hosts.window)
        problem(w->report, mark_of(w, "hosts.step"), "hosts.step: expected at most hosts.window");
    if (c->role == CONFIG_EDGE && c->capture.backend == 0 && !c->capture.file &&
        strchr(c->capture.device, '/') != NULL)
        problem(w->report, mark_of(w, "capture.device"),
                "capture.device is a path: add 'file: true' to read a capture file");
    bool federated = c->federation.name[0] != '\0';
    if (federated && c->broker.url[0] == '\0')
        problem(w->report, NULL, "broker.url is missing: a federation needs a broker");
    if (federated && c->federation.keys[0] == '\0')
        problem(w->report, NULL, "federation.keys is missing: folder of the nodes' .pub files");
    if (federated && c->role == CONFIG_EDGE && c->federation.hub[0] == '\0')
        problem(w->report, NULL, "federation.hub is missing: name of the hub whose plans count");
    if (!federated && c->role == CONFIG_EDGE && c->federation.hub[0] != '\0')
        problem(w->report, mark_of(w, "federation.hub"),
                "federation.name is missing: without it there is no federation to take part in");
    if (!federated && c->role == CONFIG_HUB)
        problem(w->report, NULL,
                "federation.name is missing: a hub without federation has no work");
    if (c->role == CONFIG_SIMULATE)
        check_simulation(w);
    check_hubs(w);
    check_rounds(w);
}

int config_load(const char *path, struct config *cfg, struct config_report *report)
{
    memset(report, 0, sizeof(*report));
    config_default(cfg, CONFIG_EDGE);
    struct atl_error err;
    uint8_t *data;
    if (atl_file_read(path, FILE_MAX_BYTES, &data, &report->source_bytes, &err) < 0) {
        problem(report, NULL, "%.230s", err.text);
        return -EINVAL;
    }
    report->source = (char *)data;
    crypto_generichash(cfg->digest, sizeof(cfg->digest), data, report->source_bytes, NULL, 0);

    struct walk *w = calloc(1, sizeof(*w));
    if (w == NULL || !yaml_parser_initialize(&w->parser)) {
        free(w);
        problem(report, NULL, "out of memory");
        return -EINVAL;
    }
    w->cfg = cfg;
    w->report = report;
    yaml_parser_set_input_string(&w->parser, data, report->source_bytes);
    walk_file(w);
    check_presence(w);
    if (report->n == 0)
        check_sense(w);
    yaml_parser_delete(&w->parser);
    free(w);
    return report->n > 0 ? -EINVAL : 0;
}

/* --- showing --- */

static void print_line(const struct config_report *r, const struct config_problem *p, FILE *out)
{
    const char *at = r->source, *end = r->source + r->source_bytes;
    for (uint32_t line = 1; line < p->line && at < end; line++) {
        const char *next = memchr(at, '\n', (size_t)(end - at));
        at = next != NULL ? next + 1 : end;
    }
    if (at == end)
        return;
    const char *stop = memchr(at, '\n', (size_t)(end - at));
    int length = (int)((stop != NULL ? stop : end) - at);
    fprintf(out, "  %.*s\n  ", length < 160 ? length : 160, at);
    for (uint32_t i = 1; i < p->column && i < 160; i++)
        fputc(i - 1 < (uint32_t)length && at[i - 1] == '\t' ? '\t' : ' ', out);
    fprintf(out, "^\n");
}

void config_report_print(const struct config_report *r, const char *path, FILE *out)
{
    for (uint32_t i = 0; i < r->n; i++) {
        const struct config_problem *p = &r->problems[i];
        if (p->line == 0) {
            fprintf(out, "%s: %s\n", path, p->text);
            continue;
        }
        fprintf(out, "%s:%u:%u: %s\n", path, p->line, p->column, p->text);
        if (r->source != NULL)
            print_line(r, p, out);
    }
    if (r->more > 0)
        fprintf(out, "%s: and %u more\n", path, r->more);
}

void config_report_finish(struct config_report *r)
{
    free(r->source);
    r->source = NULL;
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
        fprintf(stderr, "%s: role: expected '%s' for this verb\n", path, config_role_name(role));
        code = EXIT_CONFIG;
    }
    config_report_finish(report);
    free(report);
    return code;
}
