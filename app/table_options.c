/* SPDX-License-Identifier: Apache-2.0 */
#include "app/table_options_priv.h"

#include "app/app_priv.h"

#include <errno.h>
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
    options->cfg = (struct learn_table_config){.normal = options->normal,
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

int table_options_take_normal(void *ctx, const char *value, struct atl_error *err)
{
    struct table_options *options = ctx;
    if (options->cfg.n_normal == TABLE_NORMAL_MAX)
        return atl_error_set(err, -EINVAL, "--normal: at most %d times", TABLE_NORMAL_MAX);
    options->normal[options->cfg.n_normal++] = value;
    return 0;
}

int table_options_take_drops(void *ctx, const char *list, struct atl_error *err)
{
    struct table_options *options = ctx;
    if (options->n_lists == TABLE_DROP_MAX)
        return atl_error_set(err, -EINVAL, "--drop: at most %d times", TABLE_DROP_MAX);
    char *copy = strdup(list), *rest = copy;
    if (copy == NULL)
        return atl_error_set(err, -ENOMEM, "--drop: out of memory");
    options->drop_words[options->n_lists++] = copy;
    for (char *word; (word = strsep(&rest, ",")) != NULL;) {
        if (*word == '\0')
            continue;
        if (options->cfg.n_drop == TABLE_DROP_MAX)
            return atl_error_set(err, -EINVAL, "--drop: at most %d columns", TABLE_DROP_MAX);
        options->drop[options->cfg.n_drop++] = word;
    }
    return 0;
}

int table_options_read(struct table_options *options, const char *help,
                       const struct options_row *rows, size_t n, int argc, char **argv)
{
    int code = options_read(options->verb, help, rows, n, argc, argv);
    if (code == OPTIONS_GO_ON)
        code = options_no_words(options->verb, argc, argv);
    if (code == OPTIONS_GO_ON && options->csv == NULL)
        code = options_usage(options->verb, "--csv is missing");
    options->cfg.header = !options->bare;
    return code;
}
