/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lines of a ledger. Both kinds are key=value fields in fixed order, one blank between them,
 * readable without a tool:
 *
 *   seq=0 prev=00… format=atalaya-ledger-1 owner=tower-7 unit=flow delta=1.0000000000000001e-05
 *     accountant=pld time=2026-11-21T00:16:00.000000Z hash=5b…
 *   seq=1 prev=5b… owner=tower-7 unit=flow federation=coast epoch=1 round=1
 *     mechanism=poisson_gaussian q=… sigma=… steps=50 epsilon=… time=… hash=9c…
 *
 * hash is BLAKE2b-256 of the line up to the blank before "hash="; prev is the hash of the line
 * before. In names every byte but letters, digits and "._~:/-" is written %XX. `epsilon` (spent
 * with this charge) and `time` inform people and decide nothing.
 */
#ifndef PRIV_LEDGER_PRIV_H
#define PRIV_LEDGER_PRIV_H

#include "privacy/privacy.h"

#include <limits.h>

#define LEDGER_NAME_BYTES 64
#define LEDGER_LINE_BYTES 1536 /* with newline and terminator */
#define LEDGER_HASH_BYTES 65   /* hex and terminator */

/** Where the chain stands: the last line's number and hash. */
struct ledger_link {
    uint64_t seq;
    char hash[LEDGER_HASH_BYTES];
};

struct ledger_head {
    char owner[LEDGER_NAME_BYTES], unit[LEDGER_NAME_BYTES];
    double delta;
    enum priv_accountant accountant;
    char time[ATL_TIME_TEXT_BYTES];
};

struct ledger_entry {
    char owner[LEDGER_NAME_BYTES], unit[LEDGER_NAME_BYTES];
    struct priv_charge charge;
    double epsilon;
    char time[ATL_TIME_TEXT_BYTES];
};

/**
 * Write the line that follows *link, newline included, and move *link on.
 * @return its length
 */
size_t priv_ledger_head_write(char out[LEDGER_LINE_BYTES], const struct ledger_head *head,
                              struct ledger_link *link);
size_t priv_ledger_entry_write(char out[LEDGER_LINE_BYTES], const struct ledger_entry *entry,
                               struct ledger_link *link);

/**
 * Read one line (no newline, terminated), which must follow *link to the byte; moves *link on.
 * @return 0, or -EBADMSG with what is wrong, without the place, in *err
 */
int priv_ledger_head_read(const char *line, struct ledger_head *ret_head, struct ledger_link *link,
                          struct atl_error *err);
int priv_ledger_entry_read(const char *line, struct ledger_entry *ret_entry,
                           struct ledger_link *link, struct atl_error *err);

/** The link before the first line: number -1 (wrapping) and sixty-four zeros. */
void priv_ledger_link_init(struct ledger_link *link);

bool priv_ledger_same_link(const struct ledger_link *a, const struct ledger_link *b);

/** The anchor is one line too: "format=atalaya-anchor-1 seq=… hash=…". */
size_t priv_ledger_anchor_write(char out[LEDGER_LINE_BYTES], const struct ledger_link *link);
int priv_ledger_anchor_read(const char *text, struct ledger_link *ret_link);

#define LEDGER_CHARGES_MAX (1u << 17)

/** Everything that a ledger's two files say. */
struct ledger_book {
    char path[PATH_MAX], anchor[PATH_MAX];
    struct ledger_head head;
    struct ledger_link link;
    struct priv_ledger_line *lines;
    size_t n_lines, room;
    struct priv_event events[PRIV_EVENTS_MAX]; /* equal ones together */
    size_t n_events;
};

int priv_ledger_book_init(struct ledger_book *book, const char *dir, struct atl_error *err);
void priv_ledger_book_finish(struct ledger_book *book);
/** The anchor's link, or the one before a first line when there is no anchor. */
int priv_ledger_book_anchor(const struct ledger_book *book, struct ledger_link *ret_link,
                            struct atl_error *err);
/**
 * Read every line into a fresh book and check chain and anchor. A last, broken line behind the
 * anchor was never released: it is not read and no error (*ret_whole < *ret_bytes).
 * @return 0, -ENOENT (neither file), -EBADMSG, -ENOSPC, -ENOMEM, -EIO …
 */
int priv_ledger_book_read(struct ledger_book *book, const struct ledger_link *anchor,
                          size_t *ret_whole, size_t *ret_bytes, struct atl_error *err);
int priv_ledger_book_add(struct ledger_book *book, const struct priv_ledger_line *line,
                         struct atl_error *err);
/** The charge of the same federation, epoch and round, or NULL. */
const struct priv_charge *priv_ledger_book_find(const struct ledger_book *book,
                                                const struct priv_charge *wanted);
/** ε of all charges, and of one more unless it is NULL. @return 0, -ENOSPC, -ERANGE, -ENOMEM */
int priv_ledger_book_epsilon(const struct ledger_book *book, enum priv_accountant accountant,
                             const struct priv_event *more, double *ret_epsilon,
                             struct atl_error *err);

#endif
