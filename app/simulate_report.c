/* SPDX-License-Identifier: Apache-2.0 */
#include "app/node_priv.h"
#include "app/simulate_measure_priv.h"
#include "app/simulate_run_priv.h"
#include "app/simulate_train_priv.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

json_t *simulate_report_round(const struct simulate_run *run)
{
    const struct simulate_world *w = &run->world;
    const struct fed_round_info *info = w->info;
    return json_pack(
        "{s:I, s:s, s:f, s:o, s:I, s:I, s:I, s:I, s:o, s:I, s:I, s:o}", "round",
        (json_int_t)w->attempt, "state", fed_round_state_name(info->state), "auc", run->auc,
        "epsilon", w->cfg->simulate.private ? node_number(run->epsilon) : json_null(),
        "participants", (json_int_t)info->participants, "edges", (json_int_t)w->n_edges, "bytes_up",
        (json_int_t)(w->totals.bytes_up - w->before.bytes_up), "bytes_down",
        (json_int_t)(w->totals.bytes_down - w->before.bytes_down), "update_norm",
        node_number(info->update_norm), "refused",
        (json_int_t)(w->totals.refused - w->before.refused), "spoiled",
        (json_int_t)(w->totals.spoiled - w->before.spoiled), "canary_loss",
        node_number(info->canary_loss));
}

/* --- for comparison --- */

struct comparison {
    double *federated, *alone; /* (n_sites) own rows against all attacks */
    double *common;            /* (n_sites) trained alone, on the whole test set */
    double pooled;
    uint32_t n_alone;
};

static int train_plainly(struct simulate_run *run, const float *rows, uint32_t n, uint32_t at,
                         float *out, struct atl_error *err)
{
    const struct config *cfg = run->cfg;
    const struct simulate_training training = {
        .shape = &run->data.shape,
        .cfg = cfg,
        .steps = (uint32_t)(cfg->federation.steps * cfg->federation.rounds),
        .seed = simulate_seed(cfg->simulate.seed, 500, at),
    };
    return simulate_train(&training, learn_model_params(run->world.base), rows, n, out, err);
}

static int train_alone(struct simulate_run *run, struct comparison *c, float *params,
                       double *site_auc, struct atl_error *err)
{
    const struct simulate_data *data = &run->data;
    uint32_t most = (uint32_t)run->cfg->simulate.alone;
    int r = 0;
    for (uint32_t s = 0; s < data->n_sites && c->n_alone < most && r == 0; s++) {
        if (data->sites[s].n == 0)
            continue;
        progress_report(&run->progress, "alone, to compare", (double)c->n_alone / most);
        r = train_plainly(run, simulate_site_rows(data, s), data->sites[s].n, s, params, err);
        if (r == 0 && simulate_measure(data, params, &c->common[s], site_auc) < 0)
            r = atl_error_set(err, -ENOMEM, "simulation: out of memory");
        if (r == 0)
            c->alone[s] = site_auc[s];
        c->n_alone++;
    }
    return r;
}

static int compare(struct simulate_run *run, struct comparison *c, struct atl_error *err)
{
    const struct simulate_data *data = &run->data;
    float *params = malloc(run->world.params * sizeof(*params));
    double *site_auc = malloc(data->n_sites * sizeof(*site_auc));
    int r = params == NULL || site_auc == NULL ? -ENOMEM : 0;
    if (r == 0)
        r = simulate_measure(data, run->world.model, &run->auc, c->federated);
    if (r < 0)
        atl_error_set(err, r, "simulation: out of memory");
    if (r == 0 && run->cfg->simulate.alone > 0)
        r = train_alone(run, c, params, site_auc, err);
    if (r == 0 && run->cfg->simulate.alone > 0) {
        r = train_plainly(run, data->train.x, data->train.n, SIMULATE_EDGES_MAX, params, err);
        if (r == 0)
            r = simulate_measure(data, params, &c->pooled, NULL);
    }
    free(site_auc);
    free(params);
    return r;
}

/* --- the summary --- */

static json_t *sites_json(const struct simulate_run *run, const struct comparison *c)
{
    json_t *list = json_array();
    for (uint32_t s = 0; s < run->data.n_sites; s++) {
        const struct simulate_site *site = &run->data.sites[s];
        const struct simulate_edge *edge = &run->world.edges[s];
        json_array_append_new(
            list,
            json_pack("{s:s, s:I, s:o, s:o, s:o, s:b, s:b, s:o}", "name", site->name, "rows",
                      (json_int_t)site->n, "auc_federated", node_number(c->federated[s]),
                      "auc_alone", node_number(c->alone[s]), "auc_alone_common",
                      node_number(c->common[s]), "attacker", edge->attacker, "straggler",
                      edge->straggler, "epsilon",
                      run->cfg->simulate.private ? node_number(priv_ledger_epsilon(edge->ledger))
                                                 : json_null()));
    }
    return list;
}

static double mean_of(const double *values, uint32_t n)
{
    double sum = 0;
    uint32_t count = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (!isfinite(values[i]))
            continue;
        sum += values[i];
        count++;
    }
    return count > 0 ? sum / count : NAN;
}

static json_t *worst_json(const struct simulate_run *run, const struct comparison *c)
{
    uint32_t worst = UINT32_MAX;
    for (uint32_t s = 0; s < run->data.n_sites; s++)
        if (isfinite(c->federated[s]) &&
            (worst == UINT32_MAX || c->federated[s] < c->federated[worst]))
            worst = s;
    if (worst == UINT32_MAX)
        return json_null();
    return json_pack("{s:s, s:f}", "name", run->data.sites[worst].name, "auc_federated",
                     c->federated[worst]);
}

static json_t *summary_json(const struct simulate_run *run, const struct comparison *c)
{
    const struct simulate_world *w = &run->world;
    const struct simulate_totals *t = &w->totals;
    const struct config *cfg = run->cfg;
    uint64_t plain = t->updates * w->params * sizeof(float);
    json_t *doc = json_pack(
        "{s:i, s:I, s:I, s:I, s:I, s:I, s:{s:o, s:f, s:o}, s:o, s:o}", "schema", 1, "rounds",
        (json_int_t)w->attempt, "commits", (json_int_t)t->commits, "edges", (json_int_t)w->n_edges,
        "params", (json_int_t)w->params, "seed", (json_int_t)cfg->simulate.seed, "auc", "alone",
        node_number(mean_of(c->common, run->data.n_sites)), "federated", run->auc, "pooled",
        node_number(c->pooled), "worst", worst_json(run, c), "sites", sites_json(run, c));
    json_t *more = json_pack(
        "{s:b, s:o, s:f, s:o, s:s, s:I, s:I, s:o, s:o, s:I, s:I, s:I, s:o, s:I}", "private",
        cfg->simulate.private, "epsilon",
        cfg->simulate.private ? node_number(run->epsilon) : json_null(), "delta",
        cfg->federation.delta, "noise_multiplier",
        cfg->simulate.private ? json_real(w->noise_multiplier) : json_null(), "noise_from",
        "the seed: repeatable, so not private", "bytes_up", (json_int_t)t->bytes_up, "bytes_down",
        (json_int_t)t->bytes_down, "bytes_update",
        t->updates > 0 ? json_real((double)t->update_bytes / (double)t->updates) : json_null(),
        "share_of_float32",
        plain > 0 ? json_real((double)t->update_bytes / (double)plain) : json_null(), "refused",
        (json_int_t)t->refused, "spoiled", (json_int_t)t->spoiled, "hostile_updates_counted",
        (json_int_t)t->hostile_votes, "rounds_to_target",
        run->reached > 0 ? json_integer((json_int_t)run->reached) : json_null(), "alone_trained",
        (json_int_t)c->n_alone);
    json_object_update_missing(doc, more);
    json_decref(more);
    return doc;
}

int simulate_report_summary(struct simulate_run *run, json_t **ret_summary, struct atl_error *err)
{
    uint32_t n = run->data.n_sites;
    double *values = malloc(3 * (size_t)n * sizeof(*values));
    if (values == NULL)
        return atl_error_set(err, -ENOMEM, "simulation: out of memory");
    for (uint32_t i = 0; i < 3 * n; i++)
        values[i] = NAN;
    struct comparison c = {
        .federated = values, .alone = values + n, .common = values + 2 * n, .pooled = NAN};
    int r = compare(run, &c, err);
    if (r == 0)
        *ret_summary = summary_json(run, &c);
    free(values);
    return r;
}

/* --- for people --- */

#define SITES_SHOWN 40

static double real_of(const json_t *doc, const char *key)
{
    const json_t *value = json_object_get(doc, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

struct cell {
    char text[16];
};

/** An AUC, or a dash for one that was not asked for or has no meaning. */
static struct cell auc_of(const json_t *doc, const char *key)
{
    struct cell cell = {"-"};
    double value = real_of(doc, key);
    if (isfinite(value))
        snprintf(cell.text, sizeof(cell.text), "%.4f", value);
    return cell;
}

static void print_sites(const json_t *summary, FILE *out)
{
    const json_t *sites = json_object_get(summary, "sites");
    fprintf(out, "%-20s %9s %12s %12s\n", "edge", "rows", "alone", "federated");
    for (size_t i = 0; i < json_array_size(sites) && i < SITES_SHOWN; i++) {
        const json_t *s = json_array_get(sites, i);
        fprintf(out, "%-20s %9.0f %12s %12s%s\n", json_string_value(json_object_get(s, "name")),
                real_of(s, "rows"), auc_of(s, "auc_alone").text, auc_of(s, "auc_federated").text,
                json_is_true(json_object_get(s, "attacker")) ? "  attacks" : "");
    }
    if (json_array_size(sites) > SITES_SHOWN)
        fprintf(out, "… and %zu more\n", json_array_size(sites) - SITES_SHOWN);
}

void simulate_report_table(const json_t *summary, const struct simulate_cost *cost, FILE *out)
{
    const json_t *auc = json_object_get(summary, "auc");
    const json_t *worst = json_object_get(summary, "worst");
    print_sites(summary, out);
    fprintf(out, "AUC, whole test set    alone %s (mean), federated %s, pooled %s\n",
            auc_of(auc, "alone").text, auc_of(auc, "federated").text, auc_of(auc, "pooled").text);
    if (json_is_object(worst))
        fprintf(out, "worst off              %s, %s\n",
                json_string_value(json_object_get(worst, "name")),
                auc_of(worst, "auc_federated").text);
    if (json_is_true(json_object_get(summary, "private")))
        fprintf(out,
                "privacy                epsilon %.3f at delta %g, noise %.3f (from the seed: not "
                "private)\n",
                real_of(summary, "epsilon"), real_of(summary, "delta"),
                real_of(summary, "noise_multiplier"));
    fprintf(out, "bytes                  %.0f up, %.0f down, %.0f an update (%.2f %% of float32)\n",
            real_of(summary, "bytes_up"), real_of(summary, "bytes_down"),
            real_of(summary, "bytes_update"), 100 * real_of(summary, "share_of_float32"));
    fprintf(out, "rounds                 %.0f of %.0f committed", real_of(summary, "commits"),
            real_of(summary, "rounds"));
    if (json_is_number(json_object_get(summary, "rounds_to_target")))
        fprintf(out, ", target reached in round %.0f", real_of(summary, "rounds_to_target"));
    fputc('\n', out);
    fprintf(out,
            "refused                %.0f messages, %.0f updates by the canary; %.0f hostile "
            "ones counted\n",
            real_of(summary, "refused"), real_of(summary, "spoiled"),
            real_of(summary, "hostile_updates_counted"));
    fprintf(out, "cost                   %.1f s of processor, %.1f s, %.0f MiB, ", cost->cpu_s,
            cost->wall_s, (double)cost->rss_kib / 1024);
    if (cost->joules >= 0)
        fprintf(out, "%.0f J\n", cost->joules);
    else
        fprintf(out, "energy not readable here\n");
}
