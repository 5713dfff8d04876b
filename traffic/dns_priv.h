/* SPDX-License-Identifier: Apache-2.0 */
/* dns: messages as RFC 1035 has them. */
#ifndef TRAF_DNS_PRIV_H
#define TRAF_DNS_PRIV_H

#include "base/base.h"

#define TRAF_DNS_MAX 1200u

enum {
    TRAF_DNS_A = 1,
    TRAF_DNS_CNAME = 5,
    TRAF_DNS_NULL = 10,
    TRAF_DNS_TXT = 16,
    TRAF_DNS_AAAA = 28
};
enum { TRAF_DNS_OK = 0, TRAF_DNS_SERVFAIL = 2, TRAF_DNS_NXDOMAIN = 3 };

struct traf_dns {
    uint16_t id, type;
    const char *name; /* at most 253 letters, labels of at most 63 */
    bool edns;
    uint8_t rcode;
    uint8_t answers;     /* A or AAAA records; 0 … 8 */
    const uint8_t *data; /* of the answer: addresses one after the other, or RDATA of one record */
    uint16_t data_bytes; /* for CNAME, NULL and TXT: at most 250 */
};

/** @return bytes written to out, which holds TRAF_DNS_MAX */
uint32_t traf_dns_query(uint8_t *out, const struct traf_dns *dns);
uint32_t traf_dns_answer(uint8_t *out, const struct traf_dns *dns);

#endif
