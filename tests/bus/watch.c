/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "watch.h"

struct bus_config watch_config(const char *url, const char *client_id)
{
    struct bus_config cfg;
    bus_config_default(&cfg);
    cfg.url = url;
    cfg.client_id = client_id;
    cfg.session_expiry_s = 0;
    cfg.reconnect_min_ns = 50 * ATL_NS_PER_MS;
    cfg.reconnect_max_ns = 200 * ATL_NS_PER_MS;
    return cfg;
}

static void on_event(void *ctx, enum bus_event event, const char *why)
{
    struct watch *w = ctx;
    w->connected += event == BUS_CONNECTED;
    w->disconnected += event == BUS_DISCONNECTED;
    w->refused += event == BUS_REFUSED;
    atl_copy(w->why, sizeof(w->why), why);
}

static void on_message(void *ctx, const struct bus_message *m)
{
    struct watch *w = ctx;
    w->messages++;
    w->payload_bytes += m->bytes;
    w->retained = m->retained;
    atl_copy(w->topic, sizeof(w->topic), m->topic);
    atl_copy(w->payload, sizeof(w->payload), (const char *)m->payload);
    if (strtoull(w->payload, NULL, 10) == w->next_number) {
        w->in_order++;
        w->next_number++;
    }
}

void watch_open(struct watch *w, const struct bus_config *cfg)
{
    struct atl_error err = {0};
    *w = (struct watch){0};
    int r = bus_client_create(&w->client, cfg, on_event, w, &err);
    if (r < 0)
        fail_msg("%s", err.text);
}

void watch_close(struct watch *w, atl_ns drain_ns)
{
    bus_client_destroy(w->client, drain_ns);
    w->client = NULL;
}

void watch_subscribe(struct watch *w, const char *filter)
{
    assert_int_equal(bus_client_subscribe(w->client, filter, 1, on_message, w), 0);
}

bool watch_until(struct watch *w, const uint32_t *value, uint32_t least, int timeout_ms)
{
    atl_ns until = atl_clock_mono_ns() + (atl_ns)timeout_ms * ATL_NS_PER_MS;
    while (*value < least) {
        if (atl_clock_mono_ns() >= until)
            return false;
        struct pollfd p = {.fd = bus_client_fd(w->client), .events = POLLIN};
        poll(&p, 1, 20);
        while (*value < least && bus_client_step(w->client) > 0)
            ;
    }
    return true;
}

static void on_settled(void *ctx, const struct bus_message *m)
{
    (void)m;
    (*(uint32_t *)ctx)++;
}

void watch_settle(struct watch *w)
{
    static uint32_t settled; /* outlives the subscription, which cannot be taken back */
    static uint32_t number;
    char topic[64];
    snprintf(topic, sizeof(topic), "settle/%p/%u", (void *)w, number++);
    for (char *at = topic; *at != '\0'; at++)
        *at = *at == '(' || *at == ')' ? '-' : *at;
    assert_int_equal(bus_client_subscribe(w->client, topic, 1, on_settled, &settled), 0);
    /* subscriptions go out before messages, and the broker keeps the order of both */
    uint32_t before = settled;
    assert_int_equal(bus_client_publish(w->client, topic, "", 0, 1, false), 0);
    assert_true(watch_until(w, &settled, before + 1, 5000));
}

struct bus_stats watch_stats(struct watch *w)
{
    struct bus_stats s;
    bus_client_stats(w->client, &s);
    return s;
}
