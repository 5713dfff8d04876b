/* SPDX-License-Identifier: Apache-2.0 */
#include "features/ipfix_priv.h"

#include <errno.h>
#include <stdlib.h>

enum { VERSION = 10, MESSAGE_HEADER = 16, SET_HEADER = 4, MESSAGE_MAX = 65535 };

struct feat_ipfix {
    struct feat_ipfix_config cfg;
    feat_ipfix_send send;
    void *ctx;
    struct feat_wire message; /* the one being filled; length 0 = none */
    size_t set_at;            /* header of its open set */
    uint16_t set;
    uint32_t records; /* data records in it */
    bool described;   /* templates went out … */
    bool explained;   /* … and what our own elements mean */
    atl_ns described_ns;
    uint32_t messages_since; /* the description */
    struct feat_ipfix_counters sent;
};

void feat_ipfix_config_default(struct feat_ipfix_config *cfg)
{
    *cfg = (struct feat_ipfix_config){
        .message_bytes = FEAT_IPFIX_MESSAGE_MIN,
        .domain = 1,
        .enterprise = FEAT_IPFIX_ENTERPRISE,
        .describe_every_ns = 60 * ATL_NS_PER_S,
        .describe_every_messages = 4096,
    };
}

int feat_ipfix_create(struct feat_ipfix **ret_ipfix, const struct feat_ipfix_config *cfg,
                      feat_ipfix_send send, void *ctx)
{
    if (cfg->message_bytes < FEAT_IPFIX_MESSAGE_MIN || cfg->message_bytes > MESSAGE_MAX)
        return -EINVAL;
    struct feat_ipfix *x = calloc(1, sizeof(*x));
    if (x == NULL)
        return -ENOMEM;
    x->cfg = *cfg;
    x->send = send;
    x->ctx = ctx;
    x->message.out = malloc(cfg->message_bytes);
    x->message.room = cfg->message_bytes;
    if (x->message.out == NULL) {
        free(x);
        return -ENOMEM;
    }
    *ret_ipfix = x;
    return 0;
}

void feat_ipfix_destroy(struct feat_ipfix *x)
{
    if (x == NULL)
        return;
    free(x->message.out);
    free(x);
}

/* --- messages and sets --- */

/* Sequence: data records sent before this message, modulo 2^32 (RFC 7011 §3.1). */
static void put_header(struct feat_wire *w, const struct feat_ipfix *x, uint32_t sequence,
                       atl_ns now_ns)
{
    feat_wire_uint(w, VERSION, 2);
    feat_wire_uint(w, 0, 2); /* length: known at the end */
    feat_wire_uint(w, now_ns / ATL_NS_PER_S, 4);
    feat_wire_uint(w, sequence, 4);
    feat_wire_uint(w, x->cfg.domain, 4);
}

static void close_set(struct feat_ipfix *x)
{
    if (x->set != 0)
        feat_wire_patch16(&x->message, x->set_at + 2, x->message.length - x->set_at);
    x->set = 0;
}

int feat_ipfix_flush(struct feat_ipfix *x)
{
    struct feat_wire *w = &x->message;
    if (w->length == 0)
        return 0;
    close_set(x);
    feat_wire_patch16(w, 2, w->length);
    x->sent.messages++;
    x->sent.bytes += w->length;
    x->sent.records += x->records;
    x->messages_since++;
    x->records = 0;
    size_t bytes = w->length;
    w->length = 0;
    return x->send(x->ctx, w->out, bytes);
}

/* One record into a set of its kind. A record and its headers always fit an empty message. */
static int append(struct feat_ipfix *x, uint16_t set, const struct feat_wire *record, atl_ns now_ns)
{
    struct feat_wire *w = &x->message;
    int r = 0;
    if (record->full)
        return -EMSGSIZE;
    if (w->length > 0 && w->room - w->length < record->length + SET_HEADER)
        r = feat_ipfix_flush(x);
    if (w->length == 0)
        put_header(w, x, (uint32_t)x->sent.records, now_ns);
    if (x->set != set) {
        close_set(x);
        x->set = set;
        x->set_at = w->length;
        feat_wire_uint(w, set, 2);
        feat_wire_uint(w, 0, 2); /* length: known at the end */
    }
    feat_wire_bytes(w, record->out, record->length);
    x->records += set >= IPFIX_FLOW4;
    return r;
}

/* --- records --- */

static int append_template(struct feat_ipfix *x, enum feat_ipfix_set number, atl_ns now_ns)
{
    uint8_t room[IPFIX_RECORD_BYTES];
    struct feat_wire record = {.out = room, .room = sizeof(room)};
    feat_ipfix_put_template(&record, &x->cfg, number);
    return append(x, number < IPFIX_COUNTERS ? IPFIX_SET_TEMPLATES : IPFIX_SET_OPTIONS, &record,
                  now_ns);
}

static int append_schema(struct feat_ipfix *x, enum feat_ipfix_set number, atl_ns now_ns)
{
    uint8_t room[IPFIX_RECORD_BYTES];
    struct feat_wire record = {.out = room, .room = sizeof(room)};
    feat_ipfix_put_schema(&record, number);
    return append(x, IPFIX_SCHEMA, &record, now_ns);
}

static int append_elements(struct feat_ipfix *x, atl_ns now_ns)
{
    int r = 0;
    for (uint32_t at = 0; r == 0; at++) {
        uint8_t room[IPFIX_RECORD_BYTES];
        struct feat_wire record = {.out = room, .room = sizeof(room)};
        if (!feat_ipfix_put_element(&record, &x->cfg, at))
            break;
        r = append(x, IPFIX_ELEMENT, &record, now_ns);
    }
    return r;
}

static int explain(struct feat_ipfix *x, atl_ns now_ns)
{
    x->explained = true;
    int r = append_elements(x, now_ns);
    if (r == 0)
        r = append_schema(x, IPFIX_FLOW4, now_ns);
    if (r == 0)
        r = append_schema(x, IPFIX_FLOW6, now_ns);
    return r;
}

int feat_ipfix_describe(struct feat_ipfix *x, atl_ns now_ns)
{
    int r = 0;
    x->described = true;
    x->described_ns = now_ns;
    x->messages_since = 0;
    for (enum feat_ipfix_set n = IPFIX_FLOW4; n <= IPFIX_SCHEMA && r == 0; n++)
        r = append_template(x, n, now_ns);
    return r < 0 ? r : explain(x, now_ns);
}

_Static_assert(2 * IPFIX_RECORD_BYTES + 1024 < FEAT_IPFIX_TEMPLATES_BYTES,
               "two flow templates and three small ones");

size_t feat_ipfix_templates(struct feat_ipfix *x, const uint8_t *next, atl_ns now_ns, uint8_t *out)
{
    struct feat_wire w = {.out = out, .room = FEAT_IPFIX_TEMPLATES_BYTES};
    uint32_t sequence = (uint32_t)x->sent.records;
    if (next != NULL)
        sequence =
            (uint32_t)next[8] << 24 | (uint32_t)next[9] << 16 | (uint32_t)next[10] << 8 | next[11];
    put_header(&w, x, sequence, now_ns);
    for (enum feat_ipfix_set n = IPFIX_FLOW4; n <= IPFIX_SCHEMA; n++) {
        size_t at = w.length;
        feat_wire_uint(&w, n < IPFIX_COUNTERS ? IPFIX_SET_TEMPLATES : IPFIX_SET_OPTIONS, 2);
        feat_wire_uint(&w, 0, 2);
        feat_ipfix_put_template(&w, &x->cfg, n);
        feat_wire_patch16(&w, at + 2, w.length - at);
    }
    feat_wire_patch16(&w, 2, w.length);
    x->described = true;
    x->described_ns = now_ns;
    x->explained = false;
    return w.length;
}

/* What a collector must know before the next record. */
static int prepare(struct feat_ipfix *x, atl_ns now_ns)
{
    const struct feat_ipfix_config *cfg = &x->cfg;
    bool due = !x->described;
    if (cfg->describe_every_messages > 0)
        due = due || x->messages_since >= cfg->describe_every_messages;
    if (cfg->describe_every_ns > 0) /* a clock that was set back is as good a reason */
        due = due || now_ns < x->described_ns || now_ns - x->described_ns >= cfg->describe_every_ns;
    if (due)
        return feat_ipfix_describe(x, now_ns);
    return x->explained ? 0 : explain(x, now_ns);
}

int feat_ipfix_flow(struct feat_ipfix *x, const struct dp_flow *flow, const float *raw,
                    atl_ns now_ns)
{
    uint8_t room[IPFIX_RECORD_BYTES];
    struct feat_wire record = {.out = room, .room = sizeof(room)};
    int r = prepare(x, now_ns);
    if (r < 0)
        return r;
    bool v4 = dp_addr_is_v4(&flow->src) && dp_addr_is_v4(&flow->dst);
    feat_ipfix_put_flow(&record, &x->cfg, flow, raw);
    x->sent.flows++;
    return append(x, v4 ? IPFIX_FLOW4 : IPFIX_FLOW6, &record, now_ns);
}

int feat_ipfix_report(struct feat_ipfix *x, const struct dp_counters *counters, uint64_t lost,
                      atl_ns now_ns)
{
    uint8_t room[IPFIX_RECORD_BYTES];
    struct feat_wire record = {.out = room, .room = sizeof(room)};
    int r = prepare(x, now_ns);
    if (r < 0)
        return r;
    feat_ipfix_put_counters(&record, &x->cfg, counters, &x->sent, lost, now_ns);
    return append(x, IPFIX_COUNTERS, &record, now_ns);
}

void feat_ipfix_counters(const struct feat_ipfix *x, struct feat_ipfix_counters *ret_counters)
{
    *ret_counters = x->sent;
}
