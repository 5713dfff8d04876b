/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUS_TLS_PRIV_H
#define BUS_TLS_PRIV_H

#include "bus/bus.h"

#include <MQTTAsync.h>

/** What OpenSSL had to say during one attempt to connect. */
struct bus_tls_text {
    char text[192];
};

/** Are the files there? @return 0, -ENOENT with the file's name */
int bus_tls_check(const struct bus_config *cfg, struct atl_error *err);
/** Host name and chain are always verified. Borrows cfg and text for as long as the options live.
 */
void bus_tls_fill(MQTTAsync_SSLOptions *ret_options, const struct bus_config *cfg,
                  struct bus_tls_text *text);

#endif
