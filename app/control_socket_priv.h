/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket: a Unix socket of mode 0600 in the state folder. A request is one line of
 * JSON, {"verb": "stats", …}, and so is its answer, {"ok": true, …} or {"ok": false, "error": …}.
 *
 * Requests, answers, clients and waiting all have a bound; one slow client keeps no other waiting.
 */
#ifndef CONTROL_SOCKET_PRIV_H
#define CONTROL_SOCKET_PRIV_H

#include "base/base.h"

#include <jansson.h>

#define CONTROL_REQUEST_BYTES 4096
#define CONTROL_ANSWER_BYTES  (1 << 20)
#define CONTROL_CLIENTS_MAX   16
#define CONTROL_SILENCE_NS    (10 * ATL_NS_PER_S)
#define CONTROL_PATH_BYTES    108 /* of sockaddr_un */

/** `<state_dir>/control.sock`. @return 0, -ENAMETOOLONG */
int control_path(const char *state_dir, char out[CONTROL_PATH_BYTES], struct atl_error *err);

/** A new answer object, or NULL for a verb that is not known. Called on the server's thread. */
typedef json_t *(*control_answer_fn)(void *ctx, const char *verb, const json_t *request);

/** {"ok": false, "error": text} */
json_t *control_refusal(const char *fmt, ...) ATL_PRINTF(1, 2);

/* --- server --- */

struct control;

/**
 * Takes the place of a socket that nobody serves any more.
 * @return 0, -EADDRINUSE (another edge serves it), -ENAMETOOLONG, -EIO, -ENOMEM
 */
int control_open(struct control **ret_control, const char *state_dir, control_answer_fn answer,
                 void *ctx, struct atl_error *err);
void control_close(struct control *control); /* NULL is fine */
/** Readable when there is something to do. */
int control_fd(const struct control *control);
/** Do what can be done without waiting, and let go of silent clients. */
void control_step(struct control *control, atl_ns mono_ns);

/* --- client --- */

/** @return 0, -ENOENT or -ECONNREFUSED (no edge runs there), -EPERM, -EIO */
int control_connect(int *ret_fd, const char *path, struct atl_error *err);
/** One request, one answer, within 10 s. @return 0, -EIO, -EBADMSG; *ret_answer is the caller's */
int control_call(int fd, const json_t *request, json_t **ret_answer, struct atl_error *err);

#endif
