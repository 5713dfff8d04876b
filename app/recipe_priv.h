/* SPDX-License-Identifier: Apache-2.0 */
/* How a view's model is made from rows: one recipe for the factory, `detect --baseline` and the
 * edge. */
#ifndef RECIPE_PRIV_H
#define RECIPE_PRIV_H

#include "app/detector_priv.h"

#define RECIPE_FACTORY "factory"
#define RECIPE_LOCAL   "local"

/** Fewest rows a model may be made from. */
#define RECIPE_ROWS_MIN 128
/** Fewest host windows' time: before, most rows are looks at windows that have only begun. */
#define RECIPE_WINDOWS_MIN 10

void recipe_shape(enum view view, struct learn_shape *shape);
/** Probability that a normal row of this view passes its boundary. */
double recipe_risk(enum view view);

/**
 * Of each row only what its own record tells, before anything learned from it may leave: the
 * privacy promise counts single records (docs/explanation/privacy-model.md).
 * @param rows  (n, columns)
 */
void recipe_keep_own(enum view view, float *rows, uint32_t n);

/**
 * How long a live view must be watched before its rows are a fair sample: conversations that end by
 * the longest timeout come late, host windows are complete only at their end.
 */
atl_ns recipe_settle_ns(enum view view, atl_ns longest_timeout_ns, atl_ns window_ns);

/**
 * Train from `start` (NULL = fresh weights) on four fifths of the rows and calibrate on the rest.
 * @param rows  (n, columns); their order is not kept
 * @return 0, -EINVAL (too few rows), -ERANGE (diverged), -ENOMEM
 */
int recipe_train(enum view view, const struct learn_model *start, float *rows, uint32_t n,
                 uint64_t seed, const char *origin, struct learn_model **ret_model,
                 struct atl_error *err);

/** One model per view. */
struct model_set {
    struct learn_model *models[VIEW_COUNT];
};

/** The model that the build made from `atalaya traffic` (factory.c). */
int model_set_factory(struct model_set *ret_set, struct atl_error *err);
/** Give the detector the factory's host model as its reference (factory.c). */
int factory_reference(struct detector *detector, struct atl_error *err);
/** From memory; `where` names it in errors. Refuses models whose columns are not this build's. */
int model_set_parse(const uint8_t *data, size_t bytes, const char *where, struct model_set *ret_set,
                    struct atl_error *err);
int model_set_load(const char *path, struct model_set *ret_set, struct atl_error *err);
int model_set_save(const char *path, const struct model_set *set, struct atl_error *err);
/** The same, and what stood at path before stays as generation n - 1 (learn_file_roll_back). */
int model_set_save_generation(const char *path, const struct model_set *set, struct atl_error *err);
/** Load generation n - 1 and give it the place of n (learn_file_roll_back); nothing is moved when
 * it cannot be used. */
int model_set_roll_back(const char *path, struct model_set *ret_set, struct atl_error *err);
void model_set_finish(struct model_set *set);

#endif
