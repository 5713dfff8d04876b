/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CAPTURE_CONFIG_PRIV_H
#define CAPTURE_CONFIG_PRIV_H

#include "app/config_priv.h"
#include "dataplane/dataplane.h"

/** What the configuration says of capture and flows. *ret_dp borrows from cfg. @return 0, -EINVAL
 */
int capture_config(const struct config *cfg, struct dp_config *ret_dp, struct atl_error *err);

#endif
