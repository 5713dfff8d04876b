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

#include "bus/inbox_priv.h"
#include "bus/window_priv.h"

static struct bus_out *push(struct bus_window *w, const char *topic, int qos)
{
    struct bus_out *m = bus_out_new(NULL, topic, "12345678", 8, qos, false);
    assert_non_null(m);
    assert_true(bus_window_push(w, m));
    return m;
}

static void window_sends_in_order(void **state)
{
    (void)state;
    struct bus_window w;
    bus_window_init(&w, 10, 1000);
    w.size = 2;
    push(&w, "a", 1);
    push(&w, "b", 1);
    push(&w, "c", 1);
    struct bus_out *a = bus_window_take(&w), *b = bus_window_take(&w);
    assert_string_equal(a->topic, "a");
    assert_string_equal(b->topic, "b");
    assert_memory_equal(b->payload, "12345678", 8);
    assert_null(bus_window_take(&w)); /* two are in flight */
    bus_window_remove(&w, b);
    assert_string_equal(bus_window_take(&w)->topic, "c");
    assert_int_equal(w.in_flight, 2);
    bus_window_finish(&w);
    assert_int_equal(w.messages, 0);
    assert_int_equal(w.bytes, 0);
}

static void window_rewinds(void **state)
{
    (void)state;
    struct bus_window w;
    bus_window_init(&w, 10, 1000);
    w.size = 3;
    push(&w, "a", 1);
    push(&w, "b", 0);
    push(&w, "c", 1);
    push(&w, "d", 0);
    push(&w, "e", 1);
    struct bus_out *a = bus_window_take(&w);
    bus_window_take(&w);
    bus_window_take(&w);
    bus_window_remove(&w, a);
    assert_int_equal(bus_window_rewind(&w), 2); /* both of QoS 0, sent or not */
    assert_int_equal(w.in_flight, 0);
    assert_int_equal(w.messages, 2);
    assert_int_equal(w.bytes, 16);
    assert_string_equal(bus_window_take(&w)->topic, "c");
    assert_string_equal(bus_window_take(&w)->topic, "e");
    assert_null(bus_window_take(&w));
    bus_window_finish(&w);
}

static void window_bounds(void **state)
{
    (void)state;
    struct bus_window w;
    bus_window_init(&w, 2, 1000);
    push(&w, "a", 1);
    push(&w, "b", 1);
    struct bus_out *m = bus_out_new(NULL, "c", NULL, 0, 1, false);
    assert_false(bus_window_push(&w, m));
    bus_window_remove(&w, w.first);
    assert_true(bus_window_push(&w, m));
    bus_window_finish(&w);

    bus_window_init(&w, 100, 20);
    push(&w, "a", 1);
    push(&w, "b", 1);
    m = bus_out_new(NULL, "c", "12345", 5, 1, false);
    assert_false(bus_window_push(&w, m));
    m->bytes = 4;
    assert_true(bus_window_push(&w, m));
    bus_window_finish(&w);
}

static bool readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

static void inbox_keeps_order_and_signals(void **state)
{
    (void)state;
    struct bus_inbox box;
    assert_int_equal(bus_inbox_init(&box), 0);
    assert_false(readable(box.fd));
    bus_inbox_push_message(&box, "a/b", "xy\0z", 4, true, 2);
    bus_inbox_push_event(&box, BUS_DISCONNECTED, "gone");
    assert_true(readable(box.fd));

    struct bus_item *item = bus_inbox_pop(&box);
    assert_false(item->is_event);
    assert_string_equal(item->text, "a/b");
    assert_int_equal(item->bytes, 4);
    assert_memory_equal(item->data, "xy\0z\0", 5);
    assert_true(item->retained);
    assert_int_equal(item->subscriptions, 2);
    free(item);
    assert_true(readable(box.fd));
    item = bus_inbox_pop(&box);
    assert_true(item->is_event);
    assert_string_equal(item->text, "gone");
    free(item);
    assert_false(readable(box.fd));
    assert_null(bus_inbox_pop(&box));
    bus_inbox_finish(&box);
}

static void inbox_bounds(void **state)
{
    (void)state;
    struct bus_inbox box;
    uint64_t received, dropped;
    assert_int_equal(bus_inbox_init(&box), 0);
    for (int i = 0; i < BUS_INBOX_MESSAGES + 3; i++)
        bus_inbox_push_message(&box, "t", "", 0, false, 0);
    for (int i = 0; i < BUS_INBOX_EVENTS + 3; i++) /* still heard over the flood */
        bus_inbox_push_event(&box, BUS_DISCONNECTED, "x");
    bus_inbox_counts(&box, &received, &dropped);
    assert_int_equal(received, BUS_INBOX_MESSAGES);
    assert_int_equal(dropped, 3);
    uint32_t n = 0;
    for (struct bus_item *item; (item = bus_inbox_pop(&box)) != NULL; n++)
        free(item);
    assert_int_equal(n, BUS_INBOX_MESSAGES + BUS_INBOX_EVENTS);

    uint8_t *large = calloc(1, BUS_PAYLOAD_MAX_BYTES + 1);
    bus_inbox_push_message(&box, "t", large, BUS_PAYLOAD_MAX_BYTES + 1, false, 0);
    for (uint64_t i = 0; i < BUS_INBOX_BYTES / BUS_PAYLOAD_MAX_BYTES + 1; i++)
        bus_inbox_push_message(&box, "t", large, BUS_PAYLOAD_MAX_BYTES, false, 0);
    bus_inbox_counts(&box, &received, &dropped);
    assert_int_equal(received, BUS_INBOX_MESSAGES + BUS_INBOX_BYTES / BUS_PAYLOAD_MAX_BYTES);
    assert_int_equal(dropped, 5);
    free(large);
    bus_inbox_finish(&box);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(window_sends_in_order), cmocka_unit_test(window_rewinds),
        cmocka_unit_test(window_bounds),         cmocka_unit_test(inbox_keeps_order_and_signals),
        cmocka_unit_test(inbox_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
