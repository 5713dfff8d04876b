/* SPDX-License-Identifier: Apache-2.0 */
#include "alerts/text_priv.h"

#include <math.h>
#include <string.h>

/*
 * Length of the well-formed UTF-8 sequence at s (Unicode 15, table 3-7), or 0 when there is none
 * or it is a control character (C0, DEL, C1: a terminal would obey them).
 * s is NUL-terminated and NUL continues no sequence, so reading never passes the end.
 */
static size_t sequence(const unsigned char *s)
{
    static const struct {
        unsigned char first, last, low, high; /* of the lead byte; of the second byte */
        size_t bytes;
    } rows[] = {
        {0x20, 0x7e, 0, 0, 1},       {0xc2, 0xc2, 0xa0, 0xbf, 2}, {0xc3, 0xdf, 0x80, 0xbf, 2},
        {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3},
        {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4},
        {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    for (size_t r = 0; r < ATL_ARRAY_LEN(rows); r++) {
        if (s[0] < rows[r].first || s[0] > rows[r].last)
            continue;
        if (rows[r].bytes > 1 && (s[1] < rows[r].low || s[1] > rows[r].high))
            return 0;
        for (size_t i = 2; i < rows[r].bytes; i++) {
            if ((s[i] & 0xc0) != 0x80)
                return 0;
        }
        return rows[r].bytes;
    }
    return 0;
}

void alert_text_clean(char *out, size_t out_bytes, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t used = 0;
    while (*at != '\0') {
        size_t n = sequence(at);
        const char *piece = n > 0 ? (const char *)at : "\xef\xbf\xbd";
        size_t bytes = n > 0 ? n : 3;
        if (used + bytes >= out_bytes)
            break;
        memcpy(out + used, piece, bytes);
        used += bytes;
        at += n > 0 ? n : 1;
    }
    out[used] = '\0';
}

double alert_number_clamp(double x, double low, double high, double otherwise)
{
    if (isnan(x))
        return otherwise;
    return x < low ? low : x > high ? high : x;
}
