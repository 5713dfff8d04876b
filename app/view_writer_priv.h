/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of the host or the link view, from a replay to a file. One thread. */
#ifndef VIEW_WRITER_PRIV_H
#define VIEW_WRITER_PRIV_H

#include "features/features.h"

enum view_writer_view { VIEW_WRITER_HOST, VIEW_WRITER_LINK };

struct view_writer_config {
    enum view_writer_view view;
    enum feat_format format;
    bool units;          /* CSV: comment lines before the header */
    uint32_t interval_s; /* link */
    const char *to;      /* path; NULL = standard output; borrowed */
};

struct view_writer;

/** @return 0 or negative errno with a line in *err */
int view_writer_create(struct view_writer **ret_writer, const struct view_writer_config *cfg,
                       struct atl_error *err);
void view_writer_flow(struct view_writer *writer, const struct dp_flow *flow);
void view_writer_report(struct view_writer *writer, const struct dp_report *report);
void view_writer_link(struct view_writer *writer, const struct dp_link *second);
/**
 * Rows that are due; the last of a file with `flush`.
 * @return 0, or the first error of writing with a line in *err
 */
int view_writer_step(struct view_writer *writer, atl_ns now_ns, bool flush, struct atl_error *err);
/** Give the file its name. NULL is fine. Frees in any case. */
int view_writer_close(struct view_writer *writer, struct atl_error *err);
/** Instead: leave no file behind. NULL is fine. */
void view_writer_discard(struct view_writer *writer);

#endif
