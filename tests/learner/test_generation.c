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

#include "learner/learner.h"

static char dir[64], path[96];

static int make_dir(void **state)
{
    (void)state;
    atl_copy(dir, sizeof(dir), "/tmp/atalaya-generations-XXXXXX");
    if (mkdtemp(dir) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/model", dir);
    return 0;
}

static int remove_dir(void **state)
{
    (void)state;
    static const char *const names[] = {"model", "model.1", "model.2"};
    char file[128];
    for (size_t i = 0; i < ATL_ARRAY_LEN(names); i++) {
        snprintf(file, sizeof(file), "%s/%s", dir, names[i]);
        unlink(file);
    }
    return rmdir(dir); /* nothing else may have been left behind */
}

/* Generations are told apart by the number of their inputs. */
static void save(uint32_t number)
{
    struct learn_shape shape = {.n_in = number, .n_widths = 1, .widths = {2}};
    struct learn_named named = {.name = "flow"};
    assert_int_equal(learn_model_create(&named.model, &shape, 1), 0);
    assert_int_equal(learn_file_save_generation(path, &named, 1, NULL), 0);
    learn_model_destroy(named.model);
}

/* @return the number of the generation there, 0 without one */
static uint32_t number_at(const char *suffix)
{
    struct learn_named models[LEARN_FILE_MODELS_MAX];
    char file[128];
    uint32_t n;
    snprintf(file, sizeof(file), "%s%s", path, suffix);
    if (learn_file_load(file, models, &n, NULL) < 0)
        return 0;
    assert_int_equal(n, 1);
    uint32_t number = learn_model_shape(models[0].model)->n_in;
    learn_model_destroy(models[0].model);
    return number;
}

static void assert_generations(uint32_t now, uint32_t earlier, uint32_t second)
{
    assert_int_equal(number_at(""), now);
    assert_int_equal(number_at(".1"), earlier);
    assert_int_equal(number_at(".2"), second);
}

static void keeps_the_last_three(void **state)
{
    (void)state;
    static const uint32_t expected[][3] = {{1, 0, 0}, {2, 1, 0}, {3, 2, 1}, {4, 3, 2}};
    for (uint32_t i = 0; i < ATL_ARRAY_LEN(expected); i++) {
        save(i + 1);
        assert_generations(expected[i][0], expected[i][1], expected[i][2]);
    }
}

static void goes_back_through_all_of_them(void **state)
{
    (void)state;
    for (uint32_t i = 1; i <= 3; i++)
        save(i);
    assert_int_equal(learn_file_roll_back(path, NULL), 0);
    assert_generations(2, 1, 3);
    assert_int_equal(learn_file_roll_back(path, NULL), 0);
    assert_generations(1, 3, 2);
    assert_int_equal(learn_file_roll_back(path, NULL), 0);
    assert_generations(3, 2, 1);
}

static void two_change_places(void **state)
{
    (void)state;
    save(1);
    save(2);
    assert_int_equal(learn_file_roll_back(path, NULL), 0);
    assert_generations(1, 2, 0);
    assert_int_equal(learn_file_roll_back(path, NULL), 0);
    assert_generations(2, 1, 0);
}

static void says_that_there_is_none(void **state)
{
    (void)state;
    struct atl_error err;
    assert_int_equal(learn_file_roll_back(path, &err), -ENOENT);
    assert_non_null(strstr(err.text, "no earlier model"));
    save(1);
    assert_int_equal(learn_file_roll_back(path, &err), -ENOENT);
    assert_generations(1, 0, 0);
}

int main(void)
{
#define WITH_DIR(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)
    const struct CMUnitTest tests[] = {
        WITH_DIR(keeps_the_last_three),
        WITH_DIR(goes_back_through_all_of_them),
        WITH_DIR(two_change_places),
        WITH_DIR(says_that_there_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
