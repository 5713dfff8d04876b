/* SPDX-License-Identifier: Apache-2.0 */
#include "app/simulate_run_priv.h"
#include "app/version_priv.h"

#include <dirent.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_MAX_BYTES  (16U << 20)
#define STATE_MAX_BYTES (64U << 20)
#define HUB_FILES_MAX   16

/* --- bytes in JSON --- */

static json_t *bytes_json(const void *data, size_t bytes)
{
    size_t room = sodium_base64_encoded_len(bytes, sodium_base64_VARIANT_ORIGINAL);
    char *text = malloc(room);
    if (text == NULL)
        return NULL;
    sodium_bin2base64(text, room, data, bytes, sodium_base64_VARIANT_ORIGINAL);
    json_t *value = json_string(text);
    free(text);
    return value;
}

/* malloc'ed, NULL when it is not such text */
static uint8_t *json_bytes(const json_t *value, size_t *ret_bytes)
{
    const char *text = json_string_value(value);
    size_t length = text != NULL ? strlen(text) : 0;
    uint8_t *data = text != NULL ? malloc(length + 1) : NULL;
    if (data != NULL && sodium_base642bin(data, length + 1, text, length, NULL, ret_bytes, NULL,
                                          sodium_base64_VARIANT_ORIGINAL) != 0) {
        free(data);
        data = NULL;
    }
    return data;
}

/* --- the hub's files --- */

static int save_file(json_t *files, const char *dir, const char *name, struct atl_error *err)
{
    char path[CONFIG_PATH_BYTES + 320];
    struct stat st;
    uint8_t *data;
    size_t bytes;
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
        return 0;
    int r = atl_file_read(path, FILE_MAX_BYTES, &data, &bytes, err);
    if (r < 0)
        return r;
    json_object_set_new(files, name, bytes_json(data, bytes));
    free(data);
    return 0;
}

static int save_hub(json_t *files, const char *dir, struct atl_error *err)
{
    DIR *folder = opendir(dir);
    if (folder == NULL)
        return atl_error_set(err, -errno, "%s: %s", dir, strerror(errno));
    const struct dirent *entry;
    int r = 0;
    while (r == 0 && (entry = readdir(folder)) != NULL)
        r = save_file(files, dir, entry->d_name, err);
    closedir(folder);
    return r;
}

static int load_hub(const json_t *files, const char *dir, struct atl_error *err)
{
    const char *name;
    json_t *value;
    int r = atl_dir_make(dir, err);
    json_object_foreach((json_t *)(uintptr_t)files, name, value)
    {
        char path[CONFIG_PATH_BYTES + 320];
        size_t bytes;
        uint8_t *data = strchr(name, '/') == NULL ? json_bytes(value, &bytes) : NULL;
        if (data == NULL)
            return -EBADMSG;
        snprintf(path, sizeof(path), "%s/%.255s", dir, name);
        r = r < 0 ? r : atl_file_write(path, data, bytes, 0600, err);
        free(data);
    }
    return r;
}

/* --- what was charged: the ledgers are written anew from it --- */

static void note_charges(struct simulate_run *run)
{
    const struct simulate_world *w = &run->world;
    uint8_t bits[(SIMULATE_EDGES_MAX + 7) / 8] = {0};
    char hex[2 * sizeof(bits) + 1];
    for (uint32_t i = 0; i < w->n_edges; i++)
        bits[i / 8] |= (uint8_t)(w->edges[i].charged << (i % 8));
    atl_hex(hex, bits, (w->n_edges + 7) / 8);
    json_array_append_new(run->charges, json_pack("[I, I, s]", (json_int_t)w->info->epoch,
                                                  (json_int_t)w->info->round, hex));
}

static int charge_again(struct simulate_run *run, const json_t *entry, struct atl_error *err)
{
    struct simulate_world *w = &run->world;
    uint8_t bits[(SIMULATE_EDGES_MAX + 7) / 8];
    json_int_t epoch, round;
    const char *hex;
    size_t got;
    if (json_unpack((json_t *)(uintptr_t)entry, "[I, I, s]", &epoch, &round, &hex) < 0 ||
        sodium_hex2bin(bits, sizeof(bits), hex, strlen(hex), NULL, &got, NULL) != 0 ||
        got < (w->n_edges + 7) / 8)
        return -EBADMSG;
    struct priv_charge charge = {.event = {.mechanism = PRIV_POISSON_GAUSSIAN,
                                           .q = w->hub_cfg.sample_rate,
                                           .sigma = w->hub_cfg.noise_multiplier,
                                           .steps = w->hub_cfg.steps},
                                 .epoch = (uint64_t)epoch,
                                 .round = (uint64_t)round};
    atl_copy(charge.federation, sizeof(charge.federation), w->hub_cfg.federation);
    int r = 0;
    for (uint32_t i = 0; i < w->n_edges && r == 0; i++)
        if (bits[i / 8] >> (i % 8) & 1)
            r = priv_ledger_charge(w->edges[i].ledger, &charge, err);
    return r;
}

/* --- all --- */

static json_t *totals_json(const struct simulate_totals *t)
{
    return json_pack("[I, I, I, I, I, I, I, I]", (json_int_t)t->bytes_up, (json_int_t)t->bytes_down,
                     (json_int_t)t->updates, (json_int_t)t->update_bytes, (json_int_t)t->refused,
                     (json_int_t)t->spoiled, (json_int_t)t->commits, (json_int_t)t->hostile_votes);
}

static int totals_load(struct simulate_totals *t, json_t *value)
{
    uint64_t *const places[] = {&t->bytes_up, &t->bytes_down, &t->updates, &t->update_bytes,
                                &t->refused,  &t->spoiled,    &t->commits, &t->hostile_votes};
    if (json_array_size(value) != ATL_ARRAY_LEN(places))
        return -EBADMSG;
    for (size_t i = 0; i < ATL_ARRAY_LEN(places); i++)
        *places[i] = (uint64_t)json_integer_value(json_array_get(value, i));
    return 0;
}

static void state_path(const struct simulate_run *run, char out[SIMULATE_PATH_BYTES])
{
    snprintf(out, SIMULATE_PATH_BYTES, "%s/state.json", run->out);
}

int simulate_state_save(struct simulate_run *run, struct atl_error *err)
{
    const struct simulate_world *w = &run->world;
    char path[SIMULATE_PATH_BYTES], digest[17];
    json_t *hub = json_object();
    note_charges(run);
    int r = save_hub(hub, w->hub_dir, err);
    atl_hex(digest, run->cfg->digest, sizeof(run->cfg->digest));
    json_t *doc = json_pack(
        "{s:s, s:s, s:I, s:o, s:O, s:o, s:o, s:s, s:I, s:[f, f, f, I], s:I, s:f, s:f}", "version",
        ATL_VERSION, "config", digest, "attempt", (json_int_t)w->attempt, "hub", hub, "charges",
        run->charges, "model", bytes_json(w->model, w->params * sizeof(*w->model)), "totals",
        totals_json(&w->totals), "lines", run->lines != NULL ? run->lines : "", "now",
        (json_int_t)w->now_ns, "cost", run->spent.cpu_s, run->spent.wall_s, run->spent.joules,
        (json_int_t)run->spent.rss_kib, "reached", (json_int_t)run->reached, "auc", run->auc,
        "epsilon", run->epsilon);
    char *text = r == 0 && doc != NULL ? json_dumps(doc, JSON_COMPACT) : NULL;
    json_decref(doc);
    if (text == NULL)
        return r < 0 ? r : atl_error_set(err, -ENOMEM, "simulation: out of memory");
    state_path(run, path);
    r = atl_file_write(path, text, strlen(text), 0600, err);
    free(text);
    return r;
}

static int take(struct simulate_run *run, json_t *doc, struct atl_error *err)
{
    struct simulate_world *w = &run->world;
    json_int_t attempt, now, rss, reached;
    json_t *hub, *charges, *model, *totals, *entry;
    const char *lines;
    size_t bytes = 0, i;
    if (json_unpack(doc, "{s:I, s:o, s:o, s:o, s:o, s:s, s:I, s:[F, F, F, I], s:I, s:F, s:F}",
                    "attempt", &attempt, "hub", &hub, "charges", &charges, "model", &model,
                    "totals", &totals, "lines", &lines, "now", &now, "cost", &run->spent.cpu_s,
                    &run->spent.wall_s, &run->spent.joules, &rss, "reached", &reached, "auc",
                    &run->auc, "epsilon", &run->epsilon) < 0)
        return -EBADMSG;
    uint8_t *params = json_bytes(model, &bytes);
    int r = params != NULL && bytes == w->params * sizeof(*w->model) ? 0 : -EBADMSG;
    if (r == 0)
        memcpy(w->model, params, bytes);
    free(params);
    if (r == 0)
        r = totals_load(&w->totals, totals);
    if (r == 0)
        r = load_hub(hub, w->hub_dir, err);
    json_array_foreach(charges, i, entry)
    {
        if (r == 0)
            r = charge_again(run, entry, err);
    }
    if (r < 0)
        return r;
    run->lines = strdup(lines);
    run->lines_bytes = strlen(lines);
    json_decref(run->charges);
    run->charges = json_incref(charges);
    w->attempt = (uint64_t)attempt;
    w->now_ns = (atl_ns)now;
    run->reached = (uint64_t)reached;
    run->spent.rss_kib = (uint64_t)rss;
    return run->lines != NULL ? 0 : -ENOMEM;
}

int simulate_state_load(struct simulate_run *run, struct atl_error *err)
{
    char path[SIMULATE_PATH_BYTES], digest[17];
    uint8_t *data;
    size_t bytes;
    state_path(run, path);
    err->text[0] = '\0';
    int r = atl_file_read(path, STATE_MAX_BYTES, &data, &bytes, err);
    if (r == -ENOENT)
        return 0;
    if (r < 0)
        return r;
    json_t *doc = json_loadb((const char *)data, bytes, 0, NULL);
    free(data);
    atl_hex(digest, run->cfg->digest, sizeof(run->cfg->digest));
    const char *config = json_string_value(json_object_get(doc, "config"));
    const char *version = json_string_value(json_object_get(doc, "version"));
    if (config == NULL || version == NULL)
        r = atl_error_set(err, -EBADMSG, "%s: damaged; --restart begins anew", path);
    else if (strcmp(config, digest) != 0 || strcmp(version, ATL_VERSION) != 0)
        r = atl_error_set(err, -EINVAL,
                          "%s holds a run of another configuration or version; choose another "
                          "--out, or --restart begins anew",
                          run->out);
    else
        r = take(run, doc, err);
    json_decref(doc);
    if (r < 0 && err->text[0] == '\0')
        atl_error_set(err, r, "%s: damaged; --restart begins anew", path);
    return r < 0 ? r : 1;
}
