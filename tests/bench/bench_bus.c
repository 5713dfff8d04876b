/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bulk through bus/ and a real mosquitto on loopback: 1 KiB and 64 KiB messages at QoS 1, best of
 * three, and 1,500 messages to a peer that was offline. Exit code 1 when a figure is missed.
 */
#include "bus/bus.h"
#include "tests/bus/broker.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OFFLINE_MESSAGES 1500
#define LARGE_BYTES      65536
#define LIMIT_NS         (60 * ATL_NS_PER_S)

struct peer {
    struct bus_client *client;
    bool connected;
    uint64_t heard, in_order;
};

static void on_event(void *ctx, enum bus_event event, const char *why)
{
    (void)why;
    ((struct peer *)ctx)->connected = event == BUS_CONNECTED;
}

static void on_message(void *ctx, const struct bus_message *m)
{
    struct peer *p = ctx;
    uint64_t number = UINT64_MAX;
    if (m->bytes >= sizeof(number))
        memcpy(&number, m->payload, sizeof(number));
    p->in_order += number == p->in_order;
    p->heard++;
}

static void turn(struct peer *p, int wait_ms)
{
    struct pollfd fd = {.fd = bus_client_fd(p->client), .events = POLLIN};
    poll(&fd, 1, wait_ms);
    while (bus_client_step(p->client) > 0)
        ;
}

static void open_peer(struct peer *p, const char *url, const char *id, const char *filter)
{
    struct bus_config cfg;
    struct atl_error err = {""};
    bus_config_default(&cfg);
    cfg.url = url;
    cfg.client_id = id;
    *p = (struct peer){0};
    if (bus_client_create(&p->client, &cfg, on_event, p, &err) < 0) {
        fprintf(stderr, "bench_bus: %s\n", err.text);
        exit(1);
    }
    if (filter != NULL)
        bus_client_subscribe(p->client, filter, 1, on_message, p);
    for (atl_ns end = atl_clock_mono_ns() + LIMIT_NS; !p->connected && atl_clock_mono_ns() < end;)
        turn(p, 20);
    for (int i = 0; i < 10; i++) /* the subscription goes out right after */
        turn(p, 20);
}

/** Publish `count` numbered messages while listening. @return seconds until all were heard */
static double pass(struct peer *from, struct peer *to, uint64_t count, size_t bytes)
{
    uint8_t *payload = calloc(1, bytes);
    if (payload == NULL)
        exit(1);
    atl_ns begin = atl_clock_mono_ns();
    uint64_t sent = 0;
    to->heard = to->in_order = 0;
    while (to->heard < count && atl_clock_mono_ns() < begin + LIMIT_NS) {
        memcpy(payload, &sent, sizeof(sent));
        int r = sent < count ? bus_client_publish(from->client, "bulk/x", payload, bytes, 1, false)
                             : -ENOBUFS;
        sent += r == 0;
        if (r < 0 || sent % 32 == 0)
            turn(to, r < 0);
        if (r < 0)
            turn(from, 0);
    }
    free(payload);
    return (double)(atl_clock_mono_ns() - begin) / 1e9;
}

static bool online(const char *url, uint64_t count, size_t bytes, const char *unit, double per,
                   double least)
{
    struct peer from, to;
    double best = 0;
    bool whole = true;
    open_peer(&to, url, "bench-to", "bulk/#");
    open_peer(&from, url, "bench-from", NULL);
    for (int i = 0; i < 3; i++) {
        double rate = (double)count * per / pass(&from, &to, count, bytes);
        best = rate > best ? rate : best;
        whole = whole && to.in_order == count;
    }
    bool good = whole && best >= least;
    printf("%-4s %6zu bytes: %9.0f %s (at least %.0f), %s\n", good ? "ok" : "MISS", bytes, best,
           unit, least, whole ? "none lost, in order" : "LOST OR OUT OF ORDER");
    bus_client_destroy(from.client, 0);
    bus_client_destroy(to.client, 0);
    return good;
}

static bool offline(const char *url)
{
    struct peer from, to;
    uint8_t payload[1024] = {0};
    open_peer(&to, url, "bench-away", "bulk/#");
    bus_client_destroy(to.client, 0);
    open_peer(&from, url, "bench-from", NULL);
    for (uint64_t i = 0; i < OFFLINE_MESSAGES; i++) {
        memcpy(payload, &i, sizeof(i));
        bus_client_publish(from.client, "bulk/x", payload, sizeof(payload), 1, false);
    }
    bus_client_destroy(from.client, 20 * ATL_NS_PER_S);
    open_peer(&to, url, "bench-away", "bulk/#");
    for (atl_ns end = atl_clock_mono_ns() + LIMIT_NS / 6;
         to.heard < OFFLINE_MESSAGES && atl_clock_mono_ns() < end;)
        turn(&to, 20);
    bool good = to.in_order == OFFLINE_MESSAGES;
    printf("%-4s to a peer that was offline: %lu of %d, %lu in order\n", good ? "ok" : "MISS",
           (unsigned long)to.heard, OFFLINE_MESSAGES, (unsigned long)to.in_order);
    bus_client_destroy(to.client, 0);
    return good;
}

int main(void)
{
    struct broker b;
    if (!broker_installed()) {
        printf("mosquitto is not installed\n");
        return 77;
    }
    if (atl_base_init() < 0 || !broker_init(&b) ||
        !broker_start(&b, "max_queued_messages 20000\nallow_anonymous true"))
        return 1;
    bool good = online(b.url, 20000, 1024, "msg/s", 1, 3000);
    good = online(b.url, 4000, LARGE_BYTES, "MB/s", LARGE_BYTES / 1e6, 150) && good;
    good = offline(b.url) && good;
    broker_finish(&b);
    return good ? 0 : 1;
}
