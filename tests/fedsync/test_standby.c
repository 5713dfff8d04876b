/* SPDX-License-Identifier: Apache-2.0 */
/* Two hubs for one federation: lease, takeover, fencing, and a bridge that breaks. */
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

#include "fedsync/envelope_priv.h"
#include "fedsync/hub_priv.h"
#include "world.h"

#define LEASE_S 30

static struct world *pair(void)
{
    struct world *world = world_create();
    world->paired = true;
    world->hub_cfg.lease_ns = LEASE_S * ATL_NS_PER_S;
    return world;
}

/** Both hubs and all edges, the first hub leading. */
static struct world *started(void)
{
    struct world *world = pair();
    for (uint32_t i = 0; i < 2; i++)
        world_pair_start(world, i);
    for (uint32_t i = 0; i < WORLD_EDGES; i++)
        world_edge_start(world, i);
    world_run(world, 4);
    assert_int_equal(fed_hub_role(world->hubs[0].hub), FED_HUB_LEADING);
    assert_int_equal(fed_hub_role(world->hubs[1].hub), FED_HUB_STANDBY);
    return world;
}

static const struct fed_hub_record *record(const struct world *world, uint32_t at)
{
    return &world->hubs[at].hub->record;
}

static void run_until_led(struct world *world, uint32_t at, uint64_t round, uint32_t seconds_max)
{
    for (uint32_t s = 0; s < seconds_max && fed_hub_round(world->hubs[at].hub) < round; s++)
        world_run(world, 1);
    assert_true(fed_hub_round(world->hubs[at].hub) >= round);
}

static uint32_t seconds_until(struct world *world, uint32_t at, enum fed_hub_role role,
                              uint32_t seconds_max)
{
    uint32_t s = 0;
    for (; s < seconds_max && fed_hub_role(world->hubs[at].hub) != role; s++)
        world_run(world, 1);
    assert_int_equal(fed_hub_role(world->hubs[at].hub), role);
    return s;
}

/** What any edge was asked to release it was asked once, and its ledger holds all of it. */
static void ledgers_hold_all(const struct world *world)
{
    for (uint32_t i = 0; i < WORLD_EDGES; i++)
        if (world->edges[i].ledger != NULL)
            assert_true(priv_ledger_entries(world->edges[i].ledger) >= world->edges[i].trained);
}

static void agree(const struct world *world, uint32_t at)
{
    for (uint32_t i = 0; i < WORLD_EDGES; i++)
        assert_memory_equal(world->edges[i].model, learn_model_params(world->hubs[at].hub->model),
                            world->params * sizeof(float));
}

/* --- life --- */

static void one_leads_and_one_follows(void **state)
{
    (void)state;
    struct world *world = started();
    run_until_led(world, 0, 3, 30);
    world_deliver(world);
    const struct fed_hub_record *first = record(world, 0), *second = record(world, 1);
    assert_int_equal(world->hubs[1].sent, 0);
    assert_int_equal(fed_hub_refused(world->hubs[1].hub), 0);
    assert_int_equal(second->model_round, 3);
    assert_int_equal(second->commits, first->commits);
    assert_int_equal(second->epoch, first->epoch);
    assert_memory_equal(second->model_hash, first->model_hash, FED_HASH_BYTES);
    assert_true(fed_hub_epsilon(world->hubs[1].hub) == fed_hub_epsilon(world->hubs[0].hub));
    agree(world, 0);
    world_run(world, 10 * LEASE_S);
    assert_int_equal(fed_hub_role(world->hubs[1].hub), FED_HUB_STANDBY);
    assert_int_equal(world->hubs[1].sent, 0);
    world_destroy(world);
}

/* The first is killed in the middle of a round. */
static void the_standby_takes_over_in_less_than_two_leases(void **state)
{
    (void)state;
    struct world *world = started();
    run_until_led(world, 0, 2, 30);
    world->edges[0].slow = world->edges[1].slow = world->edges[2].slow = true;
    world_run(world, 3);
    uint64_t open = record(world, 0)->last_round, old = record(world, 0)->epoch;
    assert_int_equal(record(world, 0)->open_epoch, old);
    double asked = fed_hub_epsilon(world->hubs[0].hub);
    world_pair_stop(world, 0);
    for (uint32_t i = 0; i < WORLD_EDGES; i++)
        world->edges[i].slow = false;
    uint32_t took = seconds_until(world, 1, FED_HUB_LEADING, 3 * LEASE_S);
    assert_in_range(took, LEASE_S - LEASE_S / 3, 2 * LEASE_S - 1);
    assert_true(record(world, 1)->epoch > old);
    assert_true(fed_hub_epsilon(world->hubs[1].hub) >= asked);
    assert_int_equal(world_info(world, open, FED_ROUND_ABANDONED)->epoch, record(world, 1)->epoch);
    run_until_led(world, 1, open + 1, 10);
    world_deliver(world);
    agree(world, 1);
    ledgers_hold_all(world);
    for (uint32_t i = 0; i < WORLD_EDGES; i++) /* rounds 1, 2, the lost one, and one more */
        assert_int_equal(priv_ledger_entries(world->edges[i].ledger), open + 1);

    /* the first one comes back, and follows */
    uint64_t sent = world->hubs[0].sent;
    world_pair_start(world, 0);
    world_run(world, 6);
    assert_int_equal(fed_hub_role(world->hubs[0].hub), FED_HUB_STANDBY);
    assert_int_equal(world->hubs[0].sent, sent);
    assert_int_equal(record(world, 0)->epoch, record(world, 1)->epoch);
    assert_int_equal(record(world, 0)->open_epoch, 0);
    run_until_led(world, 1, open + 3, 30);
    world_deliver(world);
    assert_memory_equal(record(world, 0)->model_hash, record(world, 1)->model_hash, FED_HASH_BYTES);

    /* and takes over again when that one falls */
    world_pair_stop(world, 1);
    seconds_until(world, 0, FED_HUB_LEADING, 2 * LEASE_S);
    run_until_led(world, 0, open + 4, 10);
    world_deliver(world);
    agree(world, 0);
    ledgers_hold_all(world);
    world_destroy(world);
}

static void a_restart_within_the_lease_changes_no_hub(void **state)
{
    (void)state;
    struct world *world = started();
    run_until_led(world, 0, 1, 30);
    world->edges[2].slow = true;
    world_run(world, 3); /* two of three are acknowledged */
    uint64_t round = record(world, 0)->last_round, epoch = record(world, 0)->epoch;
    world_pair_stop(world, 0);
    world_pair_start(world, 0);
    seconds_until(world, 0, FED_HUB_LEADING, 6);
    world_run(world, 1);
    assert_non_null(world_info(world, round, FED_ROUND_COMMITTED));
    assert_int_equal(record(world, 0)->epoch, epoch + 2); /* the other half is the other hub's */
    assert_int_equal(fed_hub_role(world->hubs[1].hub), FED_HUB_STANDBY);
    world_destroy(world);
}

static void the_second_begins_only_when_the_first_does_not_come(void **state)
{
    (void)state;
    struct world *world = pair();
    for (uint32_t i = 0; i < WORLD_EDGES; i++)
        world_edge_start(world, i);
    world_pair_start(world, 1);
    world_run(world, LEASE_S);
    assert_int_equal(fed_hub_role(world->hubs[1].hub), FED_HUB_STANDBY);
    seconds_until(world, 1, FED_HUB_LEADING, LEASE_S);
    run_until_led(world, 1, 1, 10);
    world_pair_start(world, 0);
    world_run(world, 5);
    assert_int_equal(fed_hub_role(world->hubs[0].hub), FED_HUB_STANDBY);
    assert_int_equal(fed_hub_round(world->hubs[0].hub), fed_hub_round(world->hubs[1].hub));
    world_destroy(world);
}

/* Nothing is known of others while there is no broker: then nothing is claimed either. */
static void without_a_broker_nobody_is_replaced(void **state)
{
    (void)state;
    struct world *world = started();
    run_until_led(world, 0, 2, 30);
    uint64_t epoch = record(world, 0)->epoch;
    world_away(world, WORLD_STANDBY, true);
    world_run(world, 10 * LEASE_S);
    assert_int_equal(fed_hub_role(world->hubs[1].hub), FED_HUB_STANDBY);
    world_away(world, WORLD_STANDBY, false);
    world_run(world, 5);
    assert_int_equal(fed_hub_role(world->hubs[1].hub), FED_HUB_STANDBY);
    assert_int_equal(record(world, 0)->epoch, epoch);
    assert_int_equal(fed_hub_round(world->hubs[1].hub), fed_hub_round(world->hubs[0].hub));
    world_destroy(world);
}

/* One that leads and is cut off stops by itself, and finds that it was replaced. */
static void one_that_is_cut_off_stops_and_follows(void **state)
{
    (void)state;
    struct world *world = started();
    run_until_led(world, 0, 1, 30);
    world_away(world, WORLD_HUB, true);
    world_run(world, LEASE_S + 1);
    uint64_t round = record(world, 0)->last_round;
    uint64_t sent = world->hubs[0].sent;
    assert_non_null(strstr(world->log, "our lease does not come back"));
    world_run(world, 2 * LEASE_S); /* the deadline of its open round passes, too */
    assert_int_equal(record(world, 0)->last_round, round);
    assert_in_range(world->hubs[0].sent - sent, 1, 7); /* leases into the void */
    assert_int_equal(fed_hub_role(world->hubs[1].hub), FED_HUB_LEADING);
    sent = world->hubs[0].sent;
    world_away(world, WORLD_HUB, false);
    world_run(world, 5);
    assert_int_equal(fed_hub_role(world->hubs[0].hub), FED_HUB_STANDBY);
    assert_int_equal(world->hubs[0].sent, sent);
    run_until_led(world, 1, fed_hub_round(world->hubs[1].hub) + 1, 30);
    world_deliver(world);
    agree(world, 1);
    world_destroy(world);
}

/* The process stands still for longer than the lease. What comes in then was sent before. */
static void a_lease_that_comes_back_late_does_not_hold(void **state)
{
    (void)state;
    struct world *world = started();
    world->now_ns += LEASE_S / 3 * ATL_NS_PER_S;
    fed_hub_step(world->hubs[0].hub, world->now_ns); /* renews; the echo is still on its way */
    const struct world_message *kept = &world->retained[WORLD_LEASE];
    uint8_t late[4096];
    size_t bytes = kept->bytes;
    assert_in_range(bytes, 1, sizeof(late));
    memcpy(late, kept->payload, bytes);
    assert_true(fed_lease_holds(world->hubs[0].hub));

    world->now_ns += 2 * LEASE_S * ATL_NS_PER_S;
    fed_hub_step(world->hubs[0].hub, world->now_ns);
    assert_false(fed_lease_holds(world->hubs[0].hub));
    world_lose(world);
    world_inject(world, WORLD_HUB, "lease", late, bytes);
    assert_false(fed_lease_holds(world->hubs[0].hub));

    world_run(world, LEASE_S / 3 + 1); /* a renewal of today does */
    assert_true(fed_lease_holds(world->hubs[0].hub));
    world_destroy(world);
}

/** A lease as the second hub signs it. */
static void inject_lease(struct world *world, uint64_t epoch, uint64_t round, uint64_t steps)
{
    uint8_t body[FED_LEASE_BYTES_MAX], *payload;
    size_t bytes;
    const struct fed_lease lease = {
        .lease_ns = LEASE_S * ATL_NS_PER_S,
        .n_spent = 1,
        .spent = {{.sample_rate = 1, .noise_multiplier = 100, .steps = steps}}};
    const struct fed_envelope env = {.type = FED_TYPE_LEASE,
                                     .epoch = epoch,
                                     .round = round,
                                     .seq = 1,
                                     .body = body,
                                     .body_bytes = fed_lease_encode(&lease, body, sizeof(body))};
    assert_int_equal(fed_envelope_seal(&payload, &bytes, &env, "north", &world->hubs[1].identity),
                     0);
    world_inject(world, WORLD_HUB, "lease", payload, bytes);
    free(payload);
}

/* A hub that means harm can lead, but it can use nothing up: no epochs, no rounds, no account. */
static void the_peer_cannot_use_up_the_numbers(void **state)
{
    (void)state;
    struct world *world = started();
    run_until_led(world, 0, 1, 30);
    world_pair_stop(world, 1);
    uint64_t epoch = record(world, 0)->epoch, round = record(world, 0)->last_round;
    uint64_t refused = fed_hub_refused(world->hub);
    inject_lease(world, epoch - 1, UINT64_MAX, 1); /* below ours */
    inject_lease(world, UINT64_MAX, round, 1);
    inject_lease(world, epoch + 1, UINT64_MAX, 1);
    assert_int_equal(fed_hub_refused(world->hub), refused + 3);
    assert_int_equal(record(world, 0)->last_round, round);
    assert_int_equal(record(world, 0)->epoch, epoch);
    assert_int_equal(fed_hub_role(world->hub), FED_HUB_LEADING);

    inject_lease(world, epoch + 1, round, UINT64_MAX - 5); /* followed, for it may lead */
    assert_true(isinf(fed_hub_spent(world->hub)));
    seconds_until(world, 0, FED_HUB_LEADING, 2 * LEASE_S);
    run_until_led(world, 0, round + 1, 30);
    assert_true(isinf(fed_hub_spent(world->hub))); /* ten steps more do not make it small */
    world_destroy(world);
}

/* Disk lost: rounds, epochs and what was spent come back from what the broker retains. */
static void a_lost_state_folder_starts_no_federation_over(void **state)
{
    (void)state;
    struct world *world = started();
    run_until_led(world, 0, 3, 30);
    struct fed_hub_record before = *record(world, 0);
    double asked = fed_hub_epsilon(world->hubs[0].hub);
    char path[FIXTURE_PATH_BYTES];
    world_pair_stop(world, 0);
    fixture_path(path, world->dir, "state-hub/hub.cbor");
    assert_int_equal(remove(path), 0);
    world_pair_start(world, 0);
    seconds_until(world, 0, FED_HUB_LEADING, 6);
    assert_true(record(world, 0)->epoch > before.epoch);
    assert_int_equal(record(world, 0)->model_round, before.model_round);
    assert_int_equal(record(world, 0)->commits, before.commits);
    assert_true(fed_hub_epsilon(world->hubs[0].hub) >= asked);
    run_until_led(world, 0, before.last_round + 1, 10);
    world_deliver(world);
    agree(world, 0);
    world_destroy(world);
}

/* A lease without the model that goes with it: to lead from an older one would undo rounds. */
static void no_takeover_without_the_model(void **state)
{
    (void)state;
    struct world *world = started();
    run_until_led(world, 0, 2, 30);
    world_run(world, LEASE_S / 3); /* one more lease, which names it */
    world_pair_stop(world, 0);
    world_pair_stop(world, 1);
    char path[FIXTURE_PATH_BYTES];
    fixture_path(path, world->dir, "state-hub-2/hub.cbor");
    assert_int_equal(remove(path), 0);
    struct world_message *kept = &world->retained[WORLD_MODEL];
    size_t bytes = kept->bytes;
    kept->bytes = 0;
    world_pair_start(world, 1);
    world_run(world, 3 * LEASE_S);
    assert_int_equal(fed_hub_role(world->hubs[1].hub), FED_HUB_STANDBY);
    assert_non_null(strstr(world->log, "has not come"));
    kept->bytes = bytes;
    world_inject(world, WORLD_STANDBY, "model", kept->payload, kept->bytes);
    seconds_until(world, 1, FED_HUB_LEADING, 5);
    world_destroy(world);
}

/* --- two that lead --- */

/* The bridge between two brokers breaks: each side has a hub and edges enough. */
static void two_sides_become_one_again(void **state)
{
    (void)state;
    struct world *world = started();
    for (uint32_t i = 0; i < 2; i++) {
        world->hubs[i].hub->cfg.quorum = 1;
        world->hubs[i].hub->cfg.deadline_ns = 5 * ATL_NS_PER_S;
    }
    run_until_led(world, 0, 2, 30);
    world->side[WORLD_STANDBY] = world->side[2] = 1;
    world_part(world, true);
    world_run(world, 3 * LEASE_S);
    struct fed_hub *const *hubs = (struct fed_hub *const[]){world->hubs[0].hub, world->hubs[1].hub};
    assert_int_equal(fed_hub_role(hubs[0]), FED_HUB_LEADING);
    assert_int_equal(fed_hub_role(hubs[1]), FED_HUB_LEADING);
    assert_true(record(world, 1)->epoch > record(world, 0)->epoch);
    /* each committed something of its own */
    assert_true(fed_hub_round(hubs[0]) > 3 && fed_hub_round(hubs[1]) > 3);
    assert_memory_not_equal(record(world, 0)->model_hash, record(world, 1)->model_hash,
                            FED_HASH_BYTES);
    ledgers_hold_all(world);

    world_part(world, false);
    world_run(world, 3);
    assert_int_equal(fed_hub_role(hubs[0]), FED_HUB_STANDBY);
    assert_int_equal(fed_hub_role(hubs[1]), FED_HUB_LEADING);
    uint64_t sent = world->hubs[0].sent;
    run_until_led(world, 1, fed_hub_round(hubs[1]) + 2, 2 * 60 + 10);
    world_deliver(world);
    assert_int_equal(world->hubs[0].sent, sent);
    assert_int_equal(world_info(world, fed_hub_round(hubs[1]), FED_ROUND_COMMITTED)->participants,
                     WORLD_EDGES);
    agree(world, 1);
    assert_memory_equal(record(world, 0)->model_hash, record(world, 1)->model_hash, FED_HASH_BYTES);
    /* both brokers retain the word of the one that leads */
    for (uint32_t i = 0; i < 2; i++) {
        struct fed_envelope env;
        const struct world_message *m = &world->retained[i * WORLD_TOPICS + WORLD_LEASE];
        assert_int_equal(
            fed_envelope_open(&env, m->payload, m->bytes, 4096, "north", world->roster), 0);
        assert_int_equal(env.epoch, record(world, 1)->epoch);
    }
    ledgers_hold_all(world);
    world_destroy(world);
}

#define RELEASES_MAX 4096

struct releases {
    struct world *world;
    uint32_t n, of[WORLD_EDGES];
    struct {
        uint64_t epoch, round;
        uint32_t edge;
        uint8_t whole[FED_HASH_BYTES];
    } all[RELEASES_MAX];
};

/** One edge, one epoch and round: one update, whoever hears it. */
static void on_release(void *ctx, uint32_t edge, const uint8_t *payload, size_t bytes)
{
    struct releases *releases = ctx;
    struct fed_envelope env;
    struct fed_chunk chunk;
    assert_int_equal(
        fed_envelope_open(&env, payload, bytes, bytes, "north", releases->world->roster), 0);
    assert_int_equal(fed_chunk_decode(&chunk, env.body, env.body_bytes), 0);
    for (uint32_t i = 0; i < releases->n; i++)
        if (releases->all[i].edge == edge && releases->all[i].epoch == env.epoch &&
            releases->all[i].round == env.round) {
            assert_memory_equal(releases->all[i].whole, chunk.whole, FED_HASH_BYTES);
            return;
        }
    assert_true(releases->n < RELEASES_MAX);
    releases->all[releases->n].epoch = env.epoch;
    releases->all[releases->n].round = env.round;
    releases->all[releases->n].edge = edge;
    memcpy(releases->all[releases->n++].whole, chunk.whole, FED_HASH_BYTES);
    releases->of[edge]++;
    assert_true(priv_ledger_entries(releases->world->edges[edge].ledger) >= releases->of[edge]);
}

/** Anything at any moment: crashes, cuts, parted brokers, lost and doubled messages. */
static void every_moment_of_two_hubs(void **state)
{
    (void)state;
    struct world *world = started();
    world->hub_cfg.quorum = 1;
    world->hub_cfg.deadline_ns = 10 * ATL_NS_PER_S;
    atl_rng_init_seed(&world->rng, 7);
    uint64_t highest[2] = {0, 0};
    struct releases *releases = calloc(1, sizeof(*releases));
    releases->world = world;
    world->overhear = on_release;
    world->overhear_ctx = releases;
    for (uint32_t i = 0; i < WORLD_EDGES; i++)
        world->edges[i].budget = 100;
    for (uint32_t turn = 0; turn < 80; turn++) {
        uint32_t at = (uint32_t)atl_rng_below(&world->rng, WORLD_PEOPLE);
        world->drop_percent = turn % 3 == 0 ? 20 : 0;
        world->repeat_percent = turn % 4 == 0 ? 20 : 0;
        switch (atl_rng_below(&world->rng, 6)) {
        case 0:
            world_part(world, !world->parted);
            break;
        case 1:
            world_away(world, at, !world->away[at]);
            break;
        case 2:
            world->side[at] = 1 - world->side[at];
            world_away(world, at, true);
            world_away(world, at, false);
            break;
        case 3:
            if (at < WORLD_EDGES) {
                world_edge_stop(world, at);
                world_edge_start(world, at);
            } else {
                world_pair_stop(world, at - WORLD_HUB);
                world_pair_start(world, at - WORLD_HUB);
            }
            break;
        case 4:
            world_lose(world);
            break;
        default:
            break;
        }
        world_run(world, 1 + (uint32_t)atl_rng_below(&world->rng, 20));
        for (uint32_t i = 0; i < 2; i++) {
            assert_true(record(world, i)->epoch >= highest[i]);
            highest[i] = record(world, i)->epoch;
        }
        bool both = true;
        for (uint32_t i = 0; i < 2; i++)
            both = both && fed_hub_role(world->hubs[i].hub) == FED_HUB_LEADING;
        if (both)
            assert_int_not_equal(record(world, 0)->epoch, record(world, 1)->epoch);
        ledgers_hold_all(world);
    }
    /* whatever it was, it mends */
    world->drop_percent = world->repeat_percent = 0;
    for (uint32_t i = 0; i < WORLD_PEOPLE; i++)
        world_away(world, i, false);
    world_part(world, false);
    world_run(world, 3 * LEASE_S);
    uint32_t leader = fed_hub_role(world->hubs[0].hub) == FED_HUB_LEADING ? 0 : 1;
    assert_int_equal(fed_hub_role(world->hubs[leader].hub), FED_HUB_LEADING);
    assert_int_equal(fed_hub_role(world->hubs[1 - leader].hub), FED_HUB_STANDBY);
    run_until_led(world, leader, fed_hub_round(world->hubs[leader].hub) + 2, 200);
    assert_true(releases->n > 30);
    free(releases);
    world->overhear = NULL;
    world_deliver(world);
    agree(world, leader);
    assert_memory_equal(record(world, 0)->model_hash, record(world, 1)->model_hash, FED_HASH_BYTES);
    world_destroy(world);
}

int main(void)
{
    if (atl_base_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_leads_and_one_follows),
        cmocka_unit_test(the_standby_takes_over_in_less_than_two_leases),
        cmocka_unit_test(a_restart_within_the_lease_changes_no_hub),
        cmocka_unit_test(the_second_begins_only_when_the_first_does_not_come),
        cmocka_unit_test(without_a_broker_nobody_is_replaced),
        cmocka_unit_test(one_that_is_cut_off_stops_and_follows),
        cmocka_unit_test(a_lease_that_comes_back_late_does_not_hold),
        cmocka_unit_test(the_peer_cannot_use_up_the_numbers),
        cmocka_unit_test(a_lost_state_folder_starts_no_federation_over),
        cmocka_unit_test(no_takeover_without_the_model),
        cmocka_unit_test(two_sides_become_one_again),
        cmocka_unit_test(every_moment_of_two_hubs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
