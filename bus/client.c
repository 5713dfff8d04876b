/* SPDX-License-Identifier: Apache-2.0 */
/* What the other rooms call. Nothing here waits for the network but destroy. */
#include "bus/client_priv.h"

#include "bus/topic_priv.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STEP_MAX 64

void bus_client_say(struct bus_client *client, enum bus_event event, const char *fmt, ...)
{
    char line[BUS_LINE_BYTES], text[BUS_LINE_BYTES / 4 * 3];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    snprintf(line, sizeof(line), "%.96s: %s", client->cfg.url, text);
    if (strcmp(line, client->last_line) == 0)
        return;
    atl_copy(client->last_line, sizeof(client->last_line), line);
    bus_inbox_push_event(&client->inbox, event, line);
}

void bus_client_retire(struct bus_client *client, struct bus_out *message, uint64_t *counter)
{
    (*counter)++;
    bus_window_remove(&client->window, message);
    if (bus_window_ready(&client->window))
        pthread_cond_signal(&client->wake);
    if (client->window.messages == 0)
        pthread_cond_signal(&client->drained);
}

static void init_locks(struct bus_client *c)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->wake, &monotonic);
    pthread_cond_init(&c->drained, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

/* Frees all but the thread, which has ended or never began. */
static void release(struct bus_client *c)
{
    if (c->paho != NULL)
        MQTTAsync_destroy(&c->paho);
    bus_window_finish(&c->window);
    for (uint32_t i = 0; i < c->n_subscriptions; i++)
        free(c->subscriptions[i]);
    bus_inbox_finish(&c->inbox);
    pthread_cond_destroy(&c->wake);
    pthread_cond_destroy(&c->drained);
    pthread_mutex_destroy(&c->lock);
    bus_config_free(&c->cfg);
    free(c);
}

/* Signals belong to the program's own threads: ours and Paho's, which inherit the mask, take
 * none. */
static int start_thread(struct bus_client *c)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int r = pthread_create(&c->thread, NULL, bus_link_run, c);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -r;
}

static struct bus_client *client_new(const struct bus_config *cfg)
{
    struct bus_client *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return NULL;
    if (bus_config_copy(&c->cfg, cfg) < 0) {
        free(c);
        return NULL;
    }
    if (bus_inbox_init(&c->inbox) < 0) {
        bus_config_free(&c->cfg);
        free(c);
        return NULL;
    }
    init_locks(c);
    bus_window_init(&c->window, cfg->queue_messages, cfg->queue_bytes);
    atl_rng_init_secure(&c->rng);
    c->backoff_ns = cfg->reconnect_min_ns;
    return c;
}

int bus_client_create(struct bus_client **ret_client, const struct bus_config *cfg,
                      bus_event_fn on_event, void *ctx, struct atl_error *err)
{
    int r = bus_config_check(cfg, err);
    if (r == 0)
        r = bus_tls_check(cfg, err);
    if (r < 0)
        return r;

    struct bus_client *c = client_new(cfg);
    if (c == NULL)
        return atl_error_set(err, -ENOMEM, "%s: out of memory or descriptors", cfg->url);
    bus_url_parse(&c->url, cfg->url, NULL);
    c->on_event = on_event;
    c->event_ctx = ctx;
    /* Here and not in the thread: Paho cannot stand a first client being made while another
     * thread destroys its last. */
    r = bus_link_renew(c);
    if (r == 0)
        r = start_thread(c);
    if (r < 0) {
        release(c);
        return atl_error_set(err, r, "%s: cannot start the client: %s", cfg->url, strerror(-r));
    }
    *ret_client = c;
    return 0;
}

static void drain(struct bus_client *c, atl_ns drain_ns)
{
    atl_ns until = atl_clock_mono_ns() + drain_ns;
    struct timespec ts = {.tv_sec = (time_t)(until / ATL_NS_PER_S),
                          .tv_nsec = (long)(until % ATL_NS_PER_S)};
    while (c->window.messages > 0 && atl_clock_mono_ns() < until)
        pthread_cond_timedwait(&c->drained, &c->lock, &ts);
}

void bus_client_destroy(struct bus_client *client, atl_ns drain_ns)
{
    if (client == NULL)
        return;
    pthread_mutex_lock(&client->lock);
    drain(client, drain_ns);
    client->stop = true;
    pthread_cond_signal(&client->wake);
    pthread_mutex_unlock(&client->lock);
    pthread_join(client->thread, NULL);
    release(client);
}

int bus_client_subscribe(struct bus_client *client, const char *filter, int qos,
                         bus_message_fn on_message, void *ctx)
{
    if (!bus_filter_valid(filter) || qos < 0 || qos > 1 || on_message == NULL)
        return -EINVAL;
    if (client->n_subscriptions == BUS_SUBSCRIPTIONS_MAX)
        return -ENOSPC;
    struct bus_subscription *s = malloc(sizeof(*s));
    if (s == NULL)
        return -ENOMEM;
    *s = (struct bus_subscription){
        .client = client, .qos = qos, .on_message = on_message, .ctx = ctx};
    atl_copy(s->filter, sizeof(s->filter), filter);

    pthread_mutex_lock(&client->lock);
    client->subscriptions[client->n_subscriptions++] = s;
    pthread_cond_signal(&client->wake);
    pthread_mutex_unlock(&client->lock);
    return 0;
}

int bus_client_publish(struct bus_client *client, const char *topic, const void *payload,
                       size_t bytes, int qos, bool retain)
{
    if (!bus_topic_valid(topic) || qos < 0 || qos > 1)
        return -EINVAL;
    if (bytes > BUS_PAYLOAD_MAX_BYTES)
        return -EMSGSIZE;
    struct bus_out *m = bus_out_new(client, topic, payload, (uint32_t)bytes, qos, retain);
    if (m == NULL)
        return -ENOMEM;

    pthread_mutex_lock(&client->lock);
    bool up = client->state == BUS_LINK_UP;
    bool queued = (up || qos > 0) && bus_window_push(&client->window, m);
    bool full = !queued && (up || qos > 0);
    client->published += !full;
    client->refused_full += full;
    client->dropped += !queued && !full;
    if (queued && up && bus_window_ready(&client->window))
        pthread_cond_signal(&client->wake);
    pthread_mutex_unlock(&client->lock);
    if (!queued)
        free(m);
    return full ? -ENOBUFS : 0;
}

int bus_client_fd(const struct bus_client *client)
{
    return client->inbox.fd;
}

/* The broker names the subscriptions a copy was sent for; one it names wrongly (left over from an
 * earlier session) does not match, and then the filters decide. */
static void dispatch(struct bus_client *c, const struct bus_item *item)
{
    struct bus_message message = {.topic = item->text,
                                  .payload = item->data,
                                  .bytes = item->bytes,
                                  .retained = item->retained};
    uint64_t matching = 0;
    uint32_t n = c->n_subscriptions; /* a handler may add more */
    for (uint32_t i = 0; i < n; i++) {
        if (bus_topic_matches(c->subscriptions[i]->filter, item->text))
            matching |= 1ULL << i;
    }
    if ((matching & item->subscriptions) != 0)
        matching &= item->subscriptions;
    for (uint32_t i = 0; i < n; i++) {
        if (matching >> i & 1)
            c->subscriptions[i]->on_message(c->subscriptions[i]->ctx, &message);
    }
}

uint32_t bus_client_step(struct bus_client *client)
{
    uint32_t n = 0;
    while (n < STEP_MAX) {
        struct bus_item *item = bus_inbox_pop(&client->inbox);
        if (item == NULL)
            break;
        if (!item->is_event)
            dispatch(client, item);
        else if (client->on_event != NULL)
            client->on_event(client->event_ctx, item->event, item->text);
        free(item);
        n++;
    }
    return n;
}

void bus_client_stats(struct bus_client *client, struct bus_stats *ret_stats)
{
    struct bus_stats s = {0};
    pthread_mutex_lock(&client->lock);
    s.published = client->published;
    s.delivered = client->delivered;
    s.dropped = client->dropped;
    s.rejected = client->rejected;
    s.refused_full = client->refused_full;
    s.connects = client->connects;
    s.in_flight = client->window.in_flight;
    s.queued = client->window.messages - client->window.in_flight;
    s.connected = client->state == BUS_LINK_UP;
    pthread_mutex_unlock(&client->lock);
    bus_inbox_counts(&client->inbox, &s.received, &s.received_dropped);
    *ret_stats = s;
}
