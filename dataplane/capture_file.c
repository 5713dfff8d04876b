/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/capture_stream_priv.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdlib.h>

#include "dataplane/capture_pcap_priv.h"
#include "dataplane/decode_priv.h"

enum { BUFFER_BYTES = 64 * 1024 };

struct file_source {
    struct dp_source base;
    pcap_t *pcap;
    uint32_t link;
    uint64_t packets;
    char *path;
    char buffer[BUFFER_BYTES]; /* of the FILE: glibc makes a small one unless it is given one */
};

/* libpcap lends one packet at a time; it is decoded before the next is asked for, so none moves. */
static uint32_t file_burst(struct dp_source *base, struct dp_frame *frames, uint32_t n)
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
    base->state = DP_SOURCE_FAILED;
    atl_error_set(&base->error, -EIO,
                  "%s: cannot read on after packet %llu: %s; what came before it was read, the "
                  "rest needs an unbroken copy of the file",
                  s->path, (unsigned long long)s->packets, pcap_geterr(s->pcap));
    return 0;
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
    free(s->path);
    free(s);
}

static const struct dp_source_ops file_ops = {
    .burst = file_burst,
    .release = file_release,
    .close = file_close,
};

static int open_pcap(struct file_source *s, struct atl_error *err)
{
    FILE *file;
    int r = dp_stream_open(&file, &s->base, s->path, err);
    if (r < 0)
        return r;
    setvbuf(file, s->buffer, _IOFBF, sizeof(s->buffer));
    char why[PCAP_ERRBUF_SIZE] = "";
    s->pcap = pcap_fopen_offline_with_tstamp_precision(file, PCAP_TSTAMP_PRECISION_NANO, why);
    if (s->pcap == NULL) {
        fclose(file);
        return atl_error_set(err, -EINVAL,
                             "%s: not a capture file (%s); expected pcap or pcapng, plain or gzip",
                             s->path, why);
    }
    s->link = (uint32_t)pcap_datalink(s->pcap);
    if (!dp_decode_knows_link(s->link) && pcap_datalink_val_to_name((int)s->link) == NULL)
        return atl_error_set(err, -EINVAL, "%s: link type %u is unknown to libpcap and to us",
                             s->path, s->link);
    return 0;
}

int dp_source_open_file(struct dp_source **ret_source, const char *path, struct atl_error *err)
{
    struct file_source *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return atl_error_set(err, -ENOMEM, "%s: out of memory", path);
    s->base.ops = &file_ops;
    s->base.file = true;
    s->path = strdup(path);
    int r = s->path == NULL ? -ENOMEM : open_pcap(s, err);
    if (r < 0) {
        file_close(&s->base);
        return r;
    }
    const char *name = pcap_datalink_val_to_name((int)s->link);
    snprintf(s->base.describe, sizeof(s->base.describe), "libpcap file %s (%s)", path,
             name != NULL ? name : "unnamed link type");
    *ret_source = &s->base;
    return 0;
}
