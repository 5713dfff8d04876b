/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The outgoing queue: first what is in flight, then what waits, oldest first. No thread and no
 * network in here; the client's lock guards it.
 */
#ifndef BUS_WINDOW_PRIV_H
#define BUS_WINDOW_PRIV_H

#include "base/base.h"

#define BUS_WINDOW_MAX 16

struct bus_out {
    struct bus_out *prev, *next;
    void *owner;
    bool in_flight, retain;
    int qos;
    uint32_t bytes;
    char *topic;       /* inside data, after the payload */
    uint8_t payload[]; /* bytes, then the topic */
};

struct bus_window {
    struct bus_out *first, *last, *unsent;
    uint32_t messages_max, size; /* size: how many may be in flight, 1 … BUS_WINDOW_MAX */
    uint64_t bytes_max;
    uint32_t messages, in_flight; /* messages counts those in flight too */
    uint64_t bytes;
};

/** A copy of topic and payload, or NULL. */
struct bus_out *bus_out_new(void *owner, const char *topic, const void *payload, uint32_t bytes,
                            int qos, bool retain);

void bus_window_init(struct bus_window *w, uint32_t messages_max, uint64_t bytes_max);
void bus_window_finish(struct bus_window *w);
/** Takes the message. @return false when a bound is reached (the message stays the caller's) */
bool bus_window_push(struct bus_window *w, struct bus_out *message);
/** The next to send, now in flight; NULL when the window is full or nothing waits. */
struct bus_out *bus_window_take(struct bus_window *w);
/** Done with: frees it. */
void bus_window_remove(struct bus_window *w, struct bus_out *message);
/** The connection is gone: all QoS 1 wait again in their order. @return QoS 0 messages dropped */
uint32_t bus_window_rewind(struct bus_window *w);
/** Something waits and may be sent. */
bool bus_window_ready(const struct bus_window *w);

#endif
