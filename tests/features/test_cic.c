/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "flow_maker.h"

static char header[FEAT_EXPORT_LINE_BYTES], line[FEAT_EXPORT_LINE_BYTES];

/* The cell below a column name, in `cell`. */
static const char *cell(const char *name)
{
    static char out[128];
    const char *h = header, *v = line;
    while (*h != '\0' && *h != '\n') {
        size_t nh = strcspn(h, ",\n"), nv = strcspn(v, ",\n");
        if (nh == strlen(name) && strncmp(h, name, nh) == 0) {
            memcpy(out, v, nv);
            out[nv] = '\0';
            return out;
        }
        h += nh + (h[nh] == ',');
        v += nv + (v[nv] == ',');
    }
    fail_msg("no column %s", name);
    return NULL;
}

static double value(const char *name)
{
    return strtod(cell(name), NULL);
}

static size_t write_row(const struct dp_flow *f, bool compat)
{
    feat_cic_header(FEAT_CSV, header, sizeof(header));
    return feat_cic_flow(FEAT_CSV, compat, f, line, sizeof(line));
}

static size_t commas(const char *text)
{
    size_t n = 0;
    for (; *text != '\0'; text++)
        n += *text == ',';
    return n;
}

static struct dp_flow sample(void)
{
    struct dp_flow f = make_flow("10.0.0.1", 40000, "10.0.0.2", 80, IPPROTO_TCP);
    f.fwd.packets = 3;
    f.fwd.payload_bytes = 30;
    f.fwd.payload_packets = 2;
    f.fwd.header_bytes = 72;
    f.fwd.flags[DP_PSH] = 2;
    f.bwd.flags[DP_PSH] = 1;
    f.fwd.window_init = 1024;
    f.bwd.window_init = 2048;
    f.fwd.iat_min_us = 400000;
    f.fwd.iat_max_us = 600000;
    f.fwd.iat_sq_us2 = 520000000000;
    return f;
}

static void columns_are_those_of_the_original(void **state)
{
    (void)state;
    struct dp_flow f = sample();
    assert_true(write_row(&f, false) > 0);
    assert_int_equal(commas(header), 83); /* 84 columns */
    assert_int_equal(commas(line), 83);
    assert_memory_equal(header, "Flow ID,Src IP,", 15);
    assert_string_equal(cell("Flow ID"), "10.0.0.1-10.0.0.2-40000-80-6");
    assert_string_equal(cell("Timestamp"), "1970-01-01T00:16:40.000000Z");
    assert_string_equal(cell("Label"), "NeedManualLabel");
}

static void corrected_values(void **state)
{
    (void)state;
    struct dp_flow f = sample();
    write_row(&f, false);
    static const struct {
        const char *name;
        double value;
    } rows[] = {
        {"Flow Duration", 1e6},
        {"Total Fwd Packet", 3},
        {"Total Length of Bwd Packet", 960},
        {"Fwd Packet Length Mean", 10},
        {"Flow Bytes/s", 990},
        {"Flow Packets/s", 5},
        {"Fwd IAT Total", 1e6},
        {"Fwd IAT Mean", 5e5},
        {"Fwd IAT Std", 141421.356237},
        {"Fwd PSH Flags", 2}, /* not of the first packet only */
        {"Bwd PSH Flags", 1},
        {"Fwd Header Length", 72},
        {"Packet Length Mean", 198}, /* the first packet counts once */
        {"Average Packet Size", 198},
        {"PSH Flag Count", 3},
        {"Bwd Init Win Bytes", 2048}, /* the first, not the last */
        {"Fwd Act Data Pkts", 2},
    };
    for (size_t i = 0; i < ATL_ARRAY_LEN(rows); i++) {
        double found = value(rows[i].name);
        if (found < rows[i].value - 1e-5 || found > rows[i].value + 1e-5)
            fail_msg("%s is %.9g", rows[i].name, found);
    }
    assert_true(value("Down/Up Ratio") > 0.66 && value("Down/Up Ratio") < 0.67);
}

static void what_a_record_cannot_tell_is_empty(void **state)
{
    (void)state;
    static const char *const empty[] = {"Fwd Packet Length Max",
                                        "Fwd Packet Length Min",
                                        "Fwd Packet Length Std",
                                        "Bwd Packet Length Max",
                                        "Bwd Packet Length Min",
                                        "Bwd Packet Length Std",
                                        "Packet Length Min",
                                        "Packet Length Max",
                                        "Packet Length Std",
                                        "Packet Length Variance",
                                        "Fwd Bytes/Bulk Avg",
                                        "Bwd Bulk Rate Avg",
                                        "Subflow Fwd Packets",
                                        "Subflow Bwd Bytes",
                                        "Fwd Seg Size Min",
                                        "Active Mean",
                                        "Idle Min"};
    struct dp_flow f = sample();
    write_row(&f, false);
    for (size_t i = 0; i < ATL_ARRAY_LEN(empty); i++)
        assert_string_equal(cell(empty[i]), "");
    feat_cic_flow(FEAT_JSONL, false, &f, line, sizeof(line));
    assert_null(strstr(line, "Idle Min"));
    assert_non_null(strstr(line, "\"Down/Up Ratio\":0.6666"));
}

/* Figures from Python's statistics module over 0, 10, 20 forward and 0, 960 backward. */
static void detail_fills_every_cell(void **state)
{
    (void)state;
    struct dp_flow f = sample();
    f.detail = (struct dp_detail){
        .known = true,
        .first_payload = 0,
        .pauses = 1,
        .fwd = {.payload_sq = 500, .payload_max = 20, .header_min = 20},
        .bwd = {.payload_sq = 921600, .payload_max = 960, .window_last = 7},
        .idle = {.us = 12000000,
                 .sq_us2 = 74000000000000,
                 .min_us = 5500000,
                 .max_us = 6500000,
                 .n = 2},
    };
    f.detail.bwd.bulks = (struct dp_bulks){.bytes = 900, .ns = 400000000, .n = 2, .packets = 9};
    write_row(&f, false);
    assert_null(strstr(line, ",,"));
    static const struct {
        const char *name;
        double value;
    } rows[] = {
        {"Fwd Packet Length Std", 10},
        {"Bwd Packet Length Std", 678.82250993},
        {"Packet Length Std", 426.05164006},
        {"Packet Length Variance", 181520},
        {"Packet Length Max", 960},
        {"Subflow Fwd Packets", 1.5},
        {"Subflow Bwd Bytes", 480},
        {"Bwd Bytes/Bulk Avg", 450},
        {"Bwd Packet/Bulk Avg", 4.5},
        {"Bwd Bulk Rate Avg", 2250},
        {"Fwd Seg Size Min", 20},
        {"Idle Mean", 6000000},
        {"Idle Std", 1414213.56237},
        {"Active Mean", 0},
    };
    for (size_t i = 0; i < ATL_ARRAY_LEN(rows); i++) {
        double found = value(rows[i].name);
        if (found < rows[i].value - 1e-5 || found > rows[i].value + 1e-5)
            fail_msg("%s is %.12g", rows[i].name, found);
    }
    write_row(&f, true);
    assert_null(strstr(line, ",,"));
    assert_string_equal(cell("Bwd Init Win Bytes"), "7");
    assert_string_equal(cell("Packet Length Mean"), "165"); /* 990 over six */
}

static void defects_on_request(void **state)
{
    (void)state;
    struct dp_flow f = sample();
    write_row(&f, true);
    assert_string_equal(cell("Timestamp"), "01/01/1970 12:16:40 AM");
    assert_string_equal(cell("Down/Up Ratio"), "0"); /* whole-number division */
    assert_string_equal(cell("Bwd PSH Flags"), "0");
    assert_string_equal(cell("Fwd PSH Flags"), ""); /* the first packet's: unknown */
    assert_string_equal(cell("Packet Length Mean"), "");
    assert_string_equal(cell("Bwd Init Win Bytes"), "");
    assert_string_equal(cell("Fwd Act Data Pkts"), "");
    assert_string_equal(cell("Fwd Bytes/Bulk Avg"), "0"); /* every bulk counts as backward */
    assert_string_equal(cell("Bwd Bytes/Bulk Avg"), "");

    f.fwd.payload_packets = 3; /* so the first had data */
    f.fwd.flags[DP_PSH] = 3;
    write_row(&f, true);
    assert_string_equal(cell("Fwd Act Data Pkts"), "2");
    assert_string_equal(cell("Fwd PSH Flags"), "1");
}

static void zero_durations(void **state)
{
    (void)state;
    struct dp_flow f = sample();
    f.last_ns = f.first_ns;
    write_row(&f, false);
    assert_string_equal(cell("Flow Bytes/s"), "0");
    write_row(&f, true);
    assert_string_equal(cell("Flow Bytes/s"), "Infinity");
    assert_string_equal(cell("Flow Packets/s"), "Infinity");
    assert_string_equal(cell("Fwd Packets/s"), "0");
    f.fwd.payload_bytes = f.bwd.payload_bytes = 0;
    write_row(&f, true);
    assert_string_equal(cell("Flow Bytes/s"), "NaN");
    feat_cic_flow(FEAT_JSONL, true, &f, line, sizeof(line));
    assert_non_null(strstr(line, "\"Flow Bytes/s\":null"));
}

static void flows_the_original_does_not_know(void **state)
{
    (void)state;
    struct dp_flow f = make_flow("10.0.0.1", 0, "10.0.0.2", 0, IPPROTO_ICMP);
    write_row(&f, true);
    assert_string_equal(cell("Protocol"), "0");
    assert_string_equal(cell("Flow ID"), "10.0.0.1-10.0.0.2-0-0-0");
    write_row(&f, false);
    assert_string_equal(cell("Protocol"), "1");

    make_half_open(&f);
    assert_int_equal(write_row(&f, true), 0); /* one packet: never written */
    assert_true(write_row(&f, false) > 0);

    f = make_flow("2001:db8::1", 5, "2001:db8::2", 80, IPPROTO_TCP);
    f.fwd.window_init = 99;
    write_row(&f, true);
    assert_string_equal(cell("SYN Flag Count"), "0");
    assert_string_equal(cell("FWD Init Win Bytes"), "0");
    write_row(&f, false);
    assert_string_equal(cell("SYN Flag Count"), "2");
    assert_string_equal(cell("FWD Init Win Bytes"), "99");
}

static void forward_is_the_first_sender_when_compatible(void **state)
{
    (void)state;
    struct dp_flow f = sample();
    f.fwd.first_ns = f.first_ns + 5;
    write_row(&f, true);
    assert_string_equal(cell("Src IP"), "10.0.0.2");
    assert_string_equal(cell("Total Fwd Packet"), "2");
    write_row(&f, false);
    assert_string_equal(cell("Src IP"), "10.0.0.1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_those_of_the_original),
        cmocka_unit_test(corrected_values),
        cmocka_unit_test(what_a_record_cannot_tell_is_empty),
        cmocka_unit_test(detail_fills_every_cell),
        cmocka_unit_test(defects_on_request),
        cmocka_unit_test(zero_durations),
        cmocka_unit_test(flows_the_original_does_not_know),
        cmocka_unit_test(forward_is_the_first_sender_when_compatible),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
