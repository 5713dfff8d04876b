/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Command lines: every option of a verb is one row of a table, so that all verbs read, refuse and
 * suggest alike.
 */
#ifndef OPTIONS_PRIV_H
#define OPTIONS_PRIV_H

#include "base/base.h"

#include <getopt.h> /* optind */

enum options_type {
    OPTIONS_FLAG,    /* no value; *flag becomes true */
    OPTIONS_TEXT,    /* *text points into argv */
    OPTIONS_COUNT,   /* *count, a whole number min … max */
    OPTIONS_COUNT32, /* *count32, the same */
    OPTIONS_NUMBER,  /* *number, finite, min … max; both 0: any */
    OPTIONS_CHOICE,  /* *choice, an index into the NULL-terminated `choices` */
    OPTIONS_TAKE,    /* take(ctx, value) */
};

/** @return 0; -errno with a line in *err; or an exit code when the line is already told */
typedef int (*options_take_fn)(void *ctx, const char *value, struct atl_error *err);

struct options_row {
    const char *name; /* without its dashes */
    char letter;      /* 0: none */
    enum options_type type;
    union {
        bool *flag;
        const char **text;
        uint64_t *count;
        uint32_t *count32;
        double *number;
        int *choice;
        void *ctx;
    };
    double min, max;
    const char *const *choices;
    options_take_fn take;
    bool *given; /* set when the option is there; NULL: nobody asks */
};

#define OPTIONS_ROWS_MAX 32
#define OPTIONS_GO_ON    (-1)

/**
 * Read a command line from its beginning; -h and --help need no row. The words that are no options
 * stand from argv[optind] on, in their order.
 *
 * @return OPTIONS_GO_ON, or the verb's exit code: the help is printed, or one line says what is
 *         wrong
 */
int options_read(const char *verb, const char *help, const struct options_row *rows, size_t n,
                 int argc, char **argv);

/** For a verb that takes options only. @return OPTIONS_GO_ON, or EXIT_USAGE after one line */
int options_no_words(const char *verb, int argc, char **argv);

/** `atalaya VERB: text (atalaya VERB --help)` on stderr. @return EXIT_USAGE */
int options_usage(const char *verb, const char *fmt, ...) ATL_PRINTF(2, 3);

#endif
