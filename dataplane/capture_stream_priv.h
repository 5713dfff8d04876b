/* SPDX-License-Identifier: Apache-2.0 */
/* capture_stream: a capture file's bytes, from a path or standard input, unpacked on the way. */
#ifndef DP_CAPTURE_STREAM_PRIV_H
#define DP_CAPTURE_STREAM_PRIV_H

#include <stdio.h>
#include <sys/types.h>

#include "dataplane/source_priv.h"

/** How far one can look ahead. */
#define DP_PEEK_MAX 24

struct dp_stream;

/**
 * gzip is recognised by its first bytes. Reading waits for a silent pipe until source->cancelled.
 * @param path  "-" is standard input
 * @return 0, -ENOENT, -EPERM, -EIO, -ENOMEM
 */
int dp_stream_open(struct dp_stream **ret_stream, struct dp_source *source, const char *path,
                   struct atl_error *err);
void dp_stream_close(struct dp_stream *stream); /* NULL is fine */

/** @return how many bytes came, 0 at the end or when cancelled, -1 on an error (errno) */
ssize_t dp_stream_read(struct dp_stream *stream, uint8_t *out, size_t bytes);

/** The first bytes, which stay to be read. Only before the first read. @return how many */
uint32_t dp_stream_peek(struct dp_stream *stream, const uint8_t **ret_bytes);

/** Turn a stream that was at most peeked at into a FILE, which owns it. @return NULL: no memory */
FILE *dp_stream_file(struct dp_stream *stream);

#endif
