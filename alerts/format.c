/* SPDX-License-Identifier: Apache-2.0 */
#include "alerts/alerts.h"
#include "alerts/text_priv.h"

#include <ctype.h>
#include <float.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* The json_object_set_new functions take a NULL value and an object of NULL and answer -1, so a
 * failed allocation anywhere ends in one check of `ok` at the end. */
struct builder {
    bool ok;
};

static void put(struct builder *b, json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, value) < 0)
        b->ok = false;
}

static void put_text(struct builder *b, json_t *object, const char *key, const char *text)
{
    char clean[ALERT_TEXT_BYTES];
    alert_text_clean(clean, sizeof(clean), text);
    put(b, object, key, json_string(clean));
}

static void put_some_text(struct builder *b, json_t *object, const char *key, const char *text)
{
    if (text[0] != '\0')
        put_text(b, object, key, text);
}

static void put_time(struct builder *b, json_t *object, const char *key, atl_ns ns)
{
    char text[ATL_TIME_TEXT_BYTES];
    atl_clock_format(ns, text);
    put(b, object, key, json_string(text));
}

static void put_count(struct builder *b, json_t *object, const char *key, uint64_t n)
{
    put(b, object, key, json_integer(n > INT64_MAX ? INT64_MAX : (json_int_t)n));
}

static void put_real(struct builder *b, json_t *object, const char *key, double x)
{
    put(b, object, key, json_real(alert_number_clamp(x, -DBL_MAX, DBL_MAX, 0)));
}

static atl_ns time_of(enum alert_change change, const struct alert_incident *incident)
{
    if (change == ALERT_RAISE)
        return incident->raised_ns;
    return change == ALERT_CLEAR ? incident->cleared_ns : incident->updated_ns;
}

static bool is_target(const struct alert_signal *s)
{
    return strcmp(s->role, "target") == 0;
}

/* A finding about the link as a whole has no address. */
static bool is_link(const struct alert_signal *s)
{
    return strcmp(s->role, "link") == 0;
}

static const char *preposition(const struct alert_signal *s)
{
    if (is_link(s))
        return "on";
    return is_target(s) ? "against" : "from";
}

/* "horizontal_scan", source 10.3.0.66 → "Horizontal scan from 10.3.0.66" */
static void signature(const struct alert_signal *s, char *out, size_t out_bytes)
{
    snprintf(out, out_bytes, "%s %s %s", s->kind[0] != '\0' ? s->kind : "anomaly", preposition(s),
             s->entity);
    out[0] = (char)toupper((unsigned char)out[0]);
    for (char *at = out; *at != '\0' && *at != ' '; at++)
        *at = *at == '_' ? ' ' : *at;
}

static json_t *alert_block(struct builder *b, const struct alert_incident *incident)
{
    static const int eve[] = {
        [ALERT_WARNING] = 3, [ALERT_MINOR] = 2, [ALERT_MAJOR] = 1, [ALERT_CRITICAL] = 1};
    char text[128];
    signature(&incident->signal, text, sizeof(text));
    json_t *o = json_object();
    put(b, o, "action", json_string("allowed"));
    put_text(b, o, "signature", text);
    put_text(b, o, "category", incident->signal.kind);
    put(b, o, "severity", json_integer(eve[incident->severity]));
    return o;
}

static json_t *flow_block(struct builder *b, const struct alert_signal *s)
{
    json_t *o = json_object();
    put_count(b, o, "pkts_toserver", s->packets_toserver);
    put_count(b, o, "pkts_toclient", s->packets_toclient);
    put_count(b, o, "bytes_toserver", s->bytes_toserver);
    put_count(b, o, "bytes_toclient", s->bytes_toclient);
    put_time(b, o, "start", s->first_ns);
    return o;
}

static json_t *feature_list(struct builder *b, const struct alert_signal *s)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < s->n_features && i < ALERT_FEATURES_MAX; i++) {
        json_t *o = json_object();
        put_text(b, o, "name", s->features[i].name);
        put_real(b, o, "observed", s->features[i].observed);
        put_real(b, o, "expected", s->features[i].expected);
        if (s->features[i].low <= s->features[i].high) {
            put_real(b, o, "low", s->features[i].low);
            put_real(b, o, "high", s->features[i].high);
        }
        put_text(b, o, "unit", s->features[i].unit);
        if (json_array_append_new(list, o) < 0)
            b->ok = false;
    }
    return list;
}

static json_t *own_block(struct builder *b, const struct alert_config *cfg,
                         enum alert_change change, const struct alert_incident *incident)
{
    const struct alert_signal *s = &incident->signal;
    json_t *o = json_object();
    put_text(b, o, "id", incident->id);
    put_text(b, o, "change", alert_change_name(change));
    put_text(b, o, "site", cfg->site);
    put_text(b, o, "node", cfg->node);
    put_text(b, o, "kind", s->kind);
    put_text(b, o, "entity", s->entity);
    put_text(b, o, "role", s->role);
    put_text(b, o, "severity", alert_severity_name(incident->severity));
    put_text(b, o, "detector", s->detector);
    put(b, o, "score", json_real(alert_number_clamp(s->score, 0, 1, 0)));
    put(b, o, "p_value", json_real(alert_number_clamp(s->p_value, 0, 1, 1)));
    put_count(b, o, "count", incident->count);
    put_time(b, o, "raised", incident->raised_ns);
    put_time(b, o, "updated", incident->updated_ns);
    if (change == ALERT_CLEAR)
        put_time(b, o, "cleared", incident->cleared_ns);
    put(b, o, "top_features", feature_list(b, s));
    put_text(b, o, "hint", s->hint);
    put_text(b, o, "attack_technique", s->technique);
    put_text(b, o, "model", s->model);
    return o;
}

/* Readers of EVE look for addresses: a finding about a host alone names that host. */
static void put_flow_key(struct builder *b, json_t *o, const struct alert_signal *s)
{
    bool no_flow = s->src_ip[0] == '\0' && s->dest_ip[0] == '\0' && !is_link(s);
    put_some_text(b, o, "src_ip", no_flow && !is_target(s) ? s->entity : s->src_ip);
    if (s->src_port != 0)
        put_count(b, o, "src_port", s->src_port);
    put_some_text(b, o, "dest_ip", no_flow && is_target(s) ? s->entity : s->dest_ip);
    if (s->dest_port != 0)
        put_count(b, o, "dest_port", s->dest_port);
    put_some_text(b, o, "proto", s->proto);
    put_some_text(b, o, "community_id", s->community_id);
    put_some_text(b, o, "in_iface", s->in_iface);
}

char *alert_format_json(const struct alert_config *cfg, enum alert_change change,
                        const struct alert_incident *incident)
{
    struct builder b = {.ok = true};
    json_t *o = json_object();
    put(&b, o, "schema", json_integer(1));
    put_time(&b, o, "timestamp", time_of(change, incident));
    put(&b, o, "event_type", json_string("alert"));
    put_flow_key(&b, o, &incident->signal);
    put(&b, o, "alert", alert_block(&b, incident));
    put(&b, o, "flow", flow_block(&b, &incident->signal));
    put(&b, o, "atalaya", own_block(&b, cfg, change, incident));
    /* nine digits: more than a score carries, and 0.97 stays 0.97 */
    char *text = b.ok ? json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(o);
    return text;
}

struct line {
    char text[1024];
    size_t used;
};

static void append(struct line *l, const char *fmt, ...) ATL_PRINTF(2, 3);
static void append(struct line *l, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(l->text + l->used, sizeof(l->text) - l->used, fmt, args);
    va_end(args);
    if (n > 0)
        l->used += (size_t)n;
    if (l->used >= sizeof(l->text))
        l->used = sizeof(l->text) - 1;
}

static void append_features(struct line *l, const struct alert_signal *s)
{
    for (uint32_t i = 0; i < s->n_features && i < 3; i++) {
        const struct alert_feature *f = &s->features[i];
        bool pure = f->unit[0] == '\0' || strcmp(f->unit, "1") == 0;
        append(l, "%s %.4g%s%s (usual %.4g), ", f->name, f->observed, pure ? "" : " ",
               pure ? "" : f->unit, f->expected);
    }
}

void alert_format_line(enum alert_change change, const struct alert_incident *incident, char *out,
                       size_t out_bytes)
{
    const struct alert_signal *s = &incident->signal;
    struct line l = {.used = 0};
    char stamp[ATL_TIME_TEXT_BYTES], level[16] = "CLEARED";
    atl_clock_format(time_of(change, incident), stamp);
    if (change != ALERT_CLEAR)
        atl_copy(level, sizeof(level), alert_severity_name(incident->severity));
    for (char *at = level; *at != '\0'; at++)
        *at = (char)toupper((unsigned char)*at);

    append(&l, "%.8s %s %s %s (%s)", stamp + strlen("2026-11-21T"), level, s->kind, s->entity,
           s->role);
    if (incident->count > 1)
        append(&l, " ×%llu", (unsigned long long)incident->count);
    if (change == ALERT_CLEAR) {
        atl_ns lasted = incident->cleared_ns - incident->raised_ns;
        append(&l, ": over after %.0f s", (double)lasted / 1e9);
    } else {
        append(&l, ": ");
        append_features(&l, s);
        append(&l, "score %.2f", s->score);
        if (s->hint[0] != '\0')
            append(&l, " — %s", s->hint);
    }
    alert_text_clean(out, out_bytes, l.text);
}
