/* SPDX-License-Identifier: Apache-2.0 */
#include "app/app_priv.h"
#include "app/version_priv.h"
#include "dataplane/dataplane.h"
#include "learner/learner.h"

#include <stdio.h>
#include <string.h>

static const struct verb {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} verbs[] = {
    {"edge", verb_edge, "watch this router: capture, learn, alert, take part in a federation"},
    {"hub", verb_hub, "coordinate a federation of edges"},
    {"check", verb_check, "validate configuration files"},
    {"doctor", verb_doctor, "look for what would keep an edge from capturing, and how to mend it"},
    {"status", verb_status, "how a running edge is"},
    {"stats", verb_stats, "what a running edge counts: packets, losses, cycles of each stage"},
    {"reload", verb_reload, "have a running edge read its configuration again"},
    {"evidence", verb_evidence, "write the packet headers behind an alert to a pcapng file"},
    {"flows", verb_flows, "turn capture files into flow records with features"},
    {"detect", verb_detect, "find anomalies in a capture file"},
    {"forecast", verb_forecast,
     "what a series was expected to be, row by row, and what is new in it"},
    {"train", verb_train, "learn what the normal rows of a table look like"},
    {"score", verb_score, "score the rows of a table with such a model"},
    {"model", verb_model, "show what a model file holds, or compare two"},
    {"traffic", verb_traffic, "make realistic traffic and labelled attacks"},
    {"privacy", verb_privacy, "privacy accountant: epsilon, noise calibration"},
    {"simulate", verb_simulate, "a whole federation in one process, over files"},
    {"keys", verb_keys, "make or show a node's signing key"},
    {"broker-setup", verb_broker_setup,
     "make certificates, access list and configuration of a broker, and prove them"},
};

static void print_help(FILE *out)
{
    fprintf(out, "Usage: atalaya VERB [OPTION]…\n\n"
                 "Federated anomaly detection for telecom edge routers.\n\n");
    for (size_t i = 0; i < ATL_ARRAY_LEN(verbs); i++)
        fprintf(out, "  %-12s %s\n", verbs[i].name, verbs[i].help);
    fprintf(out, "\n  atalaya VERB --help explains a verb, with an example.\n"
                 "  atalaya --version   shows version and build.\n\n"
                 "Example: atalaya detect capture.pcap\n");
}

static int print_version(void)
{
    printf("atalaya %s (capture: libpcap%s)\n", ATL_VERSION, dp_has_dpdk() ? ", DPDK" : "");
    return EXIT_OK;
}

static int unknown_verb(const char *word)
{
    const char *names[ATL_ARRAY_LEN(verbs)];
    for (size_t i = 0; i < ATL_ARRAY_LEN(verbs); i++)
        names[i] = verbs[i].name;
    const char *near = atl_nearest(word, names, ATL_ARRAY_LEN(names));
    fprintf(stderr, "atalaya: unknown verb '%s'", word);
    if (near != NULL)
        fprintf(stderr, "; did you mean '%s'?", near);
    fprintf(stderr, " (atalaya --help lists them)\n");
    return EXIT_USAGE;
}

/* Results may sit in a buffer until now: a full disk must not look like success. */
static int finish(int code)
{
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "atalaya: cannot write the result to standard output\n");
        return code == EXIT_OK ? EXIT_FAILED : code;
    }
    return code;
}

int main(int argc, char **argv)
{
    learn_start();
    if (atl_base_init() < 0) {
        fprintf(stderr, "atalaya: the system gives no random numbers\n");
        return EXIT_FAILED;
    }
    if (argc < 2) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return finish(EXIT_OK);
    }
    if (strcmp(argv[1], "--version") == 0)
        return finish(print_version());
    for (size_t i = 0; i < ATL_ARRAY_LEN(verbs); i++) {
        if (strcmp(argv[1], verbs[i].name) == 0)
            return finish(verbs[i].run(argc - 1, argv + 1));
    }
    return unknown_verb(argv[1]);
}
