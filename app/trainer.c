/* SPDX-License-Identifier: Apache-2.0 */
#include "app/trainer_work_priv.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct trainer {
    struct trainer_work work; /* the thread's */
    pthread_t thread;
    bool running;
    pthread_mutex_t lock; /* all below, and setting work.stop */
    pthread_cond_t wake;
    bool wanted[TRAINER_JOBS], finished[TRAINER_JOBS];
    struct trainer_order orders[TRAINER_JOBS];
    struct trainer_result results[TRAINER_JOBS]; /* one of a kind at a time: cannot overflow */
    int event_fd;
};

/* --- the thread --- */

static bool next_job(struct trainer *t, enum trainer_job *ret_kind)
{
    for (int i = 0; i < TRAINER_JOBS; i++) {
        if (t->wanted[i] && !t->finished[i]) {
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
    while (!t->work.stop) {
        if (!next_job(t, &kind)) {
            pthread_cond_wait(&t->wake, &t->lock);
            continue;
        }
        struct trainer_order order = t->orders[kind];
        struct trainer_result result;
        pthread_mutex_unlock(&t->lock);
        trainer_work_do(&t->work, kind, &order, &result);
        pthread_mutex_lock(&t->lock);
        free(t->orders[kind].params);
        t->orders[kind].params = NULL;
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
        r = learn_model_copy(&t->work.current.models[v], start->models[v]);
    return r;
}

int trainer_create(struct trainer **ret_trainer, struct detector *detector,
                   const struct model_set *start, const char *state_path, uint64_t seed,
                   struct atl_error *err)
{
    struct trainer *t = calloc(1, sizeof(*t));
    if (t == NULL)
        return atl_error_set(err, -ENOMEM, "out of memory");
    t->work.detector = detector;
    t->work.state_path = state_path;
    t->work.seed = seed;
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
        t->work.stop = true;
        pthread_cond_signal(&t->wake);
        pthread_mutex_unlock(&t->lock);
        pthread_join(t->thread, NULL);
    }
    for (int i = 0; i < TRAINER_JOBS; i++) {
        free(t->orders[i].params);
        free(t->results[i].delta);
    }
    model_set_finish(&t->work.current);
    model_set_finish(&t->work.before);
    if (t->event_fd >= 0)
        close(t->event_fd);
    pthread_mutex_destroy(&t->lock);
    pthread_cond_destroy(&t->wake);
    free(t);
}

static int want(struct trainer *t, enum trainer_job kind, const struct trainer_order *order)
{
    int r = -EBUSY;
    pthread_mutex_lock(&t->lock);
    if (!t->wanted[kind]) {
        t->orders[kind] = *order;
        t->wanted[kind] = true;
        pthread_cond_signal(&t->wake);
        r = 0;
    }
    pthread_mutex_unlock(&t->lock);
    return r;
}

static int want_params(struct trainer *t, enum trainer_job kind, struct trainer_order *order,
                       const float *params)
{
    order->params = malloc(order->n * sizeof(float));
    if (order->params == NULL)
        return -ENOMEM;
    memcpy(order->params, params, order->n * sizeof(float));
    int r = want(t, kind, order);
    if (r < 0)
        free(order->params);
    return r;
}

int trainer_learn(struct trainer *t, enum view view)
{
    return want(t, view == VIEW_FLOW ? TRAINER_LEARN_FLOW : TRAINER_LEARN_HOST,
                &(struct trainer_order){0});
}

int trainer_refresh(struct trainer *t, enum view view)
{
    return want(t, view == VIEW_FLOW ? TRAINER_REFRESH_FLOW : TRAINER_REFRESH_HOST,
                &(struct trainer_order){0});
}

int trainer_undo(struct trainer *t, enum view view)
{
    return want(t, view == VIEW_FLOW ? TRAINER_UNDO_FLOW : TRAINER_UNDO_HOST,
                &(struct trainer_order){0});
}

int trainer_roll_back(struct trainer *t)
{
    return want(t, TRAINER_ROLL_BACK, &(struct trainer_order){0});
}

int trainer_private(struct trainer *t, const struct fed_plan *plan, const float *params, uint32_t n)
{
    struct trainer_order order = {.plan = *plan, .round = plan->round, .n = n};
    return want_params(t, TRAINER_PRIVATE, &order, params);
}

int trainer_adopt(struct trainer *t, uint64_t round, const char *name, const float *params,
                  uint32_t n)
{
    struct trainer_order order = {.round = round, .n = n};
    atl_copy(order.name, sizeof(order.name), name);
    return want_params(t, TRAINER_ADOPT, &order, params);
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
        t->finished[i] = t->wanted[i] = false;
        taken = true;
    }
    if (!taken)
        eventfd_read(t->event_fd, &ignored);
    pthread_mutex_unlock(&t->lock);
    return taken;
}
