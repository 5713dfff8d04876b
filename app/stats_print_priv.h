/* SPDX-License-Identifier: Apache-2.0 */
/* The part of `atalaya stats` that names what was counted and says what it is. */
#ifndef STATS_PRINT_PRIV_H
#define STATS_PRINT_PRIV_H

#include <jansson.h>

/** Encapsulations, fallbacks and the telecom control plane, each only if anything was seen. */
void stats_print_headers(const json_t *doc);

#endif
