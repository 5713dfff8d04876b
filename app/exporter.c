/* SPDX-License-Identifier: Apache-2.0 */
#include "app/exporter_priv.h"
#include "app/outfile_priv.h"
#include "app/outlink_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FILE_MESSAGE_BYTES 65535
#define TCP_MESSAGE_BYTES  16384
#define TCP_QUEUE_BYTES    (4U << 20)
#define RETRY_NS           ATL_NS_PER_S
#define FLUSH_NS           ATL_NS_PER_S /* a record waits no longer for its message to fill */

struct exporter {
    struct exporter_config cfg;
    struct feat_ipfix *ipfix;
    struct outlink *link;
    struct outfile file;
    bool file_open;
    char path[PATH_MAX]; /* of the open file, when rotating */
    atl_ns file_since_ns, flushed_ns, reported_ns, now_ns;
    atl_ns retry_ns; /* a file could not be opened: leave it alone until then */
    struct exporter_counters counters;
    struct atl_error error;
};

void exporter_config_default(struct exporter_config *cfg)
{
    *cfg = (struct exporter_config){.domain = 1, .template_every_ns = 60 * ATL_NS_PER_S};
}

int exporter_config_check(const struct exporter_config *cfg, struct atl_error *err)
{
    bool url = cfg->to != NULL && outlink_is_url(cfg->to);
    if (url && outlink_check(cfg->to, err) < 0)
        return -EINVAL;
    if (url && cfg->format != EXPORTER_IPFIX)
        return atl_error_set(err, -EINVAL,
                             "only ipfix goes over the network; csv and jsonl go to "
                             "a file");
    if (cfg->profile != EXPORTER_ATALAYA && cfg->format == EXPORTER_IPFIX)
        return atl_error_set(err, -EINVAL, "the cic profile is for csv and jsonl");
    if (cfg->units && (cfg->format != EXPORTER_CSV || cfg->profile != EXPORTER_ATALAYA))
        return atl_error_set(err, -EINVAL, "units are for csv with the atalaya profile");
    if (cfg->nanoseconds && cfg->format != EXPORTER_IPFIX)
        return atl_error_set(err, -EINVAL, "nanoseconds are for ipfix; csv and jsonl have them");
    return 0;
}

/* --- files --- */

/* What went wrong in on_message stands in x->error. */
static int result(const struct exporter *x, int r, struct atl_error *err)
{
    return r < 0 ? atl_error_set(err, r, "%s", x->error.text) : 0;
}

static int write_file(struct exporter *x, const void *bytes, size_t n, struct atl_error *err)
{
    if (fwrite(bytes, 1, n, x->file.stream) == n)
        return 0;
    int code = errno != 0 ? errno : EIO;
    return atl_error_set(err, -code, "cannot write the records: %s", strerror(code));
}

static int write_header(struct exporter *x, struct atl_error *err)
{
    char text[2 * FEAT_EXPORT_LINE_BYTES];
    size_t n = 0;
    if (x->cfg.format > EXPORTER_JSONL)
        return 0;
    enum feat_format format = (enum feat_format)x->cfg.format;
    if (x->cfg.units)
        n = feat_export_units(text, FEAT_EXPORT_LINE_BYTES);
    if (x->cfg.profile == EXPORTER_ATALAYA)
        n += feat_export_header(format, text + n, FEAT_EXPORT_LINE_BYTES);
    else
        n += feat_cic_header(format, text + n, FEAT_EXPORT_LINE_BYTES);
    return write_file(x, text, n, err);
}

/* flows.csv → flows-20261121T001600Z.csv */
static int rotated_path(struct exporter *x, atl_ns now_ns, struct atl_error *err)
{
    const char *to = x->cfg.to, *name = strrchr(to, '/');
    const char *dot = strrchr(name != NULL ? name : to, '.');
    size_t stem = dot != NULL ? (size_t)(dot - to) : strlen(to);
    char stamp[32];
    time_t s = (time_t)(now_ns / ATL_NS_PER_S);
    struct tm tm;
    if (gmtime_r(&s, &tm) == NULL || strftime(stamp, sizeof(stamp), "-%Y%m%dT%H%M%SZ", &tm) == 0)
        return atl_error_set(err, -EINVAL, "cannot name a file by the time %lld", (long long)s);
    int n = snprintf(x->path, sizeof(x->path), "%.*s%s%s", (int)stem, to, stamp, to + stem);
    if (n < 0 || (size_t)n >= sizeof(x->path))
        return atl_error_set(err, -ENAMETOOLONG, "cannot create %s: the path is too long", to);
    return 0;
}

static int open_file(struct exporter *x, atl_ns now_ns, struct atl_error *err)
{
    const char *path = x->cfg.to;
    int r = 0;
    if (x->cfg.rotate_ns > 0) {
        r = rotated_path(x, now_ns, err);
        path = x->path;
    }
    if (r == 0)
        r = outfile_open(&x->file, path, err);
    if (r < 0)
        return r;
    x->file_open = true;
    x->file_since_ns = now_ns;
    r = write_header(x, err);
    if (r == 0 && x->ipfix != NULL)
        r = result(x, feat_ipfix_describe(x->ipfix, now_ns), err);
    return r;
}

static int reopen_file(struct exporter *x, atl_ns now_ns, struct atl_error *err)
{
    if (now_ns < x->retry_ns && x->retry_ns - now_ns <= RETRY_NS)
        return atl_error_set(err, -EAGAIN, "%s", x->error.text);
    int r = open_file(x, now_ns, &x->error);
    x->retry_ns = r < 0 ? now_ns + RETRY_NS : 0;
    return result(x, r, err);
}

static int close_file(struct exporter *x, struct atl_error *err)
{
    int r = 0;
    if (!x->file_open)
        return 0;
    if (x->ipfix != NULL)
        r = result(x, feat_ipfix_flush(x->ipfix), err);
    x->file_open = false;
    int closed = outfile_close(&x->file, err);
    return closed < 0 ? closed : r;
}

/* --- messages --- */

static int on_message(void *ctx, const uint8_t *message, size_t bytes)
{
    struct exporter *x = ctx;
    return x->link != NULL ? outlink_send(x->link, message, bytes, &x->error)
                           : write_file(x, message, bytes, &x->error);
}

static size_t on_greet(void *ctx, const uint8_t *next, uint8_t out[OUTLINK_GREETING_BYTES])
{
    struct exporter *x = ctx;
    return feat_ipfix_templates(x->ipfix, next, x->now_ns, out);
}

_Static_assert(FEAT_IPFIX_TEMPLATES_BYTES <= OUTLINK_GREETING_BYTES, "the greeting is templates");

static int make_ipfix(struct exporter *x, struct atl_error *err)
{
    bool udp = x->cfg.to != NULL && outlink_is_udp(x->cfg.to);
    bool url = x->cfg.to != NULL && outlink_is_url(x->cfg.to);
    struct feat_ipfix_config cfg;
    feat_ipfix_config_default(&cfg);
    cfg.nanoseconds = x->cfg.nanoseconds;
    cfg.domain = x->cfg.domain;
    cfg.describe_every_ns = x->cfg.template_every_ns;
    if (!udp) { /* a stream is told once */
        cfg.message_bytes = url ? TCP_MESSAGE_BYTES : FILE_MESSAGE_BYTES;
        cfg.describe_every_ns = 0;
        cfg.describe_every_messages = 0;
    }
    int r = feat_ipfix_create(&x->ipfix, &cfg, on_message, x);
    return r < 0 ? atl_error_set(err, r, "cannot set up IPFIX: %s", strerror(-r)) : 0;
}

/* --- life --- */

int exporter_create(struct exporter **ret_exporter, const struct exporter_config *cfg,
                    struct atl_error *err)
{
    int r = exporter_config_check(cfg, err);
    if (r < 0)
        return r;
    struct exporter *x = calloc(1, sizeof(*x));
    if (x == NULL)
        return atl_error_set(err, -ENOMEM, "out of memory");
    x->cfg = *cfg;
    x->now_ns = atl_clock_wall_ns();
    if (cfg->format == EXPORTER_IPFIX)
        r = make_ipfix(x, err);
    if (r == 0 && cfg->to != NULL && outlink_is_url(cfg->to)) {
        const struct outlink_config link = {cfg->to, TCP_QUEUE_BYTES, cfg->patient,
                                            outlink_is_udp(cfg->to) ? NULL : on_greet, x};
        r = outlink_create(&x->link, &link, err);
    } else if (r == 0 && cfg->rotate_ns == 0) {
        r = open_file(x, x->now_ns, err);
    }
    if (r < 0) {
        feat_ipfix_destroy(x->ipfix);
        free(x);
        return r;
    }
    *ret_exporter = x;
    return 0;
}

bool exporter_wants_row(const struct exporter_config *cfg)
{
    return cfg->format != EXPORTER_NONE && cfg->profile == EXPORTER_ATALAYA;
}

static int write_text(struct exporter *x, const struct dp_flow *flow, const float *raw,
                      struct atl_error *err)
{
    char line[FEAT_EXPORT_LINE_BYTES];
    enum feat_format format = (enum feat_format)x->cfg.format;
    bool compat = x->cfg.profile == EXPORTER_CIC_COMPAT;
    size_t n = x->cfg.profile == EXPORTER_ATALAYA
                   ? feat_export_flow(format, flow, raw, line, sizeof(line))
                   : feat_cic_flow(format, compat, flow, line, sizeof(line));
    return write_file(x, line, n, err);
}

int exporter_flow(struct exporter *x, const struct dp_flow *flow, const float *raw, atl_ns now_ns,
                  struct atl_error *err)
{
    int r = 0;
    x->now_ns = now_ns;
    if (x->cfg.format == EXPORTER_NONE)
        return 0;
    if (x->link == NULL && !x->file_open)
        r = reopen_file(x, now_ns, err);
    if (r == 0)
        r = x->ipfix != NULL ? result(x, feat_ipfix_flow(x->ipfix, flow, raw, now_ns), err)
                             : write_text(x, flow, raw, err);
    if (r < 0)
        x->counters.dropped_records++;
    else
        x->counters.records++;
    return r;
}

static bool is_due(atl_ns since_ns, atl_ns every_ns, atl_ns now_ns)
{
    return now_ns < since_ns || now_ns - since_ns >= every_ns;
}

static int step_ipfix(struct exporter *x, const struct dp_counters *counters, atl_ns now_ns)
{
    int r = 0;
    if (is_due(x->reported_ns, x->cfg.template_every_ns, now_ns)) {
        struct exporter_counters c;
        exporter_counters(x, &c);
        x->reported_ns = now_ns;
        r = feat_ipfix_report(x->ipfix, counters, c.dropped_records, now_ns);
    }
    if (r == 0 && x->link != NULL && is_due(x->flushed_ns, FLUSH_NS, now_ns)) {
        x->flushed_ns = now_ns;
        r = feat_ipfix_flush(x->ipfix);
    }
    return r;
}

int exporter_step(struct exporter *x, const struct dp_counters *counters, atl_ns now_ns,
                  struct atl_error *err)
{
    int r = 0;
    x->now_ns = now_ns;
    if (x->file_open && x->cfg.rotate_ns > 0 && is_due(x->file_since_ns, x->cfg.rotate_ns, now_ns))
        r = close_file(x, err);
    if (r == 0 && x->ipfix != NULL && (x->link != NULL || x->file_open))
        r = result(x, step_ipfix(x, counters, now_ns), err);
    if (x->link != NULL)
        outlink_step(x->link);
    return r;
}

int exporter_close(struct exporter *x, const struct dp_counters *counters, atl_ns now_ns,
                   struct atl_error *err)
{
    int r = 0;
    if (x == NULL)
        return 0;
    x->now_ns = now_ns;
    if (x->ipfix != NULL && (x->link != NULL || x->file_open)) {
        struct exporter_counters c;
        exporter_counters(x, &c);
        r = feat_ipfix_report(x->ipfix, counters, c.dropped_records, now_ns);
        if (r == 0)
            r = feat_ipfix_flush(x->ipfix);
        r = result(x, r, err);
    }
    struct atl_error last;
    int closed = x->link != NULL ? outlink_close(x->link, &last) : close_file(x, &last);
    if (closed < 0 && r == 0) {
        r = closed;
        atl_error_set(err, r, "%s", last.text);
    }
    feat_ipfix_destroy(x->ipfix);
    free(x);
    return r;
}

void exporter_discard(struct exporter *x)
{
    if (x == NULL)
        return;
    if (x->file_open)
        outfile_discard(&x->file);
    if (x->link != NULL)
        outlink_close(x->link, NULL);
    feat_ipfix_destroy(x->ipfix);
    free(x);
}

void exporter_counters(const struct exporter *x, struct exporter_counters *ret_counters)
{
    *ret_counters = x->counters;
    if (x->link != NULL) {
        struct outlink_counters link;
        outlink_counters(x->link, &link);
        ret_counters->dropped_messages = link.dropped;
    }
}
