/* SPDX-License-Identifier: Apache-2.0 */
#include "samples.h"

atl_ns at(double seconds)
{
    return 1795262580ULL * ATL_NS_PER_S + (atl_ns)(seconds * 1e9);
}

struct alert_signal make_signal(const char *kind, const char *entity, double seconds)
{
    struct alert_signal s = {
        .time_ns = at(seconds),
        .first_ns = at(seconds) - ATL_NS_PER_S,
        .role = "source",
        .detector = "host",
        .score = 0.7,
        .p_value = 1e-3,
        .features = {{"peers", "hosts", 412, 3.1}, {"failed_ratio", "", 0.98, 0.02}},
        .n_features = 2,
        .hint = "One host tries many others on the same port.",
        .technique = "T1046",
        .model = "round 3 (0011223344556677)",
        .src_ip = "10.3.0.66",
        .dest_ip = "10.9.0.1",
        .proto = "TCP",
        .community_id = "1:wCb3OG7yAFWelaUydu0D+125CLM=",
        .in_iface = "eth0",
        .src_port = 40000,
        .dest_port = 23,
        .packets_toserver = 1,
        .packets_toclient = 2,
        .bytes_toserver = 60,
        .bytes_toclient = 120,
    };
    atl_copy(s.kind, sizeof(s.kind), kind);
    atl_copy(s.entity, sizeof(s.entity), entity);
    return s;
}
