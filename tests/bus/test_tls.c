/* SPDX-License-Identifier: Apache-2.0 */
/* TLS against a real broker; the certificates are made by the openssl program. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker.h"
#include "watch.h"

static struct broker broker;
static char ca[96], other_ca[96], cert[96], key[96], url[64], wrong_host[64];

static const char *const recipe =
    "cd %s && {"
    " openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=ca"
    " -keyout ca.key -out ca.pem &&"
    " openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=else"
    " -keyout else.key -out else.pem &&"
    " for n in server client; do"
    " openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=$n"
    " -keyout $n.key -out $n.csr &&"
    " echo subjectAltName=DNS:localhost > $n.ext &&"
    " openssl x509 -req -days 2 -in $n.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile"
    " $n.ext -out $n.pem || exit 1; done; } > openssl.log 2>&1";

static bool ready;

static int start(void **state)
{
    (void)state;
    char text[1024];
    if (!broker_installed() || system("openssl version > /dev/null 2>&1") != 0)
        return 0;
    if (!broker_init(&broker))
        return -1;
    snprintf(text, sizeof(text), recipe, broker.dir);
    if (system(text) != 0)
        return -1;
    snprintf(ca, sizeof(ca), "%s/ca.pem", broker.dir);
    snprintf(other_ca, sizeof(other_ca), "%s/else.pem", broker.dir);
    snprintf(cert, sizeof(cert), "%s/client.pem", broker.dir);
    snprintf(key, sizeof(key), "%s/client.key", broker.dir);
    snprintf(url, sizeof(url), "mqtts://localhost:%u", broker.port);
    snprintf(wrong_host, sizeof(wrong_host), "mqtts://127.0.0.1:%u", broker.port);
    snprintf(text, sizeof(text),
             "cafile %s/ca.pem\ncertfile %s/server.pem\nkeyfile %s/server.key\n"
             "require_certificate true\nuse_identity_as_username true\nallow_anonymous false",
             broker.dir, broker.dir, broker.dir);
    ready = broker_start(&broker, text);
    return ready ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    if (ready)
        broker_finish(&broker);
    return 0;
}

static struct bus_config tls_config(const char *where, const char *ca_file)
{
    if (!ready) {
        print_message("# mosquitto or openssl is not installed\n");
        skip();
    }
    struct bus_config cfg = watch_config(where, "tls");
    cfg.ca_file = ca_file;
    cfg.cert_file = cert;
    cfg.key_file = key;
    return cfg;
}

static void round_trip(void **state)
{
    (void)state;
    struct watch w;
    struct bus_config cfg = tls_config(url, ca);
    watch_open(&w, &cfg);
    watch_subscribe(&w, "t/#");
    watch_settle(&w);
    char payload[65536] = "sealed";
    assert_int_equal(bus_client_publish(w.client, "t/x", payload, sizeof(payload), 1, false), 0);
    assert_true(watch_until(&w, &w.messages, 1, 3000));
    assert_int_equal(w.payload_bytes, sizeof(payload));
    assert_string_equal(w.payload, "sealed");
    watch_close(&w, 0);
}

static void refused(const struct bus_config *cfg, const char *why)
{
    struct watch w;
    watch_open(&w, cfg);
    assert_true(watch_until(&w, &w.disconnected, 1, 5000));
    if (strncmp(w.why, cfg->url, strlen(cfg->url)) != 0 || strstr(w.why, why) == NULL)
        fail_msg("expected %s, got \"%s\"", why, w.why);
    assert_int_equal(w.connected, 0);
    watch_close(&w, 0);
}

static void unknown_authority(void **state)
{
    (void)state;
    struct bus_config cfg = tls_config(url, other_ca);
    refused(&cfg, "certificate verify failed");
}

static void wrong_name(void **state)
{
    (void)state;
    struct bus_config cfg = tls_config(wrong_host, ca);
    refused(&cfg, "certificate");
}

static void no_client_certificate(void **state)
{
    (void)state;
    struct bus_config cfg = tls_config(url, ca);
    cfg.cert_file = NULL;
    cfg.key_file = NULL;
    refused(&cfg, "certificate");
}

static void plain_to_tls_port(void **state)
{
    (void)state;
    struct bus_config cfg = tls_config(broker.url, ca);
    cfg.ca_file = cfg.cert_file = cfg.key_file = NULL;
    refused(&cfg, "try mqtts://");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),        cmocka_unit_test(unknown_authority),
        cmocka_unit_test(wrong_name),        cmocka_unit_test(no_client_certificate),
        cmocka_unit_test(plain_to_tls_port),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
