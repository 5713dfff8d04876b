/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ALERT_SEVERITY_PRIV_H
#define ALERT_SEVERITY_PRIV_H

#include "alerts/alerts.h"

/**
 * How bad it is, by what it looks like, how sure the detector is and whether it lasts.
 * @param count     signals so far
 * @param lasts_ns  from the first evidence to the last
 */
enum alert_severity alert_severity_of(const struct alert_signal *signal, uint64_t count,
                                      atl_ns lasts_ns);

#endif
