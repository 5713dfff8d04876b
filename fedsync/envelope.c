/* SPDX-License-Identifier: Apache-2.0 */
#include "fedsync/envelope_priv.h"

#include "fedsync/codec_priv.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define ITEMS           9
#define SIGNATURE_BYTES crypto_sign_BYTES
/* The signature is the last item: a head of two bytes (0x58 0x40), then 64 bytes. */
#define TAIL_BYTES (2 + SIGNATURE_BYTES)

/* No other program signs anything that begins like this. The NUL is signed too. */
static const char domain[] = "atalaya federation message v1";

static void put_signed_part(struct fed_writer *w, const struct fed_envelope *env,
                            const char *federation, const char *sender)
{
    fed_put_array(w, ITEMS);
    fed_put_uint(w, FED_WIRE_VERSION);
    fed_put_uint(w, env->type);
    fed_put_text(w, federation);
    fed_put_text(w, sender);
    fed_put_uint(w, env->epoch);
    fed_put_uint(w, env->round);
    fed_put_uint(w, env->seq);
    fed_put_bytes(w, env->body, env->body_bytes);
}

int fed_envelope_seal(uint8_t **ret_payload, size_t *ret_bytes, const struct fed_envelope *env,
                      const char *federation, const struct fed_identity *identity)
{
    size_t capacity = env->body_bytes + FED_ENVELOPE_BYTES_MAX;
    uint8_t *buffer = malloc(sizeof(domain) + capacity);
    if (buffer == NULL)
        return -ENOMEM;

    uint8_t signature[SIGNATURE_BYTES];
    struct fed_writer w = {.data = buffer + sizeof(domain), .capacity = capacity};
    memcpy(buffer, domain, sizeof(domain));
    put_signed_part(&w, env, federation, identity->name);
    crypto_sign_detached(signature, NULL, buffer, sizeof(domain) + w.used, identity->secret_key);
    fed_put_bytes(&w, signature, sizeof(signature));

    memmove(buffer, buffer + sizeof(domain), w.used);
    *ret_payload = buffer;
    *ret_bytes = w.used;
    return 0;
}

static int verify(const uint8_t *payload, size_t bytes, const uint8_t *key)
{
    size_t signed_bytes = bytes - TAIL_BYTES;
    uint8_t *message = malloc(sizeof(domain) + signed_bytes);
    if (message == NULL)
        return -ENOMEM;
    memcpy(message, domain, sizeof(domain));
    memcpy(message + sizeof(domain), payload, signed_bytes);
    int r = crypto_sign_verify_detached(payload + bytes - SIGNATURE_BYTES, message,
                                        sizeof(domain) + signed_bytes, key);
    free(message);
    return r == 0 ? 0 : -EBADMSG;
}

int fed_envelope_open(struct fed_envelope *ret_env, const uint8_t *payload, size_t bytes,
                      size_t max_bytes, const char *federation, const struct fed_roster *roster)
{
    if (bytes > max_bytes)
        return -EMSGSIZE;

    struct fed_envelope env;
    struct fed_reader r;
    char group[FED_NAME_BYTES];
    uint8_t signature[SIGNATURE_BYTES];
    fed_reader_init(&r, payload, bytes);
    fed_get_array(&r, ITEMS);
    uint64_t version = fed_get_uint(&r, UINT64_MAX);
    if (r.bad)
        return -EPROTO;
    if (version != FED_WIRE_VERSION)
        return -EPROTONOSUPPORT;
    uint64_t type = fed_get_uint(&r, UINT64_MAX);
    fed_get_name(&r, group);
    fed_get_name(&r, env.sender);
    env.epoch = fed_get_uint(&r, UINT64_MAX);
    env.round = fed_get_uint(&r, UINT64_MAX);
    env.seq = fed_get_uint(&r, UINT64_MAX);
    env.body = fed_get_bytes(&r, max_bytes, &env.body_bytes);
    fed_get_fixed(&r, signature, sizeof(signature));
    if (fed_reader_finish(&r) < 0)
        return -EPROTO;
    if (type < FED_TYPE_PLAN || type > FED_TYPE_LEASE)
        return -ENOMSG;
    if (strcmp(group, federation) != 0)
        return -EXDEV;
    const uint8_t *key = fed_roster_key(roster, env.sender);
    if (key == NULL)
        return -ENOKEY;
    int code = verify(payload, bytes, key);
    if (code < 0)
        return code;
    env.type = (enum fed_type)type;
    *ret_env = env;
    return 0;
}
