/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app/series_priv.h"

/* Against the C library's calendar, across leap years and centuries. */
static void dates_agree_with_timegm(void **state)
{
    (void)state;
    struct atl_rng rng;
    atl_rng_init_seed(&rng, 1);
    for (int i = 0; i < 20000; i++) {
        time_t want = (time_t)atl_rng_below(&rng, 7258118400); /* to the year 2200 */
        struct tm tm;
        char text[40];
        double at;
        int32_t offset;
        gmtime_r(&want, &tm);
        strftime(text, sizeof(text), i % 2 ? "%Y-%m-%d %H:%M:%S" : "%Y-%m-%dT%H:%M:%SZ", &tm);
        assert_int_equal(series_stamp_parse(text, &at, &offset), 0);
        assert_true(at == (double)want && offset == 0);
    }
}

static void other_forms_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double at_s;
        int32_t offset_s;
    } rows[] = {
        {"2024-02-29T12:00:00+02:00", 1709200800, 7200},
        {"2024-02-29T12:00:00.250-05:30", 1709227800.25, -19800},
        {"2014-07-01 00:30", 1404174600, 0},
        {"1404172800", 1404172800, 0},
        {"1404172800.5", 1404172800.5, 0},
        {"-1", -1, 0},
        {"1969-12-31 23:59:60", 0, 0},
    };
    for (size_t i = 0; i < ATL_ARRAY_LEN(rows); i++) {
        double at;
        int32_t offset;
        assert_int_equal(series_stamp_parse(rows[i].text, &at, &offset), 0);
        assert_true(at == rows[i].at_s);
        assert_int_equal(offset, rows[i].offset_s);
    }
}

static void nonsense_is_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "x",
        "2023-02-29 00:00:00",
        "2024-13-01 00:00:00",
        "2024-00-01 00:00:00",
        "2024-01-32 00:00:00",
        "2024-01-01 24:00:00",
        "2024-01-01 00:60:00",
        "2024-01-01 00:00:61",
        "2024-01-01",
        "2024-01-01T00:00:00+25:00",
        "2024-01-01T00:00:00Zx",
        "nan",
        "inf",
        "1e400",
        "99999999999999",
        " 12",
        "12abc",
    };
    for (size_t i = 0; i < ATL_ARRAY_LEN(rows); i++) {
        double at;
        int32_t offset;
        assert_int_equal(series_stamp_parse(rows[i], &at, &offset), -EINVAL);
    }
}

static int read_text(const char *text, struct series_row *row, struct atl_error *err, int *ret_rows)
{
    struct series_reader reader = {.name = "it"};
    int r;
    reader.stream = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
    assert_non_null(reader.stream);
    for (*ret_rows = 0; (r = series_read(&reader, row, err)) == 1; (*ret_rows)++) {
    }
    fclose(reader.stream);
    return r;
}

static void rows_come_as_written(void **state)
{
    (void)state;
    struct series_row row;
    struct atl_error err;
    int rows;
    assert_int_equal(
        read_text("\xEF\xBB\xBFtimestamp,value\r\n1,2\r\n\n2 , \r\n", &row, &err, &rows), 0);
    assert_int_equal(rows, 2);
    assert_true(isnan(row.value));
    assert_int_equal(read_text("\"1\",\"-2.5e3\"", &row, &err, &rows), 0);
    assert_int_equal(rows, 1);
    assert_true(row.value == -2500);
}

static void errors_name_the_row(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"timestamp,value\n1,2\n2,x\n", "it: row 3: value \"x\""},
        {"timestamp,value\n1,2\n2,nan\n", "row 3: value \"nan\""},
        {"1,1e200\n", "row 1: value"},
        {"1,2\nyesterday,2\n", "row 2: timestamp \"yesterday\""},
        {"1,2,3\n", "row 1: expected two columns"},
        {"1\n", "row 1: expected two columns"},
    };
    for (size_t i = 0; i < ATL_ARRAY_LEN(cases); i++) {
        struct series_row row;
        struct atl_error err;
        int rows;
        assert_int_equal(read_text(cases[i].text, &row, &err, &rows), -EINVAL);
        assert_non_null(strstr(err.text, cases[i].says));
    }
}

static void a_long_line_is_refused(void **state)
{
    (void)state;
    char text[3000];
    struct series_row row;
    struct atl_error err;
    int rows;
    memset(text, '1', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(read_text(text, &row, &err, &rows), -EINVAL);
    assert_non_null(strstr(err.text, "row 1: longer than"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dates_agree_with_timegm), cmocka_unit_test(other_forms_are_read),
        cmocka_unit_test(nonsense_is_refused),     cmocka_unit_test(rows_come_as_written),
        cmocka_unit_test(errors_name_the_row),     cmocka_unit_test(a_long_line_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
