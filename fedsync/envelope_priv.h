/* SPDX-License-Identifier: Apache-2.0 */
/* The signed envelope around every message. */
#ifndef FED_ENVELOPE_PRIV_H
#define FED_ENVELOPE_PRIV_H

#include "fedsync/fedsync.h"

#define FED_WIRE_VERSION       1U
#define FED_ENVELOPE_BYTES_MAX 256U /* everything but the body */

enum fed_type { FED_TYPE_PLAN = 1, FED_TYPE_MODEL, FED_TYPE_UPDATE, FED_TYPE_ACK, FED_TYPE_LEASE };

struct fed_envelope {
    enum fed_type type;
    char sender[FED_NAME_BYTES];
    uint64_t epoch, round;
    uint64_t seq; /* chunk of an update, else 0 */
    const uint8_t *body;
    size_t body_bytes;
};

/** Sign as `identity`; env->sender is ignored. *ret_payload is malloc'ed, the caller's. */
int fed_envelope_seal(uint8_t **ret_payload, size_t *ret_bytes, const struct fed_envelope *env,
                      const char *federation, const struct fed_identity *identity);

/**
 * Check and open; ret_env->body points into the payload.
 * @param max_bytes  the largest payload this receiver has a use for
 * @return 0, -EMSGSIZE (too long), -EPROTO (not our deterministic CBOR), -EPROTONOSUPPORT
 * (version), -ENOMSG (type), -EXDEV (another federation), -ENOKEY (stranger), -EBADMSG (signature),
 * -ENOMEM
 */
int fed_envelope_open(struct fed_envelope *ret_env, const uint8_t *payload, size_t bytes,
                      size_t max_bytes, const char *federation, const struct fed_roster *roster);

#endif
