/* SPDX-License-Identifier: Apache-2.0 */
/* The DPDK backend of a build without DPDK. */
#include <errno.h>

#include "dataplane/source_priv.h"

int dp_intake_open_dpdk(struct dp_intake *ret_intake, const struct dp_config *cfg,
                        struct atl_error *err)
{
    (void)ret_intake;
    return atl_error_set(err, -EINVAL,
                         "%s: this build has no DPDK; use the libpcap backend or build with "
                         "-Ddpdk=enabled",
                         cfg->device);
}

bool dp_has_dpdk(void)
{
    return false;
}
