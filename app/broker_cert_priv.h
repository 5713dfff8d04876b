/* SPDX-License-Identifier: Apache-2.0 */
/* A small certificate authority: EC P-256, what OpenSSL, mosquitto and browsers all take. */
#ifndef BROKER_CERT_PRIV_H
#define BROKER_CERT_PRIV_H

#include "base/base.h"

struct broker_ca;

/**
 * Load <dir>/ca.key and ca.crt, or make both when neither is there. A key without its certificate
 * gets a new certificate; a certificate without its key is an error: nothing is ever replaced.
 * @param ret_made  true when a file was written
 */
int broker_ca_open(struct broker_ca **ret_ca, const char *dir, bool *ret_made,
                   struct atl_error *err);
void broker_ca_close(struct broker_ca *ca); /* NULL is fine */

struct broker_cert {
    const char *cn;
    const char *alt_names; /* "DNS:a,IP:b"; NULL for a client's certificate */
    uint32_t days;
};

enum broker_cert_done { BROKER_CERT_KEPT, BROKER_CERT_MADE, BROKER_CERT_RENEWED };

/**
 * <stem>.crt and <stem>.key. They are kept when the certificate is this authority's, belongs to the
 * key, holds all alt_names and is good for another 30 days.
 * @param key_mode  of a new key file
 */
int broker_cert_issue(const struct broker_ca *ca, const char *stem, const struct broker_cert *want,
                      unsigned key_mode, enum broker_cert_done *ret_done, struct atl_error *err);

/** `$7$rounds$salt$hash`, a line's right half in mosquitto's password file. */
#define BROKER_HASH_BYTES 160
int broker_password_hash(const char *password, char out[BROKER_HASH_BYTES]);

#endif
