/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "bus/config_priv.h"
#include "bus/topic_priv.h"

/* MQTT 5 §4.7.1 and §4.7.2, its own examples first */
static void filters(void **state)
{
    (void)state;
    static const struct {
        const char *filter, *topic;
        bool match;
    } cases[] = {
        {"sport/tennis/player1/#", "sport/tennis/player1", true},
        {"sport/tennis/player1/#", "sport/tennis/player1/ranking", true},
        {"sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true},
        {"sport/#", "sport", true},
        {"sport/#", "sports", false},
        {"sport/tennis/+", "sport/tennis/player1", true},
        {"sport/tennis/+", "sport/tennis/player1/ranking", false},
        {"sport/+", "sport", false},
        {"sport/+", "sport/", true},
        {"+/+", "/finance", true},
        {"/+", "/finance", true},
        {"+", "/finance", false},
        {"#", "$SYS/broker", false},
        {"+/broker", "$SYS/broker", false},
        {"$SYS/#", "$SYS/broker", true},
        {"#", "a", true},
        {"+/#", "a", true},
        {"a/+/c", "a/b/c", true},
        {"a/+/c", "a/b/d", false},
        {"a/+/c", "a/b", false},
        {"a/b", "a/b", true},
        {"a/b", "a/b/", false},
        {"a/b", "a", false},
        {"a", "ab", false},
        {"atalaya/v1/+/+/alert/#", "atalaya/v1/home/edge-1/alert/0f", true},
        {"atalaya/v1/+/+/alert/#", "atalaya/v1/home/edge-1/event", false},
    };
    for (size_t i = 0; i < ATL_ARRAY_LEN(cases); i++) {
        if (bus_topic_matches(cases[i].filter, cases[i].topic) != cases[i].match)
            fail_msg("%s against %s", cases[i].filter, cases[i].topic);
    }
}

static void names(void **state)
{
    (void)state;
    assert_true(bus_name_valid("edge-1"));
    assert_true(bus_name_valid("abcdefghijklmnopqrstuvwxyz012345"));
    assert_false(bus_name_valid("abcdefghijklmnopqrstuvwxyz0123456"));
    assert_false(bus_name_valid(""));
    assert_false(bus_name_valid("Edge"));
    assert_false(bus_name_valid("a/b"));
    assert_false(bus_name_valid("a+"));
}

static void valid_topics(void **state)
{
    (void)state;
    char longest[BUS_TOPIC_BYTES + 1];
    memset(longest, 'a', sizeof(longest));
    longest[BUS_TOPIC_BYTES] = '\0';
    assert_false(bus_topic_valid(longest));
    longest[BUS_TOPIC_BYTES - 1] = '\0';
    assert_true(bus_topic_valid(longest));
    assert_false(bus_topic_valid(""));
    assert_false(bus_topic_valid("a/+"));
    assert_false(bus_topic_valid("a b"));
    assert_false(bus_topic_valid("a\xff"));
    assert_true(bus_filter_valid("a/+/b/#"));
    assert_true(bus_filter_valid("#"));
    assert_false(bus_filter_valid("a/#/b"));
    assert_false(bus_filter_valid("a+/b"));
    assert_false(bus_filter_valid("a/b#"));
    assert_false(bus_filter_valid("+a"));
}

static void urls(void **state)
{
    (void)state;
    struct bus_url u;
    assert_int_equal(bus_url_parse(&u, "mqtts://broker.example:9001", NULL), 0);
    assert_true(u.tls);
    assert_string_equal(u.host, "broker.example");
    assert_string_equal(u.port, "9001");
    assert_int_equal(bus_url_parse(&u, "mqtt://[::1]", NULL), 0);
    assert_false(u.tls);
    assert_string_equal(u.host, "::1");
    assert_string_equal(u.port, "1883");
    static const char *const bad[] = {"http://a:1",  "mqtt://",          "mqtt://:1883",
                                      "mqtt://a:0",  "mqtt://a:65536",   "mqtt://a:12x",
                                      "mqtt://a/b",  "mqtt://[::1:1883", "mqtt://[]:1",
                                      "mqtt://a: 1", "mqtt://a:1:2"};
    for (size_t i = 0; i < ATL_ARRAY_LEN(bad); i++) {
        if (bus_url_parse(&u, bad[i], NULL) != -EINVAL)
            fail_msg("%s was taken", bad[i]);
    }
    struct atl_error err;
    assert_int_equal(bus_url_parse(&u, "mqtt://me:secret@a:1", &err), -EINVAL);
    assert_null(strstr(err.text, "secret"));
}

static void config_says_what_is_wrong(void **state)
{
    (void)state;
    struct bus_config good, cfg;
    struct atl_error err;
    bus_config_default(&good);
    assert_int_equal(bus_config_check(&good, &err), 0);

#define REFUSED(word, ...)                                       \
    do {                                                         \
        cfg = good;                                              \
        __VA_ARGS__;                                             \
        assert_int_equal(bus_config_check(&cfg, &err), -EINVAL); \
        assert_non_null(strstr(err.text, word));                 \
    } while (0)
    REFUSED("url", cfg.url = NULL);
    REFUSED("mqtts://", cfg.ca_file = "/x");
    REFUSED("key_file", cfg.url = "mqtts://a:1", cfg.cert_file = "/x");
    REFUSED("client_id", cfg.client_id = "Edge");
    REFUSED("client_id", cfg.client_id = NULL);
    REFUSED("password", cfg.password = "x");
    REFUSED("will_payload", cfg.will_topic = "a");
    REFUSED("will_topic", cfg.will_topic = "a/#", cfg.will_payload = "x");
    REFUSED("keepalive_s: 4 is outside 5 … 3600", cfg.keepalive_s = 4);
    REFUSED("session_expiry_s", cfg.session_expiry_s = 1U << 31);
    REFUSED("queue_messages", cfg.queue_messages = 0);
    REFUSED("reconnect_max_ns", cfg.reconnect_max_ns = cfg.reconnect_min_ns - 1);

    struct bus_client *client = NULL;
    cfg = good;
    cfg.url = "mqtts://a:1";
    cfg.ca_file = "/nowhere/ca.pem";
    assert_int_equal(bus_client_create(&client, &cfg, NULL, NULL, &err), -ENOENT);
    assert_non_null(strstr(err.text, "ca_file: cannot read /nowhere/ca.pem"));
    assert_null(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filters),
        cmocka_unit_test(names),
        cmocka_unit_test(valid_topics),
        cmocka_unit_test(urls),
        cmocka_unit_test(config_says_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
