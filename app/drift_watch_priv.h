/* SPDX-License-Identifier: Apache-2.0 */
/* Do the scores of a view drift? The median of each window's scores goes to the drift test, so that
 * neither a few odd rows nor a busy minute weigh more than they should. */
#ifndef DRIFT_WATCH_PRIV_H
#define DRIFT_WATCH_PRIV_H

#include "learner/learner.h"

#define DRIFT_WINDOW_NS  (60 * ATL_NS_PER_S) /* at least */
#define DRIFT_WINDOW_MIN 64                  /* rows of a window, at least */
#define DRIFT_DELTA      1e-4                /* false drifts a window, at most */

struct drift_watch;
int drift_watch_create(struct drift_watch **ret_watch);
void drift_watch_destroy(struct drift_watch *watch); /* NULL is fine */
void drift_watch_add(struct drift_watch *watch, float score);
/** @return 0, or 1 and -1 when the median has risen or fallen */
int drift_watch_step(struct drift_watch *watch, atl_ns now_ns);
/** Another model scores from now on, or another time begins. */
void drift_watch_reset(struct drift_watch *watch);
/** Mean of the windows' medians since the last drift, 0 before the first. */
double drift_watch_level(const struct drift_watch *watch);

#endif
