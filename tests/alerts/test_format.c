/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "samples.h"

static struct alert_incident make_incident(void)
{
    struct alert_incident i = {
        .id = "00112233445566778899aabbccddeeff",
        .severity = ALERT_MAJOR,
        .raised_ns = at(4),
        .updated_ns = at(14.5),
        .cleared_ns = at(364),
        .count = 14,
        .signal = make_signal("horizontal_scan", "10.3.0.66", 4),
    };
    i.signal.score = 0.97;
    i.signal.p_value = 1e-9;
    return i;
}

static json_t *to_json(enum alert_change change, const struct alert_incident *incident)
{
    struct alert_config cfg;
    alert_config_default(&cfg);
    cfg.site = "lima";
    cfg.node = "edge-1";
    char *text = alert_format_json(&cfg, change, incident);
    assert_non_null(text);
    assert_null(strchr(text, '\n'));
    json_error_t error;
    json_t *o = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (o == NULL)
        fail_msg("%s in %s", error.text, text);
    free(text);
    return o;
}

static const char *text_of(json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    if (s == NULL)
        fail_msg("no text %s", key);
    return s;
}

static void whole_contract(void **state)
{
    (void)state;
    struct alert_incident incident = make_incident();
    json_t *o = to_json(ALERT_UPDATE, &incident);
    assert_int_equal(json_integer_value(json_object_get(o, "schema")), 1);
    assert_string_equal(text_of(o, "timestamp"), "2026-11-21T12:03:14.500000Z");
    assert_string_equal(text_of(o, "event_type"), "alert");
    assert_string_equal(text_of(o, "src_ip"), "10.3.0.66");
    assert_int_equal(json_integer_value(json_object_get(o, "src_port")), 40000);
    assert_string_equal(text_of(o, "dest_ip"), "10.9.0.1");
    assert_int_equal(json_integer_value(json_object_get(o, "dest_port")), 23);
    assert_string_equal(text_of(o, "proto"), "TCP");
    assert_string_equal(text_of(o, "community_id"), "1:wCb3OG7yAFWelaUydu0D+125CLM=");
    assert_string_equal(text_of(o, "in_iface"), "eth0");
    assert_int_equal(json_object_size(o), 13);

    json_t *alert = json_object_get(o, "alert");
    assert_string_equal(text_of(alert, "action"), "allowed");
    assert_string_equal(text_of(alert, "signature"), "Horizontal scan from 10.3.0.66");
    assert_string_equal(text_of(alert, "category"), "horizontal_scan");
    assert_int_equal(json_integer_value(json_object_get(alert, "severity")), 1);
    assert_int_equal(json_object_size(alert), 4);

    json_t *flow = json_object_get(o, "flow");
    assert_int_equal(json_integer_value(json_object_get(flow, "pkts_toserver")), 1);
    assert_int_equal(json_integer_value(json_object_get(flow, "pkts_toclient")), 2);
    assert_int_equal(json_integer_value(json_object_get(flow, "bytes_toserver")), 60);
    assert_int_equal(json_integer_value(json_object_get(flow, "bytes_toclient")), 120);
    assert_string_equal(text_of(flow, "start"), "2026-11-21T12:03:03.000000Z");
    assert_int_equal(json_object_size(flow), 5);

    json_t *own = json_object_get(o, "atalaya");
    static const char *const texts[][2] = {
        {"id", "00112233445566778899aabbccddeeff"},
        {"change", "update"},
        {"site", "lima"},
        {"node", "edge-1"},
        {"kind", "horizontal_scan"},
        {"entity", "10.3.0.66"},
        {"role", "source"},
        {"severity", "major"},
        {"detector", "host"},
        {"raised", "2026-11-21T12:03:04.000000Z"},
        {"updated", "2026-11-21T12:03:14.500000Z"},
        {"hint", "One host tries many others on the same port."},
        {"attack_technique", "T1046"},
        {"model", "round 3 (0011223344556677)"},
    };
    for (size_t i = 0; i < ATL_ARRAY_LEN(texts); i++)
        assert_string_equal(text_of(own, texts[i][0]), texts[i][1]);
    assert_true(json_real_value(json_object_get(own, "score")) == 0.97);
    assert_true(json_real_value(json_object_get(own, "p_value")) == 1e-9);
    assert_int_equal(json_integer_value(json_object_get(own, "count")), 14);
    json_t *features = json_object_get(own, "top_features");
    assert_int_equal(json_array_size(features), 2);
    json_t *peers = json_array_get(features, 0);
    assert_string_equal(text_of(peers, "name"), "peers");
    assert_string_equal(text_of(peers, "unit"), "hosts");
    assert_true(json_real_value(json_object_get(peers, "observed")) == 412);
    assert_true(json_real_value(json_object_get(peers, "expected")) == 3.1);
    assert_int_equal(json_object_size(own), ATL_ARRAY_LEN(texts) + 4);
    json_decref(o);
}

static void times_of_changes(void **state)
{
    (void)state;
    struct alert_incident incident = make_incident();
    json_t *o = to_json(ALERT_RAISE, &incident);
    assert_string_equal(text_of(o, "timestamp"), "2026-11-21T12:03:04.000000Z");
    assert_string_equal(text_of(json_object_get(o, "atalaya"), "change"), "raise");
    json_decref(o);
    o = to_json(ALERT_CLEAR, &incident);
    assert_string_equal(text_of(o, "timestamp"), "2026-11-21T12:09:04.000000Z");
    assert_string_equal(text_of(json_object_get(o, "atalaya"), "cleared"),
                        "2026-11-21T12:09:04.000000Z");
    json_decref(o);
}

static void eve_severities(void **state)
{
    (void)state;
    static const int eve[] = {3, 2, 1, 1};
    struct alert_incident incident = make_incident();
    for (int s = ALERT_WARNING; s <= ALERT_CRITICAL; s++) {
        incident.severity = (enum alert_severity)s;
        json_t *o = to_json(ALERT_RAISE, &incident);
        json_t *alert = json_object_get(o, "alert");
        assert_int_equal(json_integer_value(json_object_get(alert, "severity")), eve[s]);
        json_decref(o);
    }
}

static void what_is_unknown_is_left_out(void **state)
{
    (void)state;
    struct alert_incident incident = make_incident();
    struct alert_signal *s = &incident.signal;
    s->src_port = s->dest_port = 0;
    s->community_id[0] = s->in_iface[0] = s->proto[0] = '\0';
    json_t *o = to_json(ALERT_RAISE, &incident);
    static const char *const absent[] = {"src_port", "dest_port", "community_id", "in_iface",
                                         "proto"};
    for (size_t i = 0; i < ATL_ARRAY_LEN(absent); i++)
        assert_null(json_object_get(o, absent[i]));
    json_decref(o);

    /* no flow behind it: the entity stands on its side */
    s->src_ip[0] = s->dest_ip[0] = '\0';
    o = to_json(ALERT_RAISE, &incident);
    assert_string_equal(text_of(o, "src_ip"), "10.3.0.66");
    assert_null(json_object_get(o, "dest_ip"));
    json_decref(o);
    atl_copy(s->role, sizeof(s->role), "target");
    o = to_json(ALERT_RAISE, &incident);
    assert_string_equal(text_of(o, "dest_ip"), "10.3.0.66");
    assert_null(json_object_get(o, "src_ip"));
    assert_string_equal(text_of(json_object_get(o, "alert"), "signature"),
                        "Horizontal scan against 10.3.0.66");
    json_decref(o);

    /* a link is no address */
    atl_copy(s->role, sizeof(s->role), "link");
    atl_copy(s->kind, sizeof(s->kind), "volume_change");
    o = to_json(ALERT_RAISE, &incident);
    assert_null(json_object_get(o, "src_ip"));
    assert_null(json_object_get(o, "dest_ip"));
    assert_string_equal(text_of(json_object_get(o, "alert"), "signature"),
                        "Volume change on 10.3.0.66");
    json_decref(o);
}

static void no_number_breaks_it(void **state)
{
    (void)state;
    struct alert_incident incident = make_incident();
    struct alert_signal *s = &incident.signal;
    s->score = NAN;
    s->p_value = NAN;
    s->features[0].observed = INFINITY;
    s->features[0].expected = -INFINITY;
    s->features[1].observed = NAN;
    s->bytes_toserver = UINT64_MAX;
    incident.count = UINT64_MAX;
    json_t *o = to_json(ALERT_RAISE, &incident);
    json_t *own = json_object_get(o, "atalaya");
    assert_true(json_real_value(json_object_get(own, "score")) == 0);
    assert_true(json_real_value(json_object_get(own, "p_value")) == 1);
    assert_true(json_integer_value(json_object_get(own, "count")) == INT64_MAX);
    json_t *feature = json_array_get(json_object_get(own, "top_features"), 0);
    assert_true(json_real_value(json_object_get(feature, "observed")) > 1e308);
    assert_true(json_real_value(json_object_get(feature, "expected")) < -1e308);
    json_decref(o);

    s->n_features = 1000; /* beyond the array */
    o = to_json(ALERT_RAISE, &incident);
    json_decref(o);
}

static void hostile_text(void **state)
{
    (void)state;
    struct alert_incident incident = make_incident();
    struct alert_signal *s = &incident.signal;
    atl_copy(s->hint, sizeof(s->hint), "a\"b\\c\nd\x1b[2J\xff\xc3");
    atl_copy(s->kind, sizeof(s->kind), "\"},{\"x\":1");
    atl_copy(s->entity, sizeof(s->entity), "</script>\xed\xa0\x80");
    memset(s->model, 0x01, sizeof(s->model) - 1);
    json_t *o = to_json(ALERT_RAISE, &incident);
    json_t *own = json_object_get(o, "atalaya");
    assert_string_equal(text_of(own, "hint"), "a\"b\\c�d�[2J��");
    assert_string_equal(text_of(own, "kind"), "\"},{\"x\":1");
    assert_string_equal(text_of(own, "entity"), "</script>���");
    assert_int_equal(strlen(text_of(own, "model")), 3 * (sizeof(s->model) - 1));
    json_decref(o);

    char line[1024];
    alert_format_line(ALERT_RAISE, &incident, line, sizeof(line));
    for (const char *at_char = line; *at_char != '\0'; at_char++)
        assert_true((unsigned char)*at_char >= 0x20 && *at_char != 0x7f);
}

static void lines(void **state)
{
    (void)state;
    struct alert_incident incident = make_incident();
    char line[512], shorter[24];
    incident.count = 1;
    alert_format_line(ALERT_RAISE, &incident, line, sizeof(line));
    assert_string_equal(line, "12:03:04 MAJOR horizontal_scan 10.3.0.66 (source): peers 412 hosts "
                              "(usual 3.1), failed_ratio 0.98 (usual 0.02), score 0.97 — One host "
                              "tries many others on the same port.");
    incident.count = 14;
    incident.severity = ALERT_CRITICAL;
    incident.signal.n_features = 0;
    incident.signal.hint[0] = '\0';
    alert_format_line(ALERT_UPDATE, &incident, line, sizeof(line));
    assert_string_equal(line,
                        "12:03:14 CRITICAL horizontal_scan 10.3.0.66 (source) ×14: score 0.97");
    alert_format_line(ALERT_CLEAR, &incident, line, sizeof(line));
    assert_string_equal(
        line, "12:09:04 CLEARED horizontal_scan 10.3.0.66 (source) ×14: over after 360 s");
    alert_format_line(ALERT_CLEAR, &incident, shorter, sizeof(shorter));
    assert_string_equal(shorter, "12:09:04 CLEARED horizo");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_contract),
        cmocka_unit_test(times_of_changes),
        cmocka_unit_test(eve_severities),
        cmocka_unit_test(what_is_unknown_is_left_out),
        cmocka_unit_test(no_number_breaks_it),
        cmocka_unit_test(hostile_text),
        cmocka_unit_test(lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
