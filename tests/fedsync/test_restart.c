/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "world.h"

static struct world *started(void)
{
    struct world *world = world_create();
    world_hub_start(world);
    for (uint32_t i = 0; i < WORLD_EDGES; i++)
        world_edge_start(world, i);
    return world;
}

static void restart_edge(struct world *world, uint32_t at)
{
    world_edge_stop(world, at);
    world_edge_start(world, at);
    world_deliver(world);
}

static void restart_hub(struct world *world)
{
    world_hub_stop(world);
    world_hub_start(world);
}

/* Killed after training, before the acknowledgement: the kept update is sent, nothing is trained
 * or charged twice. */
static void an_edge_killed_while_sending_sends_the_same(void **state)
{
    (void)state;
    struct world *world = started();
    world->edges[1].slow = world->edges[2].slow = true;
    world->drop_acks = true;
    world_run(world, 2);
    assert_int_equal(fed_edge_state(world->edges[0].edge), FED_EDGE_SENDING);
    restart_edge(world, 0);
    assert_int_equal(fed_edge_state(world->edges[0].edge), FED_EDGE_SENDING);
    world->drop_acks = false;
    world_run(world, 5);
    assert_int_equal(fed_edge_state(world->edges[0].edge), FED_EDGE_DONE);
    assert_int_equal(world->edges[0].trained, 1);
    assert_int_equal(priv_ledger_entries(world->edges[0].ledger), 1);
    assert_int_equal(world_info(world, 1, FED_ROUND_OPEN)->participants, 1);
    world->edges[1].slow = world->edges[2].slow = false;
    world_run_until(world, 1, 5);
    assert_int_equal(world_info(world, 1, FED_ROUND_COMMITTED)->participants, 3);
    world_destroy(world);
}

static const char *const ledger_files[] = {"privacy.ledger", "privacy.anchor"};

static void ledger_path(char out[FIXTURE_PATH_BYTES + 64], const struct world *world,
                        const char *file)
{
    snprintf(out, FIXTURE_PATH_BYTES + 64, "%s/ledger-%s/%s", world->dir,
             world->edges[0].identity.name, file);
}

/* Ledger and anchor thrown away together: the update that was released tells. */
static void an_edge_with_a_new_ledger_contributes_no_more(void **state)
{
    (void)state;
    struct world *world = started();
    world_run_until(world, 1, 10);
    world_edge_stop(world, 0);
    for (size_t i = 0; i < ATL_ARRAY_LEN(ledger_files); i++) {
        char path[FIXTURE_PATH_BYTES + 64];
        ledger_path(path, world, ledger_files[i]);
        assert_int_equal(unlink(path), 0);
    }
    world_edge_start(world, 0);
    world_run_until(world, 2, 70);
    assert_int_equal(world->edges[0].trained, 1);
    assert_int_equal(fed_edge_round(world->edges[0].edge), 2); /* it still receives */
    assert_int_equal(world_info(world, 2, FED_ROUND_COMMITTED)->participants, 2);
    assert_non_null(strstr(world->log, "it is new or an old copy"));
    world_destroy(world);
}

/* Both put back as they were a round ago: they fit each other, but not what was released. */
static void an_edge_with_an_old_ledger_contributes_no_more(void **state)
{
    (void)state;
    struct world *world = started();
    uint8_t *old[ATL_ARRAY_LEN(ledger_files)];
    size_t bytes[ATL_ARRAY_LEN(ledger_files)];
    char path[FIXTURE_PATH_BYTES + 64];
    world_run_until(world, 1, 10);
    for (size_t i = 0; i < ATL_ARRAY_LEN(ledger_files); i++) {
        ledger_path(path, world, ledger_files[i]);
        assert_int_equal(atl_file_read(path, 1 << 16, &old[i], &bytes[i], NULL), 0);
    }
    world_run_until(world, 2, 10);
    assert_int_equal(world->edges[0].trained, 2);
    world_edge_stop(world, 0);
    for (size_t i = 0; i < ATL_ARRAY_LEN(ledger_files); i++) {
        ledger_path(path, world, ledger_files[i]);
        assert_int_equal(atl_file_write(path, old[i], bytes[i], 0600, NULL), 0);
        free(old[i]);
    }
    world_edge_start(world, 0);
    assert_int_equal(priv_ledger_entries(world->edges[0].ledger), 1); /* it opens */
    assert_true(isnan(fed_edge_spent(world->edges[0].edge)));
    assert_true(fed_edge_spent(world->edges[1].edge) > 0);
    world_run_until(world, 3, 70);
    assert_int_equal(world->edges[0].trained, 2);
    assert_int_equal(world_info(world, 3, FED_ROUND_COMMITTED)->participants, 2);
    assert_non_null(strstr(world->log, "it is new or an old copy"));
    world_destroy(world);
}

/* Killed while training: charged but lost. The round is skipped, the next one is not. */
static void an_edge_killed_while_training_skips_the_round(void **state)
{
    (void)state;
    struct world *world = started();
    world->edges[0].slow = true;
    world_run(world, 1);
    assert_int_equal(fed_edge_state(world->edges[0].edge), FED_EDGE_TRAINING);
    restart_edge(world, 0);
    assert_int_equal(fed_edge_state(world->edges[0].edge), FED_EDGE_IDLE);
    world->edges[0].slow = false;
    world_run_until(world, 1, 70);
    assert_int_equal(world->edges[0].trained, 1);
    assert_int_equal(priv_ledger_entries(world->edges[0].ledger), 1);
    assert_int_equal(world_info(world, 1, FED_ROUND_COMMITTED)->participants, 2);
    world_run_until(world, 2, 10);
    assert_int_equal(world_info(world, 2, FED_ROUND_COMMITTED)->participants, 3);
    world_destroy(world);
}

static void an_edge_promotes_the_kept_model_after_a_restart(void **state)
{
    (void)state;
    struct world *world = started();
    world_run_until(world, 1, 10);
    world_hub_stop(world);
    memset(world->edges[0].model, 0, world->params * sizeof(float));
    restart_edge(world, 0);
    assert_int_equal(fed_edge_round(world->edges[0].edge), 1);
    world_run(world, 2);
    assert_int_equal(world->edges[0].promoted, 2); /* once when it came, once after the restart */
    assert_memory_equal(world->edges[0].model, world->edges[1].model,
                        world->params * sizeof(float));
    world_destroy(world);
}

/* One acknowledged update is no quorum: abandoned, and the edges are not held up by the old plan.
 */
static void a_hub_killed_early_abandons_and_goes_on(void **state)
{
    (void)state;
    struct world *world = started();
    world->edges[1].slow = world->edges[2].slow = true;
    world_run(world, 3);
    assert_int_equal(fed_edge_state(world->edges[0].edge), FED_EDGE_DONE);
    double asked = fed_hub_spent(world->hub);
    assert_true(asked > 0);
    restart_hub(world);
    assert_true(fed_hub_spent(world->hub) == asked);
    world_run(world, 1);
    const struct fed_round_info *info = world_info(world, 1, FED_ROUND_ABANDONED);
    assert_non_null(info);
    assert_int_equal(info->participants, 1);
    assert_int_equal(info->epoch, 2);
    assert_int_equal(fed_edge_state(world->edges[1].edge), FED_EDGE_IDLE); /* epoch 1 is over */
    world->edges[1].slow = world->edges[2].slow = false;
    world_answer(world, 1); /* to the old plan: dropped */
    world_answer(world, 2);
    world_run_until(world, 2, 10);
    info = world_info(world, 2, FED_ROUND_COMMITTED);
    assert_int_equal(info->participants, 3);
    assert_int_equal(info->epoch, 2);
    world_destroy(world);
}

/* What was acknowledged counts, also when the hub dies before it adds up. */
static void a_hub_killed_late_commits_what_it_acknowledged(void **state)
{
    (void)state;
    struct world *world = started();
    world->edges[2].slow = true;
    world_run(world, 3);
    assert_int_equal(fed_edge_state(world->edges[0].edge), FED_EDGE_DONE);
    assert_int_equal(fed_edge_state(world->edges[1].edge), FED_EDGE_DONE);
    restart_hub(world);
    world_run(world, 1);
    const struct fed_round_info *info = world_info(world, 1, FED_ROUND_COMMITTED);
    assert_non_null(info);
    assert_int_equal(info->participants, 2);
    const float *base = learn_model_params(world->base);
    for (uint32_t i = 0; i < world->params; i++) {
        double mean = ((double)world_delta(0, 1, i) + (double)world_delta(1, 1, i)) / 2;
        assert_true(world->edges[2].model[i] == (float)((double)base[i] + mean));
    }
    world_destroy(world);
}

static void a_hub_restarted_between_rounds_keeps_its_model(void **state)
{
    (void)state;
    struct world *world = started();
    world_run_until(world, 2, 20);
    struct fed_round_info before = *world_info(world, 2, FED_ROUND_COMMITTED);
    restart_hub(world);
    assert_int_equal(fed_hub_round(world->hub), 2);
    world_run_until(world, 3, 10);
    assert_int_equal(world->edges[0].promoted, 3); /* the same model again is no promotion */
    const struct fed_round_info *after = world_info(world, 3, FED_ROUND_COMMITTED);
    assert_true(after->epsilon > before.epsilon);
    assert_int_equal(after->epoch, before.epoch + 1);
    world_destroy(world);
}

static void every_moment_of_a_hub(void **state)
{
    (void)state;
    struct world *world = started();
    atl_rng_init_seed(&world->rng, 3);
    uint64_t last = 0;
    for (uint32_t s = 0; s < 60; s++) {
        if (atl_rng_below(&world->rng, 3) == 0)
            restart_hub(world);
        if (atl_rng_below(&world->rng, 3) == 0)
            world_lose(world);
        if (atl_rng_below(&world->rng, 5) == 0)
            restart_edge(world, (uint32_t)atl_rng_below(&world->rng, WORLD_EDGES));
        world_run(world, 1);
        assert_true(fed_hub_round(world->hub) >= last);
        last = fed_hub_round(world->hub);
        for (uint32_t i = 0; i < WORLD_EDGES; i++) {
            assert_true(fed_edge_round(world->edges[i].edge) <= last);
            assert_true(priv_ledger_entries(world->edges[i].ledger) >= world->edges[i].trained);
        }
    }
    assert_true(last > 2);
    world_destroy(world);
}

/* No acknowledgement for what is not on disk; when the disk is back, all goes on. */
static void nothing_is_acknowledged_that_is_not_on_disk(void **state)
{
    (void)state;
    struct world *world = started();
    char dir[FIXTURE_PATH_BYTES], away[FIXTURE_PATH_BYTES];
    fixture_path(dir, world->dir, "state-hub");
    fixture_path(away, world->dir, "away");
    for (uint32_t i = 0; i < WORLD_EDGES; i++)
        world->edges[i].slow = true;
    world_run(world, 1);
    assert_int_equal(rename(dir, away), 0);
    for (uint32_t i = 0; i < WORLD_EDGES; i++)
        world_answer(world, i);
    world_run(world, 2);
    assert_int_equal(world->acks, 0);
    assert_int_equal(fed_edge_state(world->edges[0].edge), FED_EDGE_SENDING);
    assert_int_equal(rename(away, dir), 0);
    world_run_until(world, 1, 20);
    assert_int_equal(world_info(world, 1, FED_ROUND_COMMITTED)->participants, 3);
    world_destroy(world);
}

static void damaged_state_is_refused_by_name(void **state)
{
    (void)state;
    struct world *world = started();
    struct atl_error err;
    char path[FIXTURE_PATH_BYTES];
    uint8_t *data;
    size_t bytes;
    world_run_until(world, 1, 10);
    world_hub_stop(world);
    fixture_path(path, world->dir, "state-hub/hub.cbor");
    assert_int_equal(atl_file_read(path, 1 << 20, &data, &bytes, &err), 0);
    data[bytes / 2] ^= 1;
    assert_int_equal(atl_file_write(path, data, bytes, 0600, &err), 0);
    free(data);
    char dir[FIXTURE_PATH_BYTES];
    fixture_path(dir, world->dir, "state-hub");
    const struct fed_hub_ops ops = {0};
    world->hub_cfg.state_dir = dir;
    assert_int_equal(fed_hub_create(&world->hub, &world->hub_cfg, world->base, &world->hub_identity,
                                    world->roster, &ops, &err),
                     -EBADMSG);
    assert_null(world->hub);
    assert_non_null(strstr(err.text, "hub.cbor"));
    assert_non_null(strstr(err.text, "give the federation another name"));
    world_destroy(world);
}

int main(void)
{
    if (atl_base_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_edge_killed_while_sending_sends_the_same),
        cmocka_unit_test(an_edge_with_a_new_ledger_contributes_no_more),
        cmocka_unit_test(an_edge_with_an_old_ledger_contributes_no_more),
        cmocka_unit_test(an_edge_killed_while_training_skips_the_round),
        cmocka_unit_test(an_edge_promotes_the_kept_model_after_a_restart),
        cmocka_unit_test(a_hub_killed_early_abandons_and_goes_on),
        cmocka_unit_test(a_hub_killed_late_commits_what_it_acknowledged),
        cmocka_unit_test(a_hub_restarted_between_rounds_keeps_its_model),
        cmocka_unit_test(every_moment_of_a_hub),
        cmocka_unit_test(nothing_is_acknowledged_that_is_not_on_disk),
        cmocka_unit_test(damaged_state_is_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
