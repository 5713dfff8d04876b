/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/tls_probe_priv.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#define HANDSHAKE_NS (2 * ATL_NS_PER_S)
#define VERDICT_NS   (500 * ATL_NS_PER_MS) /* TLS 1.3: the broker judges us after the handshake */

struct probe {
    const struct bus_config *cfg;
    const struct bus_url *url;
    bool by_address;
    char *out;
    size_t out_bytes;
};

/* --- the broker's certificate --- */

static void print_time(const ASN1_TIME *at, char *out, size_t out_bytes)
{
    struct tm tm = {0};
    if (ASN1_TIME_to_tm(at, &tm) != 1 || strftime(out, out_bytes, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        atl_copy(out, out_bytes, "an unknown time");
}

/* "localhost, 127.0.0.1": as many as fit. The bytes are a stranger's: only plain ones are shown. */
static void print_names(X509 *cert, char *out, size_t out_bytes)
{
    size_t used = 0;
    out[0] = '\0';
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names) && used + 1 < out_bytes; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        char text[INET6_ADDRSTRLEN + 128] = "";
        const ASN1_STRING *value = name->d.ia5;
        int bytes =
            name->type == GEN_DNS || name->type == GEN_IPADD ? ASN1_STRING_length(value) : 0;
        if (name->type == GEN_IPADD && (bytes == 4 || bytes == 16))
            inet_ntop(bytes == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(value), text,
                      sizeof(text));
        else if (name->type == GEN_DNS && bytes > 0 && (size_t)bytes < sizeof(text))
            memcpy(text, ASN1_STRING_get0_data(value), (size_t)bytes);
        for (char *c = text; *c != '\0'; c++)
            *c = *c > ' ' && *c < 127 ? *c : '?';
        if (text[0] != '\0')
            used +=
                (size_t)snprintf(out + used, out_bytes - used, "%s%s", used > 0 ? ", " : "", text);
    }
    GENERAL_NAMES_free(names);
    if (out[0] == '\0')
        atl_copy(out, out_bytes, "no name");
}

static void blame_broker(const struct probe *p, X509 *cert, long verdict)
{
    char text[160];
    switch (verdict) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        print_time(X509_get0_notAfter(cert), text, sizeof(text));
        snprintf(p->out, p->out_bytes, "the broker's certificate expired at %s", text);
        return;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        print_time(X509_get0_notBefore(cert), text, sizeof(text));
        snprintf(p->out, p->out_bytes,
                 "the broker's certificate is not valid before %s; is this clock right?", text);
        return;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        print_names(cert, text, sizeof(text));
        snprintf(p->out, p->out_bytes, "the broker's certificate is for %s, not for %s", text,
                 p->url->host);
        return;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
        snprintf(p->out, p->out_bytes, "the broker's certificate is not signed by %s",
                 p->cfg->ca_file != NULL ? p->cfg->ca_file : "an authority of this system");
        return;
    default:
        snprintf(p->out, p->out_bytes, "the broker's certificate: %s",
                 X509_verify_cert_error_string(verdict));
    }
}

/* --- the broker's word about us --- */

static bool blame_us(const struct probe *p, unsigned long code)
{
    static const struct {
        int reason;
        const char *text;
    } alerts[] = {
        {SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED,
         "the broker demands a certificate of this node, and none is set"},
        {SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, "the broker says that our certificate has expired"},
        {SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED, "the broker says that our certificate is revoked"},
        {SSL_R_TLSV1_ALERT_UNKNOWN_CA,
         "the broker does not know the authority that signed our certificate"},
        {SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE,
         "the broker says that our certificate is not one of a client"},
        {SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, "the broker does not accept our certificate"},
        {SSL_R_WRONG_VERSION_NUMBER, "the port answers, but not in TLS: another service there"},
    };
    for (size_t i = 0; i < ATL_ARRAY_LEN(alerts); i++) {
        if (ERR_GET_REASON(code) == alerts[i].reason) {
            snprintf(p->out, p->out_bytes, "%s", alerts[i].text);
            return true;
        }
    }
    const char *reason = ERR_reason_error_string(code);
    if (ERR_GET_LIB(code) != ERR_LIB_SSL || reason == NULL)
        return false;
    snprintf(p->out, p->out_bytes, "%s", reason);
    return true;
}

/* --- the handshake --- */

/** Repeat until it is done, failed for good, or late. @return the last result of the step */
static int drive(SSL *ssl, int (*step)(SSL *), atl_ns limit_ns)
{
    atl_ns until = atl_clock_mono_ns() + limit_ns;
    for (;;) {
        int r = step(ssl), why = SSL_get_error(ssl, r);
        atl_ns now = atl_clock_mono_ns();
        if (r > 0 || (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) || now >= until)
            return r;
        struct pollfd fd = {.fd = SSL_get_fd(ssl),
                            .events = why == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT};
        poll(&fd, 1, (int)((until - now) / ATL_NS_PER_MS) + 1);
    }
}

static int read_byte(SSL *ssl)
{
    char byte;
    return SSL_read(ssl, &byte, 1);
}

static bool judge(const struct probe *p, SSL *ssl)
{
    ERR_clear_error();
    int r = drive(ssl, SSL_connect, HANDSHAKE_NS);
    if (r > 0) {
        long verdict = SSL_get_verify_result(ssl);
        if (verdict != X509_V_OK) {
            blame_broker(p, SSL_get0_peer_certificate(ssl), verdict);
            return true;
        }
        r = drive(ssl, read_byte, VERDICT_NS);
    }
    unsigned long code = ERR_peek_error();
    return r <= 0 && code != 0 && blame_us(p, code);
}

static bool prepare_context(const struct probe *p, SSL_CTX *context)
{
    const struct bus_config *cfg = p->cfg;
    bool good = cfg->ca_file != NULL
                    ? SSL_CTX_load_verify_locations(context, cfg->ca_file, NULL) == 1
                    : SSL_CTX_set_default_verify_paths(context) == 1;
    if (good && cfg->cert_file != NULL)
        good = SSL_CTX_use_certificate_chain_file(context, cfg->cert_file) == 1 &&
               SSL_CTX_use_PrivateKey_file(context, cfg->key_file, SSL_FILETYPE_PEM) == 1;
    /* Nothing is sent over this connection; going on after a bad certificate shows what it is. */
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
    return good;
}

static bool prepare(const struct probe *p, SSL *ssl, int fd)
{
    return SSL_set_fd(ssl, fd) == 1 &&
           (p->by_address ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), p->url->host) == 1
                          : SSL_set1_host(ssl, p->url->host) == 1 &&
                                SSL_set_tlsext_host_name(ssl, p->url->host) == 1);
}

bool bus_tls_probe(int fd, const struct bus_config *cfg, const struct bus_url *url, char *out,
                   size_t out_bytes)
{
    unsigned char address[16];
    struct probe p = {.cfg = cfg, .url = url, .out = out, .out_bytes = out_bytes};
    p.by_address =
        inet_pton(AF_INET, url->host, address) == 1 || inet_pton(AF_INET6, url->host, address) == 1;
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *ssl = NULL;
    bool said = false;
    if (context != NULL && prepare_context(&p, context))
        ssl = SSL_new(context);
    if (ssl != NULL && prepare(&p, ssl, fd))
        said = judge(&p, ssl);
    SSL_free(ssl);
    SSL_CTX_free(context);
    ERR_clear_error();
    return said;
}
