/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/client_priv.h"
#include "bus/reason_priv.h"
#include "bus/tls_probe_priv.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* MQTT 5 §2.4 */
static const struct {
    int code;
    const char *text;
} reasons[] = {
    {129, "malformed packet"},
    {130, "protocol error"},
    {131, "the broker does not accept this"},
    {132, "the broker does not speak MQTT 5"},
    {133, "client id not valid here"},
    {134, "bad user name or password; check both against the broker's password file"},
    {135, "not authorised; check user name, password and the broker's access list"},
    {136, "server unavailable"},
    {137, "server busy"},
    {138, "this client is banned"},
    {139, "server shutting down"},
    {140, "bad authentication method"},
    {141, "keep-alive timeout"},
    {142, "session taken over; another client uses the same client id"},
    {143, "topic filter not valid here"},
    {144, "topic name not valid here"},
    {147, "receive maximum exceeded"},
    {149, "packet too large for this broker"},
    {150, "message rate too high"},
    {151, "quota exceeded"},
    {152, "administrative action"},
    {154, "retained messages are not supported"},
    {155, "this QoS is not supported"},
    {156, "use another server"},
    {157, "server moved"},
    {159, "connection rate exceeded"},
    {160, "maximum connect time reached"},
    {161, "subscription identifiers are not supported"},
    {162, "wildcard subscriptions are not supported"},
};

const char *bus_reason_text(int code)
{
    for (size_t i = 0; i < ATL_ARRAY_LEN(reasons); i++) {
        if (reasons[i].code == code)
            return reasons[i].text;
    }
    return "no reason given";
}

/* @return a connected socket, or -errno */
static int try_address(const struct addrinfo *a)
{
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int code = connect(fd, a->ai_addr, a->ai_addrlen) == 0 ? 0 : errno;
    if (code == EINPROGRESS) {
        struct pollfd p = {.fd = fd, .events = POLLOUT};
        socklen_t bytes = sizeof(code);
        if (poll(&p, 1, 1000) != 1)
            code = ETIMEDOUT;
        else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &bytes) < 0)
            code = errno;
    }
    if (code == 0)
        return fd;
    close(fd);
    return -code;
}

/** @return a connected socket, or -errno */
static int reach(const struct addrinfo *list)
{
    int fd = -ETIMEDOUT, tries = 0;
    for (const struct addrinfo *a = list; a != NULL && fd < 0 && tries < 2; a = a->ai_next, tries++)
        fd = try_address(a);
    return fd;
}

static void say_behind_open_port(int fd, const struct bus_config *cfg, const struct bus_url *url,
                                 const char *tls_text, char *out, size_t out_bytes)
{
    char why[BUS_LINE_BYTES];
    if (!url->tls)
        atl_copy(out, out_bytes,
                 "the port answers, but not in MQTT: TLS there (try mqtts://), or another service");
    else if (bus_tls_probe(fd, cfg, url, why, sizeof(why)))
        snprintf(out, out_bytes, "TLS: %s", why);
    else if (tls_text[0] != '\0')
        snprintf(out, out_bytes, "TLS: %s", tls_text);
    else
        atl_copy(out, out_bytes,
                 "the port answers, but not in TLS: MQTT there (try mqtt://), or another service");
}

void bus_reason_probe(const struct bus_config *cfg, const struct bus_url *url, const char *tls_text,
                      char *out, size_t out_bytes)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
    int r = getaddrinfo(url->host, url->port, &hints, &list);
    if (r != 0) {
        snprintf(out, out_bytes, "cannot resolve host %s: %s", url->host, gai_strerror(r));
        return;
    }
    int fd = reach(list);
    freeaddrinfo(list);
    if (fd == -ECONNREFUSED)
        snprintf(out, out_bytes, "connection refused: nothing listens there; is the broker up?");
    else if (fd < 0)
        snprintf(out, out_bytes, "%s", strerror(-fd));
    else
        say_behind_open_port(fd, cfg, url, tls_text, out, out_bytes);
    if (fd >= 0)
        close(fd);
}
