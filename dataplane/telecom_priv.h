/* SPDX-License-Identifier: Apache-2.0 */
/*
 * telecom: what each peer of the control plane says how often.
 *
 * Fixed memory: sets of eight peers, each peer with 24 codes. A new peer takes the place of the one
 * of its set that was silent the longest. One thread notes, any thread reads.
 */
#ifndef DP_TELECOM_PRIV_H
#define DP_TELECOM_PRIV_H

#include "dataplane/packet_priv.h"

#define DP_TELECOM_SETS  128
#define DP_TELECOM_WAYS  8
#define DP_TELECOM_CODES 24

struct dp_telecom_peer {
    _Atomic uint32_t sequence; /* odd while the place changes hands */
    _Atomic uint64_t addr[2];
    _Atomic uint64_t stamp; /* of the last note; 0 = nobody */
    _Atomic uint64_t other; /* notes that found no free code */
    struct {
        _Atomic uint64_t tag; /* protocol, cause, code; 0 = free */
        _Atomic uint64_t count;
    } codes[DP_TELECOM_CODES];
};

struct dp_telecom {
    struct atl_hash_key key;
    uint64_t notes;
    uint64_t messages[DP_TELECOM_COUNT], errors[DP_TELECOM_COUNT]; /* the worker's own */
    struct dp_telecom_peer peers[DP_TELECOM_SETS][DP_TELECOM_WAYS];
};

/** The sender of *p (endpoint 0, before the endpoints are put in order) said this. */
void dp_telecom_note(struct dp_telecom *t, const struct dp_packet *p,
                     enum dp_telecom_protocol protocol, bool cause, uint32_t code);
/** As dp_engine_telecom, for one worker. */
uint32_t dp_telecom_read(const struct dp_telecom *t, struct dp_telecom_row *rows, uint32_t n);

#endif
