/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fedsync/codec_priv.h"
#include "fedsync/message_priv.h"

/* Encodings of RFC 8949 appendix A. */
static const struct {
    uint64_t value;
    const char *hex;
} numbers[] = {
    {0, "00"},
    {23, "17"},
    {24, "1818"},
    {100, "1864"},
    {1000, "1903e8"},
    {1000000, "1a000f4240"},
    {1000000000000, "1b000000e8d4a51000"},
    {UINT64_MAX, "1bffffffffffffffff"},
};

static const struct {
    double value;
    const char *hex;
} reals[] = {
    {0.0, "f90000"},
    {-0.0, "f98000"},
    {1.0, "f93c00"},
    {1.1, "fb3ff199999999999a"},
    {1.5, "f93e00"},
    {65504.0, "f97bff"},
    {100000.0, "fa47c35000"},
    {3.4028234663852886e+38, "fa7f7fffff"},
    {1.0e+300, "fb7e37e43c8800759c"},
    {5.960464477539063e-8, "f90001"},
    {0.00006103515625, "f90400"},
    {-4.0, "f9c400"},
    {-4.1, "fbc010666666666666"},
};

static void assert_hex(const struct fed_writer *w, const char *hex)
{
    char got[64];
    atl_hex(got, w->data, w->used);
    assert_string_equal(got, hex);
}

static void numbers_as_in_the_rfc(void **state)
{
    (void)state;
    uint8_t out[16];
    for (size_t i = 0; i < ATL_ARRAY_LEN(numbers); i++) {
        struct fed_writer w = {.data = out, .capacity = sizeof(out)};
        struct fed_reader r;
        fed_put_uint(&w, numbers[i].value);
        assert_hex(&w, numbers[i].hex);
        fed_reader_init(&r, out, w.used);
        assert_true(fed_get_uint(&r, UINT64_MAX) == numbers[i].value);
        assert_int_equal(fed_reader_finish(&r), 0);
    }
}

static void reals_as_in_the_rfc(void **state)
{
    (void)state;
    uint8_t out[16];
    for (size_t i = 0; i < ATL_ARRAY_LEN(reals); i++) {
        struct fed_writer w = {.data = out, .capacity = sizeof(out)};
        struct fed_reader r;
        fed_put_double(&w, reals[i].value);
        assert_hex(&w, reals[i].hex);
        fed_reader_init(&r, out, w.used);
        double back = fed_get_double(&r);
        assert_memory_equal(&back, &reals[i].value, sizeof(back));
        assert_int_equal(fed_reader_finish(&r), 0);
    }
}

static void every_half_stays_short(void **state)
{
    (void)state;
    uint32_t longer = 0;
    for (uint32_t bits = 0; bits < 0x7c00; bits++) {
        /* Value of an IEEE 754 half from its definition. */
        uint32_t exponent = bits >> 10, mantissa = bits & 0x3ff;
        double value =
            exponent == 0 ? ldexp(mantissa, -24) : ldexp(mantissa + 1024, (int)exponent - 25);
        uint8_t out[16];
        struct fed_writer w = {.data = out, .capacity = sizeof(out)};
        fed_put_double(&w, value);
        longer += w.used != 3 || out[1] != bits >> 8 || out[2] != (bits & 0xff);
    }
    assert_int_equal(longer, 0);
}

/* One value, several encodings: only the shortest definite one is ours. */
static void other_encodings_are_refused(void **state)
{
    (void)state;
    static const struct {
        size_t bytes;
        uint8_t data[12];
    } wrong[] = {
        {2, {0x18, 0x17}},                               /* 23 in two bytes */
        {3, {0x19, 0x00, 0xff}},                         /* 255 in three */
        {9, {0x1b, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}}, /* 2^32-1 in nine */
        {1, {0x20}},                                     /* -1 */
        {1, {0xf5}},                                     /* true */
        {3, {0xf9, 0x3c, 0x00}},                         /* 1.0 */
        {2, {0x18, 0xff}},                               /* right, but followed by more */
    };
    for (size_t i = 0; i < ATL_ARRAY_LEN(wrong); i++) {
        struct fed_reader r;
        fed_reader_init(&r, wrong[i].data, wrong[i].bytes + (i == 6));
        fed_get_uint(&r, UINT64_MAX);
        assert_int_equal(fed_reader_finish(&r), -EPROTO);
    }
    static const uint8_t wide[] = {0xfa, 0x3f, 0x80, 0, 0};   /* 1.0 as single */
    static const uint8_t infinite[] = {0xf9, 0x7c, 0x00};     /* not a number we take */
    static const uint8_t pieces[] = {0x5f, 0x41, 0x00, 0xff}; /* indefinite bytes */
    static const uint8_t huge[] = {0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0};
    struct fed_reader r;
    size_t n;
    fed_reader_init(&r, wide, sizeof(wide));
    assert_true(fed_get_double(&r) == 0 && r.bad);
    fed_reader_init(&r, infinite, sizeof(infinite));
    assert_true(fed_get_double(&r) == 0 && r.bad);
    fed_reader_init(&r, pieces, sizeof(pieces));
    assert_null(fed_get_bytes(&r, 100, &n));
    fed_reader_init(&r, huge, sizeof(huge));
    assert_null(fed_get_bytes(&r, SIZE_MAX, &n));
}

static void names_are_topic_levels_and_file_names(void **state)
{
    (void)state;
    assert_true(fed_name_valid("edge-1.site_A"));
    static const char *const wrong[] = {
        "",   ".", "..",  ".x",       "a/b",
        "a+", "#", "a b", "\xc3\xa9", "123456789012345678901234567890123"};
    for (size_t i = 0; i < ATL_ARRAY_LEN(wrong); i++)
        assert_false(fed_name_valid(wrong[i]));
}

/* --- messages --- */

static const uint8_t tensor[8] = {0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0}; /* 1.0f, -2.0f */

static size_t plan_out(const void *message, uint8_t *out, size_t capacity)
{
    return fed_plan_encode(message, out, capacity);
}

static int plan_in(void *message, const uint8_t *in, size_t bytes)
{
    return fed_plan_decode(message, in, bytes);
}

static size_t model_out(const void *message, uint8_t *out, size_t capacity)
{
    return fed_model_encode(message, out, capacity);
}

static int model_in(void *message, const uint8_t *in, size_t bytes)
{
    return fed_model_decode(message, in, bytes);
}

static size_t chunk_out(const void *message, uint8_t *out, size_t capacity)
{
    return fed_chunk_encode(message, out, capacity);
}

static int chunk_in(void *message, const uint8_t *in, size_t bytes)
{
    return fed_chunk_decode(message, in, bytes);
}

static size_t ack_out(const void *message, uint8_t *out, size_t capacity)
{
    return fed_ack_encode(message, out, capacity);
}

static int ack_in(void *message, const uint8_t *in, size_t bytes)
{
    return fed_ack_decode(message, in, bytes);
}

static size_t lease_out(const void *message, uint8_t *out, size_t capacity)
{
    return fed_lease_encode(message, out, capacity);
}

static int lease_in(void *message, const uint8_t *in, size_t bytes)
{
    return fed_lease_decode(message, in, bytes);
}

static const struct fed_plan plan = {
    .section = "flow",
    .schema = {1, 2, 3},
    .base_hash = {4, 5, 6},
    .unit = "flow",
    .steps = 100,
    .sample_rate = 0.02,
    .clip = 1,
    .noise_multiplier = 1.1,
    .learning_rate = 1e-3F,
    .delta = 1e-5,
    .quorum = 2,
    .deadline_ns = 1795219200000000000ULL,
    .encoding = FED_ROTATED4,
    .proximal = 0.01F,
    .cohort = 77,
    .spread_ns = 5,
};
static const struct fed_model model = {.section = "flow",
                                       .schema = {7},
                                       .hash = {8},
                                       .values = tensor,
                                       .value_bytes = 8,
                                       .expires_ns = 9};
static const struct fed_chunk chunk = {
    .base_hash = {1}, .whole = {2}, .total = 8, .data = tensor, .bytes = 8};
static const struct fed_ack ack = {
    .edge = "edge-1", .whole = {3}, .verdict = FED_VERDICT_STORED, .have = 1};

static const struct fed_lease lease = {.lease_ns = 30 * ATL_NS_PER_S,
                                       .commits = 4,
                                       .model_epoch = 2,
                                       .model_round = 6,
                                       .n_spent = 2,
                                       .spent = {{0.02, 1.1, 300}, {1, 100, 7}}};

union message {
    struct fed_lease lease;
    struct fed_plan plan;
    struct fed_model model;
    struct fed_chunk chunk;
    struct fed_ack ack;
};

static const struct {
    const void *message;
    size_t bytes;
    size_t (*encode)(const void *, uint8_t *, size_t);
    int (*decode)(void *, const uint8_t *, size_t);
} kinds[] = {
    {&plan, sizeof(plan), plan_out, plan_in},     {&model, sizeof(model), model_out, model_in},
    {&chunk, sizeof(chunk), chunk_out, chunk_in}, {&ack, sizeof(ack), ack_out, ack_in},
    {&lease, sizeof(lease), lease_out, lease_in},
};

static void messages_come_back(void **state)
{
    (void)state;
    uint8_t out[512];
    union message back;
    assert_int_equal(fed_plan_decode(&back.plan, out, fed_plan_encode(&plan, out, sizeof(out))), 0);
    assert_memory_equal(&back.plan, &plan, sizeof(plan));
    assert_int_equal(fed_model_decode(&back.model, out, fed_model_encode(&model, out, 512)), 0);
    assert_string_equal(back.model.section, "flow");
    assert_memory_equal(back.model.hash, model.hash, 32);
    assert_int_equal(back.model.value_bytes, 8);
    assert_memory_equal(back.model.values, tensor, 8);
    assert_int_equal(fed_chunk_decode(&back.chunk, out, fed_chunk_encode(&chunk, out, 512)), 0);
    assert_memory_equal(back.chunk.whole, chunk.whole, 32);
    assert_int_equal(back.chunk.total, 8);
    assert_memory_equal(back.chunk.data, tensor, 8);
    assert_int_equal(fed_ack_decode(&back.ack, out, fed_ack_encode(&ack, out, sizeof(out))), 0);
    assert_memory_equal(&back.ack, &ack, sizeof(ack));
    assert_int_equal(fed_lease_decode(&back.lease, out, fed_lease_encode(&lease, out, 512)), 0);
    assert_memory_equal(&back.lease, &lease, sizeof(lease));
    float values[2];
    fed_floats_from_wire(values, tensor, 2);
    assert_true(values[0] == 1.0F && values[1] == -2.0F);
}

static void a_dry_run_gives_the_size(void **state)
{
    (void)state;
    uint8_t out[512];
    for (size_t i = 0; i < ATL_ARRAY_LEN(kinds); i++) {
        size_t bytes = kinds[i].encode(kinds[i].message, out, sizeof(out));
        assert_true(bytes <= FED_BODY_BYTES_MAX);
        assert_int_equal(kinds[i].encode(kinds[i].message, NULL, 0), bytes);
        memset(out, 0xee, sizeof(out));
        assert_int_equal(kinds[i].encode(kinds[i].message, out, bytes - 1), bytes);
        assert_int_equal(out[bytes - 1], 0xee);
    }
}

static void the_longest_lease_has_room(void **state)
{
    (void)state;
    uint8_t out[FED_LEASE_BYTES_MAX];
    struct fed_lease full = {.lease_ns = FED_LEASE_MAX_NS,
                             .commits = UINT64_MAX,
                             .model_epoch = UINT64_MAX,
                             .model_round = UINT64_MAX,
                             .n_spent = FED_SPENT_MAX},
                     back;
    for (uint32_t i = 0; i < FED_SPENT_MAX; i++)
        full.spent[i] = (struct fed_spent){1.0 / 3, 10.0 / 3, UINT64_MAX};
    size_t bytes = fed_lease_encode(&full, out, sizeof(out));
    assert_in_range(bytes, 1, sizeof(out));
    assert_int_equal(fed_lease_decode(&back, out, bytes), 0);
    assert_memory_equal(&back, &full, sizeof(full));
}

/* Each real number of each message. */
static void what_is_not_a_number_is_refused(void **state)
{
    (void)state;
    const double wrong[] = {NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < ATL_ARRAY_LEN(wrong); i++) {
        struct fed_plan plans[] = {plan, plan, plan, plan, plan, plan}, plan_back;
        struct fed_lease leases[] = {lease, lease}, lease_back;
        uint8_t out[512];
        plans[0].sample_rate = wrong[i];
        plans[1].clip = wrong[i];
        plans[2].noise_multiplier = wrong[i];
        plans[3].learning_rate = (float)wrong[i];
        plans[4].delta = wrong[i];
        plans[5].proximal = (float)wrong[i];
        leases[0].spent[0].sample_rate = wrong[i];
        leases[1].spent[1].noise_multiplier = wrong[i];
        for (size_t k = 0; k < ATL_ARRAY_LEN(plans); k++)
            assert_int_equal(
                fed_plan_decode(&plan_back, out, fed_plan_encode(&plans[k], out, sizeof(out))),
                -EPROTO);
        for (size_t k = 0; k < ATL_ARRAY_LEN(leases); k++)
            assert_int_equal(
                fed_lease_decode(&lease_back, out, fed_lease_encode(&leases[k], out, sizeof(out))),
                -EPROTO);
    }
}

/* From the heap, so that the sanitizer sees one byte too many. */
static int decode_exact(size_t kind, union message *back, const uint8_t *data, size_t bytes)
{
    uint8_t *copy = malloc(bytes > 0 ? bytes : 1);
    assert_non_null(copy);
    memcpy(copy, data, bytes);
    int r = kinds[kind].decode(back, copy, bytes);
    free(copy);
    return r;
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    uint8_t out[512];
    union message back;
    for (size_t i = 0; i < ATL_ARRAY_LEN(kinds); i++) {
        size_t bytes = kinds[i].encode(kinds[i].message, out, sizeof(out));
        for (size_t n = 0; n < bytes; n++)
            assert_int_equal(decode_exact(i, &back, out, n), -EPROTO);
        assert_int_equal(decode_exact(i, &back, out, bytes + 1), -EPROTO);
    }
}

/* A flipped bit is refused, or it is another message with exactly this encoding. */
static void no_flipped_bit_gives_a_second_encoding(void **state)
{
    (void)state;
    uint8_t out[512], again[512];
    for (size_t i = 0; i < ATL_ARRAY_LEN(kinds); i++) {
        size_t bytes = kinds[i].encode(kinds[i].message, out, sizeof(out)), refused = 0;
        for (size_t bit = 0; bit < 8 * bytes; bit++) {
            union message back;
            out[bit / 8] ^= (uint8_t)(1U << bit % 8);
            if (kinds[i].decode(&back, out, bytes) == 0) {
                assert_int_equal(kinds[i].encode(&back, again, sizeof(again)), bytes);
                assert_memory_equal(again, out, bytes);
            } else {
                refused++;
            }
            out[bit / 8] ^= (uint8_t)(1U << bit % 8);
        }
        assert_true(refused > 50);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_as_in_the_rfc),
        cmocka_unit_test(reals_as_in_the_rfc),
        cmocka_unit_test(every_half_stays_short),
        cmocka_unit_test(other_encodings_are_refused),
        cmocka_unit_test(names_are_topic_levels_and_file_names),
        cmocka_unit_test(messages_come_back),
        cmocka_unit_test(a_dry_run_gives_the_size),
        cmocka_unit_test(the_longest_lease_has_room),
        cmocka_unit_test(what_is_not_a_number_is_refused),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(no_flipped_bit_gives_a_second_encoding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
