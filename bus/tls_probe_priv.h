/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUS_TLS_PROBE_PRIV_H
#define BUS_TLS_PROBE_PRIV_H

#include "bus/config_priv.h"

/**
 * Shake hands over a connected socket as the client would, to learn what Paho does not pass on:
 * what is wrong with the broker's certificate, or why it does not want ours. Waits at most two
 * seconds; sends no MQTT. Does not close fd.
 * @return false when there is nothing to say: out is untouched
 */
bool bus_tls_probe(int fd, const struct bus_config *cfg, const struct bus_url *url, char *out,
                   size_t out_bytes);

#endif
