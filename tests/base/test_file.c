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
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"

static char dir[] = "/tmp/atalaya-file-XXXXXX";
static char path[128];

static int make_dir(void **state)
{
    (void)state;
    if (mkdtemp(dir) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/deep/er/file", dir);
    return 0;
}

static int remove_dir(void **state)
{
    (void)state;
    char command[160];
    snprintf(command, sizeof(command), "rm -r %s", dir);
    return system(command);
}

static void round_trip(void **state)
{
    (void)state;
    struct atl_error err;
    char parent[128];
    snprintf(parent, sizeof(parent), "%s/deep/er", dir);
    assert_int_equal(atl_dir_make(parent, &err), 0);
    assert_int_equal(atl_dir_make(parent, &err), 0);
    assert_int_equal(atl_file_write(path, "one", 3, 0600, &err), 0);
    assert_int_equal(atl_file_write(path, "three", 5, 0600, &err), 0);
    uint8_t *data;
    size_t bytes;
    assert_int_equal(atl_file_read(path, 5, &data, &bytes, &err), 0);
    assert_int_equal(bytes, 5);
    assert_string_equal((char *)data, "three");
    free(data);
    assert_int_equal(atl_dir_make(path, &err), -ENOTDIR);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(atl_file_read(path, 4, &data, &bytes, &err), -EFBIG);
}

static void says_what_and_where(void **state)
{
    (void)state;
    struct atl_error err;
    uint8_t *data;
    size_t bytes;
    assert_int_equal(atl_file_read("/nowhere/x", 9, &data, &bytes, &err), -ENOENT);
    assert_string_equal(err.text, "cannot open /nowhere/x: No such file or directory");
    assert_int_equal(atl_file_read("/tmp", 9, &data, &bytes, &err), -EINVAL);
    assert_int_equal(atl_file_write("/nowhere/x", "", 0, 0600, &err), -ENOENT);
}

static void failed_write_keeps_the_old(void **state)
{
    (void)state;
    struct atl_error err;
    char folder[128];
    snprintf(folder, sizeof(folder), "%s/kept", dir);
    assert_int_equal(mkdir(folder, 0700), 0); /* a folder in the way is not replaced */
    assert_true(atl_file_write(folder, "x", 1, 0600, &err) < 0);
    struct stat st;
    assert_int_equal(stat(folder, &st), 0);
    assert_true(S_ISDIR(st.st_mode));
    char left[160];
    snprintf(left, sizeof(left), "%s.tmp-%ld", folder, (long)getpid());
    assert_int_equal(access(left, F_OK), -1);
}

static void put(char out[192], const char *folder, const char *name, long pid)
{
    snprintf(out, 192, "%s/%s.tmp-%ld", folder, name, pid);
    FILE *file = fopen(out, "w");
    assert_non_null(file);
    fclose(file);
}

static long killed_writer(void)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    return pid;
}

static void sweeps_what_killed_writers_left(void **state)
{
    (void)state;
    long dead = killed_writer();
    char folder[128], gone[192], hidden[192], alive[192], below[192], kept[192], link[192];
    snprintf(folder, sizeof(folder), "%s/swept", dir);
    assert_int_equal(mkdir(folder, 0700), 0);
    put(gone, folder, "hub.cbor", dead);
    put(hidden, folder, ".hidden", dead);
    put(alive, folder, "hub.cbor", getppid());
    put(kept, folder, "hub.cbor", dead);
    snprintf(kept, sizeof(kept), "%s/notes.tmp-%ldx", folder, dead);
    assert_int_equal(rename(gone, kept), 0);
    put(gone, folder, "hub.cbor", dead);
    snprintf(link, sizeof(link), "%s/link.tmp-%ld", folder, dead);
    assert_int_equal(symlink(kept, link), 0);
    snprintf(below, sizeof(below), "%s/folder.tmp-%ld", folder, dead);
    assert_int_equal(mkdir(below, 0700), 0);

    assert_int_equal(atl_dir_sweep(folder), 2);
    assert_int_equal(access(gone, F_OK), -1);
    assert_int_equal(access(hidden, F_OK), -1);
    const char *const stay[] = {alive, kept, link, below};
    for (size_t i = 0; i < ATL_ARRAY_LEN(stay); i++)
        assert_int_equal(access(stay[i], F_OK), 0);
    if (geteuid() == 0) { /* only root can make a file that is another's */
        put(gone, folder, "other", dead);
        assert_int_equal(chown(gone, 1, 1), 0);
        assert_int_equal(atl_dir_sweep(folder), 0);
    }
    assert_int_equal(atl_dir_sweep("/nowhere"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(says_what_and_where),
        cmocka_unit_test(failed_write_keeps_the_old),
        cmocka_unit_test(sweeps_what_killed_writers_left),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
