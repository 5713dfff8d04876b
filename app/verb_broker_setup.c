/* SPDX-License-Identifier: Apache-2.0 */
#include "app/app_priv.h"
#include "app/broker_setup_priv.h"
#include "app/options_priv.h"
#include "bus/bus.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char help[] =
    "Usage: atalaya broker-setup [OPTION]… DIR\n\n"
    "Make what a mosquitto needs for a federation, and prove it: a certificate authority, "
    "certificates\n"
    "for the broker, its nodes and its viewers, passwords for the page, the access list and the\n"
    "configuration. A throw-away mosquitto then starts with these files on free ports of loopback, "
    "and\n"
    "each right and each refusal is tried. Run it again to add members: what is there stays, and "
    "only\n"
    "certificates with less than 30 days left are renewed.\n\n"
    "      --host NAME          name or address by which nodes reach the broker (again for more;\n"
    "                           the first goes into their configuration; this machine's name)\n"
    "      --edge SITE/NODE     an edge (again for more)\n"
    "      --hub SITE/NODE      a hub (again for a standby; core/hub)\n"
    "      --viewer NAME        who reads and never writes (again for more; viewer)\n"
    "      --federation NAME    name of the federation (main)\n"
    "      --port N             TLS, by certificate (8883)\n"
    "      --page-port N        TLS, WebSockets, by password: the page (8884)\n"
    "      --page-dir DIR       folder of the page's index.html, to be served there\n"
    "      --days N             life of new certificates, 60 to 3650 (825; the authority: 3650)\n"
    "      --no-proof           only write the files\n"
    "      --json               one JSON object on standard output\n"
    "  -h, --help               this text\n\n"
    "Example: atalaya broker-setup --host broker.example.net --edge madrid/edge-1 \\\n"
    "             --edge lisboa/edge-2 --federation iberia /etc/mosquitto/atalaya\n";

struct request {
    struct broker_setup setup;
    uint32_t port, page_port;
    bool no_proof, json;
};

/* --- options --- */

static int take_host(void *ctx, const char *value, struct atl_error *err)
{
    return broker_setup_add_host(ctx, value, err);
}

static int take_edge(void *ctx, const char *value, struct atl_error *err)
{
    return broker_setup_add(ctx, BROKER_EDGE, value, err);
}

static int take_hub(void *ctx, const char *value, struct atl_error *err)
{
    return broker_setup_add(ctx, BROKER_HUB, value, err);
}

static int take_viewer(void *ctx, const char *value, struct atl_error *err)
{
    return broker_setup_add(ctx, BROKER_VIEWER, value, err);
}

static int take_federation(void *ctx, const char *value, struct atl_error *err)
{
    struct broker_setup *s = ctx;
    if (!bus_name_valid(value))
        return atl_error_set(err, -EINVAL,
                             "--federation: expected 1 to 32 of a-z, 0-9 and '-', found '%.40s'",
                             value);
    atl_copy(s->federation, sizeof(s->federation), value);
    return 0;
}

static int take_page_dir(void *ctx, const char *value, struct atl_error *err)
{
    struct broker_setup *s = ctx;
    char path[PATH_MAX];
    if (realpath(value, path) == NULL)
        return atl_error_set(err, -errno, "--page-dir %.200s: %s", value, strerror(errno));
    if (!atl_copy(s->page_dir, sizeof(s->page_dir), path))
        return atl_error_set(err, -ENAMETOOLONG, "--page-dir: the path is too long");
    return 0;
}

static int read_options(struct request *q, int argc, char **argv)
{
    struct broker_setup *s = &q->setup;
    const struct options_row rows[] = {
        {"host", 0, OPTIONS_TAKE, .ctx = s, .take = take_host},
        {"edge", 0, OPTIONS_TAKE, .ctx = s, .take = take_edge},
        {"hub", 0, OPTIONS_TAKE, .ctx = s, .take = take_hub},
        {"viewer", 0, OPTIONS_TAKE, .ctx = s, .take = take_viewer},
        {"federation", 0, OPTIONS_TAKE, .ctx = s, .take = take_federation},
        {"port", 0, OPTIONS_COUNT32, .count32 = &q->port, .min = 1, .max = UINT16_MAX},
        {"page-port", 0, OPTIONS_COUNT32, .count32 = &q->page_port, .min = 1, .max = UINT16_MAX},
        {"page-dir", 0, OPTIONS_TAKE, .ctx = s, .take = take_page_dir},
        {"days", 0, OPTIONS_COUNT32, .count32 = &s->days, .min = 60, .max = 3650},
        {"no-proof", 0, OPTIONS_FLAG, .flag = &q->no_proof},
        {"json", 0, OPTIONS_FLAG, .flag = &q->json},
    };
    q->port = s->port;
    q->page_port = s->page_port;
    int code = options_read("broker-setup", help, rows, ATL_ARRAY_LEN(rows), argc, argv);
    s->port = (uint16_t)q->port;
    s->page_port = (uint16_t)q->page_port;
    return code;
}

static bool has_role(const struct broker_setup *s, enum broker_role role)
{
    for (uint32_t i = 0; i < s->n_members; i++) {
        if (s->members[i].role == role)
            return true;
    }
    return false;
}

/* What nobody said. localhost is for who works on the broker's own machine, and for the proof. */
static int fill_gaps(struct broker_setup *s, struct atl_error *err)
{
    char name[BROKER_HOST_BYTES] = "";
    int r = 0;
    if (s->n_hosts == 0 && gethostname(name, sizeof(name) - 1) == 0)
        r = broker_setup_add_host(s, name, err);
    if (r == 0)
        r = broker_setup_add_host(s, "localhost", err);
    if (r == 0)
        r = broker_setup_add_host(s, "127.0.0.1", err);
    if (r == 0 && !has_role(s, BROKER_HUB))
        r = broker_setup_add(s, BROKER_HUB, "core/hub", err);
    if (r == 0 && !has_role(s, BROKER_VIEWER))
        r = broker_setup_add(s, BROKER_VIEWER, "viewer", err);
    if (r == 0 && s->port == s->page_port)
        r = atl_error_set(err, -EINVAL, "--port and --page-port are both %u", s->port);
    return r;
}

/* --- the report --- */

static const char *done_word(enum broker_cert_done done)
{
    static const char *const words[] = {[BROKER_CERT_KEPT] = "kept",
                                        [BROKER_CERT_MADE] = "made",
                                        [BROKER_CERT_RENEWED] = "renewed"};
    return words[done];
}

static const char *proof_word(const struct broker_proof *proof)
{
    return !proof->ran ? "skipped" : proof->passed ? "passed" : "failed";
}

static void print_next(const struct broker_setup *s)
{
    char password[PATH_MAX] = "";
    for (uint32_t i = 0; i < s->n_members && password[0] == '\0'; i++) {
        if (s->members[i].role == BROKER_VIEWER)
            broker_setup_path(s, &s->members[i], "password", password);
    }
    printf("\nnext\n"
           "  the broker    ln -s %s/broker/atalaya.conf /etc/mosquitto/conf.d/\n"
           "                systemctl restart mosquitto   (later, after adding members: reload)\n",
           s->dir);
    if (geteuid() != 0)
        printf("                first, as root: chgrp -R mosquitto %s/broker && chmod -R g+rX "
               "%s/broker\n",
               s->dir, s->dir);
    printf("  each node     the files of %s/nodes/NODE to its /etc/atalaya; broker.yaml says what\n"
           "                belongs into its configuration; `atalaya keys` makes its signing key\n"
           "  the page      https://%s:%u/ with a viewer's name and the password in\n"
           "                %s\n"
           "  the authority take %s/ca.key off this machine: who has it can make nodes\n",
           s->dir, s->hosts[0], s->page_port, password, s->dir);
}

static void print_text(const struct broker_setup *s, const struct broker_proof *proof)
{
    printf("%-8s authority %s/ca.crt\n%-8s broker for", s->made_ca ? "made" : "kept", s->dir,
           done_word(s->server));
    for (uint32_t i = 0; i < s->n_hosts; i++)
        printf(" %s", s->hosts[i]);
    putchar('\n');
    for (uint32_t i = 0; i < s->n_members; i++) {
        const struct broker_member *m = &s->members[i];
        printf("%-8s %s %s%s%s\n", done_word(m->done), broker_role_name(m->role), m->site,
               m->site[0] != '\0' ? "/" : "", m->name);
    }
    printf("\nproof %s%s%s\n", proof_word(proof), proof->ran ? "" : ": ",
           proof->ran ? "" : proof->why);
    for (uint32_t i = 0; i < proof->n; i++)
        printf("  %-4s %-14s %s\n", proof->checks[i].passed ? "ok" : "FAIL", proof->checks[i].name,
               proof->checks[i].text);
    if (!proof->ran || proof->passed)
        print_next(s);
}

static void print_json(const struct broker_setup *s, const struct broker_proof *proof)
{
    json_t *hosts = json_array(), *members = json_array(), *checks = json_array();
    for (uint32_t i = 0; i < s->n_hosts; i++)
        json_array_append_new(hosts, json_string(s->hosts[i]));
    for (uint32_t i = 0; i < s->n_members; i++) {
        const struct broker_member *m = &s->members[i];
        json_array_append_new(members, json_pack("{s:s, s:s, s:s, s:s}", "role",
                                                 broker_role_name(m->role), "site", m->site, "name",
                                                 m->name, "certificate", done_word(m->done)));
    }
    for (uint32_t i = 0; i < proof->n; i++) {
        const struct broker_check *c = &proof->checks[i];
        json_array_append_new(checks, json_pack("{s:s, s:b, s:s}", "check", c->name, "ok",
                                                c->passed, "text", c->text));
    }
    json_t *doc = json_pack(
        "{s:i, s:s, s:s, s:s, s:s, s:i, s:i, s:o, s:o, s:{s:s, s:s, s:o}}", "schema", 1, "dir",
        s->dir, "federation", s->federation, "authority", s->made_ca ? "made" : "kept", "server",
        done_word(s->server), "port", s->port, "page_port", s->page_port, "hosts", hosts, "members",
        members, "proof", "state", proof_word(proof), "why", proof->why, "checks", checks);
    json_dumpf(doc, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(doc);
}

/* --- the verb --- */

/* A folder of our own making may be entered by the broker; one that was there is left as it is. */
static int enter_dir(const char *dir, char out[PATH_MAX], struct atl_error *err)
{
    bool fresh = access(dir, F_OK) < 0;
    int r = atl_dir_make(dir, err);
    if (r == 0 && fresh && chmod(dir, 0711) < 0)
        r = atl_error_set(err, -errno, "cannot set the mode of %s: %s", dir, strerror(errno));
    if (r == 0 && realpath(dir, out) == NULL)
        r = atl_error_set(err, -errno, "%s: %s", dir, strerror(errno));
    return r;
}

static int fail(const struct atl_error *err)
{
    fprintf(stderr, "atalaya broker-setup: %s\n", err->text);
    return EXIT_FAILED;
}

static int set_up(struct broker_setup *s, const struct request *q)
{
    struct atl_error err = {""};
    struct broker_proof proof = {.why = "not wanted"};
    if (broker_setup_write(s, &err) < 0)
        return fail(&err);
    if (!q->no_proof)
        broker_proof_run(s, &proof);
    if (q->json)
        print_json(s, &proof);
    else
        print_text(s, &proof);
    if (!proof.ran || proof.passed)
        return EXIT_OK;
    fprintf(stderr, "atalaya broker-setup: the proof failed: %s\n", proof.why);
    return EXIT_FAILED;
}

/* Options add to what the folder already knows, so they are read a second time over it. */
static int run(struct request *q, int argc, char **argv, const char *dir)
{
    struct broker_setup *s = &q->setup;
    struct atl_error err = {""};
    char path[PATH_MAX];
    if (broker_setup_load(s, realpath(dir, path) != NULL ? path : dir, &err) < 0)
        return fail(&err);
    int code = read_options(q, argc, argv);
    if (code != OPTIONS_GO_ON)
        return code;
    if (fill_gaps(s, &err) < 0)
        return options_usage("broker-setup", "%s", err.text);
    if (enter_dir(dir, path, &err) < 0)
        return fail(&err);
    if (!atl_copy(s->dir, sizeof(s->dir), path))
        return options_usage("broker-setup", "%.80s…: the path is too long", path);
    return set_up(s, q);
}

int verb_broker_setup(int argc, char **argv)
{
    struct request *q = calloc(1, sizeof(*q));
    if (q == NULL)
        return EXIT_FAILED;
    int code = read_options(q, argc, argv);
    if (code == OPTIONS_GO_ON && optind + 1 != argc)
        code = options_usage("broker-setup", "expected one folder");
    if (code == OPTIONS_GO_ON)
        code = run(q, argc, argv, argv[optind]);
    free(q);
    return code;
}
