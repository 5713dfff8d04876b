/* SPDX-License-Identifier: Apache-2.0 */
#include "app/intake_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HOUR_NS (3600 * ATL_NS_PER_S)

/* One normal row in so many is held back, and so many are kept. */
#define HELD_BACK_EVERY 8
#define HELD_BACK_ROWS  4096

/* A waiting room as large as a part of the memory; when more comes than it holds, rows are let in
 * at an even pace, or a busy second would fill it for the whole delay. */
#define ROOM_PART  2
#define ROOM_BURST 16

/* Count-min sketch (Cormode & Muthukrishnan 2005): it only counts too many, so that a flood of
 * addresses can shut the door but never open it. */
#define SKETCH_ROWS 4
#define SKETCH_COLS 16384

struct waiting {
    uint64_t source;
    uint32_t stratum;
    atl_ns at_ns;
    bool dropped;
};

struct intake {
    struct intake_config cfg;
    struct learn_strata *memory;
    struct learn_reservoir *sample; /* or NULL */
    float *held_back;               /* (HELD_BACK_ROWS, I) ring */
    uint32_t n_held_back, held_back_at, since_held_back;

    struct waiting *room; /* (room_rows) ring, oldest first */
    float *room_data;
    uint32_t room_rows, head, n;
    double tokens;
    atl_ns paced_ns;

    uint32_t sketch[SKETCH_ROWS][SKETCH_COLS]; /* rows of a source this hour */
    uint64_t hour;
    uint64_t taken, refused, forgotten;
};

int intake_create(struct intake **ret_intake, const struct intake_config *cfg)
{
    struct intake *in = calloc(1, sizeof(*in));
    if (in == NULL)
        return -ENOMEM;
    in->cfg = *cfg;
    in->room_rows = cfg->delay_ns > 0 ? cfg->rows / ROOM_PART + 1 : 0;
    in->tokens = (double)in->room_rows / ROOM_BURST;
    int r = learn_strata_create(&in->memory, cfg->rows, cfg->n_in, cfg->n_strata, cfg->seed);
    if (r == 0 && cfg->fair_sample)
        r = learn_reservoir_create(&in->sample, cfg->rows, cfg->n_in, cfg->seed);
    in->held_back = calloc((size_t)HELD_BACK_ROWS * cfg->n_in, sizeof(float));
    in->room = calloc(in->room_rows + 1U, sizeof(*in->room));
    in->room_data = calloc(((size_t)in->room_rows + 1) * cfg->n_in, sizeof(float));
    if (r == 0 && (in->held_back == NULL || in->room == NULL || in->room_data == NULL))
        r = -ENOMEM;
    if (r < 0) {
        intake_destroy(in);
        return r;
    }
    *ret_intake = in;
    return 0;
}

void intake_destroy(struct intake *in)
{
    if (in == NULL)
        return;
    learn_strata_destroy(in->memory);
    learn_reservoir_destroy(in->sample);
    free(in->held_back);
    free(in->room);
    free(in->room_data);
    free(in);
}

/* --- so many of one source an hour --- */

static uint32_t *cell(struct intake *in, uint64_t source, int row)
{
    return &in->sketch[row][source >> (16 * row) & (SKETCH_COLS - 1)];
}

static bool within_bound(struct intake *in, uint64_t source, atl_ns now_ns)
{
    if (in->cfg.hourly_rows == 0)
        return true;
    if (now_ns / HOUR_NS != in->hour) {
        in->hour = now_ns / HOUR_NS;
        memset(in->sketch, 0, sizeof(in->sketch));
    }
    uint32_t least = UINT32_MAX;
    for (int i = 0; i < SKETCH_ROWS; i++) {
        uint32_t count = *cell(in, source, i);
        least = count < least ? count : least;
    }
    if (least >= in->cfg.hourly_rows)
        return false;
    for (int i = 0; i < SKETCH_ROWS; i++)
        ++*cell(in, source, i);
    return true;
}

/* --- the ways in --- */

static void take_in(struct intake *in, const float *x, const struct waiting *w)
{
    learn_strata_offer(in->memory, x, w->stratum, w->source, w->at_ns);
    if (in->sample != NULL)
        learn_reservoir_offer_unit(in->sample, x, w->source);
    in->taken++;
}

static void hold_back(struct intake *in, const float *x)
{
    size_t n_in = in->cfg.n_in;
    memcpy(in->held_back + in->held_back_at * n_in, x, n_in * sizeof(float));
    in->held_back_at = (in->held_back_at + 1) % HELD_BACK_ROWS;
    if (in->n_held_back < HELD_BACK_ROWS)
        in->n_held_back++;
}

static bool room_for_one(struct intake *in, atl_ns now_ns)
{
    double most = (double)in->room_rows / ROOM_BURST + 1;
    if (now_ns > in->paced_ns) {
        in->tokens +=
            (double)(now_ns - in->paced_ns) / (double)in->cfg.delay_ns * (double)in->room_rows;
        in->paced_ns = now_ns;
    }
    if (in->tokens > most)
        in->tokens = most;
    if (in->tokens < 1 || in->n == in->room_rows)
        return false;
    in->tokens--;
    return true;
}

bool intake_offer(struct intake *in, const struct intake_row *row, atl_ns now_ns, bool judged)
{
    bool wait = judged && in->cfg.delay_ns > 0;
    if (wait && !room_for_one(in, now_ns))
        return false;
    if (!within_bound(in, row->source, now_ns)) {
        in->refused++;
        return false;
    }
    if (judged && ++in->since_held_back >= HELD_BACK_EVERY) {
        in->since_held_back = 0;
        hold_back(in, row->x);
        return true;
    }
    if (!row->normal)
        return false;
    struct waiting w = {.source = row->source, .stratum = row->stratum, .at_ns = now_ns};
    if (!wait) {
        take_in(in, row->x, &w);
        return true;
    }
    uint32_t at = (in->head + in->n++) % in->room_rows;
    in->room[at] = w;
    memcpy(in->room_data + (size_t)at * in->cfg.n_in, row->x, in->cfg.n_in * sizeof(float));
    return true;
}

void intake_step(struct intake *in, atl_ns now_ns, bool flush)
{
    while (in->n > 0) {
        const struct waiting *w = &in->room[in->head];
        if (!flush && now_ns < w->at_ns + in->cfg.delay_ns)
            break;
        if (!w->dropped)
            take_in(in, in->room_data + (size_t)in->head * in->cfg.n_in, w);
        in->head = (in->head + 1) % in->room_rows;
        in->n--;
    }
}

void intake_forget(struct intake *in, uint64_t source, atl_ns now_ns)
{
    for (uint32_t i = 0; i < in->n; i++) {
        struct waiting *w = &in->room[(in->head + i) % in->room_rows];
        in->forgotten += w->source == source && !w->dropped;
        w->dropped = w->dropped || w->source == source;
    }
    atl_ns since_ns = now_ns > in->cfg.delay_ns ? now_ns - in->cfg.delay_ns : 0;
    in->forgotten += learn_strata_forget(in->memory, source, since_ns);
}

/* --- looking --- */

uint32_t intake_waiting(const struct intake *in)
{
    return in->n;
}

uint64_t intake_taken(const struct intake *in)
{
    return in->taken;
}

uint64_t intake_refused(const struct intake *in)
{
    return in->refused;
}

uint64_t intake_forgotten(const struct intake *in)
{
    return in->forgotten;
}

const struct learn_strata *intake_memory(const struct intake *in)
{
    return in->memory;
}

const struct learn_reservoir *intake_sample(const struct intake *in)
{
    return in->sample;
}

const float *intake_held_back(const struct intake *in, uint32_t *ret_n)
{
    *ret_n = in->n_held_back;
    return in->held_back;
}
