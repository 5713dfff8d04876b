/* SPDX-License-Identifier: Apache-2.0 */
#include "app/edge_priv.h"
#include "app/telecom_json_priv.h"

#define INT(x) ((json_int_t)(x))

static json_t *packets_json(const struct dp_counters *c)
{
    json_t *dropped = json_object();
    for (int i = 0; i < DP_REASON_COUNT; i++)
        json_object_set_new(dropped, dp_reason_name((enum dp_reason)i),
                            json_integer(INT(c->reasons[i])));
    json_t *losses = json_pack("{s:I, s:I, s:I, s:I}", "nic_missed", INT(c->losses.nic_missed),
                               "nic_errors", INT(c->losses.nic_errors), "nic_nombuf",
                               INT(c->losses.nic_nombuf), "kernel", INT(c->losses.kernel));
    return json_pack("{s:I, s:I, s:o, s:I, s:o, s:I, s:I}", "received", INT(c->received_packets),
                     "processed", INT(c->processed_packets), "dropped", dropped, "nic_dropped",
                     INT(c->nic_dropped_packets), "losses", losses, "handed",
                     INT(c->handed_packets), "difference", INT(dp_counters_difference(c)));
}

static void measure_rates(struct edge *e, const struct dp_counters *c, atl_ns now_ns)
{
    const struct dp_counters *last = &e->counters_last;
    double s = e->metrics_last_ns != 0 ? (double)(now_ns - e->metrics_last_ns) * 1e-9 : 0;
    double per_s = s > 0 ? 1 / s : 0;
    e->packets_per_s = (double)(c->received_packets - last->received_packets) * per_s;
    e->bits_per_s = (double)(c->received_bytes - last->received_bytes) * 8 * per_s;
    e->flows_per_s = (double)(c->flows_exported - last->flows_exported) * per_s;
    e->counters_last = *c;
    e->metrics_last_ns = now_ns;
}

/* How much of its time each worker worked, since it began. */
static json_t *busy_json(const struct edge *e)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < dp_engine_workers(e->engine); i++) {
        struct dp_worker_stats s;
        dp_engine_worker_stats(e->engine, i, &s);
        double busy = s.all_cycles != 0 ? (double)s.busy_cycles / (double)s.all_cycles : 0;
        json_array_append_new(list, json_real(busy));
    }
    return list;
}

static json_t *detector_json(const struct edge *e)
{
    struct detector_stats stats;
    detector_stats(e->detector, &stats);
    return json_pack("{s:s, s:I, s:I, s:I, s:s, s:s, s:o}", "phase",
                     e->learned[VIEW_FLOW] ? "watching" : "learning", "rows",
                     INT(stats.offered[VIEW_FLOW]), "rows_needed", INT(e->cfg->learning.flow_rows),
                     "scored", INT(stats.scored[VIEW_FLOW] + stats.scored[VIEW_HOST]), "flow_model",
                     e->model_names[VIEW_FLOW], "host_model", e->model_names[VIEW_HOST], "models",
                     edge_adapt_json(e));
}

static json_t *federation_json(const struct edge *e)
{
    double epsilon = e->fed != NULL ? fed_edge_spent(e->fed) : 0;
    return json_pack("{s:s, s:I, s:o, s:f, s:f}", "state", edge_federation_state(e), "round",
                     INT(e->fed != NULL ? fed_edge_round(e->fed) : 0), "epsilon",
                     node_number(epsilon), "budget", e->cfg->federation.budget_epsilon, "delta",
                     e->cfg->federation.delta);
}

static json_t *bus_json(const struct edge *e)
{
    struct bus_stats stats = {0};
    if (e->node.bus != NULL)
        bus_client_stats(e->node.bus, &stats);
    return json_pack("{s:I, s:I, s:I}", "queued", INT(stats.queued), "refused_full",
                     INT(stats.refused_full), "dropped", INT(stats.dropped));
}

static json_t *document(struct edge *e, const struct dp_counters *c)
{
    json_t *rates = json_pack("{s:f, s:f, s:f}", "packets_per_s", e->packets_per_s, "bits_per_s",
                              e->bits_per_s, "flows_per_s", e->flows_per_s);
    json_t *doc = json_pack("{s:i, s:o, s:o, s:I, s:o, s:o, s:o, s:o}", "schema", 1, "ts",
                            node_now(), "packets", packets_json(c), "bytes", INT(c->received_bytes),
                            "rates", rates, "detector", detector_json(e), "federation",
                            federation_json(e), "busy", busy_json(e));
    json_object_set_new(doc, "flows",
                        json_pack("{s:I, s:I, s:I, s:I, s:I}", "live", INT(c->flows_live),
                                  "created", INT(c->flows_created), "exported",
                                  INT(c->flows_exported), "lost", INT(c->ring_full_records),
                                  "without_detail", INT(c->detail_missed)));
    json_object_set_new(doc, "encapsulations", encapsulations_json(c));
    json_object_set_new(doc, "fallbacks", fallbacks_json(c));
    json_object_set_new(doc, "telecom", telecom_totals_json(e->engine));
    struct detector_stats stats;
    detector_stats(e->detector, &stats);
    json_object_set_new(doc, "alerts",
                        json_pack("{s:I, s:I, s:I}", "open", INT(atomic_load(&e->alerts_open)),
                                  "suppressed", INT(atomic_load(&e->alerts_suppressed)), "withheld",
                                  INT(stats.withheld)));
    json_object_set_new(doc, "bus", bus_json(e));
    json_t *link = edge_link_json(e);
    if (link != NULL)
        json_object_set_new(doc, "link", link);
    if (e->cfg->export.to[0] != '\0')
        json_object_set_new(
            doc, "export",
            json_pack("{s:I, s:I, s:I}", "records", INT(atomic_load(&e->export_records)),
                      "dropped_records", INT(atomic_load(&e->export_dropped_records)),
                      "dropped_messages", INT(atomic_load(&e->export_dropped_messages))));
    return doc;
}

json_t *edge_metrics_json(struct edge *e)
{
    struct dp_counters c;
    dp_engine_counters(e->engine, &c);
    return document(e, &c);
}

void edge_metrics_publish(struct edge *e)
{
    struct dp_counters c;
    dp_engine_counters(e->engine, &c);
    measure_rates(e, &c, atl_clock_mono_ns());
    node_publish(&e->node, "metrics", document(e, &c), 0, false);
}
