/* SPDX-License-Identifier: Apache-2.0 */
/* A bar on a terminal for what takes longer than two seconds. */
#ifndef PROGRESS_PRIV_H
#define PROGRESS_PRIV_H

#include "base/base.h"

struct progress {
    bool enabled, shown; /* enabled: standard error is a terminal */
    atl_ns begun_ns, drawn_ns;
};

void progress_begin(struct progress *progress);
/** Draw when it is time to: at most ten times a second. @param share  done, 0 … 1 */
void progress_report(struct progress *progress, const char *what, double share);
/** Take the bar away. */
void progress_end(struct progress *progress);

#endif
