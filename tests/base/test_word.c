/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/base.h"

static const char *const verbs[] = {"edge", "hub", "check", "flows", "detect", "traffic"};

static void finds_the_nearest(void **state)
{
    (void)state;
    assert_string_equal(atl_nearest("flow", verbs, 6), "flows");
    assert_string_equal(atl_nearest("detcet", verbs, 6), "detect");
    assert_string_equal(atl_nearest("egde", verbs, 6), "edge");
    assert_null(atl_nearest("xylophone", verbs, 6));
    assert_null(atl_nearest("", verbs, 0));
}

static void long_words_are_safe(void **state)
{
    (void)state;
    char word[4096];
    memset(word, 'a', sizeof(word) - 1);
    word[sizeof(word) - 1] = '\0';
    assert_null(atl_nearest(word, verbs, 6));
}

static void copy_truncates_and_says_so(void **state)
{
    (void)state;
    char out[4];
    assert_true(atl_copy(out, sizeof(out), "abc"));
    assert_false(atl_copy(out, sizeof(out), "abcd"));
    assert_string_equal(out, "abc");
}

static void time_text(void **state)
{
    (void)state;
    char out[ATL_TIME_TEXT_BYTES];
    atl_clock_format(1795220160123456789ULL, out);
    assert_string_equal(out, "2026-11-21T00:16:00.123456Z");
    atl_clock_format(UINT64_MAX, out);
    assert_string_equal(out, "2554-07-21T23:34:33.709551Z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_nearest),
        cmocka_unit_test(long_words_are_safe),
        cmocka_unit_test(copy_truncates_and_says_so),
        cmocka_unit_test(time_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
