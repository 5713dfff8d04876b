/* SPDX-License-Identifier: Apache-2.0 */
#include "features/pair_priv.h"

#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "features/sets_priv.h"

#define APART_TICKS  10 /* calls nearer than that are one: a browser opens several */
#define RESCORE      4  /* calls from one measurement to the next */
#define CONTINUES_NS (35 * ATL_NS_PER_S)
#define ALIKE_LOG2   0.58F /* half up or a third down */
#define REGULAR      0.7F  /* what calls at random hardly ever reach */
#define STEADY_CALLS 16
#define STEADY       0.8F /* of 15 gaps at random, once in ten million */
#define FADED        0.05F

size_t feat_pairs_bytes(uint32_t pairs_max)
{
    return (size_t)feat_sets_for(pairs_max) * FEAT_WAYS * sizeof(struct pair);
}

int feat_pairs_init(struct pairs *p, uint32_t pairs_max, atl_ns window_ns)
{
    p->sets = feat_sets_for(pairs_max);
    p->window_s = (float)window_ns * 1e-9F;
    p->set = calloc(p->sets, FEAT_WAYS * sizeof(*p->set));
    return p->set != NULL ? 0 : -ENOMEM;
}

void feat_pairs_finish(struct pairs *p)
{
    free(p->set);
}

static bool gives_way(const struct pair *a, const struct pair *b)
{
    bool a_young = a->stamps <= 2, b_young = b->stamps <= 2;
    return a_young != b_young ? a_young : a->last_ns < b->last_ns;
}

static struct pair *find(struct pairs *p, uint64_t id)
{
    struct pair *set = &p->set[(id & (p->sets - 1)) * FEAT_WAYS], *victim = set;
    for (int i = 0; i < FEAT_WAYS; i++) {
        if (set[i].id == id)
            return &set[i];
        if (set[i].id == 0) /* the rest is free, too */
            return memset(&set[i], 0, sizeof(*set));
        if (gives_way(&set[i], victim))
            victim = &set[i];
    }
    return memset(victim, 0, sizeof(*victim));
}

/* A day of clock lost is no day of silence: time only ever passes. */
static void fade(const struct pairs *p, struct pair *pair, atl_ns now_ns)
{
    if (now_ns <= pair->last_ns)
        return;
    float keep = expf(-(float)(now_ns - pair->last_ns) * 1e-9F / p->window_s);
    pair->calls *= keep;
    pair->alike *= keep;
    pair->bytes_out *= keep;
    pair->bytes_in *= keep;
}

/* Flows end in another order than they begin: put the stamp where it belongs. */
static void keep_stamp(struct pair *pair, uint32_t stamp)
{
    uint32_t at = pair->stamps;
    while (at > 0 && (int32_t)(pair->stamp[at - 1] - stamp) > 0)
        at--;
    if (at > 0 && stamp - pair->stamp[at - 1] < APART_TICKS)
        return;
    if (at < pair->stamps && pair->stamp[at] - stamp < APART_TICKS)
        return;
    if (pair->stamps == BEACON_STAMPS) {
        if (at == 0)
            return;
        at--;
        memmove(&pair->stamp[0], &pair->stamp[1], at * sizeof(pair->stamp[0]));
    } else {
        memmove(&pair->stamp[at + 1], &pair->stamp[at],
                (pair->stamps - at) * sizeof(pair->stamp[0]));
        pair->stamps++;
    }
    pair->stamp[at] = stamp;
    pair->unscored++;
}

static void rescore(struct pair *pair)
{
    if (pair->stamps < BEACON_CALLS || pair->unscored < RESCORE)
        return;
    struct beacon b = feat_beacon_measure(pair->stamp, pair->stamps);
    pair->unscored = 0;
    bool regular = b.score >= REGULAR;
    pair->score = regular ? b.score : 0;
    pair->period_s = regular ? b.period_s : 0;
    pair->steady = pair->stamps >= STEADY_CALLS && b.steady >= STEADY ? b.steady : 0;
}

/* A long conversation comes in pieces; the next piece is nobody's new call. */
static bool is_call(const struct pair *pair, const struct dp_flow *f)
{
    if (f->proto == IPPROTO_TCP)
        return !f->mid_stream;
    return pair->src_port != f->src_port || f->first_ns > pair->last_ns + CONTINUES_NS;
}

static void count_call(struct pair *pair, const struct dp_flow *f)
{
    float size = log2f(1 + (float)(f->fwd.bytes + f->bwd.bytes));
    if (pair->stamps == 0)
        pair->size_log2 = size;
    pair->calls += 1;
    pair->alike += fabsf(size - pair->size_log2) < ALIKE_LOG2;
    pair->size_log2 += 0.25F * (size - pair->size_log2);
    keep_stamp(pair, (uint32_t)(f->first_ns / BEACON_TICK_NS));
    rescore(pair);
}

const struct pair *feat_pairs_add(struct pairs *p, uint64_t id, const struct dp_flow *f,
                                  uint32_t before, bool *ret_again)
{
    id += id == 0;
    struct pair *pair = find(p, id);
    bool known = pair->id == id;
    if (known && f->last_ns + CONTINUES_NS < pair->last_ns) { /* another file, an earlier day */
        memset(pair, 0, sizeof(*pair));
        known = false;
    }
    fade(p, pair, f->last_ns);
    *ret_again = known && pair->calls > FADED;
    if (!known)
        pair->before = before;
    pair->bytes_out += (float)f->fwd.bytes;
    pair->bytes_in += (float)f->bwd.bytes;
    if (!known || is_call(pair, f))
        count_call(pair, f);
    pair->id = id;
    pair->src_port = f->src_port;
    if (f->last_ns > pair->last_ns)
        pair->last_ns = f->last_ns;
    return pair;
}
