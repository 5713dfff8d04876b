/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "fedsync/codec_priv.h"
#include "fedsync/envelope_priv.h"
#include "fixture.h"

#define MAX_BYTES 4096

static char dir[FIXTURE_PATH_BYTES];
static struct fed_identity edge, stranger;
static struct fed_roster *roster;

static const uint8_t body[] = {0xa1, 1, 2};
static const struct fed_envelope plain = {.type = FED_TYPE_UPDATE,
                                          .epoch = 7,
                                          .round = 300,
                                          .seq = 5,
                                          .body = body,
                                          .body_bytes = sizeof(body)};

static int make(void **state)
{
    (void)state;
    fixture_dir_make(dir);
    fixture_person(&edge, dir, "edge-1", true);
    fixture_person(&stranger, dir, "stranger", false);
    roster = fixture_roster(dir);
    return 0;
}

static int unmake(void **state)
{
    (void)state;
    fed_roster_destroy(roster);
    fixture_dir_remove(dir);
    return 0;
}

static uint8_t *seal(const struct fed_envelope *env, const char *federation,
                     const struct fed_identity *by, size_t *ret_bytes)
{
    uint8_t *payload;
    assert_int_equal(fed_envelope_seal(&payload, ret_bytes, env, federation, by), 0);
    return payload;
}

static int open_it(const uint8_t *payload, size_t bytes)
{
    struct fed_envelope env;
    return fed_envelope_open(&env, payload, bytes, MAX_BYTES, "north", roster);
}

/* Written and signed by a Python script with its own CBOR encoder and the package `cryptography`
 * 48.0.0; the secret seed is 00 01 02 … 1f. */
static void same_bytes_as_another_implementation(void **state)
{
    (void)state;
    static const char golden[] =
        "890104656e6f727468636875620719012c0041a0584033b7e14461443f6c2433e3ecdaf33b8a0aa0070661b287"
        "1ca09cd9f1841f15cbdfcb4250ac4e6b19ea718721c6d2359c59911f12987ce10049ce3df9914da507";
    struct fed_identity hub = {.name = "hub"};
    uint8_t seed[32];
    for (uint8_t i = 0; i < sizeof(seed); i++)
        seed[i] = i;
    crypto_sign_seed_keypair(hub.public_key, hub.secret_key, seed);
    const struct fed_envelope env = {.type = FED_TYPE_ACK,
                                     .epoch = 7,
                                     .round = 300,
                                     .body = (const uint8_t *)"\xa0",
                                     .body_bytes = 1};
    size_t bytes;
    uint8_t *payload = seal(&env, "north", &hub, &bytes);
    char hex[sizeof(golden)];
    assert_int_equal(2 * bytes, sizeof(golden) - 1);
    atl_hex(hex, payload, bytes);
    assert_string_equal(hex, golden);
    free(payload);
}

static void opens_what_was_sealed(void **state)
{
    (void)state;
    size_t bytes;
    uint8_t *payload = seal(&plain, "north", &edge, &bytes);
    struct fed_envelope env;
    assert_int_equal(fed_envelope_open(&env, payload, bytes, MAX_BYTES, "north", roster), 0);
    assert_int_equal(env.type, FED_TYPE_UPDATE);
    assert_string_equal(env.sender, "edge-1");
    assert_true(env.epoch == 7 && env.round == 300 && env.seq == 5);
    assert_int_equal(env.body_bytes, sizeof(body));
    assert_memory_equal(env.body, body, sizeof(body));
    free(payload);
}

static void every_reason_has_its_own_code(void **state)
{
    (void)state;
    size_t bytes;
    struct fed_envelope env;
    uint8_t *payload = seal(&plain, "north", &edge, &bytes);
    assert_int_equal(fed_envelope_open(&env, payload, bytes, bytes - 1, "north", roster),
                     -EMSGSIZE);
    assert_int_equal(fed_envelope_open(&env, payload, bytes, MAX_BYTES, "south", roster), -EXDEV);
    payload[1] = 2;
    assert_int_equal(open_it(payload, bytes), -EPROTONOSUPPORT);
    payload[1] = 1;
    payload[2] = 9;
    assert_int_equal(open_it(payload, bytes), -ENOMSG);
    payload[2] = FED_TYPE_PLAN; /* a known type, but not the one that was signed */
    assert_int_equal(open_it(payload, bytes), -EBADMSG);
    payload[2] = FED_TYPE_UPDATE;
    payload[bytes - 1] ^= 1;
    assert_int_equal(open_it(payload, bytes), -EBADMSG);
    payload[0] = 0x88;
    assert_int_equal(open_it(payload, bytes), -EPROTO);
    free(payload);

    payload = seal(&plain, "north", &stranger, &bytes);
    assert_int_equal(open_it(payload, bytes), -ENOKEY);
    free(payload);
    struct fed_identity impostor = stranger; /* right name, wrong key */
    atl_copy(impostor.name, sizeof(impostor.name), "edge-1");
    payload = seal(&plain, "north", &impostor, &bytes);
    assert_int_equal(open_it(payload, bytes), -EBADMSG);
    free(payload);
    assert_int_equal(open_it(NULL, 0), -EPROTO);
}

/* The same bytes signed for another purpose by the same key are no message of ours. */
static void domain_is_part_of_the_signature(void **state)
{
    (void)state;
    size_t bytes;
    uint8_t *payload = seal(&plain, "north", &edge, &bytes);
    crypto_sign_detached(payload + bytes - crypto_sign_BYTES, NULL, payload,
                         bytes - crypto_sign_BYTES - 2, edge.secret_key);
    assert_int_equal(open_it(payload, bytes), -EBADMSG);
    free(payload);
}

static void truncated_or_flipped_is_refused(void **state)
{
    (void)state;
    size_t bytes;
    uint8_t *payload = seal(&plain, "north", &edge, &bytes);
    for (size_t n = 0; n < bytes; n++) {
        uint8_t *copy = malloc(n + 1);
        memcpy(copy, payload, n);
        assert_true(open_it(copy, n) < 0);
        free(copy);
    }
    for (size_t bit = 0; bit < 8 * bytes; bit++) {
        payload[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_true(open_it(payload, bytes) < 0);
        payload[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    assert_int_equal(open_it(payload, bytes), 0);
    free(payload);
}

int main(void)
{
    if (atl_base_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_bytes_as_another_implementation),
        cmocka_unit_test(opens_what_was_sealed),
        cmocka_unit_test(every_reason_has_its_own_code),
        cmocka_unit_test(domain_is_part_of_the_signature),
        cmocka_unit_test(truncated_or_flipped_is_refused),
    };
    return cmocka_run_group_tests(tests, make, unmake);
}
