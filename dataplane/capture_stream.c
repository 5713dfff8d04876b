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

/* From a descriptor, through zlib if the first bytes say gzip, to the FILE that libpcap reads. */
struct stream {
    int fd;
    struct dp_source *source;
    bool gzip, ended;
    z_stream z;
    uint32_t at, have; /* unread part of chunk */
    uint8_t chunk[CHUNK_BYTES];
};

/* A pipe may stay silent for long: wait in slices, so that a cancel is heard and the beat moves. */
static bool wait_readable(struct stream *s)
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

/* @return false at the end of the file, on an error (errno) or when cancelled */
static bool fill(struct stream *s)
{
    if (s->at < s->have)
        return true;
    errno = 0;
    if (!wait_readable(s))
        return false;
    ssize_t n = read(s->fd, s->chunk, sizeof(s->chunk));
    if (n <= 0)
        return false;
    s->at = 0;
    s->have = (uint32_t)n;
    return true;
}

static ssize_t read_plain(struct stream *s, char *out, size_t bytes)
{
    if (!fill(s))
        return errno != 0 ? -1 : 0;
    size_t n = s->have - s->at < bytes ? s->have - s->at : bytes;
    memcpy(out, s->chunk + s->at, n);
    s->at += (uint32_t)n;
    return (ssize_t)n;
}

/* A gzip file may be several members in a row (RFC 1952 §2.2). */
static bool next_member(struct stream *s)
{
    s->ended = false;
    return fill(s) && inflateReset(&s->z) == Z_OK;
}

static ssize_t read_gzip(struct stream *s, char *out, size_t bytes)
{
    s->z.next_out = (Bytef *)out;
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

static ssize_t stream_read(void *cookie, char *out, size_t bytes)
{
    struct stream *s = cookie;
    if (bytes > CHUNK_BYTES)
        bytes = CHUNK_BYTES;
    return s->gzip ? read_gzip(s, out, bytes) : read_plain(s, out, bytes);
}

static int stream_close(void *cookie)
{
    struct stream *s = cookie;
    if (s->gzip)
        inflateEnd(&s->z);
    close(s->fd);
    free(s);
    return 0;
}

static bool begin(struct stream *s)
{
    fill(s);
    s->gzip = s->have >= 2 && s->chunk[0] == 0x1f && s->chunk[1] == 0x8b;
    /* 16: a gzip header and trailer, with their check sum. */
    return !s->gzip || inflateInit2(&s->z, MAX_WBITS + 16) == Z_OK;
}

/* A plain file needs none of this: hand it over as it is, and save a copy of every byte. */
static FILE *unwrap(struct stream *s)
{
    if (lseek(s->fd, -(off_t)s->have, SEEK_CUR) < 0)
        return NULL;
    s->at = 0;
    s->have = 0;
    FILE *file = fdopen(s->fd, "r");
    if (file != NULL)
        free(s);
    return file;
}

static FILE *wrap(struct stream *s)
{
    FILE *file = s->gzip ? NULL : unwrap(s);
    if (file != NULL)
        return file;
    cookie_io_functions_t io = {.read = stream_read, .close = stream_close};
    return fopencookie(s, "r", io);
}

int dp_stream_open(FILE **ret_file, struct dp_source *source, const char *path,
                   struct atl_error *err)
{
    bool standard = strcmp(path, "-") == 0;
    int fd = standard ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        int code = errno == ENOENT || errno == EACCES || errno == EPERM ? -errno : -EIO;
        return atl_error_set(err, code == -EACCES ? -EPERM : code,
                             "%s: cannot open the capture file: %s", path, strerror(errno));
    }
    struct stream *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        close(fd);
        return atl_error_set(err, -ENOMEM, "%s: out of memory", path);
    }
    s->fd = fd;
    s->source = source;
    FILE *file = begin(s) ? wrap(s) : NULL;
    if (file == NULL) {
        stream_close(s);
        return atl_error_set(err, -ENOMEM, "%s: out of memory", path);
    }
    *ret_file = file;
    return 0;
}
