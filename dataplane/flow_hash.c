/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/flow_hash_priv.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <arm_neon.h>
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

static inline const struct dp_key *key_at(const struct dp_key *keys, size_t stride, uint32_t i)
{
    return (const struct dp_key *)((const char *)keys + i * stride);
}

static inline uint64_t *result_at(uint64_t *hashes, size_t stride, uint32_t i)
{
    return (uint64_t *)((char *)hashes + i * stride);
}

static bool always(void)
{
    return true;
}

static void hash_sip(const struct dp_hash *h, const struct dp_key *keys, uint64_t *ret_hashes,
                     size_t stride, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        *result_at(ret_hashes, stride, i) =
            atl_hash(&h->key, key_at(keys, stride, i), sizeof(*keys));
}

#if defined(__x86_64__)

static bool has_aesni(void)
{
    return __builtin_cpu_supports("aes") && __builtin_cpu_supports("sse4.1");
}

/* Each block starts from a round key of its own, so that equal blocks do not cancel. */
__attribute__((target("aes,sse4.1"))) static void hash_aesni(const struct dp_hash *h,
                                                             const struct dp_key *keys,
                                                             uint64_t *ret_hashes, size_t stride,
                                                             uint32_t n)
{
    const __m128i *r = (const __m128i *)h->rounds;
    for (uint32_t i = 0; i < n; i++) {
        const __m128i *at = (const __m128i *)key_at(keys, stride, i);
        __m128i a = _mm_xor_si128(_mm_loadu_si128(at), r[0]);
        __m128i b = _mm_xor_si128(_mm_loadu_si128(at + 1), r[1]);
        __m128i c = _mm_xor_si128(_mm_loadu_si128(at + 2), r[2]);
        for (int round = 3; round < 6; round++) {
            a = _mm_aesenc_si128(a, r[round]);
            b = _mm_aesenc_si128(b, r[round]);
            c = _mm_aesenc_si128(c, r[round]);
        }
        a = _mm_xor_si128(_mm_xor_si128(a, b), c);
        for (int round = 6; round < 9; round++)
            a = _mm_aesenc_si128(a, r[round]);
        *result_at(ret_hashes, stride, i) = (uint64_t)_mm_cvtsi128_si64(a);
    }
}

#elif defined(__aarch64__) && defined(__linux__)

static bool has_arm_aes(void)
{
    return (getauxval(AT_HWCAP) & HWCAP_AES) != 0;
}

/* AESE adds the round key before the substitution where AESENC adds it after the mixing: the same
 * rounds, shifted by one key. */
__attribute__((target("+crypto"))) static inline uint8x16_t arm_round(uint8x16_t block,
                                                                      const uint8_t *key)
{
    uint8x16_t mixed = vaesmcq_u8(vaeseq_u8(block, vdupq_n_u8(0)));
    return veorq_u8(mixed, vld1q_u8(key));
}

__attribute__((target("+crypto"))) static void hash_arm_aes(const struct dp_hash *h,
                                                            const struct dp_key *keys,
                                                            uint64_t *ret_hashes, size_t stride,
                                                            uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        const uint8_t *at = (const uint8_t *)key_at(keys, stride, i);
        uint8x16_t a = veorq_u8(vld1q_u8(at), vld1q_u8(h->rounds[0]));
        uint8x16_t b = veorq_u8(vld1q_u8(at + 16), vld1q_u8(h->rounds[1]));
        uint8x16_t c = veorq_u8(vld1q_u8(at + 32), vld1q_u8(h->rounds[2]));
        for (int round = 3; round < 6; round++) {
            a = arm_round(a, h->rounds[round]);
            b = arm_round(b, h->rounds[round]);
            c = arm_round(c, h->rounds[round]);
        }
        a = veorq_u8(veorq_u8(a, b), c);
        for (int round = 6; round < 9; round++)
            a = arm_round(a, h->rounds[round]);
        *result_at(ret_hashes, stride, i) = vgetq_lane_u64(vreinterpretq_u64_u8(a), 0);
    }
}

#endif

static const struct dp_hash_choice choices[] = {
#if defined(__x86_64__)
    {"aes-ni", has_aesni, hash_aesni},
#elif defined(__aarch64__) && defined(__linux__)
    {"arm-aes", has_arm_aes, hash_arm_aes},
#endif
    {"siphash-1-3", always, hash_sip},
};

const struct dp_hash_choice *dp_hash_choice(size_t i)
{
    return i < ATL_ARRAY_LEN(choices) ? &choices[i] : NULL;
}

/* All round keys come from the one secret, through SipHash in counter mode. */
static void expand(struct dp_hash *h)
{
    uint64_t word, counter = 0;
    uint8_t *out = &h->rounds[0][0];
    for (size_t at = 0; at < sizeof(h->rounds); at += sizeof(word)) {
        word = atl_hash(&h->key, &counter, sizeof(counter));
        memcpy(out + at, &word, sizeof(word));
        counter++;
    }
}

void dp_hash_init(struct dp_hash *h, const struct atl_hash_key *key,
                  const struct dp_hash_choice *choice)
{
    for (size_t i = 0; choice == NULL; i++)
        if (choices[i].usable())
            choice = &choices[i];
    *h = (struct dp_hash){.key = *key, .burst = choice->burst, .name = choice->name};
    expand(h);
}
