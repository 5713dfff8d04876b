/* SPDX-License-Identifier: Apache-2.0 */
/* From numbers of the protocol and the network to words for a person. */
#ifndef BUS_REASON_PRIV_H
#define BUS_REASON_PRIV_H

#include "bus/config_priv.h"

/** What an MQTT 5 reason code says and how to mend it. Never NULL. */
const char *bus_reason_text(int code);

/**
 * Why no MQTT connection came about: resolve and connect once more, looking at what the library
 * does not pass on. Waits for at most one second per address, two addresses, two and a half for
 * TLS, plus the resolver's own time-outs.
 * @param tls_text  what OpenSSL said, or ""
 */
void bus_reason_probe(const struct bus_config *cfg, const struct bus_url *url, const char *tls_text,
                      char *out, size_t out_bytes);

#endif
