/* SPDX-License-Identifier: Apache-2.0 */
/* What Paho's threads tell us. Each takes the client's lock, notes it and wakes the link thread. */
#include "bus/client_priv.h"
#include "bus/reason_priv.h"

#include <stdio.h>
#include <string.h>

static uint32_t property(MQTTProperties *properties, enum MQTTPropertyCodes code)
{
    if (!MQTTProperties_hasProperty(properties, code))
        return 0;
    return (uint32_t)MQTTProperties_getNumericValue(properties, code);
}

static void on_connected(void *ctx, MQTTAsync_successData5 *data)
{
    struct bus_client *c = ctx;
    uint32_t receive_max = property(&data->properties, MQTTPROPERTY_CODE_RECEIVE_MAXIMUM);

    pthread_mutex_lock(&c->lock);
    c->state = BUS_LINK_UP;
    c->up_since_ns = atl_clock_mono_ns();
    c->connects++;
    c->packet_max = property(&data->properties, MQTTPROPERTY_CODE_MAXIMUM_PACKET_SIZE);
    /* absent means yes (§3.2.2.3.12) */
    c->names_subscriptions =
        !MQTTProperties_hasProperty(&data->properties,
                                    MQTTPROPERTY_CODE_SUBSCRIPTION_IDENTIFIERS_AVAILABLE) ||
        property(&data->properties, MQTTPROPERTY_CODE_SUBSCRIPTION_IDENTIFIERS_AVAILABLE) != 0;
    /* One below the broker's limit: at the limit Paho sleeps for up to a second. */
    c->window.size = BUS_WINDOW_MAX;
    if (receive_max != 0 && receive_max <= BUS_WINDOW_MAX)
        c->window.size = receive_max > 1 ? receive_max - 1 : 1;
    bus_client_say(c, BUS_CONNECTED, "connected, %s session",
                   data->alt.connect.sessionPresent ? "earlier" : "new");
    pthread_cond_signal(&c->wake);
    pthread_mutex_unlock(&c->lock);
}

static void lose(struct bus_client *c, enum bus_event event, const char *why, bool needs_probe)
{
    c->state = BUS_LINK_LOST;
    c->lost_event = event;
    c->lost_needs_probe = needs_probe;
    atl_copy(c->lost_why, sizeof(c->lost_why), why);
    pthread_cond_signal(&c->wake);
}

static void on_connect_failed(void *ctx, MQTTAsync_failureData5 *data)
{
    struct bus_client *c = ctx;
    char why[BUS_LINE_BYTES];
    bool refused = data->code >= 128; /* the CONNACK's reason code; negative: Paho's own */
    snprintf(why, sizeof(why), refused ? "connection refused by the broker: %s" : "%s",
             refused ? bus_reason_text(data->code) : "cannot connect");

    pthread_mutex_lock(&c->lock);
    if (c->state == BUS_LINK_CONNECTING)
        lose(c, refused ? BUS_REFUSED : BUS_DISCONNECTED, why, !refused);
    pthread_mutex_unlock(&c->lock);
}

/* After the broker's DISCONNECT Paho closes without calling on_lost: this is the only word. */
static void on_broker_disconnect(void *ctx, MQTTProperties *properties, enum MQTTReasonCodes code)
{
    (void)properties;
    struct bus_client *c = ctx;
    char why[BUS_LINE_BYTES];
    snprintf(why, sizeof(why), "the broker ended the connection: %s", bus_reason_text((int)code));

    pthread_mutex_lock(&c->lock);
    if (c->state == BUS_LINK_UP)
        lose(c, BUS_DISCONNECTED, why, false);
    pthread_mutex_unlock(&c->lock);
}

static void on_lost(void *ctx, char *cause)
{
    (void)cause; /* always NULL in Paho C */
    struct bus_client *c = ctx;

    pthread_mutex_lock(&c->lock);
    if (c->state == BUS_LINK_UP)
        lose(c, BUS_DISCONNECTED, "connection lost", false);
    pthread_mutex_unlock(&c->lock);
}

/* The subscription identifiers the broker put on a message are our indices plus one. */
static uint64_t named_subscriptions(MQTTProperties *properties)
{
    uint64_t named = 0;
    int n = MQTTProperties_propertyCount(properties, MQTTPROPERTY_CODE_SUBSCRIPTION_IDENTIFIER);
    for (int i = 0; i < n && i < BUS_SUBSCRIPTIONS_MAX; i++) {
        int id = MQTTProperties_getNumericValueAt(properties,
                                                  MQTTPROPERTY_CODE_SUBSCRIPTION_IDENTIFIER, i);
        if (id >= 1 && id <= BUS_SUBSCRIPTIONS_MAX)
            named |= 1ULL << (id - 1);
    }
    return named;
}

static int on_message(void *ctx, char *topic, int topic_bytes, MQTTAsync_message *message)
{
    struct bus_client *c = ctx;
    /* Paho ends the topic with a NUL; one inside (topic_bytes is then set) is not one of ours. */
    size_t length = strlen(topic);
    bool has_nul = topic_bytes != 0 && (size_t)topic_bytes != length;
    if (has_nul || length >= BUS_TOPIC_BYTES || message->payloadlen < 0)
        bus_inbox_count_dropped(&c->inbox);
    else
        bus_inbox_push_message(&c->inbox, topic, message->payload, (size_t)message->payloadlen,
                               message->retained != 0, named_subscriptions(&message->properties));
    MQTTAsync_freeMessage(&message);
    MQTTAsync_free(topic);
    return 1;
}

void bus_callbacks_set(struct bus_client *client)
{
    MQTTAsync_setCallbacks(client->paho, client, on_lost, on_message, NULL);
    MQTTAsync_setDisconnected(client->paho, client, on_broker_disconnect);
}

void bus_callbacks_connect(struct bus_client *client, MQTTAsync_connectOptions *options)
{
    options->context = client;
    options->onSuccess5 = on_connected;
    options->onFailure5 = on_connect_failed;
}

static void on_delivered(void *ctx, MQTTAsync_successData5 *data)
{
    (void)data;
    struct bus_out *message = ctx;
    struct bus_client *c = message->owner;
    pthread_mutex_lock(&c->lock);
    bus_client_retire(c, message, &c->delivered);
    pthread_mutex_unlock(&c->lock);
}

static void on_publish_failed(void *ctx, MQTTAsync_failureData5 *data)
{
    /* A negative code is Paho giving up with the connection: the window sends it again. The
     * reason code is only set beside a code of zero. */
    if (data->code != 0)
        return;
    struct bus_out *message = ctx;
    struct bus_client *c = message->owner;
    pthread_mutex_lock(&c->lock);
    bus_client_say(c, BUS_REFUSED, "publishing to %s refused: %s", message->topic,
                   bus_reason_text((int)data->reasonCode));
    bus_client_retire(c, message, &c->rejected);
    pthread_mutex_unlock(&c->lock);
}

void bus_callbacks_publish(struct bus_out *message, MQTTAsync_responseOptions *options)
{
    options->context = message;
    options->onSuccess5 = on_delivered;
    options->onFailure5 = on_publish_failed;
}

static void on_subscribe_failed(void *ctx, MQTTAsync_failureData5 *data)
{
    if (data->code != 0)
        return;
    struct bus_subscription *s = ctx;
    pthread_mutex_lock(&s->client->lock);
    bus_client_say(s->client, BUS_REFUSED, "subscribing to %s refused: %s", s->filter,
                   bus_reason_text((int)data->reasonCode));
    pthread_mutex_unlock(&s->client->lock);
}

void bus_callbacks_subscribe(struct bus_subscription *s, MQTTAsync_responseOptions *options)
{
    options->context = s;
    options->onFailure5 = on_subscribe_failed;
}
