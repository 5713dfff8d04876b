/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "dataplane/evidence_priv.h"

/* Block types and options of draft-ietf-opsawg-pcapng-02, §4. */
enum {
    BLOCK_SECTION = 0x0a0d0d0a,
    BLOCK_INTERFACE = 1,
    BLOCK_PACKET = 6,
    ORDER_MAGIC = 0x1a2b3c4d,
    OPTION_TSRESOL = 9,
    NANOSECONDS = 9, /* a power of ten */
    SECTION_BYTES = 28,
    INTERFACE_BYTES = 32,
    PACKET_BYTES = 32, /* without the packet */
    LINKS_MAX = 16,
    LINKTYPE_RAW = 101,
    DLT_RAW_LINUX = 12,
    DLT_RAW_OPENBSD = 14,
};

struct writer {
    uint8_t *data;
    size_t n;
};

static void put16(struct writer *w, uint16_t v)
{
    memcpy(w->data + w->n, &v, sizeof(v));
    w->n += sizeof(v);
}

static void put32(struct writer *w, uint32_t v)
{
    memcpy(w->data + w->n, &v, sizeof(v));
    w->n += sizeof(v);
}

static void put_section(struct writer *w)
{
    put32(w, BLOCK_SECTION);
    put32(w, SECTION_BYTES);
    put32(w, ORDER_MAGIC);
    put16(w, 1);
    put16(w, 0);
    put32(w, UINT32_MAX); /* the section's length is not told */
    put32(w, UINT32_MAX);
    put32(w, SECTION_BYTES);
}

static void put_interface(struct writer *w, uint32_t link, uint32_t snap)
{
    put32(w, BLOCK_INTERFACE);
    put32(w, INTERFACE_BYTES);
    /* The one link type whose number in files differs from that of live captures. */
    bool raw = link == DLT_RAW_LINUX || link == DLT_RAW_OPENBSD;
    put16(w, (uint16_t)(raw ? LINKTYPE_RAW : link));
    put16(w, 0);
    put32(w, snap);
    put16(w, OPTION_TSRESOL);
    put16(w, 1);
    put32(w, 0); /* one byte, padded */
    w->data[w->n - 4] = NANOSECONDS;
    put32(w, 0); /* end of options */
    put32(w, INTERFACE_BYTES);
}

static void put_packet(struct writer *w, const struct dp_evidence_packet *p, const uint8_t *data,
                       uint32_t interface)
{
    uint32_t padded = (p->captured + 3) & ~UINT32_C(3);
    put32(w, BLOCK_PACKET);
    put32(w, PACKET_BYTES + padded);
    put32(w, interface);
    put32(w, (uint32_t)(p->ts_ns >> 32));
    put32(w, (uint32_t)p->ts_ns);
    put32(w, p->captured);
    put32(w, p->wire);
    memcpy(w->data + w->n, data, p->captured);
    memset(w->data + w->n + p->captured, 0, padded - p->captured);
    w->n += padded;
    put32(w, PACKET_BYTES + padded);
}

static int by_time(const void *a, const void *b)
{
    const struct dp_evidence_packet *x = a, *y = b;
    if (x->ts_ns != y->ts_ns)
        return x->ts_ns < y->ts_ns ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

/* @return the link type's place in the list, where it is put if it is new */
static uint32_t interface_of(uint32_t links[LINKS_MAX], uint32_t *n, uint32_t link)
{
    uint32_t i = 0;
    while (i < *n && links[i] != link)
        i++;
    if (i == *n && *n < LINKS_MAX)
        links[(*n)++] = link;
    return i < LINKS_MAX ? i : 0;
}

int dp_slice_pcapng(struct dp_slice *s, uint32_t snap_bytes, uint8_t **ret_data, size_t *ret_bytes)
{
    uint32_t links[LINKS_MAX], n_links = 0;
    size_t bytes = SECTION_BYTES + (size_t)LINKS_MAX * INTERFACE_BYTES;
    for (size_t i = 0; i < s->count; i++)
        bytes += PACKET_BYTES + s->packets[i].captured + 3;
    struct writer w = {.data = malloc(bytes)};
    if (w.data == NULL)
        return -ENOMEM;
    if (s->count > 0)
        qsort(s->packets, s->count, sizeof(s->packets[0]), by_time);
    for (size_t i = 0; i < s->count; i++)
        interface_of(links, &n_links, s->packets[i].link);
    put_section(&w);
    for (uint32_t i = 0; i < n_links; i++)
        put_interface(&w, links[i], snap_bytes);
    for (size_t i = 0; i < s->count; i++)
        put_packet(&w, &s->packets[i], s->data + s->packets[i].at,
                   interface_of(links, &n_links, s->packets[i].link));
    *ret_data = w.data;
    *ret_bytes = w.n;
    return 0;
}
