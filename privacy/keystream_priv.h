/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random bytes by the ten thousand: ChaCha20 (RFC 8439) under a key that lives as long as one call.
 * OpenSSL's implementation is taken where it can be had, two to three times as fast as
 * libsodium's, which gives the same bytes where it cannot.
 */
#ifndef PRIV_KEYSTREAM_PRIV_H
#define PRIV_KEYSTREAM_PRIV_H

#include <openssl/types.h>
#include <sodium.h>

#include "base/base.h"

struct priv_keystream {
    EVP_CIPHER_CTX *cipher; /* NULL: libsodium */
    uint8_t key[crypto_stream_chacha20_ietf_KEYBYTES];
    uint32_t stretch; /* which nonce comes next */
};

/** Draws the key. Cannot fail. */
void priv_keystream_init(struct priv_keystream *stream, struct atl_rng *rng);
/** The next stretch, at most 2^20 bytes; 2^32 stretches to a key. */
ATL_HOT void priv_keystream_fill(struct priv_keystream *stream, void *out, size_t bytes);
/** Wipes the key. */
void priv_keystream_finish(struct priv_keystream *stream);

#endif
