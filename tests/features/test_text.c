/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "features/text_priv.h"

static const char *number(double v, int digits, char *room)
{
    struct feat_text t;
    feat_text_begin(&t, room, 64);
    feat_text_number(&t, v, digits);
    return room;
}

static void numbers_read_as_the_c_library_writes_them(void **state)
{
    (void)state;
    static const struct {
        double v;
        const char *text;
    } rows[] = {
        {0, "0"},           {1, "1"},
        {-1.5, "-1.5"},     {0.5, "0.5"},
        {0.0001, "0.0001"}, {1234567, "1234567"},
        {0.99999999, "1"},  {12.5, "12.5"},
        {1e9, "1e+09"},     {9.999999e-5, "9.999999e-05"},
        {3e-9, "3e-09"},    {999999.96, "1000000"},
        {65535, "65535"},   {0.1, "0.1"},
    };
    char room[64];
    for (size_t i = 0; i < ATL_ARRAY_LEN(rows); i++)
        assert_string_equal(number(rows[i].v, 7, room), rows[i].text);
}

/* As near as so many digits can be, and never longer than printf's text for it. */
static void random_numbers_are_rounded_to_their_digits(void **state)
{
    (void)state;
    struct atl_rng rng;
    atl_rng_init_seed(&rng, 5);
    for (int i = 0; i < 200000; i++) {
        int digits = i % 2 == 0 ? 7 : 12;
        double v = pow(10, atl_rng_unit(&rng) * 24 - 10) * (i % 5 == 0 ? -1 : 1);
        double unit = pow(10, floor(log10(fabs(v))) + 1 - digits);
        char ours[64], theirs[64];
        number(v, digits, ours);
        snprintf(theirs, sizeof(theirs), "%.*g", digits, v);
        if (fabs(strtod(ours, NULL) - v) > 0.501 * unit || strlen(ours) > strlen(theirs) + 1)
            fail_msg("%.17g: %s, %s with printf", v, ours, theirs);
    }
}

static void text_counts_on_when_it_is_full(void **state)
{
    (void)state;
    char room[8];
    struct feat_text t;
    feat_text_begin(&t, room, sizeof(room));
    feat_text_put(&t, "abcdef");
    feat_text_u64(&t, UINT64_MAX);
    assert_int_equal(t.length, 6 + 20);
    assert_string_equal(room, "abcdef1");
    feat_text_char(&t, 'x');
    assert_int_equal(t.length, 27);
    assert_string_equal(room, "abcdef1");
    feat_text_begin(&t, NULL, 0);
    feat_text_put(&t, "abc");
    assert_int_equal(t.length, 3);
}

static void times_have_nine_decimals(void **state)
{
    (void)state;
    char room[64];
    struct feat_text t;
    feat_text_begin(&t, room, sizeof(room));
    feat_text_time(&t, 1700000000000000005ULL);
    assert_string_equal(room, "1700000000.000000005");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_read_as_the_c_library_writes_them),
        cmocka_unit_test(random_numbers_are_rounded_to_their_digits),
        cmocka_unit_test(text_counts_on_when_it_is_full),
        cmocka_unit_test(times_have_nine_decimals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
