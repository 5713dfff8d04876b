/* SPDX-License-Identifier: Apache-2.0 */
/* Text that grows in a caller's buffer; counts on when it is full, as snprintf does. */
#ifndef FEAT_TEXT_PRIV_H
#define FEAT_TEXT_PRIV_H

#include "base/base.h"

struct feat_text {
    char *out;
    size_t room, length; /* length may pass room; out is terminated when room > 0 */
};

void feat_text_begin(struct feat_text *t, char *out, size_t room);
void feat_text_bytes(struct feat_text *t, const char *bytes, size_t n);
void feat_text_put(struct feat_text *t, const char *text);
void feat_text_char(struct feat_text *t, char c);
void feat_text_u64(struct feat_text *t, uint64_t n);
/** As %.*g, digits 1 … 15. Finite values only. */
void feat_text_number(struct feat_text *t, double v, int digits);
/** Unix seconds with nine decimals. */
void feat_text_time(struct feat_text *t, atl_ns ns);

#endif
