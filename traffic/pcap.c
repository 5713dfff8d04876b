/* SPDX-License-Identifier: Apache-2.0 */
#include "traffic/traffic.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER_BYTES (1u << 20)

struct writer {
    int fd;
    uint32_t used;
    uint8_t buffer[BUFFER_BYTES];
};

static int flush(struct writer *w)
{
    uint32_t at = 0;
    while (at < w->used) {
        ssize_t n = write(w->fd, w->buffer + at, w->used - at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        at += (uint32_t)n;
    }
    w->used = 0;
    return 0;
}

static int put(struct writer *w, const void *data, uint32_t bytes)
{
    if (w->used + bytes > BUFFER_BYTES) {
        int r = flush(w);
        if (r < 0)
            return r;
    }
    memcpy(w->buffer + w->used, data, bytes);
    w->used += bytes;
    return 0;
}

static int put_packet(void *ctx, const struct traf_packet *packet)
{
    const uint32_t head[4] = {(uint32_t)(packet->time_ns / ATL_NS_PER_S),
                              (uint32_t)(packet->time_ns % ATL_NS_PER_S), packet->captured_bytes,
                              packet->wire_bytes};
    int r = put(ctx, head, sizeof(head));
    return r < 0 ? r : put(ctx, packet->data, packet->captured_bytes);
}

static int put_all(struct writer *w, const struct traf_config *cfg,
                   struct traf_summary *ret_summary, struct atl_error *err)
{
    /* magic (native order, nanoseconds), version 2.4, zone, accuracy, captured length, Ethernet */
    const uint32_t head[6] = {0xa1b23c4d, 4u << 16 | 2, 0, 0, cfg->snap_bytes, 1};
    int r = put(w, head, sizeof(head));
    if (r == 0)
        r = traf_run(cfg, put_packet, w, ret_summary, err);
    return r < 0 ? r : flush(w);
}

static int fail(struct atl_error *err, const char *path, int code)
{
    return atl_error_set(err, code, "cannot write %s: %s",
                         strcmp(path, "-") == 0 ? "standard output" : path, strerror(-code));
}

/* Written to a neighbour first, so that a half-made capture never carries the name. */
static int write_file(struct writer *w, const struct traf_config *cfg, const char *path,
                      struct traf_summary *ret_summary, struct atl_error *err)
{
    char temporary[PATH_MAX];
    int n = snprintf(temporary, sizeof(temporary), "%s.tmp", path);
    if (n < 0 || (size_t)n >= sizeof(temporary))
        return fail(err, path, -ENAMETOOLONG);
    w->fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (w->fd < 0)
        return fail(err, temporary, -errno);
    int r = put_all(w, cfg, ret_summary, err);
    if (r == 0 && fsync(w->fd) < 0)
        r = -errno;
    if (close(w->fd) < 0 && r == 0)
        r = -errno;
    if (r == 0 && rename(temporary, path) < 0)
        r = -errno;
    if (r < 0) {
        unlink(temporary);
        return fail(err, path, r);
    }
    return atl_file_sync_dir(path, err);
}

/* Devices and pipes cannot be renamed over. */
static int write_stream(struct writer *w, const struct traf_config *cfg, const char *path,
                        struct traf_summary *ret_summary, struct atl_error *err)
{
    bool own = strcmp(path, "-") != 0;
    w->fd = own ? open(path, O_WRONLY | O_CLOEXEC) : STDOUT_FILENO;
    if (w->fd < 0)
        return fail(err, path, -errno);
    int r = put_all(w, cfg, ret_summary, err);
    if (own && close(w->fd) < 0 && r == 0)
        r = -errno;
    return r < 0 ? fail(err, path, r) : 0;
}

int traf_write_pcap(const struct traf_config *cfg, const char *path,
                    struct traf_summary *ret_summary, struct atl_error *err)
{
    int r = traf_config_check(cfg, err);
    if (r < 0)
        return r;
    struct writer *w = malloc(sizeof(*w));
    if (w == NULL)
        return fail(err, path, -ENOMEM);
    w->used = 0;
    struct traf_summary summary;
    struct stat st;
    bool stream = strcmp(path, "-") == 0 || (stat(path, &st) == 0 && !S_ISREG(st.st_mode));
    r = stream ? write_stream(w, cfg, path, &summary, err)
               : write_file(w, cfg, path, &summary, err);
    free(w);
    if (r == 0 && ret_summary != NULL)
        *ret_summary = summary;
    return r;
}
