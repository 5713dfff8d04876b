/* SPDX-License-Identifier: Apache-2.0 */
/* capture_pcap: what files and live interfaces share. */
#ifndef DP_CAPTURE_PCAP_PRIV_H
#define DP_CAPTURE_PCAP_PRIV_H

#include <pcap/pcap.h>

#include "dataplane/packet_priv.h"

/** The latest time that a record can hold with room for a timeout: the year 2262. */
#define DP_TIME_MAX_S 9223372035LL

/** Hostile files have negative and impossible times: they are moved to the nearest possible one. */
static inline atl_ns dp_pcap_time_ns(int64_t seconds, int64_t nanoseconds)
{
    if (seconds < 0)
        return 0;
    if (seconds > DP_TIME_MAX_S)
        seconds = DP_TIME_MAX_S;
    if (nanoseconds < 0)
        nanoseconds = 0;
    if (nanoseconds >= (int64_t)ATL_NS_PER_S)
        nanoseconds = (int64_t)ATL_NS_PER_S - 1;
    return (atl_ns)seconds * ATL_NS_PER_S + (atl_ns)nanoseconds;
}

/** For a handle with nanosecond precision. */
static inline struct dp_frame dp_pcap_frame(const struct pcap_pkthdr *header, const u_char *data,
                                            uint32_t link)
{
    return (struct dp_frame){
        .data = data,
        .captured = header->caplen,
        .wire = header->len > header->caplen ? header->len : header->caplen,
        .link = link,
        .ts_ns = dp_pcap_time_ns(header->ts.tv_sec, header->ts.tv_usec),
    };
}

#endif
