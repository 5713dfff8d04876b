/* SPDX-License-Identifier: Apache-2.0 */
#include "app/series_priv.h"

#include "learner/learner.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define UNIX_S_MAX 253402300799.0 /* the last second of year 9999 */

/* Exactly n digits. @return -1 when they are not there */
static int digits(const char **text, int n)
{
    int value = 0;
    for (int i = 0; i < n; i++) {
        if (!isdigit((unsigned char)(*text)[i]))
            return -1;
        value = value * 10 + ((*text)[i] - '0');
    }
    *text += n;
    return value;
}

static bool take(const char **text, const char *any_of)
{
    if (**text == '\0' || strchr(any_of, **text) == NULL)
        return false;
    (*text)++;
    return true;
}

/* Days since 1970-01-01 in the Gregorian calendar, counted in years that begin in March. */
static int64_t days_of(int year, int month, int day)
{
    int64_t y = year - (month <= 2);
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return y * 365 + y / 4 - y / 100 + y / 400 + day_of_year - 719468;
}

static int days_in(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

static int parse_offset(const char *text, int32_t *ret_offset_s)
{
    int32_t sign = *text == '-' ? -1 : 1;
    *ret_offset_s = 0;
    if (*text == '\0' || strcmp(text, "Z") == 0 || strcmp(text, "z") == 0)
        return 0;
    if (!take(&text, "+-"))
        return -EINVAL;
    int hours = digits(&text, 2);
    take(&text, ":");
    int minutes = digits(&text, 2);
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59 || *text != '\0')
        return -EINVAL;
    *ret_offset_s = sign * (hours * 3600 + minutes * 60);
    return 0;
}

static int parse_date(const char *text, double *ret_at_s, int32_t *ret_offset_s)
{
    int year = digits(&text, 4);
    if (year < 0 || !take(&text, "-"))
        return -EINVAL;
    int month = digits(&text, 2);
    if (month < 1 || month > 12 || !take(&text, "-"))
        return -EINVAL;
    int day = digits(&text, 2);
    if (day < 1 || day > days_in(year, month) || !take(&text, "Tt "))
        return -EINVAL;
    int hour = digits(&text, 2);
    if (hour < 0 || hour > 23 || !take(&text, ":"))
        return -EINVAL;
    int minute = digits(&text, 2), second = 0;
    if (minute < 0 || minute > 59)
        return -EINVAL;
    if (take(&text, ":"))
        second = digits(&text, 2);
    if (second < 0 || second > 60) /* a leap second is the next minute's first */
        return -EINVAL;
    double fraction = 0, unit = 0.1;
    if (take(&text, "."))
        for (; isdigit((unsigned char)*text); unit /= 10)
            fraction += unit * (*text++ - '0');
    int32_t offset;
    if (parse_offset(text, &offset) < 0)
        return -EINVAL;
    *ret_at_s =
        (double)(days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset) +
        fraction;
    *ret_offset_s = offset;
    return 0;
}

static int parse_number(const char *text, double *ret_value)
{
    char *end;
    if (!isdigit((unsigned char)*text) && strchr("+-.", *text) == NULL)
        return -EINVAL; /* strtod would take blanks, inf and nan */
    double value = strtod(text, &end);
    if (*end != '\0' || end == text || !isfinite(value))
        return -EINVAL;
    *ret_value = value;
    return 0;
}

int series_stamp_parse(const char *text, double *ret_at_s, int32_t *ret_offset_s)
{
    double at;
    if (parse_date(text, ret_at_s, ret_offset_s) == 0)
        return 0;
    if (*text == '\0' || parse_number(text, &at) < 0 || fabs(at) > UNIX_S_MAX)
        return -EINVAL;
    *ret_at_s = at;
    *ret_offset_s = 0;
    return 0;
}

/* Blanks and one pair of quotes around a field. */
static char *trim(char *text)
{
    while (*text == ' ' || *text == '\t')
        text++;
    size_t n = strlen(text);
    while (n > 0 && (text[n - 1] == ' ' || text[n - 1] == '\t'))
        n--;
    if (n >= 2 && text[0] == '"' && text[n - 1] == '"') {
        text++;
        n -= 2;
    }
    text[n] = '\0';
    return text;
}

/* @return bytes before the line's end, -1 at the end of the input, -2 when it does not fit */
static int fill_line(struct series_reader *reader)
{
    int c, n = 0;
    while ((c = getc_unlocked(reader->stream)) != EOF && c != '\n') {
        if (n == SERIES_LINE_BYTES - 1)
            return -2;
        reader->text[n++] = (char)c;
    }
    if (c == EOF && n == 0)
        return -1;
    if (n > 0 && reader->text[n - 1] == '\r')
        n--;
    reader->text[n] = '\0';
    return n;
}

/* @return 1 with a line, 0 at the end, negative errno */
static int read_line(struct series_reader *reader, struct atl_error *err)
{
    int n = fill_line(reader);
    if (ferror(reader->stream))
        return atl_error_set(err, -EIO, "%s: cannot read on: %s", reader->name, strerror(errno));
    if (n == -1)
        return 0;
    reader->line++;
    if (n == -2)
        return atl_error_set(err, -EINVAL, "%s: row %llu: longer than %d bytes", reader->name,
                             (unsigned long long)reader->line, SERIES_LINE_BYTES - 1);
    if (strlen(reader->text) != (size_t)n)
        return atl_error_set(err, -EINVAL, "%s: row %llu: a zero byte: expected text", reader->name,
                             (unsigned long long)reader->line);
    return 1;
}

static int parse_row(struct series_reader *reader, struct series_row *row, struct atl_error *err)
{
    unsigned long long line = reader->line;
    char *comma = strchr(reader->text, ',');
    if (comma == NULL || strchr(comma + 1, ',') != NULL)
        return atl_error_set(err, -EINVAL, "%s: row %llu: expected two columns, timestamp,value",
                             reader->name, line);
    *comma = '\0';
    row->stamp = trim(reader->text);
    row->number = trim(comma + 1);
    row->value = NAN;
    if (series_stamp_parse(row->stamp, &row->at_s, &row->offset_s) < 0)
        return atl_error_set(err, -EINVAL,
                             "%s: row %llu: timestamp \"%.40s\": expected RFC 3339, YYYY-MM-DD "
                             "hh:mm:ss or Unix seconds",
                             reader->name, line, row->stamp);
    if (*row->number == '\0')
        return 1;
    if (parse_number(row->number, &row->value) < 0 || fabs(row->value) > LEARN_FORECAST_VALUE_MAX)
        return atl_error_set(err, -EINVAL,
                             "%s: row %llu: value \"%.40s\": expected a number, or nothing for a "
                             "gap",
                             reader->name, line, row->number);
    return 1;
}

/* A first row whose first column holds a letter where a stamp begins with a digit or a sign. */
static bool is_header(const char *text)
{
    text += strspn(text, " \t\"");
    return isalpha((unsigned char)*text) && strchr(text, ',') != NULL;
}

int series_read(struct series_reader *reader, struct series_row *ret_row, struct atl_error *err)
{
    int r = read_line(reader, err);
    if (r == 1 && reader->line == 1) {
        char *text = reader->text;
        if (strncmp(text, "\xEF\xBB\xBF", 3) == 0) /* UTF-8 mark of spreadsheets */
            memmove(text, text + 3, strlen(text + 3) + 1);
        if (is_header(text))
            r = read_line(reader, err);
    }
    while (r == 1 && reader->text[0] == '\0') /* empty lines, as at the end of many files */
        r = read_line(reader, err);
    return r == 1 ? parse_row(reader, ret_row, err) : r;
}
