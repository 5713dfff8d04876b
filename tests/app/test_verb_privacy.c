/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the verb in a child through pipes, as a shell would. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/app_priv.h"
#include "privacy/privacy.h"

static char out[4096], err[4096];

static void slurp(int fd, char *text, size_t bytes)
{
    size_t used = 0;
    ssize_t n;
    while (used + 1 < bytes && (n = read(fd, text + used, bytes - 1 - used)) > 0)
        used += (size_t)n;
    text[used] = '\0';
    close(fd);
}

/* Words split at blanks; @return exit status, with stdout and stderr in out and err */
static int run(const char *line)
{
    char copy[512], *argv[32], *rest = copy, *word;
    int argc = 0, from_out[2], from_err[2], status;
    assert_true(atl_copy(copy, sizeof(copy), line));
    while ((word = strsep(&rest, " ")) != NULL && argc < 31)
        argv[argc++] = word;
    argv[argc] = NULL;
    assert_int_equal(pipe(from_out), 0);
    assert_int_equal(pipe(from_err), 0);
    fflush(stdout);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(from_out[1], STDOUT_FILENO);
        dup2(from_err[1], STDERR_FILENO);
        status = verb_privacy(argc, argv);
        fflush(stdout);
        _exit(status);
    }
    close(from_out[1]);
    close(from_err[1]);
    slurp(from_out[0], out, sizeof(out));
    slurp(from_err[0], err, sizeof(err));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static json_t *run_json(const char *line)
{
    int status = run(line);
    if (status != 0)
        printf("# %s", err);
    assert_int_equal(status, 0);
    assert_string_equal(err, "");
    json_t *object = json_loads(out, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(object);
    return object;
}

static double number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    assert_true(json_is_number(value));
    return json_number_value(value);
}

static void epsilon_as_json(void **state)
{
    (void)state;
    json_t *object = run_json("privacy epsilon --mechanism poisson_gaussian --q 0.01 --sigma 1 "
                              "--steps 10000 --delta 1e-6 --json");
    assert_true(fabs(number(object, "epsilon") - 6.9073848634) < 0.003454); /* dp_accounting 0.6 */
    assert_string_equal(json_string_value(json_object_get(object, "accountant")), "pld");
    assert_string_equal(json_string_value(json_object_get(object, "mechanism")),
                        "poisson_gaussian");
    assert_true(number(object, "q") == 0.01);
    assert_true(number(object, "steps") == 10000);
    json_decref(object);
    object = run_json("privacy epsilon --mechanism=gaussian --sigma=0.7 --steps=2 --delta=1e-5 "
                      "--accountant=rdp --json");
    assert_true(fabs(number(object, "epsilon") - 10.8602036) < 1e-6);
    assert_string_equal(json_string_value(json_object_get(object, "accountant")), "rdp");
    json_decref(object);
}

static void calibrate_as_json(void **state)
{
    (void)state;
    json_t *object = run_json("privacy calibrate --mechanism poisson_gaussian --q 0.04 "
                              "--epsilon 8 --steps 2000 --delta 1e-5 --json");
    assert_true(fabs(number(object, "sigma") - 1.2915) < 4e-3); /* Opacus */
    assert_true(number(object, "epsilon") <= 8 && number(object, "epsilon") > 7.9);
    json_decref(object);
}

static void speaks_to_people(void **state)
{
    (void)state;
    assert_int_equal(run("privacy epsilon --mechanism gaussian --sigma 1 --steps 1 --delta 1e-5"),
                     0);
    assert_non_null(strstr(out, "epsilon 4.37718 at delta 1e-05"));
    assert_non_null(strstr(out, "79.6-fold"));
    assert_int_equal(run("privacy --help"), 0);
    assert_non_null(strstr(out, "Example:"));
    assert_int_equal(run("privacy calibrate --help"), 0);
    assert_string_equal(err, "");
}

/* Every wrong line: exit 2, nothing on stdout, one line on stderr that names the matter */
static void wrong_lines_end_in_one_line(void **state)
{
    (void)state;
#define GOOD "privacy epsilon --mechanism gaussian --sigma 1 --steps 1 --delta 1e-5"
    static const char *const wrong[][2] = {
        {"privacy", "calibrate, plan or ledger"},
        {"privacy epsilom", "did you mean epsilon?"},
        {"privacy --json", "calibrate, plan or ledger"},
        {"privacy epsilon", "needs --mechanism"},
        {GOOD " --jsn", "did you mean --json?"},
        {GOOD " --json=1", "--json"},
        {GOOD " -x", "unknown option -x"},
        {GOOD " extra", "found 'extra'"},
        {GOOD " --epsilon 1", "leave out --epsilon"},
        {GOOD " --q", "--q needs a value"},
        {GOOD " --q 0.5", "poisson_gaussian is the sampled one"},
        {GOOD " --sigma nan", "--sigma"},
        {GOOD " --sigma inf", "--sigma"},
        {GOOD " --sigma 1x", "--sigma"},
        {GOOD " --sigma ", "--sigma"},
        {GOOD " --sigma 0", "sigma: 0 is outside"},
        {GOOD " --sigma -1", "sigma: -1 is outside"},
        {GOOD " --sigma 1e999", "--sigma"},
        {GOOD " --steps 0", "steps: 0 is outside"},
        {GOOD " --steps -1", "--steps"},
        {GOOD " --steps 1.5", "--steps"},
        {GOOD " --steps 99999999999999999999", "--steps"},
        {GOOD " --delta 0", "delta: 0 is outside"},
        {GOOD " --delta 1", "delta: 1 is outside"},
        {GOOD " --mechanism gausian", "did you mean gaussian?"},
        {GOOD " --mechanism tree", "found 'tree'"},
        {GOOD " --accountant prv", "expected one of rdp, pld, found 'prv'"},
        {GOOD " --mechanism poisson_gaussian", "needs --q"},
        {GOOD " --mechanism poisson_gaussian --q 0", "q: 0 is outside"},
        {"privacy calibrate --mechanism gaussian --steps 1 --delta 1e-5", "needs --epsilon"},
        {"privacy calibrate --mechanism gaussian --steps 1 --delta 1e-5 --epsilon -1",
         "epsilon: -1"},
    };
    for (size_t i = 0; i < ATL_ARRAY_LEN(wrong); i++) {
        int status = run(wrong[i][0]);
        const char *end = strchr(err, '\n');
        if (status != 2 || out[0] != '\0' || end == NULL || end[1] != '\0' ||
            strstr(err, wrong[i][1]) == NULL)
            fail_msg("%s: exit %d, %s", wrong[i][0], status, err);
    }
}

static void what_cannot_be_done_exits_one(void **state)
{
    (void)state;
    assert_int_equal(run("privacy calibrate --mechanism gaussian --steps 1000000000000 "
                         "--delta 1e-15 --epsilon 1e-9"),
                     1);
    assert_non_null(strstr(err, "no sigma"));
}

/* Where the table ends is where the budget ends, and the accountant agrees with each row */
static void plans_within_the_budget(void **state)
{
    (void)state;
    assert_int_equal(run("privacy plan --q 0.02 --sigma 1.2 --steps 50 --epsilon 4 --json"), 0);
    json_t *plan = json_loads(out, 0, NULL);
    assert_non_null(plan);
    long long within = json_integer_value(json_object_get(plan, "rounds_within"));
    assert_true(within > 0);
    struct priv_event event = {.mechanism = PRIV_POISSON_GAUSSIAN, .q = 0.02, .sigma = 1.2};
    double epsilon;
    event.steps = 50 * (uint64_t)within;
    assert_int_equal(priv_epsilon(PRIV_RDP, &event, 1, 1e-5, &epsilon, NULL), 0);
    assert_true(epsilon <= 4);
    event.steps += 50;
    assert_int_equal(priv_epsilon(PRIV_RDP, &event, 1, 1e-5, &epsilon, NULL), 0);
    assert_true(epsilon > 4);
    json_decref(plan);

    assert_int_equal(run("privacy plan --unit edge --edges 4 --sigma 5"), 0);
    assert_non_null(strstr(out, "useless"));
    assert_int_equal(run("privacy plan --delta 0.01"), 2);
    assert_non_null(strstr(err, "--delta"));
    assert_int_equal(run("privacy plan --rounds 1.5"), 2);
    assert_non_null(strstr(err, "whole"));
    assert_int_equal(run("privacy plan stray"), 2);
}

static void shows_a_ledger(void **state)
{
    (void)state;
    char dir[] = "/tmp/atalaya-verb-XXXXXX", line[160];
    struct priv_ledger *ledger;
    struct atl_error error;
    assert_non_null(mkdtemp(dir));
    struct priv_ledger_config cfg = {dir, "edge-1", "flow", 8, 1e-5, PRIV_RDP};
    assert_int_equal(priv_ledger_open(&ledger, &cfg, &error), 0);
    struct priv_charge charge = {{PRIV_POISSON_GAUSSIAN, 0.02, 1.2, 50, {0}}, "iberia", 1, 7};
    assert_int_equal(priv_ledger_charge(ledger, &charge, &error), 0);
    snprintf(line, sizeof(line), "privacy ledger %s --json", dir);
    assert_int_equal(run(line), 0);
    json_t *all = json_loads(out, 0, NULL);
    assert_non_null(all);
    assert_int_equal(json_integer_value(json_object_get(all, "charges")), 1);
    assert_true(json_real_value(json_object_get(all, "epsilon")) == priv_ledger_epsilon(ledger));
    const json_t *first = json_array_get(json_object_get(all, "lines"), 0);
    assert_int_equal(json_integer_value(json_object_get(first, "round")), 7);
    json_decref(all);
    priv_ledger_close(ledger);

    snprintf(line, sizeof(line), "%s/privacy.ledger", dir);
    assert_int_equal(truncate(line, 20), 0);
    snprintf(line, sizeof(line), "privacy ledger %s", dir);
    assert_int_equal(run(line), 1);
    assert_string_equal(out, "");
    assert_non_null(strstr(err, "privacy.ledger:1:"));
    snprintf(line, sizeof(line), "rm -r %s", dir);
    assert_int_equal(system(line), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plans_within_the_budget),
        cmocka_unit_test(shows_a_ledger),
        cmocka_unit_test(epsilon_as_json),
        cmocka_unit_test(calibrate_as_json),
        cmocka_unit_test(speaks_to_people),
        cmocka_unit_test(wrong_lines_end_in_one_line),
        cmocka_unit_test(what_cannot_be_done_exits_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
