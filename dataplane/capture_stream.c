/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/capture_stream_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

enum { CHUNK_BYTES = 64 * 1024, WAIT_MS = 50 };

/* From a descriptor, through zlib if the first bytes say gzip. */
struct dp_stream {
    int fd;
    struct dp_source *source;
    bool gzip, ended;
    z_stream z;
    uint64_t taken;    /* from the descriptor */
    uint32_t at, have; /* unread part of chunk */
    uint32_t peeked_at, peeked_have;
    uint8_t peeked[DP_PEEK_MAX]; /* unread, before all else */
    uint8_t chunk[CHUNK_BYTES];
};

/* A pipe may stay silent for long: wait in slices, so that a cancel is heard and the beat moves. */
static bool wait_readable(struct dp_stream *s)
{
    for (;;) {
        if (atomic_load_explicit(&s->source->cancelled, memory_order_relaxed))
            return false;
        atl_counter_add(&s->source->beat, 1);
        struct pollfd p = {.fd = s->fd, .events = POLLIN};
        int n = poll(&p, 1, WAIT_MS);
        if (n > 0)
            return true;
        if (n < 0 && errno != EINTR)
            return false;
    }
}

/* @return 0 at the end of the file or when cancelled, -1 on an error (errno) */
static ssize_t take(struct dp_stream *s, void *out, size_t bytes)
{
    errno = 0;
    if (!wait_readable(s))
        return errno != 0 ? -1 : 0;
    ssize_t n = read(s->fd, out, bytes);
    if (n < 0)
        return -1;
    errno = 0; /* poll may have been interrupted before */
    s->taken += (uint64_t)n;
    return n;
}

/* @return false at the end of the file, on an error (errno) or when cancelled */
static bool fill(struct dp_stream *s)
{
    if (s->at < s->have)
        return true;
    ssize_t n = take(s, s->chunk, sizeof(s->chunk));
    if (n <= 0)
        return false;
    s->at = 0;
    s->have = (uint32_t)n;
    return true;
}

static ssize_t read_plain(struct dp_stream *s, uint8_t *out, size_t bytes)
{
    if (s->at == s->have && bytes >= CHUNK_BYTES)
        return take(s, out, bytes);
    if (!fill(s))
        return errno != 0 ? -1 : 0;
    size_t n = s->have - s->at < bytes ? s->have - s->at : bytes;
    memcpy(out, s->chunk + s->at, n);
    s->at += (uint32_t)n;
    return (ssize_t)n;
}

/* A gzip file may be several members in a row (RFC 1952 §2.2). */
static bool next_member(struct dp_stream *s)
{
    if (!fill(s))
        return false;
    s->ended = false;
    return inflateReset(&s->z) == Z_OK;
}

static ssize_t read_gzip(struct dp_stream *s, uint8_t *out, size_t bytes)
{
    s->z.next_out = out;
    s->z.avail_out = (uInt)bytes;
    while (s->z.avail_out == (uInt)bytes) {
        if (s->ended && !next_member(s))
            break;
        if (!fill(s)) {
            /* The end before the trailer: the file was cut. */
            errno = EIO;
            return -1;
        }
        s->z.next_in = s->chunk + s->at;
        s->z.avail_in = s->have - s->at;
        int r = inflate(&s->z, Z_NO_FLUSH);
        s->at = s->have - s->z.avail_in;
        s->ended = r == Z_STREAM_END;
        if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR) {
            errno = EIO;
            return -1;
        }
    }
    return (ssize_t)(bytes - s->z.avail_out);
}

static ssize_t read_peeked(struct dp_stream *s, uint8_t *out, size_t bytes)
{
    size_t n = s->peeked_have - s->peeked_at < bytes ? s->peeked_have - s->peeked_at : bytes;
    memcpy(out, s->peeked + s->peeked_at, n);
    s->peeked_at += (uint32_t)n;
    return (ssize_t)n;
}

ssize_t dp_stream_read(struct dp_stream *s, uint8_t *out, size_t bytes)
{
    if (s->peeked_at < s->peeked_have)
        return read_peeked(s, out, bytes);
    return s->gzip ? read_gzip(s, out, bytes) : read_plain(s, out, bytes);
}

uint32_t dp_stream_peek(struct dp_stream *s, const uint8_t **ret_bytes)
{
    ssize_t n = 1;
    while (n > 0 && s->peeked_have < DP_PEEK_MAX) {
        uint8_t *at = s->peeked + s->peeked_have;
        size_t room = DP_PEEK_MAX - s->peeked_have;
        n = s->gzip ? read_gzip(s, at, room) : read_plain(s, at, room);
        s->peeked_have += n > 0 ? (uint32_t)n : 0;
    }
    *ret_bytes = s->peeked;
    return s->peeked_have;
}

void dp_stream_close(struct dp_stream *s)
{
    if (s == NULL)
        return;
    if (s->gzip)
        inflateEnd(&s->z);
    close(s->fd);
    free(s);
}

/* --- as libpcap wants it --- */

static ssize_t cookie_read(void *cookie, char *out, size_t bytes)
{
    return dp_stream_read(cookie, (uint8_t *)out, bytes < CHUNK_BYTES ? bytes : CHUNK_BYTES);
}

static int cookie_close(void *cookie)
{
    dp_stream_close(cookie);
    return 0;
}

/* A plain file needs none of this: hand it over as it is, and save a copy of every byte. */
static FILE *unwrap(struct dp_stream *s)
{
    if (s->gzip || lseek(s->fd, -(off_t)s->taken, SEEK_CUR) < 0)
        return NULL;
    s->taken = 0;
    s->at = s->have = 0;
    s->peeked_at = s->peeked_have = 0;
    FILE *file = fdopen(s->fd, "r");
    if (file != NULL)
        free(s);
    return file;
}

FILE *dp_stream_file(struct dp_stream *s)
{
    FILE *file = unwrap(s);
    cookie_io_functions_t io = {.read = cookie_read, .close = cookie_close};
    if (file == NULL)
        file = fopencookie(s, "r", io);
    if (file == NULL)
        dp_stream_close(s);
    return file;
}

/* --- opening --- */

static bool begin(struct dp_stream *s)
{
    fill(s);
    bool gzip = s->have >= 2 && s->chunk[0] == 0x1f && s->chunk[1] == 0x8b;
    /* 16: a gzip header and trailer, with their check sum. */
    s->gzip = gzip && inflateInit2(&s->z, MAX_WBITS + 16) == Z_OK;
    return s->gzip == gzip;
}

int dp_stream_open(struct dp_stream **ret_stream, struct dp_source *source, const char *path,
                   struct atl_error *err)
{
    bool standard = strcmp(path, "-") == 0;
    int fd = standard ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        int code = errno == ENOENT || errno == EACCES || errno == EPERM ? -errno : -EIO;
        return atl_error_set(err, code == -EACCES ? -EPERM : code,
                             "%s: cannot open the capture file: %s", path, strerror(errno));
    }
    struct dp_stream *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        close(fd);
        return atl_error_set(err, -ENOMEM, "%s: out of memory", path);
    }
    s->fd = fd;
    s->source = source;
    if (!begin(s)) {
        dp_stream_close(s);
        return atl_error_set(err, -ENOMEM, "%s: out of memory", path);
    }
    *ret_stream = s;
    return 0;
}
