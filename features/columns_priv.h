/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The columns of both views, once: X(id, name, unit, scale, top, step, formula, source). The order
 * is the order of the vector and of the elements of IPFIX: new columns go to the end of a list. The
 * first four flow columns repeat fixed columns of the export.
 */
#ifndef FEAT_COLUMNS_PRIV_H
#define FEAT_COLUMNS_PRIV_H

#define SRC_FLOW   "flow record"
#define SRC_CIC    "CICFlowMeter, corrected"
#define SRC_DNS    "first question of each DNS message on UDP port 53"
#define SRC_HOST   "host window"
#define SRC_10S    "damped: half-life 10 s, this flow included"
#define SRC_60S    "damped: half-life 60 s, this flow included"
#define SRC_600S   "damped: half-life 600 s, this flow included"
#define SRC_HLL    "host window, HyperLogLog (Flajolet 2007)"
#define SRC_PAIR   "table of pairs"
#define SRC_BEACON "table of pairs, Bowley 1901, Rayleigh 1919"
#define SRC_PAST   "past of the host"
#define SRC_DOMAIN "dataplane's report of domains"
#define SRC_TARGET "dataplane's report of targets"

#define FLOW_RECORD_COLUMNS(X)                                                                     \
    X(PACKETS_FWD, "packets_fwd", "packets", LOG, 1e6, 1, "packets of the initiator", SRC_FLOW)    \
    X(PACKETS_BWD, "packets_bwd", "packets", LOG, 1e6, 1, "packets of the responder", SRC_FLOW)    \
    X(BYTES_FWD, "bytes_fwd", "bytes", LOG, 1e9, 100, "sum of IP packet lengths, initiator",       \
      SRC_FLOW)                                                                                    \
    X(BYTES_BWD, "bytes_bwd", "bytes", LOG, 1e9, 100, "sum of IP packet lengths, responder",       \
      SRC_FLOW)                                                                                    \
    X(DURATION, "duration", "s", LOG, 3600, 1e-3, "last packet minus first packet", SRC_FLOW)      \
    X(PAYLOAD_FWD, "payload_fwd", "bytes", LOG, 1e9, 100, "bytes above the transport header",      \
      SRC_CIC)                                                                                     \
    X(PAYLOAD_BWD, "payload_bwd", "bytes", LOG, 1e9, 100, "bytes above the transport header",      \
      SRC_CIC)                                                                                     \
    X(SIZE_MEAN_FWD, "size_mean_fwd", "bytes", LINEAR, 1500, 1, "mean IP packet length", SRC_CIC)  \
    X(SIZE_MEAN_BWD, "size_mean_bwd", "bytes", LINEAR, 1500, 1, "mean IP packet length", SRC_CIC)  \
    X(SIZE_STD_FWD, "size_std_fwd", "bytes", LINEAR, 750, 1, "standard deviation, n - 1", SRC_CIC) \
    X(SIZE_STD_BWD, "size_std_bwd", "bytes", LINEAR, 750, 1, "standard deviation, n - 1", SRC_CIC) \
    X(SIZE_MIN_FWD, "size_min_fwd", "bytes", LINEAR, 1500, 1, "shortest IP packet", SRC_CIC)       \
    X(SIZE_MIN_BWD, "size_min_bwd", "bytes", LINEAR, 1500, 1, "shortest IP packet", SRC_CIC)       \
    X(SIZE_MAX_FWD, "size_max_fwd", "bytes", LINEAR, 1500, 1, "longest IP packet", SRC_CIC)        \
    X(SIZE_MAX_BWD, "size_max_bwd", "bytes", LINEAR, 1500, 1, "longest IP packet", SRC_CIC)        \
    X(IAT_MEAN, "iat_mean", "s", LOG, 60, 1e-4, "mean gap between packets", SRC_CIC)               \
    X(IAT_STD, "iat_std", "s", LOG, 60, 1e-4, "standard deviation of gaps, n - 1", SRC_CIC)        \
    X(IAT_MAX, "iat_max", "s", LOG, 60, 1e-4, "longest gap between packets", SRC_CIC)              \
    X(IAT_MEAN_FWD, "iat_mean_fwd", "s", LOG, 60, 1e-4, "mean gap, initiator", SRC_CIC)            \
    X(IAT_MEAN_BWD, "iat_mean_bwd", "s", LOG, 60, 1e-4, "mean gap, responder", SRC_CIC)            \
    X(IAT_STD_FWD, "iat_std_fwd", "s", LOG, 60, 1e-4, "deviation of gaps, initiator", SRC_CIC)     \
    X(IAT_STD_BWD, "iat_std_bwd", "s", LOG, 60, 1e-4, "deviation of gaps, responder", SRC_CIC)     \
    X(PACKETS_PER_S, "packets_per_s", "packets/s", LOG, 1e5, 0.1,                                  \
      "packets / duration, one second at least", SRC_CIC)                                          \
    X(BYTES_PER_S, "bytes_per_s", "bytes/s", LOG, 1e8, 10,                                         \
      "bytes / duration, one second at least", SRC_CIC)                                            \
    X(PACKETS_BWD_SHARE, "packets_bwd_share", "1", LINEAR, 1, 1, "responder's share of packets",   \
      SRC_FLOW)                                                                                    \
    X(BYTES_BWD_SHARE, "bytes_bwd_share", "1", LINEAR, 1, 1, "responder's share of bytes",         \
      SRC_FLOW)                                                                                    \
    X(SYN_FWD, "syn_fwd", "packets", LOG, 10, 1, "packets with SYN, initiator", SRC_CIC)           \
    X(SYN_BWD, "syn_bwd", "packets", LOG, 10, 1, "packets with SYN, responder", SRC_CIC)           \
    X(FIN_FWD, "fin_fwd", "packets", LOG, 10, 1, "packets with FIN, initiator", SRC_CIC)           \
    X(FIN_BWD, "fin_bwd", "packets", LOG, 10, 1, "packets with FIN, responder", SRC_CIC)           \
    X(RST_FWD, "rst_fwd", "packets", LOG, 10, 1, "packets with RST, initiator", SRC_CIC)           \
    X(RST_BWD, "rst_bwd", "packets", LOG, 10, 1, "packets with RST, responder", SRC_CIC)           \
    X(PSH_FWD, "psh_share_fwd", "1", LINEAR, 1, 1, "share of packets with PSH, initiator",         \
      SRC_CIC)                                                                                     \
    X(PSH_BWD, "psh_share_bwd", "1", LINEAR, 1, 1, "share of packets with PSH, responder",         \
      SRC_CIC)                                                                                     \
    X(DATA_FWD, "data_share_fwd", "1", LINEAR, 1, 1, "share of packets with payload, initiator",   \
      SRC_CIC)                                                                                     \
    X(DATA_BWD, "data_share_bwd", "1", LINEAR, 1, 1, "share of packets with payload, responder",   \
      SRC_CIC)                                                                                     \
    X(WINDOW_FWD, "window_init_fwd", "bytes", LOG, 65535, 1024,                                    \
      "TCP window of the first packet, unscaled", SRC_CIC)                                         \
    X(WINDOW_BWD, "window_init_bwd", "bytes", LOG, 65535, 1024,                                    \
      "TCP window of the first packet, unscaled", SRC_CIC)                                         \
    X(ONE_WAY, "one_way", "1", LINEAR, 1, 1, "1 when the responder sent nothing", SRC_FLOW)        \
    X(TCP, "tcp", "1", LINEAR, 1, 1, "1 for TCP", SRC_FLOW)                                        \
    X(UDP, "udp", "1", LINEAR, 1, 1, "1 for UDP", SRC_FLOW)                                        \
    X(ICMP, "icmp", "1", LINEAR, 1, 1, "1 for ICMP and ICMPv6", SRC_FLOW)                          \
    X(PORT_SYSTEM, "port_system", "1", LINEAR, 1, 1, "1 when the responder's port is below 1024",  \
      "RFC 6335")                                                                                  \
    X(PORT_WEB, "port_web", "1", LINEAR, 1, 1, "1 for ports 80, 443, 8080, 8443", "RFC 6335")      \
    X(PORT_DNS, "port_dns", "1", LINEAR, 1, 1, "1 for port 53", "RFC 6335")                        \
    X(TTL_FWD, "ttl_min_fwd", "hops", LINEAR, 255, 1, "smallest TTL or hop limit, initiator",      \
      SRC_FLOW)                                                                                    \
    X(TTL_BWD, "ttl_min_bwd", "hops", LINEAR, 255, 1, "smallest TTL or hop limit, responder",      \
      SRC_FLOW)                                                                                    \
    X(HEADER_FWD, "header_mean_fwd", "bytes", LINEAR, 60, 1, "mean transport header, initiator",   \
      SRC_CIC)                                                                                     \
    X(HEADER_BWD, "header_mean_bwd", "bytes", LINEAR, 60, 1, "mean transport header, responder",   \
      SRC_CIC)                                                                                     \
    X(IAT_MAX_FWD, "iat_max_fwd", "s", LOG, 60, 1e-4, "longest gap, initiator", SRC_CIC)           \
    X(IAT_MAX_BWD, "iat_max_bwd", "s", LOG, 60, 1e-4, "longest gap, responder", SRC_CIC)           \
    X(ACK_FWD, "ack_share_fwd", "1", LINEAR, 1, 1, "share of packets with ACK, initiator",         \
      SRC_CIC)                                                                                     \
    X(ACK_BWD, "ack_share_bwd", "1", LINEAR, 1, 1, "share of packets with ACK, responder",         \
      SRC_CIC)                                                                                     \
    X(MID_STREAM, "mid_stream", "1", LINEAR, 1, 1, "1 for TCP whose first packet was no SYN",      \
      SRC_FLOW)                                                                                    \
    X(ICMP_ECHO, "icmp_echo", "1", LINEAR, 1, 1, "1 when the first packet is an ICMP echo",        \
      "RFC 792, RFC 4443")                                                                         \
    X(ICMP_ERROR, "icmp_error", "1", LINEAR, 1, 1,                                                 \
      "1 when the first packet is an ICMP error message", "RFC 792, RFC 4443")                     \
    X(VLAN_TAGS, "vlan_tags", "tags", LINEAR, 2, 1, "VLAN tags of the first packet", SRC_FLOW)     \
    X(TUNNELLED, "tunnelled", "1", LINEAR, 1, 1, "1 inside a tunnel", SRC_FLOW)                    \
    X(QFI, "qfi", "1", LINEAR, 63, 1, "5G QoS flow identifier, 0 without", "3GPP TS 38.415")       \
    X(DNS_QUERIES, "dns_queries", "packets", LOG, 1e4, 1, "DNS queries", SRC_DNS)                  \
    X(DNS_RESPONSES, "dns_responses", "packets", LOG, 1e4, 1, "DNS responses", SRC_DNS)            \
    X(DNS_NXDOMAIN, "dns_nxdomain_share", "1", LINEAR, 1, 1,                                       \
      "share of DNS responses that deny the name", SRC_DNS)                                        \
    X(DNS_ODD, "dns_odd", "packets", LOG, 100, 1,                                                  \
      "packets on port 53 that hold no readable DNS message", SRC_DNS)                             \
    X(DNS_NAME_MEAN, "dns_name_mean", "bytes", LINEAR, 253, 1,                                     \
      "mean length of the name asked for", SRC_DNS)                                                \
    X(DNS_NAME_MAX, "dns_name_max", "bytes", LINEAR, 253, 1, "longest name asked for", SRC_DNS)    \
    X(DNS_ENTROPY, "dns_entropy", "bits", LINEAR, 8, 1,                                            \
      "mean Shannon entropy of a name's bytes, case folded, no dots", SRC_DNS)                     \
    X(DNS_TXT, "dns_txt_share", "1", LINEAR, 1, 1, "share of questions for TXT", SRC_DNS)          \
    X(DNS_NULL, "dns_null_share", "1", LINEAR, 1, 1, "share of questions for NULL", SRC_DNS)       \
    X(DNS_OTHER, "dns_other_share", "1", LINEAR, 1, 1,                                             \
      "share of questions for other than A, AAAA, TXT and NULL", SRC_DNS)

/*
 * What earlier flows of the same source, destination, pair or service (destination, port and
 * protocol) were like: X(…, whose, statistic, half-life). context.c reads the last three.
 */
#define FLOW_CONTEXT_COLUMNS(X)                                                                   \
    X(SOURCE_FLOWS_10S, "src_flows_10s", "flows", LOG, 1e5, 1, "flows of the source", SRC_10S,    \
      SOURCE, FLOWS, 10S)                                                                         \
    X(SOURCE_FLOWS_600S, "src_flows_600s", "flows", LOG, 1e5, 1, "flows of the source", SRC_600S, \
      SOURCE, FLOWS, 600S)                                                                        \
    X(SOURCE_FAILED_60S, "src_failed_60s", "1", LINEAR, 1, 1,                                     \
      "failed / (flows + 4) of the source; failed: no answer, or to TCP only RST", SRC_60S,       \
      SOURCE, FAILED, 60S)                                                                        \
    X(SOURCE_FRESH_60S, "src_new_60s", "flows", LOG, 1e4, 1,                                      \
      "flows of the source to a destination new to it", SRC_60S, SOURCE, FRESH, 60S)              \
    X(SOURCE_BYTES_MEAN_600S, "src_bytes_mean_600s", "bytes", LOG, 1e8, 100,                      \
      "mean bytes of a flow of the source", SRC_600S, SOURCE, BYTES_MEAN, 600S)                   \
    X(SOURCE_PACKETS_MEAN_600S, "src_packets_mean_600s", "packets", LOG, 1e5, 1,                  \
      "mean packets of a flow of the source", SRC_600S, SOURCE, PACKETS_MEAN, 600S)               \
    X(TARGET_FLOWS_10S, "dst_flows_10s", "flows", LOG, 1e5, 1, "flows of the destination",        \
      SRC_10S, TARGET, FLOWS, 10S)                                                                \
    X(TARGET_FLOWS_600S, "dst_flows_600s", "flows", LOG, 1e5, 1, "flows of the destination",      \
      SRC_600S, TARGET, FLOWS, 600S)                                                              \
    X(TARGET_FAILED_60S, "dst_failed_60s", "1", LINEAR, 1, 1,                                     \
      "failed / (flows + 4) of the destination; failed: no answer, or to TCP only RST", SRC_60S,  \
      TARGET, FAILED, 60S)                                                                        \
    X(TARGET_FRESH_60S, "dst_new_60s", "flows", LOG, 1e4, 1,                                      \
      "flows to the destination from a source new to it", SRC_60S, TARGET, FRESH, 60S)            \
    X(PAIR_FLOWS_10S, "pair_flows_10s", "flows", LOG, 1e5, 1, "flows of the pair", SRC_10S, PAIR, \
      FLOWS, 10S)                                                                                 \
    X(PAIR_FLOWS_600S, "pair_flows_600s", "flows", LOG, 1e5, 1, "flows of the pair", SRC_600S,    \
      PAIR, FLOWS, 600S)                                                                          \
    X(PAIR_FRESH_60S, "pair_new_60s", "flows", LOG, 1e4, 1,                                       \
      "flows of the pair to a service new to all", SRC_60S, PAIR, FRESH, 60S)                     \
    X(PAIR_GAP_MEAN_600S, "pair_gap_mean_600s", "s", LOG, 6000, 1e-2,                             \
      "mean time between ends of flows of the pair", SRC_600S, PAIR, GAP_MEAN, 600S)              \
    X(PAIR_BEAT_60S, "pair_beat_60s", "1", LINEAR, 1, 1,                                          \
      "gaps / (gaps + 4) x (1 - deviation / mean) of the gaps of the pair; 0 at least", SRC_60S,  \
      PAIR, BEAT, 60S)                                                                            \
    X(PAIR_BEAT_600S, "pair_beat_600s", "1", LINEAR, 1, 1,                                        \
      "gaps / (gaps + 4) x (1 - deviation / mean) of the gaps of the pair; 0 at least", SRC_600S, \
      PAIR, BEAT, 600S)                                                                           \
    X(SERVICE_FLOWS_10S, "service_flows_10s", "flows", LOG, 1e5, 1, "flows of the service",       \
      SRC_10S, SERVICE, FLOWS, 10S)                                                               \
    X(SERVICE_FLOWS_600S, "service_flows_600s", "flows", LOG, 1e5, 1, "flows of the service",     \
      SRC_600S, SERVICE, FLOWS, 600S)                                                             \
    X(SERVICE_BYTES_MEAN_600S, "service_bytes_mean_600s", "bytes", LOG, 1e8, 100,                 \
      "mean bytes of a flow of the service", SRC_600S, SERVICE, BYTES_MEAN, 600S)                 \
    X(SERVICE_BYTES_STD_600S, "service_bytes_std_600s", "bytes", LOG, 1e8, 100,                   \
      "deviation of the bytes of a flow of the service", SRC_600S, SERVICE, BYTES_STD, 600S)      \
    X(SERVICE_GAP_MEAN_60S, "service_gap_mean_60s", "s", LOG, 6000, 1e-2,                         \
      "mean time between ends of flows of the service", SRC_60S, SERVICE, GAP_MEAN, 60S)

#define HOST_COLUMNS(X)                                                                            \
    X(ROLE_TARGET, "role_target", "1", LINEAR, 1, 1, "1 as responder, 0 as initiator", SRC_HOST)   \
    X(FLOWS, "flows", "flows", LOG, 1e5, 1, "flows in the window", SRC_HOST)                       \
    X(PEERS, "peers", "hosts", LOG, 1e4, 1, "distinct addresses on the other side", SRC_HLL)       \
    X(PORTS, "ports", "ports", LOG, 1e4, 1, "distinct responder ports, traceroute as one",         \
      SRC_HLL)                                                                                     \
    X(NEW_PEERS, "new_peers", "hosts", LOG, 1e3, 1,                                                \
      "peers not met before by this host, for half a day or more", SRC_HOST)                       \
    X(PORT_ENTROPY, "port_entropy", "bits", LINEAR, 4, 1,                                          \
      "entropy of the flows' responder ports, hashed to 16 classes", SRC_HOST)                     \
    X(PACKETS_OUT, "packets_out", "packets", LOG, 1e6, 10, "packets this host sent", SRC_HOST)     \
    X(PACKETS_IN, "packets_in", "packets", LOG, 1e6, 10, "packets this host received", SRC_HOST)   \
    X(BYTES_OUT, "bytes_out", "bytes", LOG, 1e9, 1000, "IP bytes this host sent", SRC_HOST)        \
    X(BYTES_IN, "bytes_in", "bytes", LOG, 1e9, 1000, "IP bytes this host received", SRC_HOST)      \
    X(HALF_OPEN, "half_open", "flows", LOG, 1e4, 1, "TCP flows whose SYN was never answered",      \
      SRC_HOST)                                                                                    \
    X(REFUSED, "refused", "flows", LOG, 1e4, 1, "TCP flows answered by nothing but RST", SRC_HOST) \
    X(UNANSWERED, "unanswered", "flows", LOG, 1e4, 1,                                              \
      "other flows with no answer, traceroute aside", SRC_HOST)                                    \
    X(HALF_OPEN_RATIO, "half_open_ratio", "1", LINEAR, 1, 1, "half_open / (TCP flows + 4)",        \
      SRC_HOST)                                                                                    \
    X(RESET_RATIO, "reset_ratio", "1", LINEAR, 1, 1, "TCP flows with any RST / (TCP flows + 4)",   \
      SRC_HOST)                                                                                    \
    X(FAILED_RATIO, "failed_ratio", "1", LINEAR, 1, 1,                                             \
      "(half_open + refused + unanswered) / (flows + 4)", SRC_HOST)                                \
    X(PACKETS_PER_S, "packets_per_s", "packets/s", LOG, 1e6, 1,                                    \
      "packets / time covered, one second at least", SRC_HOST)                                     \
    X(PACKETS_PER_FLOW, "packets_per_flow", "packets", LOG, 1e4, 1, "mean packets per flow",       \
      SRC_HOST)                                                                                    \
    X(FLOW_PACKETS_PER_S, "flow_packets_per_s", "packets/s", LOG, 1e6, 1,                          \
      "of the fastest flow, one second at least", SRC_HOST)                                        \
    X(FLOW_BYTES_PER_S, "flow_bytes_per_s", "bytes/s", LOG, 1e9, 1000,                             \
      "of the flow with most bytes a second, one second at least", SRC_HOST)                       \
    X(SIZE_MEAN_OUT, "size_mean_out", "bytes", LINEAR, 1500, 1, "mean length of packets sent",     \
      SRC_HOST)                                                                                    \
    X(BYTES_OUT_SHARE, "bytes_out_share", "1", LINEAR, 1, 1, "bytes_out / all bytes", SRC_HOST)    \
    X(TCP_SHARE, "tcp_share", "1", LINEAR, 1, 1, "share of TCP flows", SRC_HOST)                   \
    X(UDP_SHARE, "udp_share", "1", LINEAR, 1, 1, "share of UDP flows", SRC_HOST)                   \
    X(ICMP_SHARE, "icmp_share", "1", LINEAR, 1, 1, "share of ICMP flows", SRC_HOST)                \
    X(ICMP_PACKETS_PER_S, "icmp_packets_per_s", "packets/s", LOG, 1e4, 1,                          \
      "ICMP packets / time covered", SRC_HOST)                                                     \
    X(DNS_SHARE, "dns_share", "1", LINEAR, 1, 1, "share of flows to port 53", SRC_HOST)            \
    X(SMALL_SHARE, "small_share", "1", LINEAR, 1, 1, "share of flows of three packets or fewer",   \
      SRC_HOST)                                                                                    \
    X(REPEAT_FLOWS, "repeat_flows", "flows", LOG, 100, 1,                                          \
      "conversations with the busiest service of one peer, DNS aside, older ones less", SRC_PAIR)  \
    X(REPEAT_ALIKE, "repeat_alike", "1", LINEAR, 1, 1,                                             \
      "share of these from two thirds to one and a half of their usual size; 0 below three calls", \
      SRC_PAIR)                                                                                    \
    X(REPEAT_EXCESS, "repeat_excess", "flows", LOG, 100, 1,                                        \
      "most alike TCP conversations beyond 45 with one service of one peer, times 1 - its beacon " \
      "score",                                                                                     \
      SRC_PAIR)                                                                                    \
    X(UPLOAD_MAX, "upload_max", "bytes", LOG, 1e8, 1e4,                                            \
      "most bytes sent to one service of one peer; 0 as responder", SRC_PAIR)                      \
    X(UPLOAD_SHARE, "upload_share", "1", LINEAR, 1, 1,                                             \
      "upload_max / bytes both ways with that service", SRC_PAIR)                                  \
    X(MAIL_PEERS, "mail_peers", "hosts", LOG, 100, 1,                                              \
      "servers newly called on port 25, 465 or 587", SRC_PAIR)                                     \
    X(BEACON_SCORE, "beacon_score", "1", LINEAR, 1, 1,                                             \
      "(0.4 (1 - MAD / median gap) + 0.3 (1 - Bowley skew) + 0.3 Rayleigh periodogram) x share "   \
      "of time filled; of the most regular service",                                               \
      SRC_BEACON)                                                                                  \
    X(BEACON_PERIOD, "beacon_period", "s", LOG, 3600, 1, "median gap between its calls",           \
      SRC_BEACON)                                                                                  \
    X(DNS_QUERIES, "dns_queries", "messages", LOG, 1e5, 1, "DNS queries sent", SRC_DOMAIN)         \
    X(DNS_NAMES, "dns_names", "names", LOG, 1e3, 1,                                                \
      "distinct names below the base domain with most", SRC_DOMAIN)                                \
    X(DNS_NAME_MEAN, "dns_name_mean", "bytes", LINEAR, 253, 1,                                     \
      "mean length of the names below it", SRC_DOMAIN)                                             \
    X(DNS_ENTROPY, "dns_entropy", "bits", LINEAR, 5, 1, "mean entropy of a byte of these names",   \
      SRC_DOMAIN)                                                                                  \
    X(DNS_ODD_SHARE, "dns_odd_share", "1", LINEAR, 1, 1,                                           \
      "share of types other than A and AAAA below it", SRC_DOMAIN)                                 \
    X(ARRIVALS, "arrivals", "flows", LOG, 1e6, 1,                                                  \
      "flows begun towards this host, also those that no table held; 0 as initiator", SRC_TARGET)  \
    X(ARRIVALS_PEAK, "arrivals_peak", "flows/s", LOG, 1e4, 1, "most of them in one second",        \
      SRC_TARGET)                                                                                  \
    X(ARRIVAL_SYN_SHARE, "arrival_syn_share", "1", LINEAR, 1, 1,                                   \
      "share of them begun by a bare SYN / (arrivals + 4)", SRC_TARGET)                            \
    X(ARRIVAL_SOURCES, "arrival_sources", "hosts", LOG, 1e4, 1,                                    \
      "distinct addresses they came from", SRC_TARGET)                                             \
    X(PACKETS_PEAK, "packets_peak", "packets/s", LOG, 1e6, 100,                                    \
      "most packets towards this host in one second, from 256 up", SRC_TARGET)                     \
    X(BYTES_PEAK, "bytes_peak", "bytes/s", LOG, 1e9, 1e4,                                          \
      "most bytes towards this host in one second, from 256 packets up", SRC_TARGET)               \
    X(UPLOAD_EXCESS, "upload_excess", "bytes", LOG, 1e7, 1e5,                                      \
      "net bytes to one service of one peer, beyond 16 MB and twice the most in the host's past",  \
      SRC_PAST)                                                                                    \
    X(BEACON_NEW, "beacon_new", "1", LINEAR, 1, 1,                                                 \
      "share of steady gaps of a service of a peer new to the host, from 16 calls and 0.8",        \
      SRC_PAST)                                                                                    \
    X(TURNED_AFTER, "turned_after", "flows", LOG, 100, 1,                                          \
      "flows of a TCP service that the host answered before it first called one like it, from 20", \
      SRC_PAST)

#define FLOW_ENUM(id, ...) FLOW_##id,
#define HOST_ENUM(id, ...) HOST_##id,
enum flow_column {
    FLOW_RECORD_COLUMNS(FLOW_ENUM) FLOW_RECORD_COLUMN_COUNT,
    FLOW_LAST_RECORD_COLUMN = FLOW_RECORD_COLUMN_COUNT - 1,
    FLOW_CONTEXT_COLUMNS(FLOW_ENUM) FLOW_COLUMN_COUNT
};
enum host_column { HOST_COLUMNS(HOST_ENUM) HOST_COLUMN_COUNT };
#undef FLOW_ENUM
#undef HOST_ENUM

#endif
