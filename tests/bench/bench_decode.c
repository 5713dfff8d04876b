/* SPDX-License-Identifier: Apache-2.0 */
/* What decoding one packet costs, with the frames in the cache: the straight road and the loop. */
#include <stdio.h>
#include <stdlib.h>

#include "dataplane/decode_priv.h"
#include "tests/bench/cycles.h"
#include "tests/dataplane/tunnels.h"

enum { FRAMES = 1024, ROUNDS = 400 };

struct set {
    struct bytes frames[FRAMES];
};

static struct bytes plain_frame(struct atl_rng *rng, unsigned kind)
{
    uint32_t a = OUT_A + (uint32_t)atl_rng_below(rng, 1 << 24);
    uint32_t b = OUT_A + (uint32_t)atl_rng_below(rng, 1 << 24);
    unsigned port = 10000 + (unsigned)atl_rng_below(rng, 50000);
    struct bytes f;
    switch (kind) {
    case 0:
        return tcp_frame(a, port, b, 443, F_ACK, 100);
    case 1:
        return udp_frame(a, port, b, 5060, 100);
    case 2:
        f = inner6();
        f.b[23] = (uint8_t)a;
        in_ethernet(&f, 0x86dd);
        return f;
    default:
        f = (struct bytes){0};
        put_tcp(&f, port, 443, F_ACK);
        in_ipv4(&f, 6);
        prepend(&f, "\0\x07\x08\0", 4);
        in_ethernet(&f, 0x8100);
        return f;
    }
}

/* The best of all rounds, a packet. */
static struct bench_time measure(struct dp_decoder *decoder, const struct set *set)
{
    struct bench_time best = {1, 1e18};
    for (int round = 0; round < ROUNDS; round++) {
        struct bench_time begin = bench_now();
        for (uint32_t i = 0; i < FRAMES; i++) {
            const struct bytes *f = &set->frames[i];
            struct dp_frame frame = {f->b, (uint32_t)f->n, (uint32_t)f->n, 1, i};
            struct dp_packet p;
            if (dp_decode_frame(decoder, &frame, &p) != DP_DECODED)
                abort();
            __asm__ volatile("" : : "r"(&p) : "memory");
        }
        struct bench_time end = bench_now();
        if (end.seconds - begin.seconds < best.seconds)
            best = (struct bench_time){end.seconds - begin.seconds, end.cycles - begin.cycles};
    }
    return (struct bench_time){best.seconds / FRAMES, best.cycles / FRAMES};
}

static void print(const char *name, struct bench_time packet)
{
    printf("%-12s %6.1f cycles/packet %6.1f ns %6.1f Mpps\n", name, packet.cycles,
           packet.seconds * 1e9, 1e-6 / packet.seconds);
}

int main(void)
{
    static const char *const kinds[] = {"tcp4", "udp4", "udp6", "vlan_tcp4"};
    struct atl_hash_key key = {1, 2};
    struct atl_rng rng;
    struct dp_decoder *decoder = malloc(sizeof(*decoder));
    struct set *set = malloc(sizeof(*set));
    if (decoder == NULL || set == NULL || atl_base_init() < 0)
        return 1;
    dp_decoder_init(decoder, DP_KEY_INNER, &key);
    atl_rng_init_seed(&rng, 1);
    for (unsigned i = 0; i < FRAMES; i++)
        set->frames[i] = plain_frame(&rng, (unsigned)atl_rng_below(&rng, 4));
    print("mixed", measure(decoder, set));
    for (unsigned kind = 0; kind < ATL_ARRAY_LEN(kinds); kind++) {
        for (unsigned i = 0; i < FRAMES; i++)
            set->frames[i] = plain_frame(&rng, kind);
        print(kinds[kind], measure(decoder, set));
    }
    for (size_t c = 0; c < TUNNEL_CASES; c++) {
        for (unsigned i = 0; i < FRAMES; i++)
            set->frames[i] = tunnel_cases[c].build();
        print(tunnel_cases[c].name, measure(decoder, set));
    }
    free(set);
    free(decoder);
    return 0;
}
