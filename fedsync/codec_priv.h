/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deterministic CBOR (RFC 8949 §4.2.1) over libcbor's streaming primitives: definite lengths,
 * shortest heads, shortest floats that keep the value. What a writer would not write, a reader
 * refuses, so every message has exactly one encoding. Nothing here allocates.
 */
#ifndef FED_CODEC_PRIV_H
#define FED_CODEC_PRIV_H

#include "base/base.h"

/* --- writer: counts also what did not fit, so that a dry run with data NULL gives the size --- */

struct fed_writer {
    uint8_t *data;
    size_t capacity, used; /* used > capacity: the output is not whole */
};

void fed_put_array(struct fed_writer *w, size_t items);
void fed_put_map(struct fed_writer *w, size_t pairs);
void fed_put_uint(struct fed_writer *w, uint64_t value);
void fed_put_text(struct fed_writer *w, const char *text);
void fed_put_bytes(struct fed_writer *w, const uint8_t *data, size_t bytes);
/** Little-endian float32 as a typed array: tag 85 (RFC 8746 §2.1) and a byte string. */
void fed_put_floats(struct fed_writer *w, const uint8_t *values, size_t bytes);
void fed_put_double(struct fed_writer *w, double value);

/* --- reader: the first mistake sticks, later reads give zeros --- */

struct fed_reader {
    const uint8_t *at, *end;
    bool bad;
};

void fed_reader_init(struct fed_reader *r, const uint8_t *data, size_t bytes);
void fed_get_array(struct fed_reader *r, size_t items); /* exactly */
/** Any number of items up to max. */
size_t fed_get_array_up_to(struct fed_reader *r, size_t max);
void fed_get_map(struct fed_reader *r, size_t pairs); /* exactly */
void fed_get_key(struct fed_reader *r, uint64_t key); /* exactly */
uint64_t fed_get_uint(struct fed_reader *r, uint64_t max);
/** A name (see fed_name_valid) into out[FED_NAME_BYTES]. */
void fed_get_name(struct fed_reader *r, char *out);
/** Borrowed from the input; NULL when bad. */
const uint8_t *fed_get_bytes(struct fed_reader *r, size_t max, size_t *ret_bytes);
void fed_get_fixed(struct fed_reader *r, uint8_t *out, size_t bytes); /* exactly */
/** Tag 85 over a byte string of whole floats; borrowed from the input. */
const uint8_t *fed_get_floats(struct fed_reader *r, size_t max_bytes, size_t *ret_bytes);
double fed_get_double(struct fed_reader *r); /* finite */
/** @return 0 when all was read and nothing is left, else -EPROTO */
int fed_reader_finish(const struct fed_reader *r);

/* --- float32 in wire order --- */

void fed_floats_to_wire(uint8_t *out, const float *values, size_t n);
void fed_floats_from_wire(float *out, const uint8_t *wire, size_t n);

/** 1 … FED_NAME_BYTES-1 letters, digits, '.', '-', '_', not starting with '.': safe as a topic
 *  level and as a file name. */
bool fed_name_valid(const char *name);

#endif
