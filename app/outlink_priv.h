/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole messages to udp://host:port or tcp://host:port, from one thread.
 *
 * TCP reconnects with back-off; what waits meanwhile is bounded, what does not fit is counted as
 * dropped. Nothing here waits, unless `patient`: then a message waits up to OUTLINK_PATIENCE_NS.
 */
#ifndef OUTLINK_PRIV_H
#define OUTLINK_PRIV_H

#include "base/base.h"

#define OUTLINK_PATIENCE_NS (10 * ATL_NS_PER_S)

#define OUTLINK_GREETING_BYTES 8192

struct outlink;

struct outlink_config {
    const char *url;      /* borrowed */
    uint32_t queue_bytes; /* TCP: what may wait for the peer */
    bool patient;         /* a tool rather than a daemon: wait for the peer, fail without one */
    /**
     * A connection was made: what is written to `out` goes before all that waits. May be NULL.
     * @param next  the message that waits longest, NULL = none.  @return bytes written
     */
    size_t (*greet)(void *ctx, const uint8_t *next, uint8_t out[OUTLINK_GREETING_BYTES]);
    void *ctx;
};

struct outlink_counters {
    uint64_t sent, dropped; /* messages */
    uint64_t connections;   /* TCP */
};

/** True for a URL that this file understands, whatever stands behind the scheme. */
bool outlink_is_url(const char *text);
/** udp://host:port, tcp://host:port, [v6] in brackets. @return 0, -EINVAL with a line in *err */
int outlink_check(const char *url, struct atl_error *err);
bool outlink_is_udp(const char *url);

/** Resolves the name, once. @return 0; patient: also the error of the first connection */
int outlink_create(struct outlink **ret_link, const struct outlink_config *cfg,
                   struct atl_error *err);
/** Patient: sends what waits first. @return 0, or -EIO with a line in *err: not all was sent */
int outlink_close(struct outlink *link, struct atl_error *err);
/** @return 0 (sent, queued or counted as dropped); patient: negative errno with a line in *err */
int outlink_send(struct outlink *link, const uint8_t *message, size_t bytes, struct atl_error *err);
/** Connect, reconnect, send what waits. Never blocks. */
void outlink_step(struct outlink *link);
void outlink_counters(const struct outlink *link, struct outlink_counters *ret_counters);

#endif
