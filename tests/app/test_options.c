/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/app_priv.h"
#include "app/options_priv.h"

struct wish {
    bool loud, given;
    const char *out;
    uint64_t seed;
    uint32_t port;
    double rate;
    int colour;
    char taken[16];
};

static char said[512]; /* on stderr */

static int take(void *ctx, const char *value, struct atl_error *err)
{
    if (strcmp(value, "told") == 0)
        return EXIT_CONFIG;
    if (!atl_copy(ctx, sizeof(((struct wish *)0)->taken), value))
        return atl_error_set(err, -EINVAL, "--name: too long");
    return 0;
}

/* Words split at blanks; stderr goes to `said`. */
static int read_line(const char *line, struct wish *w)
{
    static const char *const colours[] = {"red", "green", NULL};
    static char copy[256]; /* TEXT points into it */
    char *argv[16], *rest = copy, *word;
    int argc = 0;
    const struct options_row rows[] = {
        {"loud", 'l', OPTIONS_FLAG, .flag = &w->loud},
        {"out", 'o', OPTIONS_TEXT, .text = &w->out},
        {"seed", 0, OPTIONS_COUNT, .count = &w->seed, .max = 1e18},
        {"port", 'p', OPTIONS_COUNT32, .count32 = &w->port, .min = 1, .max = 65535},
        {"rate", 0, OPTIONS_NUMBER, .number = &w->rate, .given = &w->given},
        {"colour", 0, OPTIONS_CHOICE, .choice = &w->colour, .choices = colours},
        {"name", 0, OPTIONS_TAKE, .ctx = w->taken, .take = take},
    };
    assert_true(atl_copy(copy, sizeof(copy), line));
    while ((word = strsep(&rest, " ")) != NULL && argc < 15)
        argv[argc++] = word;
    argv[argc] = NULL;
    FILE *file = tmpfile();
    assert_non_null(file);
    fflush(stderr);
    int saved = dup(STDERR_FILENO);
    dup2(fileno(file), STDERR_FILENO);
    int code = options_read("verb", "", rows, ATL_ARRAY_LEN(rows), argc, argv);
    if (code == OPTIONS_GO_ON)
        code = options_no_words("verb", argc, argv);
    fflush(stderr);
    dup2(saved, STDERR_FILENO);
    close(saved);
    rewind(file);
    said[fread(said, 1, sizeof(said) - 1, file)] = '\0';
    fclose(file);
    return code;
}

static void every_kind_finds_its_place(void **state)
{
    (void)state;
    struct wish w = {0};
    assert_int_equal(read_line("verb -l --out a.csv --seed=9007199254740993 -p 65535 --rate -2.5e3 "
                               "--colour green --name n1",
                               &w),
                     OPTIONS_GO_ON);
    assert_string_equal(said, "");
    assert_true(w.loud && w.given && w.rate == -2500);
    assert_string_equal(w.out, "a.csv");
    assert_true(w.seed == 9007199254740993ULL); /* one more than a double can say */
    assert_int_equal(w.port, 65535);
    assert_int_equal(w.colour, 1);
    assert_string_equal(w.taken, "n1");
    w = (struct wish){.rate = 7};
    assert_int_equal(read_line("verb", &w), OPTIONS_GO_ON); /* a second line begins anew */
    assert_true(!w.given && w.rate == 7);
    assert_int_equal(read_line("verb --port 1 --help --port 0", &w), EXIT_OK);
}

static void each_mistake_is_one_line(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        {"verb --lod", "unknown option --lod; did you mean --loud?"},
        {"verb -x", "unknown option -x"},
        {"verb --loud=yes", "unknown option --loud=yes"},
        {"verb --out", "--out needs a value"},
        {"verb -p", "-p needs a value"},
        {"verb -p 0", "--port: expected a whole number from 1 to 65535, found '0'"},
        {"verb -p 65536", "found '65536'"},
        {"verb -p -1", "found '-1'"},
        {"verb -p 1x", "found '1x'"},
        {"verb --seed 99999999999999999999", "found '99999999999999999999'"},
        {"verb --rate nan", "--rate: expected a number, found 'nan'"},
        {"verb --rate ", "found ''"},
        {"verb --colour gren", "expected one of red, green, found 'gren'; did you mean green?"},
        {"verb --name 0123456789abcdef", "--name: too long"},
        {"verb stray", "expected nothing but options, found 'stray'"},
    };
    for (size_t i = 0; i < ATL_ARRAY_LEN(wrong); i++) {
        struct wish w = {0};
        int code = read_line(wrong[i][0], &w);
        const char *end = strchr(said, '\n');
        if (code != EXIT_USAGE || strncmp(said, "atalaya verb: ", 14) != 0 ||
            strstr(said, wrong[i][1]) == NULL || end == NULL || end[1] != '\0')
            fail_msg("%s: %d, %s", wrong[i][0], code, said);
    }
}

static void who_has_told_is_not_repeated(void **state)
{
    (void)state;
    struct wish w = {0};
    assert_int_equal(read_line("verb --name told", &w), EXIT_CONFIG);
    assert_string_equal(said, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_finds_its_place),
        cmocka_unit_test(each_mistake_is_one_line),
        cmocka_unit_test(who_has_told_is_not_repeated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
