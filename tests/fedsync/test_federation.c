/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

static struct world *started(void)
{
    struct world *world = world_create();
    world_hub_start(world);
    for (uint32_t i = 0; i < WORLD_EDGES; i++)
        world_edge_start(world, i);
    return world;
}

/** model += mean of the deltas of those named, in double, one rounding at the end. */
static void apply_round(const struct fed_round_info *info, float *model, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        double sum = 0;
        for (uint32_t p = 0; p < info->participants; p++)
            sum += (double)world_delta((uint32_t)info->names[p][5] - '1', info->round, i);
        model[i] = (float)((double)model[i] + sum / info->participants);
    }
}

static float *copy_base(const struct world *world)
{
    float *model = malloc(world->params * sizeof(float));
    assert_non_null(model);
    memcpy(model, learn_model_params(world->base), world->params * sizeof(float));
    return model;
}

static void three_rounds_commit_the_mean(void **state)
{
    (void)state;
    struct world *world = world_create();
    world->hub_cfg.rounds = 3;
    world->hub_cfg.sample_rate = 0.02;
    world->hub_cfg.noise_multiplier = 1.1;
    world_hub_start(world);
    for (uint32_t i = 0; i < WORLD_EDGES; i++)
        world_edge_start(world, i);
    float *expected = copy_base(world);
    double last_epsilon = 0;
    for (uint64_t round = 1; round <= 3; round++) {
        world_run_until(world, round, 10);
        const struct fed_round_info *info = world_info(world, round, FED_ROUND_COMMITTED);
        assert_non_null(info);
        assert_int_equal(info->participants, 3);
        assert_string_equal(info->names[0], "edge-1");
        assert_string_equal(info->names[2], "edge-3");
        assert_true(info->bytes > 2 * world->params * sizeof(float));
        assert_true(info->update_norm > 0);

        struct priv_event event = {.mechanism = PRIV_POISSON_GAUSSIAN,
                                   .q = world->hub_cfg.sample_rate,
                                   .sigma = world->hub_cfg.noise_multiplier,
                                   .steps = round * world->hub_cfg.steps};
        double epsilon;
        assert_int_equal(priv_epsilon(PRIV_RDP, &event, 1, 1e-5, &epsilon, NULL), 0);
        assert_true(fabs(info->epsilon - epsilon) < 1e-9 && epsilon > last_epsilon);
        last_epsilon = epsilon;

        apply_round(info, expected, world->params);
        for (uint32_t i = 0; i < WORLD_EDGES; i++) {
            assert_int_equal(fed_edge_round(world->edges[i].edge), round);
            assert_int_equal(world->edges[i].promoted, round);
            assert_memory_equal(world->edges[i].model, expected, world->params * sizeof(float));
            assert_true(fabs(priv_ledger_epsilon(world->edges[i].ledger) - epsilon) < 1e-9);
        }
    }
    assert_true(fed_hub_finished(world->hub));
    world_run(world, 5);
    assert_null(world_info(world, 4, FED_ROUND_OPEN));
    assert_int_equal(fed_hub_refused(world->hub), 0);
    assert_int_equal(fed_edge_refused(world->edges[0].edge), 0);
    free(expected);
    world_destroy(world);
}

/* Whatever the network does, a round is committed with exactly the mean of those it names, or it
 * is abandoned and a later one commits. */
static void lossy_links_never_spoil_a_model(void **state)
{
    (void)state;
    uint32_t partial = 0;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct world *world = started();
        float *expected = copy_base(world);
        atl_rng_init_seed(&world->rng, seed);
        world->drop_percent = 25 + 8 * (uint32_t)seed;
        world->repeat_percent = 20;
        uint32_t seen = 0, commits = 0;
        for (uint32_t s = 0; s < 1200 && commits < 5; s++) {
            if (s % 40 == 0) { /* somebody's link comes back */
                uint32_t at = (uint32_t)atl_rng_below(&world->rng, WORLD_EDGES);
                world_edge_stop(world, at);
                world_edge_start(world, at);
            }
            world_run(world, 1);
            for (; seen < world->n_infos; seen++) {
                const struct fed_round_info *info = &world->infos[seen % WORLD_INFOS];
                if (info->state != FED_ROUND_COMMITTED)
                    continue;
                commits++;
                partial += info->participants < WORLD_EDGES;
                apply_round(info, expected, world->params);
                struct learn_model *model;
                uint8_t hash[32];
                assert_int_equal(learn_model_from_params(&model, &world->shape, expected, NULL), 0);
                learn_model_hash(model, hash);
                learn_model_destroy(model);
                assert_memory_equal(hash, info->model_hash, sizeof(hash));
            }
        }
        assert_true(commits >= 5);
        world->drop_percent = world->repeat_percent = 0;
        uint64_t last = fed_hub_round(world->hub); /* good links: the next two rounds commit one */
        world_run(world, 130);
        assert_true(fed_hub_round(world->hub) > last);
        free(expected);
        world_destroy(world);
    }
    assert_true(partial > 0); /* the links were really bad */
}

static void a_spent_budget_refuses_while_others_go_on(void **state)
{
    (void)state;
    struct world *world = world_create();
    struct priv_event event = {.mechanism = PRIV_POISSON_GAUSSIAN,
                               .q = world->hub_cfg.sample_rate,
                               .sigma = world->hub_cfg.noise_multiplier,
                               .steps = world->hub_cfg.steps};
    double once;
    assert_int_equal(priv_epsilon(PRIV_RDP, &event, 1, 1e-5, &once, NULL), 0);
    world->edges[1].budget = once * 1.01;
    world_hub_start(world);
    for (uint32_t i = 0; i < WORLD_EDGES; i++)
        world_edge_start(world, i);
    world_run_until(world, 1, 10);
    assert_int_equal(world_info(world, 1, FED_ROUND_COMMITTED)->participants, 3);
    world_run(world, 3);
    assert_int_equal(fed_edge_state(world->edges[1].edge), FED_EDGE_REFUSED);
    world_run_until(world, 2, 70); /* all were online, so the deadline closes it */
    assert_int_equal(world_info(world, 2, FED_ROUND_COMMITTED)->participants, 2);
    assert_int_equal(world->edges[1].trained, 1);
    assert_true(priv_ledger_epsilon(world->edges[1].ledger) <= world->edges[1].budget);
    assert_int_equal(world->edges[1].promoted_round, 2); /* it still receives */

    world_hub_stop(world); /* a cheaper plan is accepted again */
    world->hub_cfg.steps = 1;
    world->hub_cfg.noise_multiplier = 1000;
    world_hub_start(world);
    world_run_until(world, 3, 10);
    assert_int_equal(world_info(world, 3, FED_ROUND_COMMITTED)->participants, 3);
    world_destroy(world);
}

static void without_ledger_nothing_leaves(void **state)
{
    (void)state;
    struct world *world = world_create();
    world->edges[0].no_ledger = true;
    world_hub_start(world);
    for (uint32_t i = 0; i < WORLD_EDGES; i++)
        world_edge_start(world, i);
    world_run_until(world, 1, 70);
    assert_int_equal(world->edges[0].trained, 0);
    assert_int_equal(world->edges[0].promoted_round, 1);
    assert_int_equal(world_info(world, 1, FED_ROUND_COMMITTED)->participants, 2);
    world_destroy(world);
}

/* A busy owner is asked again, and only for the latest model. */
static void a_model_that_comes_too_soon_is_offered_again(void **state)
{
    (void)state;
    struct world *world = started();
    world->edges[0].busy = true;
    world_run_until(world, 2, 20);
    assert_int_equal(world->edges[0].promoted, 0);
    assert_int_equal(world->edges[1].promoted_round, 2);
    world->edges[0].busy = false;
    fed_edge_step(world->edges[0].edge, world->now_ns);
    fed_edge_step(world->edges[0].edge, world->now_ns);
    assert_int_equal(world->edges[0].promoted, 1);
    assert_int_equal(world->edges[0].promoted_round, 2);
    assert_memory_equal(world->edges[0].model, world->edges[1].model,
                        world->params * sizeof(float));
    world_destroy(world);
}

/* An edge that has not seen enough rows waits, uncharged, and joins when it has. */
static void not_ready_costs_nothing(void **state)
{
    (void)state;
    struct world *world = started();
    world->edges[2].not_ready = true;
    world_run(world, 10);
    assert_int_equal(fed_edge_state(world->edges[2].edge), FED_EDGE_IDLE);
    assert_int_equal(priv_ledger_entries(world->edges[2].ledger), 0);
    assert_int_equal(fed_edge_state(world->edges[0].edge), FED_EDGE_DONE);
    world->edges[2].not_ready = false;
    world_run_until(world, 1, 5);
    assert_int_equal(world_info(world, 1, FED_ROUND_COMMITTED)->participants, 3);
    assert_int_equal(priv_ledger_entries(world->edges[2].ledger), 1);
    world_destroy(world);
}

static void no_round_without_a_quorum_online(void **state)
{
    (void)state;
    struct world *world = started();
    fed_hub_presence(world->hub, "edge-1", false);
    fed_hub_presence(world->hub, "edge-1", false);
    fed_hub_presence(world->hub, "edge-3", false);
    fed_hub_presence(world->hub, "nobody", true);
    fed_hub_presence(world->hub, "hub", true);
    world_run(world, 20);
    assert_int_equal(world->n_infos, 0);
    fed_hub_presence(world->hub, "edge-3", true);
    world_run(world, 1);
    assert_non_null(world_info(world, 1, FED_ROUND_OPEN));
    assert_true(world_info(world, 1, FED_ROUND_OPEN)->quorum == 2);
    world_destroy(world);
}

/* Too few answers by the deadline: the round is given up, the next number is used. */
static void too_few_updates_abandon_the_round(void **state)
{
    (void)state;
    struct world *world = started();
    world->edges[1].slow = world->edges[2].slow = true;
    world_run(world, 62);
    const struct fed_round_info *info = world_info(world, 1, FED_ROUND_ABANDONED);
    assert_non_null(info);
    assert_int_equal(info->participants, 1);
    assert_int_equal(fed_hub_round(world->hub), 0);
    world_answer(world, 1); /* late: dropped at the edge */
    world_answer(world, 2);
    world->edges[1].slow = world->edges[2].slow = false;
    world_run_until(world, 2, 10);
    assert_int_equal(world_info(world, 2, FED_ROUND_COMMITTED)->participants, 3);
    assert_int_equal(world->edges[1].trained, 2);
    world_destroy(world);
}

/* The farther from where all began, the worse */
static double far_is_bad(void *ctx, const float *params, uint32_t n)
{
    const struct world *world = ctx;
    const float *base = learn_model_params(world->base);
    double far = 0;
    for (uint32_t i = 0; i < n; i++)
        far += pow((double)params[i] - (double)base[i], 2);
    return 1 + far;
}

/* The canary leaves out who spoils, keeps the rest, and after three times listens no more; the
 * operator's file remembers across a restart */
static void the_canary_finds_who_spoils(void **state)
{
    (void)state;
    struct world *world = world_create();
    float *bad = calloc(world->params, sizeof(float)), *none = calloc(world->params, sizeof(float));
    bad[3] = 4;
    world->judge = far_is_bad;
    world->hub_cfg.norm_max = 0;
    world->hub_cfg.encoding = FED_ROTATED4;
    world_hub_start(world);
    for (uint32_t i = 0; i < WORLD_EDGES; i++) {
        world->edges[i].answer = i == 1 ? bad : none;
        world_edge_start(world, i);
    }
    for (uint64_t round = 1; round <= 3; round++) {
        world_run_until(world, round, 70);
        const struct fed_round_info *info = world_info(world, round, FED_ROUND_COMMITTED);
        assert_int_equal(info->participants, 2);
        assert_int_equal(info->spoiled, 1);
        assert_true(info->canary_loss == 1);
        assert_int_equal(fed_hub_quarantined(world->hub), round == 3);
    }
    world_hub_stop(world);
    world_hub_start(world);
    assert_int_equal(fed_hub_quarantined(world->hub), 1);
    world_presence(world, true);
    world_run_until(world, 4, 130);
    const struct fed_round_info *info = world_info(world, 4, FED_ROUND_COMMITTED);
    assert_int_equal(info->participants, 2);
    assert_int_equal(info->spoiled, 0);
    assert_non_null(strstr(world->log, "quarantine"));

    /* most of them spoil: the model stays */
    world->edges[0].answer = bad;
    for (int i = 0; i < 70 && world_info(world, 5, FED_ROUND_ABANDONED) == NULL; i++)
        world_run(world, 1);
    assert_non_null(world_info(world, 5, FED_ROUND_ABANDONED));
    assert_int_equal(fed_hub_round(world->hub), 4);
    free(bad);
    free(none);
    world_destroy(world);
}

/* Memory of momentum is part of the hub's state: a restart between rounds changes nothing */
static void momentum_survives_a_restart(void **state)
{
    (void)state;
    uint8_t hash[2][32];
    for (int restart = 0; restart < 2; restart++) {
        struct world *world = world_create();
        world->hub_cfg.optimiser = FED_ADAM;
        world->hub_cfg.rule = FED_RULE_CENTRED;
        world->hub_cfg.server_rate = 0.01F;
        world_hub_start(world);
        for (uint32_t i = 0; i < WORLD_EDGES; i++)
            world_edge_start(world, i);
        for (uint64_t round = 1; round <= 3; round++) {
            world_run_until(world, round, 70);
            if (restart == 1) {
                world_hub_stop(world);
                world_hub_start(world);
                world_presence(world, true);
            }
        }
        memcpy(hash[restart], world_info(world, 3, FED_ROUND_COMMITTED)->model_hash, 32);
        world_destroy(world);
    }
    assert_memory_equal(hash[0], hash[1], 32);
}

static void a_long_update_is_scaled(void **state)
{
    (void)state;
    struct world *world = world_create();
    world->hub_cfg.norm_max = 2;
    world_hub_start(world);
    world_edge_start(world, 0);
    world_edge_start(world, 1);
    float *big = calloc(world->params, sizeof(float)), *none = calloc(world->params, sizeof(float));
    big[0] = 300;
    big[world->params - 1] = -400;
    world->edges[0].answer = big;
    world->edges[1].answer = none;
    world_run_until(world, 1, 70);
    const float *base = learn_model_params(world->base);
    const float *model = world->edges[0].model;
    uint32_t last = world->params - 1;
    assert_float_equal(model[0], base[0] + 0.6F, 1e-6); /* 2 · 3/5 / 2 edges */
    assert_float_equal(model[last], base[last] - 0.8F, 1e-6);
    assert_true(fabs(world_info(world, 1, FED_ROUND_COMMITTED)->update_norm - 1) < 1e-6);
    free(big);
    free(none);
    world_destroy(world);
}

static void an_edge_never_sends_what_is_not_finite(void **state)
{
    (void)state;
    struct world *world = started();
    float *wrong = calloc(world->params, sizeof(float));
    wrong[77] = NAN;
    world->edges[0].answer = wrong;
    world_run(world, 3);
    assert_int_equal(fed_edge_state(world->edges[0].edge), FED_EDGE_IDLE);
    assert_non_null(strstr(world->log, "not finite"));
    world_run_until(world, 1, 70);
    assert_int_equal(world_info(world, 1, FED_ROUND_COMMITTED)->participants, 2);
    free(wrong);
    world_destroy(world);
}

static void lost_pieces_are_sent_again(void **state)
{
    (void)state;
    struct world *world = started();
    world->edges[1].slow = world->edges[2].slow = true;
    world_edge_stop(world, 1);
    world_edge_stop(world, 2);
    world->edges[0].slow = true;
    world_run(world, 1);
    world_answer(world, 0);
    assert_int_equal(world->queued, 2); /* 24,340 parameters: two pieces */
    world->queued = 1;
    free(world->queue[1].payload);
    world_run(world, 1);
    assert_int_equal(fed_edge_state(world->edges[0].edge), FED_EDGE_SENDING);
    assert_int_equal(world->acks, 0);
    world_run(world, 3); /* 2 s, and up to 1 s more at random */
    assert_int_equal(fed_edge_state(world->edges[0].edge), FED_EDGE_DONE);
    assert_int_equal(world->acks, 2); /* "I have the first", "stored" */
    assert_int_equal(world_info(world, 1, FED_ROUND_OPEN)->participants, 1);
    world_destroy(world);
}

/** What an edge's trainer thread does with a plan. */
static float *train_privately(const struct world *world, uint32_t at)
{
    const struct fed_plan *plan = &world->edges[at].job_plan;
    const uint32_t n = 200, n_in = world->shape.n_in;
    float *rows = malloc((size_t)n * n_in * sizeof(float));
    float *delta = malloc(world->params * sizeof(float));
    struct atl_rng rng;
    struct learn_trainer *trainer;
    struct learn_train_config cfg;
    atl_rng_init_seed(&rng, 40 + at);
    for (uint32_t i = 0; i < n * n_in; i++)
        rows[i] = (float)atl_rng_normal(&rng) * 0.1F + (i % n_in < 10 ? 1.0F : 0.0F);
    learn_train_config_default(&cfg);
    cfg.learning_rate = plan->learning_rate;
    atl_rng_init_secure(&rng);
    const struct learn_private private = {.clip = plan->clip,
                                          .noise_multiplier = plan->noise_multiplier,
                                          .sample_rate = plan->sample_rate,
                                          .steps = plan->steps,
                                          .rng = &rng};
    assert_int_equal(learn_trainer_create(&trainer, world->base, &cfg, NULL), 0);
    assert_int_equal(learn_trainer_run_private(trainer, rows, n, &private, NULL), 0);
    const float *base = learn_model_params(world->base), *now = learn_trainer_params(trainer);
    for (uint32_t i = 0; i < world->params; i++)
        delta[i] = now[i] - base[i];
    learn_trainer_destroy(trainer);
    free(rows);
    return delta;
}

static void private_training_goes_through_a_round(void **state)
{
    (void)state;
    struct world *world = world_create();
    world->hub_cfg.norm_max = 0;
    world_hub_start(world);
    float *deltas[WORLD_EDGES];
    for (uint32_t i = 0; i < WORLD_EDGES; i++) {
        world->edges[i].slow = true;
        world_edge_start(world, i);
    }
    world_run(world, 1);
    for (uint32_t i = 0; i < WORLD_EDGES; i++) {
        assert_true(world->edges[i].job);
        deltas[i] = world->edges[i].answer = train_privately(world, i);
        world_answer(world, i);
    }
    world_run_until(world, 1, 5);
    const float *base = learn_model_params(world->base);
    uint32_t moved = 0;
    for (uint32_t i = 0; i < world->params; i++) {
        double mean = ((double)deltas[0][i] + (double)deltas[1][i] + (double)deltas[2][i]) / 3;
        assert_true(world->edges[1].model[i] == (float)((double)base[i] + mean));
        moved += world->edges[1].model[i] != base[i];
    }
    assert_true(moved > world->params / 2);
    for (uint32_t i = 0; i < WORLD_EDGES; i++)
        free(deltas[i]);
    world_destroy(world);
}

/* The wall clock may jump; nobody waits for a time that will not come. */
static void a_clock_set_back_stops_nothing(void **state)
{
    (void)state;
    struct world *world = started();
    world->edges[2].slow = true;
    world->drop_acks = true;
    world_run(world, 3);
    assert_int_equal(fed_edge_state(world->edges[0].edge), FED_EDGE_SENDING);
    world->now_ns -= 3600 * ATL_NS_PER_S;
    world->drop_acks = false;
    world_run(world, 1);
    assert_int_equal(fed_edge_state(world->edges[0].edge), FED_EDGE_DONE);
    world_run_until(world, 1, 61); /* a whole round from the new now, no more */
    world->now_ns -= 3600 * ATL_NS_PER_S;
    world->edges[2].slow = false;
    world_answer(world, 2);
    world_run_until(world, 2, 10);
    world_destroy(world);
}

int main(void)
{
    if (atl_base_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_rounds_commit_the_mean),
        cmocka_unit_test(lossy_links_never_spoil_a_model),
        cmocka_unit_test(a_spent_budget_refuses_while_others_go_on),
        cmocka_unit_test(without_ledger_nothing_leaves),
        cmocka_unit_test(a_model_that_comes_too_soon_is_offered_again),
        cmocka_unit_test(not_ready_costs_nothing),
        cmocka_unit_test(no_round_without_a_quorum_online),
        cmocka_unit_test(too_few_updates_abandon_the_round),
        cmocka_unit_test(the_canary_finds_who_spoils),
        cmocka_unit_test(momentum_survives_a_restart),
        cmocka_unit_test(a_long_update_is_scaled),
        cmocka_unit_test(an_edge_never_sends_what_is_not_finite),
        cmocka_unit_test(lost_pieces_are_sent_again),
        cmocka_unit_test(private_training_goes_through_a_round),
        cmocka_unit_test(a_clock_set_back_stops_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
