/* SPDX-License-Identifier: Apache-2.0 */
/* Rows whose normal state is known by construction, and the measure of telling others apart. */
#ifndef LEARN_TEST_TABLE_H
#define LEARN_TEST_TABLE_H

#include "learner/learner.h"

#define TABLE_COLUMNS 20
#define TABLE_RANK    4

/** Normal rows: a fixed linear map of TABLE_RANK hidden normals plus 10 % noise. (n, COLUMNS) */
float *table_normal(uint32_t n, uint64_t seed);
/** The same, with up to three columns of each row moved by 2: right ranges, wrong company. */
float *table_anomalous(uint32_t n, uint64_t seed);
void table_shape(struct learn_shape *shape);

/** Probability that an anomalous score exceeds a normal one (ties count half). */
double table_auc(const float *normal, uint32_t n, const float *anomalous, uint32_t m);
/** Calibrate on fresh normals and return the AUC on further fresh rows. */
double table_separation(const struct learn_model *model);

#endif
