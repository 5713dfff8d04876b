/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>

#include "fedsync/chunk_priv.h"

static void counts_at_the_borders(void **state)
{
    (void)state;
    static const struct {
        uint32_t total, chunks, last_bytes;
    } cases[] = {
        {1, 1, 1},
        {FED_CHUNK_BYTES - 1, 1, FED_CHUNK_BYTES - 1},
        {FED_CHUNK_BYTES, 1, FED_CHUNK_BYTES},
        {FED_CHUNK_BYTES + 1, 2, 1},
        {FED_UPDATE_BYTES_MAX, 64, FED_CHUNK_BYTES},
    };
    for (size_t i = 0; i < ATL_ARRAY_LEN(cases); i++) {
        uint32_t n = cases[i].chunks;
        assert_int_equal(fed_chunk_count(cases[i].total), n);
        assert_int_equal(fed_chunk_bytes(cases[i].total, n - 1), cases[i].last_bytes);
        assert_int_equal(fed_chunk_bytes(cases[i].total, n), 0);
        assert_int_equal(fed_chunk_bytes(cases[i].total, UINT64_MAX), 0);
        assert_true(fed_chunk_mask(cases[i].total) == (n == 64 ? UINT64_MAX : (1ULL << n) - 1));
    }
}

static void any_order_with_repeats(void **state)
{
    (void)state;
    struct atl_rng rng;
    atl_rng_init_seed(&rng, 1);
    for (uint32_t run = 0; run < 20; run++) {
        uint32_t bytes = 1 + (uint32_t)atl_rng_below(&rng, 8 * FED_CHUNK_BYTES);
        uint8_t *data = malloc(bytes), whole[32];
        atl_rng_fill(&rng, data, bytes);
        fed_hash(whole, data, bytes);
        struct fed_assembler *a;
        assert_int_equal(fed_assembler_create(&a, bytes, whole), 0);
        const uint8_t *joined = NULL;
        uint64_t have = 0;
        for (uint32_t tries = 0; have != fed_chunk_mask(bytes); tries++) {
            assert_true(tries < 1000);
            assert_int_equal(fed_assembler_join(a, &joined), -EAGAIN);
            uint64_t i = atl_rng_below(&rng, fed_chunk_count(bytes));
            int expected = (have >> i & 1) != 0 ? -EALREADY : 0;
            assert_int_equal(
                fed_assembler_add(a, i, data + i * FED_CHUNK_BYTES, fed_chunk_bytes(bytes, i)),
                expected);
            have |= 1ULL << i;
            assert_true(fed_assembler_have(a) == have);
        }
        assert_int_equal(fed_assembler_join(a, &joined), 0);
        assert_memory_equal(joined, data, bytes);
        fed_assembler_destroy(a);
        free(data);
    }
}

static void odd_pieces_are_refused(void **state)
{
    (void)state;
    static const uint8_t data[FED_CHUNK_BYTES];
    uint8_t whole[32] = {0};
    const uint8_t *joined;
    struct fed_assembler *a;
    assert_int_equal(fed_assembler_create(&a, 0, whole), -EINVAL);
    assert_int_equal(fed_assembler_create(&a, FED_UPDATE_BYTES_MAX + 1, whole), -EINVAL);
    assert_int_equal(fed_assembler_create(&a, FED_CHUNK_BYTES + 4, whole), 0);
    assert_int_equal(fed_assembler_add(a, 0, data, FED_CHUNK_BYTES - 4), -EINVAL);
    assert_int_equal(fed_assembler_add(a, 1, data, 8), -EINVAL);
    assert_int_equal(fed_assembler_add(a, 2, data, 4), -EINVAL);
    assert_int_equal(fed_assembler_add(a, 2, data, 0), -EINVAL);
    assert_int_equal(fed_assembler_add(a, 64, data, 4), -EINVAL);
    assert_int_equal(fed_assembler_add(a, UINT64_MAX, data, 4), -EINVAL);
    assert_true(fed_assembler_have(a) == 0);
    assert_int_equal(fed_assembler_add(a, 1, data, 4), 0);
    assert_int_equal(fed_assembler_add(a, 0, data, FED_CHUNK_BYTES), 0);
    assert_int_equal(fed_assembler_join(a, &joined), -EBADMSG); /* all there, another hash */
    fed_assembler_destroy(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_at_the_borders),
        cmocka_unit_test(any_order_with_repeats),
        cmocka_unit_test(odd_pieces_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
