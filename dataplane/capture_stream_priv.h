/* SPDX-License-Identifier: Apache-2.0 */
/* capture_stream: a capture file's bytes, from a path or standard input, unpacked on the way. */
#ifndef DP_CAPTURE_STREAM_PRIV_H
#define DP_CAPTURE_STREAM_PRIV_H

#include <stdio.h>

#include "dataplane/source_priv.h"

/**
 * gzip is recognised by its first bytes. Reading waits for a silent pipe until source->cancelled.
 * @param path  "-" is standard input
 * @return 0, -ENOENT, -EPERM, -EIO, -ENOMEM; *ret_file is the caller's to fclose
 */
int dp_stream_open(FILE **ret_file, struct dp_source *source, const char *path,
                   struct atl_error *err);

#endif
