/* SPDX-License-Identifier: Apache-2.0 */
/* What reading a configuration file (config.c), judging it as a whole (config_check.c) and telling
 * of its mistakes (config_report.c) share. */
#ifndef CONFIG_FILE_PRIV_H
#define CONFIG_FILE_PRIV_H

#include "app/config_priv.h"

#define CONFIG_KEYS_MAX 192

struct config_place {
    uint32_t line, column; /* from 1; 0 = nowhere in the file */
};

static const struct config_place config_nowhere = {0, 0};

/** Where the file gives each key, in the order of config_keys(). */
struct config_places {
    struct config_place at[CONFIG_KEYS_MAX];
};

/** One more mistake. */
void config_problem(struct config_report *report, struct config_place at, const char *fmt, ...)
    ATL_PRINTF(3, 4);

/** What no value alone can tell. For a file whose values are all good. */
void config_check_sense(const struct config *cfg, const struct config_places *places,
                        struct config_report *report);

#endif
