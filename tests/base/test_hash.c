/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base.h"

/* Independent oracle: the byte-at-a-time definition of SipHash-c-d with c = 1, d = 3. */
static uint64_t slow_siphash13(uint64_t k0, uint64_t k1, const uint8_t *m, size_t len)
{
    uint64_t v0 = k0 ^ 0x736f6d6570736575, v1 = k1 ^ 0x646f72616e646f6d;
    uint64_t v2 = k0 ^ 0x6c7967656e657261, v3 = k1 ^ 0x7465646279746573;
#define ROTL(x, b) (((x) << (b)) | ((x) >> (64 - (b))))
#define ROUND()                                                                       \
    do {                                                                              \
        v0 += v1, v2 += v3, v1 = ROTL(v1, 13), v3 = ROTL(v3, 16), v1 ^= v0, v3 ^= v2, \
                            v0 = ROTL(v0, 32), v2 += v1, v0 += v3, v1 = ROTL(v1, 17), \
                            v3 = ROTL(v3, 21), v1 ^= v2, v3 ^= v0, v2 = ROTL(v2, 32); \
    } while (0)
    size_t blocks = len / 8 + 1;
    for (size_t b = 0; b < blocks; b++) {
        uint64_t w = b + 1 == blocks ? (uint64_t)(len & 0xff) << 56 : 0;
        for (size_t i = 0; i < 8 && b * 8 + i < len; i++)
            w |= (uint64_t)m[b * 8 + i] << (8 * i);
        v3 ^= w;
        ROUND();
        v0 ^= w;
    }
    v2 ^= 0xff;
    ROUND();
    ROUND();
    ROUND();
    return v0 ^ v1 ^ v2 ^ v3;
}

static void agrees_with_the_definition(void **state)
{
    (void)state;
    struct atl_hash_key key = {0x0706050403020100, 0x0f0e0d0c0b0a0908};
    uint8_t text[64];
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (uint8_t)i;
    for (size_t n = 0; n <= sizeof(text); n++)
        assert_true(atl_hash(&key, text, n) == slow_siphash13(key.k0, key.k1, text, n));
}

static void another_key_gives_another_hash(void **state)
{
    (void)state;
    struct atl_hash_key a, b;
    atl_hash_key_init(&a);
    atl_hash_key_init(&b);
    assert_true(atl_hash(&a, "same text", 9) != atl_hash(&b, "same text", 9));
}

int main(void)
{
    if (atl_base_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_definition),
        cmocka_unit_test(another_key_gives_another_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
