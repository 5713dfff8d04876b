/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "alerts/severity_priv.h"
#include "samples.h"

static void table(void **state)
{
    (void)state;
    static const struct {
        const char *kind;
        double score, p_value;
        uint64_t count;
        double lasts_s;
        enum alert_severity severity;
    } cases[] = {
        {"syn_flood", 0.7, 1e-3, 1, 1, ALERT_MAJOR},
        {"syn_flood", 0.7, 1e-3, 3, 60, ALERT_CRITICAL}, /* it lasts */
        {"syn_flood", 0.95, 1e-9, 1, 1, ALERT_CRITICAL}, /* it is sure */
        {"syn_flood", 0.95, 1e-9, 9, 90, ALERT_CRITICAL},
        {"syn_flood", 0.55, 1e-3, 1, 1, ALERT_MINOR},
        {"horizontal_scan", 0.7, 1e-3, 1, 1, ALERT_MINOR},
        {"horizontal_scan", 0.7, 1e-3, 2, 90, ALERT_MINOR},
        {"horizontal_scan", 0.7, 1e-3, 9, 59, ALERT_MINOR},
        {"horizontal_scan", 0.7, 1e-3, 9, 60, ALERT_MAJOR},
        {"horizontal_scan", 0.97, 1e-9, 9, 90, ALERT_MAJOR},
        {"horizontal_scan", 0.97, 1e-5, 1, 1, ALERT_MINOR},
        {"beacon", 0.55, 1e-3, 1, 1, ALERT_WARNING},
        {"anomaly", 0.7, 1e-3, 1, 1, ALERT_WARNING},
        {"anomaly", 0.55, 1e-3, 1, 1, ALERT_WARNING},
        {"anomaly", 1, 0, 1, 1, ALERT_MINOR},
        {"anomaly", 1, 0, 99, 900, ALERT_MINOR},
        {"", 0.7, 1e-3, 1, 1, ALERT_WARNING},
        {"floods_not", 0.7, 1e-3, 1, 1, ALERT_WARNING},
    };
    for (size_t i = 0; i < ATL_ARRAY_LEN(cases); i++) {
        struct alert_signal s = make_signal(cases[i].kind, "10.0.0.1", 0);
        s.score = cases[i].score;
        s.p_value = cases[i].p_value;
        enum alert_severity got =
            alert_severity_of(&s, cases[i].count, (atl_ns)(cases[i].lasts_s * 1e9));
        if (got != cases[i].severity)
            fail_msg("case %zu, %s: %s", i, cases[i].kind, alert_severity_name(got));
    }
}

static void names(void **state)
{
    (void)state;
    assert_string_equal(alert_severity_name(ALERT_WARNING), "warning");
    assert_string_equal(alert_severity_name(ALERT_MINOR), "minor");
    assert_string_equal(alert_severity_name(ALERT_MAJOR), "major");
    assert_string_equal(alert_severity_name(ALERT_CRITICAL), "critical");
    assert_string_equal(alert_change_name(ALERT_RAISE), "raise");
    assert_string_equal(alert_change_name(ALERT_UPDATE), "update");
    assert_string_equal(alert_change_name(ALERT_CLEAR), "clear");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(table), cmocka_unit_test(names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
