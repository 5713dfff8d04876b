/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "dataplane/distribute_priv.h"
#include "dataplane/source_priv.h"

struct inbox_source {
    struct dp_source base;
    const struct dp_distribute *distribute;
    uint32_t self;
};

static uint32_t inbox_burst(struct dp_source *base, struct dp_frame *frames, uint32_t n)
{
    const struct inbox_source *s = (const struct inbox_source *)base;
    (void)frames;
    (void)n;
    if (dp_distribute_ended(s->distribute, s->self))
        base->state = DP_SOURCE_END;
    return 0;
}

static void inbox_release(struct dp_source *base)
{
    (void)base;
}

static void inbox_close(struct dp_source *base)
{
    free(base);
}

static const struct dp_source_ops inbox_ops = {
    .burst = inbox_burst,
    .release = inbox_release,
    .close = inbox_close,
};

int dp_source_open_inbox(struct dp_source **ret_source, const struct dp_distribute *d,
                         uint32_t self, bool file)
{
    struct inbox_source *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return -ENOMEM;
    s->base.ops = &inbox_ops;
    s->base.file = file;
    s->distribute = d;
    s->self = self;
    *ret_source = &s->base;
    return 0;
}
