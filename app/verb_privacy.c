/* SPDX-License-Identifier: Apache-2.0 */
/* `atalaya privacy`: the accountant on the command line. */
#include "app/app_priv.h"
#include "app/options_priv.h"
#include "app/verb_privacy_priv.h"
#include "privacy/privacy.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char help[] =
    "Usage: atalaya privacy epsilon   --mechanism NAME [--q Q] --sigma S --steps T --delta D\n"
    "       atalaya privacy calibrate --mechanism NAME [--q Q] --epsilon E --steps T --delta D\n"
    "       atalaya privacy plan      [-c EDGE.yaml] [-c HUB.yaml] [OPTION]…\n"
    "       atalaya privacy ledger    (-c EDGE.yaml | DIR)\n"
    "\n"
    "epsilon says how much T noisy releases reveal about one record; calibrate finds the\n"
    "smallest noise for a wanted epsilon; plan says what rounds will cost; ledger shows and\n"
    "verifies what an edge has spent (both with their own --help). Neighbours differ by one\n"
    "record added or removed.\n"
    "\n"
    "  --mechanism NAME   gaussian, poisson_gaussian (a random sample each step), laplace,\n"
    "                     tree_gaussian, discrete_gaussian_sum or skellam_sum\n"
    "  --q Q              share of records in each step, 0 < Q <= 1; poisson_gaussian needs it\n"
    "  --sigma S          noise / sensitivity: standard deviation, or the scale b of laplace\n"
    "  --steps T          number of releases\n"
    "  --parties N        of a sum: those that sent a share of the noise\n"
    "  --dim D            of a sum: entries of the vector\n"
    "  --grain G          of a sum: step of the grid / clip\n"
    "  --delta D          probability that the bound may fail, 0 < D < 1\n"
    "  --epsilon E        wanted epsilon (calibrate)\n"
    "  --accountant NAME  pld (tight, default) or rdp\n"
    "  --json             one JSON object\n"
    "  --help             this text\n"
    "\n"
    "Example: 10,000 steps of DP-SGD on 1 % of the records each\n"
    "  atalaya privacy epsilon --mechanism poisson_gaussian --q 0.01 --sigma 1 \\\n"
    "      --steps 10000 --delta 1e-6\n";

#define VERB "privacy"

static const char *const actions[] = {"epsilon", "calibrate", "plan", "ledger"};

struct request {
    bool calibrate, json;
    int mechanism, accountant; /* enum priv_mechanism, enum priv_accountant */
    struct priv_event event;
    double epsilon, delta;
    struct {
        bool mechanism, q, sigma, epsilon, steps, delta;
    } given;
};

static int expect_action(const char *word)
{
    const char *near = atl_nearest(word, actions, ATL_ARRAY_LEN(actions));
    return options_usage(
        VERB, "expected epsilon, calibrate, plan or ledger first, found '%s'%s%s%s", word,
        near != NULL ? "; did you mean " : "", near != NULL ? near : "", near != NULL ? "?" : "");
}

/* Which options the action needs and which one it cannot take */
static int check_given(const struct request *q)
{
    const char *action = q->calibrate ? "calibrate" : "epsilon";
    const char *asked = q->calibrate ? "epsilon" : "sigma";
    const char *answer = q->calibrate ? "sigma" : "epsilon";
    const struct {
        bool given;
        const char *name;
    } needed[] = {{q->given.mechanism, "mechanism"},
                  {q->calibrate ? q->given.epsilon : q->given.sigma, asked},
                  {q->given.steps, "steps"},
                  {q->given.delta, "delta"}};
    for (size_t i = 0; i < ATL_ARRAY_LEN(needed); i++) {
        if (!needed[i].given)
            return options_usage(VERB, "%s needs --%s", action, needed[i].name);
    }
    if (q->calibrate ? q->given.sigma : q->given.epsilon)
        return options_usage(VERB, "%s finds the %s itself: leave out --%s", action, answer,
                             answer);
    if (q->event.mechanism == PRIV_POISSON_GAUSSIAN && !q->given.q)
        return options_usage(VERB, "poisson_gaussian needs --q, the share of records in each step");
    return OPTIONS_GO_ON;
}

static int parse(struct request *q, int argc, char **argv)
{
    const char *accountants[] = {priv_accountant_name(PRIV_RDP), priv_accountant_name(PRIV_PLD),
                                 NULL};
    const char *mechanisms[PRIV_SKELLAM_SUM + 2] = {NULL};
    for (int i = 0; i <= PRIV_SKELLAM_SUM; i++)
        mechanisms[i] = priv_mechanism_name((enum priv_mechanism)i);
    struct priv_event *e = &q->event;
    const struct options_row rows[] = {
        {"mechanism", 0, OPTIONS_CHOICE, .choice = &q->mechanism, .choices = mechanisms,
         .given = &q->given.mechanism},
        {"accountant", 0, OPTIONS_CHOICE, .choice = &q->accountant, .choices = accountants},
        {"q", 0, OPTIONS_NUMBER, .number = &e->q, .given = &q->given.q},
        {"sigma", 0, OPTIONS_NUMBER, .number = &e->sigma, .given = &q->given.sigma},
        {"epsilon", 0, OPTIONS_NUMBER, .number = &q->epsilon, .given = &q->given.epsilon},
        {"delta", 0, OPTIONS_NUMBER, .number = &q->delta, .given = &q->given.delta},
        {"steps", 0, OPTIONS_COUNT, .count = &e->steps, .max = 1e18, .given = &q->given.steps},
        {"parties", 0, OPTIONS_COUNT32, .count32 = &e->sum.parties, .max = UINT32_MAX},
        {"dim", 0, OPTIONS_COUNT32, .count32 = &e->sum.dim, .max = UINT32_MAX},
        {"grain", 0, OPTIONS_NUMBER, .number = &e->sum.grain},
        {"json", 0, OPTIONS_FLAG, .flag = &q->json},
    };
    int code = options_read(VERB, help, rows, ATL_ARRAY_LEN(rows), argc, argv);
    e->mechanism = (enum priv_mechanism)q->mechanism;
    return code;
}

static void print_json(const struct request *request)
{
    const struct priv_event *e = &request->event;
    json_t *object =
        json_pack("{s:f, s:s, s:s, s:f, s:f, s:I, s:f}", "epsilon", request->epsilon, "accountant",
                  priv_accountant_name((enum priv_accountant)request->accountant), "mechanism",
                  priv_mechanism_name(e->mechanism), "q", e->q, "sigma", e->sigma, "steps",
                  (json_int_t)e->steps, "delta", request->delta);
    json_dumpf(object, stdout, 0);
    putchar('\n');
    json_decref(object);
}

static void print_sentence(const struct request *request)
{
    const struct priv_event *e = &request->event;
    if (request->calibrate)
        printf("sigma %.4g keeps ", e->sigma);
    printf("epsilon %.6g at delta %g: %" PRIu64 " steps of %s, q %g, sigma %.6g (accountant %s).\n"
           "Whoever sees the releases can raise the odds of guessing whether one record took part "
           "at most %.3g-fold (e^epsilon), except with probability %g.\n",
           request->epsilon, request->delta, e->steps, priv_mechanism_name(e->mechanism), e->q,
           e->sigma, priv_accountant_name((enum priv_accountant)request->accountant),
           exp(request->epsilon), request->delta);
}

static int answer(struct request *request)
{
    struct atl_error err;
    struct priv_event *e = &request->event;
    int r = 0;
    if (e->mechanism == PRIV_DISCRETE_GAUSSIAN_SUM || e->mechanism == PRIV_SKELLAM_SUM)
        request->accountant = PRIV_RDP; /* the only one that knows sums: say so */
    enum priv_accountant accountant = (enum priv_accountant)request->accountant;
    if (request->calibrate)
        r = priv_calibrate(accountant, e, request->epsilon, request->delta, &e->sigma, &err);
    if (r == 0) /* after a calibration: what that sigma really gives */
        r = priv_epsilon(accountant, e, 1, request->delta, &request->epsilon, &err);
    if (r < 0) {
        fprintf(stderr, "atalaya privacy: %s\n", err.text);
        return r == -EINVAL ? EXIT_USAGE : EXIT_FAILED;
    }
    if (request->json)
        print_json(request);
    else
        print_sentence(request);
    return EXIT_OK;
}

int verb_privacy(int argc, char **argv)
{
    struct request request = {.event = {.q = 1}, .accountant = PRIV_PLD};
    const char *word = argc > 1 ? argv[1] : "nothing";
    if (strcmp(word, "plan") == 0)
        return privacy_plan(argc - 1, argv + 1);
    if (strcmp(word, "ledger") == 0)
        return privacy_ledger(argc - 1, argv + 1);
    request.calibrate = strcmp(word, "calibrate") == 0;
    bool acts = request.calibrate || strcmp(word, "epsilon") == 0;
    int code = parse(&request, acts ? argc - 1 : argc, acts ? argv + 1 : argv);
    if (code != OPTIONS_GO_ON)
        return code;
    if (!acts)
        return expect_action(word);
    code = options_no_words(VERB, argc - 1, argv + 1);
    if (code == OPTIONS_GO_ON)
        code = check_given(&request);
    return code == OPTIONS_GO_ON ? answer(&request) : code;
}
