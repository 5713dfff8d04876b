/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>

#include "app/stratum_priv.h"

/* 2026-11-21 is a Saturday; seconds of its midnight by `date -u -d 2026-11-21 +%s`. */
#define SATURDAY (1795219200 * ATL_NS_PER_S)
#define HOUR     (3600 * ATL_NS_PER_S)
#define DAY      (24 * HOUR)

static uint32_t at(atl_ns when_ns, uint16_t port, uint8_t proto)
{
    const struct dp_flow f = {.last_ns = when_ns, .dst_port = port, .proto = proto};
    uint32_t s = stratum_of_flow(&f);
    assert_true(s < STRATA);
    return s;
}

static void hours_services_and_weekends_are_apart(void **state)
{
    (void)state;
    uint32_t s = at(SATURDAY, 443, IPPROTO_TCP);
    assert_int_equal(at(SATURDAY + HOUR / 2, 443, IPPROTO_UDP), s);
    assert_int_equal(at(SATURDAY, 8080, IPPROTO_TCP), s);
    assert_int_equal(at(SATURDAY + DAY, 443, IPPROTO_TCP), s); /* Sunday */
    assert_int_equal(at(SATURDAY + 7 * DAY, 443, IPPROTO_TCP), s);
    assert_int_not_equal(at(SATURDAY + HOUR, 443, IPPROTO_TCP), s);
    assert_int_not_equal(at(SATURDAY, 53, IPPROTO_UDP), s);
    assert_int_not_equal(at(SATURDAY + 2 * DAY, 443, IPPROTO_TCP), s); /* Monday */
    assert_int_equal(at(SATURDAY - DAY, 443, IPPROTO_TCP),
                     at(SATURDAY + 2 * DAY, 443, IPPROTO_TCP));
    assert_int_equal(at(SATURDAY, 7, IPPROTO_SCTP), at(SATURDAY, 2152, IPPROTO_UDP));
    assert_int_not_equal(at(SATURDAY, 7777, IPPROTO_TCP), at(SATURDAY, 7777, IPPROTO_UDP));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(hours_services_and_weekends_are_apart)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
