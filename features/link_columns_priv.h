/* SPDX-License-Identifier: Apache-2.0 */
/* The columns of the link view, once: as in columns_priv.h. Counts are those of the interval. */
#ifndef FEAT_LINK_COLUMNS_PRIV_H
#define FEAT_LINK_COLUMNS_PRIV_H

#define SRC_LINK   "link seconds"
#define SRC_SKETCH "link seconds, sketch of flows begun"

#define LINK_COLUMNS(X)                                                                            \
    X(PACKETS, "packets", "packets", LOG, 1e8, 10, "frames read", SRC_LINK)                        \
    X(BYTES, "bytes", "bytes", LOG, 1e11, 1000, "their bytes on the wire", SRC_LINK)               \
    X(SIZE_MEAN, "size_mean", "bytes", LINEAR, 1518, 1, "bytes / packets", SRC_LINK)               \
    X(IPV6_SHARE, "ipv6_share", "1", LINEAR, 1, 1, "share of IPv6 among packets of flows",         \
      SRC_LINK)                                                                                    \
    X(TCP, "tcp", "packets", LOG, 1e8, 10, "packets of TCP flows", SRC_LINK)                       \
    X(UDP, "udp", "packets", LOG, 1e8, 10, "packets of UDP flows", SRC_LINK)                       \
    X(ICMP, "icmp", "packets", LOG, 1e6, 1, "packets of ICMP and ICMPv6 flows", SRC_LINK)          \
    X(SCTP, "sctp", "packets", LOG, 1e7, 1, "packets of SCTP flows", SRC_LINK)                     \
    X(OTHER, "other", "packets", LOG, 1e7, 1, "packets of flows of any other protocol", SRC_LINK)  \
    X(NO_IP, "no_ip", "packets", LOG, 1e6, 1,                                                      \
      "frames without IP, or of a link type that is not decoded", SRC_LINK)                        \
    X(FRAGMENTS, "fragments", "packets", LOG, 1e6, 1, "IP fragments", SRC_LINK)                    \
    X(SYN, "syn", "packets", LOG, 1e7, 1, "SYN without ACK", SRC_LINK)                             \
    X(SYN_ACK, "syn_ack", "packets", LOG, 1e7, 1, "SYN with ACK", SRC_LINK)                        \
    X(RST, "rst", "packets", LOG, 1e7, 1, "packets with RST", SRC_LINK)                            \
    X(FIN, "fin", "packets", LOG, 1e7, 1, "packets with FIN", SRC_LINK)                            \
    X(SYN_SHARE, "syn_share", "1", LINEAR, 1, 1, "syn / tcp", SRC_LINK)                            \
    X(SYN_ACK_RATIO, "syn_ack_ratio", "1", LINEAR, 1, 1, "syn_ack / syn, 1 at most", SRC_LINK)     \
    X(RST_SHARE, "rst_share", "1", LINEAR, 1, 1, "rst / tcp", SRC_LINK)                            \
    X(FIN_SHARE, "fin_share", "1", LINEAR, 1, 1, "fin / tcp", SRC_LINK)                            \
    X(FLOWS_BEGUN, "flows_begun", "flows", LOG, 1e7, 1,                                            \
      "flows begun, also those that the table had no room for", SRC_LINK)                          \
    X(FLOWS_ENDED, "flows_ended", "flows", LOG, 1e7, 1,                                            \
      "flows whose end was noticed, by close, timeout or eviction", SRC_LINK)                      \
    X(UNANSWERED_SHARE, "unanswered_share", "1", LINEAR, 1, 1,                                     \
      "(flows begun - flows first answered) / flows begun, 0 at least", SRC_LINK)                  \
    X(SOURCES, "sources", "hosts", LOG, 1e6, 1, "distinct initiators, HyperLogLog of 512",         \
      SRC_SKETCH)                                                                                  \
    X(DESTINATIONS, "destinations", "hosts", LOG, 1e6, 1,                                          \
      "distinct responders, HyperLogLog of 512", SRC_SKETCH)                                       \
    X(ENTROPY_SOURCE, "entropy_src", "bit", LINEAR, 8, 1,                                          \
      "entropy of initiators over 256 classes of a hash", SRC_SKETCH)                              \
    X(ENTROPY_DESTINATION, "entropy_dst", "bit", LINEAR, 8, 1,                                     \
      "entropy of responders over 256 classes of a hash", SRC_SKETCH)                              \
    X(ENTROPY_PORT, "entropy_dst_port", "bit", LINEAR, 8, 1,                                       \
      "entropy of responders' ports over 256 classes of a hash", SRC_SKETCH)                       \
    X(DNS_QUERIES, "dns_queries", "messages", LOG, 1e6, 1, "DNS queries", SRC_LINK)                \
    X(DNS_ERRORS, "dns_errors", "messages", LOG, 1e6, 1, "DNS responses with an error code",       \
      SRC_LINK)                                                                                    \
    X(DNS_ERROR_SHARE, "dns_error_share", "1", LINEAR, 1, 1, "dns_errors / DNS responses",         \
      SRC_LINK)                                                                                    \
    X(DNS_NAME_MEAN, "dns_name_mean", "bytes", LINEAR, 253, 1,                                     \
      "mean length of the names asked for, queries and responses", SRC_LINK)                       \
    X(GTPC, "gtpc", "messages", LOG, 1e6, 1, "GTP-C messages, versions 1 and 2", SRC_LINK)         \
    X(GTPC_ERRORS, "gtpc_errors", "messages", LOG, 1e6, 1, "GTP-C causes that refuse", SRC_LINK)   \
    X(GTPU, "gtpu", "messages", LOG, 1e8, 10, "GTP-U messages, subscribers' packets too",          \
      SRC_LINK)                                                                                    \
    X(GTPU_ERRORS, "gtpu_errors", "messages", LOG, 1e6, 1, "GTP-U error indications", SRC_LINK)    \
    X(PFCP, "pfcp", "messages", LOG, 1e6, 1, "PFCP messages", SRC_LINK)                            \
    X(PFCP_ERRORS, "pfcp_errors", "messages", LOG, 1e6, 1, "PFCP causes that refuse", SRC_LINK)    \
    X(DIAMETER, "diameter", "messages", LOG, 1e6, 1, "Diameter messages", SRC_LINK)                \
    X(DIAMETER_ERRORS, "diameter_errors", "messages", LOG, 1e6, 1,                                 \
      "Diameter results of 3000 and above", SRC_LINK)                                              \
    X(NGAP, "ngap", "messages", LOG, 1e6, 1, "NGAP messages", SRC_LINK)                            \
    X(NGAP_ERRORS, "ngap_errors", "messages", LOG, 1e6, 1, "NGAP unsuccessful outcomes", SRC_LINK) \
    X(MALFORMED, "malformed", "packets", LOG, 1e6, 1,                                              \
      "frames truncated, contradictory or nested too deep", SRC_LINK)                              \
    X(DROPS, "drops", "packets", LOG, 1e7, 1,                                                      \
      "packets lost before they reached us, or for which we had no room", SRC_LINK)

#define LINK_ENUM(id, ...) LINK_##id,
enum link_column { LINK_COLUMNS(LINK_ENUM) LINK_COLUMN_COUNT };
#undef LINK_ENUM

#endif
