/* SPDX-License-Identifier: Apache-2.0 */
/* Every real and every hostile capture at hand: nothing crashes, every packet is accounted for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>

#include "tests/dataplane/replay.h"

static const char *data; /* the folder of captures */
static struct replay r;

static void sweep_one(const char *path, bool real)
{
    struct dp_config cfg;
    dp_config_default(&cfg);
    cfg.device = path;
    cfg.file = true;
    cfg.flows_max = 1024;
    int code = replay(&r, &cfg, false);
    if (code < 0) {
        if (real || code != -EINVAL || r.error[0] == '\0')
            fail_msg("%s: %d %s", path, code, r.error);
        return;
    }
    if (!replay_balanced(&r))
        fail_msg("%s: received %llu, difference %lld, in records %llu", path,
                 (unsigned long long)r.counters.received_packets,
                 (long long)dp_counters_difference(&r.counters), (unsigned long long)r.packets);
    if ((r.state == DP_FAILED) != (r.error[0] != '\0'))
        fail_msg("%s: state %d, error \"%s\"", path, (int)r.state, r.error);
    if (real && (r.state != DP_ENDED || r.counters.processed_packets == 0))
        fail_msg("%s: no packet processed; %s", path, r.error);
}

static void sweep(const char *name, bool real)
{
    char folder[512], path[1024];
    uint32_t files = 0;
    snprintf(folder, sizeof(folder), "%s/%s", data, name);
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (strstr(entry->d_name, ".pcap") == NULL && strstr(entry->d_name, ".cap") == NULL)
            continue;
        if (strstr(entry->d_name, ".csv") != NULL)
            continue;
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        sweep_one(path, real);
        files++;
    }
    closedir(dir);
    assert_true(files > 0);
}

static void malformed(void **state)
{
    (void)state;
    sweep("malformed", false);
}

static void encapsulated(void **state)
{
    (void)state;
    sweep("encap", false);
}

static void telecom(void **state)
{
    (void)state;
    sweep("telecom", true);
}

static void benign(void **state)
{
    (void)state;
    sweep("benign", true);
}

static void attack(void **state)
{
    (void)state;
    sweep("attack", true);
}

int main(void)
{
    if (atl_base_init() < 0)
        return 1;
    data = getenv("ATALAYA_DATA");
    if (data == NULL || access(data, R_OK) != 0) {
        printf("1..0 # SKIP no captures at %s\n", data != NULL ? data : "ATALAYA_DATA");
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(malformed), cmocka_unit_test(encapsulated), cmocka_unit_test(telecom),
        cmocka_unit_test(benign),    cmocka_unit_test(attack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
