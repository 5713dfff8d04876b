/* SPDX-License-Identifier: Apache-2.0 */
#include "app/control_socket_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

int control_connect(int *ret_fd, const char *path, struct atl_error *err)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_sec = (time_t)(CONTROL_SILENCE_NS / ATL_NS_PER_S)};
    if (!atl_copy(at.sun_path, sizeof(at.sun_path), path))
        return atl_error_set(err, -ENAMETOOLONG, "%s: too long for a socket's path", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return atl_error_set(err, -EIO, "%s: %s", path, strerror(errno));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    if (connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0) {
        *ret_fd = fd;
        return 0;
    }
    int code = errno;
    close(fd);
    if (code == ENOENT || code == ECONNREFUSED)
        return atl_error_set(err, -code,
                             "%s: no edge runs there; start it with atalaya edge -c FILE", path);
    if (code == EACCES)
        return atl_error_set(err, -EPERM, "%s: no permission; run as the user of the edge, or root",
                             path);
    return atl_error_set(err, -EIO, "%s: cannot connect: %s", path, strerror(code));
}

static int send_all(int fd, const char *text, size_t bytes)
{
    while (bytes > 0) {
        ssize_t n = send(fd, text, bytes, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -EIO;
        text += n;
        bytes -= (size_t)n;
    }
    return 0;
}

/* @return bytes before the line feed, or -EIO */
static ssize_t receive_line(int fd, char *out, size_t max)
{
    size_t have = 0;
    while (have < max) {
        ssize_t n = recv(fd, out + have, max - have, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -EIO;
        char *end = memchr(out + have, '\n', (size_t)n);
        if (end != NULL)
            return end - out;
        have += (size_t)n;
    }
    return -EIO;
}

int control_call(int fd, const json_t *request, json_t **ret_answer, struct atl_error *err)
{
    char *text = json_dumps(request, JSON_COMPACT), *line = malloc(CONTROL_ANSWER_BYTES);
    int r = text == NULL || line == NULL ? -EIO : send_all(fd, text, strlen(text));
    if (r == 0)
        r = send_all(fd, "\n", 1);
    free(text);
    ssize_t n = r == 0 ? receive_line(fd, line, CONTROL_ANSWER_BYTES) : r;
    json_t *answer = n >= 0 ? json_loadb(line, (size_t)n, 0, NULL) : NULL;
    free(line);
    if (n < 0)
        return atl_error_set(err, -EIO, "the edge gives no answer; is it still running?");
    if (answer == NULL)
        return atl_error_set(err, -EBADMSG, "the edge's answer is no JSON");
    *ret_answer = answer;
    return 0;
}
