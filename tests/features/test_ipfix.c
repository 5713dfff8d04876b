/* SPDX-License-Identifier: Apache-2.0 */
/* The messages are read back by a small reader of RFC 7011 written for this test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>

#include "flow_maker.h"

enum { FIELDS_MAX = 200, TEMPLATES_MAX = 16 };

struct field {
    uint16_t id, bytes;
    uint32_t enterprise;
};

struct template_seen {
    uint16_t number, n;
    struct field fields[FIELDS_MAX];
};

struct reader {
    struct template_seen templates[TEMPLATES_MAX];
    uint32_t n_templates, descriptions; /* how often they came */
    uint32_t messages, flows, options, elements;
    uint32_t sequence; /* expected */
    size_t longest, at_most;
    uint8_t last_flow[2048]; /* its bytes */
    const struct template_seen *last_template;
    char names[512][64]; /* of our own elements from 256 on */
};

static uint64_t number(const uint8_t *at, size_t bytes)
{
    uint64_t v = 0;
    for (size_t i = 0; i < bytes; i++)
        v = v << 8 | at[i];
    return v;
}

static struct template_seen *find(struct reader *r, uint64_t id)
{
    for (uint32_t i = 0; i < r->n_templates; i++) {
        if (r->templates[i].number == id)
            return &r->templates[i];
    }
    return NULL;
}

static void read_templates(struct reader *r, const uint8_t *at, const uint8_t *end, bool options)
{
    while (end - at >= 4) {
        uint64_t id = number(at, 2), n = number(at + 2, 2);
        at += options ? 6 : 4;
        struct template_seen *t = find(r, id);
        if (t == NULL)
            t = &r->templates[r->n_templates++];
        assert_true(r->n_templates <= TEMPLATES_MAX && n <= FIELDS_MAX);
        t->number = (uint16_t)id;
        r->descriptions += id == 256;
        t->n = (uint16_t)n;
        for (uint64_t i = 0; i < n; i++) {
            struct field *f = &t->fields[i];
            f->id = (uint16_t)(number(at, 2) & 0x7fff);
            f->bytes = (uint16_t)number(at + 2, 2);
            f->enterprise = 0;
            bool own = (at[0] & 0x80) != 0;
            if (own)
                f->enterprise = (uint32_t)number(at + 4, 4);
            at += own ? 8 : 4;
        }
    }
    assert_true(at == end);
}

/* @return length of one record, 0 when it does not fit */
static size_t record_length(const struct template_seen *t, const uint8_t *at, const uint8_t *end)
{
    const uint8_t *from = at;
    for (uint16_t i = 0; i < t->n && at <= end; i++)
        at += t->fields[i].bytes == 65535 ? 1 + *at : t->fields[i].bytes;
    return at <= end ? (size_t)(at - from) : 0;
}

static void read_element(struct reader *r, const uint8_t *at)
{
    uint64_t id = number(at + 4, 2);
    r->elements++;
    if (id < 256)
        return;
    assert_int_equal(at[6], 9); /* float32 */
    size_t n = at[10];
    assert_true(id - 256 < 512 && n < 64);
    memcpy(r->names[id - 256], at + 11, n);
    r->names[id - 256][n] = '\0';
}

static uint32_t read_data(struct reader *r, uint64_t set, const uint8_t *at, const uint8_t *end)
{
    const struct template_seen *t = find(r, set);
    uint32_t n = 0;
    assert_non_null(t); /* a template always comes before its first record */
    while (at < end) {
        size_t bytes = record_length(t, at, end);
        assert_true(bytes > 0);
        if (set <= 257) {
            assert_true(bytes <= sizeof(r->last_flow));
            memcpy(r->last_flow, at, bytes);
            r->last_template = t;
            r->flows++;
        } else {
            r->options++;
            if (set == 259)
                read_element(r, at);
        }
        at += bytes;
        n++;
    }
    return n;
}

static int on_message(void *ctx, const uint8_t *m, size_t bytes)
{
    struct reader *r = ctx;
    uint32_t records = 0;
    assert_true(bytes >= 16 && bytes <= r->at_most);
    assert_int_equal(number(m, 2), 10);
    assert_int_equal(number(m + 2, 2), bytes);
    assert_int_equal(number(m + 8, 4), r->sequence);
    assert_int_equal(number(m + 12, 4), 77);
    for (size_t at = 16; at < bytes;) {
        uint64_t set = number(m + at, 2), n = number(m + at + 2, 2);
        assert_true(n > 4 && at + n <= bytes);
        if (set == 2 || set == 3)
            read_templates(r, m + at + 4, m + at + n, set == 3);
        else
            records += read_data(r, set, m + at + 4, m + at + n);
        at += n;
    }
    r->sequence += records;
    r->messages++;
    if (bytes > r->longest)
        r->longest = bytes;
    return 0;
}

/* Value of a standard or reverse element (enterprise 0 or 29305) in the last flow record. */
static uint64_t value_of(const struct reader *r, uint16_t id, uint32_t enterprise)
{
    const uint8_t *at = r->last_flow;
    for (uint16_t i = 0; i < r->last_template->n; i++) {
        const struct field *f = &r->last_template->fields[i];
        if (f->id == id && f->enterprise == enterprise)
            return number(at, f->bytes > 8 ? 8 : f->bytes);
        at += f->bytes;
    }
    fail_msg("no element %u of %u", id, enterprise);
    return 0;
}

static struct feat_ipfix *make(struct reader *r, const struct feat_ipfix_config *cfg)
{
    struct feat_ipfix *x;
    memset(r, 0, sizeof(*r));
    r->at_most = cfg->message_bytes;
    assert_int_equal(feat_ipfix_create(&x, cfg, on_message, r), 0);
    return x;
}

static struct feat_ipfix_config config(void)
{
    struct feat_ipfix_config cfg;
    feat_ipfix_config_default(&cfg);
    cfg.domain = 77;
    return cfg;
}

static struct dp_flow sample(void)
{
    struct dp_flow f = make_flow("192.0.2.1", 40000, "198.51.100.7", 443, IPPROTO_TCP);
    f.first_ns = 1700000000123456789ULL;
    f.last_ns = f.first_ns + 1500 * ATL_NS_PER_MS;
    f.vlan[0] = 100;
    f.fwd.flags[DP_ACK] = 2;
    f.fwd.ttl_min = 60;
    f.fwd.ttl_max = 64;
    return f;
}

static void a_biflow_is_read_back(void **state)
{
    (void)state;
    struct reader *r = malloc(sizeof(*r));
    struct feat_ipfix_config cfg = config();
    struct feat_ipfix *x = make(r, &cfg);
    struct dp_flow f = sample();
    assert_int_equal(feat_ipfix_flow(x, &f, make_row(&f).raw, f.last_ns), 0);
    assert_int_equal(feat_ipfix_flush(x), 0);
    assert_int_equal(r->flows, 1);
    assert_int_equal(r->last_template->number, 256);
    static const struct {
        uint16_t id;
        uint32_t enterprise;
        uint64_t value;
    } rows[] = {
        {8, 0, 0xc0000201},
        {12, 0, 0xc6336407},
        {7, 0, 40000},
        {11, 0, 443},
        {4, 0, 6},
        {136, 0, DP_END_CLOSED},
        {239, 0, 1},
        {243, 0, 100},
        {152, 0, 1700000000123ULL},
        {153, 0, 1700000001623ULL},
        {2, 0, 2},
        {1, 0, 100},
        {2, 29305, 2},
        {1, 29305, 1040},
        {6, 0, 0x12},
        {6, 29305, 0x02},
        {52, 0, 60},
        {53, 0, 64},
    };
    for (size_t i = 0; i < ATL_ARRAY_LEN(rows); i++) {
        uint64_t found = value_of(r, rows[i].id, rows[i].enterprise);
        if (found != rows[i].value)
            fail_msg("element %u of %u is %llu", rows[i].id, rows[i].enterprise,
                     (unsigned long long)found);
    }
    feat_ipfix_destroy(x);
    free(r);
}

static void nanoseconds_are_ntp_times(void **state)
{
    (void)state;
    struct reader *r = malloc(sizeof(*r));
    struct feat_ipfix_config cfg = config();
    cfg.nanoseconds = true;
    struct feat_ipfix *x = make(r, &cfg);
    struct dp_flow f = sample();
    feat_ipfix_flow(x, &f, make_row(&f).raw, f.last_ns);
    feat_ipfix_flush(x);
    uint64_t first = value_of(r, 156, 0);
    /* seconds since 1900-01-01: 70 years, 17 of them leap years, before 1970 */
    assert_int_equal(first >> 32, 1700000000ULL + (70ULL * 365 + 17) * 86400);
    double fraction = (double)(first & UINT32_MAX) / 4294967296.0;
    assert_true(fraction > 0.123456788 && fraction <= 0.123456789);
    feat_ipfix_destroy(x);
    free(r);
}

static void columns_are_named_and_equal_the_vector(void **state)
{
    (void)state;
    const struct feat_schema *schema = feat_schema_flow();
    struct reader *r = malloc(sizeof(*r));
    struct feat_ipfix_config cfg = config();
    struct feat_ipfix *x = make(r, &cfg);
    struct dp_flow f = make_flow("2001:db8::1", 5, "2001:db8::2", 53, IPPROTO_UDP);
    struct flow_row row = make_row(&f);
    feat_ipfix_flow(x, &f, row.raw, f.last_ns);
    feat_ipfix_flush(x);
    assert_int_equal(r->last_template->number, 257);
    for (uint32_t i = 4; i < schema->n_columns; i++) {
        uint16_t id = feat_ipfix_element(i);
        assert_string_equal(r->names[id - 256], schema->columns[i].name);
        uint32_t bits = (uint32_t)value_of(r, id, FEAT_IPFIX_ENTERPRISE);
        float v;
        memcpy(&v, &bits, sizeof(v));
        assert_true(v == row.raw[i]);
    }
    /* numbers that collectors may have learned */
    assert_int_equal(feat_ipfix_element(0), 0);
    assert_string_equal(r->names[300 - 256], "port_dns");
    assert_string_equal(r->names[512 - 256], "src_flows_10s");
    feat_ipfix_destroy(x);
    free(r);
}

/* on_message checks length and sequence of every message. */
static void messages_stay_short_and_sequences_count_records(void **state)
{
    (void)state;
    static const uint32_t lengths[] = {FEAT_IPFIX_MESSAGE_MIN, 1500, 65535};
    struct reader *r = malloc(sizeof(*r));
    for (size_t i = 0; i < ATL_ARRAY_LEN(lengths); i++) {
        struct feat_ipfix_config cfg = config();
        cfg.message_bytes = lengths[i];
        struct feat_ipfix *x = make(r, &cfg);
        struct dp_counters c = {.received_packets = 10};
        for (uint32_t k = 0; k < 5000; k++) {
            struct dp_flow f =
                k % 3 == 0 ? make_flow("2001:db8::1", 5, "2001:db8::2", 53, IPPROTO_UDP) : sample();
            assert_int_equal(feat_ipfix_flow(x, &f, make_row(&f).raw, f.last_ns), 0);
            if (k % 100 == 0)
                assert_int_equal(feat_ipfix_report(x, &c, 0, f.last_ns), 0);
        }
        feat_ipfix_flush(x);
        struct feat_ipfix_counters sent;
        feat_ipfix_counters(x, &sent);
        assert_int_equal(r->flows, 5000);
        assert_int_equal(sent.flows, 5000);
        assert_int_equal(sent.records, r->sequence);
        assert_int_equal(sent.messages, r->messages);
        assert_true(r->longest > lengths[i] - 500); /* and are well filled */
        feat_ipfix_destroy(x);
    }
    free(r);
}

static void templates_come_again_by_time_and_count(void **state)
{
    (void)state;
    struct reader *r = malloc(sizeof(*r));
    struct feat_ipfix_config cfg = config();
    cfg.describe_every_ns = 10 * ATL_NS_PER_S;
    cfg.describe_every_messages = 0;
    struct feat_ipfix *x = make(r, &cfg);
    struct dp_flow f = sample();
    for (atl_ns s = 0; s < 30; s++) {
        feat_ipfix_flow(x, &f, make_row(&f).raw, s * ATL_NS_PER_S);
        feat_ipfix_flush(x);
    }
    assert_int_equal(r->descriptions, 3);        /* at 0, 10, 20 s */
    feat_ipfix_flow(x, &f, make_row(&f).raw, 0); /* the clock was set back */
    feat_ipfix_flush(x);
    assert_int_equal(r->descriptions, 4);
    feat_ipfix_destroy(x);

    cfg.describe_every_ns = 0;
    cfg.describe_every_messages = 50;
    x = make(r, &cfg);
    for (uint32_t i = 0; i < 120; i++) {
        feat_ipfix_flow(x, &f, make_row(&f).raw, 0);
        feat_ipfix_flush(x);
    }
    assert_in_range(r->descriptions, 3, 4);
    feat_ipfix_destroy(x);

    cfg.describe_every_messages = 0;
    x = make(r, &cfg);
    for (uint32_t i = 0; i < 120; i++) {
        feat_ipfix_flow(x, &f, make_row(&f).raw, i * 1000 * ATL_NS_PER_S);
        feat_ipfix_flush(x);
    }
    assert_int_equal(r->descriptions, 1);
    feat_ipfix_destroy(x);
    free(r);
}

static void a_new_connection_gets_templates_alone(void **state)
{
    (void)state;
    struct reader *r = malloc(sizeof(*r));
    uint8_t templates[FEAT_IPFIX_TEMPLATES_BYTES];
    struct feat_ipfix_config cfg = config();
    cfg.message_bytes = 16384;
    struct feat_ipfix *x = make(r, &cfg);
    struct dp_flow f = sample();
    uint8_t next[16] = {0, 10, 0, 16, [11] = 5};
    feat_ipfix_flow(x, &f, make_row(&f).raw, 0);
    /* asked for while a message is being filled: that one is left alone */
    size_t n = feat_ipfix_templates(x, next, 0, templates);
    assert_int_equal(number(templates + 8, 4), 5); /* the sequence of the message after it */
    n = feat_ipfix_templates(x, NULL, 0, templates);
    assert_int_equal(on_message(r, templates, n), 0);
    assert_int_equal(r->n_templates, 5);
    assert_int_equal(r->sequence, 0);
    feat_ipfix_flush(x);
    assert_int_equal(r->flows, 1);
    uint32_t elements = r->elements;
    feat_ipfix_flow(x, &f, make_row(&f).raw, 0); /* the descriptions follow in the stream */
    feat_ipfix_flush(x);
    assert_int_equal(r->elements, 2 * elements);
    feat_ipfix_destroy(x);
    free(r);
}

static int refuse(void *ctx, const uint8_t *message, size_t bytes)
{
    (void)message;
    (void)bytes;
    ++*(int *)ctx;
    return -EIO;
}

static void a_failing_transport_is_handed_on(void **state)
{
    (void)state;
    int asked = 0, failed = 0;
    struct feat_ipfix_config cfg = config();
    struct feat_ipfix *x;
    struct dp_flow f = sample();
    assert_int_equal(feat_ipfix_create(&x, &cfg, refuse, &asked), 0);
    for (int i = 0; i < 100; i++)
        failed += feat_ipfix_flow(x, &f, make_row(&f).raw, 0) == -EIO;
    assert_true(asked > 10 && failed > 10);
    feat_ipfix_destroy(x);

    cfg.message_bytes = 512;
    assert_int_equal(feat_ipfix_create(&x, &cfg, refuse, &asked), -EINVAL);
    cfg.message_bytes = 65536;
    assert_int_equal(feat_ipfix_create(&x, &cfg, refuse, &asked), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_biflow_is_read_back),
        cmocka_unit_test(nanoseconds_are_ntp_times),
        cmocka_unit_test(columns_are_named_and_equal_the_vector),
        cmocka_unit_test(messages_stay_short_and_sequences_count_records),
        cmocka_unit_test(templates_come_again_by_time_and_count),
        cmocka_unit_test(a_new_connection_gets_templates_alone),
        cmocka_unit_test(a_failing_transport_is_handed_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
