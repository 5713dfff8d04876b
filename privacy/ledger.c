/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Order of a charge: line on disk, then anchor on disk, then success. So after a crash the file is
 * at the anchor or one line ahead of it. One whole line ahead is counted (the caller may or may not
 * have been told); a broken one was never released and is cut off. Everything up to the anchor must
 * be whole, and nothing may lie further ahead.
 *
 * The hashes are not keyed: they find damage, mistakes and old copies, not an administrator who
 * rewrites file and anchor together.
 */
#include "privacy/ledger_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "privacy/accountant_priv.h"

struct priv_ledger {
    char dir[PATH_MAX];
    struct ledger_book book;
    struct ledger_head head; /* as opened, whatever becomes of the book */
    int lock_fd, fd;
    bool unsure; /* a write failed: what is on disk is not known until it was read again */
    double budget, spent;
};

static int config_check(const struct priv_ledger_config *cfg, struct atl_error *err)
{
    char name[LEDGER_NAME_BYTES];
    if (cfg->owner == NULL || cfg->owner[0] == '\0' || !atl_copy(name, sizeof(name), cfg->owner))
        return atl_error_set(err, -EINVAL, "ledger owner: 1 to %d bytes expected",
                             LEDGER_NAME_BYTES - 1);
    if (cfg->unit == NULL || cfg->unit[0] == '\0' || !atl_copy(name, sizeof(name), cfg->unit))
        return atl_error_set(err, -EINVAL, "ledger unit: flow, host or edge expected");
    if (!(cfg->budget_epsilon > 0 && isfinite(cfg->budget_epsilon)))
        return atl_error_set(err, -EINVAL, "budget epsilon: %g is not a positive number",
                             cfg->budget_epsilon);
    if (!(cfg->delta > 0 && cfg->delta < 1))
        return atl_error_set(err, -EINVAL, "delta: %g is outside 0 < delta < 1", cfg->delta);
    if (cfg->accountant != PRIV_RDP && cfg->accountant != PRIV_PLD)
        return atl_error_set(err, -EINVAL, "accountant: unknown number %d", (int)cfg->accountant);
    return 0;
}

static int fail(struct atl_error *err, const char *doing, const char *path)
{
    int code = errno != 0 ? errno : EIO;
    return atl_error_set(err, -code, "cannot %s %s: %s", doing, path, strerror(code));
}

/* --- open --- */

static int anchor_write(const struct ledger_book *book, struct atl_error *err)
{
    char text[LEDGER_LINE_BYTES];
    return atl_file_write(book->anchor, text, priv_ledger_anchor_write(text, &book->link), 0600,
                          err);
}

static int append(const struct priv_ledger *l, const char *line, size_t bytes,
                  struct atl_error *err)
{
    while (bytes > 0) {
        ssize_t n = write(l->fd, line, bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail(err, "append to", l->book.path);
        line += n;
        bytes -= (size_t)n;
    }
    return fsync(l->fd) < 0 ? fail(err, "sync", l->book.path) : 0;
}

static int lock(struct priv_ledger *l, const char *dir, struct atl_error *err)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof(path), "%s/privacy.lock", dir);
    if (n < 0 || (size_t)n >= sizeof(path))
        return atl_error_set(err, -ENAMETOOLONG, "ledger folder %s: name too long", dir);
    l->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (l->lock_fd < 0)
        return fail(err, "open", path);
    if (flock(l->lock_fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    if (errno != EWOULDBLOCK)
        return fail(err, "lock", path);
    return atl_error_set(err, -EAGAIN, "%s is in use by another process", l->book.path);
}

/** @param may_begin  whether neither file may be there */
static int load(struct priv_ledger *l, bool may_begin, struct atl_error *err)
{
    struct ledger_book *book = &l->book;
    struct ledger_link anchor;
    size_t whole, bytes;
    int r = priv_ledger_book_anchor(book, &anchor, err);
    if (r == 0)
        r = priv_ledger_book_read(book, &anchor, &whole, &bytes, err);
    bool fresh = r == -ENOENT;
    if (r < 0 && !(fresh && may_begin))
        return r;
    l->fd = open(book->path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW | (fresh ? O_CREAT : 0),
                 0600);
    if (l->fd < 0)
        return fail(err, "open", book->path);
    if (fresh)
        return 0;
    if (whole < bytes && (ftruncate(l->fd, (off_t)whole) < 0 || fsync(l->fd) < 0))
        return fail(err, "cut the torn end of", book->path);
    return priv_ledger_same_link(&book->link, &anchor) ? 0 : anchor_write(book, err);
}

static int head_write(struct priv_ledger *l, const struct priv_ledger_config *cfg,
                      struct atl_error *err)
{
    struct ledger_head *head = &l->book.head;
    atl_copy(head->owner, sizeof(head->owner), cfg->owner);
    atl_copy(head->unit, sizeof(head->unit), cfg->unit);
    head->delta = cfg->delta;
    head->accountant = cfg->accountant;
    atl_clock_format(atl_clock_wall_ns(), head->time);
    char line[LEDGER_LINE_BYTES];
    int r = append(l, line, priv_ledger_head_write(line, head, &l->book.link), err);
    return r < 0 ? r : anchor_write(&l->book, err);
}

static int head_check(const struct priv_ledger *l, const struct priv_ledger_config *cfg,
                      struct atl_error *err)
{
    const struct ledger_head *head = &l->book.head;
    if (strcmp(head->owner, cfg->owner) != 0)
        return atl_error_set(err, -EINVAL, "%s belongs to %s, not to %s", l->book.path, head->owner,
                             cfg->owner);
    if (strcmp(head->unit, cfg->unit) != 0)
        return atl_error_set(err, -EINVAL, "%s counts per %s, not per %s", l->book.path, head->unit,
                             cfg->unit);
    if (head->delta != cfg->delta)
        return atl_error_set(err, -EINVAL, "%s was begun with delta %g, not %g", l->book.path,
                             head->delta, cfg->delta);
    return 0;
}

static int open_locked(struct priv_ledger *l, const struct priv_ledger_config *cfg,
                       struct atl_error *err)
{
    int r = load(l, true, err);
    if (r < 0)
        return r;
    r = l->book.link.seq == UINT64_MAX ? head_write(l, cfg, err) : head_check(l, cfg, err);
    if (r < 0)
        return r;
    /* another accountant may read the same events: both bounds are true */
    l->book.head.accountant = cfg->accountant;
    l->head = l->book.head;
    l->budget = cfg->budget_epsilon;
    l->spent = INFINITY;
    r = priv_ledger_book_epsilon(&l->book, cfg->accountant, NULL, &l->spent, err);
    return r == -ERANGE ? 0 : r;
}

/* After a failed write the disk alone knows what was charged; we have had the lock all the time. */
static int read_again(struct priv_ledger *l, struct atl_error *err)
{
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
    priv_ledger_book_finish(&l->book);
    int r = priv_ledger_book_init(&l->book, l->dir, err);
    if (r == 0)
        r = load(l, false, err);
    if (r == 0 &&
        (strcmp(l->book.head.owner, l->head.owner) != 0 ||
         strcmp(l->book.head.unit, l->head.unit) != 0 || l->book.head.delta != l->head.delta))
        r = atl_error_set(err, -EBADMSG, "%s is not the one that was opened", l->book.path);
    l->book.head.accountant = l->head.accountant;
    double spent = INFINITY;
    if (r == 0)
        r = priv_ledger_book_epsilon(&l->book, l->head.accountant, NULL, &spent, err);
    if (r < 0 && r != -ERANGE)
        return r;
    l->spent = spent;
    l->unsure = false;
    return 0;
}

int priv_ledger_open(struct priv_ledger **ret_ledger, const struct priv_ledger_config *cfg,
                     struct atl_error *err)
{
    int r = config_check(cfg, err);
    if (r < 0)
        return r;
    r = atl_dir_make(cfg->dir, err);
    if (r == 0)
        r = atl_file_sync_dir(cfg->dir, err); /* the folder's own entry */
    if (r < 0)
        return r;
    struct priv_ledger *l = calloc(1, sizeof(*l));
    if (l == NULL)
        return atl_error_set(err, -ENOMEM, "ledger in %s: out of memory", cfg->dir);
    l->lock_fd = l->fd = -1;
    if (!atl_copy(l->dir, sizeof(l->dir), cfg->dir))
        r = atl_error_set(err, -ENAMETOOLONG, "ledger folder %.80s…: name too long", cfg->dir);
    if (r == 0)
        r = priv_ledger_book_init(&l->book, cfg->dir, err);
    if (r == 0)
        r = lock(l, cfg->dir, err);
    if (r == 0) {
        atl_dir_sweep(cfg->dir);
        r = open_locked(l, cfg, err);
    }
    if (r < 0) {
        priv_ledger_close(l);
        return r;
    }
    *ret_ledger = l;
    return 0;
}

void priv_ledger_close(struct priv_ledger *l)
{
    if (l == NULL)
        return;
    if (l->fd >= 0)
        close(l->fd);
    if (l->lock_fd >= 0)
        close(l->lock_fd);
    priv_ledger_book_finish(&l->book);
    free(l);
}

/* --- charge --- */

int priv_ledger_epsilon_after(const struct priv_ledger *l, const struct priv_event *event,
                              double *ret_epsilon)
{
    int r = priv_event_check(event, NULL);
    if (r < 0)
        return r;
    return priv_ledger_book_epsilon(&l->book, l->book.head.accountant, event, ret_epsilon, NULL);
}

/* May this charge be made? @return 0 with the ε that would stand, or why not */
static int charge_check(const struct priv_ledger *l, const struct priv_charge *charge,
                        double *ret_epsilon, struct atl_error *err)
{
    int r = priv_event_check(&charge->event, err);
    if (r == 0 && charge->event.mechanism > PRIV_LAPLACE)
        r = atl_error_set(err, -EINVAL, "mechanism: %s cannot be charged round by round",
                          priv_mechanism_name(charge->event.mechanism));
    if (r < 0)
        return r;
    size_t length = strnlen(charge->federation, sizeof(charge->federation));
    if (length == 0 || length == sizeof(charge->federation))
        return atl_error_set(err, -EINVAL, "federation: 1 to %zu bytes expected",
                             sizeof(charge->federation) - 1);
    const struct priv_charge *known = priv_ledger_book_find(&l->book, charge);
    if (known != NULL) {
        const struct priv_event *a = &known->event, *b = &charge->event;
        if (a->mechanism == b->mechanism && a->q == b->q && a->sigma == b->sigma &&
            a->steps == b->steps)
            return -EALREADY;
        return atl_error_set(err, -EINVAL,
                             "round %" PRIu64 " of %s was charged with other numbers already",
                             charge->round, charge->federation);
    }
    if (l->book.n_lines == LEDGER_CHARGES_MAX)
        return atl_error_set(err, -ENOSPC, "%s is full: %u charges", l->book.path,
                             LEDGER_CHARGES_MAX);

    double epsilon = INFINITY;
    r = priv_ledger_epsilon_after(l, &charge->event, &epsilon);
    if (r < 0 && r != -ERANGE)
        return atl_error_set(err, r, "%s: cannot account for the charge: %s", l->book.path,
                             strerror(-r));
    if (!(epsilon <= l->budget))
        return atl_error_set(err, -EDQUOT,
                             "privacy budget: epsilon would be %.4g, %.4g is allowed and %.4g is "
                             "spent (delta %g, per %s)",
                             epsilon, l->budget, l->spent, l->book.head.delta, l->book.head.unit);
    *ret_epsilon = epsilon;
    return 0;
}

int priv_ledger_charge(struct priv_ledger *l, const struct priv_charge *charge,
                       struct atl_error *err)
{
    struct ledger_entry entry = {.charge = *charge};
    int r = l->unsure ? read_again(l, err) : 0;
    if (r == 0)
        r = charge_check(l, charge, &entry.epsilon, err);
    if (r < 0)
        return r;
    atl_copy(entry.owner, sizeof(entry.owner), l->book.head.owner);
    atl_copy(entry.unit, sizeof(entry.unit), l->book.head.unit);
    atl_clock_format(atl_clock_wall_ns(), entry.time);

    /* memory first: it can fail without a trace on disk, and counting too much is safe */
    struct priv_ledger_line kept = {.charge = *charge, .epsilon = entry.epsilon};
    atl_copy(kept.time, sizeof(kept.time), entry.time);
    r = priv_ledger_book_add(&l->book, &kept, err);
    if (r < 0)
        return r;
    l->spent = entry.epsilon;

    char line[LEDGER_LINE_BYTES];
    r = append(l, line, priv_ledger_entry_write(line, &entry, &l->book.link), err);
    if (r == 0)
        r = anchor_write(&l->book, err);
    if (r < 0)
        l->unsure = true;
    return r;
}

double priv_ledger_epsilon(const struct priv_ledger *l)
{
    return l->spent;
}

uint64_t priv_ledger_entries(const struct priv_ledger *l)
{
    return l->book.n_lines;
}

bool priv_ledger_holds(const struct priv_ledger *l, const char *federation, uint64_t epoch,
                       uint64_t round)
{
    struct priv_charge wanted = {.epoch = epoch, .round = round};
    return atl_copy(wanted.federation, sizeof(wanted.federation), federation) &&
           priv_ledger_book_find(&l->book, &wanted) != NULL;
}
