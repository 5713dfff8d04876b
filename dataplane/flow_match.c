/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/flow_match_priv.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

/*
 * Bounds: the tags are the first 20 bytes of a line of 64, so a load of 16 at byte 0 and one of 16
 * at byte 16, or one of 32 at byte 0, stay inside. What they read beyond the tags is masked away.
 */

static bool always(void)
{
    return true;
}

static void match_scalar(const struct dp_bucket *buckets, const uint32_t *bucket,
                         const uint16_t *tag, uint16_t *ret_ways, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        ret_ways[i] = (uint16_t)dp_match_one(&buckets[bucket[i]], tag[i]);
}

#if defined(__x86_64__)

static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2");
}

/* Packing works within each half of 128 bits: ways 0 … 7 end in byte 0, ways 8 and 9 in byte 2. */
__attribute__((target("avx2"))) static void match_avx2(const struct dp_bucket *buckets,
                                                       const uint32_t *bucket, const uint16_t *tag,
                                                       uint16_t *ret_ways, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        __m256i tags = _mm256_load_si256((const __m256i *)&buckets[bucket[i]]);
        __m256i same = _mm256_cmpeq_epi16(tags, _mm256_set1_epi16((short)tag[i]));
        unsigned bits = (unsigned)_mm256_movemask_epi8(_mm256_packs_epi16(same, same));
        ret_ways[i] = (uint16_t)((bits & 0xff) | (bits >> 8 & 0x300));
    }
}

static void match_sse2(const struct dp_bucket *buckets, const uint32_t *bucket, const uint16_t *tag,
                       uint16_t *ret_ways, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        const __m128i *line = (const __m128i *)&buckets[bucket[i]];
        __m128i wanted = _mm_set1_epi16((short)tag[i]);
        __m128i low = _mm_cmpeq_epi16(_mm_load_si128(line), wanted);
        __m128i high = _mm_cmpeq_epi16(_mm_load_si128(line + 1), wanted);
        unsigned bits = (unsigned)_mm_movemask_epi8(_mm_packs_epi16(low, high));
        ret_ways[i] = (uint16_t)(bits & DP_BUCKET_ALL);
    }
}

#elif defined(__aarch64__)

static void match_neon(const struct dp_bucket *buckets, const uint32_t *bucket, const uint16_t *tag,
                       uint16_t *ret_ways, uint32_t n)
{
    static const uint16_t bits[8] = {1, 2, 4, 8, 16, 32, 64, 128};
    const uint16x8_t weight = vld1q_u16(bits);
    for (uint32_t i = 0; i < n; i++) {
        const uint16_t *tags = buckets[bucket[i]].tag;
        uint16x8_t low = vandq_u16(vceqq_u16(vld1q_u16(tags), vdupq_n_u16(tag[i])), weight);
        unsigned ways = vaddvq_u16(low);
        ways |= (unsigned)(tags[8] == tag[i]) << 8 | (unsigned)(tags[9] == tag[i]) << 9;
        ret_ways[i] = (uint16_t)ways;
    }
}

#endif

static const struct dp_match_choice choices[] = {
#if defined(__x86_64__)
    {"avx2", has_avx2, match_avx2},
    {"sse2", always, match_sse2},
#elif defined(__aarch64__)
    {"neon", always, match_neon},
#endif
    {"scalar", always, match_scalar},
};

const struct dp_match_choice *dp_match_choice(size_t i)
{
    return i < ATL_ARRAY_LEN(choices) ? &choices[i] : NULL;
}

const struct dp_match_choice *dp_match_best(void)
{
    const struct dp_match_choice *choice = choices;
    while (!choice->usable())
        choice++;
    return choice;
}
