/* SPDX-License-Identifier: Apache-2.0 */
#include "features/text_priv.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void feat_text_begin(struct feat_text *t, char *out, size_t room)
{
    *t = (struct feat_text){out, room, 0};
    if (room > 0)
        out[0] = '\0';
}

void feat_text_bytes(struct feat_text *t, const char *bytes, size_t n)
{
    if (t->length < t->room) {
        size_t left = t->room - t->length - 1, take = n < left ? n : left;
        memcpy(t->out + t->length, bytes, take);
        t->out[t->length + take] = '\0';
    }
    t->length += n;
}

void feat_text_put(struct feat_text *t, const char *text)
{
    feat_text_bytes(t, text, strlen(text));
}

void feat_text_char(struct feat_text *t, char c)
{
    feat_text_bytes(t, &c, 1);
}

/* @return where the digits of n begin, right before end */
static char *digits_of(uint64_t n, char *end)
{
    do {
        *--end = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    return end;
}

void feat_text_u64(struct feat_text *t, uint64_t n)
{
    char room[20]; /* 2^64 - 1 has 20 digits */
    char *begin = digits_of(n, room + sizeof(room));
    feat_text_bytes(t, begin, (size_t)(room + sizeof(room) - begin));
}

void feat_text_time(struct feat_text *t, atl_ns ns)
{
    char fraction[10] = ".000000000";
    digits_of(ns % ATL_NS_PER_S, fraction + sizeof(fraction));
    feat_text_u64(t, ns / ATL_NS_PER_S);
    feat_text_bytes(t, fraction, sizeof(fraction));
}

/* Powers of ten that a double holds exactly, up to what 15 digits below 1e-4 need. */
static const double tens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,
                              1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19};

/*
 * 1e-4 ≤ v < 10^digits ≤ 1e15: scaled to a whole number of that many digits, whose division by a
 * power of ten is the text. printf's exact conversion costs five times as much, and a record has
 * forty numbers.
 */
static void put_decimal(struct feat_text *t, double v, int digits)
{
    int whole = -3; /* digits before the point; ≤ 0 counts zeros behind it */
    while (whole < digits && v >= (whole > 0 ? tens[whole] : 1 / tens[-whole]))
        whole++;
    int decimals = digits - whole;
    uint64_t scaled = (uint64_t)llround(v * tens[decimals]);
    for (; decimals > 0 && scaled % 10 == 0; decimals--)
        scaled /= 10;

    char room[24];
    char *end = room + sizeof(room), *begin = digits_of(scaled, end);
    while (end - begin <= decimals)
        *--begin = '0';
    size_t head = (size_t)(end - begin) - (size_t)decimals;
    feat_text_bytes(t, begin, head);
    if (decimals > 0) {
        feat_text_char(t, '.');
        feat_text_bytes(t, begin + head, (size_t)decimals);
    }
}

void feat_text_number(struct feat_text *t, double v, int digits)
{
    double size = fabs(v);
    if (v == 0 || (size >= 1e-4 && size < tens[digits])) {
        if (v < 0)
            feat_text_char(t, '-');
        if (size == floor(size))
            feat_text_u64(t, (uint64_t)size);
        else
            put_decimal(t, size, digits);
        return;
    }
    char room[32];
    snprintf(room, sizeof(room), "%.*g", digits, v);
    feat_text_put(t, room);
}
