/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/capture_records_priv.h"

#include <limits.h>

#include "dataplane/capture_pcap_priv.h"
#include "dataplane/decode_priv.h"

#define MAGIC_US 0xa1b2c3d4U
#define MAGIC_NS 0xa1b23c4dU

enum {
    LINKTYPE_RAW = 101, /* of files; DLT_RAW in memory */
    RAW = 12,
};

static inline uint32_t word(const struct dp_capture_format *f, const uint8_t *at)
{
    uint32_t n;
    memcpy(&n, at, sizeof(n));
    return f->swapped ? __builtin_bswap32(n) : n;
}

/* A time field has a sign in the writer's order and none in the other: so libpcap has it. */
static inline int64_t moment(const struct dp_capture_format *f, const uint8_t *at)
{
    uint32_t n = word(f, at);
    return f->swapped ? (int64_t)n : (int64_t)(int32_t)n;
}

static inline struct dp_frame frame_of(const struct dp_capture_format *f, const uint8_t *at,
                                       uint32_t stored)
{
    uint32_t captured = stored < f->snap_bytes ? stored : f->snap_bytes;
    uint32_t wire = word(f, at + 12);
    int64_t fraction = moment(f, at + 4);
    return (struct dp_frame){
        .data = at + DP_RECORD_HEADER_BYTES,
        .captured = captured,
        .wire = wire > captured ? wire : captured,
        .link = f->link,
        .ts_ns = dp_pcap_time_ns(moment(f, at), f->nanoseconds ? fraction : fraction * 1000),
    };
}

bool dp_capture_format(struct dp_capture_format *ret_format,
                       const uint8_t header[DP_CAPTURE_HEADER_BYTES])
{
    struct dp_capture_format f = {0};
    uint32_t magic = word(&f, header);
    f.swapped = magic != MAGIC_US && magic != MAGIC_NS;
    magic = word(&f, header);
    if (magic != MAGIC_US && magic != MAGIC_NS)
        return false;
    f.nanoseconds = magic == MAGIC_NS;
    uint16_t version[2];
    memcpy(version, header + 4, sizeof(version));
    for (int i = 0; i < 2; i++)
        version[i] = f.swapped ? __builtin_bswap16(version[i]) : version[i];
    if (version[0] != 2 || version[1] != 4)
        return false;
    f.snap_bytes = word(&f, header + 16);
    if (f.snap_bytes == 0 || f.snap_bytes > INT_MAX)
        f.snap_bytes = DP_RECORD_DATA_MAX;
    /* Anything in the upper half (length of the FCS, class) is libpcap's to judge. */
    f.link = word(&f, header + 20);
    f.link = f.link == LINKTYPE_RAW ? RAW : f.link;
    *ret_format = f;
    return dp_decode_knows_link(f.link);
}

uint32_t dp_record_data_bytes(const struct dp_capture_format *format,
                              const uint8_t header[DP_RECORD_HEADER_BYTES])
{
    return word(format, header + 8);
}

uint32_t dp_capture_records(const struct dp_capture_format *format, const uint8_t *data,
                            size_t bytes, struct dp_frame *frames, uint32_t n, size_t *ret_used)
{
    const struct dp_capture_format f = *format; /* in registers, whatever frames points to */
    size_t at = 0;
    uint32_t count = 0;
    while (count < n && bytes - at >= DP_RECORD_HEADER_BYTES) {
        uint32_t stored = word(&f, data + at + 8);
        /* at ≤ bytes always: a record is stepped over only once it is known to be whole. */
        if (stored > DP_RECORD_DATA_MAX || bytes - at - DP_RECORD_HEADER_BYTES < stored)
            break;
        frames[count++] = frame_of(&f, data + at, stored);
        at += DP_RECORD_HEADER_BYTES + stored;
    }
    *ret_used = at;
    return count;
}
