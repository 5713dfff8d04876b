/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/toeplitz_priv.h"

#include <string.h>

enum {
    TUPLE_BYTES = 36,
    TRIALS = 256,
};

/*
 * Woo and Park, "Scalable TCP Session Monitoring with Symmetric Receive-side Scaling" (KAIST,
 * 2012): addresses and ports change places by multiples of 16 bits, and so may the key.
 */
void dp_toeplitz_key(uint8_t *key, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        key[i] = i % 2 == 0 ? 0x6d : 0x5a;
}

/* For each bit of the input that is set, the 32 bits of the key that begin there. */
uint32_t dp_toeplitz(const uint8_t *key, const uint8_t *input, size_t bytes)
{
    uint32_t hash = 0;
    uint32_t window =
        (uint32_t)key[0] << 24 | (uint32_t)key[1] << 16 | (uint32_t)key[2] << 8 | key[3];
    for (size_t i = 0; i < bytes; i++)
        for (int bit = 7; bit >= 0; bit--) {
            if (input[i] >> bit & 1)
                hash ^= window;
            window = window << 1 | (key[i + 4] >> bit & 1);
        }
    return hash;
}

static uint16_t queue_of(uint32_t hash, const uint16_t *reta, size_t reta_size)
{
    return reta_size != 0 ? reta[hash & (reta_size - 1)] : (uint16_t)hash;
}

/* src, dst, source port, destination port: as long as the addresses are */
static void swap_directions(uint8_t out[TUPLE_BYTES], const uint8_t in[TUPLE_BYTES], size_t address)
{
    memcpy(out, in + address, address);
    memcpy(out + address, in, address);
    memcpy(out + 2 * address, in + 2 * address + 2, 2);
    memcpy(out + 2 * address + 2, in + 2 * address, 2);
}

bool dp_toeplitz_is_symmetric(const uint8_t *key, size_t key_bytes, const uint16_t *reta,
                              size_t reta_size)
{
    uint32_t state = 0x2545f491; /* xorshift: any bytes will do, the same each time */
    if (key_bytes < DP_TOEPLITZ_KEY_BYTES_MIN)
        return false;
    for (int trial = 0; trial < TRIALS; trial++) {
        uint8_t there[TUPLE_BYTES], back[TUPLE_BYTES];
        for (size_t i = 0; i < sizeof(there); i++) {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            there[i] = (uint8_t)state;
        }
        for (size_t address = 4; address <= 16; address += 12) /* IPv4, IPv6 */
            for (size_t ports = 0; ports <= 4; ports += 4) {   /* without and with ports */
                swap_directions(back, there, address);
                uint32_t one = dp_toeplitz(key, there, 2 * address + ports);
                uint32_t other = dp_toeplitz(key, back, 2 * address + ports);
                if (queue_of(one, reta, reta_size) != queue_of(other, reta, reta_size))
                    return false;
            }
    }
    return true;
}
