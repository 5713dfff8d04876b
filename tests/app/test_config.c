/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/config_priv.h"

static struct config cfg;
static struct config_report report;

static int load_text(const char *text)
{
    char path[] = "/tmp/atalaya-config-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    int r = config_load(path, &cfg, &report);
    unlink(path);
    return r;
}

static int finish_report(void **state)
{
    (void)state;
    config_report_finish(&report);
    return 0;
}

#define EDGE "role: edge\nsite: a\nnode: e1\nstate_dir: /tmp/x\ncapture:\n  device: eth0\n"

#define FED "broker:\n  url: mqtt://b:1883\nfederation:\n  keys: /tmp\n"

#define HUB                                                                                  \
    "role: hub\nsite: a\nnode: h\nstate_dir: /tmp/x\nfederation:\n  name: f\n  keys: /tmp\n" \
    "  quorum: 3\n"

/* What each value alone cannot tell is told with its place, too. */
static void values_that_do_not_fit_each_other_are_found(void **state)
{
    (void)state;
    assert_int_equal(load_text(EDGE "broker:\n  url: http://b\n"), -EINVAL);
    assert_int_equal(report.problems[0].line, 8);
    assert_non_null(strstr(report.problems[0].text, "expected mqtt://host:port"));
    finish_report(NULL);
    assert_int_equal(load_text(EDGE "broker:\n  url: mqtt://b\n  ca: /tmp/ca.pem\n"), -EINVAL);
    assert_non_null(strstr(report.problems[0].text, "expected mqtts://"));
    finish_report(NULL);
    assert_int_equal(load_text(EDGE "hosts:\n  window: 5s\n  step: 9s\n"), -EINVAL);
    assert_int_equal(report.problems[0].line, 9);
    finish_report(NULL);
    assert_int_equal(load_text(HUB "  expected: 2\nbroker:\n  url: mqtt://b\n"), -EINVAL);
    assert_int_equal(report.problems[0].line, 9);
    finish_report(NULL);
    assert_int_equal(load_text(HUB "broker:\n  url: mqtt://b\n"), 0);
    assert_int_equal(cfg.federation.expected, 0); /* all that were online: no wait for strangers */
}

static void good_file_fills_the_struct(void **state)
{
    (void)state;
    assert_int_equal(load_text(EDGE "  backend: dpdk\n  eal:\n    - -l\n    - \"0\"\n"
                                    "hosts:\n  window: 2m\n  step: 500ms\n"),
                     0);
    assert_string_equal(cfg.capture.device, "eth0");
    assert_int_equal(cfg.capture.backend, 1);
    assert_int_equal(cfg.capture.n_eal, 2);
    assert_string_equal(cfg.capture.eal[1], "0");
    assert_int_equal(cfg.hosts.window, 120 * ATL_NS_PER_S);
    assert_int_equal(cfg.hosts.step, 500 * ATL_NS_PER_MS);
    assert_int_equal(cfg.flows.max, 65536); /* a default */
}

/* One mistake a file: its place and a piece of the text. */
static void every_mistake_has_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t line, column;
        const char *says;
    } rows[] = {
        {EDGE "  devise: x\n", 7, 3, "did you mean 'capture.device'?"},
        {EDGE "flows:\n  max: many\n", 8, 8, "expected a whole number from 1024"},
        {EDGE "flows:\n  max: 5\n", 8, 8, "expected a whole number from 1024"},
        {EDGE "flows:\n  max: -5000\n", 8, 8, "expected a whole number"},
        {EDGE "flows:\n  timeout_udp: 30\n", 8, 16, "such as 250ms, 5s, 10m"},
        {EDGE "node: e2\n", 7, 7, "given twice; first on line 3"},
        {EDGE "alerts: &x\n  min_flows: 5\nhosts: *x\n", 9, 8, "aliases"},
        {EDGE "  pace: yes\n", 7, 9, "expected true or false"},
        {EDGE "  backend: dpkd\n", 7, 12, "did you mean 'dpdk'?"},
        {EDGE "  eal: -l\n", 7, 8, "expected a list"},
        {EDGE "flows: 7\n", 7, 8, "expected indented keys below it"},
        {EDGE "  device:\n    name: eth0\n", 8, 5, "unknown key"},
        {EDGE "federation:\n  quorum: 2\n", 8, 11, "not a key of role 'edge'"},
        {EDGE "\thosts: 1\n", 7, 1, "not with tabs"},
        {EDGE "a: {b: {c: {d: {e: {f: {g: {h: 1}}}}}}}}\n", 7, 1, "unknown key 'a'"},
        {"role: edge\nsite: A_B\n", 2, 7, "expected 1 to 32 of a-z"},
        {HUB "  cohort: 1\n", 9, 11, "at least federation.quorum"},
        {HUB "  deadline: 10m\n  spread: 301s\n", 10, 11, "half of federation.deadline"},
        {EDGE FED "  name: f\n  hub: e1\n", 12, 8, "name the hub's node"},
        {EDGE FED "  name: f\n  hub: h\n  standby: e1\n", 13, 12, "name the hub's node"},
        {EDGE FED "  hub: h\n", 11, 8, "federation.name is missing"},
    };
    for (size_t i = 0; i < ATL_ARRAY_LEN(rows); i++) {
        assert_int_equal(load_text(rows[i].text), -EINVAL);
        bool found = false;
        for (uint32_t p = 0; p < report.n; p++)
            found |= report.problems[p].line == rows[i].line &&
                     report.problems[p].column == rows[i].column &&
                     strstr(report.problems[p].text, rows[i].says) != NULL;
        if (!found)
            fail_msg("row %zu: not said at %u:%u: %s; first: %u:%u %s", i, rows[i].line,
                     rows[i].column, rows[i].says, report.problems[0].line,
                     report.problems[0].column, report.problems[0].text);
        config_report_finish(&report);
    }
}

static void all_mistakes_at_once(void **state)
{
    (void)state;
    assert_int_equal(load_text("role: edge\nsite: X\nnode: Y\ncapture:\n  snap: 1\n"), -EINVAL);
    assert_int_equal(report.n, 5); /* three values, state_dir and device missing */
}

static void an_export_must_make_sense(void **state)
{
    (void)state;
    assert_int_equal(load_text(EDGE "export:\n  to: udp://127.0.0.1:4739\n  format: ipfix\n"), 0);
    assert_int_equal(cfg.export.format, 2);
    assert_int_equal(cfg.export.template_every, 60 * ATL_NS_PER_S);
    config_report_finish(&report);
    assert_int_equal(load_text(EDGE "export:\n  to: udp://127.0.0.1:4739\n"), -EINVAL);
    assert_string_equal(report.problems[0].text,
                        "export: only ipfix goes over the network; csv and jsonl go to a file");
}

static void hostile_files_end_in_errors(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "[",
        "- a\n- b\n",
        "just text",
        "? [a, b]\n: c\n",
        "a: !!binary x\n",
        "\xff\xfe\x00",
        "%YAML 9.9\n---\nrole: edge\n",
        "{{{{{{{{{{{{{{{{{{{{",
        "role: [edge]\n",
        "role:\n  edge: hub\n",
        "---\n---\n---\n",
    };
    for (size_t i = 0; i < ATL_ARRAY_LEN(texts); i++) {
        assert_int_equal(load_text(texts[i]), -EINVAL);
        assert_true(report.n > 0);
        config_report_finish(&report);
    }
    char deep[6000];
    memset(deep, '[', sizeof(deep) - 1);
    deep[sizeof(deep) - 1] = '\0';
    assert_int_equal(load_text(deep), -EINVAL);
}

static void missing_file_is_said(void **state)
{
    (void)state;
    assert_int_equal(config_load("/nowhere/edge.yaml", &cfg, &report), -EINVAL);
    assert_string_equal(report.problems[0].text,
                        "cannot open /nowhere/edge.yaml: No such file or directory");
}

static void report_shows_line_and_caret(void **state)
{
    (void)state;
    char *text = NULL;
    size_t bytes = 0;
    assert_int_equal(load_text(EDGE "  devise: x\n"), -EINVAL);
    FILE *out = open_memstream(&text, &bytes);
    config_report_print(&report, "edge.yaml", out);
    fclose(out);
    assert_non_null(strstr(text, "edge.yaml:7:3: unknown key 'capture.devise'; did you mean "
                                 "'capture.device'?\n    devise: x\n    ^\n"));
    free(text);
}

/* What cannot be known is not told: a broken file may name its keys below, one of no role has none.
 */
static void only_what_is_known_is_missing(void **state)
{
    (void)state;
    assert_int_equal(load_text("role: edge\n\tsite: a\n"), -EINVAL);
    assert_int_equal(report.n, 1);
    assert_non_null(strstr(report.problems[0].text, "not YAML"));
    finish_report(NULL);
    assert_int_equal(load_text(""), -EINVAL);
    assert_int_equal(report.n, 1);
    assert_non_null(strstr(report.problems[0].text, "role is missing"));
    finish_report(NULL);
    assert_int_equal(load_text("role: edge\n"), -EINVAL);
    assert_int_equal(report.n, 4); /* site, node, state_dir, capture.device */
}

static void a_terminal_gets_no_orders(void **state)
{
    (void)state;
    char *text = NULL;
    size_t bytes = 0;
    assert_int_equal(load_text("role: edge\nsite: \"\\e[31m\"\n"), -EINVAL);
    FILE *out = open_memstream(&text, &bytes);
    config_report_print(&report, "edge.yaml", out);
    fclose(out);
    assert_non_null(strstr(text, "found '?[31m'"));
    assert_null(strchr(text, '\x1b'));
    free(text);
}

static void durations(void **state)
{
    (void)state;
    atl_ns ns;
    assert_int_equal(config_duration_parse("1.5s", &ns), 0);
    assert_int_equal(ns, 1500000000);
    assert_int_equal(config_duration_parse("1d", &ns), 0);
    assert_int_equal(ns, 86400 * ATL_NS_PER_S);
    static const char *const bad[] = {"", "5", "s", "-1s", "nans", "1e99d", "5 s", "5sec", "infs"};
    for (size_t i = 0; i < ATL_ARRAY_LEN(bad); i++)
        assert_true(config_duration_parse(bad[i], &ns) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(good_file_fills_the_struct, finish_report),
        cmocka_unit_test(every_mistake_has_its_place),
        cmocka_unit_test_teardown(all_mistakes_at_once, finish_report),
        cmocka_unit_test_teardown(values_that_do_not_fit_each_other_are_found, finish_report),
        cmocka_unit_test_teardown(an_export_must_make_sense, finish_report),
        cmocka_unit_test_teardown(hostile_files_end_in_errors, finish_report),
        cmocka_unit_test_teardown(missing_file_is_said, finish_report),
        cmocka_unit_test_teardown(report_shows_line_and_caret, finish_report),
        cmocka_unit_test_teardown(only_what_is_known_is_missing, finish_report),
        cmocka_unit_test_teardown(a_terminal_gets_no_orders, finish_report),
        cmocka_unit_test(durations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
