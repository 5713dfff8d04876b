/* SPDX-License-Identifier: Apache-2.0 */
/* What `atalaya broker-setup` knows of a broker, and the files it makes of that. */
#ifndef BROKER_SETUP_PRIV_H
#define BROKER_SETUP_PRIV_H

#include "app/broker_cert_priv.h"
#include "app/config_priv.h"

#include <limits.h>

#define BROKER_HOSTS_MAX   16
#define BROKER_HOST_BYTES  254
#define BROKER_MEMBERS_MAX 1100

enum broker_role { BROKER_EDGE, BROKER_HUB, BROKER_VIEWER };
const char *broker_role_name(enum broker_role role);

struct broker_member {
    enum broker_role role;
    char name[CONFIG_NAME_BYTES]; /* the certificate's CN and the broker's user name */
    char site[CONFIG_NAME_BYTES]; /* "" of a viewer */
    enum broker_cert_done done;
};

struct broker_setup {
    char dir[PATH_MAX - 128]; /* absolute */
    char federation[CONFIG_NAME_BYTES];
    char hosts[BROKER_HOSTS_MAX][BROKER_HOST_BYTES]; /* by which the broker is reached */
    uint32_t n_hosts;
    uint16_t port, page_port;
    char page_dir[CONFIG_PATH_BYTES]; /* "" = the page is served by something else */
    uint32_t days;
    struct broker_member members[BROKER_MEMBERS_MAX];
    uint32_t n_members;
    bool made_ca;
    enum broker_cert_done server;
};

/** What <dir>/setup.json holds, or the defaults. @return 0, -EBADMSG … with a line */
int broker_setup_load(struct broker_setup *s, const char *dir, struct atl_error *err);
int broker_setup_save(const struct broker_setup *s, struct atl_error *err);
/** `text` is SITE/NODE, or NAME for a viewer. One that is known already with the same role and site
 * stays. */
int broker_setup_add(struct broker_setup *s, enum broker_role role, const char *text,
                     struct atl_error *err);
int broker_setup_add_host(struct broker_setup *s, const char *host, struct atl_error *err);

/** Certificates, passwords, access list, configuration: all below s->dir. */
int broker_setup_write(struct broker_setup *s, struct atl_error *err);
/** 24 characters that open the page; read from the viewer's folder. */
#define BROKER_PASSWORD_BYTES 25
int broker_setup_password(const struct broker_setup *s, const struct broker_member *viewer,
                          char out[BROKER_PASSWORD_BYTES], struct atl_error *err);
/** A file of a member: "edge-1.crt". */
void broker_setup_path(const struct broker_setup *s, const struct broker_member *member,
                       const char *file, char out[PATH_MAX]);

/* --- the configuration of mosquitto --- */

/** Where this broker listens: for real, or for the proof. */
struct broker_ports {
    const char *address; /* "" = all */
    uint16_t port, page_port;
    uint16_t plain_port; /* without TLS, on loopback, for the proof; 0 = none */
};
int broker_setup_conf(const struct broker_setup *s, const char *path,
                      const struct broker_ports *ports, struct atl_error *err);

/* --- the proof --- */

struct broker_check {
    const char *name;
    bool passed;
    char text[200];
};
#define BROKER_CHECKS_MAX 8
struct broker_proof {
    struct broker_check checks[BROKER_CHECKS_MAX];
    uint32_t n;
    bool ran, passed;
    char why[480]; /* when it did not run or not pass: one line */
};
/** A throw-away mosquitto on free loopback ports with these very files; about three seconds. */
void broker_proof_run(const struct broker_setup *s, struct broker_proof *ret_proof);

#endif
