/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ALERT_TEXT_PRIV_H
#define ALERT_TEXT_PRIV_H

#include "base/base.h"

/** Holds any text of a signal after cleaning: each byte may become three. */
#define ALERT_TEXT_BYTES (3 * 160 + 1)

/**
 * Copy as valid UTF-8 without control characters: what is not becomes U+FFFD. Cut at a character's
 * edge when it does not fit.
 */
void alert_text_clean(char *out, size_t out_bytes, const char *text);
/** NaN becomes `otherwise`, the rest is moved into low … high. */
double alert_number_clamp(double x, double low, double high, double otherwise);

#endif
