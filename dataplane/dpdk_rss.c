/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/dpdk_rss_priv.h"

#include <errno.h>
#include <string.h>

#include "dataplane/toeplitz_priv.h"

enum {
    KEY_BYTES_DEFAULT = 40,
};

bool dp_rss_ask(struct dp_rss *rss, const struct rte_eth_dev_info *info, struct rte_eth_conf *conf)
{
    /* Beyond its own types a driver refuses, or a newer one of the same series does. */
    uint64_t types = (RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP | RTE_ETH_RSS_SCTP) &
                     info->flow_type_rss_offloads;
    size_t bytes = info->hash_key_size != 0 ? info->hash_key_size : KEY_BYTES_DEFAULT;
    if (types == 0 || bytes < DP_TOEPLITZ_KEY_BYTES_MIN || bytes > DP_RSS_KEY_BYTES_MAX)
        return false;
    if ((info->flow_type_rss_offloads & RTE_ETH_RSS_LEVEL_MASK) >= RTE_ETH_RSS_LEVEL_INNERMOST)
        types |= RTE_ETH_RSS_LEVEL_INNERMOST;
    rss->key_bytes = (uint8_t)bytes;
    dp_toeplitz_key(rss->key, bytes);
    conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    conf->rx_adv_conf.rss_conf = (struct rte_eth_rss_conf){
        .rss_key = rss->key,
        .rss_key_len = rss->key_bytes,
        .rss_hf = types,
    };
    return true;
}

/* --- the self-test --- */

static int read_table(uint16_t port, size_t size, uint16_t reta[DP_RSS_RETA_MAX])
{
    struct rte_eth_rss_reta_entry64 groups[DP_RSS_RETA_MAX / RTE_ETH_RETA_GROUP_SIZE];
    if (size > DP_RSS_RETA_MAX || (size & (size - 1)) != 0)
        return -ENOTSUP;
    memset(groups, 0, sizeof(groups));
    for (size_t i = 0; i < size; i++)
        groups[i / RTE_ETH_RETA_GROUP_SIZE].mask |= UINT64_C(1) << (i % RTE_ETH_RETA_GROUP_SIZE);
    int r = size != 0 ? rte_eth_dev_rss_reta_query(port, groups, (uint16_t)size) : 0;
    for (size_t i = 0; i < size; i++)
        reta[i] = groups[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE];
    return r < 0 ? -ENOTSUP : 0;
}

int dp_rss_prove(uint16_t port, const struct rte_eth_dev_info *info)
{
    uint8_t key[DP_RSS_KEY_BYTES_MAX] = {0};
    uint16_t reta[DP_RSS_RETA_MAX];
    struct rte_eth_rss_conf conf = {
        .rss_key = key,
        .rss_key_len = info->hash_key_size != 0 ? info->hash_key_size : KEY_BYTES_DEFAULT,
    };
    if (rte_eth_dev_rss_hash_conf_get(port, &conf) < 0 || conf.rss_key_len > sizeof(key))
        return -ENOTSUP;
    if (read_table(port, info->reta_size, reta) < 0)
        return -ENOTSUP;
    return dp_toeplitz_is_symmetric(key, conf.rss_key_len, reta, info->reta_size) ? 0 : -EIO;
}
