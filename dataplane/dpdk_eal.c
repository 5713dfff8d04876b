/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/dpdk_eal_priv.h"

#include <dlfcn.h>
#include <errno.h>
#include <getopt.h>
#include <glob.h>
#include <linux/if_packet.h>
#include <pthread.h>
#include <rte_bus.h>
#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_log.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    ARGS_MAX = DP_EAL_ARGS_MAX + 16,
    /* Enough for the pool of one port; below this huge pages are not worth the trouble. */
    HUGE_BYTES_MIN = 64 * 1024 * 1024,
    /* Descriptors above are not looked at. */
    FDS_MAX = 1024,
};

/* A process has one EAL, so this is the one piece of state that cannot belong to an engine. */
static struct {
    pthread_mutex_t lock;
    bool tried, pci;
    int result;
    FILE *log;
    dp_log_fn tell; /* of the engine that started EAL */
    void *tell_ctx;
    char line[256];  /* the last that was printed */
    char cause[256]; /* the first since the last attach began: what went wrong */
} eal = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* --- what DPDK prints --- */

static ssize_t keep_last_line(void *cookie, const char *text, size_t bytes)
{
    (void)cookie;
    size_t end = bytes;
    while (end > 0 && (text[end - 1] == '\n' || text[end - 1] == ' '))
        end--;
    size_t begin = end;
    while (begin > 0 && text[begin - 1] != '\n')
        begin--;
    size_t n = end - begin < sizeof(eal.line) - 1 ? end - begin : sizeof(eal.line) - 1;
    if (n > 0) {
        memcpy(eal.line, text + begin, n);
        eal.line[n] = '\0';
        if (eal.tell != NULL)
            eal.tell(eal.tell_ctx, eal.line);
        if (eal.cause[0] == '\0')
            memcpy(eal.cause, eal.line, n + 1);
    }
    return (ssize_t)bytes;
}

const char *dp_eal_last_line(void)
{
    if (eal.log != NULL)
        fflush(eal.log);
    return eal.line;
}

static int open_log(void)
{
    cookie_io_functions_t io = {.write = keep_last_line};
    eal.log = fopencookie(NULL, "w", io);
    if (eal.log == NULL)
        return -ENOMEM;
    setvbuf(eal.log, NULL, _IOLBF, BUFSIZ);
    return rte_openlog_stream(eal.log);
}

static int keep_print(int level, const char *format, va_list args)
{
    char text[256];
    (void)level;
    int n = vsnprintf(text, sizeof(text), format, args);
    if (n > 0)
        keep_last_line(NULL, text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
    return n;
}

/* The AF_XDP driver brings libraries that print on standard error by themselves. */
static void quiet_library(const char *library, const char *setter)
{
    typedef int (*print_fn)(int level, const char *format, va_list args);
    typedef print_fn (*set_print_fn)(print_fn print);
    void *handle = dlopen(library, RTLD_NOW | RTLD_NOLOAD);
    if (handle == NULL)
        return;
    set_print_fn set_print;
    void *symbol = dlsym(handle, setter);
    memcpy(&set_print, &symbol, sizeof(set_print));
    if (symbol != NULL)
        set_print(keep_print);
    dlclose(handle);
}

/* --- arguments --- */

struct args {
    int count;
    char *list[ARGS_MAX + 1];
};

static void add(struct args *a, const char *text)
{
    if (a->count < ARGS_MAX)
        a->list[a->count++] = strdup(text);
}

static bool given(const struct dp_config *cfg, const char *const *names)
{
    for (size_t i = 0; i < DP_EAL_ARGS_MAX && cfg->eal_args[i] != NULL; i++)
        for (size_t n = 0; names[n] != NULL; n++) {
            size_t length = strlen(names[n]);
            bool longer = strncmp(names[n], "--", 2) != 0; /* -m512 is -m */
            char after = '\0';
            if (strncmp(cfg->eal_args[i], names[n], length) == 0)
                after = cfg->eal_args[i][length];
            else
                continue;
            if (longer || after == '\0' || after == '=')
                return true;
        }
    return false;
}

static uint64_t read_number(const char *path)
{
    unsigned long long n = 0;
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return 0;
    if (fscanf(f, "%llu", &n) != 1)
        n = 0;
    fclose(f);
    return n;
}

static bool have_huge_pages(void)
{
    uint64_t bytes = 0;
    glob_t found;
    if (glob("/sys/kernel/mm/hugepages/hugepages-*kB", 0, NULL, &found) != 0)
        return false;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        char path[256];
        unsigned long long page_kb = 0;
        snprintf(path, sizeof(path), "%s/free_hugepages", found.gl_pathv[i]);
        if (sscanf(found.gl_pathv[i], "/sys/kernel/mm/hugepages/hugepages-%llukB", &page_kb) == 1)
            bytes += read_number(path) * page_kb * 1024;
    }
    globfree(&found);
    return bytes >= HUGE_BYTES_MIN;
}

/* --no-huge and --in-memory exclude each other. */
static void add_memory(struct args *a, const struct dp_config *cfg)
{
    static const char *const names[] = {
        "--in-memory",  "--no-huge", "--huge-dir",    "--socket-mem",
        "--legacy-mem", "-m",        "--huge-unlink", NULL};
    if (given(cfg, names))
        return;
    if (have_huge_pages()) {
        add(a, "--in-memory");
        return;
    }
    add(a, "--no-huge");
    add(a, "-m");
    add(a, "256");
    add(a, "--no-shconf");
}

static void add_core(struct args *a, const cpu_set_t *allowed)
{
    char text[32];
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, allowed)) {
            snprintf(text, sizeof(text), "--lcores=0@%d", cpu);
            add(a, text);
            return;
        }
}

/* "net_pcap0,rx_pcap=x" is made by us; "0000:03:00.0" and other names are found on a bus. */
static bool is_virtual(const char *device)
{
    return strncmp(device, "net_", 4) == 0 || strncmp(device, "eth_", 4) == 0 ||
           strchr(device, ',') != NULL;
}

static void build_args(struct args *a, const struct dp_config *cfg, const cpu_set_t *allowed)
{
    static const char *const cores[] = {"-l", "-c", "--lcores", NULL};
    static const char *const buses[] = {"-a", "-b", "--allow", "--block", "--no-pci", NULL};
    static const char *const levels[] = {"--log-level", NULL};
    static const char *const prefixes[] = {"--file-prefix", NULL};
    static const char *const telemetry[] = {"--telemetry", "--no-telemetry", NULL};
    char text[64];

    add(a, "atalaya");
    add_memory(a, cfg);
    if (!given(cfg, cores))
        add_core(a, allowed);
    if (!given(cfg, buses) && is_virtual(cfg->device))
        add(a, "--no-pci");
    if (!given(cfg, telemetry))
        add(a, "--no-telemetry");
    if (!given(cfg, levels))
        add(a, cfg->log != NULL ? "--log-level=info" : "--log-level=error");
    if (!given(cfg, prefixes)) {
        snprintf(text, sizeof(text), "--file-prefix=atalaya%ld", (long)getpid());
        add(a, text);
    }
    for (size_t i = 0; i < DP_EAL_ARGS_MAX && cfg->eal_args[i] != NULL; i++)
        add(a, cfg->eal_args[i]);
}

/* --- start, once --- */

/*
 * A wrong argument makes EAL print its usage on standard output and an alert on standard error,
 * past its log; both are the caller's. This runs before any other thread has a reason to print.
 */
static int init_quietly(struct args *a)
{
    FILE *out = stdout, *alerts = stderr;
    int complain = opterr;
    char *list[ARGS_MAX + 1];
    memcpy(list, a->list, sizeof(list)); /* getopt reorders it */
    stdout = eal.log;
    stderr = eal.log;
    opterr = 0;
    int r = rte_eal_init(a->count, list);
    fflush(eal.log);
    stdout = out;
    stderr = alerts;
    opterr = complain;
    return r < 0 ? -rte_errno : 0;
}

static int start(const struct dp_config *cfg, struct atl_error *err)
{
    struct args a = {0};
    cpu_set_t allowed;
    eal.tell = cfg->log;
    eal.tell_ctx = cfg->log_ctx;
    if (open_log() < 0)
        return atl_error_set(err, -ENOMEM, "DPDK: no memory for its log");
    CPU_ZERO(&allowed);
    pthread_getaffinity_np(pthread_self(), sizeof(allowed), &allowed);
    build_args(&a, cfg, &allowed);
    eal.pci = true;
    for (int i = 0; i < a.count; i++)
        if (strcmp(a.list[i], "--no-pci") == 0)
            eal.pci = false;

    int r = init_quietly(&a);
    /* EAL pins the thread that starts it; that thread has other work. */
    pthread_setaffinity_np(pthread_self(), sizeof(allowed), &allowed);
    for (int i = 0; i < a.count; i++)
        free(a.list[i]);
    /* EAL makes a folder for each prefix and leaves it; empty, as without shared files, it can go
     */
    if (r == 0)
        rmdir(rte_eal_get_runtime_dir());
    quiet_library("libbpf.so.1", "libbpf_set_print");
    quiet_library("libxdp.so.1", "libxdp_set_print");
    if (r < 0)
        return atl_error_set(err, r == -EACCES ? -EPERM : -EIO,
                             "DPDK does not start: %s (%s); see eal_args, or use the libpcap "
                             "backend",
                             dp_eal_last_line(), strerror(-r));
    return 0;
}

/* --- ports --- */

static const char *vdev_name(const char *device, char out[64])
{
    size_t n = strcspn(device, ",");
    snprintf(out, 64, "%.*s", (int)(n < 63 ? n : 63), device);
    return out;
}

/* net_af_packet's own ring of 512 frames is lost within a millisecond, and it counts no loss. */
static void vdev_args(const struct dp_config *cfg, char *out, size_t bytes)
{
    const char *args = strchr(cfg->device, ',');
    bool packet = strncmp(cfg->device, "net_af_packet", 13) == 0;
    bool short_ring = packet && strstr(cfg->device, "framecnt=") == NULL;
    char queues[32] = "";
    if (packet && cfg->workers > 1 && strstr(cfg->device, "qpairs=") == NULL)
        snprintf(queues, sizeof(queues), ",qpairs=%u", cfg->workers < 16 ? cfg->workers : 16);
    snprintf(out, bytes, "%s%s%s", args != NULL ? args + 1 : "", short_ring ? ",framecnt=8192" : "",
             queues);
}

/* --- the sockets behind net_af_packet --- */

static bool is_packet_socket(int fd)
{
    int domain = 0;
    socklen_t bytes = sizeof(domain);
    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &bytes) == 0 && domain == AF_PACKET;
}

static void mark_sockets(bool marks[FDS_MAX])
{
    for (int fd = 0; fd < FDS_MAX; fd++)
        marks[fd] = is_packet_socket(fd);
}

static void find_sockets(struct dp_eal_sockets *s, const bool before[FDS_MAX])
{
    for (int fd = 0; fd < FDS_MAX && s->count < DP_EAL_SOCKETS_MAX; fd++)
        if (!before[fd] && is_packet_socket(fd))
            s->fds[s->count++] = fd;
}

/* Reading resets the kernel's figure, so each reader adds what it found. */
uint64_t dp_eal_sockets_lost(struct dp_eal_sockets *s)
{
    for (uint32_t i = 0; i < s->count; i++) {
        struct tpacket_stats stats = {0};
        socklen_t bytes = sizeof(stats);
        if (getsockopt(s->fds[i], SOL_PACKET, PACKET_STATISTICS, &stats, &bytes) == 0)
            atomic_fetch_add(&s->lost, stats.tp_drops);
    }
    return atomic_load(&s->lost);
}

static int no_such_port(const struct dp_config *cfg, struct atl_error *err)
{
    char list[200] = "", name[RTE_ETH_NAME_MAX_LEN];
    size_t used = 0;
    uint16_t port;
    RTE_ETH_FOREACH_DEV(port)
    if (rte_eth_dev_get_name_by_port(port, name) == 0 && used < sizeof(list))
        used +=
            (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", used > 0 ? ", " : "", name);
    return atl_error_set(err, -ENOENT,
                         "%s: DPDK has no such port; it has: %s; bind the card with "
                         "dpdk-devbind.py, or use net_af_packet0,iface=<name>",
                         cfg->device, used > 0 ? list : "none");
}

static int attach_virtual(uint16_t *ret_port, const struct dp_config *cfg, struct atl_error *err)
{
    char name[64];
    vdev_name(cfg->device, name);
    if (rte_eth_dev_get_port_by_name(name, ret_port) == 0)
        return atl_error_set(err, -EINVAL,
                             "%s: this process already captures from %s; number "
                             "devices apart (net_pcap0, net_pcap1)",
                             cfg->device, name);
    char args[DP_EAL_DEVICE_BYTES + 64];
    eal.cause[0] = '\0';
    vdev_args(cfg, args, sizeof(args));
    int r = rte_eal_hotplug_add("vdev", name, args);
    if (r == 0)
        r = rte_eth_dev_get_port_by_name(name, ret_port);
    if (r < 0) {
        /* What comes back is often a bare -1, which is no errno. */
        dp_eal_last_line();
        return atl_error_set(err, geteuid() != 0 ? -EPERM : -EIO,
                             "%s: DPDK cannot create this device: %s%s", cfg->device, eal.cause,
                             geteuid() != 0 ? " (not run as root)" : "");
    }
    return 0;
}

int dp_eal_attach(uint16_t *ret_port, struct dp_eal_sockets *ret_sockets,
                  const struct dp_config *cfg, struct atl_error *err)
{
    bool sockets[FDS_MAX];
    pthread_mutex_lock(&eal.lock);
    int r = 0;
    if (!eal.tried) {
        eal.tried = true;
        eal.result = start(cfg, err);
        r = eal.result;
    } else if (eal.result < 0) {
        r = atl_error_set(err, eal.result, "DPDK failed to start earlier in this process: %s",
                          eal.line);
    }
    mark_sockets(sockets);
    if (r == 0 && is_virtual(cfg->device))
        r = attach_virtual(ret_port, cfg, err);
    else if (r == 0 && rte_eth_dev_get_port_by_name(cfg->device, ret_port) != 0)
        r = no_such_port(cfg, err);
    if (r == 0 && strncmp(cfg->device, "net_af_packet", 13) == 0)
        find_sockets(ret_sockets, sockets);
    pthread_mutex_unlock(&eal.lock);
    return r;
}

void dp_eal_detach(uint16_t port, const char *device)
{
    char name[64];
    pthread_mutex_lock(&eal.lock);
    rte_eth_dev_close(port);
    if (is_virtual(device))
        rte_eal_hotplug_remove("vdev", vdev_name(device, name));
    pthread_mutex_unlock(&eal.lock);
}

int dp_eal_capture_path(const char *device, char out[DP_EAL_DEVICE_BYTES], struct atl_error *err)
{
    char text[DP_EAL_DEVICE_BYTES];
    bool found = false;
    if (!atl_copy(text, sizeof(text), device))
        return atl_error_set(err, -EINVAL, "device: longer than %d characters",
                             DP_EAL_DEVICE_BYTES);
    char *rest = NULL;
    strtok_r(text, ",", &rest); /* the device's name */
    for (char *arg = strtok_r(NULL, ",", &rest); arg != NULL; arg = strtok_r(NULL, ",", &rest)) {
        if (strchr(arg, '=') == NULL)
            return atl_error_set(err, -EINVAL,
                                 "%s: \"%s\" is no argument; a DPDK device cannot name a file with "
                                 "a comma: rename or link the file",
                                 device, arg);
        if (strncmp(arg, "rx_pcap=", 8) == 0)
            found = atl_copy(out, DP_EAL_DEVICE_BYTES, arg + 8);
    }
    if (!found)
        return atl_error_set(err, -EINVAL, "%s: no capture file; expected net_pcap0,rx_pcap=<file>",
                             device);
    return 0;
}
