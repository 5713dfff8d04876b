/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dpdk_eal: DPDK's environment layer, which exists once per process.
 *
 * The first attach starts it, with that engine's eal_args; later ones find it running and their
 * eal_args are not looked at. It stays until the process ends. What it prints goes to a buffer.
 */
#ifndef DP_DPDK_EAL_PRIV_H
#define DP_DPDK_EAL_PRIV_H

#include "dataplane/dataplane.h"

#define DP_EAL_DEVICE_BYTES 512

/** Find or create the port named by cfg->device. @return 0, -ENOENT, -EPERM, -EIO, -EINVAL */
int dp_eal_attach(uint16_t *ret_port, const struct dp_config *cfg, struct atl_error *err);
/** Close the port; a virtual device goes away with it. */
void dp_eal_detach(uint16_t port, const char *device);
/** The last line that DPDK printed, "" if none. */
const char *dp_eal_last_line(void);
/** The file behind rx_pcap= of a net_pcap device. @return 0, -EINVAL */
int dp_eal_capture_path(const char *device, char out[DP_EAL_DEVICE_BYTES], struct atl_error *err);

#endif
