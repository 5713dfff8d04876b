/* SPDX-License-Identifier: Apache-2.0 */
#include "app/app_priv.h"
#include "app/config_priv.h"
#include "app/options_priv.h"

#include <jansson.h>
#include <stdio.h>

static const char help[] =
    "Usage: atalaya check [--json] FILE…\n\n"
    "Validate configuration files. Every error is reported at once, with its place and what was\n"
    "expected. Exit code 0 when all are good, 78 when one is not.\n\n"
    "      --json  one JSON object on standard output\n"
    "      --keys  list every key with its meaning\n"
    "  -h, --help  this text\n\n"
    "Example: atalaya check /etc/atalaya/edge.yaml\n";

static void print_keys(void)
{
    size_t n;
    const struct config_key *keys = config_keys(&n);
    for (size_t i = 0; i < n; i++) {
        char who[32] = "";
        size_t used = 0;
        for (unsigned role = 0; role < CONFIG_ROLES; role++) {
            if (keys[i].roles >> role & 1)
                used += (size_t)snprintf(who + used, sizeof(who) - used, "%s%s",
                                         used > 0 ? ", " : "", config_role_name(role));
        }
        printf("%-28s %-19s %s%s\n", keys[i].path, who, keys[i].help,
               keys[i].required ? " (required)" : "");
    }
}

static void append_json(json_t *files, const char *path, const struct config_report *r)
{
    json_t *errors = json_array();
    for (uint32_t i = 0; i < r->n; i++)
        json_array_append_new(errors, json_pack("{s:i, s:i, s:s}", "line", (int)r->problems[i].line,
                                                "column", (int)r->problems[i].column, "error",
                                                r->problems[i].text));
    json_array_append_new(
        files, json_pack("{s:s, s:b, s:o}", "file", path, "ok", r->n == 0, "errors", errors));
}

static int check_file(const char *path, json_t *files)
{
    struct config cfg;
    static struct config_report report;
    int r = config_load(path, &cfg, &report);
    if (files != NULL)
        append_json(files, path, &report);
    else if (r < 0)
        config_report_print(&report, path, stderr);
    else
        printf("%s: good (%s '%s')\n", path, config_role_name(cfg.role), cfg.node);
    config_report_finish(&report);
    return r < 0 ? EXIT_CONFIG : EXIT_OK;
}

int verb_check(int argc, char **argv)
{
    bool json = false, list_keys = false;
    const struct options_row rows[] = {
        {"json", 0, OPTIONS_FLAG, .flag = &json},
        {"keys", 0, OPTIONS_FLAG, .flag = &list_keys},
    };
    int code = options_read("check", help, rows, ATL_ARRAY_LEN(rows), argc, argv);
    if (code != OPTIONS_GO_ON)
        return code;
    if (list_keys) {
        print_keys();
        return EXIT_OK;
    }
    if (optind == argc)
        return options_usage("check", "expected a configuration file");
    json_t *files = json ? json_array() : NULL;
    code = EXIT_OK;
    for (int i = optind; i < argc; i++) {
        int one = check_file(argv[i], files);
        code = one != EXIT_OK ? one : code;
    }
    if (files != NULL) {
        json_t *all = json_pack("{s:i, s:o}", "schema", 1, "files", files);
        json_dumpf(all, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(all);
    }
    return code;
}
