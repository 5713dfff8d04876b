/* SPDX-License-Identifier: Apache-2.0 */
/* Any CSV table as the learner's input: its columns, and the detector made of them. */
#ifndef LEARN_TABLE_PRIV_H
#define LEARN_TABLE_PRIV_H

#include "learner/context_priv.h"
#include "learner/csv_priv.h"
#include "learner/model_file_priv.h"

#define LEARN_TABLE_COLUMNS_MAX LEARN_INPUTS_MAX
#define LEARN_TABLE_WORDS_MAX   64
#define LEARN_TABLE_NAME_BYTES  128 /* of a column or a word, cut there */
#define LEARN_TABLE_ROWS_MIN    128 /* to learn from */
#define LEARN_TABLE_MEMBERS     3

/**
 * A number becomes (signed log1p - middle) / scale, within ±LEARN_TABLE_CLIP; where it was missing
 * in training too, a second input says so. A category becomes one input for each word of the
 * frozen vocabulary and one for every other word; a missing category is the word "".
 */
struct learn_table_column {
    char name[LEARN_TABLE_NAME_BYTES];
    uint32_t place; /* in the file it was learned from, from 0 */
    bool category, misses, constant;
    double middle, scale; /* of a number */
    uint32_t n_words;
    char (*word)[LEARN_TABLE_NAME_BYTES];
    uint32_t first; /* of its inputs */
};

#define LEARN_TABLE_CLIP 10.0F

struct learn_table_columns {
    bool header;
    uint32_t file_columns; /* fields of a row, label and dropped ones included */
    uint32_t n, inputs;    /* the last input: a number missing where none was missing in training */
    struct learn_table_column *item;
};

void learn_table_columns_finish(struct learn_table_columns *columns);
/** Number the inputs. @return how many there are; more than LEARN_INPUTS_MAX is too many */
uint32_t learn_table_number(struct learn_table_columns *columns);
/** JSON text, malloc'ed; NULL when out of memory. */
char *learn_table_columns_dump(const struct learn_table_columns *columns);
/** @return 0, -EBADMSG, -ENOMEM; finish it when done */
int learn_table_columns_parse(struct learn_table_columns *ret_columns, const char *text);
void learn_table_columns_hash(const struct learn_table_columns *columns,
                              uint8_t out[LEARN_SCHEMA_BYTES]);

enum learn_cell { LEARN_CELL_NUMBER, LEARN_CELL_MISSING, LEARN_CELL_INFINITE, LEARN_CELL_WORD };
/** What a field of a CSV holds; *ret_value is set for a number. */
enum learn_cell learn_cell_read(const char *text, double *ret_value);
double learn_signed_log(double value);
/** A name or word as the model keeps it: cut to fit, and readable text: where it is not UTF-8 its
 * bytes beyond ASCII become '?'. */
void learn_table_copy(char out[LEARN_TABLE_NAME_BYTES], const char *text);
/** The encoding of one column. NaN is a missing number; word n_words is any other word. */
void learn_table_put_number(const struct learn_table_columns *columns, uint32_t c, double value,
                            float *x);
/** The same from the signed log. */
void learn_table_put_scaled(const struct learn_table_columns *columns, uint32_t c, double value,
                            float *x);
void learn_table_put_word(const struct learn_table_columns *columns, uint32_t c, uint32_t word,
                          float *x);
/** Index of a word, n_words when it is not in the vocabulary. */
uint32_t learn_table_word(const struct learn_table_column *column, const char *text);

/** Which field is the label, which are dropped: from the header or the width of the first row. */
struct learn_table_fields {
    uint32_t n;
    bool *used;                           /* (n) neither label nor dropped */
    char (*name)[LEARN_TABLE_NAME_BYTES]; /* (n) "7" without a header */
    uint32_t label;                       /* UINT32_MAX without one */
};
/** Reads the first record; with a header it is used up, else it is the first row of data.
 *  @return 0, -EINVAL, -EBADMSG; finish it when done */
int learn_table_fields_read(struct learn_table_fields *fields, struct learn_csv *csv,
                            const char *path, const struct learn_table_config *cfg,
                            struct atl_error *err);
/** Number of fields of the current record as expected? @param row  of data, from 1 */
int learn_table_ragged(const struct learn_csv *csv, const char *path, uint64_t row, uint32_t want,
                       struct atl_error *err);
void learn_table_fields_finish(struct learn_table_fields *fields);

/** A column by its name, else by its number from 1. @return its index, UINT32_MAX */
uint32_t learn_table_fields_find(const struct learn_table_fields *fields, const char *wanted);

/** From the records of one file to rows of known columns. */
struct learn_table_encoder {
    const struct learn_table_columns *columns;
    const char *path;
    struct learn_table_fields fields;
    uint32_t *place; /* (columns->n) the field of each column */
};
/** Reads the first record, as learn_table_fields_read. Columns and path are borrowed. Finish it in
 * any case. @return 0, -EINVAL (not these columns), -EBADMSG, -ENOMEM */
int learn_table_encoder_init(struct learn_table_encoder *encoder,
                             const struct learn_table_columns *columns, struct learn_csv *csv,
                             const char *path, const struct learn_table_config *cfg,
                             struct atl_error *err);
/** The current record. @param row  of data, from 1, for errors. @return 0, -EBADMSG */
int learn_table_encode(const struct learn_table_encoder *encoder, const struct learn_csv *csv,
                       uint64_t row, float *x, struct atl_error *err);
void learn_table_encoder_finish(struct learn_table_encoder *encoder);

/** Normal rows of a file, encoded. */
struct learn_table_rows {
    float *x; /* (n, columns.inputs) */
    uint32_t n;
};
/** Two passes over the file: what the columns are, then the rows themselves.
 *  @return 0, -EINVAL, -EBADMSG, -ENOMEM, -EIO */
int learn_table_read(struct learn_table_columns *ret_columns, struct learn_table_rows *ret_rows,
                     const char *path, const struct learn_table_config *cfg,
                     struct learn_table_summary *summary, struct atl_error *err);

struct learn_table {
    struct learn_table_columns columns;
    struct learn_named members[LEARN_TABLE_MEMBERS]; /* each an autoencoder with a forest */
    struct learn_context_reference reference;
    struct learn_tail context_tail; /* of the company a row is in */
    struct learn_tail tail;         /* of everything together: draws the boundary */
    struct learn_table_facts facts;
};

/** Mean surprise of the members' autoencoders at n ≤ LEARN_BATCH_MAX rows. */
void learn_table_surprise(const struct learn_table *table, struct learn_scratch *scratch,
                          const float *x, uint32_t n, double *surprise);
/** What the table's tail is of: a row's own surprise and its company's statistic, together. */
double learn_table_total(const struct learn_table *table, double surprise, double company);
void learn_table_say(const struct learn_table_config *cfg, const char *what, double share);

#endif
