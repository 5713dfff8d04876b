/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What came in and waits for the owner: messages and connection events in their order, bounded by
 * count and bytes. Any thread pushes, the owner pops; the descriptor is readable while it is not
 * empty. Its lock is a leaf: nothing else is taken under it.
 */
#ifndef BUS_INBOX_PRIV_H
#define BUS_INBOX_PRIV_H

#include "bus/bus.h"

#include <pthread.h>

#define BUS_INBOX_MESSAGES 4096
#define BUS_INBOX_BYTES    (64ULL << 20)
#define BUS_INBOX_EVENTS   64 /* beyond the messages, so that a flood cannot hide a disconnect */

struct bus_item {
    struct bus_item *next;
    bool is_event, retained;
    enum bus_event event;
    uint64_t subscriptions; /* bit i: the broker named subscription i; 0: it named none */
    size_t bytes;
    char *text;     /* the topic, or the line of an event; after the payload in data */
    uint8_t data[]; /* payload, NUL, text */
};

struct bus_inbox {
    pthread_mutex_t lock;
    int fd;
    struct bus_item *first, *last;
    uint32_t messages, events;
    uint64_t bytes, received, dropped;
};

/** @return 0 or negative errno */
int bus_inbox_init(struct bus_inbox *inbox);
void bus_inbox_finish(struct bus_inbox *inbox);
void bus_inbox_push_message(struct bus_inbox *inbox, const char *topic, const void *payload,
                            size_t bytes, bool retained, uint64_t subscriptions);
void bus_inbox_push_event(struct bus_inbox *inbox, enum bus_event event, const char *why);
/** The oldest, the caller's to free; NULL when empty. */
struct bus_item *bus_inbox_pop(struct bus_inbox *inbox);
/** A message that could not even be looked at. */
void bus_inbox_count_dropped(struct bus_inbox *inbox);
void bus_inbox_counts(struct bus_inbox *inbox, uint64_t *ret_received, uint64_t *ret_dropped);

#endif
