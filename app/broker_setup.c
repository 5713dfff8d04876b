/* SPDX-License-Identifier: Apache-2.0 */
#include "app/broker_setup_priv.h"
#include "bus/bus.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SETUP_MAX_BYTES (1U << 20)

static const char *const role_names[] = {
    [BROKER_EDGE] = "edge", [BROKER_HUB] = "hub", [BROKER_VIEWER] = "viewer"};

const char *broker_role_name(enum broker_role role)
{
    return role_names[role];
}

/* --- members and hosts --- */

static struct broker_member *find_member(struct broker_setup *s, const char *name)
{
    for (uint32_t i = 0; i < s->n_members; i++) {
        if (strcmp(s->members[i].name, name) == 0)
            return &s->members[i];
    }
    return NULL;
}

static int split_member(struct broker_member *member, const char *text, struct atl_error *err)
{
    const char *slash = strchr(text, '/');
    bool viewer = member->role == BROKER_VIEWER;
    const char *name = slash != NULL ? slash + 1 : text;
    char site[CONFIG_NAME_BYTES] = "";
    if (slash != NULL && (size_t)(slash - text) < sizeof(site))
        memcpy(site, text, (size_t)(slash - text));
    if (viewer != (slash == NULL) || !bus_name_valid(name) || (!viewer && !bus_name_valid(site)))
        return atl_error_set(err, -EINVAL, "%s '%.80s': expected %s, each 1 to 32 of a-z, 0-9, '-'",
                             role_names[member->role], text, viewer ? "NAME" : "SITE/NODE");
    atl_copy(member->name, sizeof(member->name), name);
    atl_copy(member->site, sizeof(member->site), site);
    return 0;
}

int broker_setup_add(struct broker_setup *s, enum broker_role role, const char *text,
                     struct atl_error *err)
{
    struct broker_member fresh = {.role = role};
    int r = split_member(&fresh, text, err);
    if (r < 0)
        return r;
    const struct broker_member *known = find_member(s, fresh.name);
    if (known != NULL && (known->role != role || strcmp(known->site, fresh.site) != 0))
        return atl_error_set(
            err, -EEXIST, "%s is already the %s%s%s; every name may stand once in a federation",
            fresh.name, role_names[known->role], known->site[0] != '\0' ? " of " : "", known->site);
    if (known != NULL)
        return 0;
    if (s->n_members == BROKER_MEMBERS_MAX)
        return atl_error_set(err, -ENOSPC, "more than %d members", BROKER_MEMBERS_MAX);
    s->members[s->n_members++] = fresh;
    return 0;
}

/* A host goes into the certificate's list of names, where ',' begins the next one. */
static bool host_valid(const char *host)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  ".:-_*";
    size_t n = strlen(host);
    return n > 0 && n < BROKER_HOST_BYTES && strspn(host, allowed) == n;
}

int broker_setup_add_host(struct broker_setup *s, const char *host, struct atl_error *err)
{
    if (!host_valid(host))
        return atl_error_set(err, -EINVAL, "host '%.80s': expected a DNS name or an address", host);
    for (uint32_t i = 0; i < s->n_hosts; i++) {
        if (strcmp(s->hosts[i], host) == 0)
            return 0;
    }
    if (s->n_hosts == BROKER_HOSTS_MAX)
        return atl_error_set(err, -ENOSPC, "more than %d hosts", BROKER_HOSTS_MAX);
    atl_copy(s->hosts[s->n_hosts++], BROKER_HOST_BYTES, host);
    return 0;
}

/* --- setup.json: what earlier runs were told --- */

static int read_members(struct broker_setup *s, const json_t *list, struct atl_error *err)
{
    size_t i;
    json_t *at;
    json_array_foreach(list, i, at)
    {
        const char *role = json_string_value(json_object_get(at, "role"));
        const char *text = json_string_value(json_object_get(at, "name"));
        size_t kind = 0;
        while (role != NULL && kind < ATL_ARRAY_LEN(role_names) &&
               strcmp(role, role_names[kind]) != 0)
            kind++;
        if (role == NULL || text == NULL || kind == ATL_ARRAY_LEN(role_names))
            return atl_error_set(err, -EBADMSG, "member %zu: expected a role and a name", i + 1);
        int r = broker_setup_add(s, (enum broker_role)kind, text, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int read_hosts(struct broker_setup *s, const json_t *list, struct atl_error *err)
{
    size_t i;
    json_t *at;
    json_array_foreach(list, i, at)
    {
        const char *host = json_string_value(at);
        int r = broker_setup_add_host(s, host != NULL ? host : "", err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int read_settings(struct broker_setup *s, const json_t *doc, struct atl_error *err)
{
    const char *federation = json_string_value(json_object_get(doc, "federation"));
    const char *page_dir = json_string_value(json_object_get(doc, "page_dir"));
    json_int_t port = json_integer_value(json_object_get(doc, "port"));
    json_int_t page_port = json_integer_value(json_object_get(doc, "page_port"));
    json_int_t days = json_integer_value(json_object_get(doc, "days"));
    if (federation == NULL || !bus_name_valid(federation) || page_dir == NULL ||
        !atl_copy(s->page_dir, sizeof(s->page_dir), page_dir) || port < 1 || port > UINT16_MAX ||
        page_port < 1 || page_port > UINT16_MAX || days < 1 || days > 3650)
        return atl_error_set(err, -EBADMSG, "a setting is missing or out of range");
    atl_copy(s->federation, sizeof(s->federation), federation);
    s->port = (uint16_t)port;
    s->page_port = (uint16_t)page_port;
    s->days = (uint32_t)days;
    return 0;
}

int broker_setup_load(struct broker_setup *s, const char *dir, struct atl_error *err)
{
    *s = (struct broker_setup){.federation = "main", .port = 8883, .page_port = 8884, .days = 825};
    char path[PATH_MAX];
    uint8_t *data;
    size_t bytes;
    if (!atl_copy(s->dir, sizeof(s->dir), dir))
        return atl_error_set(err, -ENAMETOOLONG, "%.80s…: the path is too long", dir);
    snprintf(path, sizeof(path), "%s/setup.json", dir);
    if (access(path, F_OK) < 0 && errno == ENOENT)
        return 0;
    int r = atl_file_read(path, SETUP_MAX_BYTES, &data, &bytes, err);
    if (r < 0)
        return r;
    struct atl_error why = {"expected JSON"};
    json_t *doc = json_loadb((const char *)data, bytes, JSON_REJECT_DUPLICATES, NULL);
    free(data);
    r = doc != NULL ? read_settings(s, doc, &why) : -EBADMSG;
    if (r == 0)
        r = read_hosts(s, json_object_get(doc, "hosts"), &why);
    if (r == 0)
        r = read_members(s, json_object_get(doc, "members"), &why);
    json_decref(doc);
    return r < 0 ? atl_error_set(err, r, "%s: %.200s", path, why.text) : 0;
}

int broker_setup_save(const struct broker_setup *s, struct atl_error *err)
{
    json_t *hosts = json_array(), *members = json_array();
    for (uint32_t i = 0; i < s->n_hosts; i++)
        json_array_append_new(hosts, json_string(s->hosts[i]));
    for (uint32_t i = 0; i < s->n_members; i++) {
        const struct broker_member *m = &s->members[i];
        char name[2 * CONFIG_NAME_BYTES];
        snprintf(name, sizeof(name), "%s%s%s", m->site, m->site[0] != '\0' ? "/" : "", m->name);
        json_array_append_new(members,
                              json_pack("{s:s, s:s}", "role", role_names[m->role], "name", name));
    }
    json_t *doc = json_pack("{s:i, s:s, s:i, s:i, s:s, s:i, s:o, s:o}", "schema", 1, "federation",
                            s->federation, "port", s->port, "page_port", s->page_port, "page_dir",
                            s->page_dir, "days", (int)s->days, "hosts", hosts, "members", members);
    char *text = json_dumps(doc, JSON_INDENT(2));
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/setup.json", s->dir);
    int r = text != NULL ? atl_file_write(path, text, strlen(text), 0600, err)
                         : atl_error_set(err, -ENOMEM, "out of memory");
    free(text);
    json_decref(doc);
    return r;
}
