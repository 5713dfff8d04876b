/* SPDX-License-Identifier: Apache-2.0 */
#include "app/app_priv.h"
#include "app/exporter_priv.h"
#include "app/options_priv.h"
#include "app/replay_priv.h"
#include "app/schema_print_priv.h"
#include "app/telecom_json_priv.h"
#include "app/view_writer_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "Usage: atalaya flows [OPTION]… FILE…\n\n"
    "Turn capture files (pcap, pcapng, gzip'ed or not; '-' = standard input) into one record for "
    "each\n"
    "conversation, with features. Records go to standard output, a summary to standard error.\n\n"
    "  -v, --view flow|host|link    what a row is about [flow]: a conversation; an address in one "
    "role\n"
    "                               and window; everything that passes in one interval\n"
    "  -i, --interval 1s|10s|60s    of the link view [1s]\n"
    "  -f, --format csv|jsonl|ipfix|none  form of the records [csv]; none only counts\n"
    "  -p, --profile atalaya|cic    set of columns [atalaya]; cic: those of CICFlowMeter, "
    "corrected\n"
    "      --cic-compat             with the cic profile: repeat CICFlowMeter's defects\n"
    "      --detail N               with the cic profile: at most N flows at once fill every "
    "column\n"
    "                               [all]; cells of the others stay empty where sums are "
    "missing\n"
    "  -o, --out PATH|URL           write to PATH instead, which appears only when all is "
    "written;\n"
    "                               ipfix also to udp://host:port or tcp://host:port\n"
    "      --units                  csv: first two comment lines with schema and units\n"
    "      --nanoseconds            ipfix: times in nanoseconds instead of milliseconds\n"
    "      --schema                 print the columns of every view and their meaning, no FILE\n"
    "  -b, --backend libpcap|dpdk   what reads the files [libpcap]\n"
    "  -k, --key inner|outer        which IP packet of a tunnel makes the flow [inner]\n"
    "      --json                   summary (or schema) as one JSON object\n"
    "  -h, --help                   this text\n\n"
    "Example: atalaya flows --format jsonl capture.pcap | head -n 1\n";

enum flows_view { FLOWS_FLOW, FLOWS_HOST, FLOWS_LINK };

static const char *const views[] = {"flow", "host", "link", NULL}; /* enum flows_view */
static const char *const intervals[] = {"1s", "10s", "60s", NULL};
static const uint32_t intervals_s[] = {1, 10, 60};

/* A file may hold a site's whole day; entries that it does not need are never touched. */
static const struct feat_context_config context = {.seed = 1, .entries_max = 1U << 20};

static const char *const formats[] = {"csv", "jsonl", "ipfix", "none", NULL};
static const char *const profiles[] = {"atalaya", "cic", NULL};
static const char *const backends[] = {"libpcap", "dpdk", NULL};
static const char *const keys[] = {"inner", "outer", NULL}; /* enum dp_key_view */

/* What was asked; the numbers are places in the lists above. */
struct request {
    int view, interval, format, profile, backend, key;
    bool json, schema, compat, detailed, timed;
};

struct flows {
    struct request asked;
    struct exporter_config cfg;
    uint32_t detail;
    json_t *telecom;              /* of the file read last, if json */
    struct feat_context *context; /* NULL: no row is wanted */
    struct exporter *exporter;    /* flow view */
    struct view_writer *writer;   /* the others */
    struct dp_counters total;     /* of the files that are done */
    atl_ns now_ns;
    struct atl_error *err;
};

static int on_flow(void *ctx, const struct dp_flow *flow)
{
    struct flows *f = ctx;
    float raw[FEAT_COLUMNS_MAX];
    if (f->writer != NULL) {
        view_writer_flow(f->writer, flow);
        return 0;
    }
    if (f->context == NULL)
        return exporter_flow(f->exporter, flow, NULL, f->now_ns, f->err);
    feat_context_row(f->context, flow, raw);
    return exporter_flow(f->exporter, flow, raw, f->now_ns, f->err);
}

static void on_report(void *ctx, const struct dp_report *report)
{
    struct flows *f = ctx;
    view_writer_report(f->writer, report);
}

static void on_link(void *ctx, const struct dp_link *second)
{
    struct flows *f = ctx;
    view_writer_link(f->writer, second);
}

static int on_step(void *ctx, atl_ns now_ns, bool last)
{
    struct flows *f = ctx;
    f->now_ns = now_ns;
    if (f->writer != NULL)
        return view_writer_step(f->writer, now_ns, last, f->err);
    return exporter_step(f->exporter, &f->total, now_ns, f->err);
}

static void add_counters(struct dp_counters *sum, const struct dp_counters *c)
{
    sum->received_packets += c->received_packets;
    sum->processed_packets += c->processed_packets;
    sum->nic_dropped_packets += c->nic_dropped_packets;
    sum->ring_full_records += c->ring_full_records;
    sum->detail_missed += c->detail_missed;
    for (int i = 0; i < DP_REASON_COUNT; i++)
        sum->reasons[i] += c->reasons[i];
}

static void read_telecom(void *ctx, const struct dp_engine *engine)
{
    struct flows *f = ctx;
    f->telecom = telecom_peers_json(engine);
}

static json_t *summary_json(const char *path, const struct dp_counters *c, json_t *telecom)
{
    json_t *reasons = json_object(), *ends = json_object();
    for (int i = 0; i < DP_REASON_COUNT; i++)
        json_object_set_new(reasons, dp_reason_name((enum dp_reason)i),
                            json_integer((json_int_t)c->reasons[i]));
    for (int i = DP_END_IDLE; i <= DP_END_RESOURCES; i++)
        json_object_set_new(ends, dp_end_reason_name((enum dp_end_reason)i),
                            json_integer((json_int_t)c->flows_by_end[i]));
    return json_pack(
        "{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o*}", "file", path, "packets",
        (json_int_t)c->received_packets, "bytes", (json_int_t)c->received_bytes, "processed",
        (json_int_t)c->processed_packets, "flows", (json_int_t)c->flows_exported, "difference",
        (json_int_t)dp_counters_difference(c), "detail_missed", (json_int_t)c->detail_missed,
        "dropped", reasons, "flows_by_end", ends, "encapsulations", encapsulations_json(c),
        "fallbacks", fallbacks_json(c), "telecom", telecom);
}

static int read_files(struct flows *f, char **paths, int n, json_t *files, struct atl_error *err)
{
    for (int i = 0; i < n; i++) {
        const struct replay_ops ops = {
            .flow = on_flow,
            .step = on_step,
            .report = f->writer != NULL ? on_report : NULL,
            .link = f->asked.view == FLOWS_LINK ? on_link : NULL,
            .end = files != NULL ? read_telecom : NULL,
            .detail_flows = f->detail,
            .ctx = f,
        };
        struct dp_counters c;
        f->telecom = NULL;
        if (f->context != NULL)
            feat_context_clear(f->context);
        int r = replay_file((enum dp_backend)f->asked.backend, (enum dp_key_view)f->asked.key,
                            paths[i], &ops, &c, err);
        add_counters(&f->total, &c);
        if (files != NULL) {
            json_array_append_new(files, summary_json(paths[i], &c, f->telecom));
        } else if (c.received_packets > 0 || r == 0) {
            char line[1024];
            replay_describe(paths[i], &c, line, sizeof(line));
            fprintf(stderr, "%s\n", line);
        }
        if (r == 1)
            return -EIO; /* the exporter's line stands in *err */
        if (r < 0)
            return r;
    }
    return 0;
}

static int open_flows(struct flows *f, struct atl_error *err)
{
    if (exporter_wants_row(&f->cfg) && feat_context_create(&f->context, &context) < 0)
        return atl_error_set(err, -ENOMEM, "out of memory");
    return exporter_create(&f->exporter, &f->cfg, err);
}

static int open_output(struct flows *f, struct atl_error *err)
{
    f->cfg.patient = true;
    if (f->asked.view == FLOWS_FLOW || f->cfg.format == EXPORTER_NONE)
        return open_flows(f, err);
    const struct view_writer_config cfg = {
        .view = f->asked.view == FLOWS_HOST ? VIEW_WRITER_HOST : VIEW_WRITER_LINK,
        .format = (enum feat_format)f->cfg.format,
        .units = f->cfg.units,
        .interval_s = intervals_s[f->asked.interval],
        .to = f->cfg.to,
    };
    return view_writer_create(&f->writer, &cfg, err);
}

/* Records of a damaged capture are kept: what was read so far is true. A header alone says nothing.
 */
static int close_output(struct flows *f, bool failed, struct atl_error *err)
{
    if (failed && f->total.received_packets == 0) {
        view_writer_discard(f->writer);
        exporter_discard(f->exporter);
        return 0;
    }
    return f->writer != NULL ? view_writer_close(f->writer, err)
                             : exporter_close(f->exporter, &f->total, f->now_ns, err);
}

static int run(struct flows *f, char **paths, int n)
{
    struct atl_error err = {""};
    f->err = &err;
    int r = open_output(f, &err);
    if (r < 0) {
        feat_context_destroy(f->context);
        fprintf(stderr, "atalaya flows: %s\n", err.text);
        return EXIT_FAILED;
    }
    json_t *files = f->asked.json ? json_array() : NULL;
    r = read_files(f, paths, n, files, &err);
    struct atl_error write_err;
    if (close_output(f, r < 0, &write_err) < 0) {
        r = -EIO;
        err = write_err;
    }
    feat_context_destroy(f->context);
    if (files != NULL) {
        json_t *summary = json_pack("{s:i, s:o}", "schema", 1, "files", files);
        json_dumpf(summary, stderr, JSON_COMPACT);
        fputc('\n', stderr);
        json_decref(summary);
    }
    if (r < 0) {
        fprintf(stderr, "atalaya flows: %s\n", err.text);
        return EXIT_FAILED;
    }
    return EXIT_OK;
}

/* @return NULL, or what contradicts what */
static const char *check_view(const struct request *asked)
{
    if (asked->timed && asked->view != FLOWS_LINK)
        return "--interval is for --view link";
    if (asked->compat && asked->profile != EXPORTER_CIC)
        return "--cic-compat needs --profile cic";
    if (asked->detailed && asked->profile != EXPORTER_CIC)
        return "--detail needs --profile cic";
    if (asked->view == FLOWS_FLOW)
        return NULL;
    if (asked->format == EXPORTER_IPFIX)
        return "ipfix is for --view flow; write the other views as csv or jsonl";
    return asked->profile != EXPORTER_ATALAYA ? "the cic profile is for --view flow" : NULL;
}

/* @return OPTIONS_GO_ON, or the exit code */
static int check_request(struct flows *f, int argc)
{
    const struct request *asked = &f->asked;
    struct atl_error err;
    const char *wrong = check_view(asked);
    if (wrong != NULL)
        return options_usage("flows", "%s", wrong);
    f->cfg.format = (enum exporter_format)asked->format;
    f->cfg.profile = asked->compat ? EXPORTER_CIC_COMPAT : (enum exporter_profile)asked->profile;
    if (!asked->detailed && asked->profile == EXPORTER_CIC)
        f->detail = UINT32_MAX;
    if (exporter_config_check(&f->cfg, &err) < 0)
        return options_usage("flows", "%s", err.text);
    if (optind == argc)
        return options_usage("flows", "expected a capture file");
    return OPTIONS_GO_ON;
}

int verb_flows(int argc, char **argv)
{
    struct flows f = {0};
    struct request *asked = &f.asked;
    exporter_config_default(&f.cfg);
    const struct options_row rows[] = {
        {"view", 'v', OPTIONS_CHOICE, .choice = &asked->view, .choices = views},
        {"interval", 'i', OPTIONS_CHOICE, .choice = &asked->interval, .choices = intervals,
         .given = &asked->timed},
        {"format", 'f', OPTIONS_CHOICE, .choice = &asked->format, .choices = formats},
        {"profile", 'p', OPTIONS_CHOICE, .choice = &asked->profile, .choices = profiles},
        {"cic-compat", 0, OPTIONS_FLAG, .flag = &asked->compat},
        {"detail", 0, OPTIONS_COUNT32, .count32 = &f.detail, .max = UINT32_MAX,
         .given = &asked->detailed},
        {"out", 'o', OPTIONS_TEXT, .text = &f.cfg.to},
        {"units", 0, OPTIONS_FLAG, .flag = &f.cfg.units},
        {"nanoseconds", 0, OPTIONS_FLAG, .flag = &f.cfg.nanoseconds},
        {"schema", 0, OPTIONS_FLAG, .flag = &asked->schema},
        {"backend", 'b', OPTIONS_CHOICE, .choice = &asked->backend, .choices = backends},
        {"key", 'k', OPTIONS_CHOICE, .choice = &asked->key, .choices = keys},
        {"json", 0, OPTIONS_FLAG, .flag = &asked->json},
    };
    int code = options_read("flows", help, rows, ATL_ARRAY_LEN(rows), argc, argv);
    if (code != OPTIONS_GO_ON)
        return code;
    if (asked->schema)
        return schema_print(asked->json, stdout) == 0 ? EXIT_OK : EXIT_FAILED;
    code = check_request(&f, argc);
    return code == OPTIONS_GO_ON ? run(&f, argv + optind, argc - optind) : code;
}
