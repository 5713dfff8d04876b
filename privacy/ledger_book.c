/* SPDX-License-Identifier: Apache-2.0 */
/* What a ledger's two files say, read and verified. Writes nothing. */
#include "privacy/ledger_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "privacy/accountant_priv.h"

#define BYTES_MAX (128u << 20)

/* A running writer may add a line between two reads of ours. */
#define VERIFY_TRIES 10

static int path_set(char out[PATH_MAX], const char *dir, const char *name, struct atl_error *err)
{
    int n = snprintf(out, PATH_MAX, "%s/%s", dir, name);
    if (n < 0 || n >= PATH_MAX)
        return atl_error_set(err, -ENAMETOOLONG, "ledger folder %s: name too long", dir);
    return 0;
}

int priv_ledger_book_init(struct ledger_book *b, const char *dir, struct atl_error *err)
{
    *b = (struct ledger_book){0};
    priv_ledger_link_init(&b->link);
    int r = path_set(b->path, dir, "privacy.ledger", err);
    return r < 0 ? r : path_set(b->anchor, dir, "privacy.anchor", err);
}

void priv_ledger_book_finish(struct ledger_book *b)
{
    free(b->lines);
}

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

int priv_ledger_book_add(struct ledger_book *b, const struct priv_ledger_line *line,
                         struct atl_error *err)
{
    if (b->n_lines == LEDGER_CHARGES_MAX)
        return atl_error_set(err, -ENOSPC, "%s is full: %u charges", b->path, LEDGER_CHARGES_MAX);
    if (b->n_lines == b->room) {
        size_t room = b->room == 0 ? 64 : 2 * b->room;
        struct priv_ledger_line *grown = realloc(b->lines, room * sizeof(*grown));
        if (grown == NULL)
            return atl_error_set(err, -ENOMEM, "%s: out of memory", b->path);
        b->lines = grown;
        b->room = room;
    }
    if (event_add(b->events, &b->n_events, PRIV_EVENTS_MAX, &line->charge.event) < 0)
        return atl_error_set(err, -ENOSPC, "%s: more than %d different events", b->path,
                             PRIV_EVENTS_MAX);
    b->lines[b->n_lines++] = *line;
    return 0;
}

const struct priv_charge *priv_ledger_book_find(const struct ledger_book *b,
                                                const struct priv_charge *wanted)
{
    for (size_t i = b->n_lines; i-- > 0;) {
        const struct priv_charge *c = &b->lines[i].charge;
        if (c->round == wanted->round && c->epoch == wanted->epoch &&
            strcmp(c->federation, wanted->federation) == 0)
            return c;
    }
    return NULL;
}

static int line_apply(struct ledger_book *b, const char *line, struct atl_error *err)
{
    if (b->link.seq == UINT64_MAX)
        return priv_ledger_head_read(line, &b->head, &b->link, err);
    struct ledger_entry entry;
    int r = priv_ledger_entry_read(line, &entry, &b->link, err);
    if (r < 0)
        return r;
    if (strcmp(entry.owner, b->head.owner) != 0 || strcmp(entry.unit, b->head.unit) != 0)
        return atl_error_set(err, -EBADMSG, "another owner or unit than in the first line");
    struct priv_ledger_line kept = {.charge = entry.charge, .epsilon = entry.epsilon};
    atl_copy(kept.time, sizeof(kept.time), entry.time);
    return priv_ledger_book_add(b, &kept, err);
}

bool priv_ledger_same_link(const struct ledger_link *a, const struct ledger_link *b)
{
    return a->seq == b->seq && strcmp(a->hash, b->hash) == 0;
}

/*
 * Read all lines; *ret_bytes is how much of the text is whole. Stops without error before a last,
 * broken line that lies behind the anchor.
 */
static int replay(struct ledger_book *b, char *text, size_t bytes, const struct ledger_link *anchor,
                  size_t *ret_bytes, struct atl_error *err)
{
    size_t at = 0;
    bool anchored = priv_ledger_same_link(&b->link, anchor),
         met = anchored; /* true before a first line */
    for (uint64_t number = 1; at < bytes; number++) {
        char *end = memchr(text + at, '\n', bytes - at);
        bool last = end == NULL || end + 1 == text + bytes;
        struct atl_error why;
        int r = end != NULL ? 0 : atl_error_set(&why, -EBADMSG, "torn: it has no end");
        if (r == 0) {
            *end = '\0';
            r = strlen(text + at) == (size_t)(end - text) - at
                    ? line_apply(b, text + at, &why)
                    : atl_error_set(&why, -EBADMSG, "holds a zero byte");
        }
        if (r == -EBADMSG && last && anchored)
            break;
        if (r < 0)
            return atl_error_set(err, r,
                                 "%s:%" PRIu64 ": %s; nothing is charged or released until the "
                                 "file is restored from backup",
                                 b->path, number, why.text);
        at = (size_t)(end - text) + 1;
        /* one line ahead of the anchor is as far as a crash can bring it */
        if (anchored && !last)
            return atl_error_set(
                err, -EBADMSG,
                "%s is more than one line ahead of %s: the anchor is gone or an old copy; "
                "restore both from the same backup",
                b->path, b->anchor);
        anchored = priv_ledger_same_link(&b->link, anchor);
        met = met || anchored;
    }
    if (!met && (b->link.seq == UINT64_MAX || b->link.seq < anchor->seq))
        return atl_error_set(err, -EBADMSG,
                             "%s is rolled back or shortened: %zu charges, %" PRIu64
                             " were made; restore it from backup",
                             b->path, b->n_lines, anchor->seq);
    if (!met)
        return atl_error_set(err, -EBADMSG, "%s is not the ledger of %s; restore it from backup",
                             b->path, b->anchor);
    *ret_bytes = at;
    return 0;
}

int priv_ledger_book_anchor(const struct ledger_book *b, struct ledger_link *ret_link,
                            struct atl_error *err)
{
    uint8_t *text;
    size_t bytes;
    int r = atl_file_read(b->anchor, LEDGER_LINE_BYTES - 1, &text, &bytes, err);
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
                             b->anchor);
    return 0;
}

int priv_ledger_book_read(struct ledger_book *b, const struct ledger_link *anchor,
                          size_t *ret_whole, size_t *ret_bytes, struct atl_error *err)
{
    uint8_t *text;
    int r = atl_file_read(b->path, BYTES_MAX, &text, ret_bytes, err);
    if (r == -ENOENT && anchor->seq != UINT64_MAX)
        return atl_error_set(err, -EBADMSG,
                             "%s is missing but %s says that %" PRIu64
                             " charges were made; restore it from backup",
                             b->path, b->anchor, anchor->seq);
    if (r < 0)
        return r;
    r = replay(b, (char *)text, *ret_bytes, anchor, ret_whole, err);
    free(text);
    return r;
}

int priv_ledger_book_epsilon(const struct ledger_book *b, enum priv_accountant accountant,
                             const struct priv_event *more, double *ret_epsilon,
                             struct atl_error *err)
{
    size_t n = b->n_events;
    struct priv_event *events = malloc((n + 1) * sizeof(*events));
    if (events == NULL)
        return atl_error_set(err, -ENOMEM, "%s: out of memory", b->path);
    memcpy(events, b->events, n * sizeof(*events));
    int r = more != NULL ? event_add(events, &n, PRIV_EVENTS_MAX, more) : 0;
    if (r == 0)
        r = priv_epsilon(accountant, events, n, b->head.delta, ret_epsilon, err);
    free(events);
    return r;
}

/* --- without opening --- */

static int verify_once(struct ledger_book *b, struct ledger_link *anchor,
                       struct priv_ledger_summary *ret, struct atl_error *err)
{
    size_t whole = 0, bytes = 0;
    int r = priv_ledger_book_anchor(b, anchor, err);
    if (r == 0)
        r = priv_ledger_book_read(b, anchor, &whole, &bytes, err);
    if (r == 0 && b->link.seq == UINT64_MAX)
        r = atl_error_set(err, -ENOENT, "%s is empty: no ledger was begun", b->path);
    if (r < 0)
        return r;
    *ret = (struct priv_ledger_summary){.charges = b->n_lines,
                                        .delta = b->head.delta,
                                        .torn = whole < bytes,
                                        .ahead = !priv_ledger_same_link(&b->link, anchor)};
    atl_copy(ret->owner, sizeof(ret->owner), b->head.owner);
    atl_copy(ret->unit, sizeof(ret->unit), b->head.unit);
    atl_copy(ret->began, sizeof(ret->began), b->head.time);
    atl_copy(ret->hash, sizeof(ret->hash), b->link.hash);
    static const enum priv_accountant both[] = {PRIV_RDP, PRIV_PLD};
    for (size_t i = 0; i < ATL_ARRAY_LEN(both); i++) {
        ret->epsilon[both[i]] = INFINITY;
        r = priv_ledger_book_epsilon(b, both[i], NULL, &ret->epsilon[both[i]], err);
        if (r < 0 && r != -ERANGE)
            return r;
    }
    return 0;
}

int priv_ledger_verify(const char *dir, struct priv_ledger_summary *ret_summary,
                       priv_ledger_visit visit, void *ctx, struct atl_error *err)
{
    struct ledger_book *b = malloc(sizeof(*b));
    if (b == NULL)
        return atl_error_set(err, -ENOMEM, "ledger in %s: out of memory", dir);
    int r = -EBADMSG;
    for (int i = 0; i < VERIFY_TRIES; i++) {
        struct ledger_link before, after;
        r = priv_ledger_book_init(b, dir, err);
        if (r < 0)
            break;
        r = verify_once(b, &before, ret_summary, err);
        if (r != -EBADMSG || priv_ledger_book_anchor(b, &after, NULL) < 0 ||
            priv_ledger_same_link(&before, &after))
            break;
        priv_ledger_book_finish(b);
        b->lines = NULL;
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    for (size_t i = 0; r == 0 && visit != NULL && i < b->n_lines; i++)
        visit(ctx, &b->lines[i]);
    priv_ledger_book_finish(b);
    free(b);
    return r;
}
