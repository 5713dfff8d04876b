/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
#include "cmocka_first.h"
/* clang-format on */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "traffic/traffic.h"

static char dir[] = "/tmp/atalaya-traffic-XXXXXX";
static char path[128], temporary[160];
static struct traf_config cfg;

static int make_dir(void **state)
{
    (void)state;
    traf_config_default(&cfg);
    cfg.duration_ns = 3 * ATL_NS_PER_S;
    cfg.flows_per_second = 10;
    signal(SIGPIPE, SIG_IGN);
    if (mkdtemp(dir) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/x.pcap", dir);
    snprintf(temporary, sizeof(temporary), "%s.tmp", path);
    return 0;
}

static int remove_dir(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(dir); /* fails when something was left behind */
}

static void file_holds_what_the_summary_says(void **state)
{
    (void)state;
    struct traf_summary summary;
    struct atl_error err;
    uint8_t *data;
    size_t bytes;
    cfg.snap_bytes = 200;
    assert_int_equal(traf_write_pcap(&cfg, path, &summary, &err), 0);
    cfg.snap_bytes = 65535;
    assert_int_equal(atl_file_read(path, 1u << 30, &data, &bytes, &err), 0);
    uint32_t head[6];
    memcpy(head, data, sizeof(head));
    assert_int_equal(head[0], 0xa1b23c4d);
    assert_int_equal(head[1], 0x00040002);
    assert_int_equal(head[4], 200);
    assert_int_equal(head[5], 1);
    uint64_t packets = 0, wire = 0;
    size_t at = 24;
    while (at + 16 <= bytes) {
        uint32_t record[4];
        memcpy(record, data + at, sizeof(record));
        assert_true(record[1] < ATL_NS_PER_S);
        assert_true(record[2] <= 200 && record[2] <= record[3]);
        packets++;
        wire += record[3];
        at += 16 + record[2];
    }
    assert_int_equal(at, bytes);
    assert_int_equal(packets, summary.packets);
    assert_int_equal(wire, summary.bytes);
    assert_int_equal(access(temporary, F_OK), -1);
    free(data);
}

static void full_disk_is_one_line(void **state)
{
    (void)state;
    struct traf_summary summary = {.packets = 5};
    struct atl_error err;
    assert_int_equal(traf_write_pcap(&cfg, "/dev/full", &summary, &err), -ENOSPC);
    assert_string_equal(err.text, "cannot write /dev/full: No space left on device");
    assert_int_equal(summary.packets, 5);
    struct stat st;
    assert_int_equal(stat("/dev/full", &st), 0);
    assert_true(S_ISCHR(st.st_mode));
}

static void failure_leaves_nothing(void **state)
{
    (void)state;
    struct atl_error err;
    char folder[160];
    snprintf(folder, sizeof(folder), "%s/none/x.pcap", dir);
    assert_int_equal(traf_write_pcap(&cfg, folder, NULL, &err), -ENOENT);
    assert_non_null(strstr(err.text, "none/x.pcap"));
    /* the old capture survives a run that is refused */
    assert_int_equal(traf_write_pcap(&cfg, path, NULL, &err), 0);
    struct traf_config broken = cfg;
    broken.subscribers = 0;
    assert_int_equal(traf_write_pcap(&broken, path, NULL, &err), -EINVAL);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(access(temporary, F_OK), -1);
}

static void reader_that_left_is_one_line(void **state)
{
    (void)state;
    struct atl_error err;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    int keep = dup(STDOUT_FILENO);
    fflush(stdout);
    dup2(ends[1], STDOUT_FILENO);
    close(ends[0]);
    int r = traf_write_pcap(&cfg, "-", NULL, &err);
    dup2(keep, STDOUT_FILENO);
    close(keep);
    close(ends[1]);
    assert_int_equal(r, -EPIPE);
    assert_string_equal(err.text, "cannot write standard output: Broken pipe");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(file_holds_what_the_summary_says),
        cmocka_unit_test(full_disk_is_one_line),
        cmocka_unit_test(failure_leaves_nothing),
        cmocka_unit_test(reader_that_left_is_one_line),
    };
    return atl_base_init() < 0 ? 1 : cmocka_run_group_tests(tests, make_dir, remove_dir);
}
