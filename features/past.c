/* SPDX-License-Identifier: Apache-2.0 */
#include "features/past_priv.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "features/sets_priv.h"

#define BEFORE_MIN   4       /* windows: fewer say nothing of what is usual */
#define NEW_MAX      1440    /* windows: a day of those of a minute */
#define FADE         0.9999F /* a window: to a third in a week of them */
#define UPLOAD_USUAL 16e6F   /* bytes: more than cameras and shared files send in a minute */
#define ANSWERED_MIN 20      /* a server that answered less may be a client that was called back */

size_t feat_pasts_bytes(uint32_t hosts_max)
{
    return (size_t)feat_sets_for(hosts_max) * FEAT_WAYS * sizeof(struct past);
}

int feat_pasts_init(struct pasts *p, uint32_t hosts_max, atl_ns window_ns)
{
    p->sets = feat_sets_for(hosts_max);
    p->window_ns = window_ns;
    p->set = calloc(p->sets, FEAT_WAYS * sizeof(*p->set));
    return p->set != NULL ? 0 : -ENOMEM;
}

void feat_pasts_finish(struct pasts *p)
{
    free(p->set);
}

static void turn(struct pasts *p, atl_ns now_ns)
{
    uint32_t window = (uint32_t)(now_ns / p->window_ns);
    p->count += window != p->window;
    p->window = window;
}

static void close_window(const struct pasts *p, struct past *past)
{
    if (past->latest == p->count)
        return;
    past->most = fmaxf(past->most, past->upload) * powf(FADE, (float)(p->count - past->latest));
    past->upload = 0;
    past->latest = p->count;
}

struct past *feat_pasts_find(struct pasts *p, uint64_t id, atl_ns now_ns)
{
    id += id == 0;
    turn(p, now_ns);
    struct past *set = &p->set[(id & (p->sets - 1)) * FEAT_WAYS], *at = set;
    for (int i = 0; i < FEAT_WAYS; i++) {
        if (set[i].id == id) {
            close_window(p, &set[i]);
            return &set[i];
        }
        if (set[i].latest < at->latest)
            at = &set[i];
    }
    *at = (struct past){.id = id, .since = p->count, .latest = p->count};
    return at;
}

uint32_t feat_past_age(const struct pasts *p, const struct past *past)
{
    return p->count - past->since;
}

static bool is_new(uint32_t before, uint32_t lasted)
{
    return before >= BEFORE_MIN && lasted <= before && lasted <= NEW_MAX;
}

bool feat_past_is_new(const struct pasts *p, const struct past *past, uint32_t before)
{
    uint32_t age = feat_past_age(p, past); /* less than before when the entry had to make room */
    return age >= before && is_new(before, age - before);
}

float feat_past_upload(const struct pasts *p, struct past *past, float net_bytes)
{
    past->upload = fmaxf(past->upload, net_bytes);
    if (feat_past_age(p, past) < BEFORE_MIN)
        return 0;
    return fmaxf(0, net_bytes - fmaxf(UPLOAD_USUAL, 2 * past->most));
}

/* Majority vote (Boyer and Moore 1981): one counter finds the service that most are of. */
void feat_past_answer(const struct pasts *p, struct past *past, uint32_t service)
{
    service += service == 0;
    if (past->served == service) {
        past->answered += past->answered < UINT32_MAX;
    } else if (past->answered > 0) {
        past->answered--;
    } else {
        past->served = service;
        past->answered = 1;
        past->served_since = p->count;
        past->turned = false;
    }
}

uint32_t feat_past_call(const struct pasts *p, struct past *past, uint32_t service)
{
    service += service == 0;
    if (past->served != service || past->answered < ANSWERED_MIN)
        return 0;
    if (!past->turned)
        past->turned_since = p->count;
    past->turned = true;
    bool fresh = is_new(past->turned_since - past->served_since, p->count - past->turned_since);
    return fresh ? past->answered : 0;
}
