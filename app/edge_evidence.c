/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evidence: pcapng files of the packets behind an alert, on request or when it is raised. The
 * control thread writes them; the oldest make room.
 */
#include "app/app_priv.h"
#include "app/edge_priv.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define PREFIX    "evidence-"
#define SUFFIX    ".pcapng"
#define FILES_MAX 20000 /* names looked at */

static void folder_of(const struct edge *e, char out[CONFIG_PATH_BYTES + 16])
{
    if (e->cfg->evidence.dir[0] != '\0')
        snprintf(out, CONFIG_PATH_BYTES + 16, "%s", e->cfg->evidence.dir);
    else
        snprintf(out, CONFIG_PATH_BYTES + 16, "%s/evidence", e->cfg->state_dir);
}

/* --- keeping their number bounded --- */

static int is_ours(const struct dirent *entry)
{
    size_t n = strlen(entry->d_name), suffix = strlen(SUFFIX);
    return strncmp(entry->d_name, PREFIX, strlen(PREFIX)) == 0 && n > suffix &&
           strcmp(entry->d_name + n - suffix, SUFFIX) == 0;
}

/* Names begin with the time, so the alphabet is their order. */
static void make_room(const struct edge *e, const char *folder)
{
    struct dirent **names = NULL;
    char path[CONFIG_PATH_BYTES + 300];
    int n = scandir(folder, &names, is_ours, alphasort);
    int spare = n - (int)e->cfg->evidence.max_files;
    for (int i = 0; i < n; i++) {
        if (i < spare && i < FILES_MAX) {
            snprintf(path, sizeof(path), "%s/%.255s", folder, names[i]->d_name);
            unlink(path);
        }
        free(names[i]);
    }
    free(names);
}

/* --- one file --- */

/* evidence-20261121T001600.000000Z-10.0.0.1.pcapng; ':' is for neither shells nor every file system
 */
static void name_file(char *out, size_t bytes, const char *folder, const char *entity)
{
    char time[ATL_TIME_TEXT_BYTES], name[128];
    size_t n = 0;
    atl_clock_format(atl_clock_wall_ns(), time);
    snprintf(name, sizeof(name), "%s-%s", time, entity);
    for (size_t i = 0; name[i] != '\0'; i++) {
        bool in_time = i < strlen(time);
        if (in_time && (name[i] == '-' || name[i] == ':'))
            continue;
        name[n++] = name[i] == ':' || name[i] == '/' ? '_' : name[i];
    }
    name[n] = '\0';
    snprintf(out, bytes, "%s/" PREFIX "%s" SUFFIX, folder, name);
}

static int write_file(struct edge *e, const char *entity, char *path, size_t bytes,
                      struct dp_evidence_result *ret_result, struct atl_error *err)
{
    char folder[CONFIG_PATH_BYTES + 16];
    struct dp_addr address;
    if (!e->cfg->evidence.enabled)
        return atl_error_set(err, -ENOTSUP,
                             "evidence is off; set evidence.enabled: true and reload");
    if (dp_addr_parse(entity, &address) < 0)
        return atl_error_set(err, -EINVAL, "'%.64s': expected an IPv4 or IPv6 address", entity);
    folder_of(e, folder);
    int r = atl_dir_make(folder, err);
    if (r < 0)
        return r;
    atl_dir_sweep(folder);
    name_file(path, bytes, folder, entity);
    r = dp_engine_evidence(e->engine, &address, path, ret_result, err);
    if (r == 0)
        make_room(e, folder);
    return r;
}

json_t *edge_evidence_answer(struct edge *e, const json_t *request)
{
    char path[CONFIG_PATH_BYTES + 300];
    struct dp_evidence_result result;
    struct atl_error err = {""};
    const char *entity = json_string_value(json_object_get(request, "entity"));
    if (entity == NULL)
        return control_refusal("expected an entity: the address to write the packets of");
    if (write_file(e, entity, path, sizeof(path), &result, &err) < 0)
        return control_refusal("%s", err.text);
    log_line(LOG_INFO, "evidence: %llu packets of %s written to %s, as asked for",
             (unsigned long long)result.written, entity, path);
    return json_pack("{s:b, s:s, s:I, s:I}", "ok", 1, "file", path, "packets",
                     (json_int_t)result.written, "remembered", (json_int_t)result.remembered);
}

/* --- on alert --- */

void edge_evidence_wish(struct edge *e, const struct alert_incident *incident)
{
    uint64_t one = 1;
    struct dp_addr address;
    if (e->evidence_fd < 0 || dp_addr_parse(incident->signal.entity, &address) < 0)
        return;
    pthread_mutex_lock(&e->open_lock);
    bool room = e->n_evidence_wishes < EVIDENCE_WISHES_MAX;
    if (room) {
        struct evidence_wish *wish = &e->evidence_wishes[e->n_evidence_wishes++];
        atl_copy(wish->entity, sizeof(wish->entity), incident->signal.entity);
        atl_copy(wish->id, sizeof(wish->id), incident->id);
    }
    pthread_mutex_unlock(&e->open_lock);
    if (!room)
        log_line(LOG_WARNING, "evidence: none for alert %s: too many alerts at once", incident->id);
    else if (write(e->evidence_fd, &one, sizeof(one)) < 0)
        log_line(LOG_WARNING, "evidence: %s", strerror(errno));
}

static void on_wishes(void *ctx)
{
    struct edge *e = ctx;
    struct evidence_wish wishes[EVIDENCE_WISHES_MAX];
    char path[CONFIG_PATH_BYTES + 300];
    uint64_t count;
    if (read(e->evidence_fd, &count, sizeof(count)) < 0)
        return;
    pthread_mutex_lock(&e->open_lock);
    uint32_t n = e->n_evidence_wishes;
    memcpy(wishes, e->evidence_wishes, n * sizeof(wishes[0]));
    e->n_evidence_wishes = 0;
    pthread_mutex_unlock(&e->open_lock);
    for (uint32_t i = 0; i < n; i++) {
        struct dp_evidence_result result;
        struct atl_error err = {""};
        if (write_file(e, wishes[i].entity, path, sizeof(path), &result, &err) < 0)
            log_line(LOG_WARNING, "evidence: alert %s: %s", wishes[i].id, err.text);
        else
            log_line(LOG_INFO, "evidence: alert %s: %llu packets of %s written to %s", wishes[i].id,
                     (unsigned long long)result.written, wishes[i].entity, path);
    }
}

int edge_evidence_open(struct edge *e, struct atl_error *err)
{
    if (!e->cfg->evidence.enabled || !e->cfg->evidence.on_alert)
        return 0;
    e->evidence_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (e->evidence_fd < 0)
        return atl_error_set(err, -errno, "cannot set up evidence: %s", strerror(errno));
    return node_watch(&e->node, e->evidence_fd, on_wishes, e, err);
}

void edge_evidence_close(struct edge *e)
{
    if (e->evidence_fd >= 0)
        close(e->evidence_fd);
    e->evidence_fd = -1;
}
