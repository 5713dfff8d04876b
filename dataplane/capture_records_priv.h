/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capture_records: the records of a classic pcap file (draft-ietf-opsawg-pcap), where they lie.
 *
 * Reads what libpcap reads, to the same numbers and in the same order; what is rare (old versions,
 * other link types than those we decode, other formats) is left to libpcap.
 */
#ifndef DP_CAPTURE_RECORDS_PRIV_H
#define DP_CAPTURE_RECORDS_PRIV_H

#include "dataplane/packet_priv.h"

/** Bytes before the first record, and before the data of each. */
#define DP_CAPTURE_HEADER_BYTES 24
#define DP_RECORD_HEADER_BYTES  16

/** More captured bytes than that are a sign of a damaged file: libpcap's bound, too. */
#define DP_RECORD_DATA_MAX 262144U
#define DP_RECORD_MAX      (DP_RECORD_HEADER_BYTES + DP_RECORD_DATA_MAX)

struct dp_capture_format {
    bool swapped;        /* the writer's byte order is not ours */
    bool nanoseconds;    /* else microseconds */
    uint32_t snap_bytes; /* what lies beyond in a record is skipped; 1 … */
    uint32_t link;       /* DLT_ number */
};

/** @return false for a header, or a link type, that is to be left to libpcap */
bool dp_capture_format(struct dp_capture_format *ret_format,
                       const uint8_t header[DP_CAPTURE_HEADER_BYTES]);

/**
 * Lend the records at data, up to n of them, and no further than the first that is not whole or
 * claims more than DP_RECORD_DATA_MAX.
 * @param ret_used  bytes of data behind the last record lent
 * @return frames, which point into data
 */
ATL_HOT uint32_t dp_capture_records(const struct dp_capture_format *format, const uint8_t *data,
                                    size_t bytes, struct dp_frame *frames, uint32_t n,
                                    size_t *ret_used);

/** The captured bytes that a whole record header says follow it. */
uint32_t dp_record_data_bytes(const struct dp_capture_format *format,
                              const uint8_t header[DP_RECORD_HEADER_BYTES]);

#endif
