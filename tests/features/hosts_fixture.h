/* SPDX-License-Identifier: Apache-2.0 */
/* A table of hosts, made anew for each test. */
#ifndef HOSTS_FIXTURE_H
#define HOSTS_FIXTURE_H

#include "flow_maker.h"

static struct feat_hosts *hosts;

static inline int make_hosts(void **state)
{
    (void)state;
    struct feat_host_config cfg;
    feat_host_config_default(&cfg);
    cfg.seed = 1;
    cfg.hosts_max = 1024;
    return feat_hosts_create(&hosts, &cfg);
}

static inline int drop_hosts(void **state)
{
    (void)state;
    feat_hosts_destroy(hosts);
    return 0;
}

#endif
