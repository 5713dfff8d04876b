/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source: where frames come from. One interface for files, live ports and the pacer around them.
 *
 * A source is driven by one thread. Only losses(), cancelled and beat may be touched by others.
 */
#ifndef DP_SOURCE_PRIV_H
#define DP_SOURCE_PRIV_H

#include "dataplane/packet_priv.h"

#define DP_BURST 32

enum dp_source_state { DP_SOURCE_OPEN, DP_SOURCE_END, DP_SOURCE_FAILED };

struct dp_source;

struct dp_source_ops {
    /**
     * @param n  1 … DP_BURST. A port stamps the packets of a batch with the time of its first read,
     * the one that asks for DP_BURST
     * @return frames borrowed until release; 0: nothing now, see state
     */
    uint32_t (*burst)(struct dp_source *s, struct dp_frame *frames, uint32_t n);
    void (*release)(struct dp_source *s);
    /** Add what was lost before it reached us, since the source was opened. Any thread. May be
     * NULL */
    void (*losses)(struct dp_source *s, struct dp_losses *sum);
    /** Sleep until a packet comes, at most us µs. Asked only of a source that calls */
    void (*wait)(struct dp_source *s, uint32_t us);
    /** Called by the thread that will drive the source, before and after. May be NULL */
    int (*enter)(struct dp_source *s, struct atl_error *err);
    void (*leave)(struct dp_source *s);
    void (*close)(struct dp_source *s);
};

struct dp_source {
    const struct dp_source_ops *ops;
    enum dp_source_state state; /* why the last burst was empty */
    bool file;                  /* packet times drive the clock; loses nothing, ends */
    bool calls;                 /* wait() is woken by a packet; set by open or enter */
    bool paced;                 /* clock_ns goes on while no packet is due */
    atl_ns clock_ns;            /* paced: the moment of the replay, never beyond a held packet */
    _Atomic bool cancelled;     /* waiting inside burst must end soon */
    atl_counter beat;           /* moves while burst waits */
    struct atl_error error;     /* DP_SOURCE_FAILED: the line for a person */
    char describe[256];
    struct dp_source *inner; /* a pacer's source, else NULL */
};

/** The sources of one device: what the workers of an engine read. */
struct dp_intake {
    struct dp_source *source[DP_WORKERS_MAX];
    uint32_t count; /* 1 … workers */
    bool by_flow;   /* the device sends both directions of a flow to the same source */
};

int dp_source_open_file(struct dp_source **ret_source, const char *path, struct atl_error *err);
/** Up to cfg->workers sources. @return 0, -ENOENT, -EPERM, -ENOMEM, -EIO, -EINVAL */
int dp_intake_open_live(struct dp_intake *ret_intake, const struct dp_config *cfg,
                        struct atl_error *err);
int dp_intake_open_dpdk(struct dp_intake *ret_intake, const struct dp_config *cfg,
                        struct atl_error *err);
/** Deliver inner's frames at the speed of their timestamps. Owns inner from success on. */
int dp_source_open_pace(struct dp_source **ret_source, struct dp_source *inner, double speed);

struct dp_distribute;
/**
 * For a worker that reads no device and lives from what others give it: ends when they have.
 * @param d  borrowed
 */
int dp_source_open_inbox(struct dp_source **ret_source, const struct dp_distribute *d,
                         uint32_t self, bool file);

/** End any waiting inside burst. Any thread. */
static inline void dp_source_cancel(struct dp_source *s)
{
    for (; s != NULL; s = s->inner)
        atomic_store_explicit(&s->cancelled, true, memory_order_relaxed);
}

static inline void dp_source_close(struct dp_source *s)
{
    if (s != NULL)
        s->ops->close(s);
}

#endif
