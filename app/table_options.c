/* SPDX-License-Identifier: Apache-2.0 */
#include "app/table_options_priv.h"

#include "app/app_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void report(void *ctx, const char *what, double share)
{
    progress_report(&((struct table_options *)ctx)->progress, what, share);
}

static void note(void *ctx, const char *line)
{
    struct table_options *options = ctx;
    progress_end(&options->progress);
    fprintf(stderr, "atalaya %s: note: %s\n", options->verb, line);
}

void table_options_init(struct table_options *options, const char *verb)
{
    *options = (struct table_options){.verb = verb};
    options->cfg = (struct learn_table_config){.header = true,
                                               .normal = options->normal,
                                               .drop = options->drop,
                                               .seed = 1,
                                               .progress = report,
                                               .note = note,
                                               .ctx = options};
    progress_begin(&options->progress);
}

void table_options_finish(struct table_options *options)
{
    progress_end(&options->progress);
    for (uint32_t i = 0; i < options->n_lists; i++)
        free(options->drop_words[i]);
}

static int add_drops(struct table_options *options, const char *list)
{
    if (options->n_lists == TABLE_DROP_MAX)
        return options_usage(options->verb, "--drop: at most %d times", TABLE_DROP_MAX), -1;
    char *copy = strdup(list), *rest = copy;
    if (copy == NULL)
        return options_usage(options->verb, "--drop: out of memory"), -1;
    options->drop_words[options->n_lists++] = copy;
    for (char *word; (word = strsep(&rest, ",")) != NULL;) {
        if (*word == '\0')
            continue;
        if (options->cfg.n_drop == TABLE_DROP_MAX)
            return options_usage(options->verb, "--drop: at most %d columns", TABLE_DROP_MAX), -1;
        options->drop[options->cfg.n_drop++] = word;
    }
    return 0;
}

int table_options_take(struct table_options *options, int c, const char *value)
{
    switch (c) {
    case TABLE_CSV:
        options->csv = value;
        return 0;
    case TABLE_BARE:
        options->cfg.header = false;
        return 0;
    case TABLE_LABEL:
        options->cfg.label = value;
        return 0;
    case TABLE_NORMAL:
        if (options->cfg.n_normal == TABLE_NORMAL_MAX)
            return options_usage(options->verb, "--normal: at most %d times", TABLE_NORMAL_MAX), -1;
        options->normal[options->cfg.n_normal++] = value;
        return 0;
    case TABLE_DROP:
        return add_drops(options, value);
    default:
        return 1;
    }
}
