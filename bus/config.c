/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/config_priv.h"

#include "bus/topic_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void bus_config_default(struct bus_config *cfg)
{
    *cfg = (struct bus_config){
        .url = "mqtt://127.0.0.1:1883",
        .client_id = "atalaya",
        .keepalive_s = 30,
        .session_expiry_s = 86400,
        .queue_messages = 65536,
        .queue_bytes = 64ULL << 20,
        .reconnect_min_ns = 500 * ATL_NS_PER_MS,
        .reconnect_max_ns = 30 * ATL_NS_PER_S,
    };
}

static int bad_url(struct atl_error *err, const char *text, const char *what)
{
    return atl_error_set(err, -EINVAL, "url %s: %s, expected mqtt://host:port or mqtts://host:port",
                         text, what);
}

/* Splits "host:port", "[v6]:port" or either without port. */
static const char *split_host(char host[256], const char *at)
{
    bool bracket = *at == '[';
    size_t n = strcspn(at, bracket ? "]" : ":/@?#[]");
    if (bracket && at[n] != ']')
        return NULL;
    const char *begin = bracket ? at + 1 : at;
    size_t length = bracket ? n - 1 : n;
    if (length < 1 || length > 255)
        return NULL;
    memcpy(host, begin, length);
    host[length] = '\0';
    return at + n + bracket;
}

static bool is_port(const char *text)
{
    char *end;
    long port = strtol(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && strlen(text) <= 5 && port >= 1 &&
           port <= 65535;
}

int bus_url_parse(struct bus_url *ret_url, const char *text, struct atl_error *err)
{
    struct bus_url url = {0};
    const char *at;
    if (text == NULL)
        return bad_url(err, "(none)", "missing");
    if (strncmp(text, "mqtt://", 7) == 0)
        at = text + 7;
    else if (strncmp(text, "mqtts://", 8) == 0)
        at = text + 8;
    else
        return bad_url(err, text, "unknown scheme");
    url.tls = text[4] == 's';

    if (strchr(at, '@') != NULL)
        return bad_url(err, "(hidden)", "names go into username and password, not into the url");
    at = split_host(url.host, at);
    if (at == NULL)
        return bad_url(err, text, "no host");
    if (*at == '\0')
        at = url.tls ? ":8883" : ":1883";
    if (*at != ':' || !is_port(at + 1))
        return bad_url(err, text, "the port is not a number from 1 to 65535");
    atl_copy(url.port, sizeof(url.port), at + 1);
    *ret_url = url;
    return 0;
}

static int check_tls(const struct bus_config *cfg, bool tls, struct atl_error *err)
{
    if (!tls && (cfg->ca_file != NULL || cfg->cert_file != NULL || cfg->key_file != NULL))
        return atl_error_set(err, -EINVAL, "url %s: TLS files are given, so expected mqtts://",
                             cfg->url);
    if ((cfg->cert_file == NULL) != (cfg->key_file == NULL))
        return atl_error_set(err, -EINVAL,
                             "cert_file and key_file: one is missing, expected both or neither");
    return 0;
}

static int check_identity(const struct bus_config *cfg, struct atl_error *err)
{
    if (cfg->client_id == NULL || !bus_name_valid_within(cfg->client_id, 64))
        return atl_error_set(err, -EINVAL, "client_id \"%s\": expected 1 to 64 of a-z, 0-9 and -",
                             cfg->client_id == NULL ? "" : cfg->client_id);
    if (cfg->password != NULL && cfg->username == NULL)
        return atl_error_set(err, -EINVAL, "password: given without a username");
    if ((cfg->will_topic == NULL) != (cfg->will_payload == NULL))
        return atl_error_set(err, -EINVAL, "will_topic and will_payload: expected both or neither");
    if (cfg->will_topic != NULL && !bus_topic_valid(cfg->will_topic))
        return atl_error_set(err, -EINVAL,
                             "will_topic \"%.64s\": expected 1 to %d printable characters "
                             "without blank, + or #",
                             cfg->will_topic, BUS_TOPIC_BYTES - 1);
    return 0;
}

static int check_limits(const struct bus_config *cfg, struct atl_error *err)
{
    const struct {
        const char *name;
        uint64_t value, min, max;
    } limits[] = {
        {"keepalive_s", cfg->keepalive_s, 5, 3600},
        {"session_expiry_s", cfg->session_expiry_s, 0, INT32_MAX},
        {"queue_messages", cfg->queue_messages, 1, 10000000},
        {"queue_bytes", cfg->queue_bytes, 1024, 1ULL << 40},
        {"reconnect_min_ns", cfg->reconnect_min_ns, 10 * ATL_NS_PER_MS, 3600 * ATL_NS_PER_S},
        {"reconnect_max_ns", cfg->reconnect_max_ns, cfg->reconnect_min_ns, 86400 * ATL_NS_PER_S},
    };
    for (size_t i = 0; i < ATL_ARRAY_LEN(limits); i++) {
        if (limits[i].value < limits[i].min || limits[i].value > limits[i].max)
            return atl_error_set(err, -EINVAL, "%s: %llu is outside %llu … %llu", limits[i].name,
                                 (unsigned long long)limits[i].value,
                                 (unsigned long long)limits[i].min,
                                 (unsigned long long)limits[i].max);
    }
    return 0;
}

int bus_config_check(const struct bus_config *cfg, struct atl_error *err)
{
    struct bus_url url;
    int r = bus_url_parse(&url, cfg->url, err);
    if (r == 0)
        r = check_tls(cfg, url.tls, err);
    if (r == 0)
        r = check_identity(cfg, err);
    if (r == 0)
        r = check_limits(cfg, err);
    return r;
}

/* Every text of a config, so that copy and free cannot forget one. */
static const size_t texts[] = {
    offsetof(struct bus_config, url),          offsetof(struct bus_config, client_id),
    offsetof(struct bus_config, username),     offsetof(struct bus_config, password),
    offsetof(struct bus_config, ca_file),      offsetof(struct bus_config, cert_file),
    offsetof(struct bus_config, key_file),     offsetof(struct bus_config, will_topic),
    offsetof(struct bus_config, will_payload),
};

static char **text_at(struct bus_config *cfg, size_t i)
{
    return (char **)(void *)((char *)cfg + texts[i]);
}

int bus_config_copy(struct bus_config *ret_cfg, const struct bus_config *cfg)
{
    struct bus_config copy = *cfg;
    bool complete = true;
    for (size_t i = 0; i < ATL_ARRAY_LEN(texts); i++) {
        char **text = text_at(&copy, i);
        if (*text == NULL)
            continue;
        *text = strdup(*text);
        complete = complete && *text != NULL;
    }
    if (!complete) {
        bus_config_free(&copy);
        return -ENOMEM;
    }
    *ret_cfg = copy;
    return 0;
}

void bus_config_free(struct bus_config *cfg)
{
    if (cfg->password != NULL)
        explicit_bzero((char *)(uintptr_t)cfg->password, strlen(cfg->password));
    for (size_t i = 0; i < ATL_ARRAY_LEN(texts); i++) {
        char **text = text_at(cfg, i);
        free(*text);
        *text = NULL;
    }
}
