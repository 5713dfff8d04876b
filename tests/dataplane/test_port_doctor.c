/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The doctor on machines that this one is not: a folder laid out as /sys and /proc are
 * (Documentation/ABI/stable/sysfs-devices-node, testing/sysfs-bus-pci, proc_net(5)).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <sys/stat.h>

#include "tests/dataplane/replay.h"

#define CARD "0000:03:00.0"
#define PCI  "/sys/bus/pci/devices/"

static char root[] = "/tmp/atalaya-doctor-XXXXXX";
static struct dp_findings found;

static void file(const char *path, const char *text)
{
    char whole[600], folder[600];
    snprintf(whole, sizeof(whole), "%s%s", root, path);
    snprintf(folder, sizeof(folder), "%s", whole);
    *strrchr(folder, '/') = '\0';
    assert_int_equal(atl_dir_make(folder, NULL), 0);
    assert_int_equal(atl_file_write(whole, text, strlen(text), 0600, NULL), 0);
}

static void link_to(const char *path, const char *target)
{
    char whole[600], folder[600];
    snprintf(whole, sizeof(whole), "%s%s", root, path);
    snprintf(folder, sizeof(folder), "%s", whole);
    *strrchr(folder, '/') = '\0';
    assert_int_equal(atl_dir_make(folder, NULL), 0);
    unlink(whole);
    assert_int_equal(symlink(target, whole), 0);
}

static int remove_one(const char *path, const struct stat *s, int kind, struct FTW *ftw)
{
    (void)s;
    (void)kind;
    (void)ftw;
    return remove(path);
}

static int new_machine(void **state)
{
    (void)state;
    memcpy(root + strlen(root) - 6, "XXXXXX", 6);
    return mkdtemp(root) == NULL;
}

static int end_machine(void **state)
{
    (void)state;
    return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static const struct dp_finding *find(const char *check, enum dp_finding_status status,
                                     const char *text)
{
    for (uint32_t i = 0; i < found.n; i++)
        if (strcmp(found.list[i].check, check) == 0 && found.list[i].status == status &&
            strstr(found.list[i].text, text) != NULL)
            return &found.list[i];
    for (uint32_t i = 0; i < found.n; i++)
        print_message("# %s %s: %s\n", dp_finding_status_name(found.list[i].status),
                      found.list[i].check, found.list[i].text);
    fail_msg("no %s %s with \"%s\"", dp_finding_status_name(status), check, text);
    return NULL;
}

static void expect(const char *check, enum dp_finding_status status, const char *text,
                   const char *mend)
{
    const struct dp_finding *f = find(check, status, text);
    if (strstr(f->mend, mend) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", mend, f->mend);
    assert_int_equal(f->mend[0] == '\0', status == DP_FINDING_OK);
}

static void examine(enum dp_backend backend, const char *device)
{
    struct dp_config cfg;
    dp_config_default(&cfg);
    cfg.backend = backend;
    cfg.device = device;
    dp_doctor(&cfg, root, &found);
    assert_true(found.n > 0 && found.n < DP_FINDINGS_MAX);
}

static void a_card_that_the_kernel_holds(void **state)
{
    (void)state;
    file(PCI CARD "/class", "0x020000\n");
    file(PCI CARD "/numa_node", "1\n");
    file(PCI CARD "/net/ens3/flags", "0x1003\n");
    file("/sys/class/net/ens3/flags", "0x1003\n");
    link_to(PCI CARD "/driver", "../../../bus/pci/drivers/ixgbe");
    link_to(PCI CARD "/iommu_group", "../../../kernel/iommu_groups/17");
    file("/sys/kernel/iommu_groups/17/devices/" CARD, "");
    file("/sys/kernel/iommu_groups/17/devices/0000:03:00.1", "");
    link_to(PCI CARD "/iommu_group", "../../../../kernel/iommu_groups/17");
    link_to(PCI "0000:03:00.1/driver", "../../../bus/pci/drivers/ixgbe");
    file(PCI "0000:03:00.1/class", "0x020000\n");
    file("/proc/net/route", "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU\n"
                            "ens3 00000000 0101A8C0 0003 0 0 0 00000000 0 0 0\n");
    file("/sys/devices/system/node/node0/hugepages/hugepages-2048kB/free_hugepages", "512\n");
    file("/sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages", "512\n");
    file("/sys/devices/system/node/node1/hugepages/hugepages-2048kB/free_hugepages", "0\n");
    file("/sys/devices/system/node/node1/hugepages/hugepages-2048kB/nr_hugepages", "0\n");
    examine(DP_BACKEND_DPDK, CARD);
    expect("driver", DP_FINDING_FAIL, "kernel's ixgbe", "--bind=vfio-pci " CARD);
    expect("iommu", DP_FINDING_FAIL, "shares IOMMU group 17 with 0000:03:00.1",
           "--bind=vfio-pci 0000:03:00.1");
    expect("connections", DP_FINDING_FAIL, "the default route", "another port");
    expect("hugepages", DP_FINDING_WARN, "only 0 MiB on the card's own node 1",
           "echo 64 > /sys/devices/system/node/node1/hugepages/hugepages-2048kB/nr_hugepages");
    expect("pmd", DP_FINDING_FAIL, "no driver", "apt-get install");
}

static void a_card_that_is_ready(void **state)
{
    (void)state;
    file(PCI CARD "/class", "0x020000\n");
    file(PCI CARD "/numa_node", "-1\n");
    link_to(PCI CARD "/driver", "../../../bus/pci/drivers/vfio-pci");
    file("/sys/kernel/iommu_groups/17/devices/" CARD, "");
    file("/sys/kernel/iommu_groups/17/devices/0000:02:00.0", "");
    link_to(PCI CARD "/iommu_group", "../../../../kernel/iommu_groups/17");
    link_to(PCI "0000:02:00.0/driver", "../../../bus/pci/drivers/pcieport");
    file(PCI "0000:02:00.0/class", "0x060400\n"); /* a bridge does no harm */
    file("/usr/lib/x/dpdk/pmds-23.0/librte_net_ixgbe.so.23", "");
    file("/sys/devices/system/node/node0/hugepages/hugepages-2048kB/free_hugepages", "64\n");
    file("/sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages", "64\n");
    file("/proc/meminfo", "MemTotal: 9000000 kB\nMemAvailable: 8000000 kB\n");
    examine(DP_BACKEND_DPDK, CARD);
    expect("driver", DP_FINDING_OK, "vfio-pci", "");
    expect("iommu", DP_FINDING_OK, "17, which is viable", "");
    expect("hugepages", DP_FINDING_OK, "128 MiB are free", "");
    expect("pmd", DP_FINDING_OK, "installed", "");
    expect("memory", DP_FINDING_OK, "of 7812", "");
    examine(DP_BACKEND_DPDK, "0000:04:00.0");
    expect("device", DP_FINDING_FAIL, "network cards here: " CARD, "dpdk-devbind");
}

static void a_card_without_iommu_and_pages(void **state)
{
    (void)state;
    file(PCI CARD "/class", "0x020000\n");
    link_to(PCI CARD "/driver", "../../../bus/pci/drivers/mlx5_core");
    file("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "0\n");
    file("/sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages", "0\n");
    examine(DP_BACKEND_DPDK, CARD);
    expect("driver", DP_FINDING_OK, "beside its driver mlx5_core", "");
    expect("iommu", DP_FINDING_WARN, "no IOMMU group", "noiommu");
    expect("hugepages", DP_FINDING_FAIL, "0 MiB are free",
           "echo 64 > /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages");
    expect("memory", DP_FINDING_FAIL, "of 0 available", "flows.max");
}

static void an_interface_of_the_kernel(void **state)
{
    (void)state;
    file("/sys/class/net/eth1/flags", "0x1002\n");
    file("/sys/class/net/eth0/flags", "0x1003\n");
    examine(DP_BACKEND_PCAP, "eth1");
    expect("device", DP_FINDING_FAIL, "eth1 is down", "ip link set eth1 up");
    examine(DP_BACKEND_PCAP, "eht0");
    expect("device", DP_FINDING_FAIL, "no such interface", "set capture.device to eth0");
    file("/proc/net/route", "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU\n"
                            "eth0 00000000 0101A8C0 0003 0 0 0 00000000 0 0 0\n");
    examine(DP_BACKEND_PCAP, "eth0");
    expect("connections", DP_FINDING_OK, "the kernel keeps it", "");
    for (uint32_t i = 0; i < found.n; i++)
        assert_string_not_equal(found.list[i].check, "hugepages");
    examine(DP_BACKEND_DPDK, "net_af_packet0,iface=eth1,qpairs=2");
    expect("pmd", DP_FINDING_FAIL, "net_af_packet", "apt-get install librte-net-af-packet23");
    expect("device", DP_FINDING_FAIL, "eth1 is down", "ip link");
}

static void processors_of_workers(void **state)
{
    (void)state;
    struct dp_config cfg;
    dp_config_default(&cfg);
    cfg.device = "eth0";
    cfg.workers = 2;
    cfg.n_cpus = 3;
    cfg.cpus[0] = 2;
    cfg.cpus[1] = 6;
    cfg.cpus[2] = 900;
    file("/sys/devices/system/cpu/isolated", "2-3,6\n");
    file("/sys/devices/system/cpu/cpu2/topology/thread_siblings_list", "2,6\n");
    file("/sys/devices/system/cpu/cpu6/topology/thread_siblings_list", "2,6\n");
    dp_doctor(&cfg, root, &found);
    expect("cpus", DP_FINDING_WARN, "2 and 6 are two threads of one core", "different cores");
    expect("cpus", DP_FINDING_FAIL, "processor 900 is not there", "taskset");
    expect("isolation", DP_FINDING_WARN, "1 of the 3 processors", "isolcpus=");
    cfg.n_cpus = 1;
    dp_doctor(&cfg, root, &found);
    expect("isolation", DP_FINDING_OK, "theirs alone", "");
}

static void hostile_files_change_nothing(void **state)
{
    (void)state;
    char noise[2000];
    memset(noise, 'A', sizeof(noise) - 1);
    noise[sizeof(noise) - 1] = '\0';
    file("/proc/net/route", noise);
    file("/proc/net/tcp", noise);
    file("/proc/net/tcp6", " 0: GGGG:0016 0:0 01\n 1: 0100007F:0016 00:00 01\n");
    file("/sys/class/net/eth0/flags", noise);
    file("/sys/devices/system/cpu/isolated", "-,,--5,9999999999999999999-,");
    examine(DP_BACKEND_PCAP, "eth0");
    expect("connections", DP_FINDING_OK, "neither", "");
    examine(DP_BACKEND_DPDK, "net_,iface=,iface");
    examine(DP_BACKEND_DPDK, ",");
}

#define ON_A_MACHINE(test) cmocka_unit_test_setup_teardown(test, new_machine, end_machine)

int main(void)
{
    if (atl_base_init() < 0)
        return 1;
    if (!dp_has_dpdk()) {
        puts("1..0 # SKIP this build has no DPDK");
        return 0;
    }
    const struct CMUnitTest tests[] = {
        ON_A_MACHINE(a_card_that_the_kernel_holds),   ON_A_MACHINE(a_card_that_is_ready),
        ON_A_MACHINE(a_card_without_iommu_and_pages), ON_A_MACHINE(an_interface_of_the_kernel),
        ON_A_MACHINE(processors_of_workers),          ON_A_MACHINE(hostile_files_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
