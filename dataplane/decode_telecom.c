/* SPDX-License-Identifier: Apache-2.0 */
/* The telecom control plane: message types and causes, never contents. */
#include "dataplane/decode_priv.h"

enum {
    GTPV1_CAUSE = 1, /* TS 29.060 §7.7.1: type and value, first of all elements */
    GTPV2_CAUSE = 2, /* TS 29.274 §8.4 */
    GTPV2_PIGGYBACKED = 0x10,
    GTPV2_TEID = 0x08,
    PFCP_CAUSE = 19, /* TS 29.244 §8.2.1 */
    PFCP_SEID = 0x01,
    ELEMENTS_MAX = 64,
    MESSAGES_MAX = 8,

    DIAMETER_BYTES = 20, /* RFC 6733 §3 */
    DIAMETER_REQUEST = 0x80,
    DIAMETER_RESERVED = 0x0f,
    AVP_VENDOR = 0x80,
    AVP_RESULT = 268,
    AVP_EXPERIMENTAL = 297, /* groups vendor and result */
    AVP_EXPERIMENTAL_RESULT = 298,

    SCTP_DATA = 0, /* RFC 9260 §3.3.1 */
    SCTP_DATA_BYTES = 12,
    SCTP_DATA_FIRST = 0x02,
    SCTP_PAYLOAD_NGAP = 60,
    SCTP_PAYLOAD_DIAMETER = 46,
};

static uint32_t be24(const uint8_t *p)
{
    return (uint32_t)p[0] << 16 | dp_be16(p + 1);
}

static void note(struct dp_decode *d, enum dp_telecom_protocol protocol, uint32_t code)
{
    dp_telecom_note(&d->decoder->telecom, d->packet, protocol, false, code);
}

static void note_cause(struct dp_decode *d, enum dp_telecom_protocol protocol, uint32_t code)
{
    dp_telecom_note(&d->decoder->telecom, d->packet, protocol, true, code);
}

/* --- GTP-C --- */

static void look_gtpv1(struct dp_decode *d, struct dp_cursor c)
{
    const uint8_t *header, *fields = NULL, *cause;
    if (!dp_take(&c, 8, &header))
        return;
    note(d, DP_TELECOM_GTPV1C, header[1]);
    bool optional = (header[0] & 7) != 0;
    if (optional && !dp_take(&c, 4, &fields))
        return;
    /* extension headers are rare here and hide the cause: it is not looked for then */
    if (optional && (header[0] & 4) != 0 && fields[3] != 0)
        return;
    if (dp_take(&c, 2, &cause) && cause[0] == GTPV1_CAUSE)
        note_cause(d, DP_TELECOM_GTPV1C, cause[1]);
}

static void look_gtpv2_elements(struct dp_decode *d, struct dp_cursor c)
{
    const uint8_t *element, *value;
    for (int i = 0; i < ELEMENTS_MAX && dp_take(&c, 4, &element); i++) {
        if (!dp_take(&c, dp_be16(element + 1), &value))
            return;
        if (element[0] == GTPV2_CAUSE && dp_be16(element + 1) >= 1) {
            note_cause(d, DP_TELECOM_GTPV2C, value[0]);
            return;
        }
    }
}

static void look_gtpv2(struct dp_decode *d, struct dp_cursor c)
{
    for (int i = 0; i < 2; i++) {
        const uint8_t *header, *ids;
        if (!dp_take(&c, 4, &header) || header[0] >> 5 != 2)
            return;
        note(d, DP_TELECOM_GTPV2C, header[1]);
        struct dp_cursor body = c;
        dp_limit(&body, dp_be16(header + 2));
        if (dp_take(&body, (header[0] & GTPV2_TEID) != 0 ? 8 : 4, &ids))
            look_gtpv2_elements(d, body);
        if ((header[0] & GTPV2_PIGGYBACKED) == 0 || !dp_skip(&c, dp_be16(header + 2)))
            return;
    }
}

void dp_look_gtpc(struct dp_decode *d)
{
    const uint8_t *first = dp_peek(d, 0, 1);
    if (first == NULL)
        return;
    if (first[0] >> 4 == 3) /* version 1, not GTP' */
        look_gtpv1(d, d->cursor);
    else if (first[0] >> 5 == 2)
        look_gtpv2(d, d->cursor);
}

/* --- PFCP --- */

void dp_look_pfcp(struct dp_decode *d)
{
    struct dp_cursor c = d->cursor;
    const uint8_t *header, *ids, *element, *value;
    if (!dp_take(&c, 4, &header) || header[0] >> 5 != 1)
        return;
    note(d, DP_TELECOM_PFCP, header[1]);
    dp_limit(&c, dp_be16(header + 2));
    if (!dp_take(&c, (header[0] & PFCP_SEID) != 0 ? 12 : 4, &ids))
        return;
    for (int i = 0; i < ELEMENTS_MAX && dp_take(&c, 4, &element); i++) {
        if (!dp_take(&c, dp_be16(element + 2), &value))
            return;
        if (dp_be16(element) == PFCP_CAUSE && dp_be16(element + 2) >= 1) {
            note_cause(d, DP_TELECOM_PFCP, value[0]);
            return;
        }
    }
}

/* --- Diameter --- */

static void look_avps(struct dp_decode *d, struct dp_cursor c)
{
    for (int i = 0; i < ELEMENTS_MAX; i++) {
        const uint8_t *avp, *value;
        if (!dp_take(&c, 8, &avp))
            return;
        uint32_t code = dp_be32(avp), bytes = be24(avp + 5);
        uint32_t header_bytes = (avp[4] & AVP_VENDOR) != 0 ? 12 : 8;
        if (bytes < header_bytes || (header_bytes == 12 && !dp_skip(&c, 4)))
            return;
        bytes -= header_bytes;
        if (code == AVP_EXPERIMENTAL)
            continue; /* what it groups follows */
        if ((code == AVP_RESULT || code == AVP_EXPERIMENTAL_RESULT) && bytes == 4) {
            if (dp_take(&c, 4, &value))
                note_cause(d, DP_TELECOM_DIAMETER, dp_be32(value));
            return;
        }
        if (!dp_skip(&c, (bytes + 3) & ~3U))
            return;
    }
}

static void look_diameter(struct dp_decode *d, struct dp_cursor c)
{
    for (int i = 0; i < MESSAGES_MAX; i++) {
        const uint8_t *header;
        struct dp_cursor message = c;
        if (!dp_take(&message, DIAMETER_BYTES, &header))
            return;
        uint32_t bytes = be24(header + 1);
        /* The middle of a longer message begins with anything: be sure that this is a header. */
        if (header[0] != 1 || bytes < DIAMETER_BYTES || bytes % 4 != 0 ||
            (header[4] & DIAMETER_RESERVED) != 0)
            return;
        bool request = (header[4] & DIAMETER_REQUEST) != 0;
        note(d, DP_TELECOM_DIAMETER, be24(header + 5) | (uint32_t)request << 24);
        dp_limit(&message, bytes - DIAMETER_BYTES);
        if (!request)
            look_avps(d, message);
        if (!dp_skip(&c, bytes))
            return;
    }
}

void dp_look_diameter(struct dp_decode *d)
{
    look_diameter(d, d->cursor);
}

/* --- SCTP --- */

/* Aligned PER of the outermost choice: one bit for "extended", two for the choice; then the
 * procedure code (TS 38.413 §9.4). */
static void look_ngap(struct dp_decode *d, struct dp_cursor c)
{
    const uint8_t *pdu;
    if (!dp_take(&c, 2, &pdu) || (pdu[0] & 0x9f) != 0 || pdu[0] >> 5 > 2)
        return;
    note(d, DP_TELECOM_NGAP, (uint32_t)(pdu[0] >> 5) << 8 | pdu[1]);
}

static void look_data(struct dp_decode *d, struct dp_cursor c, uint8_t flags)
{
    const uint8_t *header;
    if (!dp_take(&c, SCTP_DATA_BYTES, &header) || (flags & SCTP_DATA_FIRST) == 0)
        return;
    switch (dp_be32(header + 8)) {
    case SCTP_PAYLOAD_NGAP:
        look_ngap(d, c);
        break;
    case SCTP_PAYLOAD_DIAMETER:
        look_diameter(d, c);
        break;
    default:
        break;
    }
}

void dp_look_sctp(struct dp_decode *d)
{
    struct dp_cursor c = d->cursor;
    const uint8_t *chunk;
    for (int i = 0; i < ELEMENTS_MAX && dp_take(&c, 4, &chunk); i++) {
        uint32_t bytes = dp_be16(chunk + 2);
        if (bytes < 4)
            return;
        note(d, DP_TELECOM_SCTP, chunk[0]);
        struct dp_cursor body = c;
        dp_limit(&body, bytes - 4);
        if (chunk[0] == SCTP_DATA)
            look_data(d, body, chunk[1]);
        if (!dp_skip(&c, ((bytes + 3) & ~3U) - 4))
            return;
    }
}
