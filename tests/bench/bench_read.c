/* SPDX-License-Identifier: Apache-2.0 */
/* The bare read loop: what libpcap alone needs for a capture file. Usage: bench_read FILE */
#include <pcap/pcap.h>
#include <stdio.h>

#include "tests/bench/cycles.h"

int main(int argc, char **argv)
{
    char why[PCAP_ERRBUF_SIZE] = "no file named";
    pcap_t *pcap = argc == 2 ? pcap_open_offline(argv[1], why) : NULL;
    if (pcap == NULL) {
        fprintf(stderr, "bench_read: %s\n", why);
        return 1;
    }
    struct pcap_pkthdr *header;
    const u_char *data;
    uint64_t packets = 0, bytes = 0, first = 0;
    struct bench_time from = bench_now();
    while (pcap_next_ex(pcap, &header, &data) == 1) {
        packets++;
        bytes += header->caplen;
        first += header->caplen > 0 ? data[0] : 0; /* touch it, as any user would */
    }
    struct bench_time to = bench_now();
    pcap_close(pcap);
    printf("%llu packets, %llu bytes (sum %llu), %.3f s, %.0f cycles/packet\n",
           (unsigned long long)packets, (unsigned long long)bytes, (unsigned long long)first,
           to.seconds - from.seconds, (to.cycles - from.cycles) / (double)packets);
    return 0;
}
