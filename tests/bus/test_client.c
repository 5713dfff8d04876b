/* SPDX-License-Identifier: Apache-2.0 */
/* Against a live broker, all well. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker.h"
#include "bus/client_priv.h"
#include "watch.h"

static struct broker broker;
static int start(void **state)
{
    (void)state;
    if (!broker_installed())
        return 0;
    if (!broker_init(&broker) || !broker_start(&broker, "allow_anonymous true"))
        return -1;
    return 0;
}

static int stop(void **state)
{
    (void)state;
    if (!broker_installed())
        return 0;
    broker_finish(&broker);
    return 0;
}

static void open_client(struct watch *w, const char *id)
{
    if (!broker_installed()) {
        print_message("# mosquitto is not installed\n");
        skip();
    }
    struct bus_config cfg = watch_config(broker.url, id);
    watch_open(w, &cfg);
}

static void publish(struct watch *w, const char *topic, const char *text, int qos, bool retain)
{
    assert_int_equal(bus_client_publish(w->client, topic, text, strlen(text), qos, retain), 0);
}

/* One client at a time where that will do: Paho takes two seconds to connect another one in the
 * same process while the first is idle. */
static void round_trip(void **state)
{
    (void)state;
    struct watch w;
    open_client(&w, "round-a");
    watch_subscribe(&w, "rt/+/state");
    assert_true(watch_until(&w, &w.connected, 1, 3000));
    assert_non_null(strstr(w.why, broker.url));
    watch_settle(&w);
    publish(&w, "rt/x/state", "online", 1, true);
    assert_true(watch_until(&w, &w.messages, 1, 2000));
    assert_string_equal(w.topic, "rt/x/state");
    assert_string_equal(w.payload, "online");
    assert_false(w.retained);
    publish(&w, "rt/x/state", "last", 0, true);
    assert_true(watch_until(&w, &w.messages, 2, 2000));
    struct bus_stats s = watch_stats(&w);
    assert_int_equal(s.published, s.delivered);
    assert_int_equal(s.connects, 1);
    assert_true(s.connected);
    watch_close(&w, 0);

    open_client(&w, "round-b"); /* late: gets the retained one */
    watch_subscribe(&w, "rt/x/#");
    assert_true(watch_until(&w, &w.messages, 1, 3000));
    assert_string_equal(w.payload, "last");
    assert_true(w.retained);
    publish(&w, "rt/x/state", "", 1, true); /* empty clears it */
    assert_true(watch_until(&w, &w.messages, 2, 2000));
    assert_int_equal(w.payload_bytes, 4);
    assert_string_equal(w.payload, "");
    watch_close(&w, 0);

    open_client(&w, "round-c");
    watch_subscribe(&w, "rt/x/#");
    watch_settle(&w);
    assert_int_equal(w.messages, 0);
    watch_close(&w, 0);
}

static void refuses_what_cannot_go(void **state)
{
    (void)state;
    struct watch w;
    open_client(&w, "refuses");
    uint8_t *large = calloc(1, BUS_PAYLOAD_MAX_BYTES + 1);
    assert_int_equal(
        bus_client_publish(w.client, "large", large, BUS_PAYLOAD_MAX_BYTES + 1, 1, false),
        -EMSGSIZE);
    assert_int_equal(bus_client_publish(w.client, "a/+", "", 0, 1, false), -EINVAL);
    assert_int_equal(bus_client_publish(w.client, "", "", 0, 1, false), -EINVAL);
    assert_int_equal(bus_client_publish(w.client, "a", "", 0, 2, false), -EINVAL);
    assert_int_equal(bus_client_subscribe(w.client, "a/#/b", 1, NULL, NULL), -EINVAL);
    watch_subscribe(&w, "large");
    watch_settle(&w);
    assert_int_equal(bus_client_publish(w.client, "large", large, BUS_PAYLOAD_MAX_BYTES, 1, false),
                     0);
    assert_true(watch_until(&w, &w.messages, 1, 3000));
    assert_int_equal(w.payload_bytes, BUS_PAYLOAD_MAX_BYTES);
    free(large);
    watch_close(&w, 0);
}

static void each_handler_once(void **state)
{
    (void)state;
    struct watch w;
    open_client(&w, "overlap");
    struct watch second = {.client = w.client};
    watch_subscribe(&w, "ov/#");
    watch_subscribe(&second, "ov/+/b");
    watch_settle(&w);
    publish(&w, "ov/a/b", "1", 1, false);
    publish(&w, "ov/a/c", "2", 1, false);
    publish(&w, "other/a/b", "3", 1, false);
    watch_settle(&w); /* whatever was to come came before */
    assert_int_equal(w.messages, 2);
    assert_int_equal(second.messages, 1);
    assert_string_equal(second.payload, "1");
    watch_close(&w, 0);
}

/* Copies as other brokers and earlier sessions may send them. */
static void filters_decide_when_the_broker_does_not(void **state)
{
    (void)state;
    struct watch w;
    open_client(&w, "filters");
    struct watch second = {.client = w.client};
    watch_subscribe(&w, "fd/#");
    watch_subscribe(&second, "fd/+/b");
    struct bus_inbox *inbox = &w.client->inbox;
    bus_inbox_push_message(inbox, "fd/a/b", "", 0, false, 0); /* names none: both */
    bus_inbox_push_message(inbox, "fd/a/b", "", 0, false, 1); /* names the first */
    bus_inbox_push_message(inbox, "fd/a/c", "", 0, false, 2); /* names one that does not match */
    bus_inbox_push_message(inbox, "else", "", 0, false, 3);
    assert_true(watch_until(&w, &w.messages, 3, 1000));
    while (bus_client_step(w.client) > 0)
        ;
    assert_int_equal(w.messages, 3);
    assert_int_equal(second.messages, 1);
    watch_close(&w, 0);
}

static void many_and_fast(void **state)
{
    (void)state;
    enum { COUNT = 1500, BYTES = 1024 };
    struct watch from, to;
    open_client(&from, "fast-from");
    open_client(&to, "fast-to");
    watch_subscribe(&to, "fast/#");
    watch_settle(&to);
    assert_true(watch_until(&from, &from.connected, 1, 3000));

    char payload[BYTES] = {0};
    atl_ns begin = atl_clock_mono_ns();
    for (int i = 0; i < COUNT; i++) {
        snprintf(payload, sizeof(payload), "%d", i);
        assert_int_equal(bus_client_publish(from.client, "fast/x", payload, BYTES, 1, false), 0);
    }
    assert_true(watch_until(&to, &to.messages, COUNT, 8000));
    double s = (double)(atl_clock_mono_ns() - begin) / 1e9;
    assert_int_equal(to.in_order, COUNT);
    assert_int_equal(to.payload_bytes, COUNT * BYTES);
    print_message("# %d messages of %d bytes in %.3f s: %.0f msg/s\n", COUNT, BYTES, s, COUNT / s);
    assert_true(s < 5); /* one stall of Paho's send thread already costs a second */
    watch_close(&from, ATL_NS_PER_S);
    watch_close(&to, 0);
}

struct publisher {
    struct bus_client *client;
    int number;
};

static void *publish_some(void *arg)
{
    struct publisher *p = arg;
    char topic[32];
    snprintf(topic, sizeof(topic), "threads/%d", p->number);
    for (int i = 0; i < 200; i++)
        bus_client_publish(p->client, topic, "x", 1, i % 2, false);
    return NULL;
}

static void any_thread_may_publish(void **state)
{
    (void)state;
    struct watch w;
    open_client(&w, "threads");
    watch_subscribe(&w, "threads/#");
    watch_settle(&w);
    pthread_t threads[4];
    struct publisher publishers[4];
    for (int i = 0; i < 4; i++) {
        publishers[i] = (struct publisher){w.client, i};
        pthread_create(&threads[i], NULL, publish_some, &publishers[i]);
    }
    assert_true(watch_until(&w, &w.messages, 800, 5000));
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    watch_close(&w, 0);
}

static void step_is_bounded(void **state)
{
    (void)state;
    struct watch w;
    open_client(&w, "bounded");
    watch_subscribe(&w, "many/#");
    watch_settle(&w);
    for (int i = 0; i < 200; i++)
        publish(&w, "many/x", "x", 1, false);
    for (int i = 0; i < 500 && watch_stats(&w).received < 201; i++) {
        struct timespec ms = {.tv_nsec = 5000000};
        nanosleep(&ms, NULL);
    }
    assert_int_equal(bus_client_step(w.client), 64);
    assert_true(watch_until(&w, &w.messages, 200, 1000));
    watch_close(&w, 0);
}

static void drain_says_good_bye(void **state)
{
    (void)state;
    if (!broker_installed())
        skip();
    struct watch w;
    struct bus_config cfg = watch_config(broker.url, "bye");
    cfg.will_topic = "bye/will";
    cfg.will_payload = "lost";
    watch_open(&w, &cfg);
    for (int i = 0; i < 100; i++) { /* queued before there is any connection */
        char topic[16];
        snprintf(topic, sizeof(topic), "bye/%d", i);
        publish(&w, topic, "x", 1, true);
    }
    watch_close(&w, 3 * ATL_NS_PER_S);

    open_client(&w, "bye-reader");
    watch_subscribe(&w, "bye/#");
    watch_settle(&w);
    assert_int_equal(w.messages, 100); /* all, and no will */
    watch_close(&w, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(refuses_what_cannot_go),
        cmocka_unit_test(each_handler_once),
        cmocka_unit_test(filters_decide_when_the_broker_does_not),
        cmocka_unit_test(many_and_fast),
        cmocka_unit_test(any_thread_may_publish),
        cmocka_unit_test(step_is_bounded),
        cmocka_unit_test(drain_says_good_bye),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
