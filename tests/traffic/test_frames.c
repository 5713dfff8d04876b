/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
#include "cmocka_first.h"
/* clang-format on */
#include "packet.h"
#include "traffic/traffic.h"

struct tally {
    struct traf_config cfg;
    atl_ns last_ns;
    uint64_t packets, bytes, bad, v6, vlan, too_long, late, oversized;
    uint64_t tcp, udp, icmp, other, syn, synack, rst, foreign, attacks;
};

static bool of_site(const struct tally *t, const uint8_t *addr, bool v6)
{
    return v6 ? addr[0] == 0xfd && addr[3] == t->cfg.site : addr[0] == 10 && addr[1] == t->cfg.site;
}

static int count(void *ctx, const struct traf_packet *packet)
{
    struct tally *t = ctx;
    struct packet p;
    t->packets++;
    t->bytes += packet->wire_bytes;
    t->late += packet->time_ns < t->last_ns || packet->time_ns < t->cfg.start_ns ||
               packet->time_ns >= t->cfg.start_ns + t->cfg.duration_ns;
    t->last_ns = packet->time_ns;
    t->oversized += packet->wire_bytes > 1518;
    t->attacks += packet->attack != -1;
    if (packet->captured_bytes != packet->wire_bytes) {
        t->too_long +=
            packet->captured_bytes != t->cfg.snap_bytes || packet->wire_bytes <= t->cfg.snap_bytes;
        return 0;
    }
    if (!packet_read(&p, packet->data, packet->captured_bytes) || !p.checksums_good) {
        t->bad++;
        return 0;
    }
    t->v6 += p.v6;
    t->vlan += p.vlan;
    t->foreign += !of_site(t, p.src, p.v6) == !of_site(t, p.dst, p.v6);
    t->tcp += p.proto == 6;
    t->udp += p.proto == 17;
    t->icmp += p.proto == 1 || p.proto == 58;
    t->other += p.proto == 50;
    t->syn += p.proto == 6 && (p.tcp_flags & 0x12) == 0x02;
    t->synack += p.proto == 6 && (p.tcp_flags & 0x12) == 0x12;
    t->rst += p.proto == 6 && (p.tcp_flags & 0x04) != 0;
    return 0;
}

static void every_profile_is_sound(void **state)
{
    (void)state;
    for (int i = 0; i < TRAF_PROFILE_COUNT; i++) {
        struct tally t = {0};
        struct traf_summary summary;
        traf_config_default(&t.cfg);
        t.cfg.profile = (enum traf_profile)i;
        t.cfg.site = 7;
        assert_int_equal(traf_run(&t.cfg, count, &t, &summary, NULL), 0);
        assert_int_equal(t.bad, 0);
        assert_int_equal(t.late, 0);
        assert_int_equal(t.oversized, 0);
        assert_int_equal(t.foreign, 0);
        assert_int_equal(t.attacks, 0);
        assert_int_equal(summary.n_labels, 0);
        assert_int_equal(summary.packets, t.packets);
        assert_int_equal(summary.bytes, t.bytes);
        assert_true(t.packets > 20000);
        /* flows: asked 50/s by the day's mean, at noon up to half as many again, plus what stood */
        assert_in_range(summary.flows, 2500, 6500);
        assert_true(t.tcp > t.packets / 4 && t.udp > t.packets / 20);
        assert_true(t.icmp > 10 && t.icmp < t.packets / 20);
        assert_int_equal(t.vlan, i == TRAF_BUSINESS ? t.packets : 0);
        assert_in_range(100 * t.v6 / t.packets, 12, 48);
        /* failures belong to life: some SYN stay alone, some connections are reset, not many */
        assert_true(t.syn > t.synack);
        assert_in_range(1000 * (t.syn - t.synack) / t.syn, 20, 140);
        assert_true(t.rst > 10);
    }
}

static void snap_keeps_the_wire_length(void **state)
{
    (void)state;
    struct tally whole = {0}, cut = {0};
    traf_config_default(&whole.cfg);
    whole.cfg.duration_ns = 5 * ATL_NS_PER_S;
    cut.cfg = whole.cfg;
    cut.cfg.snap_bytes = 96;
    assert_int_equal(traf_run(&whole.cfg, count, &whole, NULL, NULL), 0);
    assert_int_equal(traf_run(&cut.cfg, count, &cut, NULL, NULL), 0);
    assert_int_equal(cut.packets, whole.packets);
    assert_int_equal(cut.bytes, whole.bytes);
    assert_int_equal(cut.too_long, 0);
    assert_true(cut.tcp + cut.udp + cut.icmp + cut.other < whole.packets / 2 + whole.packets / 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_profile_is_sound),
        cmocka_unit_test(snap_keeps_the_wire_length),
    };
    return atl_base_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
