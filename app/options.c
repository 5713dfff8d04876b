/* SPDX-License-Identifier: Apache-2.0 */
#include "app/app_priv.h"
#include "app/options_priv.h"

#include <stdio.h>
#include <string.h>

#define OPTIONS_MAX 32

int options_refuse(const char *verb, int returned, char *const *argv, const struct option *options)
{
    const char *word = argv[optind - 1];
    if (returned == ':')
        return options_usage(verb, "%s needs a value", word);
    const char *names[OPTIONS_MAX];
    size_t n = 0;
    for (; options[n].name != NULL && n < OPTIONS_MAX; n++)
        names[n] = options[n].name;
    const char *near = strncmp(word, "--", 2) == 0 ? atl_nearest(word + 2, names, n) : NULL;
    return options_usage(verb, "unknown option %s%s%s%s", word,
                         near != NULL ? "; did you mean --" : "", near != NULL ? near : "",
                         near != NULL ? "?" : "");
}

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

int options_choice(const char *verb, const char *option, const char *word,
                   const char *const *choices)
{
    char list[160] = "";
    size_t n = 0, used = 0;
    for (; choices[n] != NULL && used < sizeof(list); n++) {
        if (strcmp(word, choices[n]) == 0)
            return (int)n;
        used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", n > 0 ? ", " : "",
                                 choices[n]);
    }
    options_usage(verb, "%s: expected one of %s, found '%s'", option, list, word);
    return -1;
}
