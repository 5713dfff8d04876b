/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fedsync/chunk_priv.h"
#include "fedsync/codec_priv.h"
#include "fedsync/edge_priv.h"
#include "fedsync/envelope_priv.h"
#include "fedsync/hub_priv.h"
#include "fedsync/message_priv.h"
#include "world.h"

/** A federation with an open round 1 (epoch 1) in which every trainer still works. */
static struct world *with_open_round(void)
{
    struct world *world = world_create();
    world_hub_start(world);
    for (uint32_t i = 0; i < WORLD_EDGES; i++) {
        world->edges[i].slow = true;
        world_edge_start(world, i);
    }
    world_run(world, 1);
    for (uint32_t i = 0; i < WORLD_EDGES; i++)
        assert_int_equal(fed_edge_state(world->edges[i].edge), FED_EDGE_TRAINING);
    return world;
}

static void inject_signed(struct world *world, uint32_t to, const char *topic,
                          const struct fed_identity *by, const struct fed_envelope *env)
{
    uint8_t *payload;
    size_t bytes;
    assert_int_equal(fed_envelope_seal(&payload, &bytes, env, "north", by), 0);
    world_inject(world, to, topic, payload, bytes);
    free(payload);
}

/* --- towards the hub --- */

struct forgery {
    const struct fed_identity *by;
    const char *topic;
    enum fed_type type;
    uint64_t epoch, round;
    uint32_t params;
    bool wrong_base;
    float value; /* every parameter of the delta */
};

/** Send all chunks of an update with every parameter the same. */
static void forge_update(struct world *world, const struct forgery *f)
{
    size_t bytes = f->params * sizeof(float);
    float *values = malloc(bytes);
    uint8_t *wire = malloc(bytes), *body = malloc(FED_CHUNK_BYTES + FED_BODY_BYTES_MAX);
    for (uint32_t i = 0; i < f->params; i++)
        values[i] = f->value;
    fed_floats_to_wire(wire, values, f->params);
    struct fed_chunk chunk = {.total = (uint32_t)bytes};
    learn_model_hash(world->base, chunk.base_hash);
    chunk.base_hash[0] ^= f->wrong_base;
    fed_hash(chunk.whole, wire, bytes);
    for (uint32_t i = 0; i < fed_chunk_count((uint32_t)bytes); i++) {
        chunk.data = wire + i * FED_CHUNK_BYTES;
        chunk.bytes = fed_chunk_bytes((uint32_t)bytes, i);
        const struct fed_envelope env = {
            .type = f->type,
            .epoch = f->epoch,
            .round = f->round,
            .seq = i,
            .body = body,
            .body_bytes = fed_chunk_encode(&chunk, body, FED_CHUNK_BYTES + FED_BODY_BYTES_MAX)};
        inject_signed(world, WORLD_HUB, f->topic, f->by, &env);
    }
    free(body);
    free(wire);
    free(values);
}

static void forged_updates_have_no_vote(void **state)
{
    (void)state;
    struct world *world = with_open_round();
    struct fed_identity stranger, impostor;
    fixture_person(&stranger, world->dir, "stranger", false);
    impostor = stranger;
    atl_copy(impostor.name, sizeof(impostor.name), "edge-1");
    const struct fed_identity *edge = &world->edges[0].identity;
    const uint32_t n = world->params;
    const struct {
        struct forgery forgery;
        int code;
    } cases[] = {
        {{&stranger, "up/stranger", FED_TYPE_UPDATE, 1, 1, n, false, -1}, -ENOKEY},
        {{&impostor, "up/edge-1", FED_TYPE_UPDATE, 1, 1, n, false, -1}, -EBADMSG},
        {{edge, "up/edge-2", FED_TYPE_UPDATE, 1, 1, n, false, -1}, -EPERM},
        {{&world->hub_identity, "up/hub", FED_TYPE_UPDATE, 1, 1, n, false, -1}, -EPERM},
        {{edge, "up/edge-1", FED_TYPE_MODEL, 1, 1, n, false, -1}, -ENOMSG},
        {{edge, "down/edge-1", FED_TYPE_UPDATE, 1, 1, n, false, -1}, -ENOMSG},
        {{edge, "up/edge-1", FED_TYPE_UPDATE, 0, 1, n, false, -1}, -ESTALE},
        {{edge, "up/edge-1", FED_TYPE_UPDATE, 2, 1, n, false, -1}, -ESTALE},
        {{edge, "up/edge-1", FED_TYPE_UPDATE, 1, 2, n, false, -1}, -ESTALE},
        {{edge, "up/edge-1", FED_TYPE_UPDATE, 1, 1, n, true, -1}, -EINVAL},
        {{edge, "up/edge-1", FED_TYPE_UPDATE, 1, 1, n + 1, false, -1}, -EINVAL},
    };
    for (size_t i = 0; i < ATL_ARRAY_LEN(cases); i++) {
        uint64_t before = fed_refused(&world->hub->refusals, cases[i].code);
        forge_update(world, &cases[i].forgery);
        assert_int_equal(fed_refused(&world->hub->refusals, cases[i].code),
                         before + fed_chunk_count(4 * cases[i].forgery.params));
    }
    assert_int_equal(world->acks, 0);
    assert_int_equal(world->hub->votes, 0);

    /* and the round is committed with the honest ones only */
    for (uint32_t i = 0; i < WORLD_EDGES; i++)
        world_answer(world, i);
    world_run_until(world, 1, 5);
    const float *base = learn_model_params(world->base);
    for (uint32_t i = 0; i < n; i++) {
        double mean = ((double)world_delta(0, 1, i) + (double)world_delta(1, 1, i) +
                       (double)world_delta(2, 1, i)) /
                      3;
        assert_true(world->edges[0].model[i] == (float)((double)base[i] + mean));
    }
    world_destroy(world);
}

static void a_member_has_one_vote_and_no_nan(void **state)
{
    (void)state;
    struct world *world = with_open_round();
    struct forgery f = {
        &world->edges[0].identity, "up/edge-1", FED_TYPE_UPDATE, 1, 1, world->params, false, 0.5F};
    forge_update(world, &f);
    assert_int_equal(world->hub->votes, 1);
    assert_int_equal(world->acks, 1);
    forge_update(world, &f); /* again: answered again, counted once */
    assert_int_equal(world->hub->votes, 1);
    f.value = 0.25F; /* a second opinion */
    forge_update(world, &f);
    assert_int_equal(world->hub->votes, 1);
    assert_int_equal(fed_refused(&world->hub->refusals, -EALREADY), 4);

    struct forgery nan = f;
    nan.by = &world->edges[1].identity;
    nan.topic = "up/edge-2";
    nan.value = NAN;
    forge_update(world, &nan);
    assert_int_equal(world->hub->votes, 1);
    assert_int_equal(fed_refused(&world->hub->refusals, -EDOM), 1);
    nan.value = 0; /* it had its say */
    forge_update(world, &nan);
    assert_int_equal(world->hub->votes, 1);
    world_destroy(world);
}

static void an_update_of_an_earlier_round_is_stale(void **state)
{
    (void)state;
    struct world *world = with_open_round();
    uint8_t *old = NULL;
    size_t bytes = 0;
    world_answer(world, 0);
    for (uint32_t i = 0; i < world->queued && old == NULL; i++)
        if (world->queue[i].to == WORLD_HUB) {
            bytes = world->queue[i].bytes;
            old = malloc(bytes);
            memcpy(old, world->queue[i].payload, bytes);
        }
    assert_non_null(old);
    world_answer(world, 1);
    world_answer(world, 2);
    world_run_until(world, 1, 5);
    world_run(world, 2);
    assert_non_null(world_info(world, 2, FED_ROUND_OPEN));
    assert_int_equal(fed_refused(&world->hub->refusals, -ESTALE), 0);
    world_inject(world, WORLD_HUB, "up/edge-1", old, bytes);
    assert_int_equal(fed_refused(&world->hub->refusals, -ESTALE), 1);
    assert_int_equal(world->hub->votes, 0);
    free(old);
    world_destroy(world);
}

/* --- towards an edge --- */

static void inject_plan(struct world *world, const struct fed_identity *by,
                        const struct fed_plan *plan)
{
    uint8_t body[FED_BODY_BYTES_MAX];
    const struct fed_envelope env = {.type = FED_TYPE_PLAN,
                                     .epoch = plan->epoch,
                                     .round = plan->round,
                                     .body = body,
                                     .body_bytes = fed_plan_encode(plan, body, sizeof(body))};
    inject_signed(world, 0, "plan", by, &env);
}

static void an_edge_trains_only_by_good_plans(void **state)
{
    (void)state;
    struct world *world = world_create();
    world_hub_start(world);
    world_edge_start(world, 0);
    world_presence(world, false); /* the base model comes, no plan */
    world_run(world, 1);
    const struct fed_edge *edge = world->edges[0].edge;
    assert_true(edge->holds);

    struct fed_plan good = {.section = "flow",
                            .epoch = 1,
                            .round = 1,
                            .unit = "flow",
                            .steps = 10,
                            .sample_rate = 0.01,
                            .clip = 1,
                            .noise_multiplier = 2,
                            .learning_rate = 1e-3F,
                            .delta = 1e-5,
                            .quorum = 2,
                            .deadline_ns = world->now_ns + 60 * ATL_NS_PER_S,
                            .cohort = UINT64_MAX};
    memcpy(good.schema, world->shape.schema, sizeof(good.schema));
    learn_model_hash(world->base, good.base_hash);
    assert_int_equal(fed_refused_total(&edge->refusals), 0);

    struct fed_plan bad[9];
    for (size_t i = 0; i < ATL_ARRAY_LEN(bad); i++)
        bad[i] = good;
    bad[0].noise_multiplier = 0;
    bad[1].steps = 1000000;
    bad[2].sample_rate = 1.5;
    bad[3].clip = -1;
    bad[4].schema[0] ^= 1;
    bad[5].epoch = 0;
    atl_copy(bad[6].section, sizeof(bad[6].section), "host");
    atl_copy(bad[7].unit, sizeof(bad[7].unit), "edge");
    bad[8].quorum = 0;
    for (size_t i = 0; i < ATL_ARRAY_LEN(bad); i++) {
        uint64_t before = fed_refused_total(&edge->refusals);
        inject_plan(world, &world->hub_identity, &bad[i]);
        assert_int_equal(fed_refused_total(&edge->refusals), before + 1);
    }
    struct fed_plan late = good;
    late.deadline_ns = world->now_ns;
    inject_plan(world, &world->hub_identity, &late);
    assert_int_equal(fed_refused(&edge->refusals, -ETIME), 1);
    inject_plan(world, &world->edges[1].identity, &good); /* a member, but not the hub */
    assert_int_equal(fed_refused(&edge->refusals, -EPERM), 1);
    assert_int_equal(world->edges[0].trained, 0);
    assert_int_equal(priv_ledger_entries(world->edges[0].ledger), 0);

    struct fed_plan elsewhere = good; /* good, but from a model that is not here: waits */
    elsewhere.base_hash[0] ^= 1;
    inject_plan(world, &world->hub_identity, &elsewhere);
    assert_int_equal(world->edges[0].trained, 0);
    good.round = 2;
    inject_plan(world, &world->hub_identity, &good);
    assert_int_equal(world->edges[0].trained, 1);
    good.round = 1; /* an older one */
    inject_plan(world, &world->hub_identity, &good);
    assert_int_equal(fed_refused(&edge->refusals, -ESTALE), 1);
    assert_int_equal(priv_ledger_entries(world->edges[0].ledger), 1);
    world_destroy(world);
}

/* The same round with less noise: not while it runs, and not after a restart. */
static void a_second_plan_for_a_charged_round_is_not_trained(void **state)
{
    (void)state;
    struct world *world = with_open_round();
    struct fed_plan twin = world->edges[0].edge->plan;
    world_edge_stop(world, 0);
    world->retained[0].bytes = 0; /* this broker withholds the true plan */
    static const enum fed_edge_state after[2] = {FED_EDGE_IDLE, FED_EDGE_REFUSED};
    for (int i = 0; i < 2; i++) {
        world_edge_start(world, 0);
        world_deliver(world);
        twin.clip *= 100; /* costs the same */
        twin.noise_multiplier = i == 0 ? twin.noise_multiplier : 0.5;
        inject_plan(world, &world->hub_identity, &twin);
        assert_int_equal(world->edges[0].trained, 1);
        assert_int_equal(fed_edge_state(world->edges[0].edge), after[i]);
        assert_int_equal(priv_ledger_entries(world->edges[0].ledger), 1);
        world_edge_stop(world, 0);
    }
    world_destroy(world);
}

static void old_plans_and_models_are_refused(void **state)
{
    (void)state;
    struct world *world = with_open_round();
    struct world_message old[2];
    for (int i = 0; i < 2; i++) {
        old[i] = world->retained[i];
        old[i].payload = malloc(old[i].bytes);
        memcpy(old[i].payload, world->retained[i].payload, old[i].bytes);
    }
    for (uint32_t i = 0; i < WORLD_EDGES; i++) {
        world_answer(world, i);
        world->edges[i].slow = false;
    }
    world_run_until(world, 2, 20);
    for (int again = 0; again < 2; again++) {
        uint32_t promoted = world->edges[0].promoted, trained = world->edges[0].trained;
        for (int i = 0; i < 2; i++)
            world_inject(world, 0, old[i].topic, old[i].payload, old[i].bytes);
        assert_int_equal(fed_refused(&world->edges[0].edge->refusals, -ESTALE), 2);
        assert_int_equal(fed_edge_round(world->edges[0].edge), 2);
        assert_int_equal(world->edges[0].promoted, promoted);
        assert_int_equal(world->edges[0].trained, trained);
        world_edge_stop(world, 0); /* and so after a restart */
        world_edge_start(world, 0);
        world_lose(world);
    }
    free(old[0].payload);
    free(old[1].payload);
    world_destroy(world);
}

static void inject_model(struct world *world, uint64_t round, const struct fed_model *model)
{
    size_t capacity = model->value_bytes + FED_BODY_BYTES_MAX;
    uint8_t *body = malloc(capacity);
    const struct fed_envelope env = {.type = FED_TYPE_MODEL,
                                     .epoch = 1,
                                     .round = round,
                                     .body = body,
                                     .body_bytes = fed_model_encode(model, body, capacity)};
    inject_signed(world, 0, "model", &world->hub_identity, &env);
    free(body);
}

static void an_edge_takes_only_whole_models(void **state)
{
    (void)state;
    struct world *world = with_open_round();
    struct fed_refusals *refusals = &world->edges[0].edge->refusals;
    uint8_t *wire = malloc(world->params * sizeof(float));
    struct fed_model model = {
        .section = "flow", .values = wire, .value_bytes = world->params * sizeof(float)};
    memcpy(model.schema, world->shape.schema, sizeof(model.schema));
    fed_floats_to_wire(wire, learn_model_params(world->base), world->params);
    inject_model(world, 5, &model); /* without its hash */
    assert_int_equal(fed_refused(refusals, -EBADMSG), 1);
    learn_model_hash(world->base, model.hash);
    model.schema[1] ^= 1;
    inject_model(world, 5, &model);
    model.schema[1] ^= 1;
    model.value_bytes -= 4;
    inject_model(world, 5, &model);
    model.value_bytes += 4;
    atl_copy(model.section, sizeof(model.section), "host");
    inject_model(world, 5, &model);
    atl_copy(model.section, sizeof(model.section), "flow");
    assert_int_equal(fed_refused(refusals, -EINVAL), 3);
    memcpy(wire, "\0\0\xc0\x7f", 4); /* NaN */
    inject_model(world, 5, &model);
    assert_int_equal(fed_refused(refusals, -EDOM), 1);
    assert_int_equal(world->edges[0].promoted, 0);
    fed_floats_to_wire(wire, learn_model_params(world->base), world->params);
    inject_model(world, 5, &model);
    assert_int_equal(world->edges[0].promoted_round, 5);
    assert_int_equal(fed_edge_state(world->edges[0].edge), FED_EDGE_IDLE); /* round 1 is over */

    struct learn_model *other;
    assert_int_equal(learn_model_create(&other, &world->shape, 99), 0);
    fed_floats_to_wire(wire, learn_model_params(other), world->params);
    learn_model_hash(other, model.hash);
    inject_model(world, 5, &model); /* a round has one model */
    assert_int_equal(fed_refused(refusals, -ESTALE), 1);
    learn_model_destroy(other);
    free(wire);
    world_destroy(world);
}

/* --- noise --- */

static void random_bytes_change_nothing(void **state)
{
    (void)state;
    struct world *world = with_open_round();
    struct atl_rng rng;
    atl_rng_init_seed(&rng, 9);
    static const char *const topics[] = {"plan", "model", "ack/edge-1", "up/edge-1", "x\x01\xff"};
    uint8_t junk[2048];
    for (uint32_t i = 0; i < 4000; i++) {
        const struct world_message *m = &world->retained[i % 2];
        size_t bytes = atl_rng_below(&rng, sizeof(junk));
        if (bytes > m->bytes)
            bytes = m->bytes;
        atl_rng_fill(&rng, junk, sizeof(junk));
        if (i % 3 != 0) { /* a true message with a few bytes changed, or cut short */
            memcpy(junk, m->payload, bytes);
            for (uint32_t k = 0; k < 1 + i % 4 && bytes > 0; k++)
                junk[atl_rng_below(&rng, bytes)] ^= (uint8_t)(1 + atl_rng_below(&rng, 255));
        }
        const char *topic = topics[i % ATL_ARRAY_LEN(topics)];
        world_inject(world, WORLD_HUB, topic, junk, bytes);
        world_inject(world, 0, topic, junk, bytes);
    }
    assert_true(fed_hub_refused(world->hub) == 4000);
    assert_true(fed_edge_refused(world->edges[0].edge) > 3900); /* empty ones are passed over */
    assert_int_equal(world->hub->votes, 0);
    assert_int_equal(fed_edge_state(world->edges[0].edge), FED_EDGE_TRAINING);
    assert_int_equal(world->edges[0].trained, 1);
    world_destroy(world);
}

static uint32_t lines;

static void count_line(void *ctx, const char *line)
{
    (void)ctx;
    for (const char *at = line; *at != '\0'; at++)
        assert_true(*at >= ' ' && *at <= '~');
    lines++;
}

static void a_flood_is_a_few_lines(void **state)
{
    (void)state;
    struct fed_refusals refusals = {.log = count_line};
    lines = 0;
    for (uint32_t i = 0; i < 1000; i++)
        fed_refuse(&refusals, -EBADMSG, "up/\n\x1b[2J", NULL);
    assert_int_equal(lines, 10); /* the 1st, 2nd, 4th … 512th */
    assert_int_equal(fed_refused(&refusals, -EBADMSG), 1000);
    fed_refuse(&refusals, -ENOKEY, "up/x", "edge-9");
    assert_int_equal(lines, 11);
    assert_int_equal(fed_refused_total(&refusals), 1001);
}

int main(void)
{
    if (atl_base_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forged_updates_have_no_vote),
        cmocka_unit_test(a_member_has_one_vote_and_no_nan),
        cmocka_unit_test(an_update_of_an_earlier_round_is_stale),
        cmocka_unit_test(an_edge_trains_only_by_good_plans),
        cmocka_unit_test(a_second_plan_for_a_charged_round_is_not_trained),
        cmocka_unit_test(old_plans_and_models_are_refused),
        cmocka_unit_test(an_edge_takes_only_whole_models),
        cmocka_unit_test(random_bytes_change_nothing),
        cmocka_unit_test(a_flood_is_a_few_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
