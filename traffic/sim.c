/* SPDX-License-Identifier: Apache-2.0 */
#include "traffic/sim_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "traffic/attack_priv.h"
#include "traffic/service_priv.h"

/* --- the heap: 4-ary, since sifting down reads four neighbours of one cache line pair --- */

static bool before(const struct traf_event *a, const struct traf_event *b)
{
    return a->at < b->at || (a->at == b->at && a->order < b->order);
}

static void sift_up(struct traf_event *heap, uint32_t i, struct traf_event e)
{
    while (i > 0 && before(&e, &heap[(i - 1) / 4])) {
        heap[i] = heap[(i - 1) / 4];
        i = (i - 1) / 4;
    }
    heap[i] = e;
}

static void sift_down(struct traf_event *heap, uint32_t n, struct traf_event e)
{
    uint32_t i = 0;
    for (;;) {
        uint32_t first = 4 * i + 1, best = first;
        if (first >= n)
            break;
        for (uint32_t k = first + 1; k < n && k < first + 4; k++)
            if (before(&heap[k], &heap[best]))
                best = k;
        if (!before(&heap[best], &e))
            break;
        heap[i] = heap[best];
        i = best;
    }
    heap[i] = e;
}

static uint64_t next_order(struct traf_sim *sim, const struct traf_flow *flow)
{
    uint32_t lane = (uint32_t)(flow->attack + 1);
    return (uint64_t)lane << 48 | sim->lane_order[lane]++;
}

/* --- flows --- */

static bool grow(struct traf_sim *sim)
{
    if (sim->flows_made >= TRAF_FLOWS_MAX)
        return false;
    uint32_t room = sim->flows_made + TRAF_CHUNK_FLOWS;
    if (room > sim->room) {
        uint32_t wanted = 2 * room;
        struct traf_event *heap = realloc(sim->heap, wanted * sizeof(*heap));
        if (heap == NULL)
            return false;
        sim->heap = heap;
        struct traf_flow **spare = realloc(sim->spare, wanted * sizeof(struct traf_flow *));
        if (spare == NULL)
            return false;
        sim->spare = spare;
        sim->room = wanted;
    }
    struct traf_chunk *chunk = malloc(sizeof(*chunk));
    if (chunk == NULL)
        return false;
    chunk->next = sim->chunks;
    sim->chunks = chunk;
    sim->flows_made = room;
    for (uint32_t i = 0; i < TRAF_CHUNK_FLOWS; i++)
        sim->spare[sim->spares++] = &chunk->flows[i];
    return true;
}

struct traf_flow *traf_flow_get(struct traf_sim *sim, int32_t attack)
{
    if (sim->spares == 0 && !grow(sim)) {
        sim->status = -ENOMEM;
        return NULL;
    }
    struct traf_flow *flow = sim->spare[--sim->spares];
    memset(flow, 0, sizeof(*flow));
    flow->attack = attack;
    flow->rng = attack < 0 ? &sim->benign : &sim->lanes[attack];
    uint64_t ids = atl_rng_u64(flow->rng);
    flow->ip_id[0] = (uint16_t)ids;
    flow->ip_id[1] = (uint16_t)(ids >> 16);
    return flow;
}

void traf_flow_start(struct traf_sim *sim, struct traf_flow *flow, traf_step_fn step, atl_ns at)
{
    flow->step = step;
    struct traf_event e = {at, next_order(sim, flow), flow};
    /* room: the heap never holds more events than flows were made, and grow() keeps that many */
    sift_up(sim->heap, sim->events++, e);
}

/* --- packets --- */

static void label_packet(struct traf_sim *sim, int32_t attack)
{
    struct traf_label *label = &sim->summary->labels[attack];
    if (label->packets++ == 0)
        label->first_ns = sim->now;
    label->last_ns = sim->now;
}

void traf_emit(struct traf_sim *sim, struct traf_flow *flow)
{
    if (sim->now < sim->start || sim->status != 0)
        return;
    uint32_t wire = sim->frame.bytes;
    uint32_t snap = sim->cfg->snap_bytes;
    struct traf_packet packet = {sim->now, sim->frame.data, wire < snap ? wire : snap, wire,
                                 flow->attack};
    sim->status = sim->emit(sim->ctx, &packet);
    if (sim->status != 0)
        return;
    sim->summary->packets++;
    sim->summary->bytes += wire;
    sim->summary->flows += !flow->counted;
    flow->counted = true;
    if (flow->attack >= 0)
        label_packet(sim, flow->attack);
}

/* --- the run --- */

static void fill_noise(struct traf_sim *sim)
{
    struct atl_rng rng;
    atl_rng_init_seed(&rng, sim->cfg->seed ^ 0x6e6f697365ULL);
    atl_rng_fill(&rng, sim->noise, sizeof(sim->noise));
    static const char letters[] = "etaoinshrdlucmfwypvbgkETAOINS0123456789+/ ";
    for (uint32_t i = 0; i < sizeof(sim->text); i++)
        sim->text[i] = (uint8_t)letters[sim->noise[i] % (sizeof(letters) - 1)];
}

static bool attack_over(const struct traf_sim *sim, const struct traf_flow *flow)
{
    if (flow->attack < 0)
        return false;
    const struct traf_attack_plan *plan = &sim->cfg->attacks[flow->attack];
    return sim->now - sim->start > plan->after_ns + plan->duration_ns;
}

static void run(struct traf_sim *sim)
{
    while (sim->events > 0 && sim->status == 0 && sim->heap[0].at < sim->end) {
        struct traf_flow *flow = sim->heap[0].flow;
        sim->now = sim->heap[0].at;
        /* the slot is taken out first: a step may start other flows */
        struct traf_event last = sim->heap[--sim->events];
        if (sim->events > 0)
            sift_down(sim->heap, sim->events, last);
        atl_ns next = attack_over(sim, flow) ? TRAF_NEVER : flow->step(sim, flow);
        if (next == TRAF_NEVER) {
            sim->spare[sim->spares++] = flow;
            continue;
        }
        struct traf_event e = {next > sim->now ? next : sim->now + 1, next_order(sim, flow), flow};
        sift_up(sim->heap, sim->events++, e);
    }
}

static void finish(struct traf_sim *sim)
{
    while (sim->chunks != NULL) {
        struct traf_chunk *next = sim->chunks->next;
        free(sim->chunks);
        sim->chunks = next;
    }
    free(sim->heap);
    free(sim->spare);
    free(sim);
}

static void init(struct traf_sim *sim, const struct traf_config *cfg)
{
    sim->cfg = cfg;
    sim->start = cfg->start_ns;
    sim->end = cfg->start_ns + cfg->duration_ns;
    sim->habits = (struct atl_hash_key){cfg->seed, 0x61746c74 + cfg->site};
    atl_rng_init_seed(&sim->benign, atl_hash(&sim->habits, "benign", 6));
    for (uint32_t i = 0; i < cfg->n_attacks; i++) {
        uint8_t lane[8] = {'l', 'a', 'n', 'e', (uint8_t)i};
        atl_rng_init_seed(&sim->lanes[i], atl_hash(&sim->habits, lane, sizeof(lane)));
    }
    fill_noise(sim);
}

int traf_run(const struct traf_config *cfg, traf_packet_fn emit, void *ctx,
             struct traf_summary *ret_summary, struct atl_error *err)
{
    int r = traf_config_check(cfg, err);
    if (r < 0)
        return r;
    struct traf_sim *sim = calloc(1, sizeof(*sim));
    struct traf_summary *summary = calloc(1, sizeof(*summary));
    if (sim == NULL || summary == NULL) {
        free(sim);
        free(summary);
        return atl_error_set(err, -ENOMEM, "traffic: out of memory");
    }
    init(sim, cfg);
    sim->emit = emit;
    sim->ctx = ctx;
    sim->summary = summary;
    traf_services_start(sim);
    traf_attacks_start(sim);
    run(sim);

    r = sim->status;
    if (r == -ENOMEM)
        atl_error_set(err, r, "traffic: out of memory after %u concurrent flows", sim->flows_made);
    if (r == 0 && ret_summary != NULL)
        *ret_summary = *summary;
    finish(sim);
    free(summary);
    return r;
}
