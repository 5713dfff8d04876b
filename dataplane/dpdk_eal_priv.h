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

#define DP_EAL_SOCKETS_MAX 64

/** The packet sockets of a net_af_packet device, which counts no loss itself. */
struct dp_eal_sockets {
    int fds[DP_EAL_SOCKETS_MAX]; /* the driver's, borrowed as long as the port is attached */
    uint32_t count;
    _Atomic uint64_t lost;
};

/** Find or create the port named by cfg->device. @return 0, -ENOENT, -EPERM, -EIO, -EINVAL */
int dp_eal_attach(uint16_t *ret_port, struct dp_eal_sockets *ret_sockets,
                  const struct dp_config *cfg, struct atl_error *err);
/** Packets that the kernel lost for want of room since the port was attached. Thread-safe. */
uint64_t dp_eal_sockets_lost(struct dp_eal_sockets *sockets);
/** Close the port; a virtual device goes away with it. */
void dp_eal_detach(uint16_t port, const char *device);
/** The last line that DPDK printed, "" if none. */
const char *dp_eal_last_line(void);
/** The file behind rx_pcap= of a net_pcap device. @return 0, -EINVAL */
int dp_eal_capture_path(const char *device, char out[DP_EAL_DEVICE_BYTES], struct atl_error *err);

#endif
