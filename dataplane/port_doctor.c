/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/port_doctor_priv.h"

#include <errno.h>
#include <glob.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timex.h>
#include <unistd.h>

enum {
    /* Packet buffers of an engine with many queues, and what EAL takes itself. */
    HUGE_NEED_MB = 128,
    CAP_NET_RAW_BIT = 13,
    CAP_NET_ADMIN_BIT = 12,
};

/* --- what the parts share --- */

static const char *const status_names[] = {"ok", "warn", "fail"};

const char *dp_finding_status_name(enum dp_finding_status status)
{
    return (unsigned)status < ATL_ARRAY_LEN(status_names) ? status_names[status] : "unknown";
}

void dp_doctor_add(struct dp_doctor *d, enum dp_finding_status status, const char *check,
                   const char *mend, const char *fmt, ...)
{
    if (d->out->n == DP_FINDINGS_MAX)
        return;
    struct dp_finding *f = &d->out->list[d->out->n++];
    f->status = status;
    atl_copy(f->check, sizeof(f->check), check);
    atl_copy(f->mend, sizeof(f->mend), mend);
    va_list args;
    va_start(args, fmt);
    vsnprintf(f->text, sizeof(f->text), fmt, args);
    va_end(args);
}

static void join(const struct dp_doctor *d, char out[512], const char *fmt, va_list args)
{
    int n = snprintf(out, 512, "%s", d->root);
    if (n >= 0 && n < 512)
        vsnprintf(out + n, 512 - (size_t)n, fmt, args);
}

#define JOIN(path, d, fmt)      \
    char path[512];             \
    va_list args;               \
    va_start(args, fmt);        \
    join((d), path, fmt, args); \
    va_end(args)

void dp_doctor_path(const struct dp_doctor *d, char out[512], const char *fmt, ...)
{
    JOIN(path, d, fmt);
    memcpy(out, path, sizeof(path));
}

static bool read_line(const char *path, char *out, size_t bytes)
{
    out[0] = '\0';
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return false;
    bool read = fgets(out, (int)bytes, f) != NULL;
    fclose(f);
    out[strcspn(out, "\n")] = '\0';
    return read;
}

bool dp_doctor_line(const struct dp_doctor *d, char *out, size_t bytes, const char *fmt, ...)
{
    JOIN(path, d, fmt);
    return read_line(path, out, bytes);
}

bool dp_doctor_exists(const struct dp_doctor *d, const char *fmt, ...)
{
    JOIN(path, d, fmt);
    return access(path, F_OK) == 0;
}

bool dp_doctor_link(const struct dp_doctor *d, char *out, size_t bytes, const char *fmt, ...)
{
    char target[512];
    JOIN(path, d, fmt);
    ssize_t n = readlink(path, target, sizeof(target) - 1);
    if (n <= 0)
        return false;
    target[n] = '\0';
    const char *last = strrchr(target, '/');
    return atl_copy(out, bytes, last != NULL ? last + 1 : target);
}

uint64_t dp_doctor_number(const struct dp_doctor *d, uint64_t otherwise, const char *fmt, ...)
{
    char line[64], *end;
    JOIN(path, d, fmt);
    if (!read_line(path, line, sizeof(line)))
        return otherwise;
    uint64_t n = strtoull(line, &end, 0);
    return end != line ? n : otherwise;
}

/* --- huge pages --- */

struct huge {
    uint64_t free_mb, near_mb; /* of all nodes; of the device's */
    uint64_t page_kb;          /* the smallest size there is; 0: none */
    unsigned node;             /* where pages are wanted */
};

/* found: …/node/node0/hugepages/hugepages-2048kB, or …/mm/hugepages/hugepages-2048kB */
static void count_pages(struct dp_doctor *d, struct huge *h, const char *found)
{
    unsigned node = 0;
    unsigned long long kb = 0;
    const char *at = strstr(found, "/node/node");
    if (at != NULL)
        sscanf(at, "/node/node%u", &node);
    at = strstr(found, "hugepages-");
    if (at == NULL || sscanf(at, "hugepages-%llukB", &kb) != 1)
        return;
    const char *path = found + strlen(d->root);
    uint64_t pages = dp_doctor_number(d, 0, "%s/free_hugepages", path);
    uint64_t total = dp_doctor_number(d, 0, "%s/nr_hugepages", path);
    h->free_mb += pages * kb / 1024;
    h->near_mb += node == h->node ? pages * kb / 1024 : 0;
    if (h->page_kb == 0 || kb < h->page_kb)
        h->page_kb = kb;
    if (total != 0)
        dp_doctor_add(d, DP_FINDING_OK, "hugepages", "",
                      "node %u: %llu of %llu pages of %llu KiB are free", node,
                      (unsigned long long)pages, (unsigned long long)total, kb);
}

static bool count_below(struct dp_doctor *d, struct huge *h, const char *pattern)
{
    char path[512];
    glob_t found;
    dp_doctor_path(d, path, "%s", pattern);
    if (glob(path, 0, NULL, &found) != 0)
        return false;
    for (size_t i = 0; i < found.gl_pathc; i++)
        count_pages(d, h, found.gl_pathv[i]);
    globfree(&found);
    return true;
}

static void check_huge_pages(struct dp_doctor *d)
{
    struct huge h = {0};
    char mend[200], where[128];
    bool card = d->cfg != NULL && dp_doctor_is_pci(d->cfg);
    if (card) {
        uint64_t node = dp_doctor_number(d, 0, "/sys/bus/pci/devices/%s/numa_node", d->cfg->device);
        h.node = node < 1024 ? (unsigned)node : 0; /* −1: the machine has one */
    }
    bool nodes = count_below(d, &h, "/sys/devices/system/node/node*/hugepages/hugepages-*kB");
    if (!nodes)
        count_below(d, &h, "/sys/kernel/mm/hugepages/hugepages-*kB");
    if (h.page_kb == 0) {
        dp_doctor_add(d, card ? DP_FINDING_FAIL : DP_FINDING_WARN, "hugepages",
                      "set capture.backend to libpcap", "the kernel has no huge pages");
        return;
    }
    if (nodes)
        snprintf(where, sizeof(where), "/sys/devices/system/node/node%u/hugepages", h.node);
    else
        snprintf(where, sizeof(where), "/sys/kernel/mm/hugepages");
    unsigned long long pages = (HUGE_NEED_MB * 1024 + h.page_kb - 1) / h.page_kb;
    snprintf(mend, sizeof(mend), "echo %llu > %s/hugepages-%llukB/nr_hugepages", pages, where,
             (unsigned long long)h.page_kb);
    if (h.near_mb >= HUGE_NEED_MB)
        dp_doctor_add(d, DP_FINDING_OK, "hugepages", "", "%llu MiB are free, %d MiB are needed",
                      (unsigned long long)h.near_mb, HUGE_NEED_MB);
    else if (h.free_mb >= HUGE_NEED_MB)
        dp_doctor_add(d, DP_FINDING_WARN, "hugepages", mend,
                      "%llu MiB are free, but only %llu MiB on the card's own node %u",
                      (unsigned long long)h.free_mb, (unsigned long long)h.near_mb, h.node);
    else
        dp_doctor_add(d, card ? DP_FINDING_FAIL : DP_FINDING_WARN, "hugepages", mend,
                      "%llu MiB are free, %d MiB are needed%s", (unsigned long long)h.free_mb,
                      HUGE_NEED_MB, card ? "" : "; a virtual device works without, slower");
}

/* --- processors --- */

/* "1-3,8": whether it names the processor */
static bool list_names(const char *list, unsigned cpu)
{
    while (*list != '\0') {
        char *end;
        unsigned long first = strtoul(list, &end, 10), last = first;
        if (end == list)
            return false;
        if (*end == '-')
            last = strtoul(end + 1, &end, 10);
        if (cpu >= first && cpu <= last)
            return true;
        list = *end == ',' ? end + 1 : end;
    }
    return false;
}

static void check_pinned(struct dp_doctor *d, const cpu_set_t *allowed)
{
    const struct dp_config *cfg = d->cfg;
    char isolated[256], siblings[256], mend[200];
    uint32_t alone = 0;
    dp_doctor_line(d, isolated, sizeof(isolated), "/sys/devices/system/cpu/isolated");
    for (uint32_t i = 0; i < cfg->n_cpus; i++) {
        unsigned cpu = cfg->cpus[i];
        alone += list_names(isolated, cpu);
        if (!CPU_ISSET(cpu, allowed) && !list_names(isolated, cpu))
            dp_doctor_add(d, DP_FINDING_FAIL, "cpus", "nproc --all; taskset -pc $$",
                          "capture.cpus: processor %u is not there or not for us", cpu);
        dp_doctor_line(d, siblings, sizeof(siblings),
                       "/sys/devices/system/cpu/cpu%u/topology/thread_siblings_list", cpu);
        for (uint32_t k = 0; k < i; k++)
            if (cfg->cpus[k] == cpu)
                dp_doctor_add(d, DP_FINDING_WARN, "cpus", "name each processor once",
                              "capture.cpus: two workers share processor %u", cpu);
            else if (list_names(siblings, cfg->cpus[k]))
                dp_doctor_add(d, DP_FINDING_WARN, "cpus", "name processors of different cores",
                              "capture.cpus: %u and %u are two threads of one core", cfg->cpus[k],
                              cpu);
    }
    snprintf(mend, sizeof(mend),
             "add isolcpus=%u,… nohz_full=%u,… to GRUB_CMDLINE_LINUX in /etc/default/grub, "
             "update-grub, reboot",
             cfg->cpus[0], cfg->cpus[0]);
    if (alone < cfg->n_cpus)
        dp_doctor_add(d, DP_FINDING_WARN, "isolation", mend,
                      "%u of the %u processors of workers also run other programs",
                      cfg->n_cpus - alone, cfg->n_cpus);
    else
        dp_doctor_add(d, DP_FINDING_OK, "isolation", "",
                      "the workers' processors are theirs alone");
}

static void check_processors(struct dp_doctor *d)
{
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    if (sched_getaffinity(0, sizeof(allowed), &allowed) < 0)
        return;
    unsigned have = (unsigned)CPU_COUNT(&allowed);
    uint32_t workers = d->cfg != NULL ? d->cfg->workers : 1;
    char mend[64];
    snprintf(mend, sizeof(mend), "set capture.workers to %u", have > 1 ? have - 1 : 1);
    if (d->cfg != NULL && workers >= have && workers > 1)
        dp_doctor_add(d, DP_FINDING_WARN, "cpus", mend,
                      "%u workers and the analysis share %u processors", workers, have);
    else
        dp_doctor_add(d, DP_FINDING_OK, "cpus", "",
                      "%u processors for %u worker%s and the analysis", have, workers,
                      workers == 1 ? "" : "s");
    if (d->cfg != NULL && d->cfg->n_cpus > 0)
        check_pinned(d, &allowed);
}

/* --- memory, rights, clock --- */

static uint64_t status_field(const struct dp_doctor *d, const char *file, const char *name,
                             int base)
{
    char path[512], line[256];
    uint64_t value = 0;
    size_t n = strlen(name);
    dp_doctor_path(d, path, "%s", file);
    FILE *f = fopen(path, "re");
    for (int i = 0; f != NULL && i < 200 && fgets(line, sizeof(line), f) != NULL; i++)
        if (strncmp(line, name, n) == 0 && line[n] == ':')
            value = strtoull(line + n + 1, NULL, base);
    if (f != NULL)
        fclose(f);
    return value;
}

static void check_memory(struct dp_doctor *d)
{
    uint64_t need_mb = dp_config_memory_bytes(d->cfg) >> 20;
    uint64_t have_mb = status_field(d, "/proc/meminfo", "MemAvailable", 10) >> 10;
    bool fits = need_mb <= have_mb;
    dp_doctor_add(d, fits ? DP_FINDING_OK : DP_FINDING_FAIL, "memory",
                  fits ? "" : "set flows.max lower",
                  "flows and rings take %llu MiB of %llu available", (unsigned long long)need_mb,
                  (unsigned long long)have_mb);
}

static void check_rights(struct dp_doctor *d)
{
    const struct dp_config *cfg = d->cfg;
    char group[DP_DOCTOR_NAME_BYTES];
    uint64_t effective = status_field(d, "/proc/self/status", "CapEff", 16);
    bool raw = (effective >> CAP_NET_RAW_BIT & 1) != 0;
    bool admin = (effective >> CAP_NET_ADMIN_BIT & 1) != 0;
    if (cfg != NULL && cfg->file)
        return;
    if (cfg != NULL && dp_doctor_is_pci(cfg)) {
        bool linked = dp_doctor_link(d, group, sizeof(group), "/sys/bus/pci/devices/%s/iommu_group",
                                     cfg->device);
        char path[512];
        dp_doctor_path(d, path, "/dev/vfio/%s", linked ? group : "vfio");
        bool open = geteuid() == 0 || access(path, R_OK | W_OK) == 0;
        char mend[300];
        snprintf(mend, sizeof(mend), "chown $USER %.200s", path);
        dp_doctor_add(d, open ? DP_FINDING_OK : DP_FINDING_FAIL, "rights", open ? "" : mend,
                      "%s for this user", open ? "the card is open" : "VFIO is closed");
        return;
    }
    dp_doctor_add(d, raw ? DP_FINDING_OK : DP_FINDING_FAIL, "rights",
                  raw ? "" : "setcap cap_net_raw,cap_net_admin+ep $(command -v atalaya)",
                  raw ? "this user may capture%s" : "this user may not capture%s",
                  raw && !admin ? ", but not switch an interface to promiscuous" : "");
}

static void check_clock(struct dp_doctor *d)
{
    static const char *const slow[] = {"hpet", "acpi_pm", "jiffies"};
    struct timex t = {.modes = 0};
    char source[64];
    bool wrong = adjtimex(&t) < 0 || (t.status & STA_UNSYNC) != 0;
    dp_doctor_add(d, wrong ? DP_FINDING_WARN : DP_FINDING_OK, "clock",
                  wrong ? "timedatectl set-ntp true" : "",
                  wrong ? "the clock is not synchronised: records of several edges will not match"
                        : "the clock is synchronised");
    if (!dp_doctor_line(d, source, sizeof(source),
                        "/sys/devices/system/clocksource/clocksource0/current_clocksource"))
        return;
    for (size_t i = 0; i < ATL_ARRAY_LEN(slow); i++)
        if (strcmp(source, slow[i]) == 0)
            dp_doctor_add(d, DP_FINDING_WARN, "clock",
                          "echo tsc > "
                          "/sys/devices/system/clocksource/clocksource0/current_clocksource",
                          "the clock source %s takes a microsecond to read", source);
}

void dp_doctor(const struct dp_config *cfg, const char *root, struct dp_findings *ret_findings)
{
    struct dp_doctor d = {.cfg = cfg, .root = root, .out = ret_findings};
    ret_findings->n = 0;
    if (cfg != NULL && !cfg->file)
        dp_doctor_device(&d);
    if (dp_has_dpdk() && (cfg == NULL || cfg->backend == DP_BACKEND_DPDK))
        check_huge_pages(&d);
    check_processors(&d);
    if (cfg != NULL)
        check_memory(&d);
    check_rights(&d);
    check_clock(&d);
}
