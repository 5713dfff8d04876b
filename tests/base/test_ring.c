/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>

#include "base/base.h"

static void refuses_bad_sizes(void **state)
{
    (void)state;
    struct atl_ring *ring = NULL;
    assert_int_equal(atl_ring_create(&ring, 3, 8), -EINVAL);
    assert_int_equal(atl_ring_create(&ring, 4, 0), -EINVAL);
    assert_null(ring);
}

static void full_then_empty(void **state)
{
    (void)state;
    struct atl_ring *ring;
    assert_int_equal(atl_ring_create(&ring, 4, sizeof(uint32_t)), 0);
    for (uint32_t i = 0; i < 4; i++) {
        *(uint32_t *)atl_ring_reserve(ring) = i;
        atl_ring_commit(ring);
    }
    assert_null(atl_ring_reserve(ring));
    assert_int_equal(atl_ring_used(ring), 4);
    const void *elems;
    assert_int_equal(atl_ring_peek(ring, &elems), 4);
    assert_int_equal(((const uint32_t *)elems)[3], 3);
    atl_ring_release(ring, 4);
    assert_int_equal(atl_ring_peek(ring, &elems), 0);
    assert_non_null(atl_ring_reserve(ring));
    atl_ring_destroy(ring);
}

enum { MANY = 2000000 };

static void *produce(void *arg)
{
    struct atl_ring *ring = arg;
    for (uint64_t i = 0; i < MANY;) {
        uint64_t *slot = atl_ring_reserve(ring);
        if (slot == NULL)
            continue;
        *slot = i++;
        atl_ring_commit(ring);
    }
    return NULL;
}

static void two_threads_keep_the_order(void **state)
{
    (void)state;
    struct atl_ring *ring;
    assert_int_equal(atl_ring_create(&ring, 1024, sizeof(uint64_t)), 0);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, produce, ring), 0);
    uint64_t expected = 0, wrong = 0;
    while (expected < MANY) {
        const void *elems;
        uint32_t n = atl_ring_peek(ring, &elems);
        for (uint32_t i = 0; i < n; i++)
            wrong += ((const uint64_t *)elems)[i] != expected++;
        atl_ring_release(ring, n);
    }
    pthread_join(thread, NULL);
    assert_int_equal(wrong, 0);
    atl_ring_destroy(ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_bad_sizes),
        cmocka_unit_test(full_then_empty),
        cmocka_unit_test(two_threads_keep_the_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
