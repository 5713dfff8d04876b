/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/learner/table.h"

#include <stdlib.h>

#define MAP_SEED 99

static float *draw(uint32_t n, uint64_t seed, uint32_t foreign)
{
    float map[TABLE_COLUMNS][TABLE_RANK];
    struct atl_rng rng;
    atl_rng_init_seed(&rng, MAP_SEED);
    for (uint32_t j = 0; j < TABLE_COLUMNS; j++) {
        for (uint32_t k = 0; k < TABLE_RANK; k++)
            map[j][k] = (float)(0.5 * atl_rng_normal(&rng));
    }

    atl_rng_init_seed(&rng, seed);
    float *rows = malloc((size_t)n * TABLE_COLUMNS * sizeof(float));
    for (uint32_t i = 0; rows != NULL && i < n; i++) {
        float hidden[TABLE_RANK], *row = rows + (size_t)i * TABLE_COLUMNS;
        for (uint32_t k = 0; k < TABLE_RANK; k++)
            hidden[k] = (float)atl_rng_normal(&rng);
        for (uint32_t j = 0; j < TABLE_COLUMNS; j++) {
            row[j] = 0.1F * (float)atl_rng_normal(&rng);
            for (uint32_t k = 0; k < TABLE_RANK; k++)
                row[j] += map[j][k] * hidden[k];
        }
        for (uint32_t f = 0; f < foreign; f++) {
            uint64_t j = atl_rng_below(&rng, TABLE_COLUMNS);
            row[j] += atl_rng_below(&rng, 2) != 0 ? 2.0F : -2.0F;
        }
    }
    return rows;
}

float *table_normal(uint32_t n, uint64_t seed)
{
    return draw(n, seed, 0);
}

float *table_anomalous(uint32_t n, uint64_t seed)
{
    return draw(n, seed, 3);
}

void table_shape(struct learn_shape *shape)
{
    static const uint8_t schema[LEARN_SCHEMA_BYTES] = {1, 2, 3};
    learn_shape_default(shape, TABLE_COLUMNS, schema);
    shape->widths[1] = TABLE_RANK * 2;
}

double table_auc(const float *normal, uint32_t n, const float *anomalous, uint32_t m)
{
    double won = 0;
    for (uint32_t i = 0; i < m; i++) {
        for (uint32_t k = 0; k < n; k++)
            won += anomalous[i] > normal[k] ? 1.0 : anomalous[i] == normal[k] ? 0.5 : 0.0;
    }
    return won / n / m;
}

double table_separation(const struct learn_model *model)
{
    enum { CALIBRATION = 1000, ROWS = LEARN_BATCH_MAX };
    float *fresh = table_normal(CALIBRATION, 1001);
    float *normal = table_normal(ROWS, 1002), *anomalous = table_anomalous(ROWS, 1003);
    float of_normal[ROWS], of_anomalous[ROWS];
    struct learn_model *calibrated = NULL;
    struct learn_scratch *scratch = NULL;
    double auc = -1;
    if (learn_model_calibrate(&calibrated, model, fresh, CALIBRATION, 1e-3, "test", NULL) == 0 &&
        learn_scratch_create(&scratch, learn_model_shape(model)) == 0) {
        learn_score(calibrated, scratch, normal, ROWS, of_normal, NULL);
        learn_score(calibrated, scratch, anomalous, ROWS, of_anomalous, NULL);
        auc = table_auc(of_normal, ROWS, of_anomalous, ROWS);
    }
    learn_scratch_destroy(scratch);
    learn_model_destroy(calibrated);
    free(fresh);
    free(normal);
    free(anomalous);
    return auc;
}
