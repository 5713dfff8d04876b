/* SPDX-License-Identifier: Apache-2.0 */
#include "app/app_priv.h"
#include "app/detector_priv.h"
#include "app/link_watch_priv.h"
#include "app/options_priv.h"
#include "app/outfile_priv.h"
#include "app/recipe_priv.h"
#include "app/replay_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "Usage: atalaya detect [OPTION]… FILE.pcap\n"
    "       atalaya detect --baseline NORMAL.pcap… --save-model M\n\n"
    "Find anomalies in a capture file. Alerts go to standard output, one JSON object a line, each\n"
    "incident once with its strongest evidence. With no baseline and no model the factory model is "
    "used.\n\n"
    "      --baseline FILE    learn what is normal from this capture first (may be repeated)\n"
    "      --model FILE       use this model instead (safetensors)\n"
    "      --save-model FILE  keep the model that was learned from the baselines\n"
    "      --scores FILE      also write one CSV row for each scored thing\n"
    "      --min-flows N      leave hosts with fewer flows a minute alone [20]\n"
    "      --quiet            no alert lines for people on standard error\n"
    "  -h, --help             this text\n\n"
    "Example: atalaya detect --baseline monday.pcap tuesday.pcap\n";

#define BASELINES_MAX 64
#define BASELINE_ROWS 50000
/* A capture is rarely longer than a day, and somebody looks at what is found in it. */
#define LINK_WARMUP_NS (3600 * ATL_NS_PER_S)

struct detect {
    const char *baselines[BASELINES_MAX];
    uint32_t n_baselines;
    const char *model_path, *save_path, *scores_path, *file;
    uint32_t min_flows;
    bool quiet;

    struct model_set models;
    struct alert_config alert_cfg;
    struct alert_book *book;
    struct detector *detector;
    struct link_watch *link;
    struct outfile scores;
    uint32_t incidents;
    bool read_any;
};

static void default_detector(const struct detect *d, struct detector_config *cfg, const char *file)
{
    *cfg = (struct detector_config){
        .context = {.seed = 1, .entries_max = 1U << 20},
        .min_flows = d->min_flows,
        .reservoir_rows = BASELINE_ROWS,
        .seed = 1,
        .false_hourly = 1, /* the default of alerts.false_rate */
        .in_iface = file,
    };
    feat_host_config_default(&cfg->hosts);
    cfg->hosts.hosts_max = 65536;
    cfg->hosts.seed = 1; /* the same file gives the same result */
}

static int on_flow(void *ctx, const struct dp_flow *flow)
{
    struct detect *d = ctx;
    detector_add(d->detector, flow);
    return 0;
}

static void on_second(void *ctx, const struct dp_link *second)
{
    struct detect *d = ctx;
    detector_link(d->detector, second);
}

static void on_link_row(void *ctx, const struct feat_link_row *row)
{
    struct detect *d = ctx;
    link_watch_row(d->link, row);
}

static void on_report(void *ctx, const struct dp_report *report)
{
    struct detect *d = ctx;
    detector_report(d->detector, report);
}

static int on_step(void *ctx, atl_ns now_ns, bool last)
{
    struct detect *d = ctx;
    detector_step(d->detector, now_ns, last);
    if (d->book != NULL)
        alert_book_step(d->book, last ? now_ns + d->alert_cfg.clear_after_ns + 1 : now_ns);
    return 0;
}

static int replay(struct detect *d, const char *file, struct atl_error *err)
{
    const struct replay_ops ops = {
        .flow = on_flow,
        .step = on_step,
        .report = on_report,
        .link = d->book != NULL ? on_second : NULL,
        .ctx = d,
    };
    struct dp_counters c;
    int r = replay_file(DP_BACKEND_PCAP, DP_KEY_INNER, file, &ops, &c, err);
    d->read_any = c.received_packets > 0 || r == 0;
    if (d->read_any) {
        char line[1024];
        replay_describe(file, &c, line, sizeof(line));
        fprintf(stderr, "%s\n", line);
    }
    return r;
}

/* --- learning --- */

static void ignore_signal(void *ctx, const struct alert_signal *signal)
{
    (void)ctx;
    (void)signal;
}

static void keep_factory(struct detect *d, enum view view, struct model_set *learned)
{
    struct detector_stats stats;
    detector_stats(d->detector, &stats);
    fprintf(stderr,
            "%s view: %" PRIu64 " rows in %.0f s are too few to learn from, %s model stays\n",
            view_name(view), stats.offered[view], (double)stats.watched_ns * 1e-9,
            d->model_path != NULL ? "the given" : "the factory");
    learned->models[view] = d->models.models[view];
    d->models.models[view] = NULL;
}

static int learn_view(struct detect *d, enum view view, const struct feat_host_config *hosts,
                      struct model_set *learned, struct atl_error *err)
{
    struct detector_stats stats;
    float *rows;
    uint32_t n;
    detector_stats(d->detector, &stats);
    /* the end of the file has ended every flow: there is nothing to wait for */
    atl_ns settle_ns = recipe_settle_ns(view, 0, hosts->window_ns);
    if (stats.offered[view] < RECIPE_ROWS_MIN || stats.watched_ns < settle_ns) {
        keep_factory(d, view, learned);
        return 0;
    }
    int r = detector_copy_rows(d->detector, view, &rows, &n);
    if (r < 0)
        return atl_error_set(err, r, "out of memory");
    r = recipe_train(view, d->models.models[view], rows, n, 1, RECIPE_LOCAL, &learned->models[view],
                     err);
    if (r == 0)
        fprintf(stderr, "%s view: learned from %u rows\n", view_name(view), n);
    free(rows);
    return r;
}

static int read_baselines(struct detect *d, struct atl_error *err)
{
    struct detector_config cfg;
    const struct detector_ops ops = {.signal = ignore_signal, .ctx = d};
    default_detector(d, &cfg, "baseline");
    int r = detector_create(&d->detector, &cfg, &ops);
    if (r < 0)
        return atl_error_set(err, r, "out of memory");
    for (uint32_t i = 0; i < d->n_baselines && r >= 0; i++)
        r = replay(d, d->baselines[i], err);
    return r;
}

static int learn_baselines(struct detect *d, struct atl_error *err)
{
    struct model_set learned = {{NULL}};
    struct feat_host_config hosts;
    feat_host_config_default(&hosts);
    int r = read_baselines(d, err);
    for (enum view v = 0; v < VIEW_COUNT && r == 0; v++)
        r = learn_view(d, v, &hosts, &learned, err);
    detector_destroy(d->detector);
    d->detector = NULL;
    model_set_finish(&d->models);
    d->models = learned;
    if (r == 0 && d->save_path != NULL)
        r = model_set_save(d->save_path, &learned, err);
    return r;
}

/* --- detecting --- */

static void on_signal(void *ctx, const struct alert_signal *signal)
{
    struct detect *d = ctx;
    alert_book_raise(d->book, signal);
}

static void on_alert(void *ctx, enum alert_change change, const struct alert_incident *incident)
{
    struct detect *d = ctx;
    if (change != ALERT_CLEAR) /* it is written once, at its end, with the strongest evidence */
        return;
    char *json = alert_format_json(&d->alert_cfg, ALERT_RAISE, incident);
    if (json != NULL)
        puts(json);
    free(json);
    d->incidents++;
    if (d->quiet)
        return;
    char line[1024];
    alert_format_line(ALERT_RAISE, incident, line, sizeof(line));
    fprintf(stderr, "%s\n", line);
}

static void on_scored(void *ctx, const struct detector_scored *s)
{
    const struct detect *d = ctx;
    char src[DP_ADDR_TEXT_BYTES] = "", dst[DP_ADDR_TEXT_BYTES] = "", ports[2][8] = {"", ""};
    char proto[8] = "";
    if (s->flow != NULL) {
        dp_addr_format(&s->flow->src, src);
        dp_addr_format(&s->flow->dst, dst);
        snprintf(ports[0], sizeof(ports[0]), "%u", s->flow->src_port);
        snprintf(ports[1], sizeof(ports[1]), "%u", s->flow->dst_port);
        snprintf(proto, sizeof(proto), "%u", s->flow->proto);
    } else {
        dp_addr_format(&s->host->addr, s->host->role == FEAT_SOURCE ? src : dst);
    }
    fprintf(d->scores.stream,
            "%s,%" PRIu64 ".%09" PRIu64 ",%" PRIu64 ".%09" PRIu64 ",%s,%s,%s,%s,%s,%.7g,%.4g\n",
            view_name(s->view), s->first_ns / ATL_NS_PER_S, s->first_ns % ATL_NS_PER_S,
            s->last_ns / ATL_NS_PER_S, s->last_ns % ATL_NS_PER_S, src, ports[0], dst, ports[1],
            proto, (double)s->score, (double)s->p_value);
}

/* Of the file alone: a baseline may be of another link, and is no part of a saved model. */
static int open_link(struct detect *d, struct atl_error *err)
{
    struct link_watch_config cfg;
    link_watch_config_default(&cfg);
    cfg.warmup_ns = LINK_WARMUP_NS;
    return link_watch_create(&d->link, &cfg, on_signal, d, err);
}

static int watch_file(struct detect *d, struct atl_error *err)
{
    struct detector_config cfg;
    const struct detector_ops ops = {.signal = on_signal,
                                     .scored = d->scores_path != NULL ? on_scored : NULL,
                                     .link = on_link_row,
                                     .ctx = d};
    default_detector(d, &cfg, d->file);
    alert_config_default(&d->alert_cfg);
    d->alert_cfg.site = "local";
    d->alert_cfg.node = "detect";
    int r = alert_book_create(&d->book, &d->alert_cfg, on_alert, d);
    if (r == 0)
        r = detector_create(&d->detector, &cfg, &ops);
    if (r < 0)
        return atl_error_set(err, r, "out of memory");
    r = open_link(d, err);
    if (r < 0)
        return r;
    for (enum view v = 0; v < VIEW_COUNT; v++) {
        detector_post_model(d->detector, v, d->models.models[v]);
        d->models.models[v] = NULL;
    }
    r = factory_reference(d->detector, err);
    if (r == 0)
        r = replay(d, d->file, err);
    if (d->read_any)
        fprintf(stderr, "%s: %u incident%s\n", d->file, d->incidents, d->incidents == 1 ? "" : "s");
    return r;
}

static int watch(struct detect *d, struct atl_error *err)
{
    d->read_any = false; /* so far of the baselines */
    if (d->scores_path == NULL)
        return watch_file(d, err);
    int r = outfile_open(&d->scores, d->scores_path, err);
    if (r < 0)
        return r;
    fputs("detector,first,last,src,src_port,dst,dst_port,proto,score,p_value\n", d->scores.stream);
    r = watch_file(d, err);
    if (r < 0 && !d->read_any) {
        outfile_discard(&d->scores);
        return r;
    }
    struct atl_error write_err;
    if (outfile_close(&d->scores, &write_err) < 0) {
        *err = write_err;
        return -EIO;
    }
    return r;
}

static int run(struct detect *d)
{
    struct atl_error err = {""};
    int r = d->save_path != NULL ? outfile_check(d->save_path, &err) : 0;
    if (r == 0)
        r = d->model_path != NULL ? model_set_load(d->model_path, &d->models, &err)
                                  : model_set_factory(&d->models, &err);
    if (r == 0 && d->n_baselines > 0)
        r = learn_baselines(d, &err);
    if (r == 0 && d->file != NULL)
        r = watch(d, &err);
    detector_destroy(d->detector);
    link_watch_destroy(d->link);
    alert_book_destroy(d->book);
    model_set_finish(&d->models);
    if (r < 0) {
        fprintf(stderr, "atalaya detect: %s\n", err.text);
        return EXIT_FAILED;
    }
    return EXIT_OK;
}

static int check_usage(struct detect *d, int argc, char **argv)
{
    if (optind < argc)
        d->file = argv[optind++];
    if (optind < argc)
        return options_usage("detect", "expected one capture file, found also '%s'", argv[optind]);
    if (d->file == NULL && d->save_path == NULL)
        return options_usage("detect", "expected a capture file");
    if (d->save_path != NULL && d->n_baselines == 0)
        return options_usage("detect", "--save-model needs a --baseline to learn from");
    return OPTIONS_GO_ON;
}

static int take_baseline(void *ctx, const char *value, struct atl_error *err)
{
    struct detect *d = ctx;
    if (d->n_baselines == BASELINES_MAX)
        return atl_error_set(err, -ENOSPC, "at most %d baselines", BASELINES_MAX);
    d->baselines[d->n_baselines++] = value;
    return 0;
}

int verb_detect(int argc, char **argv)
{
    struct detect d = {.min_flows = 20};
    const struct options_row rows[] = {
        {"baseline", 0, OPTIONS_TAKE, .ctx = &d, .take = take_baseline},
        {"model", 0, OPTIONS_TEXT, .text = &d.model_path},
        {"save-model", 0, OPTIONS_TEXT, .text = &d.save_path},
        {"scores", 0, OPTIONS_TEXT, .text = &d.scores_path},
        {"min-flows", 0, OPTIONS_COUNT32, .count32 = &d.min_flows, .min = 1, .max = 1e6},
        {"quiet", 0, OPTIONS_FLAG, .flag = &d.quiet},
        {"json", 0, OPTIONS_FLAG, .flag = &d.quiet}, /* alerts are JSON already */
    };
    int code = options_read("detect", help, rows, ATL_ARRAY_LEN(rows), argc, argv);
    if (code == OPTIONS_GO_ON)
        code = check_usage(&d, argc, argv);
    return code == OPTIONS_GO_ON ? run(&d) : code;
}
