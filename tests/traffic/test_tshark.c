/* SPDX-License-Identifier: Apache-2.0 */
/* What an independent analyser thinks of every profile, all attacks laid over it. */
/* clang-format off */
#include "cmocka_first.h"
/* clang-format on */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "traffic/traffic.h"

static const char check[] =
    "tshark -r %s -o ip.check_checksum:TRUE -o tcp.check_checksum:TRUE "
    "-o udp.check_checksum:TRUE -Y '_ws.malformed or ip.checksum.status == 0 or "
    "tcp.checksum.status == 0 or udp.checksum.status == 0 or icmp.checksum.status == 0 or "
    "icmpv6.checksum.status == 0' 2>/dev/null";

static void expect_clean(const char *path)
{
    char command[512], line[512];
    snprintf(command, sizeof(command), check, path);
    FILE *out = popen(command, "r");
    assert_non_null(out);
    if (fgets(line, sizeof(line), out) != NULL)
        fail_msg("tshark objects: %s", line);
    assert_int_equal(pclose(out), 0);
}

static void nothing_is_malformed(void **state)
{
    enum traf_profile profile = *(enum traf_profile *)*state;
    if (system("tshark --version > /dev/null 2>&1") != 0) {
        print_message("# skipped: tshark is not installed\n");
        skip();
    }
    struct traf_config cfg;
    struct atl_error err;
    char path[] = "/tmp/atalaya-traffic-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    traf_config_default(&cfg);
    cfg.profile = profile;
    cfg.duration_ns = 8 * ATL_NS_PER_S;
    cfg.flows_per_second = 25;
    cfg.n_attacks = TRAF_ATTACK_COUNT;
    for (int i = 0; i < TRAF_ATTACK_COUNT; i++)
        cfg.attacks[i] = (struct traf_attack_plan){(enum traf_attack)i, ATL_NS_PER_S,
                                                   3 * ATL_NS_PER_S, i < TRAF_BRUTE_FORCE ? 60 : 0};
    assert_int_equal(traf_write_pcap(&cfg, path, NULL, &err), 0);
    expect_clean(path);
    unlink(path);
}

int main(void)
{
    static enum traf_profile profiles[] = {TRAF_RESIDENTIAL, TRAF_BUSINESS, TRAF_MOBILE, TRAF_IOT};
    const struct CMUnitTest tests[] = {
        {"residential", nothing_is_malformed, NULL, NULL, &profiles[0]},
        {"business", nothing_is_malformed, NULL, NULL, &profiles[1]},
        {"mobile", nothing_is_malformed, NULL, NULL, &profiles[2]},
        {"iot", nothing_is_malformed, NULL, NULL, &profiles[3]},
    };
    return atl_base_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
