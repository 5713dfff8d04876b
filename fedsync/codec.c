/* SPDX-License-Identifier: Apache-2.0 */
#include "fedsync/codec_priv.h"

#include "fedsync/fedsync.h"

#include <cbor.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#define HEAD_BYTES_MAX 9
#define TAG_FLOAT32_LE 85
#define HEAD_HALF      0xf9

/* --- one item --- */

enum kind {
    KIND_OTHER,
    KIND_UINT,
    KIND_BYTES,
    KIND_TEXT,
    KIND_ARRAY,
    KIND_MAP,
    KIND_TAG,
    KIND_FLOAT
};

struct item {
    enum kind kind;
    uint64_t value; /* the number, length or count of the head */
    double real;
    const uint8_t *data;
};

static void seen(void *ctx, enum kind kind, uint64_t value)
{
    struct item *item = ctx;
    item->kind = kind;
    item->value = value;
}

static void seen_uint8(void *ctx, uint8_t value)
{
    seen(ctx, KIND_UINT, value);
}

static void seen_uint16(void *ctx, uint16_t value)
{
    seen(ctx, KIND_UINT, value);
}

static void seen_uint32(void *ctx, uint32_t value)
{
    seen(ctx, KIND_UINT, value);
}

static void seen_uint64(void *ctx, uint64_t value)
{
    seen(ctx, KIND_UINT, value);
}

static void seen_bytes(void *ctx, cbor_data data, size_t bytes)
{
    seen(ctx, KIND_BYTES, bytes);
    ((struct item *)ctx)->data = data;
}

static void seen_text(void *ctx, cbor_data data, size_t bytes)
{
    seen(ctx, KIND_TEXT, bytes);
    ((struct item *)ctx)->data = data;
}

static void seen_array(void *ctx, size_t items)
{
    seen(ctx, KIND_ARRAY, items);
}

static void seen_map(void *ctx, size_t pairs)
{
    seen(ctx, KIND_MAP, pairs);
}

static void seen_tag(void *ctx, uint64_t tag)
{
    seen(ctx, KIND_TAG, tag);
}

static void seen_double(void *ctx, double value)
{
    seen(ctx, KIND_FLOAT, 0);
    ((struct item *)ctx)->real = value;
}

static void seen_float(void *ctx, float value)
{
    seen_double(ctx, (double)value);
}

/** @return bytes read, 0 when the input holds no whole item */
static size_t decode(struct item *item, const uint8_t *data, size_t bytes)
{
    struct cbor_callbacks callbacks = cbor_empty_callbacks;
    callbacks.uint8 = seen_uint8;
    callbacks.uint16 = seen_uint16;
    callbacks.uint32 = seen_uint32;
    callbacks.uint64 = seen_uint64;
    callbacks.byte_string = seen_bytes;
    callbacks.string = seen_text;
    callbacks.array_start = seen_array;
    callbacks.map_start = seen_map;
    callbacks.tag = seen_tag;
    callbacks.float2 = seen_float;
    callbacks.float4 = seen_float;
    callbacks.float8 = seen_double;
    memset(item, 0, sizeof(*item));
    struct cbor_decoder_result result = cbor_stream_decode(data, bytes, &callbacks, item);
    return result.status == CBOR_DECODER_FINISHED ? result.read : 0;
}

/** The IEEE 754 half of exactly this value, if there is one. (libcbor 0.8 encodes most subnormal
 *  halves as another value.) */
static bool half_of(double value, uint16_t *ret_bits)
{
    int exponent;
    double size = fabs(value);
    frexp(size, &exponent); /* size < 2^exponent */
    if (!isfinite(value) || exponent > 16)
        return false;
    /* Halves lie 2^-10 of their leading bit apart, and never less than 2^-24. */
    double steps = ldexp(size, exponent > -13 ? 11 - exponent : 24);
    if (steps != floor(steps))
        return false;
    uint32_t bits = (uint32_t)steps; /* < 2048 */
    if (exponent > -13 && bits != 0)
        bits += (uint32_t)(exponent + 13) << 10; /* the leading bit is the first of the field */
    *ret_bits = (uint16_t)(bits | (signbit(value) ? 0x8000U : 0U));
    return true;
}

static size_t encode_double(double value, uint8_t out[HEAD_BYTES_MAX])
{
    uint16_t half;
    float single = (float)value;
    if (half_of(value, &half)) {
        out[0] = HEAD_HALF;
        out[1] = (uint8_t)(half >> 8);
        out[2] = (uint8_t)half;
        return 3;
    }
    if ((double)single == value)
        return cbor_encode_single(single, out, HEAD_BYTES_MAX);
    return cbor_encode_double(value, out, HEAD_BYTES_MAX);
}

/** The only head that may stand before (or be) this item. */
static size_t encode_head(const struct item *item, uint8_t out[HEAD_BYTES_MAX])
{
    switch (item->kind) {
    case KIND_UINT:
        return cbor_encode_uint(item->value, out, HEAD_BYTES_MAX);
    case KIND_BYTES:
        return cbor_encode_bytestring_start((size_t)item->value, out, HEAD_BYTES_MAX);
    case KIND_TEXT:
        return cbor_encode_string_start((size_t)item->value, out, HEAD_BYTES_MAX);
    case KIND_ARRAY:
        return cbor_encode_array_start((size_t)item->value, out, HEAD_BYTES_MAX);
    case KIND_MAP:
        return cbor_encode_map_start((size_t)item->value, out, HEAD_BYTES_MAX);
    case KIND_TAG:
        return cbor_encode_tag(item->value, out, HEAD_BYTES_MAX);
    case KIND_FLOAT:
        return encode_double(item->real, out);
    case KIND_OTHER:
        break;
    }
    return 0;
}

/* --- writer --- */

static void append(struct fed_writer *w, const void *data, size_t bytes)
{
    if (bytes > 0 && w->used <= w->capacity && bytes <= w->capacity - w->used)
        memcpy(w->data + w->used, data, bytes);
    w->used += bytes;
}

static void put(struct fed_writer *w, const struct item *item)
{
    uint8_t head[HEAD_BYTES_MAX];
    append(w, head, encode_head(item, head));
    if (item->data != NULL)
        append(w, item->data, (size_t)item->value);
}

void fed_put_array(struct fed_writer *w, size_t items)
{
    put(w, &(struct item){.kind = KIND_ARRAY, .value = items});
}

void fed_put_map(struct fed_writer *w, size_t pairs)
{
    put(w, &(struct item){.kind = KIND_MAP, .value = pairs});
}

void fed_put_uint(struct fed_writer *w, uint64_t value)
{
    put(w, &(struct item){.kind = KIND_UINT, .value = value});
}

void fed_put_text(struct fed_writer *w, const char *text)
{
    put(w, &(struct item){.kind = KIND_TEXT, .value = strlen(text), .data = (const uint8_t *)text});
}

void fed_put_bytes(struct fed_writer *w, const uint8_t *data, size_t bytes)
{
    put(w, &(struct item){.kind = KIND_BYTES, .value = bytes, .data = data});
}

void fed_put_floats(struct fed_writer *w, const uint8_t *values, size_t bytes)
{
    put(w, &(struct item){.kind = KIND_TAG, .value = TAG_FLOAT32_LE});
    fed_put_bytes(w, values, bytes);
}

void fed_put_double(struct fed_writer *w, double value)
{
    put(w, &(struct item){.kind = KIND_FLOAT, .real = value});
}

/* --- reader --- */

void fed_reader_init(struct fed_reader *r, const uint8_t *data, size_t bytes)
{
    *r = (struct fed_reader){.at = data, .end = data + bytes};
}

/** One item of this kind in its only encoding, else an empty one and r->bad. */
static struct item take(struct fed_reader *r, enum kind kind)
{
    struct item item;
    uint8_t head[HEAD_BYTES_MAX];
    if (!r->bad) {
        size_t n = decode(&item, r->at, (size_t)(r->end - r->at));
        size_t head_bytes = n > 0 && item.kind == kind ? encode_head(&item, head) : 0;
        if (head_bytes > 0 && head_bytes <= n && memcmp(head, r->at, head_bytes) == 0) {
            r->at += n;
            return item;
        }
    }
    r->bad = true;
    return (struct item){.kind = kind};
}

static void require(struct fed_reader *r, bool holds)
{
    if (!holds)
        r->bad = true;
}

void fed_get_array(struct fed_reader *r, size_t items)
{
    require(r, take(r, KIND_ARRAY).value == items);
}

size_t fed_get_array_up_to(struct fed_reader *r, size_t max)
{
    uint64_t items = take(r, KIND_ARRAY).value;
    require(r, items <= max);
    return r->bad ? 0 : (size_t)items;
}

void fed_get_map(struct fed_reader *r, size_t pairs)
{
    require(r, take(r, KIND_MAP).value == pairs);
}

uint64_t fed_get_uint(struct fed_reader *r, uint64_t max)
{
    uint64_t value = take(r, KIND_UINT).value;
    require(r, value <= max);
    return r->bad ? 0 : value;
}

void fed_get_key(struct fed_reader *r, uint64_t key)
{
    require(r, take(r, KIND_UINT).value == key);
}

void fed_get_name(struct fed_reader *r, char *out)
{
    struct item item = take(r, KIND_TEXT);
    out[0] = '\0';
    if (r->bad || item.value == 0 || item.value >= FED_NAME_BYTES ||
        memchr(item.data, '\0', (size_t)item.value) != NULL) {
        r->bad = true;
        return;
    }
    memcpy(out, item.data, (size_t)item.value);
    out[item.value] = '\0';
    require(r, fed_name_valid(out));
}

const uint8_t *fed_get_bytes(struct fed_reader *r, size_t max, size_t *ret_bytes)
{
    struct item item = take(r, KIND_BYTES);
    require(r, item.value <= max);
    *ret_bytes = r->bad ? 0 : (size_t)item.value;
    return r->bad ? NULL : item.data;
}

void fed_get_fixed(struct fed_reader *r, uint8_t *out, size_t bytes)
{
    size_t n;
    const uint8_t *data = fed_get_bytes(r, bytes, &n);
    require(r, n == bytes);
    if (r->bad)
        memset(out, 0, bytes);
    else
        memcpy(out, data, bytes);
}

const uint8_t *fed_get_floats(struct fed_reader *r, size_t max_bytes, size_t *ret_bytes)
{
    require(r, take(r, KIND_TAG).value == TAG_FLOAT32_LE);
    const uint8_t *data = fed_get_bytes(r, max_bytes, ret_bytes);
    require(r, *ret_bytes % sizeof(float) == 0);
    return r->bad ? NULL : data;
}

double fed_get_double(struct fed_reader *r)
{
    double value = take(r, KIND_FLOAT).real;
    require(r, isfinite(value));
    return r->bad ? 0 : value;
}

int fed_reader_finish(const struct fed_reader *r)
{
    return !r->bad && r->at == r->end ? 0 : -EPROTO;
}

/* --- float32 in wire order, whatever the machine's --- */

void fed_floats_to_wire(uint8_t *out, const float *values, size_t n)
{
    for (size_t i = 0; i < n; i++, out += sizeof(float)) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof(bits));
        for (unsigned byte = 0; byte < sizeof(bits); byte++)
            out[byte] = (uint8_t)(bits >> (8 * byte));
    }
}

void fed_floats_from_wire(float *out, const uint8_t *wire, size_t n)
{
    for (size_t i = 0; i < n; i++, wire += sizeof(float)) {
        uint32_t bits = (uint32_t)wire[0] | (uint32_t)wire[1] << 8 | (uint32_t)wire[2] << 16 |
                        (uint32_t)wire[3] << 24;
        memcpy(&out[i], &bits, sizeof(bits));
    }
}

bool fed_name_valid(const char *name)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t n = strlen(name);
    return n > 0 && n < FED_NAME_BYTES && name[0] != '.' && strspn(name, letters) == n;
}
