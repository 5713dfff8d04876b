/* SPDX-License-Identifier: Apache-2.0 */
#include "learner/season_priv.h"

#include <math.h>

#define VISITS_SEEN 2
/* A mean over the first visits, then an exponential one over about seven. */
#define GAIN_MIN 0.15

void learn_season_init(struct learn_season *season, uint32_t period_s, uint32_t slots)
{
    *season = (struct learn_season){.slots = slots, .period_s = period_s};
}

static uint32_t slot_of(const struct learn_season *season, double wall_s)
{
    double at = fmod(wall_s, season->period_s);
    if (at < 0) /* before 1970 */
        at += season->period_s;
    uint32_t slot = (uint32_t)(at * season->slots / season->period_s);
    return slot < season->slots ? slot : season->slots - 1; /* at + period may round up to it */
}

bool learn_season_get(const struct learn_season *season, double wall_s, double *ret_mean)
{
    uint32_t slot = slot_of(season, wall_s);
    if (season->visits[slot] < VISITS_SEEN)
        return false;
    *ret_mean = season->mean[slot];
    return true;
}

static void leave_slot(struct learn_season *season, double limit)
{
    double *mean = &season->mean[season->slot];
    uint16_t *visits = &season->visits[season->slot];
    double step = season->sum / season->filled - *mean;
    if (*visits > VISITS_SEEN)
        step = fmin(fmax(step, -limit), limit);
    if (*visits < UINT16_MAX)
        (*visits)++;
    *mean += fmax(1.0 / *visits, GAIN_MIN) * step;
    season->sum = 0;
    season->filled = 0;
}

void learn_season_put(struct learn_season *season, double wall_s, double value, double limit)
{
    uint32_t slot = slot_of(season, wall_s);
    if (season->filled > 0 && (slot != season->slot || season->filled == UINT32_MAX))
        leave_slot(season, limit);
    season->slot = slot;
    season->sum += value;
    season->filled++;
}

bool learn_season_ok(const struct learn_season *season)
{
    bool ok = season->slots >= 1 && season->slots <= SEASON_SLOTS_MAX && season->period_s >= 1 &&
              season->slot < season->slots && isfinite(season->sum);
    for (uint32_t i = 0; i < SEASON_SLOTS_MAX; i++)
        ok = ok && isfinite(season->mean[i]);
    return ok;
}
