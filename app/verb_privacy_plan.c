/* SPDX-License-Identifier: Apache-2.0 */
/* `atalaya privacy plan`: what a federation will cost before it runs, and whether it can learn. */
#include "app/app_priv.h"
#include "app/config_priv.h"
#include "app/options_priv.h"
#include "app/recipe_priv.h"
#include "app/verb_privacy_priv.h"
#include "privacy/privacy.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define VERB "privacy plan"

/* Rounds that the table tells, as far as the budget reaches. */
static const uint64_t told_rounds[] = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000};
#define ROUNDS_MAX 1000000

static const char help[] =
    "Usage: atalaya privacy plan [-c EDGE.yaml] [-c HUB.yaml] [OPTION]…\n\n"
    "What rounds of a federation will reveal, how many the budget allows, and whether the noise\n"
    "leaves anything to learn. Numbers come from the configurations, then from the options.\n\n"
    "  -c, --config FILE    an edge's (budget) or a hub's (rounds) configuration\n"
    "      --epsilon E      budget\n"
    "      --delta D        probability that the bound may fail; must be below 1 / records\n"
    "      --q Q            share of an edge's records in each step (1 with --unit edge)\n"
    "      --sigma Z        noise multiplier\n"
    "      --steps T        private steps in a round\n"
    "      --rounds R       rounds that are wanted\n"
    "      --records N      records an edge learns from [learning.reservoir]\n"
    "      --edges N        edges that take part in a round\n"
    "      --params D       parameters of the model [those of the flow model]\n"
    "      --unit UNIT      what is protected: flow, host or edge (one noised vector a round)\n"
    "      --accountant A   rdp (what ledgers count with, default) or pld\n"
    "      --json           one JSON object on standard output\n"
    "  -h, --help           this text\n\n"
    "Example: atalaya privacy plan -c edge.yaml -c hub.yaml --rounds 100\n";

struct plan {
    double epsilon, delta, q, sigma;
    uint64_t steps, rounds, records, edges, params;
    int unit;       /* index into units */
    int accountant; /* enum priv_accountant */
    bool json;
};

enum { UNIT_FLOW, UNIT_HOST, UNIT_EDGE };
static const char *const units[] = {"flow", "host", "edge", NULL};

static void plan_default(struct plan *plan)
{
    struct learn_shape shape;
    struct config *cfg = calloc(1, sizeof(*cfg));
    recipe_shape(VIEW_FLOW, &shape);
    *plan = (struct plan){.params = learn_shape_params(&shape), .accountant = PRIV_RDP};
    if (cfg == NULL)
        return;
    config_default(cfg, CONFIG_EDGE);
    plan->epsilon = cfg->federation.budget_epsilon;
    plan->records = cfg->learning.reservoir;
    plan->delta = cfg->federation.delta;
    plan->q = cfg->federation.sample_rate;
    plan->sigma = cfg->federation.noise_multiplier;
    plan->steps = cfg->federation.steps;
    plan->edges = cfg->federation.quorum;
    free(cfg);
}

/* --- what was asked --- */

static void take_config(struct plan *plan, const struct config *cfg)
{
    plan->delta = cfg->federation.delta;
    if (cfg->role == CONFIG_EDGE) {
        plan->epsilon = cfg->federation.budget_epsilon;
        plan->records = cfg->learning.reservoir;
        return;
    }
    plan->q = cfg->federation.sample_rate;
    plan->sigma = cfg->federation.noise_multiplier;
    plan->steps = cfg->federation.steps;
    plan->rounds = cfg->federation.rounds;
    plan->edges = cfg->federation.expected != 0 ? cfg->federation.expected : cfg->federation.quorum;
}

static int read_config(void *ctx, const char *path, struct atl_error *err)
{
    struct config *cfg = calloc(1, sizeof(*cfg));
    struct config_report *report = calloc(1, sizeof(*report));
    int r = atl_error_set(err, -ENOMEM, "out of memory");
    if (cfg != NULL && report != NULL) {
        r = config_load(path, cfg, report) == 0 ? 0 : EXIT_CONFIG;
        if (r == 0)
            take_config(ctx, cfg);
        else
            config_report_print(report, path, stderr);
        config_report_finish(report);
    }
    free(report);
    free(cfg);
    return r;
}

static int leave_out(void *ctx, const char *value, struct atl_error *err)
{
    (void)ctx;
    (void)value;
    (void)err;
    return 0;
}

static int read_options(struct plan *plan, options_take_fn take_config_file, int argc, char **argv)
{
    const char *accountants[] = {priv_accountant_name(PRIV_RDP), priv_accountant_name(PRIV_PLD),
                                 NULL};
    const struct options_row rows[] = {
        {"config", 'c', OPTIONS_TAKE, .ctx = plan, .take = take_config_file},
        {"epsilon", 0, OPTIONS_NUMBER, .number = &plan->epsilon, .min = 1e-6, .max = 1e6},
        {"delta", 0, OPTIONS_NUMBER, .number = &plan->delta, .min = 1e-300, .max = 0.5},
        {"q", 0, OPTIONS_NUMBER, .number = &plan->q, .min = 1e-9, .max = 1},
        {"sigma", 0, OPTIONS_NUMBER, .number = &plan->sigma, .min = 1e-3, .max = 1e6},
        {"steps", 0, OPTIONS_COUNT, .count = &plan->steps, .min = 1, .max = 1e9},
        {"rounds", 0, OPTIONS_COUNT, .count = &plan->rounds, .min = 1, .max = ROUNDS_MAX},
        {"records", 0, OPTIONS_COUNT, .count = &plan->records, .min = 1, .max = 1e12},
        {"edges", 0, OPTIONS_COUNT, .count = &plan->edges, .min = 1, .max = 1e6},
        {"params", 0, OPTIONS_COUNT, .count = &plan->params, .min = 1, .max = 1e9},
        {"unit", 0, OPTIONS_CHOICE, .choice = &plan->unit, .choices = units},
        {"accountant", 0, OPTIONS_CHOICE, .choice = &plan->accountant, .choices = accountants},
        {"json", 0, OPTIONS_FLAG, .flag = &plan->json},
    };
    int code = options_read(VERB, help, rows, ATL_ARRAY_LEN(rows), argc, argv);
    return code == OPTIONS_GO_ON ? options_no_words(VERB, argc, argv) : code;
}

/* Configurations first, so that an option wins wherever it stands. */
static int parse(struct plan *plan, int argc, char **argv)
{
    int code = read_options(plan, read_config, argc, argv);
    return code == OPTIONS_GO_ON ? read_options(plan, leave_out, argc, argv) : code;
}

/* --- answers --- */

static struct priv_event rounds_event(const struct plan *plan, uint64_t rounds)
{
    bool sampled = plan->unit != UNIT_EDGE && plan->q < 1;
    return (struct priv_event){
        .mechanism = sampled ? PRIV_POISSON_GAUSSIAN : PRIV_GAUSSIAN,
        .q = sampled ? plan->q : 1,
        .sigma = plan->sigma,
        .steps = plan->unit == UNIT_EDGE ? rounds : rounds * plan->steps,
    };
}

static double epsilon_after(const struct plan *plan, uint64_t rounds)
{
    struct priv_event event = rounds_event(plan, rounds);
    double epsilon = INFINITY;
    priv_epsilon((enum priv_accountant)plan->accountant, &event, 1, plan->delta, &epsilon, NULL);
    return epsilon;
}

/* Most rounds within the budget, ROUNDS_MAX if they never end. */
static uint64_t rounds_within(const struct plan *plan)
{
    uint64_t low = 0, high = 1; /* low keeps the budget */
    while (high < ROUNDS_MAX && epsilon_after(plan, high) <= plan->epsilon) {
        low = high;
        high *= 2;
    }
    if (high >= ROUNDS_MAX)
        high = ROUNDS_MAX;
    while (high - low > 1) {
        uint64_t middle = low + (high - low) / 2;
        if (epsilon_after(plan, middle) <= plan->epsilon)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* Noise of one release over the longest signal that its clipped parts can add up to. */
static double noise_to_signal(const struct plan *plan)
{
    double parts = plan->unit == UNIT_EDGE ? (double)plan->edges : plan->q * (double)plan->records;
    return plan->sigma * sqrt((double)plan->params) / fmax(parts, 1);
}

/* What is left of it when edges, and within a round steps, average out. */
static double round_noise(const struct plan *plan)
{
    return plan->unit == UNIT_EDGE
               ? noise_to_signal(plan)
               : noise_to_signal(plan) / sqrt((double)plan->edges * (double)plan->steps);
}

static const char *verdict(double ratio)
{
    if (ratio <= 0.3)
        return "the noise is small beside the signal";
    if (ratio <= 3)
        return "learning works, in more rounds than without noise";
    return "useless: the noise drowns what is learned; ask for more records or edges, a smaller "
           "model, or fewer rounds with a larger budget each";
}

static void print_text(const struct plan *plan, uint64_t within)
{
    printf("%s, q %g, sigma %g, %" PRIu64 " steps a round; one protected unit is one %s; "
           "delta %g (accountant %s)\n\n%8s %10s  %s\n",
           plan->unit == UNIT_EDGE ? "one noised sum a round" : "private steps on each edge",
           plan->unit == UNIT_EDGE ? 1 : plan->q, plan->sigma,
           plan->unit == UNIT_EDGE ? 1 : plan->steps, units[plan->unit], plan->delta,
           priv_accountant_name((enum priv_accountant)plan->accountant), "rounds", "epsilon",
           "odds at most");
    for (size_t i = 0; i < ATL_ARRAY_LEN(told_rounds); i++) {
        double epsilon = epsilon_after(plan, told_rounds[i]);
        if (i > 0 && epsilon > plan->epsilon)
            break;
        printf("%8" PRIu64 " %10.4f  x %.3g\n", told_rounds[i], epsilon, exp(epsilon));
    }
    printf("\nbudget %g: %s%" PRIu64 " rounds, then edges go on detecting and stop contributing\n",
           plan->epsilon, within >= ROUNDS_MAX - 1 ? "more than " : "", within);
    if (plan->rounds > within)
        printf("%" PRIu64 " rounds are wanted: %" PRIu64 " too many\n", plan->rounds,
               plan->rounds - within);
    printf("noise / signal of one release: z·√d / N = %.3g (d %" PRIu64 "); of a round of %" PRIu64
           " edges: %.3g: %s\n",
           noise_to_signal(plan), plan->params, plan->edges, round_noise(plan),
           verdict(round_noise(plan)));
    double spent = fmin(plan->epsilon, epsilon_after(plan, within > 0 ? within : 1));
    printf("in words: whoever sees every release can raise the odds of guessing whether one %s was "
           "there at most %.3g-fold, except with probability %g\n",
           units[plan->unit], exp(spent), plan->delta);
}

static void print_json(const struct plan *plan, uint64_t within)
{
    json_t *rounds = json_array();
    for (size_t i = 0; i < ATL_ARRAY_LEN(told_rounds); i++) {
        double epsilon = epsilon_after(plan, told_rounds[i]);
        if (i > 0 && epsilon > plan->epsilon)
            break;
        json_array_append_new(
            rounds, json_pack("{s:I, s:o}", "rounds", (json_int_t)told_rounds[i], "epsilon",
                              isfinite(epsilon) ? json_real(epsilon) : json_null()));
    }
    json_t *all =
        json_pack("{s:o, s:I, s:f, s:f, s:s, s:s, s:f, s:f}", "epsilon_after", rounds,
                  "rounds_within", (json_int_t)within, "budget", plan->epsilon, "delta",
                  plan->delta, "unit", units[plan->unit], "accountant",
                  priv_accountant_name((enum priv_accountant)plan->accountant), "noise_to_signal",
                  noise_to_signal(plan), "noise_to_signal_round", round_noise(plan));
    json_dumpf(all, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(all);
}

int privacy_plan(int argc, char **argv)
{
    struct plan plan;
    plan_default(&plan);
    int code = parse(&plan, argc, argv);
    if (code != OPTIONS_GO_ON)
        return code;
    double crowd = plan.unit == UNIT_EDGE ? (double)plan.edges : (double)plan.records;
    if (plan.delta * crowd >= 1)
        return options_usage(VERB,
                             "--delta: %g lets a mechanism publish one of %g whole; expected "
                             "less than %g",
                             plan.delta, crowd, 1 / crowd);
    uint64_t within = rounds_within(&plan);
    if (plan.json)
        print_json(&plan, within);
    else
        print_text(&plan, within);
    return EXIT_OK;
}
