/* SPDX-License-Identifier: Apache-2.0 */
#include "app/progress_priv.h"

#include <stdio.h>
#include <unistd.h>

#define PATIENCE_NS (2 * ATL_NS_PER_S)
#define REDRAW_NS   (100 * ATL_NS_PER_MS)
#define BAR         30

void progress_begin(struct progress *progress)
{
    *progress =
        (struct progress){.enabled = isatty(STDERR_FILENO) == 1, .begun_ns = atl_clock_mono_ns()};
}

void progress_report(struct progress *progress, const char *what, double share)
{
    static const char full[] = "##############################";
    static const char none[] = "..............................";
    _Static_assert(sizeof(full) == BAR + 1 && sizeof(none) == BAR + 1, "the bar's length");
    if (!progress->enabled)
        return;
    atl_ns now_ns = atl_clock_mono_ns();
    if (now_ns - progress->begun_ns < PATIENCE_NS || now_ns - progress->drawn_ns < REDRAW_NS)
        return;
    progress->drawn_ns = now_ns;
    progress->shown = true;
    int done = share >= 1 ? BAR : share > 0 ? (int)(share * BAR) : 0;
    fprintf(stderr, "\r[%.*s%.*s] %3d %%  %-24.24s", done, full, BAR - done, none,
            (int)(100 * (share >= 1  ? 1
                         : share > 0 ? share
                                     : 0)),
            what);
    fflush(stderr);
}

void progress_end(struct progress *progress)
{
    if (progress->shown)
        fputs("\r\033[K", stderr);
    progress->shown = false;
}
