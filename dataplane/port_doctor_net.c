/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "dataplane/port_doctor_priv.h"

enum {
    LINES_MAX = 100000, /* of a table below /proc/net */
    SSH_PORT = 22,
    ESTABLISHED = 1,
};

/* --- default route --- */

static bool has_default_route(const struct dp_doctor *d, const char *interface)
{
    char path[512], line[512], name[DP_DOCTOR_NAME_BYTES];
    unsigned destination, mask;
    bool found = false;
    dp_doctor_path(d, path, "/proc/net/route");
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return false;
    for (int n = 0; n < LINES_MAX && !found && fgets(line, sizeof(line), f) != NULL; n++)
        found = sscanf(line, "%63s %x %*x %*x %*d %*d %*d %x", name, &destination, &mask) == 3 &&
                destination == 0 && mask == 0 && strcmp(name, interface) == 0;
    fclose(f);
    return found;
}

/* --- SSH --- */

/* "0100007F" or 32 digits: 32-bit words in the machine's order, each as hexadecimal number. */
static bool parse_address(const char *hex, struct dp_addr *out)
{
    size_t words = strlen(hex) / 8;
    uint32_t word[4];
    if (words != 1 && words != 4)
        return false;
    for (size_t i = 0; i < words; i++)
        if (sscanf(hex + 8 * i, "%8x", &word[i]) != 1)
            return false;
    *out = (struct dp_addr){.bytes = {[10] = 0xff, [11] = 0xff}};
    memcpy(out->bytes + (words == 1 ? 12 : 0), word, words * sizeof(word[0]));
    return true;
}

static bool interface_has(const char *interface, const struct dp_addr *address)
{
    struct ifaddrs *all = NULL;
    bool found = false;
    if (getifaddrs(&all) < 0)
        return false;
    for (const struct ifaddrs *i = all; i != NULL && !found; i = i->ifa_next) {
        struct dp_addr own = {.bytes = {[10] = 0xff, [11] = 0xff}};
        if (i->ifa_addr == NULL || strcmp(i->ifa_name, interface) != 0)
            continue;
        if (i->ifa_addr->sa_family == AF_INET)
            memcpy(own.bytes + 12, &((struct sockaddr_in *)(void *)i->ifa_addr)->sin_addr, 4);
        else if (i->ifa_addr->sa_family == AF_INET6)
            memcpy(own.bytes, &((struct sockaddr_in6 *)(void *)i->ifa_addr)->sin6_addr, 16);
        else
            continue;
        found = memcmp(&own, address, sizeof(own)) == 0;
    }
    freeifaddrs(all);
    return found;
}

static bool carries_ssh(const struct dp_doctor *d, const char *table, const char *interface)
{
    char path[512], line[512], local[40];
    unsigned port, state;
    struct dp_addr address;
    bool found = false;
    dp_doctor_path(d, path, "/proc/net/%s", table);
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return false;
    for (int n = 0; n < LINES_MAX && !found && fgets(line, sizeof(line), f) != NULL; n++)
        found = sscanf(line, " %*d: %39[0-9A-Fa-f]:%x %*s %x", local, &port, &state) == 3 &&
                port == SSH_PORT && state == ESTABLISHED && parse_address(local, &address) &&
                interface_has(interface, &address);
    fclose(f);
    return found;
}

void dp_doctor_connections(struct dp_doctor *d, const char *interface, bool taken_away)
{
    bool route = has_default_route(d, interface);
    bool ssh = carries_ssh(d, "tcp", interface) || carries_ssh(d, "tcp6", interface);
    const char *what = route && ssh ? "the default route and an SSH connection"
                       : ssh        ? "an SSH connection"
                                    : "the default route";
    if (!route && !ssh)
        dp_doctor_add(d, DP_FINDING_OK, "connections", "",
                      "%s carries neither the default route nor an SSH connection", interface);
    else if (taken_away)
        dp_doctor_add(d, DP_FINDING_FAIL, "connections",
                      "set capture.device to another port, or use net_af_packet0,iface=<name>",
                      "%s carries %s: DPDK would take it from the kernel and cut them off",
                      interface, what);
    else
        dp_doctor_add(d, DP_FINDING_OK, "connections", "",
                      "%s carries %s; the kernel keeps it, so nothing is cut off", interface, what);
}

/* --- offloads --- */

static uint32_t ask(int fd, const char *interface, uint32_t command)
{
    struct ifreq request = {0};
    struct ethtool_value value = {.cmd = command};
    atl_copy(request.ifr_name, sizeof(request.ifr_name), interface);
    request.ifr_data = (void *)&value;
    return ioctl(fd, SIOCETHTOOL, &request) == 0 ? value.data : 0;
}

void dp_doctor_offloads(struct dp_doctor *d, const char *interface)
{
    char mend[200];
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    bool gro = ask(fd, interface, ETHTOOL_GGRO) != 0;
    bool lro = (ask(fd, interface, ETHTOOL_GFLAGS) & ETH_FLAG_LRO) != 0;
    close(fd);
    snprintf(mend, sizeof(mend), "ethtool -K %s gro off lro off", interface);
    if (gro || lro)
        dp_doctor_add(d, DP_FINDING_WARN, "offloads", mend,
                      "%s joins packets before they are seen (%s%s%s): counts and sizes are of the "
                      "joined ones",
                      interface, gro ? "GRO" : "", gro && lro ? ", " : "", lro ? "LRO" : "");
    else
        dp_doctor_add(d, DP_FINDING_OK, "offloads", "", "%s hands packets on as they came",
                      interface);
}
