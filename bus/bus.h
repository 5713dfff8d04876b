/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bus: one MQTT 5 client over Eclipse Paho C.
 *
 * Any thread may publish: it copies into a bounded queue and returns. A window of at most 16
 * messages is in flight at the library (never a burst: Paho slows to 27 msg/s beyond the broker's
 * receive maximum) and is refilled, by a thread of the client's own, as deliveries come in.
 * Received messages and connection changes wait in a bounded queue until the owner calls
 * bus_client_step, so that handlers run on the owner's thread.
 */
#ifndef BUS_BUS_H
#define BUS_BUS_H

#include "base/base.h"

#define BUS_TOPIC_BYTES       256
#define BUS_PAYLOAD_MAX_BYTES (1U << 20)

struct bus_config {
    const char *url;                            /* "mqtt://host:port" or "mqtts://host:port" */
    const char *client_id;                      /* [a-z0-9-]{1,64} */
    const char *username, *password;            /* NULL = none */
    const char *ca_file, *cert_file, *key_file; /* TLS; host name is always verified */
    const char *will_topic, *will_payload;      /* QoS 1, retained; NULL = none */
    uint32_t keepalive_s;                       /* 5 … 3600 */
    uint32_t session_expiry_s; /* 0 … 2^31-1: how long the broker keeps our queue */
    uint32_t queue_messages;   /* bound of the outgoing queue */
    uint64_t queue_bytes;      /* bound of its payloads */
    atl_ns reconnect_min_ns, reconnect_max_ns; /* back-off, doubled with jitter */
};

void bus_config_default(struct bus_config *cfg);
int bus_config_check(const struct bus_config *cfg, struct atl_error *err);

struct bus_message {
    const char *topic;
    const uint8_t *payload; /* NUL-terminated for convenience; `bytes` excludes it */
    size_t bytes;
    bool retained;
};

enum bus_event { BUS_CONNECTED, BUS_DISCONNECTED, BUS_REFUSED };

/**
 * Called from bus_client_step on the owner's thread. `why` is one clear line that begins with the
 * url; the same line is not repeated. BUS_REFUSED: the broker said no to the connection, a
 * subscription or a message; BUS_DISCONNECTED: there is no connection, the next attempt follows.
 */
typedef void (*bus_event_fn)(void *ctx, enum bus_event event, const char *why);
typedef void (*bus_message_fn)(void *ctx, const struct bus_message *message);

struct bus_client;

/**
 * Copies cfg. Does not wait for the network. Create after any fork; not while another thread
 * destroys the last client of the process (Paho's global state).
 * @return 0, -EINVAL, -ENOMEM, -ENOENT (a TLS file)
 */
int bus_client_create(struct bus_client **ret_client, const struct bus_config *cfg,
                      bus_event_fn on_event, void *ctx, struct atl_error *err);
/**
 * Sends what is queued for at most `drain_ns`, says good-bye (the will is not sent), frees. NULL
 * is fine. The last client of a process takes about a second more: Paho's threads end.
 */
void bus_client_destroy(struct bus_client *client, atl_ns drain_ns);

/**
 * Keep this subscription over every reconnect. Owner's thread; at most 64 subscriptions.
 * @param filter  printable ASCII, may hold + and #
 * @param qos     0 or 1
 * @return 0, -EINVAL, -ENOSPC, -ENOMEM
 */
int bus_client_subscribe(struct bus_client *client, const char *filter, int qos,
                         bus_message_fn on_message, void *ctx);

/**
 * Queue a message. Thread-safe, never blocks on the network. QoS 1 survives a lost connection and
 * arrives at least once, in order; QoS 0 without a connection is dropped and counted.
 * @param topic  printable ASCII without + and #
 * @param bytes  0 clears a retained topic
 * @param qos    0 or 1
 * @return 0, -EINVAL, -EMSGSIZE (above BUS_PAYLOAD_MAX_BYTES), -ENOMEM, -ENOBUFS (queue full;
 * counted)
 */
int bus_client_publish(struct bus_client *client, const char *topic, const void *payload,
                       size_t bytes, int qos, bool retain);

/** Becomes readable when bus_client_step has work. For epoll. */
int bus_client_fd(const struct bus_client *client);
/** Dispatch at most 64 events and messages. Handlers may publish and subscribe, but not destroy.
 * @return how many */
uint32_t bus_client_step(struct bus_client *client);

/** published = delivered + dropped + rejected + queued + in_flight, at every moment. */
struct bus_stats {
    uint64_t published;        /* accepted by bus_client_publish */
    uint64_t delivered;        /* acknowledged (QoS 1) or written (QoS 0) */
    uint64_t dropped;          /* QoS 0 without a connection */
    uint64_t rejected;         /* the broker refused the message */
    uint64_t refused_full;     /* not accepted: -ENOBUFS */
    uint64_t received;         /* put into the inbox */
    uint64_t received_dropped; /* inbox full, or larger than BUS_PAYLOAD_MAX_BYTES */
    uint64_t connects;
    uint32_t queued, in_flight;
    bool connected;
};
void bus_client_stats(struct bus_client *client, struct bus_stats *ret_stats);

/** MQTT 5 §4.7 filter match. */
bool bus_topic_matches(const char *filter, const char *topic);
/** [a-z0-9-]{1,32}: what may stand as a level of our topics. */
bool bus_name_valid(const char *name);

#endif
