/* SPDX-License-Identifier: Apache-2.0 */
#include "fedsync/identity_priv.h"

#include "fedsync/codec_priv.h"

#include <errno.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define KEY_BYTES      32
#define KEY_LINE_BYTES (2 * KEY_BYTES + 1)
#define FILE_BYTES_MAX 1024

_Static_assert(crypto_sign_PUBLICKEYBYTES == KEY_BYTES, "public key");
_Static_assert(crypto_sign_SEEDBYTES == KEY_BYTES, "seed");
_Static_assert(crypto_sign_SECRETKEYBYTES == sizeof(((struct fed_identity *)0)->secret_key), "key");

int fed_key_read(const char *path, uint8_t out[32], struct atl_error *err)
{
    uint8_t *text;
    size_t bytes;
    int r = atl_file_read(path, FILE_BYTES_MAX, &text, &bytes, err);
    if (r < 0)
        return r;
    size_t digits = strcspn((char *)text, "\r\n");
    size_t rest = strspn((char *)text + digits, "\r\n");
    size_t got = 0;
    bool whole = digits == 2 * KEY_BYTES && digits + rest == bytes &&
                 sodium_hex2bin(out, KEY_BYTES, (char *)text, digits, NULL, &got, NULL) == 0 &&
                 got == KEY_BYTES;
    sodium_memzero(text, bytes);
    free(text);
    return whole ? 0
                 : atl_error_set(err, -EINVAL, "%s: expected one line of 64 hexadecimal digits",
                                 path);
}

static int key_write(const char *path, const uint8_t key[KEY_BYTES], unsigned mode,
                     struct atl_error *err)
{
    char line[KEY_LINE_BYTES + 1];
    atl_hex(line, key, KEY_BYTES);
    line[2 * KEY_BYTES] = '\n';
    int r = atl_file_write(path, line, KEY_LINE_BYTES, mode, err);
    sodium_memzero(line, sizeof(line));
    return r;
}

static int seed_open(uint8_t seed[KEY_BYTES], const char *path, struct atl_error *err)
{
    struct stat st;
    if (stat(path, &st) < 0 && errno == ENOENT) {
        randombytes_buf(seed, KEY_BYTES);
        return key_write(path, seed, 0600, err);
    }
    int r = fed_key_read(path, seed, err);
    if (r == 0 && (st.st_mode & 077) != 0)
        return atl_error_set(err, -EPERM, "%s: others may read this secret key: chmod 600 %s", path,
                             path);
    return r;
}

/* A public key that is not ours would make every roster copied from it refuse us. */
static int public_check(const uint8_t key[KEY_BYTES], const char *path, struct atl_error *err)
{
    uint8_t found[KEY_BYTES];
    int r = fed_key_read(path, found, err);
    if (r == -ENOENT)
        return key_write(path, key, 0644, err);
    if (r == 0 && memcmp(found, key, KEY_BYTES) != 0)
        return atl_error_set(err, -EBADMSG,
                             "%s does not belong to the secret key beside it: remove it, it will "
                             "be written anew",
                             path);
    return r;
}

int fed_identity_open(struct fed_identity *ret_identity, const char *dir, const char *name,
                      struct atl_error *err)
{
    char path[PATH_MAX];
    uint8_t seed[KEY_BYTES];
    struct fed_identity identity = {0};

    int r = fed_name_check("identity name", name, err);
    if (r < 0)
        return r;
    atl_copy(identity.name, sizeof(identity.name), name);
    r = atl_dir_make(dir, err);
    if (r < 0)
        return r;
    if (snprintf(path, sizeof(path), "%s/%s.key", dir, name) >= (int)sizeof(path))
        return atl_error_set(err, -ENAMETOOLONG, "the path of %s's key is too long", name);
    r = seed_open(seed, path, err);
    if (r == 0) {
        crypto_sign_seed_keypair(identity.public_key, identity.secret_key, seed);
        memcpy(strrchr(path, '.'), ".pub", sizeof(".pub"));
        r = public_check(identity.public_key, path, err);
    }
    if (r == 0)
        *ret_identity = identity;
    sodium_memzero(seed, sizeof(seed));
    sodium_memzero(&identity, sizeof(identity));
    return r;
}
