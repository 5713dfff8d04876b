/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One run and its folder:
 *
 *   config.yaml    as it was given
 *   run.json       version, seed, digest: what it takes to repeat it
 *   rounds.jsonl   one line a round
 *   summary.json   the end of it
 *   model.bin      the last model, float32
 *   cost.json      processor time and energy: all that does not repeat bit for bit
 *   state.json     while it runs: where to go on after a kill
 */
#ifndef SIMULATE_RUN_PRIV_H
#define SIMULATE_RUN_PRIV_H

#include "app/progress_priv.h"
#include "app/simulate_world_priv.h"

#include <jansson.h>

#define SIMULATE_PATH_BYTES (CONFIG_PATH_BYTES + 64)

struct simulate_cost {
    double cpu_s, wall_s, joules; /* joules below 0: cannot be read */
    uint64_t rss_kib;
};

struct simulate_run {
    const struct config *cfg;
    const char *config_path, *out;
    char scratch[CONFIG_PATH_BYTES];
    int lock_fd;
    struct simulate_data data;
    struct simulate_world world;
    bool world_made;
    char *lines; /* rounds.jsonl so far */
    size_t lines_bytes;
    json_t *charges;     /* [[epoch, round, "who, one bit each, in hex"], …] */
    uint64_t reached;    /* first round at the target, 0 = not yet */
    double auc, epsilon; /* after the last round; epsilon of the edge that spent most */
    struct simulate_cost spent;
    double cpu_began, wall_began, joules_began;
    struct progress progress;
};

/* --- state.json --- */

int simulate_state_save(struct simulate_run *run, struct atl_error *err);
/** @return 1 when there was something to go on from, 0, or negative errno */
int simulate_state_load(struct simulate_run *run, struct atl_error *err);

/* --- what people and programs read --- */

/** One line of rounds.jsonl, new reference. */
json_t *simulate_report_round(const struct simulate_run *run);
/** Trains alone and pooled for comparison. @return 0 or negative errno; *ret_summary new */
int simulate_report_summary(struct simulate_run *run, json_t **ret_summary, struct atl_error *err);
void simulate_report_table(const json_t *summary, const struct simulate_cost *cost, FILE *out);
json_t *simulate_report_cost(const struct simulate_cost *cost);

/* --- cost --- */

void simulate_cost_begin(struct simulate_run *run);
/** Adds what was used since begin or the last call. */
void simulate_cost_add(struct simulate_run *run);

/** `simulate compare A B`. @return exit code */
int simulate_compare(int argc, char **argv, const char *help);

#endif
