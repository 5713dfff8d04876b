/* SPDX-License-Identifier: Apache-2.0 */
#include "app/app_priv.h"
#include "app/config_file_priv.h"
#include "app/node_priv.h"
#include "app/options_priv.h"
#include "app/version_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define TICK_NS (200 * ATL_NS_PER_MS)

/* --- clockwork --- */

/*
 * A handler and a pipe rather than a blocked mask and signalfd: OpenBLAS starts a thread before
 * main, which blocks nothing and would take the default action for all. Both outlive a reload: a
 * SIGTERM that comes while one node ends and the next begins waits in the pipe for the next.
 */
static int signal_pipe[2] = {-1, -1};
static const int signal_numbers[] = {SIGINT, SIGTERM, SIGHUP};

static void on_raw_signal(int number)
{
    int saved = errno;
    uint8_t byte = (uint8_t)number;
    ssize_t n = write(signal_pipe[1], &byte, 1);
    (void)n; /* a full pipe holds more wishes than anyone had */
    errno = saved;
}

static int open_signals(void)
{
    if (pipe2(signal_pipe, O_CLOEXEC | O_NONBLOCK) < 0)
        return -errno;
    struct sigaction action = {.sa_handler = on_raw_signal, .sa_flags = SA_RESTART};
    for (size_t i = 0; i < ATL_ARRAY_LEN(signal_numbers); i++) {
        if (sigaction(signal_numbers[i], &action, NULL) < 0)
            return -errno;
    }
    signal(SIGPIPE, SIG_IGN); /* a daemon outlives whoever read its output */
    return 0;
}

static void close_signals(void)
{
    for (size_t i = 0; i < ATL_ARRAY_LEN(signal_numbers); i++)
        signal(signal_numbers[i], SIG_DFL);
    for (size_t i = 0; i < ATL_ARRAY_LEN(signal_pipe); i++) {
        if (signal_pipe[i] >= 0)
            close(signal_pipe[i]);
        signal_pipe[i] = -1;
    }
}

static int open_timer(struct node *node)
{
    const struct itimerspec tick = {{0, (long)TICK_NS}, {0, (long)TICK_NS}};
    node->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (node->timer_fd < 0 || timerfd_settime(node->timer_fd, 0, &tick, NULL) < 0)
        return -errno;
    return 0;
}

/* --- configuration, again and again --- */

int node_reload_check(const struct node *node, struct config_report *report)
{
    struct config fresh;
    if (config_load(node->config_path, &fresh, report) == 0 && fresh.role != node->cfg->role)
        config_problem(report, config_nowhere, "role: expected '%s' as before, found '%s'",
                       config_role_name(node->cfg->role), config_role_name(fresh.role));
    if (report->n > 0)
        return -EINVAL;
    return memcmp(fresh.digest, node->cfg->digest, sizeof(fresh.digest)) != 0;
}

static bool reload_wanted(const struct node *node)
{
    struct config_report *report = calloc(1, sizeof(*report));
    if (report == NULL)
        return false;
    int r = node_reload_check(node, report);
    for (uint32_t i = 0; i < report->n; i++) {
        const struct config_problem *p = &report->problems[i];
        char place[32] = ""; /* of what is missing there is none */
        if (p->line > 0)
            snprintf(place, sizeof(place), ":%u:%u", p->line, p->column);
        log_line(LOG_ERROR, "reload: %s%s: %s", node->config_path, place, p->text);
    }
    if (r < 0)
        log_line(LOG_ERROR, "reload: the old configuration stays");
    else if (r == 0)
        log_line(LOG_INFO, "reload: nothing changed");
    config_report_finish(report);
    free(report);
    return r == 1;
}

static void on_signal(void *ctx)
{
    struct node *node = ctx;
    uint8_t number;
    while (read(signal_pipe[0], &number, 1) == 1) {
        if (number != SIGHUP)
            node->wish = NODE_STOP;
        else if (node->wish == NODE_RUN && reload_wanted(node))
            node->wish = NODE_RELOAD;
    }
}

static void on_tick(void *ctx)
{
    const struct node *node = ctx;
    uint64_t missed;
    if (read(node->timer_fd, &missed, sizeof(missed)) < 0)
        return;
}

static void fill_info(struct node *node)
{
    const struct config *cfg = node->cfg;
    char digest[17];
    atl_hex(digest, cfg->digest, sizeof(cfg->digest));
    node->info = json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "schema", 1, "role",
                           cfg->role == CONFIG_HUB ? "hub" : "edge", "version", ATL_VERSION, "site",
                           cfg->site, "node", cfg->node, "boot", node->boot, "started",
                           node->started, "config_digest", digest);
}

/* Two processes over one folder would write each other's models and spend one budget twice. */
static int lock_state(struct node *node, struct atl_error *err)
{
    const char *dir = node->cfg->state_dir;
    char path[CONFIG_PATH_BYTES + 16];
    int r = atl_dir_make(dir, err);
    if (r < 0)
        return r;
    snprintf(path, sizeof(path), "%s/lock", dir);
    node->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (node->lock_fd >= 0 && flock(node->lock_fd, LOCK_EX | LOCK_NB) == 0) {
        atl_dir_sweep(dir);
        return 0;
    }
    if (errno == EWOULDBLOCK)
        return atl_error_set(err, -EAGAIN,
                             "state_dir %s is in use by another atalaya: each edge and hub needs "
                             "a folder of its own",
                             dir);
    return atl_error_set(err, -errno, "cannot lock %s: %s", path, strerror(errno));
}

int node_init(struct node *node, const struct config *cfg, const char *config_path,
              struct atl_error *err)
{
    uint8_t boot[8];
    struct atl_rng rng;
    memset(node, 0, sizeof(*node));
    node->cfg = cfg;
    node->config_path = config_path;
    node->state = "online";
    node->epoll_fd = node->timer_fd = node->lock_fd = -1;
    snprintf(node->prefix, sizeof(node->prefix), "atalaya/v1/%s/%s", cfg->site, cfg->node);
    atl_rng_init_secure(&rng);
    atl_rng_fill(&rng, boot, sizeof(boot));
    atl_hex(node->boot, boot, sizeof(boot));
    atl_clock_format(atl_clock_wall_ns(), node->started);
    fill_info(node);

    int r = lock_state(node, err);
    if (r < 0)
        return r;
    node->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    r = node->epoll_fd < 0 ? -errno : 0;
    if (r == 0)
        r = open_timer(node);
    if (r < 0)
        return atl_error_set(err, r, "cannot set up the control loop: %s", strerror(-r));
    r = node_watch(node, signal_pipe[0], on_signal, node, err);
    return r < 0 ? r : node_watch(node, node->timer_fd, on_tick, node, err);
}

void node_finish(struct node *node)
{
    const int fds[] = {node->epoll_fd, node->timer_fd, node->lock_fd};
    if (node->bus != NULL) {
        node_publish_state(node, "stopping");
        bus_client_destroy(node->bus, 2 * ATL_NS_PER_S);
    }
    for (size_t i = 0; i < ATL_ARRAY_LEN(fds); i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
    json_decref(node->info);
}

int node_watch(struct node *node, int fd, node_ready_fn ready, void *ctx, struct atl_error *err)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = node->n_fds};
    if (node->n_fds == NODE_FDS_MAX || epoll_ctl(node->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        return atl_error_set(err, -EIO, "cannot watch a descriptor: %s", strerror(errno));
    node->fds[node->n_fds].ready = ready;
    node->fds[node->n_fds++].ctx = ctx;
    return 0;
}

enum node_wish node_turn(struct node *node)
{
    struct epoll_event events[NODE_FDS_MAX];
    int n = epoll_wait(node->epoll_fd, events, NODE_FDS_MAX, (int)(TICK_NS / ATL_NS_PER_MS));
    for (int i = 0; i < n; i++)
        node->fds[events[i].data.u32].ready(node->fds[events[i].data.u32].ctx);
    return node->wish;
}

/* --- presence --- */

static void on_bus_event(void *ctx, enum bus_event event, const char *why)
{
    struct node *node = ctx;
    if (event != BUS_REFUSED)
        node->connected = event == BUS_CONNECTED;
    if (event != BUS_CONNECTED) {
        log_line(LOG_WARNING, "broker: %s", why);
        return;
    }
    log_line(LOG_INFO, "broker: %s", why);
    node_publish(node, "info", json_incref(node->info), 1, true);
    node_publish_state(node, node->state);
    if (node->on_connect != NULL)
        node->on_connect(node->connect_ctx);
}

static void on_bus_ready(void *ctx)
{
    struct node *node = ctx;
    bus_client_step(node->bus);
}

static int read_password(const char *path, char *out, size_t out_bytes, struct atl_error *err)
{
    uint8_t *data;
    size_t bytes;
    int r = atl_file_read(path, out_bytes - 1, &data, &bytes, err);
    if (r < 0)
        return r;
    atl_copy(out, out_bytes, (char *)data);
    out[strcspn(out, "\r\n")] = '\0';
    free(data);
    return 0;
}

static const char *or_null(const char *text)
{
    return text[0] != '\0' ? text : NULL;
}

#define CLIENT_ID_BYTES 65

/* Two long names do not fit into 64 characters, and a-b with c must not meet a with b-c. */
static void name_client(const struct config *cfg, char out[CLIENT_ID_BYTES])
{
    static const struct atl_hash_key fixed = {0, 0};
    char both[2 * CONFIG_NAME_BYTES];
    int n = snprintf(both, sizeof(both), "%s/%s", cfg->site, cfg->node);
    snprintf(out, CLIENT_ID_BYTES, "%s-%016llx", cfg->node,
             (unsigned long long)atl_hash(&fixed, both, (size_t)n));
}

int node_bus_open(struct node *node, void (*on_connect)(void *ctx), void *ctx,
                  struct atl_error *err)
{
    const struct config *cfg = node->cfg;
    if (cfg->broker.url[0] == '\0')
        return 0;
    char topic[BUS_TOPIC_BYTES], will[160], client_id[CLIENT_ID_BYTES], password[256] = "";
    int r = cfg->broker.password_file[0] != '\0'
                ? read_password(cfg->broker.password_file, password, sizeof(password), err)
                : 0;
    if (r < 0)
        return r;
    snprintf(topic, sizeof(topic), "%s/state", node->prefix);
    snprintf(will, sizeof(will), "{\"schema\":1,\"state\":\"lost\",\"boot\":\"%s\",\"ts\":\"%s\"}",
             node->boot, node->started);
    name_client(cfg, client_id);

    struct bus_config bus;
    bus_config_default(&bus);
    bus.url = cfg->broker.url;
    bus.client_id = client_id;
    bus.username = or_null(cfg->broker.username);
    bus.password = or_null(password);
    bus.ca_file = or_null(cfg->broker.ca);
    bus.cert_file = or_null(cfg->broker.cert);
    bus.key_file = or_null(cfg->broker.key);
    bus.will_topic = topic;
    bus.will_payload = will;
    bus.queue_messages = (uint32_t)cfg->broker.queue;
    node->on_connect = on_connect;
    node->connect_ctx = ctx;
    r = bus_client_create(&node->bus, &bus, on_bus_event, node, err);
    if (r < 0)
        return r;
    return node_watch(node, bus_client_fd(node->bus), on_bus_ready, node, err);
}

json_t *node_now(void)
{
    char text[ATL_TIME_TEXT_BYTES];
    atl_clock_format(atl_clock_wall_ns(), text);
    return json_string(text);
}

json_t *node_number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

void node_publish(struct node *node, const char *tail, json_t *document, int qos, bool retain)
{
    char topic[BUS_TOPIC_BYTES];
    char *text = json_dumps(document, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(document);
    if (text != NULL && node->bus != NULL) {
        snprintf(topic, sizeof(topic), "%s/%s", node->prefix, tail);
        bus_client_publish(node->bus, topic, text, strlen(text), qos, retain);
    }
    free(text);
}

void node_publish_state(struct node *node, const char *state)
{
    node->state = state;
    node_publish(node, "state",
                 json_pack("{s:i, s:s, s:s, s:o}", "schema", 1, "state", state, "boot", node->boot,
                           "ts", node_now()),
                 1, true);
}

/* --- lives --- */

static int run_until_stopped(const char *path, enum config_role role, node_run_fn run)
{
    enum node_wish wish;
    int code;
    do {
        struct config cfg;
        code = config_read(path, role, &cfg);
        if (code != EXIT_OK)
            return code;
        wish = run(&cfg, path, &code);
    } while (wish == NODE_RELOAD);
    return code;
}

int node_verb(const char *verb, const char *help, enum config_role role, int argc, char **argv,
              node_run_fn run)
{
    const char *path = NULL;
    bool verbose = false;
    const struct options_row rows[] = {
        {"config", 'c', OPTIONS_TEXT, .text = &path},
        {"verbose", 'v', OPTIONS_FLAG, .flag = &verbose},
    };
    int code = options_read(verb, help, rows, ATL_ARRAY_LEN(rows), argc, argv);
    if (code != OPTIONS_GO_ON)
        return code;
    if (path == NULL || optind < argc)
        return options_usage(verb, "expected -c FILE");
    if (verbose)
        log_set_level(LOG_DEBUG);
    int r = open_signals();
    if (r < 0) {
        fprintf(stderr, "atalaya %s: cannot take signals over: %s\n", verb, strerror(-r));
        close_signals();
        return EXIT_FAILED;
    }
    code = run_until_stopped(path, role, run);
    close_signals();
    return code;
}
