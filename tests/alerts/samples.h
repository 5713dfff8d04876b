/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_ALERTS_SAMPLES_H
#define TEST_ALERTS_SAMPLES_H

#include "alerts/alerts.h"

/** 2026-11-21T12:03:00Z plus seconds. */
atl_ns at(double seconds);
/** A flow-level finding with every field set. */
struct alert_signal make_signal(const char *kind, const char *entity, double seconds);

#endif
