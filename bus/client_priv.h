/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One client, three kinds of thread:
 *   - publishers and the owner only touch what `lock` guards and the inbox,
 *   - the link thread alone calls into Paho, never with `lock` held,
 *   - Paho's threads run our callbacks under Paho's own global lock and take `lock` inside.
 * So the order is always Paho's lock before ours, and no cycle can form.
 *
 * Every connection gets a fresh Paho client: what was in flight is known to our window only, so
 * that it is sent again in order, and no callback of a past connection can arrive.
 */
#ifndef BUS_CLIENT_PRIV_H
#define BUS_CLIENT_PRIV_H

#include "bus/config_priv.h"
#include "bus/inbox_priv.h"
#include "bus/tls_priv.h"
#include "bus/window_priv.h"

#include <MQTTAsync.h>
#include <pthread.h>

#define BUS_SUBSCRIPTIONS_MAX 64
#define BUS_LINE_BYTES        400

enum bus_link_state { BUS_LINK_DOWN, BUS_LINK_CONNECTING, BUS_LINK_UP, BUS_LINK_LOST };

struct bus_subscription {
    struct bus_client *client;
    char filter[BUS_TOPIC_BYTES];
    int qos;
    bool asked; /* on this connection */
    bus_message_fn on_message;
    void *ctx;
};

struct bus_client {
    struct bus_config cfg;
    struct bus_url url;
    bus_event_fn on_event;
    void *event_ctx;
    struct bus_inbox inbox;
    pthread_t thread;

    pthread_mutex_t lock;
    pthread_cond_t wake;    /* the link thread has work */
    pthread_cond_t drained; /* the window is empty */
    bool stop;
    enum bus_link_state state;
    enum bus_event lost_event; /* with state LOST: what to report, and why */
    char lost_why[BUS_LINE_BYTES];
    bool lost_needs_probe;
    char last_line[BUS_LINE_BYTES]; /* not said twice in a row */
    bool names_subscriptions;       /* the broker takes subscription identifiers */
    uint32_t packet_max;            /* the broker's; 0 = no limit */
    atl_ns up_since_ns;
    struct bus_window window;
    uint64_t published, delivered, dropped, rejected, refused_full, connects;
    /* appended by the owner under the lock, so the owner reads them without it */
    struct bus_subscription *subscriptions[BUS_SUBSCRIPTIONS_MAX];
    uint32_t n_subscriptions;

    /* the link thread's own */
    MQTTAsync paho;
    struct bus_tls_text tls_text;
    struct atl_rng rng;
    atl_ns backoff_ns, next_try_ns;
};

/** Needs the Paho client that bus_link_open made. The body of the link thread. */
void *bus_link_run(void *client);
/** A fresh Paho client in place of the old one, which is gone when this returns. @return 0, -ENOMEM
 */
int bus_link_renew(struct bus_client *client);

/** Set every callback that Paho offers. */
void bus_callbacks_set(struct bus_client *client);
void bus_callbacks_connect(struct bus_client *client, MQTTAsync_connectOptions *options);
void bus_callbacks_publish(struct bus_out *message, MQTTAsync_responseOptions *options);
void bus_callbacks_subscribe(struct bus_subscription *s, MQTTAsync_responseOptions *options);

/** Tell the owner one line, with the url in front, unless it was the last one told. Lock held. */
void bus_client_say(struct bus_client *client, enum bus_event event, const char *fmt, ...)
    ATL_PRINTF(3, 4);
/** The message is over; counts it and wakes whoever waits for room. Lock held. */
void bus_client_retire(struct bus_client *client, struct bus_out *message, uint64_t *counter);

#endif
