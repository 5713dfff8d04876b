/* SPDX-License-Identifier: Apache-2.0 */
#include "app/telecom_json_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INT(x) ((json_int_t)(x))

static void set_if_seen(json_t *object, const char *name, uint64_t count)
{
    if (count > 0)
        json_object_set_new(object, name, json_integer(INT(count)));
}

json_t *encapsulations_json(const struct dp_counters *c)
{
    json_t *seen = json_object();
    for (int i = 0; i < DP_ENCAP_COUNT; i++)
        set_if_seen(seen, dp_encap_name((enum dp_encap)i), c->encaps[i]);
    return seen;
}

json_t *fallbacks_json(const struct dp_counters *c)
{
    json_t *seen = json_object();
    for (int i = 0; i < DP_REASON_COUNT; i++)
        set_if_seen(seen, dp_reason_name((enum dp_reason)i), c->fallbacks[i]);
    return seen;
}

/* A peer that comes up between counting and reading is told of next time. @return rows, or NULL */
static struct dp_telecom_row *read_rows(const struct dp_engine *engine, uint32_t *ret_n)
{
    uint32_t room = dp_engine_telecom(engine, NULL, 0);
    struct dp_telecom_row *rows = calloc(room > 0 ? room : 1, sizeof(*rows));
    *ret_n = 0;
    if (rows == NULL)
        return NULL;
    uint32_t n = dp_engine_telecom(engine, rows, room);
    *ret_n = n < room ? n : room;
    return rows;
}

static json_t *object_of(json_t *parent, const char *name)
{
    if (json_object_get(parent, name) == NULL)
        json_object_set_new(parent, name, json_object());
    return json_object_get(parent, name);
}

static void add_integer(json_t *object, const char *name, uint64_t count)
{
    json_int_t before = json_integer_value(json_object_get(object, name));
    json_object_set_new(object, name, json_integer(before + INT(count)));
}

static void add_code(json_t *protocol, const struct dp_telecom_row *row)
{
    char code[16];
    snprintf(code, sizeof(code), "%" PRIu32, row->code);
    add_integer(object_of(protocol, row->cause ? "causes" : "messages"), code, row->count);
}

/* --- every peer --- */

/* The object of a row's peer, at the end of the list: rows of a peer follow each other. */
static json_t *peer_of(json_t *peers, const struct dp_telecom_row *row)
{
    char text[DP_ADDR_TEXT_BYTES];
    dp_addr_format(&row->peer, text);
    json_t *last = json_array_get(peers, json_array_size(peers) - 1);
    if (last != NULL && strcmp(json_string_value(json_object_get(last, "peer")), text) == 0)
        return last;
    json_array_append_new(peers, json_pack("{s:s, s:I}", "peer", text, "errors", INT(0)));
    return json_array_get(peers, json_array_size(peers) - 1);
}

json_t *telecom_peers_json(const struct dp_engine *engine)
{
    json_t *peers = json_array();
    uint32_t n;
    struct dp_telecom_row *rows = read_rows(engine, &n);
    for (uint32_t i = 0; i < n; i++) {
        json_t *peer = peer_of(peers, &rows[i]);
        if (rows[i].other) {
            add_integer(peer, "other", rows[i].count);
            continue;
        }
        enum dp_telecom_protocol protocol = (enum dp_telecom_protocol)rows[i].protocol;
        add_code(object_of(peer, dp_telecom_name(protocol)), &rows[i]);
        if (rows[i].error)
            add_integer(peer, "errors", rows[i].count);
    }
    free(rows);
    return peers;
}

/* --- totals --- */

static int by_code(const void *left, const void *right)
{
    const struct dp_telecom_row *a = left, *b = right;
    if (a->other != b->other)
        return a->other - b->other;
    if (a->protocol != b->protocol)
        return a->protocol - b->protocol;
    if (a->cause != b->cause)
        return a->cause - b->cause;
    return (a->code > b->code) - (a->code < b->code);
}

static int by_protocol_and_count(const void *left, const void *right)
{
    const struct dp_telecom_row *a = left, *b = right;
    if (a->other != b->other)
        return a->other - b->other;
    if (a->protocol != b->protocol)
        return a->protocol - b->protocol;
    if (a->count != b->count)
        return a->count < b->count ? 1 : -1;
    return by_code(left, right);
}

/* Rows of one code become one. @return rows left */
static uint32_t merge_codes(struct dp_telecom_row *rows, uint32_t n)
{
    uint32_t kept = 0;
    qsort(rows, n, sizeof(*rows), by_code);
    for (uint32_t i = 0; i < n; i++) {
        if (kept > 0 && by_code(&rows[kept - 1], &rows[i]) == 0)
            rows[kept - 1].count += rows[i].count;
        else
            rows[kept++] = rows[i];
    }
    return kept;
}

static void add_protocols(json_t *totals, struct dp_telecom_row *rows, uint32_t n)
{
    json_t *protocols = object_of(totals, "protocols");
    n = merge_codes(rows, n);
    qsort(rows, n, sizeof(*rows), by_protocol_and_count);
    uint32_t named = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (rows[i].other) {
            add_integer(totals, "other", rows[i].count);
            continue;
        }
        named = i > 0 && rows[i].protocol == rows[i - 1].protocol ? named + 1 : 1;
        json_t *protocol =
            object_of(protocols, dp_telecom_name((enum dp_telecom_protocol)rows[i].protocol));
        add_integer(protocol, "errors", rows[i].error ? rows[i].count : 0);
        if (named <= TELECOM_CODES_MAX)
            add_code(protocol, &rows[i]);
        else
            add_integer(protocol, "other", rows[i].count);
    }
}

struct peer {
    struct dp_addr addr;
    uint64_t messages, errors;
};

static int by_peer(const void *left, const void *right)
{
    const struct dp_telecom_row *a = left, *b = right;
    return memcmp(&a->peer, &b->peer, sizeof(a->peer));
}

static bool ranks_before(const struct peer *a, const struct peer *b)
{
    return a->errors != b->errors ? a->errors > b->errors : a->messages > b->messages;
}

static void keep_if_top(struct peer top[TELECOM_PEERS_MAX], uint32_t *n, const struct peer *peer)
{
    uint32_t at = *n;
    while (at > 0 && ranks_before(peer, &top[at - 1]))
        at--;
    if (at == TELECOM_PEERS_MAX)
        return;
    *n += *n < TELECOM_PEERS_MAX;
    memmove(&top[at + 1], &top[at], (*n - at - 1) * sizeof(top[0]));
    top[at] = *peer;
}

static void add_peers(json_t *totals, struct dp_telecom_row *rows, uint32_t n)
{
    struct peer top[TELECOM_PEERS_MAX];
    uint32_t known = 0, kept = 0;
    qsort(rows, n, sizeof(*rows), by_peer);
    for (uint32_t i = 0; i < n; known++) {
        struct peer peer = {.addr = rows[i].peer};
        for (uint32_t first = i; i < n && by_peer(&rows[first], &rows[i]) == 0; i++) {
            peer.messages += rows[i].cause || rows[i].other ? 0 : rows[i].count;
            peer.errors += rows[i].error ? rows[i].count : 0;
        }
        keep_if_top(top, &kept, &peer);
    }
    json_t *list = json_array();
    for (uint32_t i = 0; i < kept; i++) {
        char text[DP_ADDR_TEXT_BYTES];
        dp_addr_format(&top[i].addr, text);
        json_array_append_new(list, json_pack("{s:s, s:I, s:I}", "peer", text, "messages",
                                              INT(top[i].messages), "errors", INT(top[i].errors)));
    }
    json_object_set_new(totals, "peers", list);
    json_object_set_new(totals, "peers_known", json_integer(known));
}

json_t *telecom_totals_json(const struct dp_engine *engine)
{
    uint32_t n;
    struct dp_telecom_row *rows = read_rows(engine, &n);
    json_t *totals = json_pack("{s:{}, s:[], s:I, s:I}", "protocols", "peers", "peers_known",
                               INT(0), "other", INT(0));
    if (rows == NULL)
        return totals;
    add_peers(totals, rows, n);
    add_protocols(totals, rows, n); /* last: it adds rows up */
    free(rows);
    return totals;
}
