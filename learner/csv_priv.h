/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reader of comma-separated records (RFC 4180), plain or gzip: quotes, doubled quotes, line
 * breaks inside quotes, CRLF, a byte order mark, blank lines skipped. Memory is bounded by one
 * record.
 */
#ifndef LEARN_CSV_PRIV_H
#define LEARN_CSV_PRIV_H

#include "base/base.h"

#define LEARN_CSV_RECORD_BYTES (1U << 20)
#define LEARN_CSV_FIELDS_MAX   4096

struct learn_csv;

/** @return 0, -ENOENT and the like, -ENOMEM */
int learn_csv_open(struct learn_csv **ret_csv, const char *path, struct atl_error *err);
void learn_csv_close(struct learn_csv *csv); /* NULL is fine */

/** The next record. @return 1, 0 at the end, -EBADMSG (malformed; the error names the line), -EIO
 */
int learn_csv_next(struct learn_csv *csv, struct atl_error *err);
uint32_t learn_csv_fields(const struct learn_csv *csv);
/** Field i < learn_csv_fields of the current record, NUL-terminated, without the blanks around it
 * unless they were quoted; valid until the next record. */
const char *learn_csv_field(const struct learn_csv *csv, uint32_t i);
/** Line of the file, from 1, at which the current record begins. */
uint64_t learn_csv_line(const struct learn_csv *csv);
/** How far the file has been read, in bytes as they lie on disk, and its size (0 = unknown). */
void learn_csv_place(const struct learn_csv *csv, uint64_t *ret_read, uint64_t *ret_bytes);

#endif
