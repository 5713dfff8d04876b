/* SPDX-License-Identifier: Apache-2.0 */
/* When the models here are learned anew, and when one that was promoted has to go again. */
#include "app/app_priv.h"
#include "app/edge_priv.h"
#include "app/promote_priv.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A model that was kept out may do better when more has been seen. */
#define RETRY_NS (3600 * ATL_NS_PER_S)

/* A promoted model is watched for so long, and this many rows at least are scored before that. */
#define REGRET_NS  (3600 * ATL_NS_PER_S)
#define BEFORE_MIN 1000

static atl_ns earlier(atl_ns a, atl_ns b)
{
    return a < b ? a : b;
}

static atl_ns next_refresh(const struct edge *e, atl_ns now_ns, atl_ns at_most_ns)
{
    atl_ns every_ns = e->cfg->learning.refresh;
    return now_ns + (every_ns == 0 ? at_most_ns : earlier(every_ns, at_most_ns));
}

static atl_ns scheduled(const struct edge *e, atl_ns now_ns)
{
    return next_refresh(e, now_ns, e->cfg->learning.refresh == 0 ? UINT64_MAX / 2 : UINT64_MAX);
}

void edge_adapt_open(struct edge *e)
{
    struct stat st;
    for (enum view v = 0; v < VIEW_COUNT; v++) {
        struct edge_adaptation *a = &e->adaptation[v];
        bool on_disk = e->learned[v] && stat(e->model_path, &st) == 0;
        a->since_ns = on_disk ? (atl_ns)st.st_mtim.tv_sec * ATL_NS_PER_S : atl_clock_wall_ns();
        a->due_ns = scheduled(e, atl_clock_mono_ns());
        atl_copy(a->last, sizeof(a->last), "none yet");
    }
}

/* --- a promotion may be regretted --- */

static void begin_watch(struct edge *e, enum view view, atl_ns now_ns)
{
    struct edge_adaptation *a = &e->adaptation[view];
    struct detector_stats stats;
    detector_stats(e->detector, &stats);
    uint64_t scored = stats.scored[view] - a->scored, odd = stats.anomalous[view] - a->odd;
    double risk = recipe_risk(view), share = risk;
    if (scored >= BEFORE_MIN)
        share = (double)odd / (double)scored;
    a->share_before = share > risk ? share : risk;
    a->scored = stats.scored[view];
    a->odd = stats.anomalous[view];
    a->watch_until_ns = now_ns + REGRET_NS;
}

static void watch_promoted(struct edge *e, enum view view, const struct detector_stats *stats,
                           atl_ns now_ns)
{
    struct edge_adaptation *a = &e->adaptation[view];
    if (a->watch_until_ns == 0 || e->learning[view])
        return;
    uint64_t scored = stats->scored[view] - a->scored, odd = stats->anomalous[view] - a->odd;
    if (promote_regretted(a->share_before, scored, odd)) {
        a->watch_until_ns = 0;
        e->learning[view] = trainer_undo(e->trainer, view) == 0;
    } else if (now_ns > a->watch_until_ns) {
        a->watch_until_ns = 0;
    }
}

/* --- control thread --- */

static void look_at_drift(struct edge *e, enum view view, const struct detector_stats *stats,
                          atl_ns now_ns)
{
    struct edge_adaptation *a = &e->adaptation[view];
    if (stats->drifts[view] == a->drifts)
        return;
    a->drifts = stats->drifts[view];
    a->drifted = true;
    log_line(LOG_INFO, "the %s view's scores have drifted, their usual median is now %.3f",
             view_name(view), stats->level[view]);
    /* what came since the drift is in the memory only after the delay */
    a->due_ns = earlier(a->due_ns, now_ns + 2 * e->cfg->learning.delay);
}

void edge_adapt_step(struct edge *e, atl_ns now_ns)
{
    struct detector_stats stats;
    detector_stats(e->detector, &stats);
    for (enum view v = 0; v < VIEW_COUNT; v++) {
        if (!e->learned[v])
            continue;
        look_at_drift(e, v, &stats, now_ns);
        watch_promoted(e, v, &stats, now_ns);
        struct edge_adaptation *a = &e->adaptation[v];
        if (e->learning[v] || now_ns < a->due_ns)
            continue;
        e->learning[v] = trainer_refresh(e->trainer, v) == 0;
    }
}

static void now_works(struct edge *e, enum view view)
{
    e->adaptation[view].since_ns = atl_clock_wall_ns();
    e->adaptation[view].drifted = false;
}

static void refreshed(struct edge *e, enum view view, const struct trainer_result *result)
{
    struct edge_adaptation *a = &e->adaptation[view];
    atl_ns now_ns = atl_clock_mono_ns();
    bool promoted = result->status == 0 && result->promoted;
    a->due_ns = promoted ? scheduled(e, now_ns) : next_refresh(e, now_ns, RETRY_NS);
    if (e->cfg->learning.refresh == 0 && !a->drifted)
        a->due_ns = scheduled(e, now_ns);
    a->promotions += promoted;
    a->kept_out += result->status == 0 && !result->promoted;
    if (!promoted)
        return;
    now_works(e, view);
    begin_watch(e, view, now_ns);
}

/* @return false for a job that changes no model here */
static bool views_of(enum trainer_job job, enum view *ret_first, enum view *ret_last)
{
    *ret_first = *ret_last = VIEW_FLOW;
    switch (job) {
    case TRAINER_LEARN_FLOW:
    case TRAINER_ADOPT:
    case TRAINER_REFRESH_FLOW:
    case TRAINER_UNDO_FLOW:
        return true;
    case TRAINER_LEARN_HOST:
    case TRAINER_REFRESH_HOST:
    case TRAINER_UNDO_HOST:
        *ret_first = *ret_last = VIEW_HOST;
        return true;
    case TRAINER_ROLL_BACK:
        *ret_last = VIEW_HOST;
        return true;
    case TRAINER_PRIVATE:
    case TRAINER_JOBS:
        break;
    }
    return false;
}

static void done_with(struct edge *e, enum view view, const struct trainer_result *result)
{
    struct edge_adaptation *a = &e->adaptation[view];
    enum trainer_job job = result->job;
    bool back = job == TRAINER_UNDO_FLOW || job == TRAINER_UNDO_HOST || job == TRAINER_ROLL_BACK;
    atl_copy(a->last, sizeof(a->last), result->text);
    if (job != TRAINER_ADOPT && job != TRAINER_ROLL_BACK)
        e->learning[view] = false; /* those two are asked for from outside, beside the view's own */
    if (job == TRAINER_REFRESH_FLOW || job == TRAINER_REFRESH_HOST) {
        refreshed(e, view, result);
    } else if (result->status == 0) {
        now_works(e, view);
        a->roll_backs += back;
        a->watch_until_ns = 0;
    }
    if (result->status < 0)
        return;
    atl_copy(e->model_names[view], sizeof(e->model_names[view]), result->origins[view]);
    e->learned[view] = strcmp(result->origins[view], RECIPE_FACTORY) != 0;
}

void edge_adapt_done(struct edge *e, const struct trainer_result *result)
{
    enum view first, last;
    if (!views_of(result->job, &first, &last))
        return;
    for (enum view v = first; v <= last; v++)
        done_with(e, v, result);
}

/* --- telling --- */

static json_t *view_json(const struct edge *e, enum view view, const struct detector_stats *stats)
{
    const struct edge_adaptation *a = &e->adaptation[view];
    char since[ATL_TIME_TEXT_BYTES];
    atl_clock_format(a->since_ns, since);
    atl_ns now_ns = atl_clock_wall_ns();
    double age_s = now_ns > a->since_ns ? (double)(now_ns - a->since_ns) * 1e-9 : 0;
    const char *drift = !e->learned[view] ? "learning" : a->drifted ? "drifted" : "steady";
    json_t *doc = json_pack(
        "{s:s, s:s, s:f, s:s, s:I, s:f, s:I, s:I, s:I, s:s}", "name", e->model_names[view], "since",
        since, "age_s", age_s, "drift", drift, "drifts", (json_int_t)stats->drifts[view],
        "median_score", stats->level[view], "promotions", (json_int_t)a->promotions, "kept_out",
        (json_int_t)a->kept_out, "roll_backs", (json_int_t)a->roll_backs, "last", a->last);
    json_object_set_new(doc, "rows_waiting", json_integer((json_int_t)stats->waiting[view]));
    json_object_set_new(doc, "rows_refused", json_integer((json_int_t)stats->refused[view]));
    json_object_set_new(doc, "rows_forgotten", json_integer((json_int_t)stats->forgotten[view]));
    return doc;
}

json_t *edge_adapt_json(const struct edge *e)
{
    struct detector_stats stats;
    json_t *doc = json_object();
    detector_stats(e->detector, &stats);
    for (enum view v = 0; v < VIEW_COUNT; v++)
        json_object_set_new(doc, view_name(v), view_json(e, v, &stats));
    return doc;
}

json_t *edge_adapt_roll_back(struct edge *e, const json_t *request)
{
    (void)request;
    char path[sizeof(e->model_path) + 4];
    snprintf(path, sizeof(path), "%s.1", e->model_path);
    if (access(path, R_OK) < 0)
        return control_refusal("%s: no earlier model to go back to", path);
    int r = trainer_roll_back(e->trainer);
    if (r < 0)
        return control_refusal("not now: %s", strerror(-r));
    return json_pack("{s:b, s:s}", "ok", 1, "file", path);
}
