/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/tls_priv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int bus_tls_check(const struct bus_config *cfg, struct atl_error *err)
{
    const struct {
        const char *key, *path;
    } files[] = {
        {"ca_file", cfg->ca_file}, {"cert_file", cfg->cert_file}, {"key_file", cfg->key_file}};
    for (size_t i = 0; i < ATL_ARRAY_LEN(files); i++) {
        if (files[i].path != NULL && access(files[i].path, R_OK) < 0)
            return atl_error_set(err, -ENOENT, "%s: cannot read %s: %s", files[i].key,
                                 files[i].path, strerror(errno));
    }
    return 0;
}

/* OpenSSL's line is "thread:error:code:library::reason:file:line:data": keep the reason. */
static int keep_text(const char *line, size_t bytes, void *ctx)
{
    struct bus_tls_text *t = ctx;
    const char *at = line, *end = line + bytes;
    for (int colons = 0; at < end && colons < 5; at++)
        colons += *at == ':';
    size_t n = 0;
    while (at + n < end && at[n] != ':' && at[n] != '\n')
        n++;
    size_t used = strlen(t->text);
    if (n > 0 && strstr(t->text, "certificate") == NULL)
        snprintf(t->text + used, sizeof(t->text) - used, "%s%.*s", used > 0 ? "; " : "", (int)n,
                 at);
    return 1;
}

void bus_tls_fill(MQTTAsync_SSLOptions *ret_options, const struct bus_config *cfg,
                  struct bus_tls_text *text)
{
    MQTTAsync_SSLOptions options = MQTTAsync_SSLOptions_initializer;
    options.trustStore = cfg->ca_file;
    options.keyStore = cfg->cert_file;
    options.privateKey = cfg->key_file;
    options.enableServerCertAuth = 1;
    options.verify = 1; /* the library's default is not to compare the host name */
    /* These exist from TLS 1.2 on; asking for a version by name would switch 1.3 off. */
    options.enabledCipherSuites = "ECDHE+AESGCM:ECDHE+CHACHA20";
    options.disableDefaultTrustStore = cfg->ca_file != NULL;
    options.ssl_error_cb = keep_text;
    options.ssl_error_context = text;
    *ret_options = options;
}
