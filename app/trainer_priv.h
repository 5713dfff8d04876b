/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The trainer thread: one job at a time, on copies of the remembered rows. Finished models go
 * straight to the detector; the control thread is told through a queue with a descriptor for epoll.
 */
#ifndef TRAINER_PRIV_H
#define TRAINER_PRIV_H

#include "app/detector_priv.h"
#include "app/recipe_priv.h"
#include "fedsync/fedsync.h"

enum trainer_job {
    TRAINER_LEARN_FLOW, /* local model of a view from its rows */
    TRAINER_LEARN_HOST,
    TRAINER_PRIVATE,      /* DP-SGD for a plan: gives a delta */
    TRAINER_ADOPT,        /* a committed model: tune it to this site, put it to work */
    TRAINER_REFRESH_FLOW, /* learn in the shadow, promote when it is no worse */
    TRAINER_REFRESH_HOST,
    TRAINER_UNDO_FLOW, /* back to the model before the last promotion */
    TRAINER_UNDO_HOST,
    TRAINER_ROLL_BACK, /* back to the generation before on disk, both views */
    TRAINER_JOBS,
};

#define TRAINER_NAME_BYTES 32

struct trainer_result {
    enum trainer_job job;
    int status;        /* 0 or negative errno */
    char text[200];    /* one line for the log */
    char unsaved[400]; /* why the model that now works is not on disk, or "" */
    uint64_t round;    /* PRIVATE, ADOPT */
    float *delta;      /* PRIVATE on success: malloc'ed, the taker's */
    uint32_t n, rows;
    bool promoted;                                /* REFRESH: the new model works */
    char origins[VIEW_COUNT][TRAINER_NAME_BYTES]; /* of the models that work now */
};

struct trainer;

/** @param state_path  model file that is kept up to date; borrowed
 *  @param start       models to start from; copied */
int trainer_create(struct trainer **ret_trainer, struct detector *detector,
                   const struct model_set *start, const char *state_path, uint64_t seed,
                   struct atl_error *err);
/** Ends private training after its step, waits for any other job (seconds). NULL is fine. */
void trainer_destroy(struct trainer *trainer);

/** Control thread: queue a job; one of a kind at a time. @return 0, -EBUSY, -ENOMEM */
int trainer_learn(struct trainer *trainer, enum view view);
int trainer_private(struct trainer *trainer, const struct fed_plan *plan, const float *params,
                    uint32_t n);
/** @param name  origin of the model that comes of it */
int trainer_adopt(struct trainer *trainer, uint64_t round, const char *name, const float *params,
                  uint32_t n);

int trainer_refresh(struct trainer *trainer, enum view view);
int trainer_undo(struct trainer *trainer, enum view view);
int trainer_roll_back(struct trainer *trainer);

int trainer_fd(const struct trainer *trainer);
/** @return false when nothing is finished */
bool trainer_take(struct trainer *trainer, struct trainer_result *ret_result);

#endif
