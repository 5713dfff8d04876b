/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bucket holds eight tags and the time of each entry in two cache lines; the sums lie apart. An
 * entry is known by 63 bits of a keyed hash alone: of 2^24 entries two are taken for one with
 * probability 2^-16, and nobody without the key can bring that about.
 */
#include "features/columns_priv.h"
#include "features/features.h"
#include "features/moments_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WAYS 8
#define LEAST \
    1e-9 /* below it says nothing, and single precision would soon write it as a denormal */

enum whose { SOURCE, TARGET, PAIR, SERVICE, WHOSE_COUNT };
_Static_assert((int)WHOSE_COUNT <= WAYS, "the entries of one flow fit one bucket");

/* Weights never underflow: 2^-(6000 / 10) is a normal double. */
static const double half_lives_s[] = {10, 60, 600};
enum life { LIFE_10S, LIFE_60S, LIFE_600S, LIVES = ATL_ARRAY_LEN(half_lives_s) };

/*
 * Doubles: single precision would stand still at 2^24 flows. An error made once decays with the sum
 * it was made in, so that days add nothing. The largest square, of 2^65 bytes, is far from infinity
 * however often it is added.
 */
struct sums {
    double flows, failed, fresh;
    double packets, bytes, bytes_sq;
    double gaps, gap, gap_sq;
};
enum { SUMS = sizeof(struct sums) / sizeof(double) };

struct entry {
    struct sums lives[LIVES];
};

struct bucket {
    uint64_t tags[WAYS]; /* 0 = empty */
    atl_ns at[WAYS];     /* the sums are of this time */
};

struct feat_context {
    struct atl_hash_key key;
    uint32_t n_buckets;
    struct feat_context_counters counters;
    struct bucket *buckets;
    struct entry *entries;
};

/* --- statistics --- */

/* Of a damped population: the weight n may be far below 1. */
static double deviation(double n, double sum, double sum_sq)
{
    double mean = feat_ratio(sum, n), variance = feat_ratio(sum_sq, n) - mean * mean;
    return variance > 0 ? sqrt(variance) : 0;
}

static double flows(const struct sums *s)
{
    return s->flows;
}

static double failed(const struct sums *s)
{
    return s->failed / (s->flows + 4);
}

static double fresh(const struct sums *s)
{
    return s->fresh;
}

static double bytes_mean(const struct sums *s)
{
    return feat_ratio(s->bytes, s->flows);
}

static double bytes_std(const struct sums *s)
{
    return deviation(s->flows, s->bytes, s->bytes_sq);
}

static double packets_mean(const struct sums *s)
{
    return feat_ratio(s->packets, s->flows);
}

static double gap_mean(const struct sums *s)
{
    return feat_ratio(s->gap, s->gaps);
}

static double beat(const struct sums *s)
{
    double mean = gap_mean(s);
    if (!(mean > 0))
        return 0;
    double regular = 1 - deviation(s->gaps, s->gap, s->gap_sq) / mean;
    return regular > 0 ? regular * s->gaps / (s->gaps + 4) : 0;
}

#define FLOWS        flows
#define FAILED       failed
#define FRESH        fresh
#define BYTES_MEAN   bytes_mean
#define BYTES_STD    bytes_std
#define PACKETS_MEAN packets_mean
#define GAP_MEAN     gap_mean
#define BEAT         beat

static const struct context_column {
    enum whose whose;
    enum life life;
    double (*get)(const struct sums *sums);
} columns[] = {
#define COLUMN(id, name, unit, scale, top, step, formula, source, whose, what, life) \
    {whose, LIFE_##life, what},
    FLOW_CONTEXT_COLUMNS(COLUMN)
#undef COLUMN
};
_Static_assert(ATL_ARRAY_LEN(columns) == FLOW_COLUMN_COUNT - FLOW_RECORD_COLUMN_COUNT,
               "one row per column of the context");

/* --- life --- */

void feat_context_config_default(struct feat_context_config *cfg)
{
    *cfg = (struct feat_context_config){.entries_max = 65536};
}

int feat_context_config_check(const struct feat_context_config *cfg, struct atl_error *err)
{
    if (cfg->entries_max < 1024 || cfg->entries_max > 1U << 24)
        return atl_error_set(err, -EINVAL, "entries_max: expected 1024 … 16777216, found %u",
                             cfg->entries_max);
    return 0;
}

static uint32_t buckets_for(const struct feat_context_config *cfg)
{
    return (cfg->entries_max + WAYS - 1) / WAYS;
}

uint64_t feat_context_memory_bytes(const struct feat_context_config *cfg)
{
    return sizeof(struct feat_context) +
           buckets_for(cfg) * (uint64_t)(sizeof(struct bucket) + WAYS * sizeof(struct entry));
}

int feat_context_create(struct feat_context **ret_context, const struct feat_context_config *cfg)
{
    if (feat_context_config_check(cfg, NULL) < 0)
        return -EINVAL;
    struct feat_context *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return -ENOMEM;
    if (cfg->seed == 0)
        atl_hash_key_init(&c->key);
    else
        c->key = (struct atl_hash_key){cfg->seed, ~cfg->seed};
    c->n_buckets = buckets_for(cfg);
    c->buckets = aligned_alloc(64, c->n_buckets * sizeof(*c->buckets));
    c->entries = calloc((size_t)c->n_buckets * WAYS, sizeof(*c->entries));
    if (c->buckets == NULL || c->entries == NULL) {
        feat_context_destroy(c);
        return -ENOMEM;
    }
    feat_context_clear(c);
    *ret_context = c;
    return 0;
}

void feat_context_destroy(struct feat_context *c)
{
    if (c == NULL)
        return;
    free(c->buckets);
    free(c->entries);
    free(c);
}

void feat_context_clear(struct feat_context *c)
{
    memset(c->buckets, 0, c->n_buckets * sizeof(*c->buckets));
    c->counters = (struct feat_context_counters){0};
}

void feat_context_counters(const struct feat_context *c, struct feat_context_counters *ret_counters)
{
    *ret_counters = c->counters;
}

/* --- the table --- */

/* One flow's way to one of its entries. */
struct visit {
    uint64_t tag;
    struct bucket *bucket;
    uint32_t way;
    bool fresh; /* nothing was known */
};

static uint64_t distance(atl_ns a, atl_ns b)
{
    return a > b ? a - b : b - a;
}

static struct entry *entry_of(const struct feat_context *c, const struct visit *v)
{
    return &c->entries[(size_t)(v->bucket - c->buckets) * WAYS + v->way];
}

static void look_up(const struct feat_context *c, const struct dp_flow *f, enum whose whose,
                    struct visit *v)
{
    struct {
        struct dp_addr src, dst;
        uint16_t port;
        uint8_t proto, whose;
    } name = {.whose = (uint8_t)whose};
    _Static_assert(sizeof(name) == 36, "no padding is hashed");
    if (whose == SOURCE || whose == PAIR)
        name.src = f->src;
    if (whose != SOURCE)
        name.dst = f->dst;
    if (whose == SERVICE) {
        name.port = f->dst_port;
        name.proto = f->proto;
    }
    uint64_t hash = atl_hash(&c->key, &name, sizeof(name));
    *v = (struct visit){.tag = hash | 1, .bucket = &c->buckets[(hash >> 32) * c->n_buckets >> 32]};
    __builtin_prefetch(v->bucket);
    __builtin_prefetch(&v->bucket->at);
}

/* Another entry of the same flow, claimed before this one. */
static bool is_taken(const struct visit *visits, const struct visit *v, uint32_t way)
{
    for (; visits < v; visits++) {
        if (visits->bucket == v->bucket && visits->way == way)
            return true;
    }
    return false;
}

/* An empty way, or the one whose time is farthest from now. */
static uint32_t make_room(struct feat_context *c, const struct visit *visits, const struct visit *v,
                          atl_ns now_ns)
{
    const struct bucket *b = v->bucket;
    uint64_t farthest = 0;
    uint32_t found = WAYS;
    for (uint32_t i = 0; i < WAYS; i++) {
        if (b->tags[i] == 0) {
            c->counters.used++;
            return i;
        }
        uint64_t far = distance(b->at[i], now_ns);
        if ((found == WAYS || far > farthest) && !is_taken(visits, v, i)) {
            farthest = far;
            found = i;
        }
    }
    c->counters.evicted += farthest <= FEAT_CONTEXT_FORGET_NS;
    return found;
}

static void claim(struct feat_context *c, const struct visit *visits, struct visit *v,
                  atl_ns now_ns)
{
    struct bucket *b = v->bucket;
    for (v->way = 0; v->way < WAYS && b->tags[v->way] != v->tag; v->way++)
        ;
    v->fresh = v->way == WAYS;
    if (v->fresh)
        v->way = make_room(c, visits, v, now_ns);
    else
        v->fresh = distance(b->at[v->way], now_ns) > FEAT_CONTEXT_FORGET_NS;
    struct entry *e = entry_of(c, v);
    if (v->fresh) {
        b->tags[v->way] = v->tag;
        b->at[v->way] = now_ns;
        memset(e, 0, sizeof(*e));
    }
    for (size_t at = 0; at < sizeof(*e); at += 64)
        __builtin_prefetch((const char *)e + at, 1);
}

/* --- one flow --- */

/* No answer, or to TCP nothing but RST. */
static bool has_failed(const struct dp_flow *f)
{
    const struct dp_dir *b = &f->bwd;
    return b->packets == 0 ||
           (b->flags[DP_RST] > 0 && b->flags[DP_SYN] == 0 && b->payload_packets == 0);
}

static void decay(struct sums *s, double factor)
{
    double *each = (double *)s;
    for (size_t i = 0; i < SUMS; i++)
        each[i] *= factor;
}

static void add(struct sums *s, const struct sums *more, double weight)
{
    double *each = (double *)s;
    const double *other = (const double *)more;
    for (size_t i = 0; i < SUMS; i++)
        each[i] += weight * other[i];
}

/* `late`: older than the entry's time, which stays; its gap to what came before is not known. */
static void take_in(struct feat_context *c, const struct visit *v, struct sums *more, atl_ns now_ns)
{
    struct entry *e = entry_of(c, v);
    atl_ns *at = &v->bucket->at[v->way];
    bool late = now_ns < *at;
    double elapsed = (double)distance(*at, now_ns) * 1e-9;
    bool gap = !v->fresh && !late;
    more->gaps = gap;
    more->gap = gap ? elapsed : 0;
    more->gap_sq = more->gap * more->gap;
    for (size_t i = 0; i < LIVES; i++) {
        double factor = elapsed > 0 ? exp2(-elapsed / half_lives_s[i]) : 1;
        if (!late)
            decay(&e->lives[i], factor);
        add(&e->lives[i], more, late ? factor : 1);
    }
    if (!late)
        *at = now_ns;
}

void feat_context_row(struct feat_context *c, const struct dp_flow *f, float *raw)
{
    struct visit visits[WHOSE_COUNT];
    for (enum whose w = 0; w < WHOSE_COUNT; w++)
        look_up(c, f, w, &visits[w]);
    feat_flow_vector(f, raw); /* while the buckets are on their way */
    for (enum whose w = 0; w < WHOSE_COUNT; w++)
        claim(c, visits, &visits[w], f->last_ns);

    double bytes = (double)f->fwd.bytes + (double)f->bwd.bytes;
    struct sums more = {
        .flows = 1,
        .failed = has_failed(f),
        .packets = (double)f->fwd.packets + (double)f->bwd.packets,
        .bytes = bytes,
        .bytes_sq = bytes * bytes,
    };
    for (enum whose w = 0; w < WHOSE_COUNT; w++) {
        more.fresh = visits[w == PAIR ? SERVICE : PAIR].fresh;
        take_in(c, &visits[w], &more, f->last_ns);
    }
    for (size_t i = 0; i < ATL_ARRAY_LEN(columns); i++) {
        const struct context_column *column = &columns[i];
        const struct entry *e = entry_of(c, &visits[column->whose]);
        double value = column->get(&e->lives[column->life]);
        raw[FLOW_RECORD_COLUMN_COUNT + i] = value < LEAST ? 0 : (float)value;
    }
}
