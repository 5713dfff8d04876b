/* SPDX-License-Identifier: Apache-2.0 */
#include "app/options_priv.h"

#include "app/app_priv.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Behind every letter that stands for itself. */
#define ROW_FIRST 256

int options_usage(const char *verb, const char *fmt, ...)
{
    va_list args;
    fprintf(stderr, "atalaya %s: ", verb);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fprintf(stderr, " (atalaya %s --help)\n", verb);
    return EXIT_USAGE;
}

/* The line about a bad option after getopt_long returned '?' or ':', with the nearest one. */
static int refuse(const char *verb, int returned, char *const *argv, const struct option *options)
{
    const char *word = argv[optind - 1];
    if (returned == ':')
        return options_usage(verb, "%s needs a value", word);
    const char *names[OPTIONS_ROWS_MAX + 1];
    size_t n = 0;
    for (; options[n].name != NULL && n < ATL_ARRAY_LEN(names); n++)
        names[n] = options[n].name;
    const char *near = strncmp(word, "--", 2) == 0 ? atl_nearest(word + 2, names, n) : NULL;
    return options_usage(verb, "unknown option %s%s%s%s", word,
                         near != NULL ? "; did you mean --" : "", near != NULL ? near : "",
                         near != NULL ? "?" : "");
}

int options_no_words(const char *verb, int argc, char **argv)
{
    if (optind == argc)
        return OPTIONS_GO_ON;
    return options_usage(verb, "expected nothing but options, found '%s'", argv[optind]);
}

/* --- one value --- */

static int take_count(const struct options_row *row, const char *text, struct atl_error *err)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)text[0]) || *end != '\0' || errno != 0 ||
        (double)value < row->min || (double)value > row->max)
        return atl_error_set(err, -EINVAL,
                             "--%s: expected a whole number from %.0f to %.0f, found '%.64s'",
                             row->name, row->min, row->max, text);
    if (row->type == OPTIONS_COUNT)
        *row->count = value;
    else
        *row->count32 = (uint32_t)value;
    return 0;
}

static int take_number(const struct options_row *row, const char *text, struct atl_error *err)
{
    char *end;
    double value = strtod(text, &end);
    bool any = row->min == 0 && row->max == 0;
    bool good = end != text && *end == '\0' && !isspace((unsigned char)text[0]) && isfinite(value);
    if (good && (any || (value >= row->min && value <= row->max))) {
        *row->number = value;
        return 0;
    }
    if (any)
        return atl_error_set(err, -EINVAL, "--%s: expected a number, found '%.64s'", row->name,
                             text);
    return atl_error_set(err, -EINVAL, "--%s: expected a number from %g to %g, found '%.64s'",
                         row->name, row->min, row->max, text);
}

static int take_choice(const struct options_row *row, const char *text, struct atl_error *err)
{
    char list[160] = "";
    size_t n = 0, used = 0;
    for (; row->choices[n] != NULL; n++) {
        if (strcmp(text, row->choices[n]) == 0) {
            *row->choice = (int)n;
            return 0;
        }
        if (used < sizeof(list))
            used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", n > 0 ? ", " : "",
                                     row->choices[n]);
    }
    const char *near = atl_nearest(text, row->choices, n);
    return atl_error_set(err, -EINVAL, "--%s: expected one of %s, found '%.64s'%s%s%s", row->name,
                         list, text, near != NULL ? "; did you mean " : "",
                         near != NULL ? near : "", near != NULL ? "?" : "");
}

static int take_value(const struct options_row *row, const char *value, struct atl_error *err)
{
    if (row->given != NULL)
        *row->given = true;
    switch (row->type) {
    case OPTIONS_FLAG:
        *row->flag = true;
        return 0;
    case OPTIONS_TEXT:
        *row->text = value;
        return 0;
    case OPTIONS_COUNT:
    case OPTIONS_COUNT32:
        return take_count(row, value, err);
    case OPTIONS_NUMBER:
        return take_number(row, value, err);
    case OPTIONS_CHOICE:
        return take_choice(row, value, err);
    case OPTIONS_TAKE:
        return row->take(row->ctx, value, err);
    }
    return -EINVAL;
}

/* --- the line --- */

struct letters {
    char text[2 * OPTIONS_ROWS_MAX + 3];
    struct option options[OPTIONS_ROWS_MAX + 2];
};

static void describe(const struct options_row *rows, size_t n, struct letters *out)
{
    size_t used = 0;
    out->text[used++] = ':';
    for (size_t i = 0; i < n; i++) {
        bool flag = rows[i].type == OPTIONS_FLAG;
        out->options[i] = (struct option){rows[i].name, flag ? no_argument : required_argument,
                                          NULL, ROW_FIRST + (int)i};
        if (rows[i].letter == '\0')
            continue;
        out->text[used++] = rows[i].letter;
        if (!flag)
            out->text[used++] = ':';
    }
    out->text[used++] = 'h';
    out->text[used] = '\0';
    out->options[n] = (struct option){"help", no_argument, NULL, 'h'};
    out->options[n + 1] = (struct option){NULL, 0, NULL, 0};
}

static const struct options_row *find(const struct options_row *rows, size_t n, int c)
{
    if (c >= ROW_FIRST)
        return &rows[c - ROW_FIRST];
    for (size_t i = 0; i < n; i++) {
        if (rows[i].letter == c && c != '\0')
            return &rows[i];
    }
    return NULL;
}

int options_read(const char *verb, const char *help, const struct options_row *rows, size_t n,
                 int argc, char **argv)
{
    struct letters letters;
    struct atl_error err;
    n = n < OPTIONS_ROWS_MAX ? n : OPTIONS_ROWS_MAX;
    describe(rows, n, &letters);
    opterr = 0;
    optind = 0; /* glibc: from the beginning, whatever was read before */
    for (int c; (c = getopt_long(argc, argv, letters.text, letters.options, NULL)) != -1;) {
        if (c == 'h') {
            fputs(help, stdout);
            return EXIT_OK;
        }
        const struct options_row *row = find(rows, n, c);
        if (row == NULL)
            return refuse(verb, c, argv, letters.options);
        int r = take_value(row, optarg, &err);
        if (r != 0)
            return r < 0 ? options_usage(verb, "%s", err.text) : r;
    }
    return OPTIONS_GO_ON;
}
