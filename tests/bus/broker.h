/* SPDX-License-Identifier: Apache-2.0 */
/* A real mosquitto on a free loopback port, with its files in a folder of its own. */
#ifndef TEST_BUS_BROKER_H
#define TEST_BUS_BROKER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct broker {
    char dir[64], url[64];
    uint16_t port;
    pid_t pid;
};

bool broker_installed(void);
/** A folder and a port; nothing runs yet. */
bool broker_init(struct broker *b);
/** Write the configuration (`extra` after the common lines) and run until the port answers. */
bool broker_start(struct broker *b, const char *extra);
/** Run again with the configuration of last time. */
bool broker_restart(struct broker *b);
void broker_stop(struct broker *b, int signal);
void broker_finish(struct broker *b);

#endif
