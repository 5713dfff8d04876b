/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any sequence of table operations, beside a model that searches a list from end to end.
 *
 * An input is a list of three bytes each: what to do, and two bytes that choose the key. Half of
 * the keys are IPv6, and keys differ in any one field; a bit of the operation replaces the hash by
 * one of four values, so that buckets overflow.
 */
#include <stdlib.h>

#include "dataplane/flow_table_priv.h"
#include "dataplane/wheel_priv.h"
#include "tests/fuzz/fuzz.h"

enum { CAPACITY = 64, KEYS = 1 << 10 };

struct model {
    struct {
        struct dp_key key;
        uint64_t hash;
        struct dp_entry *entry;
        bool settled, armed;
    } flow[CAPACITY];
    uint32_t count;
};

struct state {
    struct dp_table table;
    struct dp_wheel wheel;
    struct model model;
    atl_ns now_ns;
};

#define MUST(condition)   \
    do {                  \
        if (!(condition)) \
            abort();      \
    } while (0)

static struct dp_key make_key(unsigned choice)
{
    struct dp_key key = {.proto = DP_PROTO_UDP};
    bool v6 = choice & 1;
    for (int i = 0; i < 2; i++)
        if (v6)
            memset(key.addr[i].bytes, 0x20 + i, 16);
        else
            memset(key.addr[i].bytes + 10, 0xff, 2);
    /* One byte of the key that is free to differ takes the number. */
    unsigned at = choice >> 1 & 63, value = choice >> 7 & 7;
    size_t bytes = offsetof(struct dp_key, zero);
    if (!v6 && at % bytes < 12)
        at = 12;
    ((uint8_t *)&key)[at % bytes] ^= (uint8_t)value;
    return key;
}

static uint32_t model_find(const struct model *m, const struct dp_key *key, uint64_t hash)
{
    for (uint32_t i = 0; i < m->count; i++)
        if (m->flow[i].hash == hash && memcmp(&m->flow[i].key, key, sizeof(*key)) == 0)
            return i;
    return CAPACITY;
}

static void model_forget(struct model *m, uint32_t i)
{
    m->flow[i] = m->flow[--m->count];
}

static uint32_t model_of(const struct model *m, const struct dp_entry *e)
{
    for (uint32_t i = 0; i < m->count; i++)
        if (m->flow[i].entry == e)
            return i;
    return CAPACITY;
}

static void remove_at(struct state *s, uint32_t i)
{
    struct dp_entry *e = s->model.flow[i].entry;
    dp_wheel_disarm(&s->wheel, &s->table, e);
    dp_table_remove(&s->table, e, s->model.flow[i].hash);
    model_forget(&s->model, i);
}

static void insert(struct state *s, const struct dp_key *key, uint64_t hash)
{
    if (model_find(&s->model, key, hash) != CAPACITY)
        return;
    struct dp_entry *e = dp_table_insert(&s->table, key, hash);
    if (e == NULL) {
        struct dp_entry *victim = dp_table_victim(&s->table, hash);
        MUST(victim != NULL);
        uint32_t i = model_of(&s->model, victim);
        MUST(i != CAPACITY);
        remove_at(s, i);
        e = dp_table_insert(&s->table, key, hash);
        /* The pool was empty and a neighbour went, but the own buckets may be full, too. */
        if (e == NULL)
            return;
    }
    e->born_ns = s->now_ns;
    dp_wheel_arm(&s->wheel, &s->table, e, s->now_ns + DP_WHEEL_TICK_NS * (hash % 16));
    s->model.flow[s->model.count].key = *key;
    s->model.flow[s->model.count].hash = hash;
    s->model.flow[s->model.count].entry = e;
    s->model.flow[s->model.count].settled = false;
    s->model.flow[s->model.count].armed = true;
    s->model.count++;
}

static void settle(struct state *s, uint32_t i)
{
    if (i == CAPACITY)
        return;
    dp_table_settle(&s->table, s->model.flow[i].entry, s->model.flow[i].hash);
    s->model.flow[i].settled = true;
}

/* Two seconds beyond the last deadline: whoever is armed comes up, once. */
static void pass(struct state *s)
{
    struct dp_entry *e;
    s->now_ns += 2 * ATL_NS_PER_S;
    while ((e = dp_wheel_next(&s->wheel, &s->table, s->now_ns)) != NULL) {
        uint32_t i = model_of(&s->model, e);
        MUST(i != CAPACITY && s->model.flow[i].armed);
        s->model.flow[i].armed = false;
    }
    for (uint32_t i = 0; i < s->model.count; i++)
        MUST(!s->model.flow[i].armed);
}

static void compare(const struct state *s)
{
    uint32_t settled = 0, on_probation = 0;
    MUST(s->table.live == s->model.count);
    for (uint32_t i = 0; i < s->model.count; i++) {
        struct dp_key key;
        const struct dp_entry *e = s->model.flow[i].entry;
        MUST(dp_table_find(&s->table, &s->model.flow[i].key, s->model.flow[i].hash) == e);
        dp_table_key(&s->table, e, &key);
        MUST(memcmp(&key, &s->model.flow[i].key, sizeof(key)) == 0);
        MUST(e->probation == !s->model.flow[i].settled);
        settled += s->model.flow[i].settled;
    }
    for (uint32_t i = 0; i < s->table.bucket_count; i++)
        on_probation += (uint32_t)__builtin_popcount(s->table.buckets[i].probation);
    MUST(on_probation == s->model.count - settled);
}

static void step(struct state *s, const uint8_t *op)
{
    struct dp_key key = make_key((op[1] | op[2] << 8) % KEYS);
    uint64_t hash = op[0] & 0x80 ? (op[0] >> 5 & 3) * UINT64_C(0x4000000140000001)
                                 : dp_table_hash(&s->table, &key);
    uint32_t i = model_find(&s->model, &key, hash);
    struct dp_entry *e = dp_table_find(&s->table, &key, hash);
    MUST(i == CAPACITY ? e == NULL : e == s->model.flow[i].entry);
    switch (op[0] & 7) {
    case 4:
        if (i != CAPACITY)
            remove_at(s, i);
        break;
    case 5:
        settle(s, i);
        break;
    case 6:
        if (s->model.count != 0)
            settle(s, op[1] % s->model.count);
        break;
    case 7:
        pass(s);
        break;
    default:
        insert(s, &key, hash);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const struct atl_hash_key secret = {1, 2};
    struct state *s =
        aligned_alloc(ATL_CACHE_LINE_BYTES, (sizeof(*s) + ATL_CACHE_LINE_BYTES - 1) /
                                                ATL_CACHE_LINE_BYTES * ATL_CACHE_LINE_BYTES);
    if (s == NULL)
        return 0;
    *s = (struct state){.now_ns = 1000 * ATL_NS_PER_S};
    dp_wheel_init(&s->wheel);
    pass(s);
    if (dp_table_init(&s->table, CAPACITY, 0, 0, &secret) == 0) {
        for (size_t at = 0; at + 3 <= bytes; at += 3) {
            step(s, data + at);
            if (at % 48 == 0)
                compare(s);
        }
        compare(s);
        dp_table_finish(&s->table);
    }
    free(s);
    return 0;
}
