/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "dataplane/source_priv.h"

struct pace_source {
    struct dp_source base;
    double speed;
    bool started;
    atl_ns first_ns, started_ns;    /* packet time and monotonic time of the start */
    struct dp_frame held[DP_BURST]; /* borrowed from inner, not yet due from at on */
    uint32_t at, count;
};

static atl_ns moment(const struct pace_source *s)
{
    double elapsed = (double)(atl_clock_mono_ns() - s->started_ns);
    return s->first_ns + (atl_ns)(elapsed * s->speed);
}

static void hold_more(struct pace_source *s)
{
    s->at = 0;
    s->count = s->base.inner->ops->burst(s->base.inner, s->held, DP_BURST);
    if (s->count == 0 || s->started)
        return;
    s->started = true;
    s->first_ns = s->held[0].ts_ns;
    s->started_ns = atl_clock_mono_ns();
}

static uint32_t pace_burst(struct dp_source *base, struct dp_frame *frames, uint32_t n)
{
    struct pace_source *s = (struct pace_source *)base;
    if (s->at == s->count)
        hold_more(s);
    if (s->count == 0) {
        base->state = s->base.inner->state;
        base->error = s->base.inner->error;
    }
    if (!s->started)
        return 0;
    atl_ns now = moment(s);
    uint32_t due = 0;
    while (due < n && s->at < s->count && s->held[s->at].ts_ns <= now)
        frames[due++] = s->held[s->at++];
    /* With nothing due the next packet is later than now: no timer fires that it would stop. */
    if (due == 0 && now > base->clock_ns)
        base->clock_ns = now;
    return due;
}

static void pace_release(struct dp_source *base)
{
    struct pace_source *s = (struct pace_source *)base;
    if (s->at == s->count)
        s->base.inner->ops->release(s->base.inner);
}

static void pace_losses(struct dp_source *base, struct dp_losses *sum)
{
    struct pace_source *s = (struct pace_source *)base;
    if (s->base.inner->ops->losses != NULL)
        s->base.inner->ops->losses(s->base.inner, sum);
}

static int pace_enter(struct dp_source *base, struct atl_error *err)
{
    struct pace_source *s = (struct pace_source *)base;
    return s->base.inner->ops->enter != NULL ? s->base.inner->ops->enter(s->base.inner, err) : 0;
}

static void pace_leave(struct dp_source *base)
{
    struct pace_source *s = (struct pace_source *)base;
    if (s->base.inner->ops->leave != NULL)
        s->base.inner->ops->leave(s->base.inner);
}

static void pace_close(struct dp_source *base)
{
    struct pace_source *s = (struct pace_source *)base;
    dp_source_close(s->base.inner);
    free(s);
}

static const struct dp_source_ops pace_ops = {
    .burst = pace_burst,
    .release = pace_release,
    .losses = pace_losses,
    .enter = pace_enter,
    .leave = pace_leave,
    .close = pace_close,
};

int dp_source_open_pace(struct dp_source **ret_source, struct dp_source *inner, double speed)
{
    struct pace_source *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return -ENOMEM;
    s->base.ops = &pace_ops;
    s->base.file = inner->file;
    s->base.paced = true;
    s->base.inner = inner;
    s->speed = speed;
    memcpy(s->base.describe, inner->describe, sizeof(s->base.describe));
    *ret_source = &s->base;
    return 0;
}
