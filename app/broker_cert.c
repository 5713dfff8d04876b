/* SPDX-License-Identifier: Apache-2.0 */
#include "app/broker_cert_priv.h"

#include <errno.h>
#include <limits.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CA_DAYS    3650
#define RENEW_DAYS 30
#define CLOCK_SLACK_S                                                           \
    3600 /* a node whose clock is behind must not see a certificate of tomorrow \
          */
#define PEM_MAX_BYTES  65536
#define HASH_SALT      12
#define HASH_SUM_BYTES 64

struct broker_ca {
    EVP_PKEY *key;
    X509 *cert;
};

static int crypto_failed(struct atl_error *err, const char *path)
{
    return atl_error_set(err, -EIO, "%s: OpenSSL could not make it", path);
}

/* --- PEM files --- */

static BIO *read_pem(const char *path)
{
    uint8_t *data;
    size_t bytes;
    if (atl_file_read(path, PEM_MAX_BYTES, &data, &bytes, NULL) < 0)
        return NULL;
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio != NULL && BIO_write(bio, data, (int)bytes) != (int)bytes) {
        BIO_free(bio);
        bio = NULL;
    }
    explicit_bzero(data, bytes);
    free(data);
    return bio;
}

static EVP_PKEY *load_key(const char *path)
{
    BIO *bio = read_pem(path);
    EVP_PKEY *key = bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
    BIO_free(bio);
    return key;
}

static X509 *load_cert(const char *path)
{
    BIO *bio = read_pem(path);
    X509 *cert = bio != NULL ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    BIO_free(bio);
    return cert;
}

static int save_bio(BIO *bio, const char *path, unsigned mode, struct atl_error *err)
{
    char *data;
    long bytes = BIO_get_mem_data(bio, &data);
    return bytes > 0 ? atl_file_write(path, data, (size_t)bytes, mode, err)
                     : crypto_failed(err, path);
}

static int save_key(EVP_PKEY *key, const char *path, unsigned mode, struct atl_error *err)
{
    BIO *bio = BIO_new(BIO_s_secmem());
    int r = bio != NULL && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1
                ? save_bio(bio, path, mode, err)
                : crypto_failed(err, path);
    BIO_free(bio);
    return r;
}

static int save_cert(X509 *cert, const char *path, struct atl_error *err)
{
    BIO *bio = BIO_new(BIO_s_mem());
    int r = bio != NULL && PEM_write_bio_X509(bio, cert) == 1 ? save_bio(bio, path, 0644, err)
                                                              : crypto_failed(err, path);
    BIO_free(bio);
    return r;
}

/* --- certificates --- */

/* RFC 5280 §4.1.2.2: positive, at most 20 bytes; random, so that no counter needs keeping. */
static bool set_serial(X509 *cert)
{
    BIGNUM *number = BN_new();
    bool good = number != NULL && BN_rand(number, 127, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
                BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)) != NULL;
    BN_free(number);
    return good;
}

static bool add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    bool good = extension != NULL && X509_add_ext(cert, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return good;
}

static bool fill_common(X509 *cert, EVP_PKEY *key, const char *cn, uint32_t days)
{
    X509_NAME *name = X509_get_subject_name(cert);
    return X509_set_version(cert, X509_VERSION_3) == 1 && set_serial(cert) &&
           X509_gmtime_adj(X509_getm_notBefore(cert), -CLOCK_SLACK_S) != NULL &&
           X509_time_adj_ex(X509_getm_notAfter(cert), (int)days, 0, NULL) != NULL &&
           X509_set_pubkey(cert, key) == 1 &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1,
                                      0) == 1;
}

static bool fill_ca(X509 *cert, EVP_PKEY *key)
{
    return fill_common(cert, key, "atalaya CA", CA_DAYS) &&
           X509_set_issuer_name(cert, X509_get_subject_name(cert)) == 1 &&
           add_extension(cert, cert, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
           add_extension(cert, cert, NID_key_usage, "critical,keyCertSign,cRLSign") &&
           add_extension(cert, cert, NID_subject_key_identifier, "hash") &&
           X509_sign(cert, key, EVP_sha256()) > 0;
}

/* A node's certificate must not pass for the broker's: the purpose is part of it. */
static bool fill_leaf(X509 *cert, EVP_PKEY *key, const struct broker_ca *ca,
                      const struct broker_cert *want)
{
    bool server = want->alt_names != NULL;
    return fill_common(cert, key, want->cn, want->days) &&
           X509_set_issuer_name(cert, X509_get_subject_name(ca->cert)) == 1 &&
           add_extension(cert, ca->cert, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(cert, ca->cert, NID_key_usage, "critical,digitalSignature") &&
           add_extension(cert, ca->cert, NID_ext_key_usage, server ? "serverAuth" : "clientAuth") &&
           add_extension(cert, ca->cert, NID_subject_key_identifier, "hash") &&
           add_extension(cert, ca->cert, NID_authority_key_identifier, "keyid:always") &&
           (!server || add_extension(cert, ca->cert, NID_subject_alt_name, want->alt_names)) &&
           X509_sign(cert, ca->key, EVP_sha256()) > 0;
}

/* --- the authority --- */

static int load_or_make_ca(struct broker_ca *ca, const char *key_path, const char *cert_path,
                           bool *ret_made, struct atl_error *err)
{
    bool has_key = access(key_path, F_OK) == 0, has_cert = access(cert_path, F_OK) == 0;
    if (has_cert && !has_key)
        return atl_error_set(err, -ENOENT,
                             "%s is there, but its key %s is not: bring the key back, or start in "
                             "an empty folder (every node then needs new files)",
                             cert_path, key_path);
    ca->key = has_key ? load_key(key_path) : EVP_EC_gen("P-256");
    if (ca->key == NULL)
        return atl_error_set(err, -EBADMSG, "%s: expected a private key in PEM", key_path);
    /* The key first: after a crash between the two the certificate is made again from it. */
    int r = has_key ? 0 : save_key(ca->key, key_path, 0600, err);
    if (r < 0)
        return r;
    ca->cert = has_cert ? load_cert(cert_path) : X509_new();
    if (ca->cert == NULL)
        return atl_error_set(err, -EBADMSG, "%s: expected a certificate in PEM", cert_path);
    if (!has_cert) {
        *ret_made = true;
        return fill_ca(ca->cert, ca->key) ? save_cert(ca->cert, cert_path, err)
                                          : crypto_failed(err, cert_path);
    }
    if (X509_check_private_key(ca->cert, ca->key) != 1)
        return atl_error_set(err, -EBADMSG, "%s does not belong to %s", key_path, cert_path);
    return 0;
}

int broker_ca_open(struct broker_ca **ret_ca, const char *dir, bool *ret_made,
                   struct atl_error *err)
{
    char key_path[PATH_MAX], cert_path[PATH_MAX];
    snprintf(key_path, sizeof(key_path), "%s/ca.key", dir);
    snprintf(cert_path, sizeof(cert_path), "%s/ca.crt", dir);
    struct broker_ca *ca = calloc(1, sizeof(*ca));
    if (ca == NULL)
        return atl_error_set(err, -ENOMEM, "out of memory");
    bool made = false;
    int r = load_or_make_ca(ca, key_path, cert_path, &made, err);
    if (r < 0) {
        broker_ca_close(ca);
        return r;
    }
    *ret_made = made;
    *ret_ca = ca;
    return 0;
}

void broker_ca_close(struct broker_ca *ca)
{
    if (ca == NULL)
        return;
    EVP_PKEY_free(ca->key);
    X509_free(ca->cert);
    free(ca);
}

/* --- what it signs --- */

/* `wanted` is "DNS:a,IP:b"; the certificate may hold more. */
static bool names_all(X509 *cert, const char *wanted)
{
    char list[4096], *save = NULL;
    if (!atl_copy(list, sizeof(list), wanted))
        return false;
    for (char *at = strtok_r(list, ",", &save); at != NULL; at = strtok_r(NULL, ",", &save)) {
        bool held = strncmp(at, "IP:", 3) == 0 ? X509_check_ip_asc(cert, at + 3, 0) == 1
                                               : X509_check_host(cert, at + 4, 0, 0, NULL) == 1;
        if (!held)
            return false;
    }
    return true;
}

static bool still_good(const struct broker_ca *ca, X509 *cert, EVP_PKEY *key,
                       const struct broker_cert *want)
{
    time_t later = time(NULL) + (time_t)RENEW_DAYS * 86400;
    return X509_verify(cert, ca->key) == 1 && X509_check_private_key(cert, key) == 1 &&
           X509_cmp_time(X509_get0_notAfter(cert), &later) > 0 &&
           (want->alt_names == NULL || names_all(cert, want->alt_names));
}

static int make_leaf(const struct broker_ca *ca, const char *key_path, const char *cert_path,
                     const struct broker_cert *want, unsigned key_mode, struct atl_error *err)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    int r = key != NULL && cert != NULL && fill_leaf(cert, key, ca, want)
                ? save_key(key, key_path, key_mode, err)
                : crypto_failed(err, cert_path);
    if (r == 0)
        r = save_cert(cert, cert_path, err);
    X509_free(cert);
    EVP_PKEY_free(key);
    return r;
}

int broker_cert_issue(const struct broker_ca *ca, const char *stem, const struct broker_cert *want,
                      unsigned key_mode, enum broker_cert_done *ret_done, struct atl_error *err)
{
    char key_path[PATH_MAX], cert_path[PATH_MAX];
    snprintf(key_path, sizeof(key_path), "%s.key", stem);
    snprintf(cert_path, sizeof(cert_path), "%s.crt", stem);
    EVP_PKEY *key = load_key(key_path);
    X509 *cert = load_cert(cert_path);
    bool keep = key != NULL && cert != NULL && still_good(ca, cert, key, want);
    *ret_done = keep ? BROKER_CERT_KEPT : cert != NULL ? BROKER_CERT_RENEWED : BROKER_CERT_MADE;
    X509_free(cert);
    EVP_PKEY_free(key);
    return keep ? 0 : make_leaf(ca, key_path, cert_path, want, key_mode, err);
}

/* --- passwords --- */

/* The passwords are random and long, so that few rounds are enough; many would let a flood of
 * logins stop the broker, which counts them on its only thread. */
#define HASH_ROUNDS 1000

int broker_password_hash(const char *password, char out[BROKER_HASH_BYTES])
{
    struct atl_rng rng;
    unsigned char salt[HASH_SALT], sum[HASH_SUM_BYTES];
    unsigned char salt_text[HASH_SALT * 2], sum_text[HASH_SUM_BYTES * 2];
    atl_rng_init_secure(&rng);
    atl_rng_fill(&rng, salt, sizeof(salt));
    if (PKCS5_PBKDF2_HMAC(password, (int)strlen(password), salt, sizeof(salt), HASH_ROUNDS,
                          EVP_sha512(), sizeof(sum), sum) != 1)
        return -EIO;
    EVP_EncodeBlock(salt_text, salt, sizeof(salt));
    EVP_EncodeBlock(sum_text, sum, sizeof(sum));
    snprintf(out, BROKER_HASH_BYTES, "$7$%d$%s$%s", HASH_ROUNDS, (char *)salt_text,
             (char *)sum_text);
    return 0;
}
