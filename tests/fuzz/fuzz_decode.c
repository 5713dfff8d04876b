/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The decoder on any bytes: the first picks link type, view and how much of the frame was captured,
 * the rest is the frame. The sanitizers watch memory; this watches what the sums rely on.
 */
#include <stdio.h>
#include <stdlib.h>

#include "dataplane/decode_priv.h"
#include "dataplane/dns_digest_priv.h"
#include "tests/fuzz/fuzz.h"

static void check(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "broken: %s\n", what);
    abort();
}

static void check_packet(const struct dp_packet *p)
{
    check(p->from <= 1, "one of two endpoints sends");
    check((uint64_t)p->payload_bytes + p->header_bytes <= p->bytes, "payload fits its packet");
    check(p->key.zero == 0, "the key has no loose bytes");
    check(p->key.tunnel < DP_TUNNEL_COUNT, "the tunnel has a name");
    check(p->key.vlan[0] < 4096 && p->key.vlan[1] < 4096, "tags have twelve bits");
    check(p->qfi < 64, "a QoS flow has six bits");
    check(p->dns.entropy <= 8 * 256, "a byte has eight bits");
    struct dp_key key = p->key;
    check(dp_key_order(&key) == 0, "endpoints stand in order");
    struct dp_dns dns = {0};
    dp_dns_update(&dns, &p->dns);
    check(dns.name_bytes_max <= 253, "a name has 253 bytes");
}

static struct dp_decoder *create(enum dp_key_view view)
{
    struct dp_decoder *decoder = malloc(sizeof(*decoder));
    check(decoder != NULL, "memory");
    dp_decoder_init(decoder, view, &(struct atl_hash_key){1, 2});
    return decoder;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint32_t links[] = {1, 0, 9, 12, 51, 104, 113, 276};
    static struct dp_decoder *decoders[2], *twin;
    if (twin == NULL) {
        decoders[0] = create(DP_KEY_INNER);
        decoders[1] = create(DP_KEY_OUTER);
        twin = create(DP_KEY_INNER);
    }
    if (size == 0 || size > 65536)
        return 0;
    struct dp_decoder *decoder = decoders[data[0] >> 3 & 1];
    struct dp_frame frame = {
        .data = data + 1,
        .captured = (uint32_t)size - 1,
        .wire = (uint32_t)(size - 1 + (data[0] >> 4) * 16U),
        .link = links[data[0] & 7],
        .ts_ns = ATL_NS_PER_S,
    };
    struct dp_packet a, b;
    enum dp_reason reason = dp_decode_frame(decoder, &frame, &a);
    check(reason <= DP_DECODED, "an answer");
    if (reason == DP_DECODED)
        check_packet(&a);
    /* Whoever is decoded from inside is decoded from outside, too. */
    twin->view = decoder->view == DP_KEY_INNER ? DP_KEY_OUTER : DP_KEY_INNER;
    enum dp_reason other = dp_decode_any(twin, &frame, &b);
    check((reason == DP_DECODED) == (other == DP_DECODED), "both views lose the same packets");
    return 0;
}
