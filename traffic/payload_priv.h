/* SPDX-License-Identifier: Apache-2.0 */
/* payload: bytes that a protocol analyser accepts; nothing in them means anything. */
#ifndef TRAF_PAYLOAD_PRIV_H
#define TRAF_PAYLOAD_PRIV_H

#include "traffic/sim_priv.h"

enum traf_style { TRAF_TLS, TRAF_TEXT, TRAF_SSH, TRAF_HTTP, TRAF_OPAQUE, TRAF_STYLES };

/** Where a segment lies in what its sender is saying. */
struct traf_piece {
    enum traf_style style;
    uint8_t from;
    uint8_t transfer;          /* 0 = the first in this conversation */
    uint32_t offset, of_bytes; /* of the transfer */
    uint32_t salt;             /* varies the noise */
};

/** The sizes a conversation must open with: bytes from end 0, then from end 1; 0 = none. */
struct traf_opening {
    uint8_t exchanges;
    uint16_t up[4], down[4];
};
extern const struct traf_opening traf_openings[TRAF_STYLES];

void traf_fill(const struct traf_sim *sim, const struct traf_piece *piece, uint8_t *out,
               uint32_t bytes);
/** A transfer length near `bytes` whose last segment has room for a record of its own. */
uint32_t traf_fit(enum traf_style style, uint32_t bytes, uint32_t mss);
void traf_noise(const struct traf_sim *sim, uint32_t salt, uint8_t *out, uint32_t bytes);

/** QUIC v1 (RFC 9000 §17): a long header for the hello, short ones after it. */
void traf_fill_quic(const struct traf_sim *sim, uint32_t salt, uint8_t from, bool hello,
                    uint32_t number, uint8_t *out, uint32_t bytes);

#endif
