/* SPDX-License-Identifier: Apache-2.0 */
/* same_capture: our reading of a capture file beside libpcap's own, packet by packet. */
#ifndef TEST_DP_SAME_CAPTURE_H
#define TEST_DP_SAME_CAPTURE_H

#include <pcap/pcap.h>
#include <stdio.h>
#include <string.h>

#include "dataplane/capture_pcap_priv.h"
#include "dataplane/decode_priv.h"
#include "dataplane/source_priv.h"

static inline bool same_frame(const struct dp_frame *ours, const struct pcap_pkthdr *header,
                              const u_char *data, uint32_t link)
{
    struct dp_frame theirs = dp_pcap_frame(header, data, link);
    return ours->captured == theirs.captured && ours->wire == theirs.wire && ours->link == link &&
           ours->ts_ns == theirs.ts_ns && memcmp(ours->data, data, ours->captured) == 0;
}

/* @return NULL, or what differs */
static inline const char *same_packets(struct dp_source *source, pcap_t *pcap, uint32_t burst)
{
    struct dp_frame frames[DP_BURST];
    struct pcap_pkthdr *header;
    const u_char *data;
    uint32_t n, link = (uint32_t)pcap_datalink(pcap);
    while ((n = source->ops->burst(source, frames, burst)) > 0) {
        if (n > burst)
            return "more frames than asked for";
        for (uint32_t i = 0; i < n; i++)
            if (pcap_next_ex(pcap, &header, &data) != 1 ||
                !same_frame(&frames[i], header, data, link))
                return "another packet";
        source->ops->release(source);
    }
    int r = pcap_next_ex(pcap, &header, &data);
    if (source->state == DP_SOURCE_END)
        return r == PCAP_ERROR_BREAK ? NULL : "an end where libpcap finds none";
    if (source->state != DP_SOURCE_FAILED || r != PCAP_ERROR)
        return "another outcome";
    if (strstr(source->error.text, pcap_geterr(pcap)) != NULL)
        return NULL;
    fprintf(stderr, "%s: %s\n", source->error.text, pcap_geterr(pcap));
    return "another complaint";
}

/**
 * @param theirs  the same file, plain and seekable, for libpcap
 * @return NULL, or what differs
 */
static inline const char *same_capture(const char *ours, const char *theirs, uint32_t burst)
{
    char why[PCAP_ERRBUF_SIZE] = "";
    struct atl_error err = {""};
    struct dp_source *source;
    pcap_t *pcap = pcap_open_offline_with_tstamp_precision(theirs, PCAP_TSTAMP_PRECISION_NANO, why);
    int r = dp_source_open_file(&source, ours, &err);
    const char *differs = NULL;
    if (pcap == NULL && r == 0)
        differs = "libpcap refuses it";
    else if (pcap == NULL)
        differs = strstr(err.text, why) != NULL ? NULL : "another refusal";
    else if (r < 0) /* the one thing we refuse and libpcap does not */
        differs = pcap_datalink_val_to_name(pcap_datalink(pcap)) == NULL &&
                          !dp_decode_knows_link((uint32_t)pcap_datalink(pcap))
                      ? NULL
                      : "we refuse it";
    else
        differs = same_packets(source, pcap, burst);
    if (r == 0)
        dp_source_close(source);
    if (pcap != NULL)
        pcap_close(pcap);
    return differs;
}

/** A classic capture in every form that its writer may choose. */
struct capture_form {
    uint32_t magic, snap_bytes, link;
    bool swapped;
};

static inline void put_word(FILE *file, const struct capture_form *form, uint32_t n)
{
    uint32_t word = form->swapped ? __builtin_bswap32(n) : n;
    fwrite(&word, sizeof(word), 1, file);
}

static inline void put_header(FILE *file, const struct capture_form *form)
{
    uint32_t version = form->swapped ? 0x00020004 : 0x00040002;
    put_word(file, form, form->magic);
    put_word(file, form, version);
    put_word(file, form, 0);
    put_word(file, form, 0);
    put_word(file, form, form->snap_bytes);
    put_word(file, form, form->link);
}

static inline void put_record(FILE *file, const struct capture_form *form, uint32_t seconds,
                              uint32_t fraction, uint32_t stored, uint32_t wire)
{
    put_word(file, form, seconds);
    put_word(file, form, fraction);
    put_word(file, form, stored);
    put_word(file, form, wire);
    for (uint32_t i = 0; i < stored; i++)
        fputc((int)(i * 7 + fraction) & 0xff, file);
}

#endif
