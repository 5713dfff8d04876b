/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fedsync/state_priv.h"
#include "fixture.h"

static char dir[FIXTURE_PATH_BYTES];
static const uint8_t values[8] = {1, 2, 3, 4, 5, 6, 7, 8};

static int make(void **state)
{
    (void)state;
    fixture_dir_make(dir);
    return 0;
}

static int unmake(void **state)
{
    (void)state;
    fixture_dir_remove(dir);
    return 0;
}

static void a_hub_record_comes_back(void **state)
{
    (void)state;
    float memory[3] = {0.5F, -1e-30F, 7};
    struct fed_hub_record record = {.epoch = 3,
                                    .last_round = 9,
                                    .open_epoch = 3,
                                    .commits = 7,
                                    .model_round = 8,
                                    .model_hash = {1},
                                    .values = values,
                                    .value_bytes = sizeof(values),
                                    .canary_best = 0.25,
                                    .memory = memory,
                                    .memory_floats = 3};
    struct fed_hub_record back = {0};
    uint8_t *buffer;
    fed_spent_add(&record, 0.02, 1.1, 100);
    fed_spent_add(&record, 0.5, 2, 5);
    assert_int_equal(fed_hub_record_load(dir, &back, &buffer, NULL), -ENOENT);
    assert_int_equal(fed_hub_record_save(dir, &record, NULL), 0);
    assert_int_equal(fed_hub_record_load(dir, &back, &buffer, NULL), 0);
    assert_memory_equal(back.values, values, sizeof(values));
    assert_memory_equal(back.memory, memory, sizeof(memory));
    free(back.memory);
    back.values = values;
    back.memory = memory;
    assert_memory_equal(&back, &record, sizeof(record));
    free(buffer);
}

static void an_update_comes_back_whole_or_not_at_all(void **state)
{
    (void)state;
    const struct fed_update update = {.federation = "north",
                                      .epoch = 1,
                                      .round = 2,
                                      .edge = "edge-1",
                                      .base_hash = {3},
                                      .whole = {4},
                                      .encoding = FED_INT8,
                                      .data = values,
                                      .bytes = sizeof(values)};
    struct fed_update back;
    struct atl_error err;
    uint8_t *buffer, *file;
    size_t bytes;
    char path[FIXTURE_PATH_BYTES];
    assert_int_equal(fed_update_save(dir, &update, NULL), 0);
    assert_int_equal(fed_update_load(dir, "edge-1", &back, &buffer, NULL), 0);
    assert_string_equal(back.edge, "edge-1");
    assert_string_equal(back.federation, "north");
    assert_true(back.epoch == 1 && back.round == 2 && back.bytes == sizeof(values) &&
                back.encoding == FED_INT8);
    assert_memory_equal(back.data, values, sizeof(values));
    free(buffer);

    fixture_path(path, dir, "update-edge-1.cbor");
    assert_int_equal(atl_file_read(path, 4096, &file, &bytes, NULL), 0);
    for (size_t n = 0; n < bytes; n++) {
        assert_int_equal(atl_file_write(path, file, n, 0600, NULL), 0);
        assert_int_equal(fed_update_load(dir, "edge-1", &back, &buffer, &err), -EBADMSG);
    }
    for (size_t i = 0; i < bytes; i++) {
        file[i] ^= 4;
        assert_int_equal(atl_file_write(path, file, bytes, 0600, NULL), 0);
        assert_int_equal(fed_update_load(dir, "edge-1", &back, &buffer, &err), -EBADMSG);
        file[i] ^= 4;
    }
    assert_non_null(strstr(err.text, "update-edge-1.cbor is damaged"));
    free(file);
    fed_update_remove(dir, "edge-1");
    assert_int_equal(fed_update_load(dir, "edge-1", &back, &buffer, NULL), -ENOENT);
}

static double epsilon_of(const struct fed_hub_record *record)
{
    struct priv_event events[FED_SPENT_MAX];
    double epsilon;
    for (uint32_t i = 0; i < record->n_spent; i++)
        events[i] = (struct priv_event){PRIV_POISSON_GAUSSIAN,
                                        record->spent[i].sample_rate,
                                        record->spent[i].noise_multiplier,
                                        record->spent[i].steps,
                                        {0}};
    assert_int_equal(priv_epsilon(PRIV_RDP, events, record->n_spent, 1e-5, &epsilon, NULL), 0);
    return epsilon;
}

static void spending_is_joined_and_never_forgotten(void **state)
{
    (void)state;
    struct fed_hub_record record = {0};
    fed_spent_add(&record, 1, 50, 10);
    fed_spent_add(&record, 1, 50, 20);
    assert_int_equal(record.n_spent, 1);
    assert_true(record.spent[0].steps == 30);

    /* More kinds of round than there are entries: ε stays at least that of the true list. */
    struct priv_event truth[FED_SPENT_MAX + 8];
    double least;
    memset(&record, 0, sizeof(record));
    for (uint32_t i = 0; i < ATL_ARRAY_LEN(truth); i++) {
        truth[i] = (struct priv_event){PRIV_POISSON_GAUSSIAN, 1, 50 + (i * 13) % 40, 10, {0}};
        fed_spent_add(&record, truth[i].q, truth[i].sigma, truth[i].steps);
    }
    assert_int_equal(record.n_spent, FED_SPENT_MAX);
    assert_int_equal(priv_epsilon(PRIV_RDP, truth, ATL_ARRAY_LEN(truth), 1e-5, &least, NULL), 0);
    assert_true(epsilon_of(&record) >= least);
    assert_true(epsilon_of(&record) < 2 * least);
}

int main(void)
{
    if (atl_base_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hub_record_comes_back),
        cmocka_unit_test(an_update_comes_back_whole_or_not_at_all),
        cmocka_unit_test(spending_is_joined_and_never_forgotten),
    };
    return cmocka_run_group_tests(tests, make, unmake);
}
