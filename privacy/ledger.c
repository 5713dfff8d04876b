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

#define CHARGES_MAX (1u << 17)
#define BYTES_MAX   (128u << 20)

struct priv_ledger {
    char path[PATH_MAX], anchor[PATH_MAX];
    int lock_fd, fd;
    bool refusing; /* a write failed: what is on disk is not known until reopened */
    struct ledger_head head;
    double budget;
    double spent;
    struct ledger_link link;
    struct priv_charge *charges;
    size_t n_charges, room;
    struct priv_event events[PRIV_EVENTS_MAX + 1]; /* equal ones together; one more to try */
    size_t n_events;
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

static int path_set(char out[PATH_MAX], const char *dir, const char *name, struct atl_error *err)
{
    int n = snprintf(out, PATH_MAX, "%s/%s", dir, name);
    if (n < 0 || n >= PATH_MAX)
        return atl_error_set(err, -ENAMETOOLONG, "ledger folder %s: name too long", dir);
    return 0;
}

/* --- what is in the file --- */

/* Add to events, equal ones together; -ENOSPC when there are too many */
static int event_add(struct priv_event *events, size_t *n, size_t max,
                     const struct priv_event *event)
{
    for (size_t i = 0; i < *n; i++) {
        struct priv_event *e = &events[i];
        if (e->mechanism != event->mechanism || e->q != event->q || e->sigma != event->sigma)
            continue;
        if (event->steps > PRIV_STEPS_MAX - e->steps)
            return -ENOSPC;
        e->steps += event->steps;
        return 0;
    }
    if (*n == max)
        return -ENOSPC;
    events[(*n)++] = *event;
    return 0;
}

static int charge_add(struct priv_ledger *l, const struct priv_charge *charge,
                      struct atl_error *err)
{
    if (l->n_charges == CHARGES_MAX)
        return atl_error_set(err, -ENOSPC, "%s is full: %u charges", l->path, CHARGES_MAX);
    if (l->n_charges == l->room) {
        size_t room = l->room == 0 ? 64 : 2 * l->room;
        struct priv_charge *grown = realloc(l->charges, room * sizeof(*grown));
        if (grown == NULL)
            return atl_error_set(err, -ENOMEM, "%s: out of memory", l->path);
        l->charges = grown;
        l->room = room;
    }
    if (event_add(l->events, &l->n_events, PRIV_EVENTS_MAX, &charge->event) < 0)
        return atl_error_set(err, -ENOSPC, "%s: more than %d different events", l->path,
                             PRIV_EVENTS_MAX);
    l->charges[l->n_charges++] = *charge;
    return 0;
}

static const struct priv_charge *charge_find(const struct priv_ledger *l,
                                             const struct priv_charge *wanted)
{
    for (size_t i = l->n_charges; i-- > 0;) {
        const struct priv_charge *c = &l->charges[i];
        if (c->round == wanted->round && c->epoch == wanted->epoch &&
            strcmp(c->federation, wanted->federation) == 0)
            return c;
    }
    return NULL;
}

static int line_apply(struct priv_ledger *l, const char *line, struct atl_error *err)
{
    if (l->link.seq == UINT64_MAX)
        return priv_ledger_head_read(line, &l->head, &l->link, err);
    struct ledger_entry entry;
    int r = priv_ledger_entry_read(line, &entry, &l->link, err);
    if (r < 0)
        return r;
    if (strcmp(entry.owner, l->head.owner) != 0 || strcmp(entry.unit, l->head.unit) != 0)
        return atl_error_set(err, -EBADMSG, "another owner or unit than in the first line");
    return charge_add(l, &entry.charge, err);
}

static bool same_link(const struct ledger_link *a, const struct ledger_link *b)
{
    return a->seq == b->seq && strcmp(a->hash, b->hash) == 0;
}

/*
 * Read all lines; *ret_bytes is how much of the text is whole. Stops without error before a last,
 * broken line that lies behind the anchor.
 */
static int replay(struct priv_ledger *l, char *text, size_t bytes, const struct ledger_link *anchor,
                  size_t *ret_bytes, struct atl_error *err)
{
    size_t at = 0;
    bool anchored = same_link(&l->link, anchor), met = anchored; /* true before a first line */
    for (uint64_t number = 1; at < bytes; number++) {
        char *end = memchr(text + at, '\n', bytes - at);
        bool last = end == NULL || end + 1 == text + bytes;
        struct atl_error why;
        int r = end != NULL ? 0 : atl_error_set(&why, -EBADMSG, "torn: it has no end");
        if (r == 0) {
            *end = '\0';
            r = strlen(text + at) == (size_t)(end - text) - at
                    ? line_apply(l, text + at, &why)
                    : atl_error_set(&why, -EBADMSG, "holds a zero byte");
        }
        if (r == -EBADMSG && last && anchored)
            break;
        if (r < 0)
            return atl_error_set(err, r,
                                 "%s:%" PRIu64 ": %s; nothing is charged or released until the "
                                 "file is restored from backup",
                                 l->path, number, why.text);
        at = (size_t)(end - text) + 1;
        /* one line ahead of the anchor is as far as a crash can bring it */
        if (anchored && !last)
            return atl_error_set(
                err, -EBADMSG,
                "%s is more than one line ahead of %s: the anchor is gone or an old copy; "
                "restore both from the same backup",
                l->path, l->anchor);
        anchored = same_link(&l->link, anchor);
        met = met || anchored;
    }
    if (!met && (l->link.seq == UINT64_MAX || l->link.seq < anchor->seq))
        return atl_error_set(err, -EBADMSG,
                             "%s is rolled back or shortened: %zu charges, %" PRIu64
                             " were made; restore it from backup",
                             l->path, l->n_charges, anchor->seq);
    if (!met)
        return atl_error_set(err, -EBADMSG, "%s is not the ledger of %s; restore it from backup",
                             l->path, l->anchor);
    *ret_bytes = at;
    return 0;
}

/* --- open --- */

static int anchor_read(const struct priv_ledger *l, struct ledger_link *ret_link,
                       struct atl_error *err)
{
    uint8_t *text;
    size_t bytes;
    int r = atl_file_read(l->anchor, LEDGER_LINE_BYTES - 1, &text, &bytes, err);
    if (r == -ENOENT) {
        priv_ledger_link_init(ret_link);
        return 0;
    }
    if (r < 0)
        return r;
    r = strlen((char *)text) == bytes ? priv_ledger_anchor_read((char *)text, ret_link) : -EBADMSG;
    free(text);
    if (r < 0)
        return atl_error_set(err, r, "%s: edited; restore it and the ledger from the same backup",
                             l->anchor);
    return 0;
}

static int anchor_write(const struct priv_ledger *l, struct atl_error *err)
{
    char text[LEDGER_LINE_BYTES];
    return atl_file_write(l->anchor, text, priv_ledger_anchor_write(text, &l->link), 0600, err);
}

static int append(const struct priv_ledger *l, const char *line, size_t bytes,
                  struct atl_error *err)
{
    while (bytes > 0) {
        ssize_t n = write(l->fd, line, bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail(err, "append to", l->path);
        line += n;
        bytes -= (size_t)n;
    }
    return fsync(l->fd) < 0 ? fail(err, "sync", l->path) : 0;
}

static int lock(struct priv_ledger *l, const char *dir, struct atl_error *err)
{
    char path[PATH_MAX];
    int r = path_set(path, dir, "privacy.lock", err);
    if (r < 0)
        return r;
    l->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (l->lock_fd < 0)
        return fail(err, "open", path);
    if (flock(l->lock_fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    if (errno != EWOULDBLOCK)
        return fail(err, "lock", path);
    return atl_error_set(err, -EAGAIN, "%s is in use by another process", l->path);
}

static int load(struct priv_ledger *l, struct atl_error *err)
{
    struct ledger_link anchor;
    int r = anchor_read(l, &anchor, err);
    if (r < 0)
        return r;
    bool fresh = anchor.seq == UINT64_MAX;
    l->fd =
        open(l->path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW | (fresh ? O_CREAT : 0), 0600);
    if (l->fd < 0 && errno == ENOENT)
        return atl_error_set(err, -EBADMSG,
                             "%s is missing but %s says that %" PRIu64
                             " charges were made; restore "
                             "it from backup",
                             l->path, l->anchor, anchor.seq);
    if (l->fd < 0)
        return fail(err, "open", l->path);

    uint8_t *text;
    size_t bytes, whole = 0;
    r = atl_file_read(l->path, BYTES_MAX, &text, &bytes, err);
    if (r < 0)
        return r;
    r = replay(l, (char *)text, bytes, &anchor, &whole, err);
    free(text);
    if (r < 0)
        return r;
    if (whole < bytes && (ftruncate(l->fd, (off_t)whole) < 0 || fsync(l->fd) < 0))
        return fail(err, "cut the torn end of", l->path);
    return same_link(&l->link, &anchor) ? 0 : anchor_write(l, err);
}

static int head_write(struct priv_ledger *l, const struct priv_ledger_config *cfg,
                      struct atl_error *err)
{
    struct ledger_head *head = &l->head;
    atl_copy(head->owner, sizeof(head->owner), cfg->owner);
    atl_copy(head->unit, sizeof(head->unit), cfg->unit);
    head->delta = cfg->delta;
    head->accountant = cfg->accountant;
    atl_clock_format(atl_clock_wall_ns(), head->time);
    char line[LEDGER_LINE_BYTES];
    int r = append(l, line, priv_ledger_head_write(line, head, &l->link), err);
    return r < 0 ? r : anchor_write(l, err);
}

static int head_check(const struct priv_ledger *l, const struct priv_ledger_config *cfg,
                      struct atl_error *err)
{
    const struct ledger_head *head = &l->head;
    if (strcmp(head->owner, cfg->owner) != 0)
        return atl_error_set(err, -EINVAL, "%s belongs to %s, not to %s", l->path, head->owner,
                             cfg->owner);
    if (strcmp(head->unit, cfg->unit) != 0)
        return atl_error_set(err, -EINVAL, "%s counts per %s, not per %s", l->path, head->unit,
                             cfg->unit);
    if (head->delta != cfg->delta)
        return atl_error_set(err, -EINVAL, "%s was begun with delta %g, not %g", l->path,
                             head->delta, cfg->delta);
    return 0;
}

static int open_locked(struct priv_ledger *l, const struct priv_ledger_config *cfg,
                       struct atl_error *err)
{
    int r = load(l, err);
    if (r < 0)
        return r;
    r = l->link.seq == UINT64_MAX ? head_write(l, cfg, err) : head_check(l, cfg, err);
    if (r < 0)
        return r;
    /* another accountant may read the same events: both bounds are true */
    l->head.accountant = cfg->accountant;
    l->budget = cfg->budget_epsilon;
    l->spent = INFINITY;
    r = priv_epsilon(cfg->accountant, l->events, l->n_events, cfg->delta, &l->spent, err);
    return r == -ERANGE ? 0 : r;
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
    priv_ledger_link_init(&l->link);

    r = path_set(l->path, cfg->dir, "privacy.ledger", err);
    if (r == 0)
        r = path_set(l->anchor, cfg->dir, "privacy.anchor", err);
    if (r == 0)
        r = lock(l, cfg->dir, err);
    if (r == 0)
        r = open_locked(l, cfg, err);
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
    free(l->charges);
    free(l);
}

/* --- charge --- */

int priv_ledger_epsilon_after(const struct priv_ledger *l, const struct priv_event *event,
                              double *ret_epsilon)
{
    int r = priv_event_check(event, NULL);
    if (r < 0)
        return r;
    size_t n = l->n_events;
    struct priv_event *events = malloc((n + 1) * sizeof(*events));
    if (events == NULL)
        return -ENOMEM;
    memcpy(events, l->events, n * sizeof(*events));
    r = event_add(events, &n, PRIV_EVENTS_MAX, event);
    if (r == 0)
        r = priv_epsilon(l->head.accountant, events, n, l->head.delta, ret_epsilon, NULL);
    free(events);
    return r;
}

/* May this charge be made? @return 0 with the ε that would stand, or why not */
static int charge_check(const struct priv_ledger *l, const struct priv_charge *charge,
                        double *ret_epsilon, struct atl_error *err)
{
    if (l->refusing)
        return atl_error_set(err, -EIO, "%s: an earlier write failed; reopen it first", l->path);
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
    const struct priv_charge *known = charge_find(l, charge);
    if (known != NULL) {
        const struct priv_event *a = &known->event, *b = &charge->event;
        if (a->mechanism == b->mechanism && a->q == b->q && a->sigma == b->sigma &&
            a->steps == b->steps)
            return -EALREADY;
        return atl_error_set(err, -EINVAL,
                             "round %" PRIu64 " of %s was charged with other numbers already",
                             charge->round, charge->federation);
    }
    if (l->n_charges == CHARGES_MAX)
        return atl_error_set(err, -ENOSPC, "%s is full: %u charges", l->path, CHARGES_MAX);

    double epsilon = INFINITY;
    r = priv_ledger_epsilon_after(l, &charge->event, &epsilon);
    if (r < 0 && r != -ERANGE)
        return atl_error_set(err, r, "%s: cannot account for the charge: %s", l->path,
                             strerror(-r));
    if (!(epsilon <= l->budget))
        return atl_error_set(err, -EDQUOT,
                             "privacy budget: epsilon would be %.4g, %.4g is allowed and %.4g is "
                             "spent (delta %g, per %s)",
                             epsilon, l->budget, l->spent, l->head.delta, l->head.unit);
    *ret_epsilon = epsilon;
    return 0;
}

int priv_ledger_charge(struct priv_ledger *l, const struct priv_charge *charge,
                       struct atl_error *err)
{
    struct ledger_entry entry = {.charge = *charge};
    int r = charge_check(l, charge, &entry.epsilon, err);
    if (r < 0)
        return r;
    atl_copy(entry.owner, sizeof(entry.owner), l->head.owner);
    atl_copy(entry.unit, sizeof(entry.unit), l->head.unit);
    atl_clock_format(atl_clock_wall_ns(), entry.time);

    /* memory first: it can fail without a trace on disk, and counting too much is safe */
    r = charge_add(l, charge, err);
    if (r < 0)
        return r;
    l->spent = entry.epsilon;

    char line[LEDGER_LINE_BYTES];
    r = append(l, line, priv_ledger_entry_write(line, &entry, &l->link), err);
    if (r == 0)
        r = anchor_write(l, err);
    if (r < 0)
        l->refusing = true;
    return r;
}

double priv_ledger_epsilon(const struct priv_ledger *l)
{
    return l->spent;
}

uint64_t priv_ledger_entries(const struct priv_ledger *l)
{
    return l->n_charges;
}
