/* SPDX-License-Identifier: Apache-2.0 */
#include "app/app_priv.h"
#include "app/capture_config_priv.h"
#include "app/doctor_kernels_priv.h"
#include "app/options_priv.h"

#include <errno.h>
#include <jansson.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
    "Usage: atalaya doctor [-c FILE] [--json]\n\n"
    "Look, without changing anything, for what would keep an edge from capturing: device, driver,\n"
    "IOMMU group, huge pages, processors, memory, rights, clock, and whether taking the port "
    "would\n"
    "cut off the default route or an SSH connection; and whether the learner computes with all\n"
    "that the processor has. Each finding that is not ok comes with the command that mends it.\n"
    "Without FILE the machine as such is looked at. Exit code 0 when nothing fails, 1 otherwise,\n"
    "78 when FILE itself is not good.\n\n"
    "  -c, --config FILE  configuration of the edge\n"
    "      --json         one JSON object\n"
    "  -h, --help         this text\n\n"
    "Example: atalaya doctor -c /etc/atalaya/edge.yaml\n";

static void add(struct dp_findings *f, bool good, const char *check, const char *mend,
                const char *text, const char *path)
{
    if (f->n == DP_FINDINGS_MAX)
        return;
    struct dp_finding *at = &f->list[f->n++];
    at->status = good ? DP_FINDING_OK : DP_FINDING_FAIL;
    atl_copy(at->check, sizeof(at->check), check);
    snprintf(at->text, sizeof(at->text), "%.180s %s", path, text);
    at->mend[0] = '\0';
    if (!good)
        snprintf(at->mend, sizeof(at->mend), "%s %.200s", mend, path);
}

/* The edge makes the folder itself when it can. */
static void check_state_dir(const struct config *cfg, struct dp_findings *f)
{
    char path[CONFIG_PATH_BYTES], *at = path;
    atl_copy(path, sizeof(path), cfg->state_dir);
    while (access(at, F_OK) < 0 && errno == ENOENT && strcmp(at, ".") != 0 && strcmp(at, "/") != 0)
        at = dirname(at);
    bool good = access(at, W_OK | X_OK) == 0;
    add(f, good, "state_dir", "install -d -m 0700 -o \"$(id -un)\"",
        good ? "can be written to" : "cannot be written to", cfg->state_dir);
}

static void check_secret(const char *path, struct dp_findings *f)
{
    if (path[0] == '\0')
        return;
    bool good = access(path, R_OK) == 0;
    add(f, good, "broker", "ls -l", good ? "can be read" : "cannot be read", path);
}

static void check_files(const struct config *cfg, struct dp_findings *f)
{
    check_state_dir(cfg, f);
    if (cfg->capture.file && cfg->capture.backend == DP_BACKEND_PCAP &&
        strcmp(cfg->capture.device, "-") != 0) {
        bool good = access(cfg->capture.device, R_OK) == 0;
        add(f, good, "device", "ls -l", good ? "can be read" : "cannot be read",
            cfg->capture.device);
    }
    check_secret(cfg->broker.password_file, f);
    check_secret(cfg->broker.ca, f);
    check_secret(cfg->broker.cert, f);
    check_secret(cfg->broker.key, f);
}

static void check_kernels(struct dp_findings *f)
{
    struct learn_kernels kernels;
    if (f->n == DP_FINDINGS_MAX)
        return;
    learn_kernels_find(&kernels);
    doctor_kernels(&kernels, getenv("OPENBLAS_CORETYPE"), &f->list[f->n++]);
}

static void print_text(const struct dp_findings *f)
{
    for (uint32_t i = 0; i < f->n; i++) {
        const struct dp_finding *at = &f->list[i];
        printf("%-5s %-12s %s\n", dp_finding_status_name(at->status), at->check, at->text);
        if (at->mend[0] != '\0')
            printf("                   %s\n", at->mend);
    }
}

static void print_json(const struct dp_findings *f, bool good)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < f->n; i++) {
        const struct dp_finding *at = &f->list[i];
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "status",
                                              dp_finding_status_name(at->status), "check",
                                              at->check, "text", at->text, "mend", at->mend));
    }
    json_t *doc = json_pack("{s:i, s:b, s:o}", "schema", 1, "ok", good, "findings", list);
    json_dumpf(doc, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(doc);
}

static int examine(const char *path, bool json)
{
    struct config cfg;
    struct dp_config dp;
    struct atl_error err = {""};
    struct dp_findings *f = calloc(1, sizeof(*f));
    int code = f == NULL ? EXIT_FAILED : EXIT_OK;
    if (code == EXIT_OK && path != NULL)
        code = config_read(path, CONFIG_EDGE, &cfg);
    if (code == EXIT_OK && path != NULL &&
        (capture_config(&cfg, &dp, &err) < 0 || dp_config_check(&dp, &err) < 0)) {
        fprintf(stderr, "%s: %s\n", path, err.text);
        code = EXIT_CONFIG;
    }
    if (code == EXIT_OK) {
        dp_doctor(path != NULL ? &dp : NULL, "", f);
        if (path != NULL)
            check_files(&cfg, f);
        check_kernels(f);
        for (uint32_t i = 0; i < f->n; i++)
            code = f->list[i].status == DP_FINDING_FAIL ? EXIT_FAILED : code;
        if (json)
            print_json(f, code == EXIT_OK);
        else
            print_text(f);
    }
    free(f);
    return code;
}

int verb_doctor(int argc, char **argv)
{
    const char *path = NULL;
    bool json = false;
    const struct options_row rows[] = {
        {"config", 'c', OPTIONS_TEXT, .text = &path},
        {"json", 0, OPTIONS_FLAG, .flag = &json},
    };
    int code = options_read("doctor", help, rows, ATL_ARRAY_LEN(rows), argc, argv);
    if (code == OPTIONS_GO_ON)
        code = options_no_words("doctor", argc, argv);
    return code == OPTIONS_GO_ON ? examine(path, json) : code;
}
