/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <glob.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dataplane/port_doctor_priv.h"

enum { NAMES_MAX = 128, GROUP_MAX = 64 };

/* A device that DPDK makes itself: "net_af_packet0,iface=eth1". */
static bool is_virtual(const struct dp_config *cfg)
{
    return cfg->backend == DP_BACKEND_DPDK &&
           (strncmp(cfg->device, "net_", 4) == 0 || strncmp(cfg->device, "eth_", 4) == 0 ||
            strchr(cfg->device, ',') != NULL);
}

bool dp_doctor_is_pci(const struct dp_config *cfg)
{
    unsigned domain, bus, device, function;
    return cfg->backend == DP_BACKEND_DPDK &&
           sscanf(cfg->device, "%4x:%2x:%2x.%1x", &domain, &bus, &device, &function) == 4;
}

/* iface=, rx_iface=, rx_iface_in=: the value of the first of them */
static bool iface_argument(const char *device, char out[DP_DOCTOR_NAME_BYTES])
{
    for (const char *at = strchr(device, ','); at != NULL; at = strchr(at + 1, ',')) {
        size_t n = strcspn(at + 1, "=,");
        if (n < 5 || at[1 + n] != '=' || memchr(at + 1, 'f', n) == NULL ||
            strstr(at + 1, "iface") == NULL || strstr(at + 1, "iface") > at + 1 + n)
            continue;
        const char *value = at + 2 + n;
        size_t bytes = strcspn(value, ",");
        return bytes > 0 && bytes < DP_DOCTOR_NAME_BYTES &&
               snprintf(out, DP_DOCTOR_NAME_BYTES, "%.*s", (int)bytes, value) > 0;
    }
    return false;
}

static bool first_entry(const struct dp_doctor *d, char *out, size_t bytes, const char *folder)
{
    char path[512];
    bool found = false;
    dp_doctor_path(d, path, "%s", folder);
    DIR *dir = opendir(path);
    if (dir == NULL)
        return false;
    for (const struct dirent *e; !found && (e = readdir(dir)) != NULL;)
        found = e->d_name[0] != '.' && atl_copy(out, bytes, e->d_name);
    closedir(dir);
    return found;
}

/* The kernel's interface behind the device. @return false when there is none */
static bool find_interface(const struct dp_doctor *d, char out[DP_DOCTOR_NAME_BYTES])
{
    const struct dp_config *cfg = d->cfg;
    char folder[512];
    if (cfg->file)
        return false;
    if (cfg->backend == DP_BACKEND_PCAP)
        return atl_copy(out, DP_DOCTOR_NAME_BYTES, cfg->device);
    if (is_virtual(cfg))
        return iface_argument(cfg->device, out);
    snprintf(folder, sizeof(folder), "/sys/bus/pci/devices/%.32s/net", cfg->device);
    return first_entry(d, out, DP_DOCTOR_NAME_BYTES, folder);
}

/* --- an interface of the kernel --- */

static void no_interface(struct dp_doctor *d, const char *interface)
{
    char path[512], list[160] = "", mend[200];
    char *names[NAMES_MAX];
    size_t n = 0, used = 0;
    dp_doctor_path(d, path, "/sys/class/net");
    DIR *dir = opendir(path);
    for (const struct dirent *e; dir != NULL && n < NAMES_MAX && (e = readdir(dir)) != NULL;)
        if (e->d_name[0] != '.' && (names[n] = strdup(e->d_name)) != NULL)
            n++;
    if (dir != NULL)
        closedir(dir);
    for (size_t i = 0; i < n && used < sizeof(list); i++)
        used +=
            (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", i > 0 ? ", " : "", names[i]);
    const char *near = atl_nearest(interface, (const char *const *)names, n);
    snprintf(mend, sizeof(mend), "set capture.device to %s", near != NULL ? near : "one of these");
    dp_doctor_add(d, DP_FINDING_FAIL, "device", mend, "%s: no such interface; there are: %s",
                  interface, n > 0 ? list : "none");
    while (n > 0)
        free(names[--n]);
}

static void check_interface(struct dp_doctor *d, const char *interface)
{
    char flags[32], mend[200];
    if (strcmp(interface, "any") == 0)
        return;
    if (!dp_doctor_exists(d, "/sys/class/net/%s", interface)) {
        no_interface(d, interface);
        return;
    }
    snprintf(mend, sizeof(mend), "ip link set %s up", interface);
    if (dp_doctor_line(d, flags, sizeof(flags), "/sys/class/net/%s/flags", interface) &&
        (strtoul(flags, NULL, 16) & IFF_UP) == 0)
        dp_doctor_add(d, DP_FINDING_FAIL, "device", mend, "%s is down", interface);
    else
        dp_doctor_add(d, DP_FINDING_OK, "device", "", "%s is there and up", interface);
}

/* --- a card on the PCI bus --- */

static const char *const for_dpdk[] = {"vfio-pci", "uio_pci_generic", "igb_uio"};
/* These share the card with the kernel: DPDK works beside their driver. */
static const char *const bifurcated[] = {"mlx5_core", "mlx4_core", "mana"};

static bool is_one_of(const char *word, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(word, list[i]) == 0)
            return true;
    return false;
}

static void no_card(struct dp_doctor *d)
{
    char path[512], list[160] = "";
    size_t used = 0;
    dp_doctor_path(d, path, "/sys/bus/pci/devices");
    DIR *dir = opendir(path);
    for (const struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL && used < sizeof(list);)
        /* base class 2: network controller */
        if (e->d_name[0] != '.' &&
            dp_doctor_number(d, 0, "/sys/bus/pci/devices/%s/class", e->d_name) >> 16 == 2)
            used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", used > 0 ? ", " : "",
                                     e->d_name);
    if (dir != NULL)
        closedir(dir);
    dp_doctor_add(d, DP_FINDING_FAIL, "device", "dpdk-devbind.py --status-dev net",
                  "%s: no such card; network cards here: %s", d->cfg->device,
                  used > 0 ? list : "none; use net_af_packet0,iface=<name>");
}

static void check_driver(struct dp_doctor *d, const char *card)
{
    char driver[DP_DOCTOR_NAME_BYTES], mend[200];
    snprintf(mend, sizeof(mend), "modprobe vfio-pci && dpdk-devbind.py --bind=vfio-pci %s", card);
    if (!dp_doctor_link(d, driver, sizeof(driver), "/sys/bus/pci/devices/%s/driver", card))
        dp_doctor_add(d, DP_FINDING_FAIL, "driver", mend, "%s is bound to no driver", card);
    else if (is_one_of(driver, for_dpdk, ATL_ARRAY_LEN(for_dpdk)))
        dp_doctor_add(d, DP_FINDING_OK, "driver", "", "%s is bound to %s", card, driver);
    else if (is_one_of(driver, bifurcated, ATL_ARRAY_LEN(bifurcated)))
        dp_doctor_add(d, DP_FINDING_OK, "driver", "", "%s: DPDK works beside its driver %s", card,
                      driver);
    else
        dp_doctor_add(d, DP_FINDING_FAIL, "driver", mend,
                      "%s is bound to the kernel's %s, which DPDK cannot read", card, driver);
}

/* A group is viable when no device of it but bridges has a driver of the kernel. */
static void check_group(struct dp_doctor *d, const char *card)
{
    char group[DP_DOCTOR_NAME_BYTES], driver[DP_DOCTOR_NAME_BYTES], path[512], mend[200];
    if (!dp_doctor_link(d, group, sizeof(group), "/sys/bus/pci/devices/%s/iommu_group", card)) {
        dp_doctor_add(
            d, DP_FINDING_WARN, "iommu",
            "echo 1 > /sys/module/vfio/parameters/enable_unsafe_noiommu_mode",
            "%s is in no IOMMU group: switch the IOMMU on (intel_iommu=on or amd_iommu=on "
            "and iommu=pt on the kernel's command line), or go without its protection",
            card);
        return;
    }
    dp_doctor_path(d, path, "/sys/bus/pci/devices/%s/iommu_group/devices", card);
    DIR *dir = opendir(path);
    bool viable = true;
    int seen = 0;
    for (const struct dirent *e;
         viable && dir != NULL && seen++ < GROUP_MAX && (e = readdir(dir)) != NULL;) {
        if (e->d_name[0] == '.' || strcmp(e->d_name, card) == 0 ||
            dp_doctor_number(d, 0, "/sys/bus/pci/devices/%s/class", e->d_name) >> 16 == 6)
            continue;
        if (!dp_doctor_link(d, driver, sizeof(driver), "/sys/bus/pci/devices/%s/driver",
                            e->d_name) ||
            is_one_of(driver, for_dpdk, ATL_ARRAY_LEN(for_dpdk)))
            continue;
        viable = false;
        snprintf(mend, sizeof(mend), "dpdk-devbind.py --bind=vfio-pci %.32s", e->d_name);
        dp_doctor_add(d, DP_FINDING_FAIL, "iommu", mend,
                      "%s shares IOMMU group %s with %s, which the kernel's %s holds: VFIO refuses "
                      "the whole group",
                      card, group, e->d_name, driver);
    }
    if (dir != NULL)
        closedir(dir);
    if (viable)
        dp_doctor_add(d, DP_FINDING_OK, "iommu", "", "%s is in IOMMU group %s, which is viable",
                      card, group);
}

/* --- poll mode drivers: libraries of their own --- */

static bool find_library(const struct dp_doctor *d, const char *driver)
{
    static const char *const folders[] = {
        "/usr/lib/*/dpdk/pmds-*", "/usr/local/lib/*/dpdk/pmds-*", "/usr/local/lib/dpdk/pmds-*",
        "/usr/lib64/dpdk/pmds-*", "/usr/lib/dpdk/pmds-*",
    };
    bool found = false;
    for (size_t i = 0; i < ATL_ARRAY_LEN(folders) && !found; i++) {
        char path[512];
        glob_t list;
        dp_doctor_path(d, path, "%s/librte_%s.so*", folders[i], driver);
        found = glob(path, GLOB_NOSORT, NULL, &list) == 0;
        if (found)
            globfree(&list);
    }
    return found;
}

static void check_virtual_driver(struct dp_doctor *d)
{
    char driver[DP_DOCTOR_NAME_BYTES], package[DP_DOCTOR_NAME_BYTES], mend[200];
    const char *device = d->cfg->device;
    size_t n = strcspn(device, ",");
    while (n > 0 && device[n - 1] >= '0' && device[n - 1] <= '9')
        n--;
    snprintf(driver, sizeof(driver), "%.*s", (int)(n < 40 ? n : 40), device);
    snprintf(package, sizeof(package), "%s", driver);
    for (char *c = package; *c != '\0'; c++)
        *c = *c == '_' ? '-' : *c;
    snprintf(mend, sizeof(mend), "apt-get install librte-%s23", package);
    if (find_library(d, driver))
        dp_doctor_add(d, DP_FINDING_OK, "pmd", "", "the driver of %s is installed", driver);
    else
        dp_doctor_add(d, DP_FINDING_FAIL, "pmd", mend, "the driver of %s is not installed", driver);
}

static void check_card(struct dp_doctor *d)
{
    const char *card = d->cfg->device;
    if (!dp_doctor_exists(d, "/sys/bus/pci/devices/%s", card)) {
        no_card(d);
        return;
    }
    check_driver(d, card);
    check_group(d, card);
    if (find_library(d, "net_*"))
        dp_doctor_add(d, DP_FINDING_OK, "pmd", "", "drivers of network cards are installed");
    else
        dp_doctor_add(d, DP_FINDING_FAIL, "pmd", "apt-get install dpdk",
                      "no driver of a network card is installed");
}

void dp_doctor_device(struct dp_doctor *d)
{
    char interface[DP_DOCTOR_NAME_BYTES];
    const struct dp_config *cfg = d->cfg;
    bool taken_away = cfg->backend == DP_BACKEND_DPDK && !is_virtual(cfg);
    if (cfg->backend == DP_BACKEND_DPDK && !dp_has_dpdk()) {
        dp_doctor_add(d, DP_FINDING_FAIL, "backend", "set capture.backend to libpcap",
                      "this build has no DPDK");
        return;
    }
    if (cfg->backend == DP_BACKEND_DPDK && is_virtual(cfg))
        check_virtual_driver(d);
    else if (cfg->backend == DP_BACKEND_DPDK)
        check_card(d);
    if (!find_interface(d, interface))
        return;
    if (!taken_away)
        check_interface(d, interface);
    if (!dp_doctor_exists(d, "/sys/class/net/%s", interface))
        return;
    dp_doctor_connections(d, interface, taken_away);
    if (!taken_away)
        dp_doctor_offloads(d, interface);
}
