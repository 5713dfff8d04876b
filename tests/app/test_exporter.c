/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app/exporter_priv.h"
#include "app/outlink_priv.h"

static int open_socket(int type, char url[64])
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof(at);
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &bytes), 0);
    snprintf(url, 64, "%s://127.0.0.1:%u", type == SOCK_DGRAM ? "udp" : "tcp", ntohs(at.sin_port));
    return fd;
}

static const float row[FEAT_COLUMNS_MAX]; /* of zeros */

static struct dp_flow sample(void)
{
    return (struct dp_flow){.src.bytes = {[10] = 0xff, [11] = 0xff, [15] = 1},
                            .dst.bytes = {[10] = 0xff, [11] = 0xff, [15] = 2},
                            .proto = 17,
                            .end_reason = DP_END_IDLE,
                            .first_ns = 1000,
                            .last_ns = 2000,
                            .fwd = {.packets = 1, .bytes = 40}};
}

static void urls_are_checked(void **state)
{
    (void)state;
    static const char *const good[] = {"udp://a:1", "tcp://10.0.0.1:65535", "tcp://[::1]:4739"};
    static const char *const bad[] = {"udp://",        "udp://a",    "tcp://:1",   "tcp://a:0",
                                      "tcp://a:65536", "http://a:1", "udp://a:1x", "udp://a:-1",
                                      "a:1",           "tcp://[]:1"};
    struct atl_error err;
    for (size_t i = 0; i < ATL_ARRAY_LEN(good); i++)
        assert_int_equal(outlink_check(good[i], NULL), 0);
    for (size_t i = 0; i < ATL_ARRAY_LEN(bad); i++) {
        assert_int_equal(outlink_check(bad[i], &err), -EINVAL);
        assert_non_null(strstr(err.text, "expected udp://host:port"));
    }
}

/* Nobody reads: the queue fills, the rest is counted, and nothing ever waits. */
static void a_stuck_collector_costs_only_records(void **state)
{
    (void)state;
    char url[64];
    int listener = open_socket(SOCK_STREAM, url);
    assert_int_equal(listen(listener, 4), 0);
    struct outlink *l;
    const struct outlink_config cfg = {.url = url, .queue_bytes = 100000};
    assert_int_equal(outlink_create(&l, &cfg, NULL), 0);
    static const uint8_t message[1000];
    atl_ns begun = atl_clock_mono_ns();
    for (int i = 0; i < 30000; i++) {
        assert_int_equal(outlink_send(l, message, sizeof(message), NULL), 0);
        outlink_step(l);
    }
    assert_true(atl_clock_mono_ns() - begun < 3 * ATL_NS_PER_S);
    struct outlink_counters c;
    outlink_counters(l, &c);
    assert_true(c.dropped > 0 && c.sent > 0);
    assert_true(30000 - c.sent - c.dropped <= 100000 / sizeof(message));
    assert_int_equal(outlink_close(l, NULL), 0);
    close(listener);
}

static void no_collector_backs_off(void **state)
{
    (void)state;
    char url[64];
    int fd = open_socket(SOCK_STREAM, url); /* bound but not listening: refuses */
    struct outlink *l;
    const struct outlink_config cfg = {.url = url, .queue_bytes = 5000};
    assert_int_equal(outlink_create(&l, &cfg, NULL), 0);
    static const uint8_t message[1000];
    for (int i = 0; i < 100; i++) {
        outlink_send(l, message, sizeof(message), NULL);
        outlink_step(l);
    }
    struct outlink_counters c;
    outlink_counters(l, &c);
    assert_int_equal(c.connections, 0);
    assert_int_equal(c.dropped, 96); /* 4 of 1004 bytes fit */
    assert_int_equal(outlink_close(l, NULL), 0);

    const struct outlink_config patient = {.url = url, .queue_bytes = 5000, .patient = true};
    struct atl_error err;
    assert_int_equal(outlink_create(&l, &patient, &err), -EIO);
    assert_non_null(strstr(err.text, "Connection refused"));
    close(fd);
}

static void datagrams_stay_below_the_mtu(void **state)
{
    (void)state;
    char url[64];
    uint8_t message[4096];
    int fd = open_socket(SOCK_DGRAM, url);
    struct exporter_config cfg;
    struct exporter *x;
    struct dp_counters counters = {0};
    struct dp_flow f = sample();
    exporter_config_default(&cfg);
    cfg.format = EXPORTER_IPFIX;
    cfg.to = url;
    assert_int_equal(exporter_create(&x, &cfg, NULL), 0);
    for (int i = 0; i < 20; i++)
        assert_int_equal(exporter_flow(x, &f, row, 0, NULL), 0);
    assert_int_equal(exporter_close(x, &counters, 0, NULL), 0);
    int n = 0;
    struct pollfd p = {fd, POLLIN, 0};
    while (poll(&p, 1, 100) == 1) {
        ssize_t bytes = recv(fd, message, sizeof(message), 0);
        assert_true(bytes >= 16 && bytes <= 1400);
        if (n++ == 0)
            assert_int_equal(message[17], 2); /* a template set opens the first */
    }
    assert_true(n > 5);
    close(fd);
}

static void files_turn_over(void **state)
{
    (void)state;
    char folder[] = "/tmp/atalaya-exporter-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/flows.csv", folder);
    struct exporter_config cfg;
    struct exporter *x;
    struct dp_counters counters = {0};
    struct dp_flow f = sample();
    exporter_config_default(&cfg);
    cfg.to = path;
    cfg.rotate_ns = 10 * ATL_NS_PER_S;
    assert_int_equal(exporter_create(&x, &cfg, NULL), 0);
    for (atl_ns s = 1000; s < 1030; s++) {
        assert_int_equal(exporter_flow(x, &f, row, s * ATL_NS_PER_S, NULL), 0);
        assert_int_equal(exporter_step(x, &counters, s * ATL_NS_PER_S, NULL), 0);
    }
    assert_int_equal(exporter_close(x, &counters, 1030 * ATL_NS_PER_S, NULL), 0);
    int files = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *d; (d = readdir(dir)) != NULL;) {
        char full[512];
        if (d->d_name[0] == '.')
            continue;
        assert_memory_equal(d->d_name, "flows-19700101T001", 18);
        snprintf(full, sizeof(full), "%s/%s", folder, d->d_name);
        unlink(full);
        files++;
    }
    closedir(dir);
    rmdir(folder);
    assert_int_equal(files, 3);
}

static void a_lost_folder_is_said_and_counted(void **state)
{
    (void)state;
    struct exporter_config cfg;
    struct exporter *x;
    struct dp_counters counters = {0};
    struct dp_flow f = sample();
    struct atl_error err;
    exporter_config_default(&cfg);
    cfg.to = "/nowhere/flows.csv";
    cfg.rotate_ns = 10 * ATL_NS_PER_S;
    assert_int_equal(exporter_create(&x, &cfg, &err), 0);
    for (int i = 0; i < 5; i++)
        assert_true(exporter_flow(x, &f, row, 1000 * ATL_NS_PER_S, &err) < 0);
    assert_non_null(strstr(err.text, "cannot create /nowhere/flows-"));
    struct exporter_counters c;
    exporter_counters(x, &c);
    assert_int_equal(c.dropped_records, 5);
    assert_int_equal(exporter_close(x, &counters, 0, &err), 0);

    cfg.rotate_ns = 0;
    assert_true(exporter_create(&x, &cfg, &err) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_are_checked),
        cmocka_unit_test(a_stuck_collector_costs_only_records),
        cmocka_unit_test(no_collector_backs_off),
        cmocka_unit_test(datagrams_stay_below_the_mtu),
        cmocka_unit_test(files_turn_over),
        cmocka_unit_test(a_lost_folder_is_said_and_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
