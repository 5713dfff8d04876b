/* SPDX-License-Identifier: Apache-2.0 */
/* Every view's columns, from the tables that the code itself uses. */
#ifndef SCHEMA_PRINT_PRIV_H
#define SCHEMA_PRINT_PRIV_H

#include <stdbool.h>
#include <stdio.h>

/** @return 0, or -1: `out` could not be written */
int schema_print(bool json, FILE *out);

#endif
