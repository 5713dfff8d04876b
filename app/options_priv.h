/* SPDX-License-Identifier: Apache-2.0 */
/* What the verbs' command lines have in common. */
#ifndef OPTIONS_PRIV_H
#define OPTIONS_PRIV_H

#include <getopt.h>
#include <stddef.h>

/**
 * One clear line about a bad option after getopt_long returned '?' or ':', with the nearest option.
 * The verb sets opterr = 0 and starts its short options with ':'.
 * @return EXIT_USAGE
 */
int options_refuse(const char *verb, int returned, char *const *argv, const struct option *options);

/** `atalaya VERB: text` on stderr. @return EXIT_USAGE */
int options_usage(const char *verb, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** The index of a word in a NULL-terminated list, or -1 after one clear line. */
int options_choice(const char *verb, const char *option, const char *word,
                   const char *const *choices);

#endif
