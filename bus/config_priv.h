/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUS_CONFIG_PRIV_H
#define BUS_CONFIG_PRIV_H

#include "bus/bus.h"

struct bus_url {
    bool tls;
    char host[256];
    char port[8];
};

/** @return 0, -EINVAL */
int bus_url_parse(struct bus_url *ret_url, const char *text, struct atl_error *err);

/** Deep copy; bus_config_free undoes it. @return 0, -ENOMEM */
int bus_config_copy(struct bus_config *ret_cfg, const struct bus_config *cfg);
/** Half-built is fine. Wipes the password. */
void bus_config_free(struct bus_config *cfg);

#endif
