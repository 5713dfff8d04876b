/* SPDX-License-Identifier: Apache-2.0 */
#include "app/app_priv.h"
#include "app/options_priv.h"
#include "app/outfile_priv.h"
#include "app/replay_priv.h"
#include "features/features.h"

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
    "  -f, --format csv|jsonl|none  form of the records [csv]; none only counts\n"
    "  -p, --profile atalaya        set of features [atalaya]\n"
    "  -o, --out PATH               write to PATH instead; it appears only when all is written\n"
    "  -b, --backend libpcap|dpdk   what reads the files [libpcap]\n"
    "  -k, --key inner|outer        which IP packet of a tunnel makes the flow [inner]\n"
    "      --json                   summary as one JSON object\n"
    "  -h, --help                   this text\n\n"
    "Example: atalaya flows --format jsonl capture.pcap | head -n 1\n";

static const char *const formats[] = {"csv", "jsonl", "none", NULL};
static const char *const profiles[] = {"atalaya", NULL};
static const char *const backends[] = {"libpcap", "dpdk", NULL};
static const char *const keys[] = {"inner", "outer", NULL}; /* enum dp_key_view */

enum { FORMAT_NONE = 2 };

struct flows {
    int format;
    enum dp_backend backend;
    enum dp_key_view key;
    const char *out_path;
    bool json;
    json_t *telecom; /* of the file read last, if json */
    struct outfile out;
};

static int write_flow(void *ctx, const struct dp_flow *flow)
{
    const struct flows *f = ctx;
    if (f->format == FORMAT_NONE)
        return 0;
    char line[FEAT_EXPORT_LINE_BYTES];
    size_t n = feat_export_flow((enum feat_format)f->format, flow, line, sizeof(line));
    return fwrite(line, 1, n, f->out.stream) == n ? 0 : -1;
}

static int write_header(struct flows *f)
{
    char line[FEAT_EXPORT_LINE_BYTES];
    if (f->format == FORMAT_NONE)
        return 0;
    size_t n = feat_export_header((enum feat_format)f->format, line, sizeof(line));
    return fwrite(line, 1, n, f->out.stream) == n ? 0 : -1;
}

/* The object of a row's peer, at the end of the list: rows of a peer follow each other. */
static json_t *peer_of(json_t *peers, const struct dp_telecom_row *row)
{
    char text[DP_ADDR_TEXT_BYTES];
    dp_addr_format(&row->peer, text);
    json_t *last = json_array_get(peers, json_array_size(peers) - 1);
    if (last != NULL && strcmp(json_string_value(json_object_get(last, "peer")), text) == 0)
        return last;
    json_array_append_new(peers, json_pack("{s:s, s:I}", "peer", text, "errors", (json_int_t)0));
    return json_array_get(peers, json_array_size(peers) - 1);
}

static json_t *object_of(json_t *parent, const char *name)
{
    if (json_object_get(parent, name) == NULL)
        json_object_set_new(parent, name, json_object());
    return json_object_get(parent, name);
}

static void add_row(json_t *peers, const struct dp_telecom_row *row)
{
    json_t *peer = peer_of(peers, row);
    char code[16];
    if (row->other) {
        json_object_set_new(peer, "other", json_integer((json_int_t)row->count));
        return;
    }
    snprintf(code, sizeof(code), "%" PRIu32, row->code);
    json_t *protocol = object_of(peer, dp_telecom_name((enum dp_telecom_protocol)row->protocol));
    json_object_set_new(object_of(protocol, row->cause ? "causes" : "messages"), code,
                        json_integer((json_int_t)row->count));
    if (row->error) {
        json_int_t errors = json_integer_value(json_object_get(peer, "errors"));
        json_object_set_new(peer, "errors", json_integer(errors + (json_int_t)row->count));
    }
}

/* Who says what in the control plane: [{peer, errors, gtpv2c: {messages: {"32": 1}, causes}}] */
static void read_telecom(void *ctx, const struct dp_engine *engine)
{
    struct flows *f = ctx;
    uint32_t n = dp_engine_telecom(engine, NULL, 0);
    struct dp_telecom_row *rows = calloc(n > 0 ? n : 1, sizeof(*rows));
    f->telecom = json_array();
    if (rows == NULL)
        return;
    dp_engine_telecom(engine, rows, n);
    for (uint32_t i = 0; i < n; i++)
        add_row(f->telecom, &rows[i]);
    free(rows);
}

static void set_if_seen(json_t *object, const char *name, uint64_t count)
{
    if (count > 0)
        json_object_set_new(object, name, json_integer((json_int_t)count));
}

static json_t *summary_json(const char *path, const struct dp_counters *c, json_t *telecom)
{
    json_t *encaps = json_object(), *fallbacks = json_object();
    for (int i = 0; i < DP_ENCAP_COUNT; i++)
        set_if_seen(encaps, dp_encap_name((enum dp_encap)i), c->encaps[i]);
    for (int i = 0; i < DP_REASON_COUNT; i++)
        set_if_seen(fallbacks, dp_reason_name((enum dp_reason)i), c->fallbacks[i]);
    json_t *reasons = json_object(), *ends = json_object();
    for (int i = 0; i < DP_REASON_COUNT; i++)
        json_object_set_new(reasons, dp_reason_name((enum dp_reason)i),
                            json_integer((json_int_t)c->reasons[i]));
    for (int i = DP_END_IDLE; i <= DP_END_RESOURCES; i++)
        json_object_set_new(ends, dp_end_reason_name((enum dp_end_reason)i),
                            json_integer((json_int_t)c->flows_by_end[i]));
    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o*}", "file", path,
                     "packets", (json_int_t)c->received_packets, "bytes",
                     (json_int_t)c->received_bytes, "processed", (json_int_t)c->processed_packets,
                     "flows", (json_int_t)c->flows_exported, "difference",
                     (json_int_t)dp_counters_difference(c), "dropped", reasons, "flows_by_end",
                     ends, "encapsulations", encaps, "fallbacks", fallbacks, "telecom", telecom);
}

static int read_files(struct flows *f, char **paths, int n, json_t *files, struct atl_error *err)
{
    for (int i = 0; i < n; i++) {
        const struct replay_ops ops = {write_flow, NULL, f, files != NULL ? read_telecom : NULL};
        struct dp_counters c;
        f->telecom = NULL;
        int r = replay_file(f->backend, f->key, paths[i], &ops, &c, err);
        if (files != NULL) {
            json_array_append_new(files, summary_json(paths[i], &c, f->telecom));
        } else if (c.received_packets > 0 || r == 0) {
            char line[1024];
            replay_describe(paths[i], &c, line, sizeof(line));
            fprintf(stderr, "%s\n", line);
        }
        if (r == 1)
            return atl_error_set(err, -EIO, "cannot write the records: %s", strerror(errno));
        if (r < 0)
            return r;
    }
    return 0;
}

static int run(struct flows *f, char **paths, int n)
{
    struct atl_error err = {""};
    int r = outfile_open(&f->out, f->out_path, &err);
    if (r < 0) {
        fprintf(stderr, "atalaya flows: %s\n", err.text);
        return EXIT_FAILED;
    }
    json_t *files = f->json ? json_array() : NULL;
    r = write_header(f);
    if (r == 0)
        r = read_files(f, paths, n, files, &err);
    /* records of a damaged capture are kept: what was read so far is true */
    struct atl_error write_err;
    if (outfile_close(&f->out, &write_err) < 0) {
        r = -EIO;
        err = write_err;
    }
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

int verb_flows(int argc, char **argv)
{
    static const struct option options[] = {
        {"format", required_argument, NULL, 'f'}, {"profile", required_argument, NULL, 'p'},
        {"out", required_argument, NULL, 'o'},    {"backend", required_argument, NULL, 'b'},
        {"key", required_argument, NULL, 'k'},    {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
    };
    struct flows f = {0};
    int choice;
    opterr = 0;
    for (int c; (c = getopt_long(argc, argv, ":f:p:o:b:k:h", options, NULL)) != -1;) {
        switch (c) {
        case 'f':
            if ((f.format = options_choice("flows", "--format", optarg, formats)) < 0)
                return EXIT_USAGE;
            break;
        case 'p':
            if (options_choice("flows", "--profile", optarg, profiles) < 0)
                return EXIT_USAGE;
            break;
        case 'b':
            if ((choice = options_choice("flows", "--backend", optarg, backends)) < 0)
                return EXIT_USAGE;
            f.backend = (enum dp_backend)choice;
            break;
        case 'k':
            if ((choice = options_choice("flows", "--key", optarg, keys)) < 0)
                return EXIT_USAGE;
            f.key = (enum dp_key_view)choice;
            break;
        case 'o':
            f.out_path = optarg;
            break;
        case 'j':
            f.json = true;
            break;
        case 'h':
            fputs(help, stdout);
            return EXIT_OK;
        default:
            return options_refuse("flows", c, argv, options);
        }
    }
    if (optind == argc)
        return options_usage("flows", "expected a capture file");
    return run(&f, argv + optind, argc - optind);
}
