/* SPDX-License-Identifier: Apache-2.0 */
#include "app/control_socket_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct client {
    int fd; /* −1: free */
    atl_ns moved_ns;
    size_t have;
    char request[CONTROL_REQUEST_BYTES];
    char *answer; /* NULL: none waits to be sent */
    size_t answer_bytes, sent;
};

struct control {
    int epoll_fd, listen_fd;
    control_answer_fn answer;
    void *ctx;
    char path[CONTROL_PATH_BYTES];
    struct client clients[CONTROL_CLIENTS_MAX];
};

int control_path(const char *state_dir, char out[CONTROL_PATH_BYTES], struct atl_error *err)
{
    int n = snprintf(out, CONTROL_PATH_BYTES, "%s/control.sock", state_dir);
    if (n >= CONTROL_PATH_BYTES)
        return atl_error_set(err, -ENAMETOOLONG,
                             "state_dir: too long for a socket's path of %d characters: %s",
                             CONTROL_PATH_BYTES - 1, state_dir);
    return 0;
}

json_t *control_refusal(const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return json_pack("{s:b, s:s}", "ok", 0, "error", text);
}

/* --- clients --- */

static void let_go(struct client *c)
{
    if (c->fd >= 0)
        close(c->fd); /* and so out of the epoll set */
    free(c->answer);
    *c = (struct client){.fd = -1};
}

static int watch(const struct control *s, int operation, const struct client *c, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.u32 = (uint32_t)(c - s->clients)};
    return epoll_ctl(s->epoll_fd, operation, c->fd, &event);
}

static void admit(struct control *s, atl_ns now_ns)
{
    int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        struct client *c = &s->clients[i];
        if (c->fd >= 0)
            continue;
        *c = (struct client){.fd = fd, .moved_ns = now_ns};
        if (watch(s, EPOLL_CTL_ADD, c, EPOLLIN) < 0)
            let_go(c);
        return;
    }
    close(fd);
}

static void send_on(struct control *s, struct client *c, atl_ns now_ns)
{
    while (c->sent < c->answer_bytes) {
        ssize_t n = send(c->fd, c->answer + c->sent, c->answer_bytes - c->sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN) {
            watch(s, EPOLL_CTL_MOD, c, EPOLLOUT);
            return;
        }
        if (n < 0) {
            let_go(c);
            return;
        }
        c->sent += (size_t)n;
        c->moved_ns = now_ns;
    }
    free(c->answer);
    c->answer = NULL;
    watch(s, EPOLL_CTL_MOD, c, EPOLLIN);
}

static json_t *answer_line(const struct control *s, const char *line, size_t bytes)
{
    json_error_t why;
    json_t *request = json_loadb(line, bytes, JSON_REJECT_DUPLICATES, &why);
    const char *verb = json_string_value(json_object_get(request, "verb"));
    json_t *answer;
    if (request == NULL)
        answer = control_refusal("the request is no JSON: %s", why.text);
    else if (verb == NULL)
        answer = control_refusal("the request names no verb; expected {\"verb\": \"status\"}");
    else if ((answer = s->answer(s->ctx, verb, request)) == NULL)
        answer = control_refusal("unknown verb '%.64s'", verb);
    json_decref(request);
    return answer;
}

static void reply(struct control *s, struct client *c, json_t *answer, atl_ns now_ns)
{
    char *text = json_dumps(answer, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(answer);
    size_t bytes = text != NULL ? strlen(text) : 0;
    if (text == NULL || bytes >= CONTROL_ANSWER_BYTES) {
        free(text);
        let_go(c);
        return;
    }
    text[bytes] = '\n'; /* in the place of the terminator: it is sent by its length */
    c->answer = text;
    c->answer_bytes = bytes + 1;
    c->sent = 0;
    send_on(s, c, now_ns);
}

/* One request at a time; the next lies in the socket or here until the answer has left. */
static void answer_next(struct control *s, struct client *c, atl_ns now_ns)
{
    while (c->fd >= 0 && c->answer == NULL) {
        char *end = memchr(c->request, '\n', c->have);
        if (end == NULL && c->have < sizeof(c->request))
            return;
        if (end == NULL) {
            reply(s, c, control_refusal("a request has at most %d bytes", CONTROL_REQUEST_BYTES),
                  now_ns);
            let_go(c);
            return;
        }
        size_t line = (size_t)(end - c->request);
        json_t *answer = answer_line(s, c->request, line);
        c->have -= line + 1;
        memmove(c->request, end + 1, c->have);
        reply(s, c, answer, now_ns);
    }
}

static void receive(struct control *s, struct client *c, atl_ns now_ns)
{
    ssize_t n = recv(c->fd, c->request + c->have, sizeof(c->request) - c->have, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        let_go(c);
        return;
    }
    c->have += (size_t)n;
    c->moved_ns = now_ns;
    answer_next(s, c, now_ns);
}

/* --- server --- */

static bool is_served(const char *path)
{
    int fd;
    if (control_connect(&fd, path, NULL) < 0)
        return false;
    close(fd);
    return true;
}

static int listen_at(struct control *s, struct atl_error *err)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    if (is_served(s->path))
        return atl_error_set(err, -EADDRINUSE,
                             "%s: another edge runs with this state_dir; end it, or give each its "
                             "own",
                             s->path);
    unlink(s->path);
    atl_copy(at.sun_path, sizeof(at.sun_path), s->path);
    s->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    /* What nobody listens to yet, nobody can connect to: the mode is set in time. */
    if (s->listen_fd < 0 || bind(s->listen_fd, (struct sockaddr *)&at, sizeof(at)) < 0 ||
        chmod(s->path, 0600) < 0 || listen(s->listen_fd, CONTROL_CLIENTS_MAX) < 0)
        return atl_error_set(err, -EIO, "%s: cannot open the control socket: %s", s->path,
                             strerror(errno));
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = CONTROL_CLIENTS_MAX};
    if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->listen_fd, &event) < 0)
        return atl_error_set(err, -EIO, "%s: cannot watch the control socket: %s", s->path,
                             strerror(errno));
    return 0;
}

int control_open(struct control **ret_control, const char *state_dir, control_answer_fn answer,
                 void *ctx, struct atl_error *err)
{
    struct control *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return atl_error_set(err, -ENOMEM, "out of memory");
    s->answer = answer;
    s->ctx = ctx;
    s->listen_fd = -1;
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
        s->clients[i].fd = -1;
    s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    int r = s->epoll_fd < 0 ? atl_error_set(err, -EIO, "cannot set up the control socket") : 0;
    if (r == 0)
        r = control_path(state_dir, s->path, err);
    if (r == 0)
        r = listen_at(s, err);
    if (r < 0) {
        control_close(s);
        return r;
    }
    *ret_control = s;
    return 0;
}

void control_close(struct control *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
        let_go(&s->clients[i]);
    if (s->listen_fd >= 0) {
        unlink(s->path);
        close(s->listen_fd);
    }
    if (s->epoll_fd >= 0)
        close(s->epoll_fd);
    free(s);
}

int control_fd(const struct control *s)
{
    return s->epoll_fd;
}

void control_step(struct control *s, atl_ns mono_ns)
{
    struct epoll_event events[CONTROL_CLIENTS_MAX + 1];
    int n = epoll_wait(s->epoll_fd, events, CONTROL_CLIENTS_MAX + 1, 0);
    for (int i = 0; i < n; i++) {
        uint32_t which = events[i].data.u32;
        if (which == CONTROL_CLIENTS_MAX) {
            admit(s, mono_ns);
            continue;
        }
        struct client *c = &s->clients[which];
        if (c->fd < 0)
            continue;
        if (c->answer != NULL) {
            send_on(s, c, mono_ns);
            answer_next(s, c, mono_ns);
        } else {
            receive(s, c, mono_ns);
        }
    }
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        struct client *c = &s->clients[i];
        if (c->fd >= 0 && mono_ns > c->moved_ns && mono_ns - c->moved_ns > CONTROL_SILENCE_NS)
            let_go(c);
    }
}
