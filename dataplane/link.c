/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/link_priv.h"

#include <errno.h>
#include <stdlib.h>

/* A port's clock that is set back by less than this only makes packets late. */
#define LATE_NS (2 * ATL_NS_PER_S)
/* What a port's packets may need from the card to us. */
#define SLACK_NS (50 * ATL_NS_PER_MS)

int dp_links_create(struct dp_links **ret_links, const struct atl_hash_key *key)
{
    struct dp_links *links = calloc(1, sizeof(*links));
    if (links == NULL)
        return -ENOMEM;
    int r = atl_ring_create(&links->ring, DP_LINKS_SLOTS, sizeof(struct dp_link));
    if (r < 0) {
        free(links);
        return r;
    }
    links->due_ns = UINT64_MAX;
    links->key = key != NULL ? *key : (struct atl_hash_key){1, 2};
    *ret_links = links;
    return 0;
}

void dp_links_destroy(struct dp_links *links)
{
    if (links == NULL)
        return;
    atl_ring_destroy(links->ring);
    free(links);
}

uint64_t dp_links_bytes(void)
{
    return sizeof(struct dp_links) + DP_LINKS_SLOTS * sizeof(struct dp_link);
}

bool dp_links_has_room(const struct dp_links *links)
{
    return DP_LINKS_SLOTS - atl_ring_used(links->ring) >= DP_LINKS_STEP;
}

/* --- seconds --- */

static uint64_t advance(uint64_t *since, uint64_t now)
{
    uint64_t more = now - *since;
    *since = now;
    return more;
}

static void count_flags(struct dp_links *links)
{
    static const struct {
        unsigned mask, value;
        enum dp_link_count count;
    } kinds[] = {
        {1U << DP_SYN | 1U << DP_ACK, 1U << DP_SYN, DP_LINK_SYN},
        {1U << DP_SYN | 1U << DP_ACK, 1U << DP_SYN | 1U << DP_ACK, DP_LINK_SYN_ACK},
        {1U << DP_RST, 1U << DP_RST, DP_LINK_RST},
        {1U << DP_FIN, 1U << DP_FIN, DP_LINK_FIN},
    };
    for (unsigned flags = 0; flags < ATL_ARRAY_LEN(links->flags); flags++)
        for (size_t i = 0; i < ATL_ARRAY_LEN(kinds); i++)
            if ((flags & kinds[i].mask) == kinds[i].value)
                links->at.counts[kinds[i].count] += links->flags[flags];
    memset(links->flags, 0, sizeof(links->flags));
}

static enum dp_link_count count_of(unsigned protocol)
{
    switch (protocol) {
    case DP_PROTO_TCP:
        return DP_LINK_TCP;
    case DP_PROTO_UDP:
        return DP_LINK_UDP;
    case DP_PROTO_ICMP:
    case DP_PROTO_ICMPV6:
        return DP_LINK_ICMP;
    case DP_PROTO_SCTP:
        return DP_LINK_SCTP;
    default:
        return DP_LINK_OTHER;
    }
}

static void count_protocols(struct dp_links *links)
{
    for (unsigned i = 0; i < ATL_ARRAY_LEN(links->protocols); i++)
        if (links->protocols[i] != 0)
            links->at.counts[count_of(i)] += links->protocols[i];
    memset(links->protocols, 0, sizeof(links->protocols));
}

static void count_reasons(struct dp_links *links, const atl_counter reasons[DP_REASON_COUNT])
{
    static const enum dp_link_count counts[DP_REASON_COUNT] = {
        [DP_REASON_TRUNCATED] = DP_LINK_MALFORMED,   [DP_REASON_BAD_HEADER] = DP_LINK_MALFORMED,
        [DP_REASON_NOT_IP] = DP_LINK_NO_IP,          [DP_REASON_LINK_TYPE] = DP_LINK_NO_IP,
        [DP_REASON_DEPTH] = DP_LINK_MALFORMED,       [DP_REASON_TABLE_FULL] = DP_LINK_DROPPED,
        [DP_REASON_HANDOVER_FULL] = DP_LINK_DROPPED,
    };
    for (size_t i = 0; i < DP_REASON_COUNT; i++)
        links->at.counts[counts[i]] +=
            advance(&links->since.reasons[i], atl_counter_get(&reasons[i]));
}

static void count_telecom(struct dp_links *links, const struct dp_telecom *telecom)
{
    for (size_t i = 0; i < DP_TELECOM_COUNT; i++) {
        links->at.messages[i] += advance(&links->since.messages[i], telecom->messages[i]);
        links->at.errors[i] += advance(&links->since.errors[i], telecom->errors[i]);
    }
}

void dp_links_close(struct dp_links *links, const struct dp_telecom *telecom,
                    const atl_counter encaps[DP_ENCAP_COUNT],
                    const atl_counter reasons[DP_REASON_COUNT])
{
    struct dp_link *at = &links->at;
    if (links->length_ns == 0)
        return;
    count_flags(links);
    count_protocols(links);
    count_reasons(links, reasons);
    count_telecom(links, telecom);
    at->counts[DP_LINK_FRAGMENTS] +=
        advance(&links->since.fragments, atl_counter_get(&encaps[DP_ENCAP_FRAGMENT]));
    at->messages[DP_TELECOM_GTPU] +=
        advance(&links->since.gtpu, atl_counter_get(&encaps[DP_ENCAP_GTPU]));
    links->length_ns = 0;
    links->due_ns = UINT64_MAX;
    struct dp_link *slot = atl_ring_reserve(links->ring);
    if (slot == NULL) /* nobody takes them: what was counted goes on into the next second */
        return;
    *slot = *at;
    atl_ring_commit(links->ring);
    memset(at, 0, sizeof(*at));
}

void dp_links_open(struct dp_links *links, atl_ns time_ns, atl_ns clock_ns, bool file)
{
    links->at.second = time_ns / ATL_NS_PER_S;
    links->begin_ns = links->at.second * ATL_NS_PER_S;
    links->length_ns = ATL_NS_PER_S;
    links->file = file;
    /* A file's clock may be ahead of the packet already, with the rest of a batch. */
    atl_ns from_ns = file ? links->begin_ns : clock_ns;
    atl_ns left_ns = file ? ATL_NS_PER_S : ATL_NS_PER_S - (time_ns - links->begin_ns) + SLACK_NS;
    links->due_ns = from_ns < UINT64_MAX - left_ns ? from_ns + left_ns : UINT64_MAX;
}

bool dp_links_is_late(const struct dp_links *links, atl_ns time_ns)
{
    return links->length_ns != 0 && time_ns < links->begin_ns &&
           (links->file || links->begin_ns - time_ns < LATE_NS);
}

/* --- sketches --- */

/* HyperLogLog (Flajolet et al. 2007): the register keeps the longest run of zeros. */
static void note_distinct(uint8_t registers[DP_LINK_REGISTERS], uint64_t hash)
{
    uint64_t rest = hash / DP_LINK_REGISTERS;
    uint8_t rank = (uint8_t)(__builtin_ctzll(rest | UINT64_C(1) << 54) + 1);
    uint8_t *at = &registers[hash % DP_LINK_REGISTERS];
    if (rank > *at)
        *at = rank;
}

void dp_links_begun(struct dp_links *links, const struct dp_packet *p, unsigned from)
{
    struct dp_link *at = &links->at;
    const struct dp_addr *source = &p->key.addr[from], *target = &p->key.addr[from ^ 1];
    uint64_t s = atl_hash(&links->key, source, sizeof(*source));
    uint64_t t = atl_hash(&links->key, target, sizeof(*target));
    uint64_t port = atl_hash(&links->key, &p->key.port[from ^ 1], sizeof(uint16_t));
    at->counts[DP_LINK_BEGUN]++;
    note_distinct(at->sources, s);
    note_distinct(at->destinations, t);
    at->by_source[s % DP_LINK_CLASSES]++;
    at->by_destination[t % DP_LINK_CLASSES]++;
    at->by_port[port % DP_LINK_CLASSES]++;
}

/* Sums of integers and the larger of two registers: the order of workers and seconds is all one. */
void dp_link_add(struct dp_link *sum, const struct dp_link *more)
{
    for (size_t i = 0; i < DP_LINK_COUNT; i++)
        sum->counts[i] += more->counts[i];
    for (size_t i = 0; i < DP_TELECOM_COUNT; i++) {
        sum->messages[i] += more->messages[i];
        sum->errors[i] += more->errors[i];
    }
    for (size_t i = 0; i < DP_LINK_REGISTERS; i++) {
        if (more->sources[i] > sum->sources[i])
            sum->sources[i] = more->sources[i];
        if (more->destinations[i] > sum->destinations[i])
            sum->destinations[i] = more->destinations[i];
    }
    for (size_t i = 0; i < DP_LINK_CLASSES; i++) {
        sum->by_source[i] += more->by_source[i];
        sum->by_destination[i] += more->by_destination[i];
        sum->by_port[i] += more->by_port[i];
    }
}
