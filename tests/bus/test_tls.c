/* SPDX-License-Identifier: Apache-2.0 */
/* TLS against real brokers; the certificates are made by the openssl program. */
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

/* name, signed by, days: -1 ended yesterday. The others are good for two. */
static const char *const recipe =
    "cd %s && {"
    " for a in ca else; do openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
    " -days 2 -subj /CN=$a -keyout $a.key -out $a.pem || exit 1; done;"
    " echo subjectAltName=DNS:localhost > ext;"
    " while read name signer days; do"
    " openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=$name"
    " -keyout $name.key -out $name.csr &&"
    " openssl x509 -req -days $days -in $name.csr -CA $signer.pem -CAkey $signer.key"
    " -CAcreateserial -extfile ext -out $name.pem || exit 1; done <<END\n"
    "server ca 2\nold-server ca -1\nclient ca 2\nold-client ca -1\nforeign else 2\nstranger ca 2\n"
    "END\n} > openssl.log 2>&1";

/* The old one's certificate has expired. */
static struct broker broker, old_broker, plain_broker;
static bool ready;

/* A configuration and the texts that it borrows. */
struct client {
    struct bus_config cfg;
    char url[64], ca[96], cert[96], key[96];
};

/** @param ca, identity  NULL = none */
static void client_init(struct client *c, const struct broker *b, const char *host, const char *ca,
                        const char *identity)
{
    if (!ready) {
        print_message("# mosquitto or openssl is not installed\n");
        skip();
    }
    snprintf(c->url, sizeof(c->url), "mqtts://%s:%u", host, b->port);
    c->cfg = watch_config(c->url, "tls");
    if (ca != NULL) {
        snprintf(c->ca, sizeof(c->ca), "%s/%s.pem", broker.dir, ca);
        c->cfg.ca_file = c->ca;
    }
    if (identity == NULL)
        return;
    snprintf(c->cert, sizeof(c->cert), "%s/%s.pem", broker.dir, identity);
    snprintf(c->key, sizeof(c->key), "%s/%s.key", broker.dir, identity);
    c->cfg.cert_file = c->cert;
    c->cfg.key_file = c->key;
}

static bool start_with(struct broker *b, const char *server)
{
    char text[768];
    /* with max_queued_messages 0 mosquitto 2.0.11 ends the connection after each refused message */
    snprintf(text, sizeof(text),
             "max_queued_messages 1000\ncafile %s/ca.pem\ncertfile %s/%s.pem\nkeyfile "
             "%s/%s.key\nacl_file %s/acl\n"
             "require_certificate true\nuse_identity_as_username true\nallow_anonymous false",
             broker.dir, broker.dir, server, broker.dir, server, broker.dir);
    return broker_start(b, text);
}

static bool write_acl(void)
{
    char path[96];
    snprintf(path, sizeof(path), "%s/acl", broker.dir);
    FILE *f = fopen(path, "w");
    return f != NULL &&
           fputs("user client\ntopic readwrite t/#\ntopic readwrite settle/#\n", f) >= 0 &&
           fclose(f) == 0;
}

static int start(void **state)
{
    (void)state;
    char text[1024];
    if (!broker_installed() || system("openssl version > /dev/null 2>&1") != 0)
        return 0;
    if (!broker_init(&broker) || !broker_init(&old_broker) || !broker_init(&plain_broker))
        return -1;
    snprintf(text, sizeof(text), recipe, broker.dir);
    if (system(text) != 0 || !write_acl())
        return -1;
    ready = start_with(&broker, "server") && start_with(&old_broker, "old-server") &&
            broker_start(&plain_broker, "allow_anonymous true");
    return ready ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    if (ready) {
        broker_finish(&plain_broker);
        broker_finish(&old_broker);
        broker_finish(&broker);
    }
    return 0;
}

static void round_trip(void **state)
{
    (void)state;
    struct watch w;
    struct client c;
    client_init(&c, &broker, "localhost", "ca", "client");
    watch_open(&w, &c.cfg);
    watch_subscribe(&w, "t/#");
    watch_settle(&w);
    char payload[65536] = "sealed";
    assert_int_equal(bus_client_publish(w.client, "t/x", payload, sizeof(payload), 1, false), 0);
    assert_true(watch_until(&w, &w.messages, 1, 3000));
    assert_int_equal(w.payload_bytes, sizeof(payload));
    assert_string_equal(w.payload, "sealed");
    watch_close(&w, 0);
}

/* Paho needs two seconds to give up: all at once. */
static void every_refusal_says_why(void **state)
{
    (void)state;
    static const struct {
        const struct broker *broker;
        const char *scheme, *host, *ca, *identity, *why;
    } rows[] = {
        {&broker, "mqtts", "localhost", "else", "client", "certificate is not signed by"},
        {&broker, "mqtts", "127.0.0.1", "ca", "client",
         "certificate is for localhost, not for 127.0.0.1"},
        {&old_broker, "mqtts", "localhost", "ca", "client",
         "the broker's certificate expired at 20"},
        {&broker, "mqtts", "localhost", "ca", NULL, "demands a certificate of this node"},
        {&broker, "mqtts", "localhost", "ca", "old-client", "our certificate has expired"},
        {&broker, "mqtts", "localhost", "ca", "foreign",
         "does not know the authority that signed our certificate"},
        {&broker, "mqtt", "localhost", NULL, NULL, "try mqtts://"},
        {&plain_broker, "mqtts", "localhost", "ca", "client", "try mqtt://"},
    };
    struct client clients[ATL_ARRAY_LEN(rows)];
    struct watch watches[ATL_ARRAY_LEN(rows)];
    for (size_t i = 0; i < ATL_ARRAY_LEN(rows); i++) {
        client_init(&clients[i], rows[i].broker, rows[i].host, rows[i].ca, rows[i].identity);
        snprintf(clients[i].url, sizeof(clients[i].url), "%s://%s:%u", rows[i].scheme, rows[i].host,
                 rows[i].broker->port);
        watch_open(&watches[i], &clients[i].cfg);
    }
    for (size_t i = 0; i < ATL_ARRAY_LEN(rows); i++) {
        struct watch *w = &watches[i];
        assert_true(watch_until(w, &w->disconnected, 1, 10000));
        if (strncmp(w->why, clients[i].url, strlen(clients[i].url)) != 0 ||
            strstr(w->why, rows[i].why) == NULL)
            fail_msg("expected %s, got \"%s\"", rows[i].why, w->why);
        assert_int_equal(w->connected, 0);
    }
    for (size_t i = 0; i < ATL_ARRAY_LEN(rows); i++)
        watch_close(&watches[i], 0);
}

/* Known to the authority is not yet allowed: the access list goes by the certificate's name. */
static void rights_go_by_the_name(void **state)
{
    (void)state;
    static const struct {
        const char *identity, *topic;
    } rows[] = {{"client", "elsewhere/x"}, {"stranger", "t/x"}};
    struct client clients[ATL_ARRAY_LEN(rows)];
    struct watch watches[ATL_ARRAY_LEN(rows)];
    for (size_t i = 0; i < ATL_ARRAY_LEN(rows); i++) {
        client_init(&clients[i], &broker, "localhost", "ca", rows[i].identity);
        clients[i].cfg.client_id = rows[i].identity;
        watch_open(&watches[i], &clients[i].cfg);
        assert_int_equal(bus_client_publish(watches[i].client, rows[i].topic, "x", 1, 1, false), 0);
    }
    for (size_t i = 0; i < ATL_ARRAY_LEN(rows); i++) {
        struct watch *w = &watches[i];
        assert_true(watch_until(w, &w->refused, 1, 3000));
        if (strstr(w->why, "not authorised") == NULL)
            fail_msg("expected a word about rights, got \"%s\"", w->why);
        assert_int_equal(watch_stats(w).rejected, 1);
    }
    for (size_t i = 0; i < ATL_ARRAY_LEN(rows); i++)
        watch_close(&watches[i], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(every_refusal_says_why),
        cmocka_unit_test(rights_go_by_the_name),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
