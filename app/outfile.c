/* SPDX-License-Identifier: Apache-2.0 */
#include "app/outfile_priv.h"

#include <errno.h>
#include <libgen.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int outfile_check(const char *path, struct atl_error *err)
{
    char folder[PATH_MAX];
    struct stat st;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
        return atl_error_set(err, -EINVAL, "cannot write %s: not a regular file", path);
    if (!atl_copy(folder, sizeof(folder), path))
        return atl_error_set(err, -ENAMETOOLONG, "cannot create %s: the path is too long", path);
    if (access(dirname(folder), W_OK | X_OK) < 0)
        return atl_error_set(err, -errno, "cannot create %s: %s", path, strerror(errno));
    return 0;
}

int outfile_open(struct outfile *out, const char *path, struct atl_error *err)
{
    struct stat st;
    bool there = path != NULL && stat(path, &st) == 0;
    if (there && S_ISDIR(st.st_mode))
        return atl_error_set(err, -EISDIR, "cannot create %s: a folder has this name", path);
    out->path = path;
    out->stream = stdout;
    /* A device or a pipe is written to, never replaced: /dev/null must stay what it is. */
    out->direct = path == NULL || (there && !S_ISREG(st.st_mode));
    if (path == NULL)
        return 0;
    if (out->direct) {
        out->stream = fopen(path, "w");
        return out->stream != NULL
                   ? 0
                   : atl_error_set(err, -errno, "cannot open %s: %s", path, strerror(errno));
    }
    int n = snprintf(out->part, sizeof(out->part), "%s.part-%ld", path, (long)getpid());
    if (n < 0 || (size_t)n >= sizeof(out->part))
        return atl_error_set(err, -ENAMETOOLONG, "cannot create %s: the path is too long", path);
    out->stream = fopen(out->part, "wx");
    if (out->stream == NULL)
        return atl_error_set(err, -errno, "cannot create %s: %s", path, strerror(errno));
    return 0;
}

int outfile_close(struct outfile *out, struct atl_error *err)
{
    const char *name = out->path != NULL ? out->path : "to standard output";
    bool written = fflush(out->stream) == 0 && !ferror(out->stream);
    int code = errno;
    if (out->direct) {
        if (out->path != NULL && fclose(out->stream) != 0)
            written = false;
        return written ? 0 : atl_error_set(err, -EIO, "cannot write %s: %s", name, strerror(code));
    }

    if (written && fsync(fileno(out->stream)) < 0) {
        written = false;
        code = errno;
    }
    if (fclose(out->stream) != 0 && written) {
        written = false;
        code = errno;
    }
    if (written && rename(out->part, out->path) < 0) {
        written = false;
        code = errno;
    }
    if (written)
        return 0;
    unlink(out->part);
    return atl_error_set(err, -EIO, "cannot write %s: %s", name, strerror(code));
}

void outfile_discard(struct outfile *out)
{
    if (out->path == NULL)
        return;
    fclose(out->stream);
    if (!out->direct)
        unlink(out->part);
}
