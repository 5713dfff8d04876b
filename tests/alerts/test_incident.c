/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "samples.h"

struct seen {
    uint32_t n, raised, updated, cleared;
    enum alert_change change;
    struct alert_incident last;
};

static void on_emit(void *ctx, enum alert_change change, const struct alert_incident *incident)
{
    struct seen *seen = ctx;
    seen->n++;
    seen->raised += change == ALERT_RAISE;
    seen->updated += change == ALERT_UPDATE;
    seen->cleared += change == ALERT_CLEAR;
    seen->change = change;
    seen->last = *incident;
}

static struct alert_book *open_book(struct seen *seen, uint32_t open_max)
{
    struct alert_config cfg;
    struct alert_book *book;
    alert_config_default(&cfg);
    cfg.open_max = open_max;
    cfg.cooldown_ns = 10 * ATL_NS_PER_S;
    cfg.clear_after_ns = 100 * ATL_NS_PER_S;
    *seen = (struct seen){0};
    assert_int_equal(alert_book_create(&book, &cfg, on_emit, seen), 0);
    return book;
}

static void raise_at(struct alert_book *book, const char *kind, const char *entity, double seconds)
{
    struct alert_signal s = make_signal(kind, entity, seconds);
    alert_book_raise(book, &s);
}

static void one_incident_for_kind_and_entity(void **state)
{
    (void)state;
    struct seen seen;
    struct alert_book *book = open_book(&seen, 8);
    raise_at(book, "anomaly", "10.0.0.1", 0);
    assert_int_equal(seen.change, ALERT_RAISE);
    assert_int_equal(seen.last.count, 1);
    assert_int_equal(seen.last.raised_ns, at(0));
    assert_int_equal(strlen(seen.last.id), 32);
    assert_int_equal(strspn(seen.last.id, "0123456789abcdef"), 32);
    char first_id[ALERT_ID_BYTES];
    atl_copy(first_id, sizeof(first_id), seen.last.id);

    raise_at(book, "anomaly", "10.0.0.1", 1);
    assert_int_equal(seen.n, 1);
    raise_at(book, "anomaly", "10.0.0.2", 1);
    raise_at(book, "beacon", "10.0.0.1", 1);
    assert_int_equal(seen.raised, 3);
    assert_string_not_equal(seen.last.id, first_id);
    assert_int_equal(alert_book_open(book), 3);
    alert_book_destroy(book);
}

static void updates_once_per_cooldown(void **state)
{
    (void)state;
    struct seen seen;
    struct alert_book *book = open_book(&seen, 8);
    for (int i = 0; i < 36; i++) /* one a second, 0 … 35: updates at 10, 20 and 30 */
        raise_at(book, "anomaly", "10.0.0.1", i);
    assert_int_equal(seen.raised, 1);
    assert_int_equal(seen.updated, 3);
    assert_int_equal(seen.last.count, 31);
    assert_int_equal(seen.last.updated_ns, at(30));

    alert_book_step(book, at(36)); /* still cooling */
    assert_int_equal(seen.updated, 3);
    alert_book_step(book, at(41)); /* what came meanwhile is told after all */
    assert_int_equal(seen.updated, 4);
    assert_int_equal(seen.last.count, 36);
    alert_book_step(book, at(60)); /* nothing new */
    assert_int_equal(seen.updated, 4);
    alert_book_destroy(book);
}

static void clears_after_quiet(void **state)
{
    (void)state;
    struct seen seen;
    struct alert_book *book = open_book(&seen, 8);
    raise_at(book, "anomaly", "10.0.0.1", 0);
    char id[ALERT_ID_BYTES];
    atl_copy(id, sizeof(id), seen.last.id);
    raise_at(book, "anomaly", "10.0.0.1", 50);
    alert_book_step(book, at(149));
    assert_int_equal(seen.cleared, 0);
    alert_book_step(book, at(150));
    assert_int_equal(seen.cleared, 1);
    assert_string_equal(seen.last.id, id);
    assert_int_equal(seen.last.cleared_ns, at(150));
    assert_int_equal(seen.last.count, 2);
    assert_int_equal(alert_book_open(book), 0);

    raise_at(book, "anomaly", "10.0.0.1", 151); /* again: another incident */
    assert_int_equal(seen.change, ALERT_RAISE);
    assert_string_not_equal(seen.last.id, id);
    assert_int_equal(seen.last.cleared_ns, 0);
    alert_book_destroy(book);
}

static void keeps_the_strongest(void **state)
{
    (void)state;
    struct seen seen;
    struct alert_book *book = open_book(&seen, 8);
    struct alert_signal s = make_signal("anomaly", "10.0.0.1", 0);
    s.score = 0.8;
    alert_book_raise(book, &s);
    s = make_signal("anomaly", "10.0.0.1", 11);
    s.score = 0.9;
    alert_book_raise(book, &s);
    s.score = 0.6;
    s.time_ns = at(22);
    alert_book_raise(book, &s);
    assert_int_equal(seen.updated, 2);
    assert_true(seen.last.signal.score == 0.9);
    assert_int_equal(seen.last.signal.time_ns, at(11));
    s.score = 0.9;
    s.p_value = 1e-5; /* as high, less likely by chance */
    s.time_ns = at(33);
    alert_book_raise(book, &s);
    assert_int_equal(seen.last.signal.time_ns, at(33));
    alert_book_destroy(book);
}

static void escalation_does_not_wait(void **state)
{
    (void)state;
    struct seen seen;
    struct alert_book *book = open_book(&seen, 8);
    raise_at(book, "syn_flood", "10.0.0.1", 0);
    assert_int_equal(seen.last.severity, ALERT_MAJOR);
    struct alert_signal s = make_signal("syn_flood", "10.0.0.1", 1);
    s.score = 0.99;
    s.p_value = 1e-12;
    alert_book_raise(book, &s); /* within the cool-down */
    assert_int_equal(seen.change, ALERT_UPDATE);
    assert_int_equal(seen.last.severity, ALERT_CRITICAL);
    raise_at(book, "syn_flood", "10.0.0.1", 2);
    assert_int_equal(seen.n, 2);
    raise_at(book, "syn_flood", "10.0.0.1", 50);
    assert_int_equal(seen.last.severity, ALERT_CRITICAL); /* it does not fall */

    raise_at(book, "horizontal_scan", "10.0.0.9", 0); /* lasting is an escalation too */
    assert_int_equal(seen.last.severity, ALERT_MINOR);
    for (int i = 1; i <= 59; i += 2)
        raise_at(book, "horizontal_scan", "10.0.0.9", i);
    assert_int_equal(seen.last.severity, ALERT_MAJOR);
    assert_int_equal(seen.last.updated_ns, at(59)); /* evidence from -1 s to 59 s */
    alert_book_destroy(book);
}

static void full_book(void **state)
{
    (void)state;
    struct seen seen;
    struct alert_book *book = open_book(&seen, 3);
    raise_at(book, "horizontal_scan", "10.0.0.1", 0); /* minor */
    raise_at(book, "anomaly", "10.0.0.3", 2);         /* warning, the younger */
    raise_at(book, "anomaly", "10.0.0.2", 1);         /* warning, the older */
    raise_at(book, "anomaly", "10.0.0.4", 3);         /* no more severe: no room */
    assert_int_equal(alert_book_suppressed(book), 1);
    assert_int_equal(seen.n, 3);
    raise_at(book, "anomaly", "10.0.0.2", 4); /* known ones still count */
    assert_int_equal(alert_book_suppressed(book), 1);

    struct alert_signal s = make_signal("syn_flood", "10.0.0.5", 5);
    alert_book_raise(book, &s);
    assert_int_equal(seen.cleared, 1);
    assert_int_equal(seen.raised, 4);
    assert_int_equal(alert_book_open(book), 3);
    assert_int_equal(alert_book_suppressed(book), 1);
    raise_at(book, "anomaly", "10.0.0.3", 40); /* the younger is still there */
    assert_int_equal(seen.change, ALERT_UPDATE);
    assert_int_equal(seen.last.count, 2);
    raise_at(book, "anomaly", "10.0.0.2", 41); /* the older has gone */
    assert_int_equal(alert_book_suppressed(book), 2);
    alert_book_destroy(book);
}

/* Time from captures may jump back: nothing is cleared or repeated for that. */
static void time_may_go_back(void **state)
{
    (void)state;
    struct seen seen;
    struct alert_book *book = open_book(&seen, 3);
    raise_at(book, "anomaly", "10.0.0.1", 1000);
    raise_at(book, "anomaly", "10.0.0.1", 10);
    alert_book_step(book, at(20));
    assert_int_equal(seen.n, 1);
    assert_int_equal(alert_book_open(book), 1);
    alert_book_step(book, at(1100));
    assert_int_equal(seen.cleared, 1);
    alert_book_destroy(book);
}

static void many_incidents(void **state)
{
    (void)state;
    enum { OPEN = 4096 };
    struct seen seen;
    struct alert_book *book = open_book(&seen, OPEN);
    char entity[32];
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < OPEN + 10; i++) {
            snprintf(entity, sizeof(entity), "10.1.%d.%d", i / 256, i % 256);
            raise_at(book, "anomaly", entity, round);
        }
    }
    assert_int_equal(seen.raised, OPEN);
    assert_int_equal(alert_book_suppressed(book), 20);
    alert_book_step(book, at(101)); /* all last seen at second 1 */
    assert_int_equal(seen.cleared, OPEN);
    assert_int_equal(seen.last.count, 2);
    alert_book_destroy(book);
}

static void unterminated_text_is_ended(void **state)
{
    (void)state;
    struct seen seen;
    struct alert_book *book = open_book(&seen, 3);
    struct alert_signal s;
    memset(&s, 'x', sizeof(s));
    s.time_ns = s.first_ns = at(0);
    alert_book_raise(book, &s);
    assert_int_equal(strlen(seen.last.signal.entity), sizeof(s.entity) - 1);
    assert_int_equal(strlen(seen.last.signal.features[4].unit), sizeof(s.features[4].unit) - 1);
    assert_int_equal(seen.last.signal.n_features, ALERT_FEATURES_MAX);
    alert_book_destroy(book);
}

static void config(void **state)
{
    (void)state;
    struct alert_config good, cfg;
    struct atl_error err;
    struct alert_book *book = NULL;
    alert_config_default(&good);
    assert_int_equal(alert_config_check(&good, &err), 0);
    cfg = good, cfg.open_max = 0;
    assert_int_equal(alert_config_check(&cfg, &err), -EINVAL);
    assert_string_equal(err.text, "open_max: 0 is outside 1 … 4096");
    assert_int_equal(alert_book_create(&book, &cfg, NULL, NULL), -EINVAL);
    assert_null(book);
    cfg = good, cfg.open_max = 4097;
    assert_int_equal(alert_config_check(&cfg, &err), -EINVAL);
    cfg = good, cfg.clear_after_ns = 0;
    assert_int_equal(alert_config_check(&cfg, &err), -EINVAL);
    cfg = good, cfg.cooldown_ns = UINT64_MAX;
    assert_int_equal(alert_config_check(&cfg, &err), -EINVAL);
    cfg = good, cfg.node = NULL;
    assert_int_equal(alert_config_check(&cfg, &err), -EINVAL);
    alert_book_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_incident_for_kind_and_entity),
        cmocka_unit_test(updates_once_per_cooldown),
        cmocka_unit_test(clears_after_quiet),
        cmocka_unit_test(keeps_the_strongest),
        cmocka_unit_test(escalation_does_not_wait),
        cmocka_unit_test(full_book),
        cmocka_unit_test(time_may_go_back),
        cmocka_unit_test(many_incidents),
        cmocka_unit_test(unterminated_text_is_ended),
        cmocka_unit_test(config),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
