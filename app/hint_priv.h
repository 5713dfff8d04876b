/* SPDX-License-Identifier: Apache-2.0 */
/* A guess in words at what an anomalous host window looks like. Always labelled a hint. */
#ifndef HINT_PRIV_H
#define HINT_PRIV_H

#include "features/features.h"

#define HINT_BASIS_MAX 3

struct hint {
    const char *kind; /* "horizontal_scan" */
    const char *sentence;
    const char *technique;             /* ATT&CK id or "" */
    const char *basis[HINT_BASIS_MAX]; /* columns that the rule looks at, NULL beyond them */
};

/** The first rule that fits the row; a row that fits none is an "anomaly". Never NULL. */
const struct hint *hint_for_host(const struct feat_host_row *row);

#endif
