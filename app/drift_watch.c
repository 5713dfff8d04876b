/* SPDX-License-Identifier: Apache-2.0 */
#include "app/drift_watch_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BINS 256

struct drift_watch {
    struct learn_drift *drift;
    uint32_t bins[BINS], n;
    atl_ns began_ns;
};

int drift_watch_create(struct drift_watch **ret_watch)
{
    struct drift_watch *w = calloc(1, sizeof(*w));
    if (w == NULL)
        return -ENOMEM;
    int r = learn_drift_create(&w->drift, DRIFT_DELTA, NULL);
    if (r < 0) {
        free(w);
        return r;
    }
    *ret_watch = w;
    return 0;
}

void drift_watch_destroy(struct drift_watch *w)
{
    if (w == NULL)
        return;
    learn_drift_destroy(w->drift);
    free(w);
}

static void begin_window(struct drift_watch *w, atl_ns now_ns)
{
    memset(w->bins, 0, sizeof(w->bins));
    w->n = 0;
    w->began_ns = now_ns;
}

void drift_watch_reset(struct drift_watch *w)
{
    learn_drift_reset(w->drift);
    begin_window(w, 0);
}

void drift_watch_add(struct drift_watch *w, float score)
{
    w->bins[(uint32_t)(score * (BINS - 1))]++; /* a score is 0 … 1 */
    w->n++;
}

/* In the middle of its bin, and within the bin by the share of the rows before the median. */
static double median(const struct drift_watch *w)
{
    uint32_t before = 0, bin = 0;
    while (before + w->bins[bin] <= w->n / 2)
        before += w->bins[bin++];
    double within = (w->n / 2.0 - before) / w->bins[bin];
    return (bin + within) / BINS;
}

int drift_watch_step(struct drift_watch *w, atl_ns now_ns)
{
    if (w->began_ns == 0)
        w->began_ns = now_ns;
    if (w->n < DRIFT_WINDOW_MIN || now_ns < w->began_ns + DRIFT_WINDOW_NS)
        return 0;
    int drift = learn_drift_step(w->drift, median(w));
    begin_window(w, now_ns);
    return drift;
}

double drift_watch_level(const struct drift_watch *w)
{
    return learn_drift_mean(w->drift);
}
