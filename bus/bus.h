/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bus: one MQTT 5 client over Eclipse Paho C.
 *
 * Any thread may publish: it copies into a bounded queue and returns. A window of at most 16
 * messages is in flight at the library (never a burst: Paho slows to 27 msg/s beyond the broker's
 * receive maximum) and is refilled from the delivery callback. Received messages and connection
 * changes wait in a bounded queue until the owner calls bus_client_step, so that handlers run on
 * the owner's thread.
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

/** Called from bus_client_step on the owner's thread. `why` is one clear line. */
typedef void (*bus_event_fn)(void *ctx, enum bus_event event, const char *why);
typedef void (*bus_message_fn)(void *ctx, const struct bus_message *message);

struct bus_client;

/** Copies cfg. Does not wait for the network. @return 0, -EINVAL, -ENOMEM, -ENOENT (a TLS file) */
int bus_client_create(struct bus_client **ret_client, const struct bus_config *cfg,
                      bus_event_fn on_event, void *ctx, struct atl_error *err);
/** Sends what is queued for at most `drain_ns`, says good-bye, frees. NULL is fine. */
void bus_client_destroy(struct bus_client *client, atl_ns drain_ns);

/** Keep this subscription over every reconnect. Owner's thread. filter may hold + and #. */
int bus_client_subscribe(struct bus_client *client, const char *filter, int qos,
                         bus_message_fn on_message, void *ctx);

/**
 * Queue a message. Thread-safe, never blocks on the network.
 * @param bytes  0 clears a retained topic
 * @return 0, -EMSGSIZE, -ENOBUFS (queue full; counted)
 */
int bus_client_publish(struct bus_client *client, const char *topic, const void *payload,
                       size_t bytes, int qos, bool retain);

/** Becomes readable when bus_client_step has work. For epoll. */
int bus_client_fd(const struct bus_client *client);
/** Dispatch at most 64 events and messages. @return how many */
uint32_t bus_client_step(struct bus_client *client);

struct bus_stats {
    uint64_t published, delivered, received, refused_full, received_dropped, connects;
    uint32_t queued, in_flight;
    bool connected;
};
void bus_client_stats(struct bus_client *client, struct bus_stats *ret_stats);

/** MQTT 5 §4.7 filter match. */
bool bus_topic_matches(const char *filter, const char *topic);
/** [a-z0-9-]{1,32}: what may stand as a level of our topics. */
bool bus_name_valid(const char *name);

#endif
