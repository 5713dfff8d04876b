/* SPDX-License-Identifier: Apache-2.0 */
/* The options of `train` and `score` that say how to read a CSV file. */
#ifndef TABLE_OPTIONS_PRIV_H
#define TABLE_OPTIONS_PRIV_H

#include "app/options_priv.h"
#include "app/progress_priv.h"
#include "learner/learner.h"

#define TABLE_NORMAL_MAX 16
#define TABLE_DROP_MAX   512

/** The first rows of the table that options_read gets. */
#define TABLE_OPTIONS(t)                                                            \
    {"csv", 0, OPTIONS_TEXT, .text = &(t)->csv},                                    \
        {"no-header", 0, OPTIONS_FLAG, .flag = &(t)->bare},                         \
        {"label", 0, OPTIONS_TEXT, .text = &(t)->cfg.label},                        \
        {"normal", 0, OPTIONS_TAKE, .ctx = (t), .take = table_options_take_normal}, \
    {                                                                               \
        "drop", 0, OPTIONS_TAKE, .ctx = (t), .take = table_options_take_drops       \
    }

struct table_options {
    const char *csv;
    bool bare; /* no header */
    struct learn_table_config cfg;
    const char *normal[TABLE_NORMAL_MAX];
    const char *drop[TABLE_DROP_MAX];
    char *drop_words[TABLE_DROP_MAX]; /* owned copies of the lists given */
    uint32_t n_lists;
    struct progress progress;
    const char *verb;
};

void table_options_init(struct table_options *options, const char *verb);
void table_options_finish(struct table_options *options);
int table_options_take_normal(void *options, const char *value, struct atl_error *err);
int table_options_take_drops(void *options, const char *list, struct atl_error *err);
/**
 * Read the whole line; it has --csv and no words besides options.
 * @return OPTIONS_GO_ON, or the verb's exit code
 */
int table_options_read(struct table_options *options, const char *help,
                       const struct options_row *rows, size_t n, int argc, char **argv);

#endif
