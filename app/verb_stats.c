/* SPDX-License-Identifier: Apache-2.0 */
#include "app/app_priv.h"
#include "app/config_priv.h"
#include "app/control_socket_priv.h"
#include "app/options_priv.h"
#include "app/stats_print_priv.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WATCH_NS ATL_NS_PER_S

static const char status_help[] =
    "Usage: atalaya status -c FILE [--json]\n\n"
    "How a running edge is: since when, what it captures, what it has learned, which alerts are\n"
    "open, and why it is degraded if it is. Exit code 0 when it runs, 1 when it does not "
    "answer.\n\n"
    "  -c, --config FILE  its configuration: says where its socket is\n"
    "  -s, --socket PATH  or the socket itself, <state_dir>/control.sock\n"
    "      --json         its answer as one JSON object\n"
    "  -h, --help         this text\n\n"
    "Example: atalaya status -c /etc/atalaya/edge.yaml\n";

static const char stats_help[] =
    "Usage: atalaya stats -c FILE [--watch] [--json]\n\n"
    "What a running edge counts. Every packet received is processed, dropped for a reason with a\n"
    "name, or on its way between workers: the difference is 0. Losses are packets that never came\n"
    "to us. Cycles a packet are measured on one burst of 1024 for each stage; busy is the share "
    "of\n"
    "time in which a worker found work. Below stand the headers that were opened and, where\n"
    "telecom control plane passes, who says what in it.\n\n"
    "  -c, --config FILE  its configuration: says where its socket is\n"
    "  -s, --socket PATH  or the socket itself, <state_dir>/control.sock\n"
    "  -w, --watch        one line a second until interrupted\n"
    "      --json         JSON; with --watch one object a line\n"
    "  -h, --help         this text\n\n"
    "Example: atalaya stats -c /etc/atalaya/edge.yaml --watch\n";

static const char reload_help[] =
    "Usage: atalaya reload -c FILE [--json]\n\n"
    "Have a running edge validate its configuration and, when it is good and has changed, start\n"
    "again with it. A file with mistakes is refused with their places, and the old one stays.\n\n"
    "  -c, --config FILE  its configuration: says where its socket is\n"
    "  -s, --socket PATH  or the socket itself, <state_dir>/control.sock\n"
    "      --json         its answer as one JSON object\n"
    "  -h, --help         this text\n\n"
    "Example: atalaya reload -s /var/lib/atalaya/control.sock\n";

struct talk {
    const char *verb;
    const char *config, *socket;
    bool json, watch;
    json_t *request;
    void (*print)(const json_t *answer);
};

/* --- reading answers --- */

static const json_t *at(const json_t *doc, const char *path)
{
    char name[64];
    while (doc != NULL && path[0] != '\0') {
        size_t n = strcspn(path, ".");
        snprintf(name, sizeof(name), "%.*s", (int)n, path);
        doc = json_object_get(doc, name);
        path += path[n] == '.' ? n + 1 : n;
    }
    return doc;
}

static double number(const json_t *doc, const char *path)
{
    return json_number_value(at(doc, path));
}

static const char *text(const json_t *doc, const char *path)
{
    const char *value = json_string_value(at(doc, path));
    return value != NULL ? value : "?";
}

/* --- for people --- */

static void print_reasons(const json_t *doc)
{
    const char *name;
    json_t *value;
    const char *before = " (";
    json_object_foreach((json_t *)(uintptr_t)at(doc, "packets.dropped"), name, value)
    {
        if (json_integer_value(value) == 0)
            continue;
        printf("%s%" JSON_INTEGER_FORMAT " %s", before, json_integer_value(value), name);
        before = ", ";
    }
    printf("%s\n", before[0] == ',' ? ")" : "");
}

static void print_packets(const json_t *doc)
{
    double received = number(doc, "packets.received"), processed = number(doc, "packets.processed");
    double handed = number(doc, "packets.handed"), difference = number(doc, "packets.difference");
    printf("packets    %.0f received, %.0f processed, %.0f dropped", received, processed,
           received - processed - handed - difference);
    print_reasons(doc);
    printf("lost       %.0f before us (card %.0f full, %.0f broken, %.0f without buffer; kernel "
           "%.0f)\n",
           number(doc, "packets.nic_dropped"), number(doc, "packets.losses.nic_missed"),
           number(doc, "packets.losses.nic_errors"), number(doc, "packets.losses.nic_nombuf"),
           number(doc, "packets.losses.kernel"));
    printf("flows      %.0f live, %.0f ended, %.0f lost on the way to the analysis\n",
           number(doc, "flows.live"), number(doc, "flows.exported"), number(doc, "flows.lost"));
}

static void print_model(const json_t *doc, const char *view)
{
    const json_t *model = at(at(at(doc, "detector"), "models"), view);
    printf("%s model %s since %s, scores %s; %s\n", view, text(model, "name"), text(model, "since"),
           text(model, "drift"), text(model, "last"));
}

static void print_federation(const json_t *doc)
{
    printf("federation %s", text(doc, "federation.state"));
    if (strcmp(text(doc, "federation.state"), "off") != 0) {
        printf(", round %.0f, epsilon ", number(doc, "federation.round"));
        if (json_is_null(at(doc, "federation.epsilon")))
            printf("unknown");
        else
            printf("%.3f", number(doc, "federation.epsilon"));
        printf(" of %.3f at delta %g", number(doc, "federation.budget"),
               number(doc, "federation.delta"));
    }
    printf("\n");
}

static void print_status(const json_t *doc)
{
    size_t i;
    json_t *reason;
    printf("%s/%s is %s since %s (atalaya %s)\n", text(doc, "site"), text(doc, "node"),
           text(doc, "state"), text(doc, "started"), text(doc, "version"));
    json_array_foreach((json_t *)(uintptr_t)at(doc, "degraded"), i, reason)
        printf("degraded   %s\n", json_string_value(reason));
    printf("capture    %s\n", text(doc, "capture"));
    print_packets(doc);
    printf("rate       %.0f packets/s, %.3f Mbit/s, %.0f flows/s\n",
           number(doc, "rates.packets_per_s"), number(doc, "rates.bits_per_s") / 1e6,
           number(doc, "rates.flows_per_s"));
    printf("detector   %s, %.0f of %.0f flows seen to learn from, %.0f scored\n",
           text(doc, "detector.phase"), number(doc, "detector.rows"),
           number(doc, "detector.rows_needed"), number(doc, "detector.scored"));
    print_model(doc, "flow");
    print_model(doc, "host");
    printf("alerts     %.0f open, %.0f suppressed\n", number(doc, "alerts.open"),
           number(doc, "alerts.suppressed"));
    printf("broker     %s\n", text(doc, "broker.url")[0] == '\0'          ? "none"
                              : json_is_true(at(doc, "broker.connected")) ? "connected"
                                                                          : "not connected");
    print_federation(doc);
}

static void print_link(const json_t *doc)
{
    if (at(doc, "link") == NULL) /* the edge runs for less than a minute */
        return;
    printf("minute     %.8s: %.0f packets, %.0f bytes, %.0f flows begun from %.0f sources to %.0f "
           "destinations,\n           %.0f %% unanswered; SYN %.0f, SYN+ACK %.0f, RST %.0f; "
           "drops %.0f\n",
           text(doc, "link.first") + 11, number(doc, "link.packets"), number(doc, "link.bytes"),
           number(doc, "link.flows_begun"), number(doc, "link.sources"),
           number(doc, "link.destinations"), 100 * number(doc, "link.unanswered_share"),
           number(doc, "link.syn"), number(doc, "link.syn_ack"), number(doc, "link.rst"),
           number(doc, "link.drops"));
}

static void print_stats(const json_t *doc)
{
    size_t i;
    json_t *w;
    print_packets(doc);
    printf("difference %.0f, on their way between workers %.0f\n",
           number(doc, "packets.difference"), number(doc, "packets.handed"));
    print_link(doc);
    printf("\nworker     received        given        taken    processed   live flows  busy     "
           "rx  decode  table  expiry\n");
    json_array_foreach((json_t *)(uintptr_t)at(doc, "workers"), i, w)
        printf("%6zu %12.0f %12.0f %12.0f %12.0f %12.0f %4.0f%% %6.0f %7.0f %6.0f %7.0f\n", i,
               number(w, "received"), number(w, "given"), number(w, "taken"),
               number(w, "processed"), number(w, "flows_live"), 100 * number(w, "busy"),
               number(w, "cycles_per_packet.rx"), number(w, "cycles_per_packet.decode"),
               number(w, "cycles_per_packet.table"), number(w, "cycles_per_packet.expiry"));
    printf("(the last four in cycles a packet)\n");
    if (number(doc, "flows.without_detail") > 0)
        printf("\n%.0f records without detail: flows.detail flows had it at that time\n",
               number(doc, "flows.without_detail"));
    stats_print_headers(doc);
}

static void print_reload(const json_t *doc)
{
    printf("%s\n", json_is_true(at(doc, "changed")) ? "good; the edge starts again with it"
                                                    : "good; nothing has changed");
}

/* --- watching --- */

static double busy_between(const json_t *now, const json_t *before, size_t worker)
{
    const json_t *w = json_array_get(at(now, "workers"), worker);
    const json_t *old = json_array_get(at(before, "workers"), worker);
    double all = number(w, "all_cycles") - number(old, "all_cycles");
    return all > 0 ? (number(w, "busy_cycles") - number(old, "busy_cycles")) / all : 0;
}

static void print_line(const json_t *now, const json_t *before, uint32_t line)
{
    double s = (number(now, "mono_ns") - number(before, "mono_ns")) * 1e-9;
    double per_s = s > 0 ? 1 / s : 0;
#define RATE(path) ((number(now, path) - number(before, path)) * per_s)
    if (line % 20 == 0)
        printf("time          packets/s     Mbit/s    lost/s  flows live  difference  busy of "
               "each worker\n");
    printf("%-12.8s %10.0f %10.2f %9.0f %11.0f %11.0f ", text(now, "ts") + 11,
           RATE("packets.received"), RATE("bytes") * 8 / 1e6, RATE("packets.nic_dropped"),
           number(now, "flows.live"), number(now, "packets.difference"));
#undef RATE
    for (size_t w = 0; w < json_array_size(at(now, "workers")); w++)
        printf(" %3.0f%%", 100 * busy_between(now, before, w));
    putchar('\n');
}

static void print_json(const json_t *doc)
{
    json_dumpf(doc, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
    putchar('\n');
}

static int watch(const struct talk *t, int fd, struct atl_error *err)
{
    json_t *before = NULL, *now = NULL;
    struct timespec pause = {.tv_sec = (time_t)(WATCH_NS / ATL_NS_PER_S)};
    int r;
    /* Ends with the edge, with the reader of our output, or with the signal that ends us. */
    for (uint32_t line = 0;; nanosleep(&pause, NULL)) {
        r = control_call(fd, t->request, &now, err);
        if (r < 0)
            break;
        if (t->json)
            print_json(now);
        else if (before != NULL)
            print_line(now, before, line++);
        json_decref(before);
        before = now;
        if (fflush(stdout) != 0)
            break;
    }
    json_decref(before);
    return r;
}

/* --- one talk --- */

static int find_socket(const struct talk *t, char out[CONTROL_PATH_BYTES], int *ret_code,
                       struct atl_error *err)
{
    struct config cfg = {.state_dir = ""};
    *ret_code = EXIT_FAILED;
    if (t->socket != NULL) {
        if (atl_copy(out, CONTROL_PATH_BYTES, t->socket))
            return 0;
        return atl_error_set(err, -1, "%s: too long for a socket's path", t->socket);
    }
    struct config_report *report = calloc(1, sizeof(*report));
    if (report == NULL)
        return atl_error_set(err, -1, "out of memory");
    int r = config_load(t->config, &cfg, report);
    /* A running edge must answer also while its file is being edited. */
    if (r < 0 && cfg.state_dir[0] == '\0') {
        *ret_code = EXIT_CONFIG;
        config_report_print(report, t->config, stderr);
        atl_error_set(err, -1, "%s: does not say where the socket is; or give --socket PATH",
                      t->config);
    } else if (cfg.role != CONFIG_EDGE) {
        *ret_code = EXIT_CONFIG;
        r = atl_error_set(err, -1, "%s: role: expected 'edge' for this verb, found '%s'", t->config,
                          config_role_name(cfg.role));
    } else {
        r = control_path(cfg.state_dir, out, err);
    }
    config_report_finish(report);
    free(report);
    return r;
}

static void print_problem(const json_t *problem)
{
    if (number(problem, "line") > 0) /* of what is missing there is no place */
        fprintf(stderr, "line %.0f, column %.0f: ", number(problem, "line"),
                number(problem, "column"));
    fprintf(stderr, "%s\n", text(problem, "error"));
}

static int one_answer(const struct talk *t, int fd, struct atl_error *err)
{
    json_t *answer, *problem;
    size_t i;
    int r = control_call(fd, t->request, &answer, err);
    if (r < 0)
        return r;
    if (t->json)
        print_json(answer);
    if (!json_is_true(at(answer, "ok"))) {
        r = atl_error_set(err, -1, "%s", text(answer, "error"));
        json_array_foreach((json_t *)(uintptr_t)at(answer, "problems"), i, problem)
            print_problem(problem);
    } else if (!t->json) {
        t->print(answer);
    }
    json_decref(answer);
    return r;
}

static int run(const struct talk *t)
{
    struct atl_error err = {""};
    char path[CONTROL_PATH_BYTES];
    int code, fd;
    if (find_socket(t, path, &code, &err) < 0) {
        fprintf(stderr, "atalaya %s: %s\n", t->verb, err.text);
        return code;
    }
    int r = control_connect(&fd, path, &err);
    if (r == 0) {
        r = t->watch ? watch(t, fd, &err) : one_answer(t, fd, &err);
        close(fd);
    }
    if (r < 0)
        fprintf(stderr, "atalaya %s: %s\n", t->verb, err.text);
    return r < 0 ? EXIT_FAILED : EXIT_OK;
}

/* What is left of the line begins at optind. */
static int parse(struct talk *t, const char *help, bool watches, int argc, char **argv)
{
    const struct options_row rows[] = {
        {"config", 'c', OPTIONS_TEXT, .text = &t->config},
        {"socket", 's', OPTIONS_TEXT, .text = &t->socket},
        {"json", 0, OPTIONS_FLAG, .flag = &t->json},
        {"watch", 'w', OPTIONS_FLAG, .flag = &t->watch},
    };
    size_t n = ATL_ARRAY_LEN(rows) - (watches ? 0 : 1);
    int code = options_read(t->verb, help, rows, n, argc, argv);
    if (code == OPTIONS_GO_ON && t->config == NULL && t->socket == NULL)
        return options_usage(t->verb, "expected -c FILE or --socket PATH");
    return code;
}

static int simple_verb(const char *verb, const char *help, bool watches,
                       void (*print)(const json_t *answer), int argc, char **argv)
{
    struct talk t = {.verb = verb, .print = print};
    int code = parse(&t, help, watches, argc, argv);
    if (code == OPTIONS_GO_ON)
        code = options_no_words(verb, argc, argv);
    if (code != OPTIONS_GO_ON)
        return code;
    t.request = json_pack("{s:s}", "verb", verb);
    code = run(&t);
    json_decref(t.request);
    return code;
}

int verb_status(int argc, char **argv)
{
    return simple_verb("status", status_help, false, print_status, argc, argv);
}

int verb_stats(int argc, char **argv)
{
    return simple_verb("stats", stats_help, true, print_stats, argc, argv);
}

int verb_reload(int argc, char **argv)
{
    return simple_verb("reload", reload_help, false, print_reload, argc, argv);
}

/* --- evidence --- */

static const char evidence_help[] =
    "Usage: atalaya evidence -c FILE ADDRESS [--json]\n\n"
    "Write what a running edge remembers of the packets of one address to a pcapng file in its\n"
    "evidence folder, and print the file's name. The edge must have evidence.enabled: true; it "
    "then\n"
    "keeps the first evidence.snap bytes of the last evidence.packets packets of each worker.\n\n"
    "Privacy: the file contains the addresses, ports and headers of people's traffic, on this box\n"
    "only, mode 0600; never a byte beyond evidence.snap. With the default of 128 bytes that is "
    "the\n"
    "headers, and of packets with short headers the first few bytes behind them.\n\n"
    "  -c, --config FILE  its configuration: says where its socket is\n"
    "  -s, --socket PATH  or the socket itself, <state_dir>/control.sock\n"
    "      --json         its answer as one JSON object\n"
    "  -h, --help         this text\n\n"
    "Example: atalaya evidence -c /etc/atalaya/edge.yaml 192.0.2.7\n";

static void print_evidence(const json_t *doc)
{
    fprintf(stderr, "%.0f packets of %.0f remembered\n", number(doc, "packets"),
            number(doc, "remembered"));
    printf("%s\n", text(doc, "file"));
}

int verb_evidence(int argc, char **argv)
{
    struct talk t = {.verb = "evidence", .print = print_evidence};
    int code = parse(&t, evidence_help, false, argc, argv);
    if (code != OPTIONS_GO_ON)
        return code;
    if (optind + 1 != argc)
        return options_usage(t.verb, "expected one address");
    t.request = json_pack("{s:s, s:s}", "verb", t.verb, "entity", argv[optind]);
    if (t.request == NULL)
        return options_usage(t.verb, "the address is no text");
    code = run(&t);
    json_decref(t.request);
    return code;
}
