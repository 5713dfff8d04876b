/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "app/hint_priv.h"

static void set(struct feat_host_row *row, const char *name, float value)
{
    const struct feat_schema *s = feat_schema_host();
    for (uint32_t i = 0; i < s->n_columns; i++) {
        if (strcmp(s->columns[i].name, name) == 0) {
            row->raw[i] = value;
            return;
        }
    }
    fail_msg("no column %s", name);
}

struct fact {
    const char *name;
    float value;
};

struct window {
    const char *kind, *technique;
    enum feat_role role;
    uint16_t port;
    struct fact facts[8]; /* all of them, or ended by an empty one */
};

#define WINDOW(kind, technique, role, port, ...) \
    {                                            \
        kind, technique, role, port,             \
        {                                        \
            __VA_ARGS__                          \
        }                                        \
    }

/* One typical window for each kind; the last two are nothing in particular. */
static const struct window windows[] = {
    WINDOW("horizontal_scan", "T1046", FEAT_SOURCE, 23, {"flows", 300}, {"peers", 290},
           {"ports", 2}, {"failed_ratio", 0.97F}, {"tcp_share", 1}),
    WINDOW("vertical_scan", "T1046", FEAT_SOURCE, 80, {"flows", 900}, {"peers", 1}, {"ports", 880},
           {"failed_ratio", 0.99F}, {"tcp_share", 1}),
    WINDOW("spam_run", "T1071.003", FEAT_SOURCE, 25, {"flows", 200}, {"peers", 90}, {"ports", 1},
           {"mail_peers", 80}, {"tcp_share", 1}),
    WINDOW("brute_force", "T1110", FEAT_SOURCE, 902, {"flows", 67}, {"peers", 1}, {"ports", 1},
           {"repeat_flows", 60}, {"packets_per_flow", 17}, {"tcp_share", 1}, {"packets_per_s", 90}),
    WINDOW("exfiltration", "T1048", FEAT_SOURCE, 443, {"flows", 25}, {"peers", 1},
           {"upload_max", 5e8F}, {"upload_share", 0.98F}, {"packets_per_s", 400},
           {"bytes_out_share", 0.98F}, {"packets_per_flow", 900}),
    WINDOW("dns_tunnel", "T1071.004", FEAT_SOURCE, 53, {"flows", 1}, {"dns_queries", 900},
           {"dns_names", 800}, {"dns_name_mean", 90}),
    WINDOW("dns_volume", "T1071.004", FEAT_SOURCE, 53, {"flows", 90}, {"dns_queries", 900},
           {"dns_share", 1}, {"dns_name_mean", 20}),
    WINDOW("beacon", "T1071.001", FEAT_SOURCE, 443, {"flows", 24}, {"peers", 3},
           {"beacon_score", 0.9F}, {"tcp_share", 1}),
    WINDOW("beacon", "T1071.001", FEAT_SOURCE, 443, {"flows", 60}, {"peers", 20},
           {"beacon_new", 0.9F}, {"dns_names", 30}, {"tcp_share", 1}),
    WINDOW("exfiltration", "T1048", FEAT_SOURCE, 443, {"flows", 60}, {"upload_excess", 1e7F},
           {"upload_share", 0.8F}, {"dns_names", 30}),
    WINDOW("lateral_movement", "T1021", FEAT_SOURCE, 502, {"flows", 1}, {"peers", 1},
           {"turned_after", 100}, {"tcp_share", 1}),
    WINDOW("flood", "T1498.001", FEAT_SOURCE, 9, {"flows", 512}, {"peers", 1}, {"ports", 512},
           {"failed_ratio", 0.99F}, {"packets_per_flow", 468}, {"packets_per_s", 2000},
           {"bytes_out_share", 1}, {"udp_share", 1}),
    WINDOW("icmp_flood", "T1498.001", FEAT_SOURCE, 0, {"flows", 1}, {"icmp_packets_per_s", 1000},
           {"packets_per_s", 1000}, {"upload_max", 1e8F}, {"upload_share", 0.95F}),
    WINDOW("syn_flood", "T1498.001", FEAT_TARGET, 80, {"flows", 9000}, {"peers", 6000},
           {"half_open_ratio", 0.99F}, {"tcp_share", 1}),
    WINDOW("syn_flood", "T1498.001", FEAT_TARGET, 80, {"arrivals", 90000}, {"arrivals_peak", 2000},
           {"arrival_syn_share", 0.99F}),
    WINDOW("vertical_scan", "T1046", FEAT_TARGET, 80, {"flows", 900}, {"peers", 9}, {"ports", 880},
           {"failed_ratio", 0.99F}, {"tcp_share", 1}),
    WINDOW("icmp_flood", "T1498.001", FEAT_TARGET, 0, {"flows", 400}, {"icmp_packets_per_s", 900},
           {"packets_per_s", 950}),
    WINDOW("udp_flood", "T1498.001", FEAT_TARGET, 9, {"flows", 400}, {"udp_share", 1},
           {"failed_ratio", 0.9F}),
    WINDOW("anomaly", "", FEAT_SOURCE, 443, {"flows", 30}, {"peers", 20}, {"tcp_share", 1}),
    WINDOW("anomaly", "", FEAT_TARGET, 443, {"flows", 30}, {"peers", 20}, {"tcp_share", 1}),
};

static void typical_windows_get_their_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < ATL_ARRAY_LEN(windows); i++) {
        const struct window *w = &windows[i];
        struct feat_host_row row = {.role = w->role};
        row.sample.dst_port = w->port;
        for (size_t f = 0; f < ATL_ARRAY_LEN(w->facts) && w->facts[f].name != NULL; f++)
            set(&row, w->facts[f].name, w->facts[f].value);
        const struct hint *hint = hint_for_host(&row);
        assert_string_equal(hint->kind, w->kind);
        assert_string_equal(hint->technique, w->technique);
        assert_true(strlen(hint->sentence) > 10);
        for (size_t k = 0; k < HINT_BASIS_MAX && hint->basis[k] != NULL; k++)
            set(&row, hint->basis[k], 0); /* fails where there is no such column */
    }
}

/* The same flood of UDP, from a port of time servers and from any other */
static void answers_that_nobody_asked_are_amplification(void **state)
{
    (void)state;
    struct feat_host_row row = {.role = FEAT_TARGET, .sample = {.proto = 17, .src_port = 123}};
    set(&row, "flows", 400);
    set(&row, "udp_share", 1);
    set(&row, "failed_ratio", 0.9F);
    assert_string_equal(hint_for_host(&row)->kind, "amplification");
    assert_string_equal(hint_for_host(&row)->technique, "T1498.002");
    row.sample.src_port = 40123;
    assert_string_equal(hint_for_host(&row)->kind, "udp_flood");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(typical_windows_get_their_names),
        cmocka_unit_test(answers_that_nobody_asked_are_amplification),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
