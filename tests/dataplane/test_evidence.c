/* SPDX-License-Identifier: Apache-2.0 */
/* What was written is read back by libpcap, which shares no code with the writer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pcap/pcap.h>
#include <pthread.h>
#include <sys/stat.h>

#include "dataplane/evidence_priv.h"
#include "tests/dataplane/replay.h"

static struct dp_addr v4(uint32_t host)
{
    char text[DP_ADDR_TEXT_BYTES];
    struct dp_addr addr;
    snprintf(text, sizeof(text), "%u.%u.%u.%u", host >> 24, host >> 16 & 255, host >> 8 & 255,
             host & 255);
    assert_int_equal(dp_addr_parse(text, &addr), 0);
    return addr;
}

static void put_packet(struct dp_evidence *e, uint32_t host, uint32_t n, uint32_t bytes)
{
    uint8_t data[600];
    const struct dp_key key = {.addr = {v4(host), v4(0xc0a80001)}};
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(n + i);
    const struct dp_frame frame = {
        .data = data, .captured = bytes, .wire = bytes + 7, .link = 1, .ts_ns = 1000 + n};
    dp_evidence_put(e, &frame, &key);
}

static void the_latest_are_remembered(void **state)
{
    (void)state;
    struct dp_evidence *e;
    struct dp_slice slice = {0};
    assert_int_equal(dp_evidence_create(&e, 64, 100), 0);
    assert_int_equal(dp_evidence_collect(e, NULL, &slice), 0);
    assert_int_equal(slice.count, 0);
    for (uint32_t n = 0; n < 200; n++)
        put_packet(e, 0x0a000000 + n % 2, n, 20 + n);
    assert_int_equal(dp_evidence_collect(e, NULL, &slice), 0);
    assert_int_equal(slice.count, 64);
    for (uint32_t i = 0; i < 64; i++) {
        uint32_t n = 136 + i, captured = 20 + n < 100 ? 20 + n : 100;
        const struct dp_evidence_packet *p = &slice.packets[i];
        assert_int_equal(p->ts_ns, 1000 + n);
        assert_int_equal(p->wire, 27 + n);
        assert_int_equal(p->captured, captured);
        for (uint32_t b = 0; b < captured; b++)
            assert_int_equal(slice.data[p->at + b], (uint8_t)(n + b));
    }
    dp_slice_finish(&slice);
    struct dp_addr one = v4(0x0a000001), server = v4(0xc0a80001), none = v4(0x0a000009);
    assert_int_equal(dp_evidence_collect(e, &one, &slice), 0);
    assert_int_equal(slice.count, 32);
    assert_int_equal(slice.remembered, 64);
    assert_int_equal(dp_evidence_collect(e, &server, &slice), 0);
    assert_int_equal(slice.count, 32 + 64);
    assert_int_equal(dp_evidence_collect(e, &none, &slice), 0);
    assert_int_equal(slice.count, 32 + 64);
    dp_slice_finish(&slice);
    dp_evidence_destroy(e);
}

/* --- a reader beside the writer --- */

struct writer {
    struct dp_evidence *evidence;
    _Atomic bool stop;
    _Atomic uint32_t done;
};

static void *write_on(void *arg)
{
    struct writer *w = arg;
    for (uint32_t n = 0; !atomic_load(&w->stop); n++) {
        put_packet(w->evidence, 0x0a000000 + n % 7, n, 64 + n % 200);
        atomic_store(&w->done, n + 1);
    }
    return NULL;
}

static void no_packet_is_torn(void **state)
{
    (void)state;
    struct writer w = {0};
    pthread_t thread;
    uint64_t whole = 0;
    assert_int_equal(dp_evidence_create(&w.evidence, 256, 256), 0);
    assert_int_equal(pthread_create(&thread, NULL, write_on, &w), 0);
    while (atomic_load(&w.done) < 256)
        replay_nap();
    atl_ns end = atl_clock_mono_ns() + 300 * ATL_NS_PER_MS;
    while (atl_clock_mono_ns() < end) {
        struct dp_slice slice = {0};
        struct dp_addr one = v4(0x0a000003);
        assert_int_equal(dp_evidence_collect(w.evidence, &one, &slice), 0);
        for (size_t i = 0; i < slice.count; i++, whole++) {
            const struct dp_evidence_packet *p = &slice.packets[i];
            uint32_t n = (uint32_t)p->ts_ns - 1000;
            assert_int_equal(n % 7, 3);
            assert_int_equal(p->wire, 64 + n % 200 + 7);
            for (uint32_t b = 0; b < p->captured; b++)
                assert_int_equal(slice.data[p->at + b], (uint8_t)(n + b));
        }
        dp_slice_finish(&slice);
    }
    atomic_store(&w.stop, true);
    pthread_join(thread, NULL);
    assert_true(whole > 100);
    dp_evidence_destroy(w.evidence);
}

/* --- whole engines --- */

static struct dp_engine *remembering(const char *path, uint32_t workers, uint32_t packets)
{
    static struct replay r;
    struct dp_config cfg;
    struct dp_engine *engine;
    dp_config_default(&cfg);
    cfg.device = path;
    cfg.file = true;
    cfg.workers = workers;
    cfg.evidence_packets = packets;
    cfg.evidence_snap = 64;
    assert_int_equal(dp_engine_create(&engine, &cfg, NULL), 0);
    while (dp_engine_step(engine) == DP_RUNNING)
        replay_drain(&r, engine);
    return engine;
}

static uint32_t word_at(const u_char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void the_slice_is_the_capture(void **state)
{
    (void)state;
    char in[256], out[256], why[PCAP_ERRBUF_SIZE];
    struct dp_evidence_result result;
    struct atl_error err = {""};
    const uint32_t host = 0x0a000007;
    struct dp_addr address = v4(host);
    replay_path(in, "in.pcap");
    replay_path(out, "out.pcapng");
    replay_write(in, 3000);
    for (uint32_t workers = 1; workers <= 2; workers++) {
        struct dp_engine *engine = remembering(in, workers, 4096);
        assert_int_equal(dp_engine_evidence(engine, &address, out, &result, &err), 0);
        dp_engine_destroy(engine);
        struct stat s;
        assert_int_equal(stat(out, &s), 0);
        assert_int_equal(s.st_mode & 0777, 0600);

        const u_int ns = PCAP_TSTAMP_PRECISION_NANO;
        pcap_t *all = pcap_open_offline_with_tstamp_precision(in, ns, why);
        pcap_t *some = pcap_open_offline_with_tstamp_precision(out, ns, why);
        if (all == NULL || some == NULL)
            fail_msg("%s", why);
        struct pcap_pkthdr *h, *k;
        const u_char *p, *q;
        uint64_t expected = 0;
        while (pcap_next_ex(all, &h, &p) == 1) {
            if (h->caplen < 34 || (word_at(p + 26) != host && word_at(p + 30) != host))
                continue;
            expected++;
            assert_int_equal(pcap_next_ex(some, &k, &q), 1);
            assert_int_equal(k->ts.tv_sec, h->ts.tv_sec);
            assert_int_equal(k->ts.tv_usec, h->ts.tv_usec);
            assert_int_equal(k->len, h->len);
            assert_int_equal(k->caplen, h->caplen < 64 ? h->caplen : 64);
            assert_memory_equal(p, q, k->caplen);
        }
        assert_true(expected > 20);
        assert_int_equal(result.written, expected);
        assert_int_equal(pcap_next_ex(some, &k, &q), PCAP_ERROR_BREAK);
        assert_int_equal(pcap_datalink(some), DLT_EN10MB);
        pcap_close(all);
        pcap_close(some);
    }
    unlink(in);
    unlink(out);
}

static void what_cannot_be_written_says_why(void **state)
{
    (void)state;
    char in[256], out[256];
    struct dp_evidence_result result;
    struct atl_error err = {""};
    struct dp_addr stranger = v4(0x01020304), known = v4(0x0a000001);
    replay_path(in, "in.pcap");
    replay_path(out, "none.pcapng");
    replay_write(in, 500);
    struct dp_engine *engine = remembering(in, 1, 0);
    assert_int_equal(dp_engine_evidence(engine, &known, out, &result, &err), -ENOTSUP);
    assert_non_null(strstr(err.text, "evidence.enabled"));
    dp_engine_destroy(engine);
    engine = remembering(in, 1, 1024);
    assert_int_equal(dp_engine_evidence(engine, &stranger, out, &result, &err), -ENOENT);
    assert_int_equal(access(out, F_OK), -1);
    assert_true(dp_engine_evidence(engine, &known, "/nowhere/x.pcapng", &result, &err) < 0);
    assert_non_null(strstr(err.text, "/nowhere"));
    dp_engine_destroy(engine);
    unlink(in);
    struct dp_addr addr;
    assert_int_equal(dp_addr_parse("10.0.0.256", &addr), -EINVAL);
    assert_int_equal(dp_addr_parse("", &addr), -EINVAL);
    assert_int_equal(dp_addr_parse("2001:db8::1", &addr), 0);
    assert_false(dp_addr_is_v4(&addr));
}

int main(void)
{
    if (atl_base_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_latest_are_remembered),
        cmocka_unit_test(no_packet_is_torn),
        cmocka_unit_test(the_slice_is_the_capture),
        cmocka_unit_test(what_cannot_be_written_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
