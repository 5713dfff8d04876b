/* SPDX-License-Identifier: Apache-2.0 */
/* What edge and hub have in common: the control loop's clockwork and a node's presence on the bus.
 */
#ifndef NODE_PRIV_H
#define NODE_PRIV_H

#include "app/config_priv.h"
#include "bus/bus.h"

#include <jansson.h>

#define NODE_FDS_MAX     8
#define NODE_TOPIC_BYTES 160

enum node_wish { NODE_RUN, NODE_STOP, NODE_RELOAD };

/** Called when a descriptor is readable. */
typedef void (*node_ready_fn)(void *ctx);

struct node {
    const struct config *cfg;
    const char *config_path;
    char prefix[NODE_TOPIC_BYTES]; /* atalaya/v1/<site>/<node> */
    char boot[17], started[ATL_TIME_TEXT_BYTES];
    json_t *info;           /* the birth document; the owner adds its own keys before start */
    struct bus_client *bus; /* NULL without a broker */
    bool connected;
    const char *state; /* the last that was published; again after each connection */
    void (*on_connect)(void *ctx);
    void *connect_ctx;
    int epoll_fd, timer_fd, lock_fd;
    struct {
        node_ready_fn ready;
        void *ctx;
    } fds[NODE_FDS_MAX];
    uint32_t n_fds;
    enum node_wish wish;
};

/** Within node_verb's run; one node at a time. Makes state_dir and keeps it to this process. */
int node_init(struct node *node, const struct config *cfg, const char *config_path,
              struct atl_error *err);
void node_finish(struct node *node);

/** Connect to cfg->broker, if any; on_connect (may be NULL) is told of every connection. */
int node_bus_open(struct node *node, void (*on_connect)(void *ctx), void *ctx,
                  struct atl_error *err);
int node_watch(struct node *node, int fd, node_ready_fn ready, void *ctx, struct atl_error *err);

/** Wait for at most one tick (200 ms) and handle what came. @return what the operator wishes */
enum node_wish node_turn(struct node *node);

/** Publish below the node's prefix; takes the reference. Counted and dropped when the queue is
 * full. */
void node_publish(struct node *node, const char *tail, json_t *document, int qos, bool retain);
/** The retained state: "online", "degraded", "stopping". */
void node_publish_state(struct node *node, const char *state);
/** Now, RFC 3339, as a JSON string. */
json_t *node_now(void);
/** A JSON number, or null for what is none (an epsilon without bound). */
json_t *node_number(double value);

/**
 * Validate the file behind cfg again, as `reload` and SIGHUP ask. Finish the report in any case.
 * @return 1 (good and different), 0 (nothing changed), -EINVAL (problems; the old one stays)
 */
int node_reload_check(const struct node *node, struct config_report *report);

/** One life of a daemon, until it is to stop or to begin again with a new configuration. */
typedef enum node_wish (*node_run_fn)(const struct config *cfg, const char *path, int *ret_code);

/** Run a daemon verb: --config, --help; takes SIGINT, SIGTERM and SIGHUP over, loads the file and
 * calls `run` until it no longer wants a reload. */
int node_verb(const char *verb, const char *help, enum config_role role, int argc, char **argv,
              node_run_fn run);

#endif
