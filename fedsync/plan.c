/* SPDX-License-Identifier: Apache-2.0 */
#include "fedsync/fedsync.h"

#include "fedsync/codec_priv.h"

#include <errno.h>
#include <string.h>

#define PROXIMAL_MAX 1000

struct range {
    const char *name;
    double value, min, max;
};

static int ranges_check(const struct range *ranges, size_t n, struct atl_error *err)
{
    for (size_t i = 0; i < n; i++)
        if (!(ranges[i].value >= ranges[i].min && ranges[i].value <= ranges[i].max))
            return atl_error_set(err, -EINVAL, "%s is %g, expected %g to %g", ranges[i].name,
                                 ranges[i].value, ranges[i].min, ranges[i].max);
    return 0;
}

int fed_name_check(const char *what, const char *name, struct atl_error *err)
{
    if (name != NULL && fed_name_valid(name))
        return 0;
    return atl_error_set(err, -EINVAL,
                         "%s '%.40s': expected 1 to %d letters, digits, '.', '-' or '_', not "
                         "starting with '.'",
                         what, name == NULL ? "" : name, FED_NAME_BYTES - 1);
}

static int unit_check(const char *unit, struct atl_error *err)
{
    if (unit != NULL && (strcmp(unit, FED_UNIT_FLOW) == 0 || strcmp(unit, FED_UNIT_HOST) == 0))
        return 0;
    return atl_error_set(err, -EINVAL,
                         "privacy unit '%.7s': expected " FED_UNIT_FLOW " or " FED_UNIT_HOST,
                         unit == NULL ? "" : unit);
}

static int training_check(uint32_t steps, double sample_rate, double clip, double noise,
                          float learning_rate, double delta, uint32_t quorum, struct atl_error *err)
{
    const struct range ranges[] = {
        {"steps", steps, 1, 100000},
        {"sample_rate", sample_rate, 1e-6, 1},
        {"clip", clip, 1e-6, 1e6},
        {"noise_multiplier", noise, 0.1, 1000},
        {"learning_rate", (double)learning_rate, 1e-8, 1},
        {"delta", delta, 1e-15, 1e-2},
        {"quorum", quorum, 1, FED_EDGES_MAX},
    };
    return ranges_check(ranges, ATL_ARRAY_LEN(ranges), err);
}

int fed_plan_check(const struct fed_plan *plan, struct atl_error *err)
{
    int r = fed_name_check("federation", plan->federation, err);
    if (r == 0)
        r = fed_name_check("section", plan->section, err);
    if (r < 0)
        return r;
    r = unit_check(plan->unit, err);
    if (r < 0)
        return r;
    if (plan->epoch == 0 || plan->round == 0 || plan->deadline_ns == 0)
        return atl_error_set(err, -EINVAL, "epoch, round and deadline must not be 0");
    if ((unsigned)plan->encoding > FED_ROTATED4)
        return atl_error_set(err, -EINVAL, "encoding: unknown number %u", (unsigned)plan->encoding);
    const struct range proximal = {"proximal", (double)plan->proximal, 0, PROXIMAL_MAX};
    r = ranges_check(&proximal, 1, err);
    if (r < 0)
        return r;
    return training_check(plan->steps, plan->sample_rate, plan->clip, plan->noise_multiplier,
                          plan->learning_rate, plan->delta, plan->quorum, err);
}

void fed_hub_config_default(struct fed_hub_config *cfg)
{
    *cfg = (struct fed_hub_config){
        .federation = "default",
        .section = "flow",
        .unit = FED_UNIT_FLOW,
        .state_dir = "/var/lib/atalaya/hub",
        .rounds = 0,
        .quorum = 2,
        .expected = 0,
        .deadline_ns = 10 * 60 * ATL_NS_PER_S,
        .pause_ns = 60 * 60 * ATL_NS_PER_S,
        .steps = 100,
        .sample_rate = 0.02,
        .clip = 1,
        .noise_multiplier = 1.1,
        .delta = 1e-5,
        .learning_rate = 1e-3F,
        .server_rate = 1,
        .norm_max = 10,
        .trim = 0.2,
        .momentum = 0.9F,
        .canary_tolerance = 0.25,
        .quarantine_after = 3,
        .lease_ns = 30 * ATL_NS_PER_S,
    };
}

int fed_hub_config_check(const struct fed_hub_config *cfg, struct atl_error *err)
{
    int r = fed_name_check("federation", cfg->federation, err);
    if (r == 0)
        r = fed_name_check("section", cfg->section, err);
    if (r == 0)
        r = unit_check(cfg->unit, err);
    if (r == 0)
        r = training_check(cfg->steps, cfg->sample_rate, cfg->clip, cfg->noise_multiplier,
                           cfg->learning_rate, cfg->delta, cfg->quorum, err);
    if (r < 0)
        return r;
    if (cfg->state_dir == NULL || cfg->state_dir[0] == '\0')
        return atl_error_set(err, -EINVAL, "state_dir: expected a folder");
    if ((unsigned)cfg->encoding > FED_ROTATED4 || (unsigned)cfg->rule > FED_RULE_CENTRED ||
        (unsigned)cfg->optimiser > FED_ADAM)
        return atl_error_set(err, -EINVAL, "encoding, rule or optimiser: unknown number");
    if (cfg->cohort != 0 && cfg->cohort < cfg->quorum)
        return atl_error_set(err, -EINVAL, "cohort is %u, less than the quorum of %u", cfg->cohort,
                             cfg->quorum);
    if (cfg->expected != 0 && cfg->expected < cfg->quorum)
        return atl_error_set(err, -EINVAL, "expected is %u, less than the quorum of %u",
                             cfg->expected, cfg->quorum);
    if (cfg->peer != NULL)
        r = fed_name_check("peer", cfg->peer, err);
    if (r < 0)
        return r;
    const struct range ranges[] = {
        {"lease (s)", (double)cfg->lease_ns / 1e9, (double)FED_LEASE_MIN_NS / 1e9,
         (double)FED_LEASE_MAX_NS / 1e9},
        {"expected", cfg->expected, 0, FED_EDGES_MAX},
        {"deadline (s)", (double)cfg->deadline_ns / 1e9, 1, 7 * 86400.0},
        {"pause (s)", (double)cfg->pause_ns / 1e9, 0, 366 * 86400.0},
        {"server_rate", (double)cfg->server_rate, 1e-4, 10},
        {"norm_max", cfg->norm_max, 0, 1e9},
        {"proximal", (double)cfg->proximal, 0, PROXIMAL_MAX},
        {"trim", cfg->trim, 0, 0.5},
        {"momentum", (double)cfg->momentum, 0, 0.999},
        {"canary_tolerance", cfg->canary_tolerance, 0, 10},
        {"cohort", cfg->cohort, 0, FED_EDGES_MAX},
        {"spread (s)", (double)cfg->spread_ns / 1e9, 0, (double)cfg->deadline_ns / 2e9},
        {"model_age (s)", (double)cfg->model_age_ns / 1e9, 0, 366 * 86400.0},
    };
    return ranges_check(ranges, ATL_ARRAY_LEN(ranges), err);
}

const char *fed_edge_state_name(enum fed_edge_state state)
{
    static const char *const names[] = {"idle", "training", "sending", "done", "refused"};
    return (size_t)state < ATL_ARRAY_LEN(names) ? names[state] : "unknown";
}

const char *fed_round_state_name(enum fed_round_state state)
{
    static const char *const names[] = {"open", "committed", "abandoned"};
    return (size_t)state < ATL_ARRAY_LEN(names) ? names[state] : "unknown";
}
