/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "broker.h"
#include "watch.h"

/* Paho 1.3.12 drops a packet without freeing it when its client goes between reading and handling
 * it, which is what is tried here; only in this program is that leak of a few bytes overlooked. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libpaho-mqtt3as";
}

static struct broker broker;

static int start(void **state)
{
    (void)state;
    if (!broker_installed())
        return 0;
    return broker_init(&broker) && broker_start(&broker, "allow_anonymous true") ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    if (broker_installed())
        broker_finish(&broker);
    return 0;
}

/* While it resolves, connects, subscribes, sends: no callback may come after destroy. */
static void at_any_moment(void **state)
{
    (void)state;
    if (!broker_installed()) {
        print_message("# mosquitto is not installed\n");
        skip();
    }
    for (int i = 0; i < 10; i++) {
        struct watch w;
        struct bus_config cfg = watch_config(broker.url, "brief");
        watch_open(&w, &cfg);
        watch_subscribe(&w, "brief/#");
        for (int k = 0; k < 100; k++)
            assert_int_equal(bus_client_publish(w.client, "brief/x", "x", 1, k % 2, false), 0);
        watch_until(&w, &w.messages, 1000, i * 16);
        struct bus_stats s = watch_stats(&w);
        assert_int_equal(s.published,
                         s.delivered + s.dropped + s.rejected + s.queued + s.in_flight);
        watch_close(&w, 0);
    }
}

static void without_a_broker(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++) {
        struct watch w;
        struct bus_config cfg = watch_config("mqtt://127.0.0.1:1", "alone");
        watch_open(&w, &cfg);
        watch_until(&w, &w.messages, 1, i * 8);
        atl_ns begin = atl_clock_mono_ns();
        watch_close(&w, 0);
        assert_true(atl_clock_mono_ns() - begin < 3 * ATL_NS_PER_S);
    }
    bus_client_destroy(NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_any_moment),
        cmocka_unit_test(without_a_broker),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
