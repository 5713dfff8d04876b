/* SPDX-License-Identifier: Apache-2.0 */
/* Who takes part in a round, when, and how long its model is good for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "fedsync/cohort_priv.h"
#include "fedsync/edge_priv.h"
#include "fedsync/hub_priv.h"
#include "world.h"

static void start_all(struct world *world)
{
    world_hub_start(world);
    for (uint32_t i = 0; i < WORLD_EDGES; i++)
        world_edge_start(world, i);
    world_presence(world, true);
}

static void a_limit_lets_so_many_in(void **state)
{
    (void)state;
    enum { N = 1000 };
    static uint64_t lots[N];
    static uint32_t times[N];
    for (uint64_t round = 1; round <= 200; round++) {
        for (uint32_t i = 0; i < N; i++) {
            char name[FED_NAME_BYTES];
            snprintf(name, sizeof(name), "edge-%u", i);
            lots[i] = fed_cohort_lot("north", 1, round, name);
        }
        static uint64_t sorted[N];
        memcpy(sorted, lots, sizeof(lots));
        uint64_t limit = fed_cohort_limit(sorted, N, 100);
        uint32_t in = 0;
        for (uint32_t i = 0; i < N; i++) {
            in += lots[i] <= limit;
            times[i] += lots[i] <= limit;
        }
        assert_int_equal(in, 100);
    }
    /* binomial(200, 0.1): mean 20, deviation 4.2; nobody always, nobody never */
    for (uint32_t i = 0; i < N; i++)
        assert_in_range(times[i], 3, 40);
    assert_true(fed_cohort_limit(lots, N, 0) == FED_COHORT_ALL);
    assert_true(fed_cohort_limit(lots, N, N) == FED_COHORT_ALL);
}

/* Two are wanted of three: as one in 1.3 fails, ceil(2.6) = 3 are asked and two close the round;
 * once all answer in time, two are asked and the third is told that the round is for others */
static void more_are_asked_than_wanted(void **state)
{
    (void)state;
    struct world *world = world_create();
    world->hub_cfg.cohort = 2;
    start_all(world);
    world->hub->completion = 1;
    for (uint64_t round = 1; round <= 6; round++) {
        world_run_until(world, round, 10);
        assert_int_equal(world_info(world, round, FED_ROUND_COMMITTED)->participants, 2);
    }
    uint32_t trained = 0;
    for (uint32_t i = 0; i < WORLD_EDGES; i++)
        trained += world->edges[i].trained;
    assert_int_equal(trained, 12);
    assert_non_null(strstr(world->log, "is for others"));

    for (uint32_t i = 0; i < WORLD_EDGES; i++)
        world->edges[i].slow = true; /* nobody answers: experience says to ask more */
    for (int s = 0; s < 400 && world->hub->completion > 0.7; s++)
        world_run(world, 1);
    assert_true(world->hub->completion <= 0.7);
    world_run(world, 70);
    assert_int_equal(world->hub->asked, 3);
    world_destroy(world);
}

static void edges_begin_one_after_the_other(void **state)
{
    (void)state;
    struct world *world = world_create();
    world->hub_cfg.spread_ns = 20 * ATL_NS_PER_S;
    start_all(world);
    world_run(world, 1);
    atl_ns last_ns = 0;
    for (uint32_t i = 0; i < WORLD_EDGES; i++) {
        atl_ns wait_ns = world->edges[i].edge->not_before_ns - world->now_ns;
        assert_true((int64_t)wait_ns < (int64_t)(20 * ATL_NS_PER_S));
        assert_true(world->edges[i].edge->not_before_ns != last_ns);
        last_ns = world->edges[i].edge->not_before_ns;
    }
    world_run_until(world, 1, 25);
    assert_int_equal(world_info(world, 1, FED_ROUND_COMMITTED)->participants, 3);
    world_destroy(world);
}

/* A silent hub's model is dropped; a living one's is renewed and stays; the next one counts again
 */
static void a_model_expires_when_the_hub_is_silent(void **state)
{
    (void)state;
    struct world *world = world_create();
    world->hub_cfg.model_age_ns = 30 * ATL_NS_PER_S;
    world->hub_cfg.pause_ns = 100 * ATL_NS_PER_S;
    start_all(world);
    world_run_until(world, 1, 10);
    world_run(world, 60);
    assert_int_equal(world->edges[0].expired, 0);
    assert_int_equal(world->edges[0].promoted, 1);

    world_hub_stop(world);
    world_run(world, 31);
    for (uint32_t i = 0; i < WORLD_EDGES; i++)
        assert_int_equal(world->edges[i].expired, 1);
    world_edge_stop(world, 0); /* what is expired stays so over a restart */
    world_edge_start(world, 0);
    world_run(world, 2);
    assert_int_equal(world->edges[0].promoted, 1);

    for (uint32_t i = 0; i < WORLD_EDGES; i++)
        world->edges[i].not_ready = true; /* no new round yet */
    world_hub_start(world);
    world_presence(world, true);
    world_run(world, 2);
    for (uint32_t i = 0; i < WORLD_EDGES; i++) {
        assert_int_equal(world->edges[i].promoted, 2);
        world->edges[i].not_ready = false;
    }
    world_run_until(world, 2, 120);
    assert_int_equal(world->edges[1].promoted_round, 2);
    world_destroy(world);
}

int main(void)
{
    if (atl_base_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_limit_lets_so_many_in),
        cmocka_unit_test(more_are_asked_than_wanted),
        cmocka_unit_test(edges_begin_one_after_the_other),
        cmocka_unit_test(a_model_expires_when_the_hub_is_silent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
