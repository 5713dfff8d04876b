/* SPDX-License-Identifier: Apache-2.0 */
#include "learner/csv_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#define BLOCK_BYTES 65536

struct learn_csv {
    gzFile file; /* reads plain files as they are */
    const char *path;
    uint64_t bytes, line, begun;
    uint32_t at, held; /* within block */
    uint32_t used, fields;
    bool quoted;                          /* the field being read began with a quote */
    uint32_t field[LEARN_CSV_FIELDS_MAX]; /* where each begins in text */
    char block[BLOCK_BYTES];
    char text[LEARN_CSV_RECORD_BYTES];
};

int learn_csv_open(struct learn_csv **ret_csv, const char *path, struct atl_error *err)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return atl_error_set(err, -errno, "%s: %s", path, strerror(errno));
    if (S_ISDIR(st.st_mode))
        return atl_error_set(err, -EISDIR, "%s: a folder, a CSV file expected", path);
    struct learn_csv *csv = calloc(1, sizeof(*csv));
    if (csv == NULL)
        return atl_error_set(err, -ENOMEM, "%s: out of memory", path);
    csv->path = path;
    csv->bytes = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
    csv->line = 1;
    errno = 0;
    csv->file = gzopen(path, "rb");
    if (csv->file == NULL) {
        int code = errno != 0 ? errno : ENOMEM;
        free(csv);
        return atl_error_set(err, -code, "%s: %s", path, strerror(code));
    }
    *ret_csv = csv;
    return 0;
}

void learn_csv_close(struct learn_csv *csv)
{
    if (csv == NULL)
        return;
    gzclose(csv->file);
    free(csv);
}

uint32_t learn_csv_fields(const struct learn_csv *csv)
{
    return csv->fields;
}

const char *learn_csv_field(const struct learn_csv *csv, uint32_t i)
{
    return csv->text + csv->field[i];
}

uint64_t learn_csv_line(const struct learn_csv *csv)
{
    return csv->begun;
}

void learn_csv_place(const struct learn_csv *csv, uint64_t *ret_read, uint64_t *ret_bytes)
{
    z_off_t at = gzoffset(csv->file);
    *ret_read = at > 0 ? (uint64_t)at : 0;
    *ret_bytes = csv->bytes;
}

/* @return the next byte, EOF, or -EIO with a line in *err */
static int next_byte(struct learn_csv *csv, struct atl_error *err)
{
    if (csv->at == csv->held) {
        int n = gzread(csv->file, csv->block, sizeof(csv->block));
        int code;
        const char *why = gzerror(csv->file, &code);
        /* a truncated gzip file ends with Z_BUF_ERROR, not with a negative count */
        if (n < 0 || code == Z_BUF_ERROR)
            return atl_error_set(err, -EIO, "%s:%llu: cannot read on: %s", csv->path,
                                 (unsigned long long)csv->line,
                                 code == Z_ERRNO ? strerror(errno) : why);
        if (n == 0)
            return EOF;
        csv->held = (uint32_t)n;
        csv->at = 0;
    }
    return (unsigned char)csv->block[csv->at++];
}

static int malformed(const struct learn_csv *csv, const char *what, struct atl_error *err)
{
    return atl_error_set(err, -EBADMSG, "%s:%llu: %s", csv->path, (unsigned long long)csv->line,
                         what);
}

static int put_byte(struct learn_csv *csv, char c, struct atl_error *err)
{
    /* one byte stays free for the NUL of the last field */
    if (csv->used >= LEARN_CSV_RECORD_BYTES - 1)
        return malformed(csv, "a row of more than 1 MiB; is a quote never closed?", err);
    csv->text[csv->used++] = c;
    return 0;
}

static int begin_field(struct learn_csv *csv, struct atl_error *err)
{
    if (csv->fields == LEARN_CSV_FIELDS_MAX)
        return malformed(csv, "more than 4096 columns", err);
    csv->field[csv->fields++] = csv->used;
    csv->quoted = false;
    return 0;
}

static int end_field(struct learn_csv *csv, struct atl_error *err)
{
    uint32_t begin = csv->field[csv->fields - 1];
    if (!csv->quoted) {
        while (csv->used > begin &&
               (csv->text[csv->used - 1] == ' ' || csv->text[csv->used - 1] == '\t'))
            csv->used--;
    }
    return put_byte(csv, '\0', err);
}

/* Behind the opening quote, up to the closing one. @return 0, or negative */
static int read_quoted(struct learn_csv *csv, struct atl_error *err)
{
    uint64_t opened = csv->line;
    for (;;) {
        int c = next_byte(csv, err), r;
        if (c == EOF) {
            csv->line = opened;
            return malformed(csv, "a quote is never closed", err);
        }
        if (c < 0)
            return c;
        if (c == '\0')
            return malformed(csv, "a zero byte; this is not text", err);
        if (c == '"') {
            c = next_byte(csv, err);
            if (c < EOF)
                return c;
            if (c != '"') { /* closed; what follows is the caller's */
                if (c != EOF)
                    csv->at--;
                return 0;
            }
        }
        csv->line += c == '\n';
        r = put_byte(csv, (char)c, err);
        if (r < 0)
            return r;
    }
}

/* The byte order mark that some programs write before the first line. */
static void skip_mark(struct learn_csv *csv)
{
    struct atl_error ignored;
    int c = next_byte(csv, &ignored);
    if (c < 0)
        return;
    csv->at--;
    if (csv->held >= 3 && memcmp(csv->block, "\xef\xbb\xbf", 3) == 0)
        csv->at = 3;
}

/* One byte of an unquoted place. @return 1 when the record ends here, 0, or negative */
static int take(struct learn_csv *csv, int c, struct atl_error *err)
{
    uint32_t begin = csv->field[csv->fields - 1];
    int r;
    switch (c) {
    case ',':
        r = end_field(csv, err);
        return r < 0 ? r : begin_field(csv, err);
    case '"':
        if (csv->used != begin || csv->quoted)
            return malformed(csv, "a quote inside a field; write it twice and quote the field",
                             err);
        csv->quoted = true;
        return read_quoted(csv, err);
    case '\0':
        return malformed(csv, "a zero byte; this is not text", err);
    case '\n':
    case EOF:
        csv->line += c == '\n';
        r = end_field(csv, err);
        return r < 0 ? r : 1;
    case '\r': /* of CRLF; anywhere else it is a blank */
    case ' ':
    case '\t':
        if (csv->used == begin || csv->quoted)
            return 0;
        return put_byte(csv, ' ', err);
    default:
        if (csv->quoted)
            return malformed(csv, "text behind a closing quote, a comma expected", err);
        return put_byte(csv, (char)c, err);
    }
}

int learn_csv_next(struct learn_csv *csv, struct atl_error *err)
{
    if (csv->line == 1 && csv->held == 0)
        skip_mark(csv);
    for (;;) {
        csv->used = csv->fields = 0;
        csv->begun = csv->line;
        int c, r = begin_field(csv, err);
        do {
            c = r < 0 ? r : next_byte(csv, err);
            if (c < EOF)
                return c;
            if (c == EOF && csv->used == 0 && csv->fields == 1 && !csv->quoted)
                return 0;
            r = take(csv, c, err);
        } while (r == 0);
        if (r < 0)
            return r;
        if (csv->fields > 1 || csv->text[0] != '\0' || csv->quoted)
            return 1;
    }
}
