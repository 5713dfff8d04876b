/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "learner/model_file_priv.h"

static int name_earlier(char out[PATH_MAX], const char *path, const char *suffix,
                        struct atl_error *err)
{
    int n = snprintf(out, PATH_MAX, "%s%s", path, suffix);
    return n > 0 && n < PATH_MAX
               ? 0
               : atl_error_set(err, -ENAMETOOLONG, "%s: the path is too long", path);
}

/* A second name for the file, in place of what had it: the file itself is never without one. */
static int link_over(const char *from, const char *to, const char *part, struct atl_error *err)
{
    unlink(part);
    if (link(from, part) < 0)
        return atl_error_set(err, -errno, "%s: cannot be kept as %s: %s", from, to,
                             strerror(errno));
    if (rename(part, to) < 0) {
        int code = errno;
        unlink(part);
        return atl_error_set(err, -code, "%s: cannot be kept as %s: %s", from, to, strerror(code));
    }
    unlink(part); /* rename leaves both names when they already were the same file */
    return 0;
}

/* Before `path` becomes generation n - 1, what has that name becomes n - 2. */
static int keep_second(const char *path, const char *earlier, struct atl_error *err)
{
    char second[PATH_MAX], part[PATH_MAX];
    int r = name_earlier(second, path, ".2", err);
    if (r == 0)
        r = name_earlier(part, path, ".2.part", err);
    return r < 0 || access(earlier, F_OK) < 0 ? r : link_over(earlier, second, part, err);
}

static int exchange(const char *a, const char *b, struct atl_error *err)
{
    if (renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE) == 0)
        return 0;
    return atl_error_set(err, -errno, "%s: cannot change places with %s: %s", b, a,
                         strerror(errno));
}

int learn_file_save_generation(const char *path, const struct learn_named *models, uint32_t n,
                               struct atl_error *err)
{
    char earlier[PATH_MAX], part[PATH_MAX];
    int r = name_earlier(earlier, path, ".1", err);
    if (r == 0)
        r = name_earlier(part, path, ".1.part", err);
    if (r == 0 && access(path, F_OK) == 0) {
        r = keep_second(path, earlier, err);
        if (r == 0)
            r = link_over(path, earlier, part, err);
    }
    return r < 0 ? r : learn_file_save(path, models, n, err);
}

int learn_file_roll_back(const char *path, struct atl_error *err)
{
    char earlier[PATH_MAX], second[PATH_MAX];
    int r = name_earlier(earlier, path, ".1", err);
    if (r == 0)
        r = name_earlier(second, path, ".2", err);
    if (r < 0)
        return r;
    if (access(earlier, F_OK) < 0)
        return atl_error_set(err, -ENOENT, "%s: no earlier model to go back to", earlier);
    r = exchange(earlier, path, err);
    if (r == 0 && access(second, F_OK) == 0)
        r = exchange(second, earlier, err);
    return r < 0 ? r : atl_file_sync_dir(path, err);
}
