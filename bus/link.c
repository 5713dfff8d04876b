/* SPDX-License-Identifier: Apache-2.0 */
/* The link thread: connect, subscribe, keep the window full, and start again when it breaks. */
#include "bus/client_priv.h"
#include "bus/reason_priv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define CONNECT_TIMEOUT_S 10

int bus_link_renew(struct bus_client *client)
{
    MQTTAsync_createOptions options = MQTTAsync_createOptions_initializer5;
    MQTTAsync old = client->paho, fresh = NULL;
    int r = MQTTAsync_createWithOptions(&fresh, client->cfg.url, client->cfg.client_id,
                                        MQTTCLIENT_PERSISTENCE_NONE, NULL, &options);
    /* The old one goes last: destroying the only client stops Paho's threads, which takes it
     * about a second. After this no callback of the old one runs any more. */
    client->paho = r == MQTTASYNC_SUCCESS ? fresh : NULL;
    if (old != NULL)
        MQTTAsync_destroy(&old);
    if (client->paho == NULL)
        return -ENOMEM;
    bus_callbacks_set(client);
    return 0;
}

static void add_property(MQTTProperties *properties, enum MQTTPropertyCodes code, uint32_t value)
{
    MQTTProperty p = {.identifier = code};
    p.value.integer4 = value;
    MQTTProperties_add(properties, &p);
}

static int start_connect(struct bus_client *c)
{
    const struct bus_config *cfg = &c->cfg;
    MQTTAsync_connectOptions options = MQTTAsync_connectOptions_initializer5;
    MQTTAsync_willOptions will = MQTTAsync_willOptions_initializer;
    MQTTAsync_SSLOptions tls;
    MQTTProperties properties = MQTTProperties_initializer;

    options.keepAliveInterval = (int)cfg->keepalive_s;
    options.connectTimeout = CONNECT_TIMEOUT_S;
    options.cleanstart = cfg->session_expiry_s == 0;
    options.username = cfg->username;
    options.password = cfg->password;
    if (cfg->will_topic != NULL) {
        will.topicName = cfg->will_topic;
        will.message = cfg->will_payload;
        will.qos = 1;
        will.retained = 1;
        options.will = &will;
    }
    c->tls_text.text[0] = '\0';
    if (c->url.tls) {
        bus_tls_fill(&tls, cfg, &c->tls_text);
        options.ssl = &tls;
    }
    add_property(&properties, MQTTPROPERTY_CODE_SESSION_EXPIRY_INTERVAL, cfg->session_expiry_s);
    options.connectProperties = &properties;
    bus_callbacks_connect(c, &options);
    int r = MQTTAsync_connect(c->paho, &options);
    MQTTProperties_free(&properties);
    return r;
}

/* Twice as long each time, half of it by chance, so that a fleet does not return in step. */
static void schedule_retry(struct bus_client *c, atl_ns was_up_ns)
{
    atl_ns min = c->cfg.reconnect_min_ns, max = c->cfg.reconnect_max_ns;
    if (was_up_ns >= c->backoff_ns)
        c->backoff_ns = min;
    atl_ns wait = c->backoff_ns / 2 + atl_rng_below(&c->rng, c->backoff_ns / 2 + 1);
    c->next_try_ns = atl_clock_mono_ns() + wait;
    c->backoff_ns = c->backoff_ns > max / 2 ? max : c->backoff_ns * 2;
}

static void handle_lost(struct bus_client *c)
{
    char probed[BUS_LINE_BYTES / 2] = "";
    bus_link_renew(c); /* on -ENOMEM handle_down tries again */

    pthread_mutex_lock(&c->lock);
    bool needs_probe = c->lost_needs_probe && !c->stop;
    pthread_mutex_unlock(&c->lock);
    if (needs_probe)
        bus_reason_probe(&c->cfg, &c->url, c->tls_text.text, probed, sizeof(probed));

    pthread_mutex_lock(&c->lock);
    atl_ns was_up_ns = c->up_since_ns == 0 ? 0 : atl_clock_mono_ns() - c->up_since_ns;
    bus_client_say(c, c->lost_event, "%s%s%s", c->lost_why, probed[0] != '\0' ? ": " : "", probed);
    c->dropped += bus_window_rewind(&c->window);
    for (uint32_t i = 0; i < c->n_subscriptions; i++)
        c->subscriptions[i]->asked = false;
    c->up_since_ns = 0;
    c->state = BUS_LINK_DOWN;
    pthread_cond_signal(&c->drained);
    pthread_mutex_unlock(&c->lock);
    schedule_retry(c, was_up_ns);
}

static void mark_lost(struct bus_client *c, const char *why)
{
    pthread_mutex_lock(&c->lock);
    if (c->state != BUS_LINK_LOST) {
        c->state = BUS_LINK_LOST;
        c->lost_event = BUS_DISCONNECTED;
        c->lost_needs_probe = false;
        atl_copy(c->lost_why, sizeof(c->lost_why), why);
    }
    pthread_mutex_unlock(&c->lock);
}

static void handle_down(struct bus_client *c)
{
    pthread_mutex_lock(&c->lock);
    c->state = BUS_LINK_CONNECTING;
    pthread_mutex_unlock(&c->lock);
    if (c->paho == NULL && bus_link_renew(c) < 0) {
        mark_lost(c, "out of memory");
        return;
    }
    int r = start_connect(c);
    if (r != MQTTASYNC_SUCCESS) {
        char why[64];
        snprintf(why, sizeof(why), "cannot start to connect: Paho error %d", r);
        mark_lost(c, why);
    }
}

static void ask(struct bus_client *c, struct bus_subscription *s, uint32_t id)
{
    MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
    bus_callbacks_subscribe(s, &options);
    if (id != 0)
        add_property(&options.properties, MQTTPROPERTY_CODE_SUBSCRIPTION_IDENTIFIER, id);
    int r = MQTTAsync_subscribe(c->paho, s->filter, s->qos, &options);
    MQTTProperties_free(&options.properties);
    if (r != MQTTASYNC_SUCCESS)
        mark_lost(c, "connection lost while subscribing");
}

/* MQTT 5 §3.3: fixed header 5, topic length 2, packet id 2, property length 1. */
static bool too_large(const struct bus_client *c, const struct bus_out *m)
{
    return c->packet_max != 0 && strlen(m->topic) + m->bytes + 10 > c->packet_max;
}

static void send_one(struct bus_client *c, struct bus_out *m)
{
    MQTTAsync_message message = MQTTAsync_message_initializer;
    MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
    message.payload = m->payload;
    message.payloadlen = (int)m->bytes;
    message.qos = m->qos;
    message.retained = m->retain;
    bus_callbacks_publish(m, &options);
    /* On any error no callback comes, and the message is still in our window. */
    if (MQTTAsync_sendMessage(c->paho, m->topic, &message, &options) != MQTTASYNC_SUCCESS)
        mark_lost(c, "connection lost while publishing");
}

struct work {
    enum { WORK_STOP, WORK_LOST, WORK_CONNECT, WORK_SUBSCRIBE, WORK_SEND } kind;
    struct bus_subscription *subscription;
    uint32_t subscription_id; /* 0 = none */
    struct bus_out *message;
};

static bool next_subscription(struct bus_client *c, struct work *work)
{
    for (uint32_t i = 0; i < c->n_subscriptions; i++) {
        struct bus_subscription *s = c->subscriptions[i];
        if (s->asked)
            continue;
        s->asked = true;
        *work = (struct work){.kind = WORK_SUBSCRIBE,
                              .subscription = s,
                              .subscription_id = c->names_subscriptions ? i + 1 : 0};
        return true;
    }
    return false;
}

/* A message the broker would cut the connection for must not come back for ever. */
static bool next_message(struct bus_client *c, struct work *work)
{
    struct bus_out *m;
    while ((m = bus_window_take(&c->window)) != NULL) {
        if (!too_large(c, m)) {
            *work = (struct work){.kind = WORK_SEND, .message = m};
            return true;
        }
        bus_client_say(c, BUS_REFUSED, "publishing to %s refused: %u bytes, the broker takes %u",
                       m->topic, m->bytes, c->packet_max);
        bus_client_retire(c, m, &c->rejected);
    }
    return false;
}

static bool next_work(struct bus_client *c, struct work *work)
{
    if (c->stop)
        *work = (struct work){.kind = WORK_STOP};
    else if (c->state == BUS_LINK_LOST)
        *work = (struct work){.kind = WORK_LOST};
    else if (c->state == BUS_LINK_DOWN && atl_clock_mono_ns() >= c->next_try_ns)
        *work = (struct work){.kind = WORK_CONNECT};
    else
        return c->state == BUS_LINK_UP && (next_subscription(c, work) || next_message(c, work));
    return true;
}

static void wait_for_work(struct bus_client *c, struct work *work)
{
    pthread_mutex_lock(&c->lock);
    while (!next_work(c, work)) {
        atl_ns until = atl_clock_mono_ns() + ATL_NS_PER_S;
        if (c->state == BUS_LINK_DOWN && c->next_try_ns < until)
            until = c->next_try_ns;
        struct timespec ts = {.tv_sec = (time_t)(until / ATL_NS_PER_S),
                              .tv_nsec = (long)(until % ATL_NS_PER_S)};
        pthread_cond_timedwait(&c->wake, &c->lock, &ts);
    }
    pthread_mutex_unlock(&c->lock);
}

void *bus_link_run(void *client)
{
    struct bus_client *c = client;
    struct work work;
    for (;;) {
        wait_for_work(c, &work);
        switch (work.kind) {
        case WORK_STOP:
            /* sends DISCONNECT when connected, so that the will stays unsaid */
            if (c->paho != NULL)
                MQTTAsync_destroy(&c->paho);
            return NULL;
        case WORK_LOST:
            handle_lost(c);
            break;
        case WORK_CONNECT:
            handle_down(c);
            break;
        case WORK_SUBSCRIBE:
            ask(c, work.subscription, work.subscription_id);
            break;
        case WORK_SEND:
            send_one(c, work.message);
            break;
        }
    }
}
