/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
#include "cmocka_first.h"
/* clang-format on */
#include <arpa/inet.h>
#include <stdlib.h>

#include "packet.h"
#include "traffic/traffic.h"

#define AFTER_NS    (3 * ATL_NS_PER_S)
#define DURATION_NS (6 * ATL_NS_PER_S)

struct watch {
    struct traf_config cfg;
    const char *attacker, *victim;
    atl_ns first_ns, last_ns;
    uint64_t packets, bad, astray, syn, syn_answered, rst, sent, sent_bytes, back_bytes;
    uint64_t name_bytes, names;
    uint8_t targets[65536 / 8], sources[65536 / 8]; /* folded address or port sets */
};

static void set_add(uint8_t *set, uint32_t value)
{
    value ^= value >> 16;
    set[(value & 0xffff) / 8] |= (uint8_t)(1u << (value & 7));
}

static uint32_t set_count(const uint8_t *set)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < 65536 / 8; i++)
        n += (uint32_t)__builtin_popcount(set[i]);
    return n;
}

static bool is(const uint8_t *addr, const char *text)
{
    char own[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, addr, own, sizeof(own));
    return strcmp(own, text) == 0;
}

static int look(void *ctx, const struct traf_packet *packet)
{
    struct watch *w = ctx;
    struct packet p;
    if (packet->attack < 0)
        return 0;
    if (w->packets++ == 0)
        w->first_ns = packet->time_ns;
    w->last_ns = packet->time_ns;
    if (!packet_read(&p, packet->data, packet->captured_bytes) || !p.checksums_good || p.v6) {
        w->bad++;
        return 0;
    }
    bool from_attacker = w->attacker[0] == '\0' ? is(p.dst, w->victim) : is(p.src, w->attacker);
    const uint8_t *far = from_attacker ? p.dst : p.src, *near = from_attacker ? p.src : p.dst;
    w->astray += w->attacker[0] != '\0' && !is(near, w->attacker);
    w->astray += w->victim[0] != '\0' && !is(far, w->victim);
    w->sent += from_attacker;
    *(from_attacker ? &w->sent_bytes : &w->back_bytes) += p.l4_bytes;
    if (from_attacker) {
        set_add(w->sources, word(p.src) << 16 | word(p.src + 2));
        set_add(w->targets, w->victim[0] == '\0' ? word(p.dst) << 16 | word(p.dst + 2) : p.dport);
    }
    w->syn += p.proto == 6 && (p.tcp_flags & 0x12) == 0x02;
    w->syn_answered += p.proto == 6 && (p.tcp_flags & 0x12) == 0x12;
    w->rst += p.proto == 6 && !from_attacker && (p.tcp_flags & 4) != 0;
    if (p.proto == 17 && p.dport == 53) {
        w->names++;
        w->name_bytes += p.l4_bytes - 8 - 12 - 4 - 11;
    }
    return 0;
}

static void run(struct watch *w, enum traf_attack attack, double pps, struct traf_label *label)
{
    struct traf_summary summary;
    struct atl_error err;
    memset(w, 0, sizeof(*w));
    traf_config_default(&w->cfg);
    w->cfg.duration_ns = 12 * ATL_NS_PER_S;
    w->cfg.flows_per_second = 1;
    w->cfg.n_attacks = 1;
    w->cfg.attacks[0] = (struct traf_attack_plan){attack, AFTER_NS, DURATION_NS, pps};
    /* the first run tells the addresses, the second checks every packet against them */
    w->attacker = w->victim = "0.0.0.0";
    assert_int_equal(traf_run(&w->cfg, look, w, &summary, &err), 0);
    struct traf_config cfg = w->cfg;
    memset(w, 0, sizeof(*w));
    w->cfg = cfg;
    *label = summary.labels[0];
    w->attacker = label->attacker;
    w->victim = label->victim;
    assert_int_equal(traf_run(&w->cfg, look, w, &summary, &err), 0);
    assert_int_equal(summary.n_labels, 1);
    assert_int_equal(label->attack, attack);
    assert_int_equal(label->packets, w->packets);
    assert_true(label->first_ns == w->first_ns && label->last_ns == w->last_ns);
    assert_true(w->first_ns >= cfg.start_ns + AFTER_NS);
    assert_true(w->last_ns <= cfg.start_ns + AFTER_NS + DURATION_NS);
    assert_int_equal(w->bad, 0);
    assert_int_equal(w->astray, 0);
}

/* usual packets per second, and who: from the page that lists the attacks */
static const struct {
    enum traf_attack attack;
    double pps;
    const char *attacker, *victim;
} expected[] = {
    {TRAF_HORIZONTAL_SCAN, 60, "10.1.0.66", ""},
    {TRAF_VERTICAL_SCAN, 100, "203.0.113.30", "10.1.0.10"},
    {TRAF_SYN_FLOOD, 2000, "", "10.1.0.10"},
    {TRAF_UDP_FLOOD, 2000, "203.0.113.30", "10.1.0.104"},
    {TRAF_ICMP_FLOOD, 1000, "203.0.113.30", "10.1.0.25"},
    {TRAF_BRUTE_FORCE, 100, "203.0.113.30", "10.1.0.22"},
    {TRAF_BEACON, 3.4, "10.1.0.66", "203.0.113.30"},
    {TRAF_DNS_TUNNEL, 20, "10.1.0.66", "198.18.0.53"},
    {TRAF_EXFILTRATION, 400, "10.1.0.66", "203.0.113.30"},
};

static void each_is_labelled_and_paced(void **state)
{
    (void)state;
    struct watch *w = malloc(sizeof(*w));
    for (size_t i = 0; i < ATL_ARRAY_LEN(expected); i++) {
        struct traf_label label;
        run(w, expected[i].attack, 0, &label);
        assert_string_equal(label.attacker, expected[i].attacker);
        assert_string_equal(label.victim, expected[i].victim);
        double want = expected[i].pps * 6;
        if ((double)w->packets < 0.6 * want || (double)w->packets > 2.0 * want)
            fail_msg("%s: %llu packets, about %.0f expected", traf_attack_name(expected[i].attack),
                     (unsigned long long)w->packets, want);
    }
    free(w);
}

static void rate_is_obeyed(void **state)
{
    (void)state;
    struct watch *w = malloc(sizeof(*w));
    struct traf_label label;
    run(w, TRAF_SYN_FLOOD, 500, &label);
    assert_in_range(w->packets, 2600, 3400);
    run(w, TRAF_HORIZONTAL_SCAN, 300, &label);
    assert_in_range(w->packets, 1600, 2000);
    free(w);
}

static void each_has_its_shape(void **state)
{
    (void)state;
    struct watch *w = malloc(sizeof(*w));
    struct traf_label label;

    run(w, TRAF_HORIZONTAL_SCAN, 300, &label);
    assert_true(set_count(w->targets) > w->syn * 9 / 10); /* one address, one SYN */
    assert_in_range(w->syn_answered + w->rst, w->syn / 100, w->syn / 15);

    run(w, TRAF_VERTICAL_SCAN, 0, &label);
    assert_true(set_count(w->targets) > w->syn * 9 / 10);
    assert_true(w->rst > w->syn / 2); /* closed ports say so */

    run(w, TRAF_SYN_FLOOD, 0, &label);
    assert_true(set_count(w->sources) > w->syn * 8 / 10);
    assert_in_range(w->syn_answered, w->syn / 10, w->syn / 2);

    run(w, TRAF_BRUTE_FORCE, 0, &label);
    assert_in_range(w->packets / w->syn, 12, 30);

    run(w, TRAF_DNS_TUNNEL, 0, &label);
    assert_true(w->name_bytes / w->names > 60);

    run(w, TRAF_EXFILTRATION, 0, &label);
    assert_true(w->sent_bytes > 10 * w->back_bytes);
    assert_int_equal(w->syn, 1);
    free(w);
}

static int beat(void *ctx, const struct traf_packet *packet)
{
    atl_ns *seen = ctx;
    struct packet p;
    if (packet->attack >= 0 && packet_read(&p, packet->data, packet->captured_bytes) &&
        p.tcp_flags == 0x02 && seen[0] < 40)
        seen[++seen[0]] = packet->time_ns;
    return 0;
}

static void beacon_keeps_its_beat(void **state)
{
    (void)state;
    struct traf_config cfg;
    atl_ns seen[41] = {0};
    traf_config_default(&cfg);
    cfg.flows_per_second = 1;
    cfg.duration_ns = 120 * ATL_NS_PER_S;
    cfg.n_attacks = 1;
    cfg.attacks[0] = (struct traf_attack_plan){TRAF_BEACON, 0, 120 * ATL_NS_PER_S, 0};
    assert_int_equal(traf_run(&cfg, beat, seen, NULL, NULL), 0);
    assert_in_range(seen[0], 22, 27);
    for (atl_ns i = 2; i <= seen[0]; i++) /* 5 s, a tenth more or less */
        assert_in_range(seen[i] - seen[i - 1], 4300 * ATL_NS_PER_MS, 5700 * ATL_NS_PER_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_labelled_and_paced),
        cmocka_unit_test(rate_is_obeyed),
        cmocka_unit_test(each_has_its_shape),
        cmocka_unit_test(beacon_keeps_its_beat),
    };
    return atl_base_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
