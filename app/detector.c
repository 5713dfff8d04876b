/* SPDX-License-Identifier: Apache-2.0 */
#include "app/detector_priv.h"
#include "app/drift_watch_priv.h"
#include "app/gate_priv.h"
#include "app/hint_priv.h"
#include "app/intake_priv.h"
#include "app/recipe_priv.h"
#include "app/stratum_priv.h"
#include "app/tally_priv.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOST_ROWS  64
#define SUSPECTS   64
#define SUSPECT_NS (300 * ATL_NS_PER_S)

/* A target whose window is the work of few sources is not the story: the source is. */
#define TARGET_PEERS_MIN 8

/* So many packets weigh as much as a flow where too little happened to alert on. */
#define PACKETS_AS_A_FLOW 100

/* A host is learned from windows of so much less than it is alerted on. */
#define LEARN_PART 4

/* Unusual flows of one source: at least so many, and rarer than this by chance. */
#define TALLY_UNUSUAL_MIN 8
#define TALLY_P_MAX       1e-6

struct suspect {
    struct dp_addr addr;
    atl_ns until_ns;
};

struct view_state {
    struct learn_model *model; /* analysis thread's own */
    struct learn_model *_Atomic posted;
    struct learn_model *reference; /* second opinion, or NULL */
    struct learn_scratch *scratch;
    struct intake *intake; /* under rows_lock */
    struct drift_watch *drift;
    atl_counter offered, scored, anomalous, drifts;
    _Atomic double level;
    _Atomic uint64_t waiting, refused, forgotten;
};

struct detector {
    struct detector_config cfg;
    struct detector_ops ops;
    struct view_state views[VIEW_COUNT];
    struct atl_hash_key host_key;
    pthread_mutex_t rows_lock; /* intakes: analysis offers, trainer copies */

    struct feat_hosts *hosts;
    struct feat_links *links[DETECTOR_LINKS]; /* NULL without the op */
    struct feat_context *context;
    struct tally *tally;
    struct gate *gate;
    _Atomic uint64_t withheld;
    atl_ns tally_began_ns, tally_looked_ns;
    struct suspect suspects[SUSPECTS];
    uint32_t next_suspect;
    atl_ns now_ns; /* 0 before the first step and after a flush */
    atl_counter watched_ns;

    uint32_t waiting; /* flows in the batch */
    struct dp_flow flows[LEARN_BATCH_MAX];
    float raw[LEARN_BATCH_MAX][FEAT_COLUMNS_MAX];
    float x[LEARN_BATCH_MAX * FEAT_COLUMNS_MAX]; /* close together, as the model takes them */
    float score[LEARN_BATCH_MAX], p_value[LEARN_BATCH_MAX];
    struct feat_host_row rows[HOST_ROWS];
};

const char *view_name(enum view view)
{
    return view_schema(view)->name;
}

const struct feat_schema *view_schema(enum view view)
{
    return view == VIEW_FLOW ? feat_schema_flow() : feat_schema_host();
}

/* --- life --- */

static int create_links(struct detector *d)
{
    static const uint32_t intervals_s[DETECTOR_LINKS] = {1, 10, 60};
    int r = 0;
    if (d->ops.link == NULL)
        return 0;
    for (int i = 0; i < DETECTOR_LINKS && r == 0; i++)
        r = feat_links_create(&d->links[i], intervals_s[i], d->ops.link, d->ops.ctx);
    return r;
}

static int view_create(struct view_state *v, enum view view, const struct detector_config *cfg)
{
    struct learn_shape shape;
    recipe_shape(view, &shape);
    int r = learn_scratch_create(&v->scratch, &shape);
    if (r < 0)
        return r;
    const struct intake_config intake = {
        .n_in = shape.n_in,
        .rows = cfg->reservoir_rows,
        .delay_ns = cfg->learn_delay_ns,
        .hourly_rows = cfg->learn_hourly,
        .n_strata = STRATA,
        .seed = cfg->seed + (uint64_t)view,
        .fair_sample = cfg->fair_sample,
    };
    r = intake_create(&v->intake, &intake);
    return r < 0 ? r : drift_watch_create(&v->drift);
}

static int create_gate(struct detector *d)
{
    const struct gate_config gate = {
        .hourly = d->cfg.false_hourly,
        .look_ns = d->cfg.hosts.step_ns,
        .tests_max = (uint64_t)d->cfg.hosts.hosts_max + TALLY_ENTRIES,
    };
    return gate_create(&d->gate, &gate, d->ops.signal, d->ops.ctx);
}

int detector_create(struct detector **ret_detector, const struct detector_config *cfg,
                    const struct detector_ops *ops)
{
    struct detector *d = calloc(1, sizeof(*d));
    if (d == NULL)
        return -ENOMEM;
    d->cfg = *cfg;
    d->ops = *ops;
    pthread_mutex_init(&d->rows_lock, NULL);
    atl_hash_key_init(&d->host_key);
    int r = feat_hosts_create(&d->hosts, &cfg->hosts);
    if (r == 0)
        r = feat_context_create(&d->context, &cfg->context);
    if (r == 0)
        r = tally_create(&d->tally, recipe_risk(VIEW_FLOW));
    if (r == 0)
        r = create_gate(d);
    if (r == 0)
        r = create_links(d);
    for (enum view v = 0; v < VIEW_COUNT && r == 0; v++)
        r = view_create(&d->views[v], v, cfg);
    if (r < 0) {
        detector_destroy(d);
        return r;
    }
    *ret_detector = d;
    return 0;
}

void detector_destroy(struct detector *d)
{
    if (d == NULL)
        return;
    for (enum view v = 0; v < VIEW_COUNT; v++) {
        learn_model_destroy(d->views[v].model);
        learn_model_destroy(atomic_load(&d->views[v].posted));
        learn_model_destroy(d->views[v].reference);
        learn_scratch_destroy(d->views[v].scratch);
        intake_destroy(d->views[v].intake);
        drift_watch_destroy(d->views[v].drift);
    }
    feat_hosts_destroy(d->hosts);
    for (int i = 0; i < DETECTOR_LINKS; i++)
        feat_links_destroy(d->links[i]);
    feat_context_destroy(d->context);
    tally_destroy(d->tally);
    gate_destroy(d->gate);
    pthread_mutex_destroy(&d->rows_lock);
    free(d);
}

/* --- models and rows, across threads --- */

void detector_post_model(struct detector *d, enum view view, struct learn_model *model)
{
    learn_model_destroy(atomic_exchange(&d->views[view].posted, model));
}

void detector_set_reference(struct detector *d, struct learn_model *model)
{
    learn_model_destroy(d->views[VIEW_HOST].reference);
    d->views[VIEW_HOST].reference = model;
}

static void take_up_models(struct detector *d)
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

void detector_stats(const struct detector *d, struct detector_stats *ret_stats)
{
    for (enum view v = 0; v < VIEW_COUNT; v++) {
        ret_stats->offered[v] = atl_counter_get(&d->views[v].offered);
        ret_stats->scored[v] = atl_counter_get(&d->views[v].scored);
        ret_stats->anomalous[v] = atl_counter_get(&d->views[v].anomalous);
        ret_stats->drifts[v] = atl_counter_get(&d->views[v].drifts);
        ret_stats->level[v] = atomic_load(&d->views[v].level);
        ret_stats->waiting[v] = atomic_load(&d->views[v].waiting);
        ret_stats->refused[v] = atomic_load(&d->views[v].refused);
        ret_stats->forgotten[v] = atomic_load(&d->views[v].forgotten);
    }
    ret_stats->withheld = atomic_load(&d->withheld);
    ret_stats->watched_ns = atl_counter_get(&d->watched_ns);
}

/* --- who must not teach --- */

/* Hosts are known by a keyed hash of their address: two of 20,000 share one with a chance of
 * 10^-11. */
static uint64_t source_of(const struct detector *d, const struct dp_addr *addr)
{
    return atl_hash(&d->host_key, addr, sizeof(*addr));
}

static void forget(struct detector *d, const struct dp_addr *addr)
{
    pthread_mutex_lock(&d->rows_lock);
    for (enum view v = 0; v < VIEW_COUNT; v++)
        intake_forget(d->views[v].intake, source_of(d, addr), d->now_ns);
    pthread_mutex_unlock(&d->rows_lock);
}

static struct suspect *find_suspect(struct detector *d, const struct dp_addr *addr)
{
    for (uint32_t i = 0; i < SUSPECTS; i++) {
        if (memcmp(&d->suspects[i].addr, addr, sizeof(*addr)) == 0)
            return &d->suspects[i];
    }
    return NULL;
}

static void suspect(struct detector *d, const struct dp_addr *addr)
{
    struct suspect *slot = find_suspect(d, addr);
    if (slot == NULL) {
        slot = &d->suspects[d->next_suspect];
        d->next_suspect = (d->next_suspect + 1) % SUSPECTS;
        slot->until_ns = 0;
    }
    if (slot->until_ns <= d->now_ns) /* later rows of a suspect never got in */
        forget(d, addr);
    *slot = (struct suspect){*addr, d->now_ns + SUSPECT_NS};
}

static bool is_suspect(const struct detector *d, const struct dp_addr *addr)
{
    for (uint32_t i = 0; i < SUSPECTS; i++) {
        if (d->suspects[i].until_ns > d->now_ns &&
            memcmp(&d->suspects[i].addr, addr, sizeof(*addr)) == 0)
            return true;
    }
    return false;
}

/* Has a model of this site judged the rows of this view? The factory knows hosts, but no site. */
static bool is_local(const struct learn_model *model)
{
    return model != NULL && strcmp(learn_model_origin(model), RECIPE_FACTORY) != 0;
}

/* Under rows_lock. */
static void remember(struct detector *d, enum view view, const struct intake_row *row)
{
    struct view_state *v = &d->views[view];
    if (intake_offer(v->intake, row, d->now_ns, is_local(v->model)))
        atl_counter_add(&v->offered, 1);
}

/* --- signals --- */

struct opinion {
    const struct learn_model *model; /* whose it is; NULL before there is any */
    float score, p_value;
};

/* Why this model found the row odd, in the units of the view. */
static void fill_features(struct detector *d, enum view view, const struct learn_model *model,
                          const float *x, const float *raw, struct alert_signal *s)
{
    const struct feat_schema *schema = view_schema(view);
    struct learn_reason reasons[ALERT_FEATURES_MAX];
    atl_copy(s->detector, sizeof(s->detector), view_name(view));
    atl_copy(s->model, sizeof(s->model), learn_model_origin(model));
    s->n_features = learn_explain(model, d->views[view].scratch, x, reasons, ALERT_FEATURES_MAX);
    for (uint32_t i = 0; i < s->n_features; i++) {
        const struct feat_column *c = &schema->columns[reasons[i].column];
        struct alert_feature *f = &s->features[i];
        atl_copy(f->name, sizeof(f->name), c->name);
        atl_copy(f->unit, sizeof(f->unit), c->unit);
        f->observed = raw[reasons[i].column];
        f->expected = feat_unscale(c, reasons[i].expected);
        f->low = feat_unscale(c, reasons[i].low);
        f->high = feat_unscale(c, reasons[i].high);
    }
}

static void fill_flow(const struct detector *d, const struct dp_flow *f, struct alert_signal *s)
{
    dp_addr_format(&f->src, s->src_ip);
    dp_addr_format(&f->dst, s->dest_ip);
    s->src_port = f->src_port;
    s->dest_port = f->dst_port;
    feat_proto_name(f->proto, s->proto);
    feat_community_id(f, s->community_id);
    atl_copy(s->in_iface, sizeof(s->in_iface), d->cfg.in_iface);
    s->packets_toserver = f->fwd.packets;
    s->packets_toclient = f->bwd.packets;
    s->bytes_toserver = f->fwd.bytes;
    s->bytes_toclient = f->bwd.bytes;
}

/* Of two opinions the stronger was taken: each had half the chance to be wrong. */
static double p_of_stronger(const struct detector *d, const struct opinion *o)
{
    const struct view_state *v = &d->views[VIEW_HOST];
    return v->model != NULL && v->reference != NULL ? 2 * o->p_value : o->p_value;
}

static void signal_host(struct detector *d, const struct feat_host_row *row,
                        const struct opinion *o, const float *x)
{
    const struct hint *hint = hint_for_host(row);
    struct alert_signal s = {
        .time_ns = row->last_ns,
        .first_ns = row->first_ns,
        .score = o->score,
        .p_value = o->p_value,
    };
    atl_copy(s.kind, sizeof(s.kind), hint->kind);
    atl_copy(s.hint, sizeof(s.hint), hint->sentence);
    atl_copy(s.technique, sizeof(s.technique), hint->technique);
    dp_addr_format(&row->addr, s.entity);
    atl_copy(s.role, sizeof(s.role), row->role == FEAT_SOURCE ? "source" : "target");
    fill_features(d, VIEW_HOST, o->model, x, row->raw, &s);
    fill_flow(d, &row->sample, &s);
    gate_offer(d->gate, &s, p_of_stronger(d, o));
}

static void signal_tally(struct detector *d, const struct tally_entry *e, double p_value)
{
    float x[FEAT_COLUMNS_MAX];
    struct alert_signal s = {
        .time_ns = e->last_ns,
        .first_ns = e->first_ns,
        .score = -log(p_value) / (-log(p_value) - log(TALLY_P_MAX)),
        .p_value = fmax(p_value, 1e-12),
        .kind = "unusual_flows",
        .role = "source",
    };
    snprintf(s.hint, sizeof(s.hint), "%u of %u conversations are unlike those learned here",
             e->unusual, e->flows);
    dp_addr_format(&e->addr, s.entity);
    feat_scale_row(feat_schema_flow(), e->raw, x);
    fill_features(d, VIEW_FLOW, d->views[VIEW_FLOW].model, x, e->raw, &s);
    fill_flow(d, &e->sample, &s);
    gate_offer(d->gate, &s, p_value);
}

/* --- flow view --- */

static void tell_scored(struct detector *d, const struct detector_scored *scored)
{
    if (d->ops.scored != NULL)
        d->ops.scored(d->ops.ctx, scored);
}

/* The factory has never seen this site's conversations: its flow model may only be scored, not
 * trusted. */
static bool watches_flows(const struct detector *d)
{
    return is_local(d->views[VIEW_FLOW].model);
}

static void judge_flow(struct detector *d, uint32_t i, bool watches)
{
    const struct dp_flow *f = &d->flows[i];
    bool unusual = watches && d->score[i] > 0.5F;
    if (watches) {
        struct tally_entry *worst = tally_add(d->tally, f, unusual, d->score[i]);
        if (worst != NULL)
            memcpy(worst->raw, d->raw[i], sizeof(worst->raw));
        struct detector_scored scored = {VIEW_FLOW, f->first_ns, f->last_ns,   f,
                                         NULL,      d->score[i], d->p_value[i]};
        tell_scored(d, &scored);
        atl_counter_add(&d->views[VIEW_FLOW].scored, 1);
        atl_counter_add(&d->views[VIEW_FLOW].anomalous, unusual);
    }
    if (is_suspect(d, &f->src) || is_suspect(d, &f->dst))
        return;
    if (watches)
        drift_watch_add(d->views[VIEW_FLOW].drift, d->score[i]);
    const struct intake_row row = {
        .x = d->x + (size_t)i * feat_schema_flow()->n_columns,
        .source = source_of(d, &f->src),
        .stratum = stratum_of_flow(f),
        .normal = !unusual,
    };
    remember(d, VIEW_FLOW, &row);
}

static void score_flows(struct detector *d)
{
    if (d->waiting == 0)
        return;
    struct view_state *v = &d->views[VIEW_FLOW];
    bool watches = watches_flows(d);
    if (watches)
        learn_score(v->model, v->scratch, d->x, d->waiting, d->score, d->p_value);
    pthread_mutex_lock(&d->rows_lock);
    for (uint32_t i = 0; i < d->waiting; i++)
        judge_flow(d, i, watches);
    pthread_mutex_unlock(&d->rows_lock);
    d->waiting = 0;
}

static void look_at_tally(struct detector *d, bool flush)
{
    if (!flush && d->now_ns - d->tally_looked_ns < d->cfg.hosts.step_ns)
        return;
    d->tally_looked_ns = d->now_ns;
    uint32_t at = 0;
    for (struct tally_entry *e; (e = tally_next(d->tally, &at)) != NULL;) {
        double p = tally_p_value(d->tally, e);
        if (e->flows >= d->cfg.min_flows)
            gate_count(d->gate);
        if (e->unusual < TALLY_UNUSUAL_MIN || e->flows < d->cfg.min_flows || p >= TALLY_P_MAX)
            continue;
        suspect(d, &e->addr);
        signal_tally(d, e, p);
    }
    if (d->now_ns - d->tally_began_ns >= d->cfg.hosts.window_ns) {
        tally_clear(d->tally);
        d->tally_began_ns = d->now_ns;
    }
}

const float *detector_add(struct detector *d, const struct dp_flow *flow)
{
    const struct feat_schema *schema = feat_schema_flow();
    float *raw = d->raw[d->waiting], *x = d->x + (size_t)d->waiting * schema->n_columns;
    d->flows[d->waiting] = *flow;
    feat_context_row(d->context, flow, raw);
    feat_scale_row(schema, raw, x);
    feat_hosts_add(d->hosts, flow);
    if (++d->waiting == LEARN_BATCH_MAX)
        score_flows(d);
    return raw; /* the batch is empty then, its rows are still there */
}

/* --- host view --- */

void detector_report(struct detector *d, const struct dp_report *report)
{
    feat_hosts_report(d->hosts, report);
}

/* A flood and a theft may be a single conversation. */
static bool has_volume(const struct feat_host_row *row, uint32_t min_flows)
{
    return row->events >= min_flows || row->packets >= (uint64_t)min_flows * PACKETS_AS_A_FLOW;
}

/*
 * Windows of one or two flows are the most and the strangest, and never alerted on: a boundary
 * drawn around them would hold every attack. And one row a window: a dozen looks at the same burst
 * would pass for a dozen bursts.
 */
static bool worth_learning(const struct detector *d, const struct feat_host_row *row)
{
    return row->closed && has_volume(row, (d->cfg.min_flows + LEARN_PART - 1) / LEARN_PART);
}

static bool worth_an_alert(const struct detector *d, const struct feat_host_row *row)
{
    if (!has_volume(row, d->cfg.min_flows))
        return false;
    return row->role == FEAT_SOURCE || row->peers >= TARGET_PEERS_MIN;
}

/* The stronger of the learned model's opinion and the factory's. */
static struct opinion ask(const struct view_state *v, const float *x)
{
    const struct learn_model *const models[] = {v->model, v->reference};
    struct opinion strongest = {NULL, 0, 1};
    for (size_t i = 0; i < ATL_ARRAY_LEN(models); i++) {
        struct opinion o = {models[i], 0, 1};
        if (o.model == NULL)
            continue;
        learn_score(o.model, v->scratch, x, 1, &o.score, &o.p_value);
        if (strongest.model == NULL || o.score > strongest.score)
            strongest = o;
    }
    return strongest;
}

/* What is odd but too little to alert on must be learned, or it stays odd for ever. */
static void learn_host(struct detector *d, const struct feat_host_row *row, const float *x,
                       const struct opinion *o)
{
    struct view_state *v = &d->views[VIEW_HOST];
    if (!worth_learning(d, row) || is_suspect(d, &row->addr))
        return;
    if (is_local(v->model) && o->model == v->model)
        drift_watch_add(v->drift, o->score);
    const struct intake_row offer = {
        .x = x,
        .source = source_of(d, &row->addr),
        .stratum = stratum_of_host(row),
        .normal = true,
    };
    pthread_mutex_lock(&d->rows_lock);
    remember(d, VIEW_HOST, &offer);
    pthread_mutex_unlock(&d->rows_lock);
}

static void judge_host(struct detector *d, const struct feat_host_row *row)
{
    struct view_state *v = &d->views[VIEW_HOST];
    float x[FEAT_COLUMNS_MAX];
    feat_scale_row(feat_schema_host(), row->raw, x);
    struct opinion o = ask(v, x);
    if (o.model != NULL) {
        struct detector_scored scored = {VIEW_HOST, row->first_ns, row->last_ns, NULL,
                                         row,       o.score,       o.p_value};
        tell_scored(d, &scored);
        atl_counter_add(&v->scored, 1);
        atl_counter_add(&v->anomalous, o.score > 0.5F);
    }
    bool tested = worth_an_alert(d, row), alert = tested && o.score > 0.5F;
    if (tested)
        gate_count(d->gate);
    if (alert) {
        suspect(d, &row->addr);
        signal_host(d, row, &o, x);
    }
    if (!alert)
        learn_host(d, row, x, &o);
}

/* --- link view --- */

void detector_link(void *detector, const struct dp_link *second)
{
    struct detector *d = detector;
    for (int i = 0; i < DETECTOR_LINKS; i++)
        if (d->links[i] != NULL)
            feat_links_add(d->links[i], second);
}

void detector_link_step(struct detector *d, uint64_t due_s)
{
    for (int i = 0; i < DETECTOR_LINKS; i++)
        if (d->links[i] != NULL)
            feat_links_step(d->links[i], due_s);
}

static void flush_links(struct detector *d)
{
    for (int i = 0; i < DETECTOR_LINKS; i++)
        if (d->links[i] != NULL)
            feat_links_flush(d->links[i]);
}

static void set_clock(struct detector *d, atl_ns now_ns)
{
    if (now_ns <= d->now_ns)
        return;
    if (d->now_ns != 0)
        atl_counter_add(&d->watched_ns, now_ns - d->now_ns);
    d->now_ns = now_ns;
}

/* What waited long enough is learned, and the scores' level is looked at. */
static void adapt(struct detector *d, bool flush)
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

void detector_step(struct detector *d, atl_ns now_ns, bool flush)
{
    set_clock(d, now_ns);
    take_up_models(d);
    score_flows(d);
    look_at_tally(d, flush);
    uint32_t n;
    do {
        n = feat_hosts_take(d->hosts, d->now_ns, flush, d->rows, HOST_ROWS);
        for (uint32_t i = 0; i < n; i++)
            judge_host(d, &d->rows[i]);
    } while (n == HOST_ROWS);
    gate_step(d->gate, d->now_ns, flush);
    atomic_store(&d->withheld, gate_withheld(d->gate));
    adapt(d, flush);
    if (flush) {
        flush_links(d);
        d->now_ns = d->tally_began_ns = d->tally_looked_ns = 0;
        tally_clear(d->tally);
    }
}
