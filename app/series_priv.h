/* SPDX-License-Identifier: Apache-2.0 */
/* One series as CSV: `timestamp,value`, row by row. */
#ifndef SERIES_PRIV_H
#define SERIES_PRIV_H

#include "base/base.h"

#include <stdio.h>

#define SERIES_LINE_BYTES 1024

struct series_row {
    const char *stamp, *number; /* as written, without quotes; valid until the next row */
    double at_s;                /* Unix time */
    int32_t offset_s;           /* local time - UTC, from an RFC 3339 offset; else 0 */
    double value;               /* NAN = empty */
};

struct series_reader {
    FILE *stream;
    const char *name; /* for errors */
    uint64_t line;
    char text[SERIES_LINE_BYTES];
};

/** @return 1 with a row, 0 at the end, -EINVAL or -EIO with a line in *err */
int series_read(struct series_reader *reader, struct series_row *ret_row, struct atl_error *err);

/**
 * RFC 3339, `YYYY-MM-DD hh:mm:ss` (taken as it stands) or Unix seconds.
 * @return 0, -EINVAL
 */
int series_stamp_parse(const char *text, double *ret_at_s, int32_t *ret_offset_s);

#endif
