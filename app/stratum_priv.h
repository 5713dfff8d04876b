/* SPDX-License-Identifier: Apache-2.0 */
/* In which stratum of the memory a row belongs: weekday or weekend × hour of day × service. */
#ifndef STRATUM_PRIV_H
#define STRATUM_PRIV_H

#include "features/features.h"

#define STRATA (2 * 24 * 8)

/** By the hour in UTC in which it ended and the port it went to. Below STRATA. */
uint32_t stratum_of_flow(const struct dp_flow *flow);
/** The role of the host stands for the service. Below STRATA. */
uint32_t stratum_of_host(const struct feat_host_row *row);

#endif
