/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A round over a real mosquitto with many edges on one machine: the edges' own state machines,
 * ledgers (fsync included) and MQTT clients in one process, the hub in another. Only training is
 * left out: each edge answers at once with a fixed update of 12 k parameters.
 *
 * Usage: bench_fleet [EDGES [ROUNDS]]
 */
#include "bus/bus.h"
#include "fedsync/fedsync.h"
#include "tests/bus/broker.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define PREFIX     "atalaya/v1/fl/bench/"
#define ROUNDS_MAX 64
#define LIMIT_NS   (300 * ATL_NS_PER_S)
#define STEP_NS    (20 * ATL_NS_PER_MS)
#define PATH_BYTES 192

struct report { /* from the hub's process, for each round */
    uint64_t round;
    atl_ns open_ns, commit_ns;
    uint32_t participants;
};

struct edge {
    struct bench *bench;
    char name[FED_NAME_BYTES];
    struct fed_identity identity;
    struct priv_ledger *ledger;
    struct fed_edge *fed;
    struct bus_client *bus;
    bool job, online;
};

struct bench {
    char dir[64];
    struct broker broker;
    struct learn_shape shape;
    uint32_t n, rounds, params;
    struct fed_roster *roster;
    struct edge *edges;
    float *delta;
    uint32_t promoted[ROUNDS_MAX]; /* edges that took up the model of a round */
    atl_ns promoted_ns[ROUNDS_MAX];
};

static void die(const char *what)
{
    fprintf(stderr, "bench_fleet: %s\n", what);
    exit(1);
}

static void check(int r, const struct atl_error *err)
{
    if (r < 0)
        die(err->text);
}

/* --- people --- */

static void make_person(struct bench *b, struct fed_identity *out, const char *name)
{
    char keys[PATH_BYTES], public[PATH_BYTES], line[66];
    struct atl_error err = {""};
    snprintf(keys, sizeof(keys), "%s/keys", b->dir);
    check(fed_identity_open(out, keys, name, &err), &err);
    snprintf(public, sizeof(public), "%s/roster/%s.pub", b->dir, name);
    atl_hex(line, out->public_key, sizeof(out->public_key));
    line[64] = '\n';
    check(atl_file_write(public, line, sizeof(line) - 1, 0644, &err), &err);
}

static struct bus_client *open_bus(const struct bench *b, const char *name, bus_event_fn on_event,
                                   void *ctx)
{
    struct bus_config cfg;
    struct bus_client *client;
    struct atl_error err = {""};
    bus_config_default(&cfg);
    cfg.url = b->broker.url;
    cfg.client_id = name;
    cfg.session_expiry_s = 0;
    check(bus_client_create(&client, &cfg, on_event, ctx, &err), &err);
    return client;
}

static void send_tail(struct bus_client *bus, const char *tail, const uint8_t *payload,
                      size_t bytes, bool retain)
{
    char topic[BUS_TOPIC_BYTES];
    snprintf(topic, sizeof(topic), PREFIX "%s", tail);
    if (bus_client_publish(bus, topic, payload, bytes, 1, retain) < 0)
        die("a bus refused a message");
}

static void on_log(void *ctx, const char *line)
{
    (void)ctx;
    if (getenv("BENCH_LOG") != NULL)
        fprintf(stderr, "# %s\n", line);
}

/* --- the hub's process --- */

struct hub {
    struct fed_hub *fed;
    struct bus_client *bus;
    uint64_t round;
    atl_ns open_ns;
    int out;
};

static void hub_send(void *ctx, const char *tail, const uint8_t *payload, size_t bytes, bool retain)
{
    send_tail(((struct hub *)ctx)->bus, tail, payload, bytes, retain);
}

static void hub_round(void *ctx, const struct fed_round_info *info)
{
    struct hub *h = ctx;
    if (info->round != h->round) {
        h->round = info->round;
        h->open_ns = atl_clock_mono_ns();
    }
    if (info->state != FED_ROUND_COMMITTED)
        return;
    const struct report done = {
        .round = info->round,
        .open_ns = h->open_ns,
        .commit_ns = atl_clock_mono_ns(),
        .participants = info->participants,
    };
    if (write(h->out, &done, sizeof(done)) != sizeof(done))
        die("cannot report");
}

static void hub_update(void *ctx, const struct bus_message *m)
{
    fed_hub_receive(((struct hub *)ctx)->fed, m->topic + strlen(PREFIX), m->payload, m->bytes,
                    atl_clock_wall_ns());
}

static void hub_state(void *ctx, const struct bus_message *m)
{
    char name[FED_NAME_BYTES];
    const char *tail = m->topic + strlen("atalaya/v1/bench/");
    snprintf(name, sizeof(name), "%.*s", (int)strcspn(tail, "/"), tail);
    fed_hub_presence(((struct hub *)ctx)->fed, name, m->bytes > 0);
}

static void hub_event(void *ctx, enum bus_event event, const char *why)
{
    (void)ctx;
    (void)event;
    on_log(NULL, why);
}

static void run_hub(struct bench *b, const struct fed_identity *identity, int out)
{
    char state[PATH_BYTES];
    struct atl_error err = {""};
    struct hub h = {.out = out};
    struct fed_hub_config cfg;
    struct learn_model *base;
    snprintf(state, sizeof(state), "%s/hub", b->dir);
    fed_hub_config_default(&cfg);
    cfg.federation = "bench";
    cfg.state_dir = state;
    cfg.rounds = b->rounds;
    cfg.quorum = cfg.expected = b->n;
    cfg.deadline_ns = 120 * ATL_NS_PER_S;
    cfg.pause_ns = ATL_NS_PER_S;
    const struct fed_hub_ops ops = {.send = hub_send, .log = on_log, .round = hub_round, .ctx = &h};
    check(learn_model_create(&base, &b->shape, 1), &err);
    h.bus = open_bus(b, "hub", hub_event, &h);
    check(fed_hub_create(&h.fed, &cfg, base, identity, b->roster, &ops, &err), &err);
    bus_client_subscribe(h.bus, PREFIX "up/+", 1, hub_update, &h);
    bus_client_subscribe(h.bus, "atalaya/v1/bench/+/state", 1, hub_state, &h);
    for (atl_ns end = atl_clock_mono_ns() + LIMIT_NS;
         !fed_hub_finished(h.fed) && atl_clock_mono_ns() < end;) {
        struct pollfd fd = {.fd = bus_client_fd(h.bus), .events = POLLIN};
        poll(&fd, 1, 20);
        bus_client_step(h.bus);
        fed_hub_step(h.fed, atl_clock_wall_ns());
    }
    bus_client_destroy(h.bus, 10 * ATL_NS_PER_S);
    fed_hub_destroy(h.fed);
    learn_model_destroy(base);
}

/* --- the edges' process --- */

static void edge_send(void *ctx, const char *tail, const uint8_t *payload, size_t bytes,
                      bool retain)
{
    send_tail(((struct edge *)ctx)->bus, tail, payload, bytes, retain);
}

static bool edge_ready(void *ctx, const struct fed_plan *plan)
{
    (void)ctx;
    (void)plan;
    return true;
}

static int edge_train(void *ctx, const struct fed_plan *plan, const float *params, uint32_t n)
{
    (void)plan;
    (void)params;
    (void)n;
    ((struct edge *)ctx)->job = true;
    return 0;
}

static int edge_promote(void *ctx, uint64_t round, const uint8_t hash[32], const float *params,
                        uint32_t n)
{
    (void)hash;
    (void)params;
    (void)n;
    struct bench *b = ((struct edge *)ctx)->bench;
    if (round < ROUNDS_MAX) {
        b->promoted[round]++;
        b->promoted_ns[round] = atl_clock_mono_ns();
    }
    return 0;
}

static void edge_message(void *ctx, const struct bus_message *m)
{
    fed_edge_receive(((struct edge *)ctx)->fed, m->topic + strlen(PREFIX), m->payload, m->bytes,
                     atl_clock_wall_ns());
}

static void edge_event(void *ctx, enum bus_event event, const char *why)
{
    struct edge *e = ctx;
    char topic[BUS_TOPIC_BYTES];
    on_log(NULL, why);
    e->online = event == BUS_CONNECTED;
    if (!e->online)
        return;
    snprintf(topic, sizeof(topic), "atalaya/v1/bench/%s/state", e->name);
    bus_client_publish(e->bus, topic, "online", 6, 1, true);
}

static void open_edge(struct bench *b, struct edge *e)
{
    char state[PATH_BYTES], ledger[PATH_BYTES], filter[BUS_TOPIC_BYTES];
    struct atl_error err = {""};
    snprintf(state, sizeof(state), "%s/%s", b->dir, e->name);
    snprintf(ledger, sizeof(ledger), "%s/%s-ledger", b->dir, e->name);
    const struct priv_ledger_config money = {.dir = ledger,
                                             .owner = e->name,
                                             .unit = "flow",
                                             .budget_epsilon = 100,
                                             .delta = 1e-5,
                                             .accountant = PRIV_RDP};
    const struct fed_edge_config cfg = {.federation = "bench",
                                        .hub = "hub",
                                        .shape = &b->shape,
                                        .section = "flow",
                                        .state_dir = state};
    const struct fed_edge_ops ops = {.send = edge_send,
                                     .log = on_log,
                                     .ready = edge_ready,
                                     .train = edge_train,
                                     .promote = edge_promote,
                                     .ctx = e};
    check(priv_ledger_open(&e->ledger, &money, &err), &err);
    e->bus = open_bus(b, e->name, edge_event, e);
    check(fed_edge_create(&e->fed, &cfg, &e->identity, b->roster, e->ledger, &ops, &err), &err);
    bus_client_subscribe(e->bus, PREFIX "model", 1, edge_message, e);
    bus_client_subscribe(e->bus, PREFIX "plan", 1, edge_message, e);
    snprintf(filter, sizeof(filter), PREFIX "ack/%s", e->name);
    bus_client_subscribe(e->bus, filter, 1, edge_message, e);
}

static void turn_edge(struct bench *b, struct edge *e)
{
    bus_client_step(e->bus);
    fed_edge_step(e->fed, atl_clock_wall_ns());
    if (e->job) {
        e->job = false;
        fed_edge_submit(e->fed, b->delta, b->params, 1000, atl_clock_wall_ns());
    }
}

static void run_edges(struct bench *b)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    for (uint32_t i = 0; i < b->n; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
        open_edge(b, &b->edges[i]);
        epoll_ctl(epoll, EPOLL_CTL_ADD, bus_client_fd(b->edges[i].bus), &event);
    }
    atl_ns all_ns = 0, end = atl_clock_mono_ns() + LIMIT_NS;
    while (b->promoted[b->rounds] < b->n && atl_clock_mono_ns() < end) {
        struct epoll_event ready[64];
        int n = epoll_wait(epoll, ready, 64, 20);
        for (int i = 0; i < n; i++)
            turn_edge(b, &b->edges[ready[i].data.u32]);
        if (atl_clock_mono_ns() < all_ns)
            continue;
        all_ns = atl_clock_mono_ns() + STEP_NS;
        for (uint32_t i = 0; i < b->n; i++)
            turn_edge(b, &b->edges[i]);
    }
    close(epoll);
}

/* --- the report --- */

static long status_kib(pid_t pid, const char *field)
{
    char path[64], line[256];
    long value = 0;
    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "r");
    while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
        if (strncmp(line, field, strlen(field)) == 0)
            value = strtol(line + strlen(field), NULL, 10);
    }
    if (f != NULL)
        fclose(f);
    return value;
}

static double cpu_s(pid_t pid)
{
    char path[64], text[1024] = "";
    unsigned long user = 0, system = 0;
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "r");
    if (f != NULL && fgets(text, sizeof(text), f) != NULL) {
        const char *at = strrchr(text, ')');
        if (at != NULL)
            (void)sscanf(at + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
                         &system);
    }
    if (f != NULL)
        fclose(f);
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static double own_cpu_s(int who)
{
    struct rusage u;
    getrusage(who, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void print_rounds(struct bench *b, int in)
{
    struct report r;
    printf("round  updates  commit_s  all_edges_s\n");
    while (read(in, &r, sizeof(r)) == sizeof(r)) {
        double commit = (double)(r.commit_ns - r.open_ns) / 1e9;
        double all = r.round < ROUNDS_MAX && b->promoted[r.round] == b->n
                         ? (double)(b->promoted_ns[r.round] - r.open_ns) / 1e9
                         : 0;
        printf("%5lu  %7u  %8.3f  %11.3f\n", (unsigned long)r.round, r.participants, commit, all);
    }
}

static void print_sums(struct bench *b, double seconds)
{
    uint64_t messages = 0, lost = 0;
    for (uint32_t i = 0; i < b->n; i++) {
        struct bus_stats s;
        bus_client_stats(b->edges[i].bus, &s);
        messages += s.delivered + s.received;
        lost += s.received_dropped + s.rejected + s.refused_full;
    }
    printf("edges %u, parameters %u: %lu messages in %.1f s, %lu lost\n", b->n, b->params,
           (unsigned long)messages, seconds, (unsigned long)lost);
    printf("broker: %.1f MiB at most, %.2f s of CPU; hub: %.2f s; edges: %.2f s in all\n",
           (double)status_kib(b->broker.pid, "VmHWM:") / 1024, cpu_s(b->broker.pid),
           own_cpu_s(RUSAGE_CHILDREN), own_cpu_s(RUSAGE_SELF));
}

static void make_bench(struct bench *b, struct fed_identity *hub)
{
    char path[PATH_BYTES];
    struct atl_error err = {""};
    atl_copy(b->dir, sizeof(b->dir), "/tmp/atalaya-bench-XXXXXX");
    if (mkdtemp(b->dir) == NULL)
        die("cannot make a folder in /tmp");
    snprintf(path, sizeof(path), "%s/roster", b->dir);
    check(atl_dir_make(path, &err), &err);
    make_person(b, hub, "hub");
    b->edges = calloc(b->n, sizeof(*b->edges));
    if (b->edges == NULL)
        die("out of memory");
    for (uint32_t i = 0; i < b->n; i++) {
        b->edges[i].bench = b;
        snprintf(b->edges[i].name, sizeof(b->edges[i].name), "edge-%u", i + 1);
        make_person(b, &b->edges[i].identity, b->edges[i].name);
    }
    check(fed_roster_load(&b->roster, path, &err), &err);
    b->shape =
        (struct learn_shape){.n_in = 80, .n_widths = 3, .widths = {64, 16, 64}, .schema = {1}};
    b->params = learn_shape_params(&b->shape);
    b->delta = calloc(b->params, sizeof(float));
    if (b->delta == NULL)
        die("out of memory");
    for (uint32_t i = 0; i < b->params; i++)
        b->delta[i] = (float)((i * 2654435761U) >> 8) / 1e12F;
    if (!broker_init(&b->broker) ||
        !broker_start(&b->broker, "max_queued_messages 20000\nallow_anonymous true"))
        die("mosquitto does not start");
}

static void finish_bench(struct bench *b)
{
    char command[96];
    for (uint32_t i = 0; i < b->n; i++) {
        bus_client_destroy(b->edges[i].bus, 0);
        fed_edge_destroy(b->edges[i].fed);
        priv_ledger_close(b->edges[i].ledger);
    }
    broker_finish(&b->broker);
    fed_roster_destroy(b->roster);
    free(b->edges);
    free(b->delta);
    snprintf(command, sizeof(command), "rm -r %s", b->dir);
    if (system(command) != 0)
        fprintf(stderr, "could not remove %s\n", b->dir);
}

int main(int argc, char **argv)
{
    struct bench b = {.n = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 200,
                      .rounds = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 5};
    struct fed_identity hub;
    int pipes[2];
    if (!broker_installed()) {
        printf("mosquitto is not installed\n");
        return 77;
    }
    if (b.n == 0 || b.n > 1000 || b.rounds == 0 || b.rounds >= ROUNDS_MAX)
        die("expected 1 to 1000 edges and 1 to 63 rounds");
    if (atl_base_init() < 0 || pipe2(pipes, O_CLOEXEC) < 0)
        die("no random numbers or no pipe");
    make_bench(&b, &hub);
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(pipes[0]);
        run_hub(&b, &hub, pipes[1]);
        _exit(0);
    }
    close(pipes[1]);
    atl_ns began = atl_clock_mono_ns();
    run_edges(&b);
    double seconds = (double)(atl_clock_mono_ns() - began) / 1e9;
    waitpid(child, NULL, 0);
    print_rounds(&b, pipes[0]);
    print_sums(&b, seconds);
    bool done = b.promoted[b.rounds] == b.n;
    finish_bench(&b);
    return done ? 0 : 1;
}
