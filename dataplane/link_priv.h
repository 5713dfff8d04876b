/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link: what one worker sees in each second.
 *
 * The worker fills the second at hand with plain integers and puts it into a ring when the next one
 * begins. What is counted elsewhere already (reasons, encapsulations, telecom messages) costs a
 * packet nothing: a second takes the difference.
 */
#ifndef DP_LINK_PRIV_H
#define DP_LINK_PRIV_H

#include "dataplane/packet_priv.h"
#include "dataplane/telecom_priv.h"

#define DP_LINKS_SLOTS 128
/** Seconds that may end in one poll. */
#define DP_LINKS_STEP 66

/** Sums kept elsewhere, as they stood when the second began. */
struct dp_links_since {
    uint64_t reasons[DP_REASON_COUNT];
    uint64_t fragments, gtpu;
    uint64_t messages[DP_TELECOM_COUNT], errors[DP_TELECOM_COUNT];
};

struct dp_links {
    atl_ns begin_ns;  /* of the second at hand */
    atl_ns length_ns; /* of it: 0 while there is none */
    atl_ns due_ns;    /* the worker's clock at which it is over though no packet has come */
    bool file;
    uint32_t flags[32]; /* packets by FIN, SYN, RST, PSH, ACK */
    uint32_t protocols[256];
    struct dp_link at;
    struct dp_links_since since;
    struct atl_ring *ring; /* of struct dp_link */
    struct atl_hash_key key;
};

/** @param key  NULL: the same in every run.  @return 0, -ENOMEM */
int dp_links_create(struct dp_links **ret_links, const struct atl_hash_key *key);
void dp_links_destroy(struct dp_links *links); /* NULL is fine */
uint64_t dp_links_bytes(void);

/** Put away the second at hand, if there is one. */
void dp_links_close(struct dp_links *links, const struct dp_telecom *telecom,
                    const atl_counter encaps[DP_ENCAP_COUNT],
                    const atl_counter reasons[DP_REASON_COUNT]);
/** Begin the second of time_ns. @param clock_ns  the worker's, which ends the second in silence */
void dp_links_open(struct dp_links *links, atl_ns time_ns, atl_ns clock_ns, bool file);
/** True when a packet of another time belongs to the second at hand all the same. */
bool dp_links_is_late(const struct dp_links *links, atl_ns time_ns);
bool dp_links_has_room(const struct dp_links *links);

/** A flow has begun. @param from  which endpoint of the key is the initiator */
void dp_links_begun(struct dp_links *links, const struct dp_packet *p, unsigned from);

static inline bool dp_links_is_over(const struct dp_links *links, atl_ns time_ns)
{
    return time_ns - links->begin_ns >= links->length_ns;
}

static inline void dp_links_dns(struct dp_link *at, const struct dp_dns_seen *dns)
{
    at->counts[DP_LINK_DNS_QUERIES] += (dns->what & DP_DNS_QUERY) != 0;
    at->counts[DP_LINK_DNS_RESPONSES] += (dns->what & DP_DNS_RESPONSE) != 0;
    at->counts[DP_LINK_DNS_FAILED] += (dns->what & DP_DNS_FAILED) != 0;
    at->counts[DP_LINK_DNS_NAMES] += (dns->what & DP_DNS_NAMED) != 0;
    at->counts[DP_LINK_DNS_NAME_BYTES] += dns->name_bytes; /* 0 of a name that is not there */
}

/** @param p  NULL: the frame was not decoded */
static inline void dp_links_frame(struct dp_links *links, uint32_t wire, const struct dp_packet *p)
{
    struct dp_link *at = &links->at;
    at->counts[DP_LINK_PACKETS]++;
    at->counts[DP_LINK_BYTES] += wire;
    if (p == NULL)
        return;
    links->protocols[p->key.proto]++;
    links->flags[p->tcp_flags & 31]++;
    at->counts[DP_LINK_IPV6] += !dp_addr_is_mapped(&p->key.addr[0]);
    if (ATL_UNLIKELY(p->dns.what != 0))
        dp_links_dns(at, &p->dns);
}

#endif
