/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a broker and of its members. */
#include "app/broker_setup_priv.h"

#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PASSWORD_MAX_BYTES 256

/* --- texts that become files --- */

struct text {
    FILE *stream;
    char *data;
    size_t bytes;
};

static bool text_open(struct text *t)
{
    *t = (struct text){0};
    t->stream = open_memstream(&t->data, &t->bytes);
    return t->stream != NULL;
}

static int text_save(struct text *t, const char *path, unsigned mode, struct atl_error *err)
{
    int r = fclose(t->stream) == 0 ? atl_file_write(path, t->data, t->bytes, mode, err)
                                   : atl_error_set(err, -ENOMEM, "out of memory");
    free(t->data);
    return r;
}

static int no_memory(struct atl_error *err)
{
    return atl_error_set(err, -ENOMEM, "out of memory");
}

/* mosquitto gives up root before it reads its files: its group must be able to. */
static int let_broker_read(const char *path, mode_t mode, struct atl_error *err)
{
    const struct group *group = geteuid() == 0 ? getgrnam("mosquitto") : NULL;
    if (group == NULL)
        return 0;
    if (chown(path, 0, group->gr_gid) < 0 || chmod(path, mode) < 0)
        return atl_error_set(err, -errno, "cannot give %s to the group mosquitto: %s", path,
                             strerror(errno));
    return 0;
}

/* --- members --- */

void broker_setup_path(const struct broker_setup *s, const struct broker_member *member,
                       const char *file, char out[PATH_MAX])
{
    snprintf(out, PATH_MAX, "%s/%s/%s/%s", s->dir,
             member->role == BROKER_VIEWER ? "viewers" : "nodes", member->name, file);
}

static int copy_ca(const struct broker_setup *s, const char *to, struct atl_error *err)
{
    char from[PATH_MAX];
    uint8_t *data;
    size_t bytes;
    snprintf(from, sizeof(from), "%s/ca.crt", s->dir);
    int r = atl_file_read(from, PATH_MAX * 16, &data, &bytes, err);
    if (r < 0)
        return r;
    r = atl_file_write(to, data, bytes, 0644, err);
    free(data);
    return r;
}

/* What goes into the node's own configuration. */
static int write_fragment(const struct broker_setup *s, const struct broker_member *m,
                          struct atl_error *err)
{
    char path[PATH_MAX];
    struct text t;
    broker_setup_path(s, m, "broker.yaml", path);
    if (!text_open(&t))
        return no_memory(err);
    fprintf(t.stream,
            "# these lines belong into the configuration of %s; the files beside this one into\n"
            "# /etc/atalaya of that machine, the key readable by the node's user only\n"
            "site: %s\nnode: %s\n\nbroker:\n  url: mqtts://%s:%u\n  ca: /etc/atalaya/ca.crt\n"
            "  cert: /etc/atalaya/%s.crt\n  key: /etc/atalaya/%s.key\n\nfederation:\n  name: %s\n",
            m->name, m->site, m->name, s->hosts[0], s->port, m->name, m->name, s->federation);
    return text_save(&t, path, 0644, err);
}

int broker_setup_password(const struct broker_setup *s, const struct broker_member *viewer,
                          char out[BROKER_PASSWORD_BYTES], struct atl_error *err)
{
    char path[PATH_MAX];
    uint8_t *data;
    size_t bytes;
    broker_setup_path(s, viewer, "password", path);
    int r = atl_file_read(path, PASSWORD_MAX_BYTES, &data, &bytes, err);
    if (r < 0)
        return r;
    data[strcspn((char *)data, "\r\n")] = '\0';
    if (data[0] == '\0' || !atl_copy(out, BROKER_PASSWORD_BYTES, (char *)data))
        r = atl_error_set(err, -EBADMSG, "%s: expected 1 to %d characters", path,
                          BROKER_PASSWORD_BYTES - 1);
    explicit_bzero(data, bytes);
    free(data);
    return r;
}

/* 24 characters of 5 bits each, none that people read wrong. */
static int make_password(const char *path, struct atl_error *err)
{
    static const char alphabet[] = "abcdefghjkmnpqrstuvwxyz23456789-";
    char password[BROKER_PASSWORD_BYTES + 1];
    struct atl_rng rng;
    if (access(path, F_OK) == 0)
        return 0;
    atl_rng_init_secure(&rng);
    for (int i = 0; i < BROKER_PASSWORD_BYTES - 1; i++)
        password[i] = alphabet[atl_rng_below(&rng, sizeof(alphabet) - 1)];
    password[BROKER_PASSWORD_BYTES - 1] = '\n';
    return atl_file_write(path, password, BROKER_PASSWORD_BYTES, 0600, err);
}

static int write_member(const struct broker_setup *s, const struct broker_ca *ca,
                        struct broker_member *m, struct atl_error *err)
{
    char path[PATH_MAX];
    broker_setup_path(s, m, "", path);
    int r = atl_dir_make(path, err);
    if (r < 0)
        return r;
    broker_setup_path(s, m, "ca.crt", path);
    r = copy_ca(s, path, err);
    if (r < 0)
        return r;
    broker_setup_path(s, m, m->name, path);
    const struct broker_cert want = {.cn = m->name, .days = s->days};
    r = broker_cert_issue(ca, path, &want, 0600, &m->done, err);
    if (r < 0)
        return r;
    if (m->role != BROKER_VIEWER)
        return write_fragment(s, m, err);
    broker_setup_path(s, m, "password", path);
    return make_password(path, err);
}

/* --- the broker --- */

static int issue_server(struct broker_setup *s, const struct broker_ca *ca, struct atl_error *err)
{
    char stem[PATH_MAX], names[BROKER_HOSTS_MAX * (BROKER_HOST_BYTES + 5)] = "";
    size_t used = 0;
    for (uint32_t i = 0; i < s->n_hosts; i++) {
        unsigned char address[16];
        bool numeric = inet_pton(AF_INET, s->hosts[i], address) == 1 ||
                       inet_pton(AF_INET6, s->hosts[i], address) == 1;
        used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s:%s", i > 0 ? "," : "",
                                 numeric ? "IP" : "DNS", s->hosts[i]);
    }
    snprintf(stem, sizeof(stem), "%s/broker/server", s->dir);
    const struct broker_cert want = {.cn = "atalaya broker", .alt_names = names, .days = s->days};
    int r = broker_cert_issue(ca, stem, &want, 0600, &s->server, err);
    if (r < 0)
        return r;
    snprintf(stem, sizeof(stem), "%s/broker/server.key", s->dir);
    return let_broker_read(stem, 0640, err);
}

static void print_rights(FILE *out, const struct broker_setup *s, const struct broker_member *m)
{
    const char *f = s->federation;
    fprintf(out, "\nuser %s\n", m->name);
    if (m->role != BROKER_VIEWER)
        fprintf(out, "topic readwrite atalaya/v1/%s/%s/#\n", m->site, m->name);
    if (m->role == BROKER_EDGE)
        fprintf(out,
                "topic read atalaya/v1/fl/%s/plan\ntopic read atalaya/v1/fl/%s/model\n"
                "topic read atalaya/v1/fl/%s/ack/%s\ntopic write atalaya/v1/fl/%s/up/%s\n",
                f, f, f, m->name, f, m->name);
    else if (m->role == BROKER_HUB)
        fprintf(out, "topic read atalaya/v1/+/+/state\ntopic readwrite atalaya/v1/fl/%s/#\n", f);
    else
        fprintf(out, "topic read atalaya/v1/#\n");
}

static int write_acl(const struct broker_setup *s, struct atl_error *err)
{
    char path[PATH_MAX];
    struct text t;
    snprintf(path, sizeof(path), "%s/broker/acl", s->dir);
    if (!text_open(&t))
        return no_memory(err);
    fprintf(t.stream,
            "# Written by `atalaya broker-setup`, which writes it anew: add members there.\n"
            "# The user is the CN of the certificate; who is not listed may do nothing.\n");
    for (uint32_t i = 0; i < s->n_members; i++)
        print_rights(t.stream, s, &s->members[i]);
    int r = text_save(&t, path, 0600, err);
    return r < 0 ? r : let_broker_read(path, 0640, err);
}

static int write_passwords(const struct broker_setup *s, struct atl_error *err)
{
    char path[PATH_MAX];
    struct text t;
    int r = 0;
    snprintf(path, sizeof(path), "%s/broker/passwords", s->dir);
    if (!text_open(&t))
        return no_memory(err);
    for (uint32_t i = 0; i < s->n_members && r == 0; i++) {
        char password[BROKER_PASSWORD_BYTES], hash[BROKER_HASH_BYTES];
        if (s->members[i].role != BROKER_VIEWER)
            continue;
        r = broker_setup_password(s, &s->members[i], password, err);
        if (r == 0 && broker_password_hash(password, hash) < 0)
            r = atl_error_set(err, -EIO, "OpenSSL cannot hash a password");
        if (r == 0)
            fprintf(t.stream, "%s:%s\n", s->members[i].name, hash);
        explicit_bzero(password, sizeof(password));
    }
    if (r < 0) {
        fclose(t.stream);
        free(t.data);
        return r;
    }
    r = text_save(&t, path, 0600, err);
    return r < 0 ? r : let_broker_read(path, 0640, err);
}

static void print_listener(FILE *out, const struct broker_setup *s, uint16_t port,
                           const char *address)
{
    fprintf(out, "\nlistener %u%s%s\n", port, address[0] != '\0' ? " " : "", address);
    fprintf(out,
            "cafile %s/broker/ca.crt\ncertfile %s/broker/server.crt\nkeyfile %s/broker/server.key\n"
            "tls_version tlsv1.2\n",
            s->dir, s->dir, s->dir);
}

static const char conf_head[] =
    "# Written by `atalaya broker-setup`, which writes it anew. For /etc/mosquitto/conf.d/.\n"
    "\n"
    "allow_anonymous false\n"
    "# kept over a restart of the broker: plans, models, alerts, what waits for nodes that are "
    "away;\n"
    "# written after so many changes, or kill -9 would lose half an hour\n"
    "persistence true\n"
    "autosave_on_changes true\n"
    "autosave_interval 100\n"
    "# the default of 1000 is too few for a node that was away: what is over it is lost silently\n"
    "max_queued_messages 20000\n"
    "persistent_client_expiration 14d\n"
    "# nothing of atalaya is larger than 1 MiB\n"
    "max_packet_size 1100000\n"
    "memory_limit 1073741824\n"
    "set_tcp_nodelay true\n";

int broker_setup_conf(const struct broker_setup *s, const char *path,
                      const struct broker_ports *ports, struct atl_error *err)
{
    struct text t;
    if (!text_open(&t))
        return no_memory(err);
    fputs(conf_head, t.stream);
    fprintf(t.stream, "password_file %s/broker/passwords\nacl_file %s/broker/acl\n", s->dir,
            s->dir);
    fputs("\n# nodes and viewers by certificate; its CN is the user of the access list", t.stream);
    print_listener(t.stream, s, ports->port, ports->address);
    fputs("require_certificate true\nuse_identity_as_username true\n", t.stream);
    fputs("\n# viewers by password: the page", t.stream);
    print_listener(t.stream, s, ports->page_port, ports->address);
    fputs("protocol websockets\n", t.stream);
    if (s->page_dir[0] != '\0')
        fprintf(t.stream, "http_dir %s\n", s->page_dir);
    if (ports->plain_port != 0)
        fprintf(t.stream, "\nlistener %u 127.0.0.1\n", ports->plain_port);
    return text_save(&t, path, 0644, err);
}

static int write_broker(struct broker_setup *s, const struct broker_ca *ca, struct atl_error *err)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/broker", s->dir);
    int r = atl_dir_make(path, err);
    if (r == 0)
        r = let_broker_read(path, 0750, err);
    snprintf(path, sizeof(path), "%s/broker/ca.crt", s->dir);
    if (r == 0)
        r = copy_ca(s, path, err);
    if (r == 0)
        r = issue_server(s, ca, err);
    if (r == 0)
        r = write_acl(s, err);
    if (r == 0)
        r = write_passwords(s, err);
    snprintf(path, sizeof(path), "%s/broker/atalaya.conf", s->dir);
    const struct broker_ports ports = {"", s->port, s->page_port, 0};
    return r < 0 ? r : broker_setup_conf(s, path, &ports, err);
}

int broker_setup_write(struct broker_setup *s, struct atl_error *err)
{
    struct broker_ca *ca = NULL;
    int r = broker_ca_open(&ca, s->dir, &s->made_ca, err);
    for (uint32_t i = 0; i < s->n_members && r == 0; i++)
        r = write_member(s, ca, &s->members[i], err);
    if (r == 0)
        r = write_broker(s, ca, err);
    if (r == 0)
        r = broker_setup_save(s, err);
    broker_ca_close(ca);
    return r;
}
