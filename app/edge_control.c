/* SPDX-License-Identifier: Apache-2.0 */
#include "app/app_priv.h"
#include "app/edge_priv.h"

#include <stdlib.h>
#include <string.h>

#define INT(x) ((json_int_t)(x))

static json_t *reasons_json(const struct edge *e)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < e->n_degraded; i++)
        json_array_append_new(list, json_string(e->degraded[i]));
    return list;
}

static json_t *answer_status(struct edge *e, const json_t *request)
{
    (void)request;
    const struct config *cfg = e->cfg;
    json_t *doc = json_pack("{s:b, s:i, s:s, s:o}", "ok", 1, "schema", 1, "state", e->node.state,
                            "degraded", reasons_json(e));
    json_object_update(doc, e->node.info);
    json_object_set_new(doc, "now", node_now());
    json_object_set_new(
        doc, "broker",
        json_pack("{s:s, s:b}", "url", cfg->broker.url, "connected", e->node.connected));
    json_t *metrics = edge_metrics_json(e);
    json_object_update(doc, metrics);
    json_decref(metrics);
    return doc;
}

static double share(uint64_t part, uint64_t whole)
{
    return whole != 0 ? (double)part / (double)whole : 0;
}

static json_t *worker_json(const struct dp_worker_stats *s)
{
    json_t *stages = json_object();
    for (int i = 0; i < DP_STAGE_COUNT; i++)
        json_object_set_new(stages, dp_stage_name((enum dp_stage)i),
                            json_real(share(s->stage_cycles[i], s->stage_packets[i])));
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:I, s:I, s:o}", "received",
                     INT(s->received_packets), "processed", INT(s->processed_packets), "given",
                     INT(s->given_packets), "taken", INT(s->taken_packets), "flows_live",
                     INT(s->flows_live), "flows_exported", INT(s->flows_exported), "polls",
                     INT(s->polls), "polls_empty", INT(s->polls_empty), "busy",
                     share(s->busy_cycles, s->all_cycles), "busy_cycles", INT(s->busy_cycles),
                     "all_cycles", INT(s->all_cycles), "cycles_per_packet", stages);
}

static json_t *answer_stats(struct edge *e, const json_t *request)
{
    (void)request;
    json_t *doc = edge_metrics_json(e), *workers = json_array();
    for (uint32_t i = 0; i < dp_engine_workers(e->engine); i++) {
        struct dp_worker_stats stats;
        dp_engine_worker_stats(e->engine, i, &stats);
        json_array_append_new(workers, worker_json(&stats));
    }
    json_object_set_new(doc, "workers", workers);
    json_object_set_new(doc, "mono_ns", json_integer(INT(atl_clock_mono_ns())));
    json_object_set_new(doc, "ok", json_true());
    return doc;
}

static json_t *answer_reload(struct edge *e, const json_t *request)
{
    (void)request;
    struct config_report *report = calloc(1, sizeof(*report));
    if (report == NULL)
        return control_refusal("out of memory");
    int r = node_reload_check(&e->node, report);
    json_t *problems = json_array(), *answer;
    for (uint32_t i = 0; i < report->n; i++)
        json_array_append_new(problems,
                              json_pack("{s:i, s:i, s:s}", "line", (int)report->problems[i].line,
                                        "column", (int)report->problems[i].column, "error",
                                        report->problems[i].text));
    if (r < 0)
        answer =
            control_refusal("%s is not good; the old configuration stays", e->node.config_path);
    else
        answer = json_pack("{s:b, s:b}", "ok", 1, "changed", r == 1);
    json_object_set_new(answer, "problems", problems);
    config_report_finish(report);
    free(report);
    if (r == 1 && e->node.wish == NODE_RUN)
        e->node.wish = NODE_RELOAD;
    return answer;
}

static const struct {
    const char *verb;
    json_t *(*answer)(struct edge *e, const json_t *request);
} answers[] = {
    {"status", answer_status},
    {"stats", answer_stats},
    {"reload", answer_reload},
    {"evidence", edge_evidence_answer},
    {"model_rollback", edge_adapt_roll_back},
};

static json_t *on_request(void *ctx, const char *verb, const json_t *request)
{
    for (size_t i = 0; i < ATL_ARRAY_LEN(answers); i++)
        if (strcmp(answers[i].verb, verb) == 0)
            return answers[i].answer(ctx, request);
    return NULL;
}

static void on_ready(void *ctx)
{
    struct edge *e = ctx;
    control_step(e->control, atl_clock_mono_ns());
}

int edge_control_open(struct edge *e, struct atl_error *err)
{
    int r = control_open(&e->control, e->cfg->state_dir, on_request, e, err);
    return r < 0 ? r : node_watch(&e->node, control_fd(e->control), on_ready, e, err);
}
