/* SPDX-License-Identifier: Apache-2.0 */
#include "app/app_priv.h"
#include "app/edge_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define KEPT_S  60
#define SAVE_NS (3600 * ATL_NS_PER_S)

/* --- the watch and what it has learned --- */

static void path_of(const struct edge *e, char out[CONFIG_PATH_BYTES + 32])
{
    snprintf(out, CONFIG_PATH_BYTES + 32, "%s/link.state", e->cfg->state_dir);
}

static void restore(struct edge *e)
{
    char path[CONFIG_PATH_BYTES + 32];
    struct atl_error err = {""};
    uint8_t *data;
    size_t bytes;
    path_of(e, path);
    int r = atl_file_read(path, LINK_WATCH_BYTES_MAX, &data, &bytes, &err);
    if (r == -ENOENT)
        return;
    if (r < 0) {
        log_line(LOG_WARNING, "link: %s; what is usual here is learned anew", err.text);
        return;
    }
    if (link_watch_restore(e->link_watch, data, bytes, &err) < 0)
        log_line(LOG_WARNING, "link: %s: %s; what is usual here is learned anew", path, err.text);
    free(data);
}

int edge_link_open(struct edge *e, link_watch_fn signal, struct atl_error *err)
{
    const struct config *cfg = e->cfg;
    struct link_watch_config watch = {
        .alarms_per_day = cfg->link.alarms_per_day,
        .min_change = cfg->link.min_change,
        .warmup_ns = cfg->link.warmup,
        .accept_ns = cfg->link.accept,
        .entity = strchr(cfg->capture.device, '/') == NULL ? cfg->capture.device : "link",
    };
    if (!cfg->link.enabled)
        return 0;
    int r = link_watch_create(&e->link_watch, &watch, signal, e, err);
    if (r < 0)
        return r;
    e->link_save_due_ns = atl_clock_mono_ns() + SAVE_NS;
    restore(e);
    return 0;
}

/* The analysis waits for no disk: it leaves a copy, the control thread writes it. */
static void leave_copy(struct edge *e)
{
    struct link_state *state = calloc(1, sizeof(*state));
    if (state == NULL)
        return;
    if (link_watch_save(e->link_watch, &state->data, &state->bytes) < 0) {
        free(state);
        return;
    }
    struct link_state *old = atomic_exchange(&e->link_state, state);
    if (old != NULL)
        free(old->data);
    free(old);
}

void edge_link_store(struct edge *e)
{
    char path[CONFIG_PATH_BYTES + 32];
    struct atl_error err;
    struct link_state *state = atomic_exchange(&e->link_state, NULL);
    if (state == NULL)
        return;
    path_of(e, path);
    bool failed = atl_file_write(path, state->data, state->bytes, 0600, &err) < 0;
    if (failed && !e->link_save_failed)
        log_line(LOG_WARNING, "link: %s; a restart would lose what was learned", err.text);
    e->link_save_failed = failed;
    free(state->data);
    free(state);
}

void edge_link_close(struct edge *e)
{
    if (e->link_watch == NULL)
        return;
    leave_copy(e);
    edge_link_store(e);
    link_watch_destroy(e->link_watch);
    e->link_watch = NULL;
}

/* --- rows --- */

void edge_link_take(struct edge *e)
{
    uint64_t due_s = dp_engine_link(e->engine, detector_link, e->detector);
    detector_link_step(e->detector, due_s);
    if (e->link_watch == NULL || atl_clock_mono_ns() < e->link_save_due_ns)
        return;
    e->link_save_due_ns = atl_clock_mono_ns() + SAVE_NS;
    leave_copy(e);
}

void edge_link_row(void *ctx, const struct feat_link_row *row)
{
    struct edge *e = ctx;
    /* the last row of all is part of a minute: it must not be learned */
    if (e->link_watch != NULL && !atomic_load(&e->analysis_stop))
        link_watch_row(e->link_watch, row);
    if (row->interval_s != KEPT_S)
        return;
    pthread_mutex_lock(&e->link_lock);
    e->link_row = *row;
    pthread_mutex_unlock(&e->link_lock);
}

json_t *edge_link_json(struct edge *e)
{
    const struct feat_schema *schema = feat_schema_link();
    char first[ATL_TIME_TEXT_BYTES];
    pthread_mutex_lock(&e->link_lock);
    struct feat_link_row row = e->link_row;
    pthread_mutex_unlock(&e->link_lock);
    if (row.interval_s == 0)
        return NULL;
    atl_clock_format(row.first_ns, first);
    json_t *doc = json_pack("{s:s, s:i}", "first", first, "interval", (int)row.interval_s);
    for (uint32_t i = 0; i < schema->n_columns; i++)
        json_object_set_new(doc, schema->columns[i].name, json_real((double)row.raw[i]));
    json_object_set_new(doc, "packets", json_integer((json_int_t)row.packets));
    json_object_set_new(doc, "bytes", json_integer((json_int_t)row.bytes));
    return doc;
}
