/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a broker proved with a real one: on free ports of loopback, for a few seconds. */
#include "app/broker_setup_priv.h"
#include "bus/bus.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_NS  (5 * ATL_NS_PER_S)
#define STEP_NS   (5 * ATL_NS_PER_S)
#define SETTLE_NS (300 * ATL_NS_PER_MS) /* for what must not arrive */
#define SAID      "atalaya broker-setup was here"
#define STRAY     "atalaya broker-setup strayed"
#define LOG_MAX   65536

/* --- the throw-away broker --- */

struct arena {
    char dir[64];
    struct broker_ports ports;
    pid_t pid;
};

static const char *find_broker(void)
{
    static const char *const paths[] = {"/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto",
                                        "/usr/bin/mosquitto", "/usr/local/bin/mosquitto"};
    for (size_t i = 0; i < ATL_ARRAY_LEN(paths); i++) {
        if (access(paths[i], X_OK) == 0)
            return paths[i];
    }
    return NULL;
}

static int loopback_socket(struct sockaddr_in *a, uint16_t port)
{
    *a = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static uint16_t free_port(void)
{
    struct sockaddr_in a;
    socklen_t bytes = sizeof(a);
    int fd = loopback_socket(&a, 0);
    bool bound = bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 &&
                 getsockname(fd, (struct sockaddr *)&a, &bytes) == 0;
    close(fd);
    return bound ? ntohs(a.sin_port) : 0;
}

static bool answers(uint16_t port)
{
    struct sockaddr_in a;
    int fd = loopback_socket(&a, port);
    bool yes = connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0;
    close(fd);
    return yes;
}

static void run_broker(const char *binary, const struct arena *arena)
{
    char log[96];
    snprintf(log, sizeof(log), "%s/log", arena->dir);
    int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (chdir(arena->dir) < 0 || fd < 0)
        _exit(127);
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
    execl(binary, "mosquitto", "-c", "conf", (char *)NULL);
    _exit(127);
}

/* The last line of the log that speaks of an error. */
static void read_log(const struct arena *arena, char *out, size_t out_bytes)
{
    char path[96], *save = NULL;
    uint8_t *data;
    size_t bytes;
    snprintf(path, sizeof(path), "%s/log", arena->dir);
    atl_copy(out, out_bytes, "it said nothing");
    if (atl_file_read(path, LOG_MAX, &data, &bytes, NULL) < 0)
        return;
    for (char *line = strtok_r((char *)data, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        const char *at = strstr(line, "Error");
        if (at != NULL && strncmp(at, "Error found at", 14) != 0)
            atl_copy(out, out_bytes, at);
    }
    free(data);
}

/* The usual reason: mosquitto gives up root and then may not enter a folder above its files. */
static bool shut_folder(const char *path, char out[PATH_MAX])
{
    struct stat st;
    atl_copy(out, PATH_MAX, path);
    for (char *end = out + strlen(out); end != NULL && end != out; end = strrchr(out, '/')) {
        *end = '\0';
        if (stat(out, &st) == 0 && (st.st_mode & S_IXOTH) == 0)
            return true;
    }
    return false;
}

static int refuse_start(const struct arena *arena, const struct broker_setup *s,
                        struct atl_error *err)
{
    char said[240], shut[PATH_MAX];
    read_log(arena, said, sizeof(said));
    if (geteuid() == 0 && strstr(said, "opening") != NULL && shut_folder(s->dir, shut))
        return atl_error_set(err, -EACCES,
                             "mosquitto may not enter %.100s: chmod o+x %.100s, or another folder",
                             shut, shut);
    return atl_error_set(err, -EIO, "mosquitto does not start with these files: %s", said);
}

static int start_broker(struct arena *arena, const struct broker_setup *s, const char *binary,
                        struct atl_error *err)
{
    char path[96];
    atl_copy(arena->dir, sizeof(arena->dir), "/tmp/atalaya-proof-XXXXXX");
    if (mkdtemp(arena->dir) == NULL)
        return atl_error_set(err, -errno, "cannot make a folder in /tmp: %s", strerror(errno));
    const struct passwd *user = geteuid() == 0 ? getpwnam("mosquitto") : NULL;
    if (user != NULL && chown(arena->dir, user->pw_uid, user->pw_gid) < 0)
        return atl_error_set(err, -errno, "cannot give %s away: %s", arena->dir, strerror(errno));
    arena->ports = (struct broker_ports){"127.0.0.1", free_port(), free_port(), free_port()};
    snprintf(path, sizeof(path), "%s/conf", arena->dir);
    int r = broker_setup_conf(s, path, &arena->ports, err);
    if (r < 0)
        return r;
    arena->pid = fork();
    if (arena->pid == 0)
        run_broker(binary, arena);
    for (atl_ns until = atl_clock_mono_ns() + START_NS; atl_clock_mono_ns() < until;) {
        if (arena->pid < 0 || waitpid(arena->pid, NULL, WNOHANG) == arena->pid) {
            arena->pid = 0;
            break;
        }
        if (answers(arena->ports.plain_port))
            return 0;
        poll(NULL, 0, 20);
    }
    return refuse_start(arena, s, err);
}

static void stop_broker(struct arena *arena)
{
    static const char *const files[] = {"conf", "log", "mosquitto.db", "mosquitto.db.new"};
    if (arena->pid > 0) {
        kill(arena->pid, SIGKILL);
        waitpid(arena->pid, NULL, 0);
    }
    for (size_t i = 0; i < ATL_ARRAY_LEN(files); i++) {
        char path[96];
        snprintf(path, sizeof(path), "%s/%s", arena->dir, files[i]);
        unlink(path);
    }
    rmdir(arena->dir);
}

/* --- clients --- */

struct peer {
    struct bus_client *client;
    bool connected, failed, refused, heard, leaked;
    char why[240];
};

static void on_event(void *ctx, enum bus_event event, const char *why)
{
    struct peer *p = ctx;
    p->connected = p->connected || event == BUS_CONNECTED;
    /* refused before any connection: the connection was */
    p->failed = p->failed || event == BUS_DISCONNECTED || (event == BUS_REFUSED && !p->connected);
    p->refused = p->refused || (event == BUS_REFUSED && p->connected);
    atl_copy(p->why, sizeof(p->why), why);
}

static void on_message(void *ctx, const struct bus_message *message)
{
    struct peer *p = ctx;
    p->heard = p->heard || strcmp((const char *)message->payload, SAID) == 0;
    p->leaked = p->leaked || strcmp((const char *)message->payload, STRAY) == 0;
}

static bool wait_for(struct peer *p, const bool *what, atl_ns limit_ns)
{
    for (atl_ns until = atl_clock_mono_ns() + limit_ns; !*what && atl_clock_mono_ns() < until;) {
        struct pollfd fd = {.fd = bus_client_fd(p->client), .events = POLLIN};
        poll(&fd, 1, 50);
        bus_client_step(p->client);
    }
    return *what;
}

static struct bus_config config_for(const char *url, const char *client_id)
{
    struct bus_config cfg;
    bus_config_default(&cfg);
    cfg.url = url;
    cfg.client_id = client_id;
    cfg.session_expiry_s = 0;
    return cfg;
}

static bool open_peer(struct peer *p, const struct bus_config *cfg)
{
    struct atl_error err = {""};
    *p = (struct peer){0};
    if (bus_client_create(&p->client, cfg, on_event, p, &err) < 0) {
        atl_copy(p->why, sizeof(p->why), err.text);
        return false;
    }
    for (atl_ns until = atl_clock_mono_ns() + STEP_NS;
         !p->connected && !p->failed && atl_clock_mono_ns() < until;)
        wait_for(p, &p->connected, 50 * ATL_NS_PER_MS);
    return p->connected;
}

static bool open_member(struct peer *p, const struct broker_setup *s,
                        const struct broker_member *member, const char *url)
{
    char ca[PATH_MAX], cert[PATH_MAX], key[PATH_MAX], file[CONFIG_NAME_BYTES + 8];
    struct bus_config cfg = config_for(url, member->name);
    broker_setup_path(s, member, "ca.crt", ca);
    snprintf(file, sizeof(file), "%s.crt", member->name);
    broker_setup_path(s, member, file, cert);
    snprintf(file, sizeof(file), "%s.key", member->name);
    broker_setup_path(s, member, file, key);
    cfg.ca_file = ca;
    cfg.cert_file = cert;
    cfg.key_file = key;
    return open_peer(p, &cfg);
}

static bool say(struct peer *p, const char *topic, const char *text)
{
    p->refused = false;
    return bus_client_publish(p->client, topic, text, strlen(text), 1, false) == 0;
}

/* Said again until it is heard: the first may come before the subscription. */
static bool passes(struct peer *from, const char *topic, struct peer *to)
{
    for (int i = 0; i < 10 && !to->heard; i++) {
        if (!say(from, topic, SAID))
            return false;
        wait_for(to, &to->heard, STEP_NS / 10);
    }
    return to->heard;
}

/* --- the checks --- */

struct scene {
    const struct broker_setup *s;
    const struct broker_member *node, *viewer;
    struct broker_proof *proof;
    char tls_url[64], plain_url[64], own[BUS_TOPIC_BYTES], foreign[BUS_TOPIC_BYTES];
};

static bool note(struct scene *sc, const char *name, bool passed, const char *text)
{
    struct broker_check *check = &sc->proof->checks[sc->proof->n++];
    *check = (struct broker_check){.name = name, .passed = passed};
    atl_copy(check->text, sizeof(check->text), text);
    if (!passed && sc->proof->why[0] == '\0')
        snprintf(sc->proof->why, sizeof(sc->proof->why), "%s: %s", name, text);
    return passed;
}

static void check_rights(struct scene *sc, struct peer *node, struct peer *viewer)
{
    bool heard = passes(node, sc->own, viewer);
    note(sc, "round trip", heard,
         heard ? "a node wrote below its name, the viewer read it" : "the viewer read nothing");

    bool refused = say(node, sc->foreign, STRAY) && wait_for(node, &node->refused, STEP_NS);
    bool leaked = wait_for(viewer, &viewer->leaked, SETTLE_NS);
    note(sc, "foreign topic", refused && !leaked,
         refused && !leaked ? "a node may not write below another name"
                            : "a node could write below another name");

    refused = say(viewer, sc->own, STRAY) && wait_for(viewer, &viewer->refused, STEP_NS);
    note(sc, "viewer writes", refused, refused ? "a viewer may not write" : "a viewer could write");
}

static void check_members(struct scene *sc)
{
    struct peer node, viewer = {0};
    bool there = open_member(&node, sc->s, sc->node, sc->tls_url);
    if (note(sc, "node", there, there ? "connects by its certificate" : node.why)) {
        there = open_member(&viewer, sc->s, sc->viewer, sc->tls_url);
        if (there)
            bus_client_subscribe(viewer.client, "atalaya/v1/#", 1, on_message, &viewer);
        if (note(sc, "viewer", there, there ? "connects by its certificate" : viewer.why))
            check_rights(sc, &node, &viewer);
    }
    bus_client_destroy(viewer.client, 0);
    bus_client_destroy(node.client, 0);
}

static void check_stranger(struct scene *sc)
{
    struct peer p;
    char ca[PATH_MAX];
    struct bus_config cfg = config_for(sc->tls_url, "stranger");
    broker_setup_path(sc->s, sc->node, "ca.crt", ca);
    cfg.ca_file = ca;
    bool in = open_peer(&p, &cfg);
    note(sc, "no certificate", !in, in ? "who has none came in" : "who has none stays out");
    bus_client_destroy(p.client, 0);
}

static void check_password(struct scene *sc)
{
    struct peer p = {0};
    struct atl_error err = {""};
    char password[BROKER_PASSWORD_BYTES];
    struct bus_config cfg = config_for(sc->plain_url, "viewer");
    cfg.username = sc->viewer->name;
    cfg.password = password;
    bool good = broker_setup_password(sc->s, sc->viewer, password, &err) == 0;
    if (!good)
        atl_copy(p.why, sizeof(p.why), err.text);
    good = good && open_peer(&p, &cfg);
    note(sc, "password", good, good ? "opens the page for the viewer" : p.why);
    bus_client_destroy(p.client, 0);
    explicit_bzero(password, sizeof(password));
}

static const struct broker_member *first_of(const struct broker_setup *s, bool viewer)
{
    for (uint32_t i = 0; i < s->n_members; i++) {
        if ((s->members[i].role == BROKER_VIEWER) == viewer)
            return &s->members[i];
    }
    return NULL;
}

static void run_checks(struct scene *sc, const struct arena *arena)
{
    snprintf(sc->tls_url, sizeof(sc->tls_url), "mqtts://localhost:%u", arena->ports.port);
    snprintf(sc->plain_url, sizeof(sc->plain_url), "mqtt://127.0.0.1:%u", arena->ports.plain_port);
    snprintf(sc->own, sizeof(sc->own), "atalaya/v1/%s/%s/event", sc->node->site, sc->node->name);
    snprintf(sc->foreign, sizeof(sc->foreign), "atalaya/v1/%s/not-%.28s/event", sc->node->site,
             sc->node->name);
    check_members(sc);
    check_stranger(sc);
    check_password(sc);
}

void broker_proof_run(const struct broker_setup *s, struct broker_proof *ret_proof)
{
    *ret_proof = (struct broker_proof){0};
    const char *binary = find_broker();
    struct scene sc = {.s = s, .proof = ret_proof};
    struct arena arena = {0};
    struct atl_error err = {""};
    sc.node = first_of(s, false);
    sc.viewer = first_of(s, true);
    if (binary == NULL || sc.node == NULL || sc.viewer == NULL) {
        atl_copy(ret_proof->why, sizeof(ret_proof->why),
                 binary == NULL ? "mosquitto is not installed here" : "no node or no viewer yet");
        return;
    }
    ret_proof->ran = true;
    int r = start_broker(&arena, s, binary, &err);
    note(&sc, "start", r == 0, r == 0 ? "mosquitto takes the files" : err.text);
    if (r == 0)
        run_checks(&sc, &arena);
    stop_broker(&arena);
    ret_proof->passed = ret_proof->why[0] == '\0';
}
