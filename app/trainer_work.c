/* SPDX-License-Identifier: Apache-2.0 */
#include "app/promote_priv.h"
#include "app/trainer_work_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * The detector owns what it is given; the trainer keeps a twin to save and to start from next time.
 * A full disk must not keep a good model from its work, and the next save may succeed.
 */
static int put_to_work(struct trainer_work *w, enum view view, struct learn_model *model,
                       struct trainer_result *result, struct atl_error *err)
{
    struct learn_model *twin;
    int r = learn_model_copy(&twin, model);
    if (r < 0) {
        learn_model_destroy(model);
        return atl_error_set(err, r, "out of memory");
    }
    learn_model_destroy(w->current.models[view]);
    w->current.models[view] = twin;
    detector_post_model(w->detector, view, model);
    struct atl_error disk;
    if (model_set_save_generation(w->state_path, &w->current, &disk) < 0)
        snprintf(result->unsaved, sizeof(result->unsaved), "%.399s", disk.text);
    return 0;
}

static int learn_rows(struct trainer_work *w, enum view view, const struct learn_model *start,
                      const char *origin, struct trainer_result *result, struct atl_error *err)
{
    float *rows;
    struct learn_model *model;
    int r = detector_copy_rows(w->detector, view, &rows, &result->rows);
    if (r < 0)
        return atl_error_set(err, r, "no rows to learn from");
    r = recipe_train(view, start, rows, result->rows, w->seed, origin, &model, err);
    if (r == 0)
        r = put_to_work(w, view, model, result, err);
    free(rows);
    return r;
}

static int learn_view(struct trainer_work *w, enum view view, struct trainer_result *result,
                      struct atl_error *err)
{
    int r = learn_rows(w, view, w->current.models[view], RECIPE_LOCAL, result, err);
    if (r == 0)
        snprintf(result->text, sizeof(result->text), "%s model learned from %u rows",
                 view_name(view), result->rows);
    return r;
}

static int adopt(struct trainer_work *w, const struct trainer_order *job,
                 struct trainer_result *result, struct atl_error *err)
{
    struct learn_shape shape;
    struct learn_model *committed;
    recipe_shape(VIEW_FLOW, &shape);
    int r = learn_model_from_params(&committed, &shape, job->params, err);
    if (r < 0)
        return r;
    r = learn_rows(w, VIEW_FLOW, committed, job->name, result, err);
    learn_model_destroy(committed);
    if (r == 0)
        snprintf(result->text, sizeof(result->text),
                 "flow model of round %" PRIu64 " tuned to %u local rows and put to work",
                 job->round, result->rows);
    return r;
}

static int run_private(struct trainer_work *w, const struct trainer_order *job,
                       const struct learn_model *base, const float *rows, const uint64_t *host,
                       struct trainer_result *result, struct atl_error *err)
{
    struct learn_train_config cfg;
    struct learn_trainer *trainer;
    struct atl_rng rng;
    atl_rng_init_secure(&rng);
    learn_train_config_default(&cfg);
    cfg.learning_rate = job->plan.learning_rate;
    cfg.proximal = job->plan.proximal;
    int r = learn_trainer_create(&trainer, base, &cfg, err);
    if (r < 0)
        return r;
    const struct learn_private private = {
        .clip = job->plan.clip,
        .noise_multiplier = job->plan.noise_multiplier,
        .sample_rate = job->plan.sample_rate,
        .steps = job->plan.steps,
        .unit = strcmp(job->plan.unit, FED_UNIT_HOST) == 0 ? host : NULL,
        .rng = &rng,
        .stop = &w->stop,
    };
    r = learn_trainer_run_private(trainer, rows, result->rows, &private, err);
    result->delta = r == 0 ? malloc(job->n * sizeof(float)) : NULL;
    if (r == 0 && result->delta == NULL)
        r = atl_error_set(err, -ENOMEM, "out of memory");
    const float *after = learn_trainer_params(trainer);
    for (uint32_t i = 0; r == 0 && i < job->n; i++)
        result->delta[i] = after[i] - job->params[i];
    result->n = job->n;
    learn_trainer_destroy(trainer);
    return r;
}

static int train_private(struct trainer_work *w, const struct trainer_order *job,
                         struct trainer_result *result, struct atl_error *err)
{
    struct learn_shape shape;
    struct learn_model *base = NULL;
    float *rows;
    uint64_t *host;
    recipe_shape(VIEW_FLOW, &shape);
    int r = detector_copy_units(w->detector, VIEW_FLOW, &rows, &host, &result->rows);
    if (r < 0)
        return atl_error_set(err, r, "no rows to learn from");
    recipe_keep_own(VIEW_FLOW, rows, result->rows);
    if (job->n != learn_shape_params(&shape))
        r = atl_error_set(err, -EINVAL, "the plan's model has another shape");
    if (r == 0)
        r = learn_model_from_params(&base, &shape, job->params, err);
    if (r == 0)
        r = run_private(w, job, base, rows, host, result, err);
    learn_model_destroy(base);
    free(rows);
    free(host);
    if (r == 0)
        snprintf(result->text, sizeof(result->text),
                 "trained privately on %u rows for round %" PRIu64, result->rows, job->plan.round);
    return r;
}

/* --- adaptation --- */

static int judge(struct trainer_work *w, enum view view, const struct learn_model *fresh,
                 struct promote_verdict *verdict)
{
    float *rows;
    uint32_t n;
    int r = detector_copy_held_back(w->detector, view, &rows, &n);
    if (r == -ENODATA) {
        *verdict = (struct promote_verdict){0};
        return 0;
    }
    if (r == 0) {
        r = promote_judge(w->current.models[view], fresh, rows, n, verdict);
        free(rows);
    }
    return r;
}

static int promote(struct trainer_work *w, enum view view, struct learn_model *fresh,
                   struct trainer_result *result, struct atl_error *err)
{
    struct learn_model *before;
    int r = learn_model_copy(&before, w->current.models[view]);
    if (r < 0) {
        learn_model_destroy(fresh);
        return atl_error_set(err, r, "out of memory");
    }
    learn_model_destroy(w->before.models[view]);
    w->before.models[view] = before;
    result->promoted = true;
    return put_to_work(w, view, fresh, result, err);
}

static int refresh(struct trainer_work *w, enum view view, struct trainer_result *result,
                   struct atl_error *err)
{
    struct learn_model *fresh;
    struct promote_verdict v;
    float *rows;
    int r = detector_copy_rows(w->detector, view, &rows, &result->rows);
    if (r < 0)
        return atl_error_set(err, r, "no rows to learn from");
    r = recipe_train(view, w->current.models[view], rows, result->rows, w->seed,
                     learn_model_origin(w->current.models[view]), &fresh, err);
    free(rows);
    if (r < 0)
        return r;
    r = judge(w, view, fresh, &v);
    if (r < 0) {
        learn_model_destroy(fresh);
        return atl_error_set(err, r, "out of memory");
    }
    snprintf(result->text, sizeof(result->text),
             "%s model learned anew from %u rows %s: of %u recent rows %u are odd to it, %u to the "
             "one before%s",
             view_name(view), result->rows, v.promote ? "and promoted" : "but kept out", v.rows,
             v.over_new, v.over_now, v.rows < PROMOTE_ROWS_MIN ? "; too few to tell" : "");
    if (v.promote)
        return promote(w, view, fresh, result, err);
    learn_model_destroy(fresh);
    return 0;
}

static int undo(struct trainer_work *w, enum view view, struct trainer_result *result,
                struct atl_error *err)
{
    struct learn_model *before = w->before.models[view];
    if (before == NULL)
        return atl_error_set(err, -ENOENT, "no %s model to go back to", view_name(view));
    w->before.models[view] = NULL;
    snprintf(result->text, sizeof(result->text), "back to the %s model before the last promotion",
             view_name(view));
    return put_to_work(w, view, before, result, err);
}

static int roll_back(struct trainer_work *w, struct trainer_result *result, struct atl_error *err)
{
    struct model_set earlier;
    int r = model_set_roll_back(w->state_path, &earlier, err);
    if (r < 0)
        return r;
    struct model_set twins = {{NULL}};
    for (enum view v = 0; v < VIEW_COUNT && r == 0; v++)
        r = learn_model_copy(&twins.models[v], earlier.models[v]);
    if (r < 0) { /* the files are back; those at work stay until the next start */
        model_set_finish(&twins);
        model_set_finish(&earlier);
        return atl_error_set(err, r, "out of memory");
    }
    for (enum view v = 0; v < VIEW_COUNT; v++)
        detector_post_model(w->detector, v, twins.models[v]);
    model_set_finish(&w->current);
    w->current = earlier;
    snprintf(result->text, sizeof(result->text), "back to the models before, as asked");
    return 0;
}

static void tell_origins(const struct trainer_work *w, struct trainer_result *result)
{
    for (enum view v = 0; v < VIEW_COUNT; v++)
        atl_copy(result->origins[v], sizeof(result->origins[v]),
                 learn_model_origin(w->current.models[v]));
}

void trainer_work_do(struct trainer_work *w, enum trainer_job kind, const struct trainer_order *job,
                     struct trainer_result *result)
{
    struct atl_error err = {""};
    *result = (struct trainer_result){.job = kind, .round = job->round};
    switch (kind) {
    case TRAINER_LEARN_FLOW:
        result->status = learn_view(w, VIEW_FLOW, result, &err);
        break;
    case TRAINER_LEARN_HOST:
        result->status = learn_view(w, VIEW_HOST, result, &err);
        break;
    case TRAINER_PRIVATE:
        result->status = train_private(w, job, result, &err);
        break;
    case TRAINER_ADOPT:
        result->status = adopt(w, job, result, &err);
        break;
    case TRAINER_REFRESH_FLOW:
        result->status = refresh(w, VIEW_FLOW, result, &err);
        break;
    case TRAINER_REFRESH_HOST:
        result->status = refresh(w, VIEW_HOST, result, &err);
        break;
    case TRAINER_UNDO_FLOW:
        result->status = undo(w, VIEW_FLOW, result, &err);
        break;
    case TRAINER_UNDO_HOST:
        result->status = undo(w, VIEW_HOST, result, &err);
        break;
    case TRAINER_ROLL_BACK:
        result->status = roll_back(w, result, &err);
        break;
    case TRAINER_JOBS:
        break;
    }
    tell_origins(w, result);
    if (result->status < 0)
        snprintf(result->text, sizeof(result->text), "training: %.180s", err.text);
}
