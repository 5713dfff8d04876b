/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fixture.h"

static char dir[FIXTURE_PATH_BYTES], keys[FIXTURE_PATH_BYTES];

static int make(void **state)
{
    (void)state;
    fixture_dir_make(dir);
    fixture_path(keys, dir, "keys");
    return 0;
}

static int unmake(void **state)
{
    (void)state;
    fixture_dir_remove(dir);
    return 0;
}

static void write_file(const char *sub, const char *text)
{
    char path[FIXTURE_PATH_BYTES];
    fixture_path(path, dir, sub);
    assert_int_equal(atl_file_write(path, text, strlen(text), 0600, NULL), 0);
}

static void made_once_then_loaded(void **state)
{
    (void)state;
    struct fed_identity first, second;
    struct atl_error err;
    char path[FIXTURE_PATH_BYTES];
    struct stat st;
    assert_int_equal(fed_identity_open(&first, keys, "edge-1", &err), 0);
    assert_int_equal(fed_identity_open(&second, keys, "edge-1", &err), 0);
    assert_string_equal(first.name, "edge-1");
    assert_memory_equal(&first, &second, sizeof(first));
    fixture_path(path, keys, "edge-1.key");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);

    uint8_t *text;
    size_t bytes;
    char hex[66];
    fixture_path(path, keys, "edge-1.pub");
    assert_int_equal(atl_file_read(path, 100, &text, &bytes, &err), 0);
    atl_hex(hex, first.public_key, 32);
    memcpy(hex + 64, "\n", 2);
    assert_string_equal((char *)text, hex);
    free(text);
}

static void odd_keys_are_refused(void **state)
{
    (void)state;
    struct fed_identity id = {.name = "untouched"};
    struct atl_error err;
    char path[FIXTURE_PATH_BYTES];
    assert_int_equal(fed_identity_open(&id, keys, "../edge", &err), -EINVAL);
    assert_non_null(strstr(err.text, "../edge"));
    write_file("keys/short.key", "00ff\n");
    assert_int_equal(fed_identity_open(&id, keys, "short", &err), -EINVAL);
    assert_non_null(strstr(err.text, "64 hexadecimal digits"));
    assert_int_equal(fed_identity_open(&id, keys, "open", &err), 0);
    fixture_path(path, keys, "open.key");
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(fed_identity_open(&id, keys, "open", &err), -EPERM);
    assert_non_null(strstr(err.text, "chmod 600"));
    assert_int_equal(fed_identity_open(&id, keys, "other", &err), 0);
    write_file("keys/other.pub",
               "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n");
    assert_int_equal(fed_identity_open(&id, keys, "other", &err), -EBADMSG);
}

static void roster_knows_its_members(void **state)
{
    (void)state;
    struct fed_identity a, b, c;
    fixture_person(&b, dir, "b", true);
    fixture_person(&a, dir, "a", true);
    fixture_person(&c, dir, "c", false);
    write_file("roster/readme.txt", "not a key");
    struct fed_roster *roster = fixture_roster(dir);
    assert_int_equal(fed_roster_count(roster), 2);
    assert_memory_equal(fed_roster_key(roster, "a"), a.public_key, 32);
    assert_memory_equal(fed_roster_key(roster, "b"), b.public_key, 32);
    assert_null(fed_roster_key(roster, "c"));
    assert_null(fed_roster_key(roster, ""));
    assert_null(fed_roster_key(roster, "a very long name that cannot be anybody's in here"));
    fed_roster_destroy(roster);
}

static void one_key_has_one_name(void **state)
{
    (void)state;
    struct fed_roster *roster = NULL;
    struct atl_error err;
    char path[FIXTURE_PATH_BYTES], line[66];
    struct fed_identity a;
    fixture_person(&a, dir, "a", true);
    atl_hex(line, a.public_key, 32);
    write_file("roster/twin.pub", line);
    fixture_path(path, dir, "roster");
    assert_int_equal(fed_roster_load(&roster, path, &err), -EINVAL);
    assert_non_null(strstr(err.text, "twin"));
    assert_non_null(strstr(err.text, "same public key"));
    assert_null(roster);
    assert_int_equal(fed_roster_load(&roster, "/nowhere", &err), -ENOENT);
}

int main(void)
{
    if (atl_base_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(made_once_then_loaded),
        cmocka_unit_test(odd_keys_are_refused),
        cmocka_unit_test(roster_knows_its_members),
        cmocka_unit_test(one_key_has_one_name),
    };
    return cmocka_run_group_tests(tests, make, unmake);
}
