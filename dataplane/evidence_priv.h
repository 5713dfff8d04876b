/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evidence: a ring of the latest packets' first bytes, written by one worker.
 *
 * A reader copies while the worker goes on; what was overwritten under its hands is left out.
 */
#ifndef DP_EVIDENCE_PRIV_H
#define DP_EVIDENCE_PRIV_H

#include "dataplane/packet_priv.h"

struct dp_evidence;

/** @return 0, -ENOMEM; all memory is taken here */
int dp_evidence_create(struct dp_evidence **ret_evidence, uint32_t packets, uint32_t snap_bytes);
void dp_evidence_destroy(struct dp_evidence *evidence); /* NULL is fine */
uint64_t dp_evidence_bytes(uint32_t packets, uint32_t snap_bytes);

/** Only the worker. @param key  of the packet in the frame */
ATL_HOT void dp_evidence_put(struct dp_evidence *e, const struct dp_frame *frame,
                             const struct dp_key *key);

/** One remembered packet; data lies in the slice. */
struct dp_evidence_packet {
    atl_ns ts_ns;
    uint32_t wire, link, captured;
    size_t at; /* of its bytes in the slice's data */
};

struct dp_slice {
    struct dp_evidence_packet *packets;
    uint8_t *data;
    size_t count, data_bytes;
    size_t packets_max, data_max; /* allocated */
    uint64_t remembered;          /* looked at */
};

/**
 * Any thread: copy what is remembered of one address to the slice.
 * @param address  NULL: of all
 * @return 0, -ENOMEM
 */
int dp_evidence_collect(const struct dp_evidence *e, const struct dp_addr *address,
                        struct dp_slice *slice);
void dp_slice_finish(struct dp_slice *slice);
/**
 * The slice in the order of time, as pcapng (draft-ietf-opsawg-pcapng): one section, an interface
 * with nanoseconds for each link type.
 * @return 0, -ENOMEM; *ret_data is malloc'ed, the caller's
 */
int dp_slice_pcapng(struct dp_slice *slice, uint32_t snap_bytes, uint8_t **ret_data,
                    size_t *ret_bytes);

#endif
