/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The watch over the link as a whole: a forecaster for each of a few columns of the link view, and
 * `volume_change` alerts when the link carries far more or less than it should at this hour.
 *
 * A change is told when a row is new to its forecaster at a risk far below one row in 100,000 and
 * most of the rows after it stay out of bounds, or at once when a minute holds several times the
 * busiest minute of a week. While it is told the forecaster learns nothing, so that a flood does
 * not become the normal; one that goes on for `accept_ns` does.
 */
#ifndef LINK_WATCH_PRIV_H
#define LINK_WATCH_PRIV_H

#include "alerts/alerts.h"
#include "features/features.h"

struct link_watch_config {
    double alarms_per_day; /* false ones, over all series, that the risk is made for */
    double min_change;     /* times more or less than expected, 1.1 … 1000 */
    atl_ns warmup_ns;      /* a series is watched after so much of it was seen */
    atl_ns accept_ns;      /* a change that lasts so long is the new normal */
    const char *entity;    /* of the alerts; borrowed */
};
/** 0.1 false alarms a day, twice or half, one day, six hours, "link". */
void link_watch_config_default(struct link_watch_config *cfg);

struct link_watch;
typedef void (*link_watch_fn)(void *ctx, const struct alert_signal *signal);

/**
 * About 5 MB, fixed. A minute costs about 0.2 ms. One owner.
 * @param signal  called from link_watch_row
 * @return 0, -EINVAL, -ENOMEM
 */
int link_watch_create(struct link_watch **ret_watch, const struct link_watch_config *cfg,
                      link_watch_fn signal, void *ctx, struct atl_error *err);
void link_watch_destroy(struct link_watch *watch); /* NULL is fine */
/** Rows of 60 s are judged and learned, rows of 10 s only hasten an alarm, others are ignored. */
void link_watch_row(struct link_watch *watch, const struct feat_link_row *row);

#define LINK_WATCH_BYTES_MAX (16U << 20) /* of the saved state */
/** What was learned, for link_watch_restore of the same version. @return 0, -ENOMEM */
int link_watch_save(const struct link_watch *watch, uint8_t **ret_data, size_t *ret_bytes);
/** @return 0; -EBADMSG (damaged, of another version or other settings: the watch is as it was),
 * -ENOMEM */
int link_watch_restore(struct link_watch *watch, const uint8_t *data, size_t bytes,
                       struct atl_error *err);

#endif
