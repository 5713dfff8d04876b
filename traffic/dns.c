/* SPDX-License-Identifier: Apache-2.0 */
#include "traffic/dns_priv.h"

#include <string.h>

#include "traffic/frame_priv.h"

static uint8_t *put_name(uint8_t *at, const char *name)
{
    while (*name != '\0') {
        size_t label = strcspn(name, ".");
        *at++ = (uint8_t)label;
        memcpy(at, name, label);
        at += label;
        name += label + (name[label] == '.');
    }
    *at++ = 0;
    return at;
}

static uint8_t *put_head(uint8_t *out, const struct traf_dns *dns, uint16_t flags, uint16_t answers,
                         uint16_t extra)
{
    const uint16_t words[6] = {dns->id, flags, 1, answers, 0, extra};
    for (int i = 0; i < 6; i++)
        traf_put16(out + 2 * i, words[i]);
    uint8_t *at = put_name(out + 12, dns->name);
    traf_put16(at, dns->type);
    traf_put16(at + 2, 1);
    return at + 4;
}

static uint8_t *put_edns(uint8_t *at)
{
    static const uint8_t opt[] = {0, 0, 41, 0x04, 0xd0, 0,
                                  0, 0, 0,  0,    0}; /* RFC 6891, 1232 bytes */
    memcpy(at, opt, sizeof(opt));
    return at + sizeof(opt);
}

uint32_t traf_dns_query(uint8_t *out, const struct traf_dns *dns)
{
    uint8_t *at = put_head(out, dns, 0x0100, 0, dns->edns);
    if (dns->edns)
        at = put_edns(at);
    return (uint32_t)(at - out);
}

static uint8_t *put_record(uint8_t *at, uint16_t type, uint32_t ttl, uint16_t bytes)
{
    traf_put16(at, 0xc00c); /* the name of the question */
    traf_put16(at + 2, type);
    traf_put16(at + 4, 1);
    traf_put32(at + 6, ttl);
    traf_put16(at + 10, bytes);
    return at + 12;
}

static uint8_t *put_blob(uint8_t *at, const struct traf_dns *dns)
{
    bool text = dns->type == TRAF_DNS_TXT;
    at = put_record(at, dns->type, 0, (uint16_t)(dns->data_bytes + text));
    if (text)
        *at++ = (uint8_t)dns->data_bytes;
    memcpy(at, dns->data, dns->data_bytes);
    return at + dns->data_bytes;
}

uint32_t traf_dns_answer(uint8_t *out, const struct traf_dns *dns)
{
    bool addresses = dns->type == TRAF_DNS_A || dns->type == TRAF_DNS_AAAA;
    uint8_t *at = put_head(out, dns, (uint16_t)(0x8180 | dns->rcode), dns->answers, dns->edns);
    uint16_t width = dns->type == TRAF_DNS_A ? 4 : 16;
    for (uint32_t i = 0; addresses && i < dns->answers; i++) {
        at = put_record(at, dns->type, 60 + (dns->id & 0xff), width);
        memcpy(at, dns->data + i * width, width);
        at += width;
    }
    if (!addresses && dns->answers > 0)
        at = put_blob(at, dns);
    if (dns->edns)
        at = put_edns(at);
    return (uint32_t)(at - out);
}
