/* SPDX-License-Identifier: Apache-2.0 */
#include "app/outlink_priv.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MESSAGE_MAX    65535
#define LENGTH_BYTES   4
#define CONNECT_NS     (5 * ATL_NS_PER_S)
#define BACKOFF_MIN_NS (1 * ATL_NS_PER_S)
#define BACKOFF_MAX_NS (60 * ATL_NS_PER_S)
#define WRITES_MAX     64 /* messages that one step may write */
/* A receiver's default buffer holds about ninety datagrams: a tool that has them all at once
 * leaves it time after every few. */
#define UDP_BURST    32
#define UDP_PAUSE_NS ATL_NS_PER_MS

enum phase { DOWN, CONNECTING, UP };

struct outlink {
    struct outlink_config cfg;
    bool udp;
    struct addrinfo *addresses, *next; /* next: to be tried */
    int fd;
    enum phase phase;
    atl_ns retry_ns, backoff_ns, deadline_ns;
    int last_error; /* errno of the last failed attempt */
    uint32_t burst;

    uint8_t *queue; /* ring of length-prefixed messages */
    uint32_t head, used;

    uint8_t current[MESSAGE_MAX]; /* on its way out */
    uint32_t current_bytes, current_sent;
    uint8_t greeting[OUTLINK_GREETING_BYTES];
    uint32_t greeting_bytes, greeting_sent;
    struct outlink_counters counters;
};

/* --- URLs --- */

static const char *const schemes[] = {"udp://", "tcp://"};

bool outlink_is_url(const char *text)
{
    return strstr(text, "://") != NULL;
}

bool outlink_is_udp(const char *url)
{
    return strncmp(url, schemes[0], strlen(schemes[0])) == 0;
}

static int split_url(const char *url, char host[256], char port[8], struct atl_error *err)
{
    size_t skip = strlen(schemes[0]);
    const char *colon = strrchr(url, ':');
    bool known = outlink_is_udp(url) || strncmp(url, schemes[1], skip) == 0;
    unsigned number = 0;
    char end;
    if (known && colon > url + skip && sscanf(colon + 1, "%5u%c", &number, &end) == 1 &&
        number >= 1 && number <= 65535) {
        const char *from = url + skip, *to = colon;
        if (*from == '[' && to[-1] == ']') {
            from++;
            to--;
        }
        if (to > from && to - from < 256) {
            memcpy(host, from, (size_t)(to - from));
            host[to - from] = '\0';
            snprintf(port, 8, "%u", number);
            return 0;
        }
    }
    return atl_error_set(err, -EINVAL,
                         "expected udp://host:port or tcp://host:port, found '%.200s'", url);
}

int outlink_check(const char *url, struct atl_error *err)
{
    char host[256], port[8];
    return split_url(url, host, port, err);
}

/* --- the queue --- */

static void ring_copy_in(struct outlink *l, const void *bytes, uint32_t n)
{
    uint32_t at = (l->head + l->used) % l->cfg.queue_bytes, room = l->cfg.queue_bytes - at;
    uint32_t first = n < room ? n : room;
    memcpy(l->queue + at, bytes, first);
    memcpy(l->queue, (const uint8_t *)bytes + first, n - first);
    l->used += n;
}

static void ring_copy_out(struct outlink *l, void *bytes, uint32_t n)
{
    uint32_t room = l->cfg.queue_bytes - l->head, first = n < room ? n : room;
    memcpy(bytes, l->queue + l->head, first);
    memcpy((uint8_t *)bytes + first, l->queue, n - first);
    l->head = (l->head + n) % l->cfg.queue_bytes;
    l->used -= n;
}

static bool has_room(const struct outlink *l, size_t bytes)
{
    return l->cfg.queue_bytes - l->used >= bytes + LENGTH_BYTES;
}

static void push(struct outlink *l, const uint8_t *message, size_t bytes)
{
    uint32_t n = (uint32_t)bytes;
    ring_copy_in(l, &n, LENGTH_BYTES);
    ring_copy_in(l, message, n);
}

static bool next_message(struct outlink *l)
{
    if (l->current_bytes > 0)
        return true;
    if (l->used == 0)
        return false;
    ring_copy_out(l, &l->current_bytes, LENGTH_BYTES);
    ring_copy_out(l, l->current, l->current_bytes);
    l->current_sent = 0;
    return true;
}

/* --- connection --- */

static void drop_connection(struct outlink *l, int error)
{
    bool was_up = l->phase == UP;
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
    l->phase = DOWN;
    l->last_error = error;
    l->current_sent = 0; /* the peer of the next connection gets it whole */
    l->greeting_bytes = l->greeting_sent = 0;
    if (was_up || l->next == NULL) { /* or every address was tried */
        l->next = l->addresses;
        l->retry_ns = atl_clock_mono_ns() + l->backoff_ns;
        l->backoff_ns = l->backoff_ns * 2 < BACKOFF_MAX_NS ? l->backoff_ns * 2 : BACKOFF_MAX_NS;
    }
}

static void greet(struct outlink *l)
{
    l->phase = UP;
    l->backoff_ns = BACKOFF_MIN_NS;
    l->next = l->addresses;
    l->counters.connections++;
    const uint8_t *next = next_message(l) ? l->current : NULL;
    l->greeting_sent = 0;
    if (l->cfg.greet != NULL)
        l->greeting_bytes = (uint32_t)l->cfg.greet(l->cfg.ctx, next, l->greeting);
}

static void begin_connection(struct outlink *l)
{
    const struct addrinfo *a = l->next;
    l->next = a->ai_next;
    l->fd = socket(a->ai_family, a->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, a->ai_protocol);
    if (l->fd < 0) {
        drop_connection(l, errno);
        return;
    }
    if (connect(l->fd, a->ai_addr, a->ai_addrlen) == 0) {
        greet(l);
    } else if (errno == EINPROGRESS) {
        l->phase = CONNECTING;
        l->deadline_ns = atl_clock_mono_ns() + CONNECT_NS;
    } else {
        drop_connection(l, errno);
    }
}

static void look_at_connection(struct outlink *l)
{
    struct pollfd p = {l->fd, POLLOUT, 0};
    int error = 0;
    socklen_t bytes = sizeof(error);
    if (poll(&p, 1, 0) == 0) {
        if (atl_clock_mono_ns() > l->deadline_ns)
            drop_connection(l, ETIMEDOUT);
        return;
    }
    if (getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &error, &bytes) < 0)
        error = errno;
    if (error != 0)
        drop_connection(l, error);
    else
        greet(l);
}

/* --- writing --- */

/* @return true when all of it is out */
static bool write_part(struct outlink *l, const uint8_t *bytes, uint32_t n, uint32_t *sent)
{
    while (*sent < n) {
        ssize_t did = send(l->fd, bytes + *sent, n - *sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (did < 0 && errno == EINTR)
            continue;
        if (did < 0) {
            if (errno != EAGAIN && errno != EWOULDBLOCK)
                drop_connection(l, errno);
            return false;
        }
        *sent += (uint32_t)did;
    }
    return true;
}

/* A collector says nothing; what can be read is its farewell. */
static bool peer_left(struct outlink *l)
{
    char byte[64];
    ssize_t n = recv(l->fd, byte, sizeof(byte), MSG_DONTWAIT);
    return n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

static void write_messages(struct outlink *l)
{
    if (peer_left(l)) {
        drop_connection(l, ECONNRESET);
        return;
    }
    if (!write_part(l, l->greeting, l->greeting_bytes, &l->greeting_sent))
        return;
    for (int i = 0; i < WRITES_MAX && next_message(l); i++) {
        if (!write_part(l, l->current, l->current_bytes, &l->current_sent))
            return;
        l->current_bytes = 0;
        l->counters.sent++;
    }
}

void outlink_step(struct outlink *l)
{
    if (l->udp)
        return;
    if (l->phase == DOWN && atl_clock_mono_ns() >= l->retry_ns)
        begin_connection(l);
    if (l->phase == CONNECTING)
        look_at_connection(l);
    if (l->phase == UP)
        write_messages(l);
}

/* --- patience --- */

static bool is_empty(const struct outlink *l)
{
    return l->used == 0 && l->current_bytes == 0 && l->greeting_sent == l->greeting_bytes;
}

/* Step until there is room for so many bytes; 0: until nothing waits. */
static int wait_for_room(struct outlink *l, size_t bytes, struct atl_error *err)
{
    atl_ns until = atl_clock_mono_ns() + OUTLINK_PATIENCE_NS;
    outlink_step(l);
    while (bytes > 0 ? !has_room(l, bytes) : !is_empty(l)) {
        if (l->phase == DOWN || atl_clock_mono_ns() > until)
            return atl_error_set(err, -EIO, "cannot send to %s: %s", l->cfg.url,
                                 strerror(l->phase == DOWN ? l->last_error : ETIMEDOUT));
        struct pollfd p = {l->fd, POLLOUT, 0};
        poll(&p, 1, 100);
        outlink_step(l);
    }
    return 0;
}

static int connect_first(struct outlink *l, struct atl_error *err)
{
    while (l->phase != UP) {
        outlink_step(l);
        if (l->phase == DOWN && l->retry_ns != 0)
            return atl_error_set(err, -EIO, "cannot connect to %s: %s", l->cfg.url,
                                 strerror(l->last_error));
        struct pollfd p = {l->fd, POLLOUT, 0};
        if (l->phase == CONNECTING)
            poll(&p, 1, 100);
    }
    return 0;
}

/* --- sending --- */

static void send_datagram(struct outlink *l, const uint8_t *message, size_t bytes)
{
    ssize_t n = send(l->fd, message, bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
    /* the refusal belongs to an earlier datagram: this one was not sent */
    if (n < 0 && errno == ECONNREFUSED)
        n = send(l->fd, message, bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0)
        l->counters.dropped++;
    else
        l->counters.sent++;
    if (l->cfg.patient && ++l->burst % UDP_BURST == 0)
        nanosleep(&(struct timespec){0, UDP_PAUSE_NS}, NULL);
}

int outlink_send(struct outlink *l, const uint8_t *message, size_t bytes, struct atl_error *err)
{
    if (bytes == 0 || bytes > MESSAGE_MAX)
        return atl_error_set(err, -EMSGSIZE, "a message of %zu bytes", bytes);
    if (l->udp) {
        send_datagram(l, message, bytes);
        return 0;
    }
    if (l->cfg.patient) {
        int r = wait_for_room(l, bytes, err);
        if (r < 0)
            return r;
    }
    if (has_room(l, bytes))
        push(l, message, bytes);
    else
        l->counters.dropped++;
    return 0;
}

/* --- life --- */

static int resolve(struct outlink *l, struct atl_error *err)
{
    char host[256], port[8];
    int r = split_url(l->cfg.url, host, port, err);
    if (r < 0)
        return r;
    const struct addrinfo hints = {.ai_socktype = l->udp ? SOCK_DGRAM : SOCK_STREAM};
    r = getaddrinfo(host, port, &hints, &l->addresses);
    if (r != 0)
        return atl_error_set(err, -EIO, "cannot resolve %s: %s", l->cfg.url, gai_strerror(r));
    l->next = l->addresses;
    return 0;
}

static int open_udp(struct outlink *l, struct atl_error *err)
{
    for (const struct addrinfo *a = l->addresses; a != NULL && l->fd < 0; a = a->ai_next) {
        l->fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
        if (l->fd >= 0 && connect(l->fd, a->ai_addr, a->ai_addrlen) == 0)
            return 0;
        l->last_error = errno;
        if (l->fd >= 0)
            close(l->fd);
        l->fd = -1;
    }
    return atl_error_set(err, -EIO, "cannot send to %s: %s", l->cfg.url, strerror(l->last_error));
}

static void destroy(struct outlink *l)
{
    if (l == NULL)
        return;
    if (l->fd >= 0)
        close(l->fd);
    if (l->addresses != NULL)
        freeaddrinfo(l->addresses);
    free(l->queue);
    free(l);
}

int outlink_create(struct outlink **ret_link, const struct outlink_config *cfg,
                   struct atl_error *err)
{
    struct outlink *l = calloc(1, sizeof(*l));
    if (l == NULL)
        return atl_error_set(err, -ENOMEM, "out of memory");
    l->cfg = *cfg;
    l->fd = -1;
    l->udp = outlink_is_udp(cfg->url);
    l->backoff_ns = BACKOFF_MIN_NS;
    if (!l->udp && (l->queue = malloc(cfg->queue_bytes)) == NULL) {
        destroy(l);
        return atl_error_set(err, -ENOMEM, "out of memory");
    }
    int r = resolve(l, err);
    if (r == 0 && l->udp)
        r = open_udp(l, err);
    else if (r == 0 && cfg->patient)
        r = connect_first(l, err);
    if (r < 0)
        destroy(l);
    else
        *ret_link = l;
    return r;
}

int outlink_close(struct outlink *l, struct atl_error *err)
{
    int r = 0;
    if (l == NULL)
        return 0;
    outlink_step(l);
    if (l->cfg.patient && !l->udp)
        r = wait_for_room(l, 0, err);
    destroy(l);
    return r;
}

void outlink_counters(const struct outlink *l, struct outlink_counters *ret_counters)
{
    *ret_counters = l->counters;
}
