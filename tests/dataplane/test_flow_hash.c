/* SPDX-License-Identifier: Apache-2.0 */
/* The keyed hash and the tag compare: every way to compute them that this processor has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dataplane/flow_hash_priv.h"
#include "dataplane/flow_match_priv.h"
#include "dataplane/packet_priv.h"

enum { KEYS = 64 };

static void fill_keys(struct dp_key keys[KEYS], struct atl_rng *rng)
{
    for (unsigned i = 0; i < KEYS; i++)
        atl_rng_fill(rng, &keys[i], sizeof(keys[i]));
}

static struct dp_hash make_hash(const struct dp_hash_choice *choice, uint64_t secret)
{
    struct dp_hash h;
    struct atl_hash_key key = {secret, ~secret};
    dp_hash_init(&h, &key, choice);
    return h;
}

static const struct dp_hash_choice *usable_hash(size_t i)
{
    return dp_hash_choice(i)->usable() ? dp_hash_choice(i) : NULL;
}

/* Half of the bits, give or take, follow every bit of the key. */
static void every_bit_of_the_key_matters(void **state)
{
    (void)state;
    struct atl_rng rng;
    atl_rng_init_seed(&rng, 1);
    for (size_t c = 0; dp_hash_choice(c) != NULL; c++) {
        if (usable_hash(c) == NULL)
            continue;
        struct dp_hash h = make_hash(usable_hash(c), 7);
        struct dp_key keys[KEYS];
        fill_keys(keys, &rng);
        for (size_t bit = 0; bit < sizeof(keys[0]) * 8; bit++) {
            unsigned changed = 0;
            for (unsigned i = 0; i < KEYS; i++) {
                struct dp_key other = keys[i];
                ((uint8_t *)&other)[bit / 8] ^= (uint8_t)(1U << bit % 8);
                changed += (unsigned)__builtin_popcountll(dp_hash_one(&h, &keys[i]) ^
                                                          dp_hash_one(&h, &other));
            }
            /* Mean 2048, standard deviation 32: within 8 of them. */
            assert_in_range(changed, 2048 - 256, 2048 + 256);
        }
    }
}

/* With another secret, pairs that fell together fall apart: what a CRC or Toeplitz cannot do. */
static void the_secret_decides_who_collides(void **state)
{
    (void)state;
    struct atl_rng rng;
    atl_rng_init_seed(&rng, 2);
    for (size_t c = 0; dp_hash_choice(c) != NULL; c++) {
        if (usable_hash(c) == NULL)
            continue;
        struct dp_hash one = make_hash(usable_hash(c), 1), two = make_hash(usable_hash(c), 2);
        unsigned collisions = 0, still = 0;
        static uint64_t first[1 << 16];
        static struct dp_key seen[1 << 16];
        memset(first, 0, sizeof(first));
        for (unsigned i = 0; i < 1 << 17; i++) {
            struct dp_key key = {0};
            atl_rng_fill(&rng, key.addr[0].bytes + 12, 4);
            uint64_t hash = dp_hash_one(&one, &key);
            unsigned slot = (unsigned)(hash >> 48);
            if (first[slot] != 0 && first[slot] != hash) {
                collisions++;
                still += dp_hash_one(&two, &key) >> 48 == dp_hash_one(&two, &seen[slot]) >> 48;
            }
            first[slot] = hash;
            seen[slot] = key;
        }
        assert_true(collisions > 50000);
        assert_true(still < 20); /* one in 65,536 by chance */
    }
}

/*
 * Differences that a sender may choose: one byte here and one byte there, for every pair of places
 * in different blocks. A hash whose blocks are mixed by a single round loses hundreds of these.
 */
static void chosen_differences_do_not_cancel(void **state)
{
    (void)state;
    struct atl_rng rng;
    atl_rng_init_seed(&rng, 3);
    for (size_t c = 0; dp_hash_choice(c) != NULL; c++) {
        if (usable_hash(c) == NULL)
            continue;
        struct dp_hash h = make_hash(usable_hash(c), 3);
        unsigned near = 0;
        for (unsigned a = 0; a < 48; a++) {
            for (unsigned b = 0; b < 48; b++) {
                for (unsigned turn = 0; turn < 64; turn++) {
                    struct dp_key x = {0}, y = {0};
                    ((uint8_t *)&y)[a] ^= (uint8_t)(1 + atl_rng_below(&rng, 255));
                    ((uint8_t *)&y)[b] ^= (uint8_t)(1 + atl_rng_below(&rng, 255));
                    if (memcmp(&x, &y, sizeof(x)) == 0)
                        continue;
                    near += (dp_hash_one(&h, &x) ^ dp_hash_one(&h, &y)) >> 44 == 0;
                }
            }
        }
        assert_true(near <= 3); /* of 147,456; 0.14 expected */
    }
}

static void a_burst_is_many_single_hashes(void **state)
{
    (void)state;
    struct atl_rng rng;
    atl_rng_init_seed(&rng, 4);
    for (size_t c = 0; dp_hash_choice(c) != NULL; c++) {
        if (usable_hash(c) == NULL)
            continue;
        struct dp_hash h = make_hash(usable_hash(c), 9);
        struct dp_key keys[KEYS];
        struct dp_packet packets[KEYS];
        fill_keys(keys, &rng);
        for (unsigned i = 0; i < KEYS; i++)
            packets[i] = (struct dp_packet){.key = keys[i], .ts_ns = 5};
        h.burst(&h, &packets[0].key, &packets[0].hash, sizeof(packets[0]), KEYS);
        for (unsigned i = 0; i < KEYS; i++) {
            assert_int_equal(packets[i].hash, dp_hash_one(&h, &keys[i]));
            assert_int_equal(packets[i].ts_ns, 5);
        }
    }
}

static void every_compare_finds_the_same_ways(void **state)
{
    (void)state;
    struct atl_rng rng;
    atl_rng_init_seed(&rng, 5);
    enum { BUCKETS = 16, LOOKS = 48 };
    static struct dp_bucket buckets[BUCKETS];
    for (unsigned turn = 0; turn < 200; turn++) {
        uint32_t bucket[LOOKS];
        uint16_t tag[LOOKS], expected[LOOKS], ways[LOOKS];
        for (unsigned i = 0; i < BUCKETS; i++) {
            atl_rng_fill(&rng, &buckets[i], sizeof(buckets[i]));
            /* Few values, so that one tag stands in several ways and behind the tags, too. */
            for (unsigned w = 0; w < DP_BUCKET_WAYS; w++) {
                buckets[i].tag[w] = (uint16_t)(atl_rng_below(&rng, 4) * 0x5555);
                buckets[i].ref[w] = buckets[i].tag[w] * 0x10001U;
            }
        }
        for (unsigned i = 0; i < LOOKS; i++) {
            bucket[i] = (uint32_t)atl_rng_below(&rng, BUCKETS);
            tag[i] = (uint16_t)(atl_rng_below(&rng, 4) * 0x5555);
            expected[i] = 0;
            for (unsigned w = 0; w < DP_BUCKET_WAYS; w++)
                if (buckets[bucket[i]].tag[w] == tag[i])
                    expected[i] |= (uint16_t)(1U << w);
        }
        for (size_t c = 0; dp_match_choice(c) != NULL; c++) {
            if (!dp_match_choice(c)->usable())
                continue;
            dp_match_choice(c)->burst(buckets, bucket, tag, ways, LOOKS);
            for (unsigned i = 0; i < LOOKS; i++)
                assert_int_equal(ways[i], expected[i]);
        }
    }
}

static void the_best_usable_is_taken(void **state)
{
    (void)state;
    const struct dp_match_choice *best = dp_match_best();
    assert_true(best->usable());
    size_t c = 0;
    for (; dp_match_choice(c) != best; c++)
        assert_false(dp_match_choice(c)->usable());
    for (; dp_match_choice(c + 1) != NULL; c++)
        ;
    assert_string_equal(dp_match_choice(c)->name, "scalar");
    for (c = 0; dp_hash_choice(c + 1) != NULL; c++)
        ;
    assert_string_equal(dp_hash_choice(c)->name, "siphash-1-3");
}

int main(void)
{
    if (atl_base_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_bit_of_the_key_matters),
        cmocka_unit_test(the_secret_decides_who_collides),
        cmocka_unit_test(chosen_differences_do_not_cancel),
        cmocka_unit_test(a_burst_is_many_single_hashes),
        cmocka_unit_test(every_compare_finds_the_same_ways),
        cmocka_unit_test(the_best_usable_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
