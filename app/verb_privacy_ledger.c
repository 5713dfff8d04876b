/* SPDX-License-Identifier: Apache-2.0 */
/* `atalaya privacy ledger`: show what a box has spent, and whether the record of it is whole. */
#include "app/app_priv.h"
#include "app/config_priv.h"
#include "app/options_priv.h"
#include "app/verb_privacy_priv.h"
#include "privacy/privacy.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const char help[] =
    "Usage: atalaya privacy ledger (-c EDGE.yaml | DIR) [--json]\n\n"
    "Verify the privacy ledger of an edge and show every charge. Only reads: the edge may be\n"
    "running. Exit code 1 when the ledger is edited, shortened, older than its anchor or "
    "missing.\n\n"
    "  -c, --config FILE  the edge's configuration: its ledger and its budget\n"
    "      --json         one JSON object on standard output\n"
    "  -h, --help         this text\n\n"
    "Example: atalaya privacy ledger -c /etc/atalaya/edge.yaml\n";

struct listing {
    json_t *charges;        /* --json, else NULL */
    struct priv_event last; /* steps 0 before the first */
    bool headed;
};

static void show_line(void *ctx, const struct priv_ledger_line *line)
{
    struct listing *list = ctx;
    const struct priv_charge *c = &line->charge;
    const struct priv_event *e = &c->event;
    list->last = *e;
    if (list->charges != NULL) {
        json_array_append_new(list->charges,
                              json_pack("{s:s, s:s, s:I, s:I, s:s, s:f, s:f, s:I, s:f}", "time",
                                        line->time, "federation", c->federation, "epoch",
                                        (json_int_t)c->epoch, "round", (json_int_t)c->round,
                                        "mechanism", priv_mechanism_name(e->mechanism), "q", e->q,
                                        "sigma", e->sigma, "steps", (json_int_t)e->steps, "epsilon",
                                        line->epsilon));
        return;
    }
    if (!list->headed)
        printf("%-20s %-12s %5s %6s %-17s %8s %7s %6s %9s\n", "time", "federation", "epoch",
               "round", "mechanism", "q", "sigma", "steps", "epsilon");
    list->headed = true;
    printf("%.19sZ %-12s %5" PRIu64 " %6" PRIu64 " %-17s %8g %7g %6" PRIu64 " %9.4f\n", line->time,
           c->federation, c->epoch, c->round, priv_mechanism_name(e->mechanism), e->q, e->sigma,
           e->steps, line->epsilon);
}

static json_t *finite_or_null(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static void print_json(const struct priv_ledger_summary *s, double budget, json_t *charges)
{
    json_t *all = json_pack(
        "{s:s, s:s, s:s, s:f, s:I, s:o, s:o, s:s, s:b, s:b, s:o}", "owner", s->owner, "unit",
        s->unit, "began", s->began, "delta", s->delta, "charges", (json_int_t)s->charges, "epsilon",
        finite_or_null(s->epsilon[PRIV_RDP]), "epsilon_pld", finite_or_null(s->epsilon[PRIV_PLD]),
        "hash", s->hash, "torn", s->torn, "ahead", s->ahead, "lines", charges);
    if (budget > 0)
        json_object_set_new(all, "budget", json_real(budget));
    json_dumpf(all, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(all);
}

static void print_text(const struct priv_ledger_summary *s, double budget)
{
    printf("%s: %" PRIu64 " charges since %.19sZ, counted per %s; epsilon %.4f at delta %g "
           "(rdp, what the edge goes by; %.4f by pld)\n",
           s->owner, s->charges, s->began, s->unit, s->epsilon[PRIV_RDP], s->delta,
           s->epsilon[PRIV_PLD]);
    if (budget > 0)
        printf("budget %g: %.4f left\n", budget, fmax(0, budget - s->epsilon[PRIV_RDP]));
    printf("whole: every line follows the one before and the anchor agrees%s%s\nlast line %s\n",
           s->ahead ? " (one charge ahead of it, which a crash or a charge just now leaves)" : "",
           s->torn ? "; a broken last line, never released, is left out" : "", s->hash);
}

static int show(const char *dir, double budget, bool json)
{
    struct priv_ledger_summary summary;
    struct listing list = {.charges = json ? json_array() : NULL};
    struct atl_error err;
    if (priv_ledger_verify(dir, &summary, show_line, &list, &err) < 0) {
        fprintf(stderr, "atalaya privacy ledger: %s\n", err.text);
        json_decref(list.charges);
        return EXIT_FAILED;
    }
    if (json)
        print_json(&summary, budget, list.charges);
    else
        print_text(&summary, budget);
    return EXIT_OK;
}

int privacy_ledger(int argc, char **argv)
{
    const char *path = NULL;
    bool json = false;
    const struct options_row rows[] = {
        {"config", 'c', OPTIONS_TEXT, .text = &path},
        {"json", 0, OPTIONS_FLAG, .flag = &json},
    };
    int code = options_read("privacy ledger", help, rows, ATL_ARRAY_LEN(rows), argc, argv);
    if (code != OPTIONS_GO_ON)
        return code;
    if ((path != NULL) == (optind < argc) || optind + 1 < argc)
        return options_usage("privacy ledger", "expected either -c EDGE.yaml or one folder");
    if (path == NULL)
        return show(argv[optind], 0, json);
    struct config *cfg = calloc(1, sizeof(*cfg));
    if (cfg == NULL)
        return EXIT_FAILED;
    char dir[CONFIG_PATH_BYTES + 16];
    int r = config_read(path, CONFIG_EDGE, cfg);
    snprintf(dir, sizeof(dir), "%s/ledger", cfg->state_dir);
    if (r == EXIT_OK)
        r = show(dir, cfg->federation.budget_epsilon, json);
    free(cfg);
    return r;
}
