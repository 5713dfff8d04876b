/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "alerts/text_priv.h"

#define BAD "\xef\xbf\xbd"

/* Unicode 15 table 3-7; the ill-formed ones from Markus Kuhn's UTF-8 stress test */
static void cleaning(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"", ""},
        {"plain \"quoted\" \\ text", "plain \"quoted\" \\ text"},
        {"é … 😀", "é … 😀"},
        {"a\nb\tc\x1b[31m", "a" BAD "b" BAD "c" BAD "[31m"},
        {"\x7f", BAD},
        {"\xc2\x9b", BAD BAD}, /* C1: a terminal's CSI */
        {"\xc2\xa0", "\xc2\xa0"},
        {"\x80", BAD},
        {"\xc3", BAD},
        {"\xc3(", BAD "("},
        {"\xc0\xaf", BAD BAD},                 /* overlong / */
        {"\xe0\x80\xaf", BAD BAD BAD},         /* overlong in three */
        {"\xed\xa0\x80", BAD BAD BAD},         /* surrogate */
        {"\xf4\x90\x80\x80", BAD BAD BAD BAD}, /* beyond U+10FFFF */
        {"\xf0\x9f\x98", BAD BAD BAD},         /* cut off */
        {"\xff\xfe", BAD BAD},
    };
    for (size_t i = 0; i < ATL_ARRAY_LEN(cases); i++) {
        char out[64];
        alert_text_clean(out, sizeof(out), cases[i].in);
        assert_string_equal(out, cases[i].out);
    }
}

static void cut_at_a_character(void **state)
{
    (void)state;
    char out[6];
    alert_text_clean(out, sizeof(out), "abcd…");
    assert_string_equal(out, "abcd");
    alert_text_clean(out, sizeof(out), "ab…f");
    assert_string_equal(out, "ab…");
    alert_text_clean(out, 1, "abc");
    assert_string_equal(out, "");
}

static void numbers(void **state)
{
    (void)state;
    assert_true(alert_number_clamp(NAN, 0, 1, 0.5) == 0.5);
    assert_true(alert_number_clamp(INFINITY, 0, 1, 0.5) == 1);
    assert_true(alert_number_clamp(-INFINITY, 0, 1, 0.5) == 0);
    assert_true(alert_number_clamp(0.25, 0, 1, 0.5) == 0.25);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cleaning),
        cmocka_unit_test(cut_at_a_character),
        cmocka_unit_test(numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
