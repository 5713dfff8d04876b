/* SPDX-License-Identifier: Apache-2.0 */
#include "app/detector_state_priv.h"
#include "app/recipe_priv.h"

#include <string.h>

#define SUSPECT_NS (300 * ATL_NS_PER_S)

/* Hosts are known by a keyed hash of their address: two of 20,000 share one with a chance of
 * 10^-11. */
uint64_t detector_source_of(const struct detector *d, const struct dp_addr *addr)
{
    return atl_hash(&d->host_key, addr, sizeof(*addr));
}

static void forget(struct detector *d, const struct dp_addr *addr)
{
    pthread_mutex_lock(&d->rows_lock);
    for (enum view v = 0; v < VIEW_COUNT; v++)
        intake_forget(d->views[v].intake, detector_source_of(d, addr), d->now_ns);
    pthread_mutex_unlock(&d->rows_lock);
}

static struct suspect *find_suspect(struct detector *d, const struct dp_addr *addr)
{
    for (uint32_t i = 0; i < DETECTOR_SUSPECTS; i++) {
        if (memcmp(&d->suspects[i].addr, addr, sizeof(*addr)) == 0)
            return &d->suspects[i];
    }
    return NULL;
}

void detector_suspect(struct detector *d, const struct dp_addr *addr)
{
    struct suspect *slot = find_suspect(d, addr);
    if (slot == NULL) {
        slot = &d->suspects[d->next_suspect];
        d->next_suspect = (d->next_suspect + 1) % DETECTOR_SUSPECTS;
        slot->until_ns = 0;
    }
    if (slot->until_ns <= d->now_ns) /* later rows of a suspect never got in */
        forget(d, addr);
    *slot = (struct suspect){*addr, d->now_ns + SUSPECT_NS};
}

bool detector_is_suspect(const struct detector *d, const struct dp_addr *addr)
{
    for (uint32_t i = 0; i < DETECTOR_SUSPECTS; i++) {
        if (d->suspects[i].until_ns > d->now_ns &&
            memcmp(&d->suspects[i].addr, addr, sizeof(*addr)) == 0)
            return true;
    }
    return false;
}

bool detector_is_local(const struct learn_model *model)
{
    return model != NULL && strcmp(learn_model_origin(model), RECIPE_FACTORY) != 0;
}

void detector_remember(struct detector *d, enum view view, const struct intake_row *row)
{
    struct view_state *v = &d->views[view];
    if (intake_offer(v->intake, row, d->now_ns, detector_is_local(v->model)))
        atl_counter_add(&v->offered, 1);
}

void detector_adapt(struct detector *d, bool flush)
{
    pthread_mutex_lock(&d->rows_lock);
    for (enum view i = 0; i < VIEW_COUNT; i++) {
        struct view_state *v = &d->views[i];
        intake_step(v->intake, d->now_ns, flush);
        atomic_store(&v->waiting, intake_waiting(v->intake));
        atomic_store(&v->refused, intake_refused(v->intake));
        atomic_store(&v->forgotten, intake_forgotten(v->intake));
    }
    pthread_mutex_unlock(&d->rows_lock);
    for (enum view i = 0; i < VIEW_COUNT; i++) {
        struct view_state *v = &d->views[i];
        atl_counter_add(&v->drifts, drift_watch_step(v->drift, d->now_ns) != 0);
        atomic_store(&v->level, drift_watch_level(v->drift));
        if (flush)
            drift_watch_reset(v->drift);
    }
}
