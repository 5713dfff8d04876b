/* SPDX-License-Identifier: Apache-2.0 */
/* A result file that appears under its name only when everything is in it; or standard output. */
#ifndef OUTFILE_PRIV_H
#define OUTFILE_PRIV_H

#include "base/base.h"

#include <limits.h>
#include <stdio.h>

struct outfile {
    FILE *stream;
    const char *path; /* NULL = standard output */
    bool direct;      /* standard output, a device or a pipe: nothing to rename */
    char part[PATH_MAX];
};

/**
 * Can a file be made or replaced there? To be asked before work that would be lost.
 * @return 0 or negative errno with a line in *err
 */
int outfile_check(const char *path, struct atl_error *err);
/** @param path  borrowed until close; NULL = standard output */
int outfile_open(struct outfile *out, const char *path, struct atl_error *err);
/** Flush, sync and give the file its name. @return 0, -EIO … with a line in *err; nothing is left
 * then */
int outfile_close(struct outfile *out, struct atl_error *err);
/** Leave nothing behind. */
void outfile_discard(struct outfile *out);

#endif
