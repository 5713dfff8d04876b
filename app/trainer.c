/* SPDX-License-Identifier: Apache-2.0 */
#include "app/promote_priv.h"
#include "app/trainer_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct pending {
    bool wanted;
    struct fed_plan plan;
    uint64_t round;
    char name[TRAINER_NAME_BYTES]; /* ADOPT */
    float *params;                 /* the job's own */
    uint32_t n;
};

struct trainer {
    struct detector *detector;
    const char *state_path;
    uint64_t seed;
    struct model_set current; /* trainer thread's own copies, to start from and to save */
    struct model_set before;  /* what the last promotion replaced, or NULL */

    pthread_t thread;
    bool running;
    pthread_mutex_t lock; /* all below */
    pthread_cond_t wake;
    _Atomic bool stop; /* set under the lock, read by training without it */
    struct pending jobs[TRAINER_JOBS];
    struct trainer_result results[TRAINER_JOBS]; /* one of a kind at a time: cannot overflow */
    bool finished[TRAINER_JOBS];
    int event_fd;
};

/* --- jobs, on the trainer thread --- */

/*
 * The detector owns what it is given; the trainer keeps a twin to save and to start from next time.
 * A full disk must not keep a good model from its work, and the next save may succeed.
 */
static int put_to_work(struct trainer *t, enum view view, struct learn_model *model,
                       struct trainer_result *result, struct atl_error *err)
{
    struct learn_model *twin;
    int r = learn_model_copy(&twin, model);
    if (r < 0) {
        learn_model_destroy(model);
        return atl_error_set(err, r, "out of memory");
    }
    learn_model_destroy(t->current.models[view]);
    t->current.models[view] = twin;
    detector_post_model(t->detector, view, model);
    struct atl_error disk;
    if (model_set_save_generation(t->state_path, &t->current, &disk) < 0)
        snprintf(result->unsaved, sizeof(result->unsaved), "%.399s", disk.text);
    return 0;
}

static int learn_rows(struct trainer *t, enum view view, const struct learn_model *start,
                      const char *origin, struct trainer_result *result, struct atl_error *err)
{
    float *rows;
    struct learn_model *model;
    int r = detector_copy_rows(t->detector, view, &rows, &result->rows);
    if (r < 0)
        return atl_error_set(err, r, "no rows to learn from");
    r = recipe_train(view, start, rows, result->rows, t->seed, origin, &model, err);
    if (r == 0)
        r = put_to_work(t, view, model, result, err);
    free(rows);
    return r;
}

static int learn_view(struct trainer *t, enum view view, struct trainer_result *result,
                      struct atl_error *err)
{
    int r = learn_rows(t, view, t->current.models[view], RECIPE_LOCAL, result, err);
    if (r == 0)
        snprintf(result->text, sizeof(result->text), "%s model learned from %u rows",
                 view_name(view), result->rows);
    return r;
}

static int adopt(struct trainer *t, const struct pending *job, struct trainer_result *result,
                 struct atl_error *err)
{
    struct learn_shape shape;
    struct learn_model *committed;
    recipe_shape(VIEW_FLOW, &shape);
    int r = learn_model_from_params(&committed, &shape, job->params, err);
    if (r < 0)
        return r;
    r = learn_rows(t, VIEW_FLOW, committed, job->name, result, err);
    learn_model_destroy(committed);
    if (r == 0)
        snprintf(result->text, sizeof(result->text),
                 "flow model of round %" PRIu64 " tuned to %u local rows and put to work",
                 job->round, result->rows);
    return r;
}

static int run_private(struct trainer *t, const struct pending *job, const struct learn_model *base,
                       const float *rows, const uint64_t *host, struct trainer_result *result,
                       struct atl_error *err)
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
        .stop = &t->stop,
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

static int train_private(struct trainer *t, const struct pending *job,
                         struct trainer_result *result, struct atl_error *err)
{
    struct learn_shape shape;
    struct learn_model *base = NULL;
    float *rows;
    uint64_t *host;
    recipe_shape(VIEW_FLOW, &shape);
    int r = detector_copy_units(t->detector, VIEW_FLOW, &rows, &host, &result->rows);
    if (r < 0)
        return atl_error_set(err, r, "no rows to learn from");
    recipe_keep_own(VIEW_FLOW, rows, result->rows);
    if (job->n != learn_shape_params(&shape))
        r = atl_error_set(err, -EINVAL, "the plan's model has another shape");
    if (r == 0)
        r = learn_model_from_params(&base, &shape, job->params, err);
    if (r == 0)
        r = run_private(t, job, base, rows, host, result, err);
    learn_model_destroy(base);
    free(rows);
    free(host);
    if (r == 0)
        snprintf(result->text, sizeof(result->text),
                 "trained privately on %u rows for round %" PRIu64, result->rows, job->plan.round);
    return r;
}

/* --- adaptation --- */

static int judge(struct trainer *t, enum view view, const struct learn_model *fresh,
                 struct promote_verdict *verdict)
{
    float *rows;
    uint32_t n;
    int r = detector_copy_held_back(t->detector, view, &rows, &n);
    if (r == -ENODATA) {
        *verdict = (struct promote_verdict){0};
        return 0;
    }
    if (r == 0) {
        r = promote_judge(t->current.models[view], fresh, rows, n, verdict);
        free(rows);
    }
    return r;
}

static int promote(struct trainer *t, enum view view, struct learn_model *fresh,
                   struct trainer_result *result, struct atl_error *err)
{
    struct learn_model *before;
    int r = learn_model_copy(&before, t->current.models[view]);
    if (r < 0) {
        learn_model_destroy(fresh);
        return atl_error_set(err, r, "out of memory");
    }
    learn_model_destroy(t->before.models[view]);
    t->before.models[view] = before;
    result->promoted = true;
    return put_to_work(t, view, fresh, result, err);
}

static int refresh(struct trainer *t, enum view view, struct trainer_result *result,
                   struct atl_error *err)
{
    struct learn_model *fresh;
    struct promote_verdict v;
    float *rows;
    int r = detector_copy_rows(t->detector, view, &rows, &result->rows);
    if (r < 0)
        return atl_error_set(err, r, "no rows to learn from");
    r = recipe_train(view, t->current.models[view], rows, result->rows, t->seed,
                     learn_model_origin(t->current.models[view]), &fresh, err);
    free(rows);
    if (r < 0)
        return r;
    r = judge(t, view, fresh, &v);
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
        return promote(t, view, fresh, result, err);
    learn_model_destroy(fresh);
    return 0;
}

static int undo(struct trainer *t, enum view view, struct trainer_result *result,
                struct atl_error *err)
{
    struct learn_model *before = t->before.models[view];
    if (before == NULL)
        return atl_error_set(err, -ENOENT, "no %s model to go back to", view_name(view));
    t->before.models[view] = NULL;
    snprintf(result->text, sizeof(result->text), "back to the %s model before the last promotion",
             view_name(view));
    return put_to_work(t, view, before, result, err);
}

static int roll_back(struct trainer *t, struct trainer_result *result, struct atl_error *err)
{
    struct model_set earlier;
    int r = model_set_roll_back(t->state_path, &earlier, err);
    if (r < 0)
        return r;
    for (enum view v = 0; v < VIEW_COUNT && r == 0; v++) {
        struct learn_model *twin;
        r = learn_model_copy(&twin, earlier.models[v]);
        if (r == 0)
            detector_post_model(t->detector, v, twin);
    }
    model_set_finish(&t->current);
    t->current = earlier;
    snprintf(result->text, sizeof(result->text), "back to the models before, as asked");
    return r;
}

static void tell_origins(const struct trainer *t, struct trainer_result *result)
{
    for (enum view v = 0; v < VIEW_COUNT; v++)
        atl_copy(result->origins[v], sizeof(result->origins[v]),
                 learn_model_origin(t->current.models[v]));
}

static void do_job(struct trainer *t, enum trainer_job kind, const struct pending *job,
                   struct trainer_result *result)
{
    struct atl_error err = {""};
    *result = (struct trainer_result){.job = kind, .round = job->round};
    switch (kind) {
    case TRAINER_LEARN_FLOW:
        result->status = learn_view(t, VIEW_FLOW, result, &err);
        break;
    case TRAINER_LEARN_HOST:
        result->status = learn_view(t, VIEW_HOST, result, &err);
        break;
    case TRAINER_PRIVATE:
        result->status = train_private(t, job, result, &err);
        break;
    case TRAINER_ADOPT:
        result->status = adopt(t, job, result, &err);
        break;
    case TRAINER_REFRESH_FLOW:
        result->status = refresh(t, VIEW_FLOW, result, &err);
        break;
    case TRAINER_REFRESH_HOST:
        result->status = refresh(t, VIEW_HOST, result, &err);
        break;
    case TRAINER_UNDO_FLOW:
        result->status = undo(t, VIEW_FLOW, result, &err);
        break;
    case TRAINER_UNDO_HOST:
        result->status = undo(t, VIEW_HOST, result, &err);
        break;
    case TRAINER_ROLL_BACK:
        result->status = roll_back(t, result, &err);
        break;
    case TRAINER_JOBS:
        break;
    }
    tell_origins(t, result);
    if (result->status < 0)
        snprintf(result->text, sizeof(result->text), "training: %.180s", err.text);
}

/* --- the thread --- */

static bool next_job(struct trainer *t, enum trainer_job *ret_kind)
{
    for (int i = 0; i < TRAINER_JOBS; i++) {
        if (t->jobs[i].wanted && !t->finished[i]) {
            *ret_kind = (enum trainer_job)i;
            return true;
        }
    }
    return false;
}

static void *thread_main(void *arg)
{
    struct trainer *t = arg;
    enum trainer_job kind;
    pthread_mutex_lock(&t->lock);
    while (!t->stop) {
        if (!next_job(t, &kind)) {
            pthread_cond_wait(&t->wake, &t->lock);
            continue;
        }
        struct pending job = t->jobs[kind];
        struct trainer_result result;
        pthread_mutex_unlock(&t->lock);
        do_job(t, kind, &job, &result);
        pthread_mutex_lock(&t->lock);
        free(t->jobs[kind].params);
        t->jobs[kind].params = NULL;
        t->results[kind] = result;
        t->finished[kind] = true;
        eventfd_write(t->event_fd, 1);
    }
    pthread_mutex_unlock(&t->lock);
    return NULL;
}

/* --- control thread --- */

static int copy_models(struct trainer *t, const struct model_set *start)
{
    int r = 0;
    for (enum view v = 0; v < VIEW_COUNT && r == 0; v++)
        r = learn_model_copy(&t->current.models[v], start->models[v]);
    return r;
}

int trainer_create(struct trainer **ret_trainer, struct detector *detector,
                   const struct model_set *start, const char *state_path, uint64_t seed,
                   struct atl_error *err)
{
    struct trainer *t = calloc(1, sizeof(*t));
    if (t == NULL)
        return atl_error_set(err, -ENOMEM, "out of memory");
    t->detector = detector;
    t->state_path = state_path;
    t->seed = seed;
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->wake, NULL);
    t->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int r = t->event_fd < 0 ? -errno : copy_models(t, start);
    if (r == 0)
        r = -pthread_create(&t->thread, NULL, thread_main, t);
    if (r < 0) {
        trainer_destroy(t);
        return atl_error_set(err, r, "cannot start the trainer: %s", strerror(-r));
    }
    t->running = true;
    *ret_trainer = t;
    return 0;
}

void trainer_destroy(struct trainer *t)
{
    if (t == NULL)
        return;
    if (t->running) {
        pthread_mutex_lock(&t->lock);
        t->stop = true;
        pthread_cond_signal(&t->wake);
        pthread_mutex_unlock(&t->lock);
        pthread_join(t->thread, NULL);
    }
    for (int i = 0; i < TRAINER_JOBS; i++) {
        free(t->jobs[i].params);
        free(t->results[i].delta);
    }
    model_set_finish(&t->current);
    model_set_finish(&t->before);
    if (t->event_fd >= 0)
        close(t->event_fd);
    pthread_mutex_destroy(&t->lock);
    pthread_cond_destroy(&t->wake);
    free(t);
}

static int want(struct trainer *t, enum trainer_job kind, const struct pending *job)
{
    int r = -EBUSY;
    pthread_mutex_lock(&t->lock);
    if (!t->jobs[kind].wanted) {
        t->jobs[kind] = *job;
        t->jobs[kind].wanted = true;
        pthread_cond_signal(&t->wake);
        r = 0;
    }
    pthread_mutex_unlock(&t->lock);
    return r;
}

static int want_params(struct trainer *t, enum trainer_job kind, struct pending *job,
                       const float *params)
{
    job->params = malloc(job->n * sizeof(float));
    if (job->params == NULL)
        return -ENOMEM;
    memcpy(job->params, params, job->n * sizeof(float));
    int r = want(t, kind, job);
    if (r < 0)
        free(job->params);
    return r;
}

int trainer_learn(struct trainer *t, enum view view)
{
    return want(t, view == VIEW_FLOW ? TRAINER_LEARN_FLOW : TRAINER_LEARN_HOST,
                &(struct pending){0});
}

int trainer_refresh(struct trainer *t, enum view view)
{
    return want(t, view == VIEW_FLOW ? TRAINER_REFRESH_FLOW : TRAINER_REFRESH_HOST,
                &(struct pending){0});
}

int trainer_undo(struct trainer *t, enum view view)
{
    return want(t, view == VIEW_FLOW ? TRAINER_UNDO_FLOW : TRAINER_UNDO_HOST, &(struct pending){0});
}

int trainer_roll_back(struct trainer *t)
{
    return want(t, TRAINER_ROLL_BACK, &(struct pending){0});
}

int trainer_private(struct trainer *t, const struct fed_plan *plan, const float *params, uint32_t n)
{
    struct pending job = {.plan = *plan, .round = plan->round, .n = n};
    return want_params(t, TRAINER_PRIVATE, &job, params);
}

int trainer_adopt(struct trainer *t, uint64_t round, const char *name, const float *params,
                  uint32_t n)
{
    struct pending job = {.round = round, .n = n};
    atl_copy(job.name, sizeof(job.name), name);
    return want_params(t, TRAINER_ADOPT, &job, params);
}

int trainer_fd(const struct trainer *t)
{
    return t->event_fd;
}

bool trainer_take(struct trainer *t, struct trainer_result *ret_result)
{
    bool taken = false;
    eventfd_t ignored;
    pthread_mutex_lock(&t->lock);
    for (int i = 0; i < TRAINER_JOBS && !taken; i++) {
        if (!t->finished[i])
            continue;
        *ret_result = t->results[i];
        t->results[i].delta = NULL;
        t->finished[i] = t->jobs[i].wanted = false;
        taken = true;
    }
    if (!taken)
        eventfd_read(t->event_fd, &ignored);
    pthread_mutex_unlock(&t->lock);
    return taken;
}
