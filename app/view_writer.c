/* SPDX-License-Identifier: Apache-2.0 */
#include "app/outfile_priv.h"
#include "app/view_writer_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HOST_ROWS 16
#define HOSTS_MAX 65536

struct view_writer {
    struct view_writer_config cfg;
    struct feat_hosts *hosts;
    struct feat_links *links;
    struct outfile file;
    int error; /* the first of writing */
    struct feat_host_row host_rows[HOST_ROWS];
};

static void write_line(struct view_writer *w, const char *line, size_t n)
{
    if (w->error == 0 && fwrite(line, 1, n, w->file.stream) != n)
        w->error = errno != 0 ? -errno : -EIO;
}

static void on_link(void *ctx, const struct feat_link_row *row)
{
    struct view_writer *w = ctx;
    char line[FEAT_EXPORT_LINE_BYTES];
    write_line(w, line, feat_view_link(w->cfg.format, row, line, sizeof(line)));
}

static void write_hosts(struct view_writer *w, atl_ns now_ns, bool flush)
{
    char line[FEAT_EXPORT_LINE_BYTES];
    uint32_t n;
    do {
        n = feat_hosts_take(w->hosts, now_ns, flush, w->host_rows, HOST_ROWS);
        for (uint32_t i = 0; i < n; i++)
            if (w->host_rows[i].closed)
                write_line(w, line,
                           feat_view_host(w->cfg.format, &w->host_rows[i], line, sizeof(line)));
    } while (n == HOST_ROWS);
}

static void write_header(struct view_writer *w)
{
    char text[FEAT_EXPORT_LINE_BYTES];
    const struct feat_schema *schema =
        w->cfg.view == VIEW_WRITER_HOST ? feat_schema_host() : feat_schema_link();
    if (w->cfg.units)
        write_line(w, text, feat_view_units(schema, text, sizeof(text)));
    write_line(w, text, feat_view_header(schema, w->cfg.format, text, sizeof(text)));
}

static int make_view(struct view_writer *w)
{
    struct feat_host_config hosts;
    if (w->cfg.view == VIEW_WRITER_LINK)
        return feat_links_create(&w->links, w->cfg.interval_s, on_link, w);
    feat_host_config_default(&hosts);
    hosts.hosts_max = HOSTS_MAX;
    hosts.seed = 1; /* the same file gives the same rows */
    return feat_hosts_create(&w->hosts, &hosts);
}

static void destroy(struct view_writer *w)
{
    feat_hosts_destroy(w->hosts);
    feat_links_destroy(w->links);
    free(w);
}

int view_writer_create(struct view_writer **ret_writer, const struct view_writer_config *cfg,
                       struct atl_error *err)
{
    struct view_writer *w = calloc(1, sizeof(*w));
    if (w == NULL)
        return atl_error_set(err, -ENOMEM, "out of memory");
    w->cfg = *cfg;
    int r = make_view(w);
    if (r < 0)
        atl_error_set(err, r, "cannot set up the view: %s", strerror(-r));
    else
        r = outfile_open(&w->file, cfg->to, err);
    if (r < 0) {
        destroy(w);
        return r;
    }
    write_header(w);
    *ret_writer = w;
    return 0;
}

void view_writer_flow(struct view_writer *w, const struct dp_flow *flow)
{
    if (w->hosts != NULL)
        feat_hosts_add(w->hosts, flow);
}

void view_writer_report(struct view_writer *w, const struct dp_report *report)
{
    if (w->hosts != NULL)
        feat_hosts_report(w->hosts, report);
}

void view_writer_link(struct view_writer *w, const struct dp_link *second)
{
    if (w->links != NULL)
        feat_links_add(w->links, second);
}

int view_writer_step(struct view_writer *w, atl_ns now_ns, bool flush, struct atl_error *err)
{
    if (w->hosts != NULL)
        write_hosts(w, now_ns, flush);
    if (w->links != NULL && flush)
        feat_links_flush(w->links);
    return w->error == 0
               ? 0
               : atl_error_set(err, w->error, "cannot write the rows: %s", strerror(-w->error));
}

int view_writer_close(struct view_writer *w, struct atl_error *err)
{
    if (w == NULL)
        return 0;
    int r = outfile_close(&w->file, err);
    destroy(w);
    return r;
}

void view_writer_discard(struct view_writer *w)
{
    if (w == NULL)
        return;
    outfile_discard(&w->file);
    destroy(w);
}
