/* SPDX-License-Identifier: Apache-2.0 */
#include "privacy/keystream_priv.h"

#include <openssl/evp.h>
#include <string.h>

#define COUNTER_BYTES 4 /* OpenSSL's IV: the block counter before the nonce */
#define NONCE_BYTES   crypto_stream_chacha20_ietf_NONCEBYTES

void priv_keystream_init(struct priv_keystream *stream, struct atl_rng *rng)
{
    stream->stretch = 0;
    atl_rng_fill(rng, stream->key, sizeof(stream->key));
    stream->cipher = EVP_CIPHER_CTX_new();
    if (stream->cipher != NULL &&
        EVP_EncryptInit_ex(stream->cipher, EVP_chacha20(), NULL, stream->key, NULL) != 1) {
        EVP_CIPHER_CTX_free(stream->cipher);
        stream->cipher = NULL;
    }
}

static bool encrypt(EVP_CIPHER_CTX *cipher, const uint8_t nonce[NONCE_BYTES], uint8_t *out,
                    size_t bytes)
{
    uint8_t iv[COUNTER_BYTES + NONCE_BYTES] = {0};
    int written = 0;
    memcpy(iv + COUNTER_BYTES, nonce, NONCE_BYTES);
    memset(out, 0, bytes);
    return EVP_EncryptInit_ex(cipher, NULL, NULL, NULL, iv) == 1 &&
           EVP_EncryptUpdate(cipher, out, &written, out, (int)bytes) == 1 &&
           (size_t)written == bytes;
}

void priv_keystream_fill(struct priv_keystream *stream, void *out, size_t bytes)
{
    uint8_t nonce[NONCE_BYTES] = {0};
    memcpy(nonce, &stream->stretch, sizeof(stream->stretch));
    stream->stretch++;
    if (stream->cipher == NULL || !encrypt(stream->cipher, nonce, out, bytes))
        crypto_stream_chacha20_ietf(out, bytes, nonce, stream->key);
}

void priv_keystream_finish(struct priv_keystream *stream)
{
    EVP_CIPHER_CTX_free(stream->cipher); /* wipes its copy of the key */
    sodium_memzero(stream, sizeof(*stream));
}
