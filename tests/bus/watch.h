/* SPDX-License-Identifier: Apache-2.0 */
/* A client whose messages and events are written down, and a wait with a limit. */
#ifndef TEST_BUS_WATCH_H
#define TEST_BUS_WATCH_H

#include "bus/bus.h"

struct watch {
    struct bus_client *client;
    uint32_t messages, in_order, connected, disconnected, refused;
    uint64_t payload_bytes;
    uint64_t next_number; /* payloads that begin with a number are checked for order */
    char topic[BUS_TOPIC_BYTES], payload[256], why[512];
    bool retained;
};

/** Defaults for tests: short back-off, no session. */
struct bus_config watch_config(const char *url, const char *client_id);
/** Fails the test when the client cannot be made. */
void watch_open(struct watch *w, const struct bus_config *cfg);
void watch_close(struct watch *w, atl_ns drain_ns);
/** Writes down what matches. */
void watch_subscribe(struct watch *w, const char *filter);

/** Step until *value is at least `least`. @return false after timeout_ms */
bool watch_until(struct watch *w, const uint32_t *value, uint32_t least, int timeout_ms);
/** A message to ourselves came back: the broker knows our subscriptions and has sent us all
 * before. */
void watch_settle(struct watch *w);
struct bus_stats watch_stats(struct watch *w);

#endif
