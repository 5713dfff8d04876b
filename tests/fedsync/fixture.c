/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fixture.h"

void fixture_dir_make(char out[FIXTURE_PATH_BYTES])
{
    /* In memory where there is such a folder: hundreds of rounds sync thousands of small files. */
    bool memory = access("/dev/shm", W_OK) == 0;
    assert_true(atl_copy(out, FIXTURE_PATH_BYTES,
                         memory ? "/dev/shm/atalaya-fed-XXXXXX" : "/tmp/atalaya-fed-XXXXXX"));
    assert_non_null(mkdtemp(out));
}

void fixture_dir_remove(const char *dir)
{
    char command[FIXTURE_PATH_BYTES + 16];
    snprintf(command, sizeof(command), "rm -r %s", dir);
    assert_int_equal(system(command), 0);
}

void fixture_path(char out[FIXTURE_PATH_BYTES], const char *dir, const char *sub)
{
    assert_true(snprintf(out, FIXTURE_PATH_BYTES, "%s/%s", dir, sub) < FIXTURE_PATH_BYTES);
}

void fixture_person(struct fed_identity *out, const char *dir, const char *name, bool enrolled)
{
    char keys[FIXTURE_PATH_BYTES], roster[FIXTURE_PATH_BYTES], file[FIXTURE_PATH_BYTES];
    char sub[64], line[66];
    struct atl_error err;
    fixture_path(keys, dir, "keys");
    fixture_path(roster, dir, "roster");
    assert_int_equal(fed_identity_open(out, keys, name, &err), 0);
    assert_int_equal(atl_dir_make(roster, &err), 0);
    if (!enrolled)
        return;
    snprintf(sub, sizeof(sub), "roster/%s.pub", name);
    fixture_path(file, dir, sub);
    atl_hex(line, out->public_key, 32);
    line[64] = '\n';
    assert_int_equal(atl_file_write(file, line, 65, 0644, &err), 0);
}

struct fed_roster *fixture_roster(const char *dir)
{
    char path[FIXTURE_PATH_BYTES];
    struct fed_roster *roster;
    struct atl_error err;
    fixture_path(path, dir, "roster");
    assert_int_equal(fed_roster_load(&roster, path, &err), 0);
    return roster;
}
