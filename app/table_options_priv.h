/* SPDX-License-Identifier: Apache-2.0 */
/* The options of `train` and `score` that say how to read a CSV file. */
#ifndef TABLE_OPTIONS_PRIV_H
#define TABLE_OPTIONS_PRIV_H

#include "app/options_priv.h"
#include "app/progress_priv.h"
#include "learner/learner.h"

#define TABLE_NORMAL_MAX 16
#define TABLE_DROP_MAX   512

enum { TABLE_CSV = 'c', TABLE_LABEL = 'l', TABLE_NORMAL = 'n', TABLE_DROP = 'd', TABLE_BARE = 'H' };

#define TABLE_OPTIONS                                                                          \
    {"csv", required_argument, NULL, TABLE_CSV}, {"no-header", no_argument, NULL, TABLE_BARE}, \
        {"label", required_argument, NULL, TABLE_LABEL},                                       \
        {"normal", required_argument, NULL, TABLE_NORMAL},                                     \
    {                                                                                          \
        "drop", required_argument, NULL, TABLE_DROP                                            \
    }

struct table_options {
    const char *csv;
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
/** @return 0 when taken, 1 when it is none of these, EXIT_USAGE after one clear line is -1 */
int table_options_take(struct table_options *options, int c, const char *value);

#endif
