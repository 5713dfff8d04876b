/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEMPORARY ".tmp-" /* and the number of the process that writes it */

#define SWEEP_ENTRIES_MAX 65536U

static int fail(struct atl_error *err, const char *doing, const char *path)
{
    int code = errno != 0 ? errno : EIO;
    return atl_error_set(err, -code, "cannot %s %s: %s", doing, path, strerror(code));
}

static int write_all(int fd, const void *data, size_t bytes)
{
    const unsigned char *at = data;
    while (bytes > 0) {
        ssize_t n = write(fd, at, bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        at += n;
        bytes -= (size_t)n;
    }
    return 0;
}

int atl_file_sync_dir(const char *path, struct atl_error *err)
{
    char dir[PATH_MAX];
    if (!atl_copy(dir, sizeof(dir), path)) {
        errno = ENAMETOOLONG;
        return fail(err, "open", path);
    }
    char *slash = strrchr(dir, '/');
    if (slash == NULL)
        atl_copy(dir, sizeof(dir), ".");
    else if (slash == dir)
        dir[1] = '\0';
    else
        *slash = '\0';

    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return fail(err, "open folder", dir);
    int r = fsync(fd) < 0 ? fail(err, "sync folder", dir) : 0;
    close(fd);
    return r;
}

int atl_file_write(const char *path, const void *data, size_t bytes, unsigned mode,
                   struct atl_error *err)
{
    struct stat st;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
        return atl_error_set(err, -EINVAL, "cannot write %s: not a regular file", path);
    char temporary[PATH_MAX];
    int n = snprintf(temporary, sizeof(temporary), "%s" TEMPORARY "%ld", path, (long)getpid());
    if (n < 0 || (size_t)n >= sizeof(temporary)) {
        errno = ENAMETOOLONG;
        return fail(err, "write", path);
    }
    unlink(temporary); /* left by a crashed process that had our number */
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, (mode_t)mode);
    if (fd < 0)
        return fail(err, "create", path);

    bool written = write_all(fd, data, bytes) == 0 && fsync(fd) == 0;
    int code = errno;
    if (close(fd) < 0 && written) {
        written = false;
        code = errno;
    }
    if (written && rename(temporary, path) < 0) {
        written = false;
        code = errno;
    }
    if (!written) {
        unlink(temporary);
        errno = code;
        return fail(err, "write", path);
    }
    return atl_file_sync_dir(path, err);
}

static int read_open(int fd, const char *path, size_t max_bytes, uint8_t **ret_data,
                     size_t *ret_bytes, struct atl_error *err)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return fail(err, "read", path);
    if (!S_ISREG(st.st_mode))
        return atl_error_set(err, -EINVAL, "cannot read %s: not a regular file", path);
    if ((uintmax_t)st.st_size > max_bytes)
        return atl_error_set(err, -EFBIG, "cannot read %s: %jd bytes, at most %zu expected", path,
                             (intmax_t)st.st_size, max_bytes);

    size_t want = (size_t)st.st_size, have = 0;
    uint8_t *data = malloc(want + 1);
    if (data == NULL)
        return atl_error_set(err, -ENOMEM, "cannot read %s: out of memory", path);
    while (have < want) {
        ssize_t n = read(fd, data + have, want - have);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            int r = fail(err, "read", path);
            free(data);
            return r;
        }
        if (n == 0)
            break; /* it shrank meanwhile: hand back what is there */
        have += (size_t)n;
    }
    data[have] = '\0';
    *ret_data = data;
    *ret_bytes = have;
    return 0;
}

int atl_file_read(const char *path, size_t max_bytes, uint8_t **ret_data, size_t *ret_bytes,
                  struct atl_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail(err, "open", path);
    int r = read_open(fd, path, max_bytes, ret_data, ret_bytes, err);
    close(fd);
    return r;
}

/* @return false with errno set */
static bool is_folder(const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return false;
    errno = ENOTDIR;
    return S_ISDIR(st.st_mode);
}

int atl_dir_make(const char *path, struct atl_error *err)
{
    char part[PATH_MAX];
    if (!atl_copy(part, sizeof(part), path)) {
        errno = ENAMETOOLONG;
        return fail(err, "make folder", path);
    }
    for (char *at = part + 1;; at++) {
        if (*at != '/' && *at != '\0')
            continue;
        char end = *at;
        *at = '\0';
        if (mkdir(part, 0700) < 0 && (errno != EEXIST || !is_folder(part)))
            return fail(err, "make folder", part);
        if (end == '\0')
            return 0;
        *at = end;
    }
}

/** Is this the name of a temporary file whose writer is gone? */
static bool left_behind(const char *name)
{
    const char *tail = strrchr(name, '.');
    if (tail == NULL || tail == name || strncmp(tail, TEMPORARY, strlen(TEMPORARY)) != 0)
        return false;
    const char *digits = tail + strlen(TEMPORARY);
    size_t n = strlen(digits);
    if (n == 0 || n > 9 || strspn(digits, "0123456789") != n)
        return false;
    pid_t writer = (pid_t)strtol(digits, NULL, 10);
    return writer > 0 && kill(writer, 0) < 0 && errno == ESRCH;
}

uint32_t atl_dir_sweep(const char *path)
{
    uint32_t removed = 0;
    DIR *dir = opendir(path);
    if (dir == NULL)
        return 0;
    const struct dirent *entry;
    for (uint32_t i = 0; i < SWEEP_ENTRIES_MAX && (entry = readdir(dir)) != NULL; i++) {
        struct stat st;
        if (left_behind(entry->d_name) &&
            fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(st.st_mode) && st.st_uid == geteuid())
            removed += unlinkat(dirfd(dir), entry->d_name, 0) == 0;
    }
    closedir(dir);
    return removed;
}
