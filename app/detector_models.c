/* SPDX-License-Identifier: Apache-2.0 */
#include "app/detector_state_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void detector_post_model(struct detector *d, enum view view, struct learn_model *model)
{
    learn_model_destroy(atomic_exchange(&d->views[view].posted, model));
}

void detector_set_reference(struct detector *d, struct learn_model *model)
{
    learn_model_destroy(d->views[VIEW_HOST].reference);
    d->views[VIEW_HOST].reference = model;
}

void detector_take_up_models(struct detector *d)
{
    for (enum view v = 0; v < VIEW_COUNT; v++) {
        struct learn_model *fresh = atomic_exchange(&d->views[v].posted, NULL);
        if (fresh == NULL)
            continue;
        learn_model_destroy(d->views[v].model);
        d->views[v].model = fresh;
        drift_watch_reset(d->views[v].drift);
    }
}

static int copy_floats(const float *data, uint32_t n, uint32_t columns, float **ret_rows,
                       uint32_t *ret_n)
{
    if (n == 0)
        return -ENODATA;
    size_t bytes = (size_t)n * columns * sizeof(float);
    float *rows = malloc(bytes);
    if (rows == NULL)
        return -ENOMEM;
    memcpy(rows, data, bytes);
    *ret_rows = rows;
    *ret_n = n;
    return 0;
}

static int copy_sample(const struct learn_reservoir *sample, uint32_t columns, float **ret_rows,
                       uint64_t **ret_unit, uint32_t *ret_n)
{
    if (sample == NULL)
        return -ENODATA;
    uint32_t n = learn_reservoir_rows(sample);
    uint64_t *unit = malloc((n + 1U) * sizeof(*unit));
    int r = unit == NULL ? -ENOMEM
                         : copy_floats(learn_reservoir_data(sample), n, columns, ret_rows, ret_n);
    if (r < 0) {
        free(unit);
        return r;
    }
    memcpy(unit, learn_reservoir_units(sample), n * sizeof(*unit));
    *ret_unit = unit;
    return 0;
}

int detector_copy_units(struct detector *d, enum view view, float **ret_rows, uint64_t **ret_unit,
                        uint32_t *ret_n)
{
    pthread_mutex_lock(&d->rows_lock);
    int r = copy_sample(intake_sample(d->views[view].intake), view_schema(view)->n_columns,
                        ret_rows, ret_unit, ret_n);
    pthread_mutex_unlock(&d->rows_lock);
    return r;
}

int detector_copy_rows(struct detector *d, enum view view, float **ret_rows, uint32_t *ret_n)
{
    pthread_mutex_lock(&d->rows_lock);
    const struct learn_strata *memory = intake_memory(d->views[view].intake);
    int r = copy_floats(learn_strata_data(memory), learn_strata_rows(memory),
                        view_schema(view)->n_columns, ret_rows, ret_n);
    pthread_mutex_unlock(&d->rows_lock);
    return r;
}

int detector_copy_held_back(struct detector *d, enum view view, float **ret_rows, uint32_t *ret_n)
{
    uint32_t n;
    pthread_mutex_lock(&d->rows_lock);
    const float *rows = intake_held_back(d->views[view].intake, &n);
    int r = copy_floats(rows, n, view_schema(view)->n_columns, ret_rows, ret_n);
    pthread_mutex_unlock(&d->rows_lock);
    return r;
}
