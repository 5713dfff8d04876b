/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
#include "cmocka_first.h"
/* clang-format on */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[] = "/tmp/atalaya-verb-XXXXXX";
static char said[8192];

static int make_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) == NULL ? -1 : chdir(dir);
}

static int remove_dir(void **state)
{
    (void)state;
    char command[160];
    snprintf(command, sizeof(command), "rm -r %s", dir);
    return system(command);
}

/* @return exit status; said = both outputs in order of arrival */
static int verb(const char *arguments)
{
    char command[1024];
    snprintf(command, sizeof(command), "%s %s 2>&1", getenv("TRAFFIC_VERB"), arguments);
    FILE *out = popen(command, "r");
    assert_non_null(out);
    size_t n = fread(said, 1, sizeof(said) - 1, out);
    said[n] = '\0';
    int status = pclose(out);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void expect_said(const char *words)
{
    if (strstr(said, words) == NULL)
        fail_msg("expected \"%s\" in: %s", words, said);
}

static void expect_usage(const char *arguments, const char *words)
{
    assert_int_equal(verb(arguments), 2);
    expect_said(words);
    char *end = strchr(said, '\n');
    assert_true(end != NULL && end[1] == '\0'); /* one line */
    assert_int_equal(access("x.pcap", F_OK), -1);
}

static void usage_errors_name_the_option(void **state)
{
    (void)state;
    expect_usage("", "--out is missing: expected a file name or -");
    expect_usage("--out x.pcap --profile bussiness", "did you mean business?");
    expect_usage("--out x.pcap --profile zzzz",
                 "--profile: expected one of residential, business, mobile, iot, found 'zzzz'");
    expect_usage("--out x.pcap --site 256",
                 "--site: expected a whole number from 0 to 255, found '256'");
    expect_usage("--out x.pcap --site -1", "--site: expected");
    expect_usage("--out x.pcap --seed 12x", "--seed: expected a whole number");
    expect_usage("--out x.pcap --duration 10", "--duration: expected a duration such as");
    expect_usage("--out x.pcap --duration 10y", "found '10y'");
    expect_usage("--out x.pcap --duration 400d", "duration: expected 1 ms");
    expect_usage("--out x.pcap --start yesterday", "--start: expected now or a time");
    expect_usage("--out x.pcap --start 2026-01-05T12:00:00", "expected now or a time");
    expect_usage("--out x.pcap --subscribers 0", "--subscribers: expected a whole number from 1");
    expect_usage("--out x.pcap --rate nan", "--rate: expected a number from 0.01");
    expect_usage("--out x.pcap --snap 10", "--snap: expected a whole number from 64 to 65535");
    expect_usage("--out x.pcap --attack syn-flod@1s+1s", "did you mean syn-flood?");
    expect_usage("--out x.pcap --attack syn-flood", "expected NAME@AFTER+DURATION[:PPS]");
    expect_usage("--out x.pcap --attack syn-flood@1s", "expected NAME@AFTER+DURATION[:PPS]");
    expect_usage("--out x.pcap --attack syn-flood@1s+1s:0", "packets per second above 0");
    expect_usage("--out x.pcap --attack syn-flood@1s+1s:9x", "expected NAME@AFTER+DURATION[:PPS]");
    expect_usage("--out x.pcap --attack beacon@2m+1s", "begins after 120.000 s");
    expect_usage("--out x.pcap --proflie iot", "did you mean --profile?");
    expect_usage("--out", "--out needs a value");
    expect_usage("--out x.pcap more", "found 'more'");
}

static void capture_and_labels_are_written(void **state)
{
    (void)state;
    assert_int_equal(
        verb("--out y.pcap --duration 2s --rate 5 --labels y.csv "
             "--start 2026-03-01T08:00:00+01:00 --attack horizontal-scan@500ms+1s:100"),
        0);
    expect_said("y.pcap: residential, site 1, 2.000 s: ");
    expect_said("horizontal-scan: ");
    assert_int_equal(verb("--list > /dev/null; cat y.csv"), 0);
    expect_said("attack,first,last,attacker,victim,packets\nhorizontal-scan,1772348400.5");
    expect_said(",10.1.0.66,,");
}

static void json_goes_to_standard_output(void **state)
{
    (void)state;
    assert_int_equal(verb("--out z.pcap --duration 1s --rate 5 --json --attack beacon@0s+1s"), 0);
    assert_true(said[0] == '{');
    expect_said("\"attacks\":[{\"attack\":\"beacon\"");
    expect_said("\"site\":1");
}

static void failures_exit_with_one(void **state)
{
    (void)state;
    assert_int_equal(verb("--out /dev/full --duration 3s"), 1);
    assert_string_equal(said, "atalaya traffic: cannot write /dev/full: No space left on device\n");
    assert_int_equal(verb("--out w.pcap --duration 1s --labels none/w.csv"), 1);
    expect_said("cannot create none/w.csv: No such file or directory");
    assert_int_equal(access("w.pcap", F_OK), -1);
    assert_int_equal(verb("--out none/x.pcap --duration 1s"), 1);
    expect_said("No such file or directory");
}

static void stream_can_be_piped(void **state)
{
    (void)state;
    assert_int_equal(verb("--out - --duration 1s --rate 5 2>/dev/null | head -c 4 | od -An -tx4"),
                     0);
    expect_said("a1b23c4d");
}

static void help_and_list_are_results(void **state)
{
    (void)state;
    assert_int_equal(verb("--help 2>/dev/null"), 0);
    expect_said("Example:");
    assert_int_equal(verb("--list 2>/dev/null"), 0);
    expect_said("residential");
    expect_said("exfiltration");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(usage_errors_name_the_option),
        cmocka_unit_test(capture_and_labels_are_written),
        cmocka_unit_test(json_goes_to_standard_output),
        cmocka_unit_test(failures_exit_with_one),
        cmocka_unit_test(stream_can_be_piped),
        cmocka_unit_test(help_and_list_are_results),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
