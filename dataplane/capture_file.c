/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <pcap/pcap.h>
#include <stdlib.h>

#include "dataplane/capture_pcap_priv.h"
#include "dataplane/capture_records_priv.h"
#include "dataplane/capture_stream_priv.h"
#include "dataplane/decode_priv.h"

enum {
    /* Read at once: small enough to be still in the L2 cache when its packets are decoded. */
    READ_BYTES = 256 * 1024,
    /* Before it: the begin of a record whose end is still to come. */
    KEEP_BYTES = 260 * 1024,
    BUFFER_BYTES = KEEP_BYTES + READ_BYTES,
    APPEND_MIN_BYTES = 64 * 1024,
    PAGE_BYTES = 4096,
    FILE_BYTES = 64 * 1024, /* of a FILE: glibc makes a small buffer unless it is given one */
};

static_assert(KEEP_BYTES >= DP_RECORD_MAX && KEEP_BYTES % PAGE_BYTES == 0,
              "a record that is not whole fits before the place where reading goes on");

/* Either libpcap reads the file or we do. */
struct file_source {
    struct dp_source base;
    char *path;
    uint32_t link;
    uint64_t packets;
    pcap_t *pcap;
    struct dp_stream *stream; /* not of a pcap */
    struct dp_capture_format format;
    uint32_t at, have; /* unread part of the buffer */
    bool ended;
    uint8_t *buffer;
    char file_buffer[FILE_BYTES];
};

static uint32_t fail(struct file_source *s, const char *why)
{
    s->base.state = DP_SOURCE_FAILED;
    atl_error_set(&s->base.error, -EIO,
                  "%s: cannot read on after packet %llu: %s; what came before it was read, the "
                  "rest needs an unbroken copy of the file",
                  s->path, (unsigned long long)s->packets, why);
    return 0;
}

/* --- by libpcap --- */

/* libpcap lends one packet at a time; it is decoded before the next is asked for, so none moves. */
static uint32_t pcap_burst(struct dp_source *base, struct dp_frame *frames, uint32_t n)
{
    (void)n;
    struct file_source *s = (struct file_source *)base;
    struct pcap_pkthdr *header;
    const u_char *data;
    int r = pcap_next_ex(s->pcap, &header, &data);
    if (r == 1) {
        s->packets++;
        frames[0] = dp_pcap_frame(header, data, s->link);
        return 1;
    }
    if (r == PCAP_ERROR_BREAK || atomic_load(&base->cancelled)) {
        base->state = DP_SOURCE_END;
        return 0;
    }
    return fail(s, pcap_geterr(s->pcap));
}

static void file_release(struct dp_source *base)
{
    (void)base;
}

static void file_close(struct dp_source *base)
{
    struct file_source *s = (struct file_source *)base;
    if (s->pcap != NULL)
        pcap_close(s->pcap);
    dp_stream_close(s->stream);
    free(s->buffer);
    free(s->path);
    free(s);
}

static const struct dp_source_ops pcap_ops = {
    .burst = pcap_burst,
    .release = file_release,
    .close = file_close,
};

/* --- by ourselves --- */

/*
 * The reads of a file all go to the same place, so that it stays in the cache; what is left of the
 * last one moves before it. What a pipe gives in small pieces is appended as long as there is room.
 * @return 1 when something came, 0 at the end, −errno
 */
static int read_more(struct file_source *s)
{
    uint32_t left = s->have - s->at;
    if (BUFFER_BYTES - s->have < APPEND_MIN_BYTES) {
        /* left < DP_RECORD_MAX ≤ KEEP_BYTES: whole records were lent before. */
        memmove(s->buffer + KEEP_BYTES - left, s->buffer + s->at, left);
        s->at = KEEP_BYTES - left;
        s->have = KEEP_BYTES;
    }
    ssize_t n = dp_stream_read(s->stream, s->buffer + s->have, BUFFER_BYTES - s->have);
    if (n < 0)
        return -errno;
    s->have += (uint32_t)n;
    return n > 0;
}

/* The file ends, cannot be read on, or goes on with something that is no record: libpcap's words.
 * @param code  errno of the reading, or 0 */
static uint32_t end(struct file_source *s, int code)
{
    uint32_t left = s->have - s->at, stored = 0;
    char why[128];
    if (left >= DP_RECORD_HEADER_BYTES)
        stored = dp_record_data_bytes(&s->format, s->buffer + s->at);
    /* libpcap reads as far as the snap length first, then what lies beyond. */
    uint32_t snap = stored < s->format.snap_bytes ? stored : s->format.snap_bytes;
    if (atomic_load(&s->base.cancelled) || (left == 0 && code == 0)) {
        s->base.state = DP_SOURCE_END;
        return 0;
    }
    if (stored > DP_RECORD_DATA_MAX)
        snprintf(why, sizeof(why), "invalid packet capture length %u, bigger than %s of %u", stored,
                 stored > snap ? "snaplen" : "maximum", stored > snap ? snap : DP_RECORD_DATA_MAX);
    else if (code != 0)
        snprintf(why, sizeof(why), "error reading dump file: %s", strerror(code));
    else if (left < DP_RECORD_HEADER_BYTES)
        snprintf(why, sizeof(why),
                 "truncated dump file; tried to read %d header bytes, only got %u",
                 DP_RECORD_HEADER_BYTES, left);
    else
        snprintf(
            why, sizeof(why), "truncated dump file; tried to read %u captured bytes, only got %u",
            left - DP_RECORD_HEADER_BYTES < snap ? snap : stored, left - DP_RECORD_HEADER_BYTES);
    return fail(s, why);
}

/* True when reading on may complete the record at hand. */
static bool wants_more(const struct file_source *s)
{
    return s->have - s->at < DP_RECORD_HEADER_BYTES ||
           dp_record_data_bytes(&s->format, s->buffer + s->at) <= DP_RECORD_DATA_MAX;
}

static uint32_t records_burst(struct dp_source *base, struct dp_frame *frames, uint32_t n)
{
    struct file_source *s = (struct file_source *)base;
    for (;;) {
        size_t used;
        uint32_t count =
            dp_capture_records(&s->format, s->buffer + s->at, s->have - s->at, frames, n, &used);
        s->at += (uint32_t)used;
        s->packets += count;
        if (ATL_LIKELY(count > 0))
            return count;
        int r = wants_more(s) ? read_more(s) : 0;
        if (r <= 0)
            return end(s, -r);
    }
}

static const struct dp_source_ops records_ops = {
    .burst = records_burst,
    .release = file_release,
    .close = file_close,
};

/* --- opening --- */

/* @return 0 with s->buffer set: ours to read; without: libpcap's */
static int try_records(struct file_source *s, struct atl_error *err)
{
    const uint8_t *header;
    if (dp_stream_peek(s->stream, &header) < DP_CAPTURE_HEADER_BYTES ||
        !dp_capture_format(&s->format, header))
        return 0;
    s->buffer = aligned_alloc(PAGE_BYTES, BUFFER_BYTES);
    if (s->buffer == NULL)
        return atl_error_set(err, -ENOMEM, "%s: out of memory", s->path);
    s->at = s->have = KEEP_BYTES;
    ssize_t n = dp_stream_read(s->stream, s->buffer, DP_CAPTURE_HEADER_BYTES);
    assert(n == DP_CAPTURE_HEADER_BYTES); /* they were peeked at */
    (void)n;
    s->link = s->format.link;
    s->base.ops = &records_ops;
    return 0;
}

static int open_pcap(struct file_source *s, struct atl_error *err)
{
    FILE *file = dp_stream_file(s->stream);
    s->stream = NULL;
    if (file == NULL)
        return atl_error_set(err, -ENOMEM, "%s: out of memory", s->path);
    setvbuf(file, s->file_buffer, _IOFBF, sizeof(s->file_buffer));
    char why[PCAP_ERRBUF_SIZE] = "";
    s->pcap = pcap_fopen_offline_with_tstamp_precision(file, PCAP_TSTAMP_PRECISION_NANO, why);
    if (s->pcap == NULL) {
        fclose(file);
        return atl_error_set(err, -EINVAL,
                             "%s: not a capture file (%s); expected pcap or pcapng, plain or gzip",
                             s->path, why);
    }
    s->base.ops = &pcap_ops;
    s->link = (uint32_t)pcap_datalink(s->pcap);
    if (!dp_decode_knows_link(s->link) && pcap_datalink_val_to_name((int)s->link) == NULL)
        return atl_error_set(err, -EINVAL, "%s: link type %u is unknown to libpcap and to us",
                             s->path, s->link);
    return 0;
}

static int open_capture(struct file_source *s, struct atl_error *err)
{
    int r = dp_stream_open(&s->stream, &s->base, s->path, err);
    if (r == 0)
        r = try_records(s, err);
    if (r == 0 && s->buffer == NULL)
        r = open_pcap(s, err);
    return r;
}

int dp_source_open_file(struct dp_source **ret_source, const char *path, struct atl_error *err)
{
    struct file_source *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return atl_error_set(err, -ENOMEM, "%s: out of memory", path);
    s->base.ops = &pcap_ops;
    s->base.file = true;
    s->path = strdup(path);
    int r = s->path == NULL ? -ENOMEM : open_capture(s, err);
    if (r < 0) {
        file_close(&s->base);
        return r;
    }
    const char *name = pcap_datalink_val_to_name((int)s->link);
    snprintf(s->base.describe, sizeof(s->base.describe), "capture file %s (%s)", path,
             name != NULL ? name : "unnamed link type");
    *ret_source = &s->base;
    return 0;
}
