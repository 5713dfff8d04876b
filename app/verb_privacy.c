/* SPDX-License-Identifier: Apache-2.0 */
/* `atalaya privacy`: the accountant on the command line. */
#include "app/app_priv.h"
#include "app/verb_privacy_priv.h"
#include "privacy/privacy.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
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

enum option_id {
    OPT_ACCOUNTANT,
    OPT_DELTA,
    OPT_DIM,
    OPT_EPSILON,
    OPT_GRAIN,
    OPT_HELP,
    OPT_JSON,
    OPT_MECHANISM,
    OPT_PARTIES,
    OPT_Q,
    OPT_SIGMA,
    OPT_STEPS,
    OPTIONS,
};

static const struct option options[OPTIONS + 1] = {
    {"accountant", required_argument, NULL, OPT_ACCOUNTANT},
    {"delta", required_argument, NULL, OPT_DELTA},
    {"dim", required_argument, NULL, OPT_DIM},
    {"epsilon", required_argument, NULL, OPT_EPSILON},
    {"grain", required_argument, NULL, OPT_GRAIN},
    {"help", no_argument, NULL, OPT_HELP},
    {"json", no_argument, NULL, OPT_JSON},
    {"mechanism", required_argument, NULL, OPT_MECHANISM},
    {"parties", required_argument, NULL, OPT_PARTIES},
    {"q", required_argument, NULL, OPT_Q},
    {"sigma", required_argument, NULL, OPT_SIGMA},
    {"steps", required_argument, NULL, OPT_STEPS},
    {0},
};

struct request {
    bool calibrate, json, help;
    bool given[OPTIONS];
    struct priv_event event;
    enum priv_accountant accountant;
    double epsilon, delta;
};

/* One line for a wrong command line; "did you mean" when a word is near */
ATL_PRINTF(3, 4)
static int usage(const char *near_prefix, const char *near, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fputs("atalaya privacy: ", stderr);
    vfprintf(stderr, fmt, args);
    va_end(args);
    if (near != NULL)
        fprintf(stderr, "; did you mean %s%s?", near_prefix, near);
    fputc('\n', stderr);
    return EXIT_USAGE;
}

static int unknown_option(const char *word)
{
    const char *names[OPTIONS];
    for (int i = 0; i < OPTIONS; i++)
        names[i] = options[i].name;
    const char *bare = word + strspn(word, "-");
    return usage("--", atl_nearest(bare, names, OPTIONS), "unknown option %s (see --help)", word);
}

static int parse_number(const char *option, const char *text, double *ret_value)
{
    char *end;
    double value = strtod(text, &end);
    if (*text == '\0' || isspace((unsigned char)*text) || *end != '\0' || !isfinite(value))
        return usage("", NULL, "--%s: \"%s\" is not a number", option, text);
    *ret_value = value;
    return 0;
}

static int parse_whole(const char *option, const char *text, uint64_t max, uint64_t *ret_value)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)*text) || *end != '\0' || errno != 0 || value > max)
        return usage("", NULL, "--%s: \"%s\" is not a whole number", option, text);
    *ret_value = value;
    return 0;
}

static int parse_count(const char *option, const char *text, uint32_t *ret_value)
{
    uint64_t value = 0;
    int r = parse_whole(option, text, UINT32_MAX, &value);
    *ret_value = (uint32_t)value;
    return r;
}

static int parse_mechanism(const char *text, enum priv_mechanism *ret_mechanism)
{
    if (priv_mechanism_parse(text, ret_mechanism) == 0)
        return 0;
    const char *names[PRIV_SKELLAM_SUM + 1];
    for (size_t i = 0; i < ATL_ARRAY_LEN(names); i++)
        names[i] = priv_mechanism_name((enum priv_mechanism)i);
    return usage("", atl_nearest(text, names, ATL_ARRAY_LEN(names)),
                 "--mechanism: \"%s\" is not one of those that --help names", text);
}

static int parse_option(struct request *request, int id, const char *text)
{
    request->given[id] = true;
    switch ((enum option_id)id) {
    case OPT_ACCOUNTANT:
        if (priv_accountant_parse(text, &request->accountant) == 0)
            return 0;
        return usage("", NULL, "--accountant: \"%s\" is neither pld nor rdp", text);
    case OPT_MECHANISM:
        return parse_mechanism(text, &request->event.mechanism);
    case OPT_STEPS:
        return parse_whole("steps", text, UINT64_MAX, &request->event.steps);
    case OPT_PARTIES:
        return parse_count("parties", text, &request->event.sum.parties);
    case OPT_DIM:
        return parse_count("dim", text, &request->event.sum.dim);
    case OPT_GRAIN:
        return parse_number("grain", text, &request->event.sum.grain);
    case OPT_DELTA:
        return parse_number("delta", text, &request->delta);
    case OPT_EPSILON:
        return parse_number("epsilon", text, &request->epsilon);
    case OPT_Q:
        return parse_number("q", text, &request->event.q);
    case OPT_SIGMA:
        return parse_number("sigma", text, &request->event.sigma);
    case OPT_HELP:
        request->help = true;
        return 0;
    case OPT_JSON:
        request->json = true;
        return 0;
    case OPTIONS:
        break;
    }
    return EXIT_USAGE;
}

static int parse_action(struct request *request, const char *word)
{
    static const char *const actions[] = {"epsilon", "calibrate", "plan", "ledger"};
    request->calibrate = strcmp(word, "calibrate") == 0;
    if (request->calibrate || strcmp(word, "epsilon") == 0)
        return 0;
    return usage("", atl_nearest(word, actions, ATL_ARRAY_LEN(actions)),
                 "unknown word \"%s\", epsilon, calibrate, plan or ledger expected (see --help)",
                 word);
}

/* Which options the action needs and which one it cannot take */
static int check_given(const struct request *request)
{
    const char *action = request->calibrate ? "calibrate" : "epsilon";
    int asked = request->calibrate ? OPT_EPSILON : OPT_SIGMA;
    int answer = request->calibrate ? OPT_SIGMA : OPT_EPSILON;
    const int needed[] = {OPT_MECHANISM, asked, OPT_STEPS, OPT_DELTA};
    for (size_t i = 0; i < ATL_ARRAY_LEN(needed); i++)
        if (!request->given[needed[i]])
            return usage("", NULL, "%s needs --%s (see --help)", action, options[needed[i]].name);
    if (request->given[answer])
        return usage("", NULL, "%s finds the %s itself: leave out --%s", action,
                     options[answer].name, options[answer].name);
    if (request->event.mechanism == PRIV_POISSON_GAUSSIAN && !request->given[OPT_Q])
        return usage("", NULL, "poisson_gaussian needs --q, the share of records in each step");
    return 0;
}

static int parse(struct request *request, int argc, char **argv)
{
    int id, r = 0;
    optind = 0; /* start anew, also in the middle of a program */
    opterr = 0;
    while (r == 0 && (id = getopt_long(argc, argv, "+:", options, NULL)) != -1) {
        const char *word = argv[optind - 1];
        if (id == ':')
            r = usage("", NULL, "%s needs a value (see --help)", word);
        else if (id == '?')
            r = unknown_option(word);
        else
            r = parse_option(request, id, optarg);
    }
    if (r == 0 && optind < argc)
        r = usage("", NULL, "unexpected word \"%s\" (see --help)", argv[optind]);
    return r;
}

static int print_json(const struct request *request)
{
    const struct priv_event *e = &request->event;
    json_t *object = json_pack("{s:f, s:s, s:s, s:f, s:f, s:I, s:f}", "epsilon", request->epsilon,
                               "accountant", priv_accountant_name(request->accountant), "mechanism",
                               priv_mechanism_name(e->mechanism), "q", e->q, "sigma", e->sigma,
                               "steps", (json_int_t)e->steps, "delta", request->delta);
    if (object == NULL || json_dumpf(object, stdout, 0) < 0 || putchar('\n') == EOF) {
        fputs("atalaya privacy: cannot write the result\n", stderr);
        json_decref(object);
        return EXIT_FAILED;
    }
    json_decref(object);
    return EXIT_OK;
}

static int print_sentence(const struct request *request)
{
    const struct priv_event *e = &request->event;
    if (request->calibrate)
        printf("sigma %.4g keeps ", e->sigma);
    printf("epsilon %.6g at delta %g: %" PRIu64 " steps of %s, q %g, sigma %.6g (accountant %s).\n"
           "Whoever sees the releases can raise the odds of guessing whether one record took part "
           "at most %.3g-fold (e^epsilon), except with probability %g.\n",
           request->epsilon, request->delta, e->steps, priv_mechanism_name(e->mechanism), e->q,
           e->sigma, priv_accountant_name(request->accountant), exp(request->epsilon),
           request->delta);
    return EXIT_OK;
}

static int answer(struct request *request)
{
    struct atl_error err;
    struct priv_event *e = &request->event;
    int r = 0;
    if (e->mechanism == PRIV_DISCRETE_GAUSSIAN_SUM || e->mechanism == PRIV_SKELLAM_SUM)
        request->accountant = PRIV_RDP; /* the only one that knows sums: say so */
    if (request->calibrate)
        r = priv_calibrate(request->accountant, e, request->epsilon, request->delta, &e->sigma,
                           &err);
    if (r == 0) /* after a calibration: what that sigma really gives */
        r = priv_epsilon(request->accountant, e, 1, request->delta, &request->epsilon, &err);
    if (r < 0) {
        fprintf(stderr, "atalaya privacy: %s\n", err.text);
        return r == -EINVAL ? EXIT_USAGE : EXIT_FAILED;
    }
    r = request->json ? print_json(request) : print_sentence(request);
    if (fflush(stdout) == EOF && r == EXIT_OK) {
        fprintf(stderr, "atalaya privacy: cannot write the result: %s\n", strerror(errno));
        return EXIT_FAILED;
    }
    return r;
}

int verb_privacy(int argc, char **argv)
{
    struct request request = {.event = {.q = 1}, .accountant = PRIV_PLD};
    if (argc < 2)
        return usage("", NULL, "epsilon, calibrate, plan or ledger expected (see --help)");
    if (strcmp(argv[1], "plan") == 0)
        return privacy_plan(argc - 1, argv + 1);
    if (strcmp(argv[1], "ledger") == 0)
        return privacy_ledger(argc - 1, argv + 1);
    bool bare = argv[1][0] == '-';
    int r = bare ? 0 : parse_action(&request, argv[1]);
    if (r == 0)
        r = parse(&request, bare ? argc : argc - 1, bare ? argv : argv + 1);
    if (r != 0)
        return r;
    if (request.help) {
        fputs(help, stdout);
        return EXIT_OK;
    }
    if (bare)
        return usage("", NULL, "epsilon, calibrate, plan or ledger expected first (see --help)");
    r = check_given(&request);
    return r != 0 ? r : answer(&request);
}
