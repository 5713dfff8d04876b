/* SPDX-License-Identifier: Apache-2.0 */
/* dpdk_rss: a card's hash that sends both directions of a flow to one queue, and the proof. */
#ifndef DP_DPDK_RSS_PRIV_H
#define DP_DPDK_RSS_PRIV_H

#include <rte_ethdev.h>
#include <stdbool.h>

#define DP_RSS_KEY_BYTES_MAX 128
#define DP_RSS_RETA_MAX      2048

struct dp_rss {
    uint8_t key[DP_RSS_KEY_BYTES_MAX];
    uint8_t key_bytes;
};

/** Fill conf with the hash to ask for. @return false when the device has none to offer */
bool dp_rss_ask(struct dp_rss *rss, const struct rte_eth_dev_info *info, struct rte_eth_conf *conf);

/**
 * The start-up self-test: read key and table back from the started port and send made-up
 * conversations through them both ways.
 * @return 0, -ENOTSUP (the device does not tell), -EIO (it sends directions apart)
 */
int dp_rss_prove(uint16_t port, const struct rte_eth_dev_info *info);

#endif
