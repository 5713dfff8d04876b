/* SPDX-License-Identifier: Apache-2.0 */
#include "app/detector_state_priv.h"
#include "app/hint_priv.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void detector_tell_scored(struct detector *d, const struct detector_scored *scored)
{
    if (d->ops.scored != NULL)
        d->ops.scored(d->ops.ctx, scored);
}

static bool is_basis(const struct hint *hint, const char *column)
{
    for (size_t i = 0; hint != NULL && i < HINT_BASIS_MAX && hint->basis[i] != NULL; i++)
        if (strcmp(hint->basis[i], column) == 0)
            return true;
    return false;
}

/*
 * A scan makes many columns odd, and not all say "scan". First comes what the hint rests on and the
 * model finds unusual, too; then what is there; last what is missing.
 */
static int turn_of(const struct learn_reason *r, const struct hint *hint, const char *column)
{
    bool unusual = r->observed < r->low || r->observed > r->high;
    if (unusual && is_basis(hint, column))
        return 0;
    return r->observed != 0 ? 1 : 2;
}

static void add_feature(const struct feat_column *c, const struct learn_reason *r, float observed,
                        struct alert_signal *s)
{
    struct alert_feature *f = &s->features[s->n_features++];
    atl_copy(f->name, sizeof(f->name), c->name);
    atl_copy(f->unit, sizeof(f->unit), c->unit);
    f->observed = observed;
    f->expected = feat_unscale(c, r->expected);
    f->low = feat_unscale(c, r->low);
    f->high = feat_unscale(c, r->high);
}

/* Why this model found the row odd, in the units of the view. */
static void fill_features(struct detector *d, enum view view, const struct learn_model *model,
                          const struct hint *hint, const float *x, const float *raw,
                          struct alert_signal *s)
{
    const struct feat_schema *schema = view_schema(view);
    struct learn_reason reasons[FEAT_COLUMNS_MAX];
    atl_copy(s->detector, sizeof(s->detector), view_name(view));
    atl_copy(s->model, sizeof(s->model), learn_model_origin(model));
    uint32_t n = learn_explain(model, d->views[view].scratch, x, reasons, FEAT_COLUMNS_MAX);
    for (int turn = 0; turn <= 2; turn++)
        for (uint32_t i = 0; i < n && s->n_features < ALERT_FEATURES_MAX; i++) {
            const struct feat_column *c = &schema->columns[reasons[i].column];
            if (turn_of(&reasons[i], hint, c->name) == turn)
                add_feature(c, &reasons[i], raw[reasons[i].column], s);
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

void detector_signal_host(struct detector *d, const struct feat_host_row *row,
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
    fill_features(d, VIEW_HOST, o->model, hint, x, row->raw, &s);
    fill_flow(d, &row->sample, &s);
    gate_offer(d->gate, &s, p_of_stronger(d, o));
}

void detector_signal_tally(struct detector *d, const struct tally_entry *e, double p_value)
{
    float x[FEAT_COLUMNS_MAX];
    struct alert_signal s = {
        .time_ns = e->last_ns,
        .first_ns = e->first_ns,
        .score = -log(p_value) / (-log(p_value) - log(DETECTOR_TALLY_P_MAX)),
        .p_value = fmax(p_value, 1e-12),
        .kind = "unusual_flows",
        .role = "source",
    };
    snprintf(s.hint, sizeof(s.hint), "%u of %u conversations are unlike those learned here",
             e->unusual, e->flows);
    dp_addr_format(&e->addr, s.entity);
    feat_scale_row(feat_schema_flow(), e->raw, x);
    fill_features(d, VIEW_FLOW, d->views[VIEW_FLOW].model, NULL, x, e->raw, &s);
    fill_flow(d, &e->sample, &s);
    gate_offer(d->gate, &s, p_value);
}
