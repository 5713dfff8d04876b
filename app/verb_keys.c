/* SPDX-License-Identifier: Apache-2.0 */
#include "app/app_priv.h"
#include "app/options_priv.h"
#include "fedsync/fedsync.h"

#include <jansson.h>
#include <stdio.h>

static const char help[] =
    "Usage: atalaya keys --dir DIR NODE…\n\n"
    "Make the signing keys of nodes, or show those that exist. DIR/NODE.key stays on the node;\n"
    "DIR/NODE.pub goes into the roster folder of every node that must trust it\n"
    "(federation.keys in the configuration).\n\n"
    "  -d, --dir DIR  folder of the keys\n"
    "      --json     one JSON object on standard output\n"
    "  -h, --help     this text\n\n"
    "Example: atalaya keys --dir /var/lib/atalaya/keys hub edge-1\n";

int verb_keys(int argc, char **argv)
{
    const char *dir = NULL;
    bool json = false;
    const struct options_row rows[] = {
        {"dir", 'd', OPTIONS_TEXT, .text = &dir},
        {"json", 0, OPTIONS_FLAG, .flag = &json},
    };
    int code = options_read("keys", help, rows, ATL_ARRAY_LEN(rows), argc, argv);
    if (code != OPTIONS_GO_ON)
        return code;
    if (dir == NULL)
        return options_usage("keys", "--dir is missing");
    if (optind == argc)
        return options_usage("keys", "expected the name of a node");

    struct atl_error err;
    for (int i = optind; i < argc; i++) /* all of them before any key is made */
        if (fed_name_check("node", argv[i], &err) < 0)
            return options_usage("keys", err.text);
    json_t *all = json_object();
    for (int i = optind; i < argc; i++) {
        struct fed_identity identity;
        char hex[65];
        if (fed_identity_open(&identity, dir, argv[i], &err) < 0) {
            fprintf(stderr, "atalaya keys: %s\n", err.text);
            json_decref(all);
            return EXIT_FAILED;
        }
        atl_hex(hex, identity.public_key, sizeof(identity.public_key));
        json_object_set_new(all, argv[i], json_string(hex));
        if (!json)
            printf("%s %s\n", argv[i], hex);
    }
    if (json) {
        json_dumpf(all, stdout, JSON_COMPACT);
        putchar('\n');
    }
    json_decref(all);
    return EXIT_OK;
}
