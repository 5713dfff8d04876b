/* SPDX-License-Identifier: Apache-2.0 */
/* The table by itself: keys, buckets, victims, memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dataplane/flow_table_priv.h"

static struct dp_table make_table(uint32_t capacity, uint32_t details)
{
    struct dp_table t;
    struct atl_hash_key key;
    atl_hash_key_init(&key);
    assert_int_equal(dp_table_init(&t, capacity, details, DP_DETAIL_FIRST, &key), 0);
    return t;
}

static struct dp_key v4_key(uint32_t number)
{
    struct dp_key key = {.proto = DP_PROTO_UDP};
    for (int i = 0; i < 2; i++)
        memset(key.addr[i].bytes + 10, 0xff, 2);
    memcpy(key.addr[0].bytes + 12, &number, 4);
    return key;
}

static void remove_entry(struct dp_table *t, struct dp_entry *e)
{
    struct dp_key key;
    dp_table_key(t, e, &key);
    dp_table_remove(t, e, dp_table_hash(t, &key));
}

static void a_flow_fits_in_256_bytes(void **state)
{
    (void)state;
    const uint32_t sizes[] = {1024, 65536, 1000000, 1 << 26};
    for (size_t i = 0; i < ATL_ARRAY_LEN(sizes); i++) {
        uint64_t flows = sizes[i];
        assert_true(dp_table_bytes(sizes[i], 0, 0) <= 256 * flows);
        assert_true(dp_table_bytes(sizes[i], sizes[i], DP_DETAIL_FIRST) <= 448 * flows);
        assert_true(dp_table_bytes(sizes[i], sizes[i], DP_DETAIL_SUMS) <= 448 * flows);
    }
}

/* Only the hash may say where a flow lies, so every byte of the key must be compared. */
static void every_byte_of_the_key_is_compared(void **state)
{
    (void)state;
    struct dp_table t = make_table(1024, 0);
    const uint64_t hash = 0x123456789abcdef0;
    struct dp_key v6 = {.proto = DP_PROTO_TCP, .port = {1, 2}};
    memset(v6.addr, 0x20, sizeof(v6.addr));
    const struct dp_key keys[] = {v4_key(1), v6};
    for (size_t k = 0; k < ATL_ARRAY_LEN(keys); k++) {
        assert_non_null(dp_table_insert(&t, &keys[k], hash));
        struct dp_key back;
        dp_table_key(&t, dp_table_find(&t, &keys[k], hash), &back);
        assert_memory_equal(&back, &keys[k], sizeof(back));
        for (size_t at = 0; at < offsetof(struct dp_key, zero); at++) {
            struct dp_key other = keys[k];
            ((uint8_t *)&other)[at] ^= 0x10;
            assert_null(dp_table_find(&t, &other, hash));
        }
    }
    dp_table_finish(&t);
}

static void keys_with_one_hash_stay_apart(void **state)
{
    (void)state;
    enum { ROOM = 2 * DP_BUCKET_WAYS };
    struct dp_table t = make_table(1024, 0);
    struct dp_key keys[ROOM + 1];
    const uint64_t hash = 0x123456789abcdef0;
    for (unsigned i = 0; i <= ROOM; i++) {
        keys[i] = v4_key(i);
        assert_null(dp_table_find(&t, &keys[i], hash));
        struct dp_entry *e = dp_table_insert(&t, &keys[i], hash);
        if (i == ROOM) {
            assert_null(e);
            break;
        }
        assert_non_null(e);
        e->born_ns = 1000 - i;
    }
    for (unsigned i = 0; i < ROOM; i++) {
        struct dp_key key;
        dp_table_key(&t, dp_table_find(&t, &keys[i], hash), &key);
        assert_memory_equal(&key, &keys[i], sizeof(key));
    }
    dp_table_finish(&t);
}

/* Fill both buckets of one hash with settled flows; the higher the number, the older. */
static void fill_settled(struct dp_table *t, uint64_t hash)
{
    for (unsigned i = 0; i < 2 * DP_BUCKET_WAYS; i++) {
        struct dp_key key = v4_key(i);
        struct dp_entry *e = dp_table_insert(t, &key, hash);
        e->born_ns = 1000 - i;
        dp_table_settle(t, e, hash);
    }
}

static void probation_goes_first_then_the_oldest(void **state)
{
    (void)state;
    struct dp_table t = make_table(1024, 0);
    const uint64_t hash = 0x123456789abcdef0;
    fill_settled(&t, hash);
    struct dp_key oldest = v4_key(2 * DP_BUCKET_WAYS - 1), middle = v4_key(3);
    assert_ptr_equal(dp_table_victim(&t, hash), dp_table_find(&t, &oldest, hash));

    dp_table_remove(&t, dp_table_find(&t, &middle, hash), hash);
    assert_null(dp_table_find(&t, &middle, hash));
    struct dp_entry *young = dp_table_insert(&t, &middle, hash);
    assert_non_null(young);
    young->born_ns = 5000;
    assert_ptr_equal(dp_table_victim(&t, hash), young);
    dp_table_settle(&t, young, hash);
    assert_ptr_equal(dp_table_victim(&t, hash), dp_table_find(&t, &oldest, hash));
    assert_int_equal(t.live, 2 * DP_BUCKET_WAYS);
    dp_table_finish(&t);
}

/* The pool is empty, the own buckets hold settled flows only: a neighbour on probation goes. */
static void an_empty_pool_spares_settled_flows(void **state)
{
    (void)state;
    enum { CAPACITY = 2048, NEW = 200 };
    struct dp_table t = make_table(CAPACITY, 0);
    uint32_t settled = 0;
    for (uint32_t i = 0; t.free != DP_NO_ENTRY; i++) {
        struct dp_key key = v4_key(i);
        uint64_t hash = dp_table_hash(&t, &key);
        struct dp_entry *e = dp_table_insert(&t, &key, hash);
        if (e != NULL && i % 4 != 0) {
            dp_table_settle(&t, e, hash);
            settled++;
        }
    }
    uint32_t lost = 0;
    for (uint32_t i = 0; i < NEW; i++) {
        struct dp_key key = v4_key(1000000 + i);
        uint64_t hash = dp_table_hash(&t, &key);
        struct dp_entry *victim = dp_table_victim(&t, hash);
        lost += !victim->probation;
        remove_entry(&t, victim);
        assert_non_null(dp_table_insert(&t, &key, hash));
    }
    assert_true(settled > CAPACITY / 2);
    assert_int_equal(lost, 0);
    dp_table_finish(&t);
}

static void the_pool_fills_to_the_last_entry(void **state)
{
    (void)state;
    enum { FLOWS = 100000 };
    struct dp_table t = make_table(FLOWS, 0);
    uint32_t full = 0;
    for (uint32_t i = 0; i < FLOWS; i++) {
        struct dp_key key = v4_key(i);
        full += dp_table_insert(&t, &key, dp_table_hash(&t, &key)) == NULL;
    }
    print_message("# %u of %u found no room\n", full, FLOWS);
    assert_true(full <= 10);
    assert_int_equal(t.live, FLOWS - full);
    dp_table_finish(&t);
}

/* Staged and single look-ups agree, also for what came and went after the burst was staged. */
static void a_staged_lookup_sees_the_present(void **state)
{
    (void)state;
    enum { FLOWS = 4096 };
    struct dp_table t = make_table(FLOWS, 0);
    struct atl_rng rng;
    static struct dp_packet packets[DP_LOOKUP_MAX];
    struct dp_lookup l;
    atl_rng_init_seed(&rng, 6);
    for (unsigned turn = 0; turn < 2000; turn++) {
        for (unsigned i = 0; i < DP_LOOKUP_MAX; i++) {
            packets[i].key = v4_key((uint32_t)atl_rng_below(&rng, 2 * FLOWS));
            if (i % 3 == 0)
                packets[i].key.addr[0].bytes[0] = 0x20;
        }
        dp_table_hash_packets(&t, packets, DP_LOOKUP_MAX);
        dp_table_stage_buckets(&t, packets, &l, DP_LOOKUP_MAX);
        dp_table_stage_match(&t, packets, &l, DP_LOOKUP_MAX);
        for (unsigned i = 0; i < DP_LOOKUP_MAX; i++) {
            const struct dp_key *key = &packets[i].key;
            struct dp_entry *e = dp_table_stage_find(&t, &packets[i], &l, i);
            assert_ptr_equal(e, dp_table_find(&t, key, dp_table_hash(&t, key)));
            if (e != NULL && atl_rng_below(&rng, 4) == 0)
                remove_entry(&t, e);
            else if (e == NULL)
                dp_table_insert(&t, key, packets[i].hash);
        }
    }
    assert_true(t.live > FLOWS / 2);
    dp_table_finish(&t);
}

static void sizes_are_exact_where_packets_are(void **state)
{
    (void)state;
    for (uint32_t size = 0; size < 61440; size++)
        assert_int_equal(dp_size_unpack(dp_size_pack(size)), size);
    uint32_t before = 0;
    for (uint32_t size = 61440; size < 1200000; size += 77) {
        uint32_t got = dp_size_unpack(dp_size_pack(size));
        assert_true(got >= before && got <= size);
        assert_true(size - got < 256 || got == 1109760);
        before = got;
    }
    assert_int_equal(dp_size_unpack(dp_size_pack(UINT32_MAX)), 1109760);
}

int main(void)
{
    if (atl_base_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flow_fits_in_256_bytes),
        cmocka_unit_test(every_byte_of_the_key_is_compared),
        cmocka_unit_test(keys_with_one_hash_stay_apart),
        cmocka_unit_test(probation_goes_first_then_the_oldest),
        cmocka_unit_test(an_empty_pool_spares_settled_flows),
        cmocka_unit_test(the_pool_fills_to_the_last_entry),
        cmocka_unit_test(a_staged_lookup_sees_the_present),
        cmocka_unit_test(sizes_are_exact_where_packets_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
