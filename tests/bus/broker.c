/* SPDX-License-Identifier: Apache-2.0 */
#include "broker.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const binaries[] = {"/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto",
                                       "/usr/bin/mosquitto"};

static const char *binary(void)
{
    for (size_t i = 0; i < sizeof(binaries) / sizeof(binaries[0]); i++) {
        if (access(binaries[i], X_OK) == 0)
            return binaries[i];
    }
    return NULL;
}

bool broker_installed(void)
{
    return binary() != NULL;
}

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static uint16_t free_port(void)
{
    struct sockaddr_in a = loopback(0);
    socklen_t bytes = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool bound = bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 &&
                 getsockname(fd, (struct sockaddr *)&a, &bytes) == 0;
    close(fd);
    return bound ? ntohs(a.sin_port) : 0;
}

static bool answers(uint16_t port)
{
    struct sockaddr_in a = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool yes = connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0;
    close(fd);
    return yes;
}

bool broker_init(struct broker *b)
{
    *b = (struct broker){.dir = "/tmp/atalaya-broker-XXXXXX", .port = free_port()};
    snprintf(b->url, sizeof(b->url), "mqtt://127.0.0.1:%u", b->port);
    return b->port != 0 && mkdtemp(b->dir) != NULL;
}

bool broker_start(struct broker *b, const char *extra)
{
    char path[96];
    snprintf(path, sizeof(path), "%s/conf", b->dir);
    FILE *f = fopen(path, "w");
    if (f == NULL)
        return false;
    fprintf(f,
            "listener %u 127.0.0.1\nuser root\nmax_queued_messages 0\nset_tcp_nodelay true\n%s\n",
            b->port, extra);
    fclose(f);
    return broker_restart(b);
}

static void exec_broker(const struct broker *b)
{
    char path[96];
    snprintf(path, sizeof(path), "%s/log", b->dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    snprintf(path, sizeof(path), "%s/conf", b->dir);
    execl(binary(), "mosquitto", "-c", path, (char *)NULL);
    _exit(127);
}

bool broker_restart(struct broker *b)
{
    b->pid = fork();
    if (b->pid == 0)
        exec_broker(b);
    for (int i = 0; i < 300; i++) {
        if (answers(b->port))
            return true;
        usleep(10000);
    }
    return false;
}

void broker_stop(struct broker *b, int signal)
{
    if (b->pid <= 0)
        return;
    kill(b->pid, signal);
    waitpid(b->pid, NULL, 0);
    b->pid = 0;
}

void broker_finish(struct broker *b)
{
    broker_stop(b, SIGKILL);
    char command[96];
    snprintf(command, sizeof(command), "rm -r %s", b->dir);
    if (system(command) != 0)
        fprintf(stderr, "could not remove %s\n", b->dir);
}
