/* SPDX-License-Identifier: Apache-2.0 */
/* place: who lives where. A pure function of seed and number: habits need no memory. */
#ifndef TRAF_PLACE_PRIV_H
#define TRAF_PLACE_PRIV_H

#include "traffic/sim_priv.h"

#define TRAF_SERVERS          4000u
#define TRAF_FIRST_SUBSCRIBER 64u /* 10.<site>.0.64 */
#define TRAF_NAME_BYTES       254u

/* Numbers of the site's own machines, below the subscribers. */
enum traf_machine {
    TRAF_WEB_SERVER = 10,
    TRAF_SSH_SERVER = 22,
    TRAF_MAIL_RELAY = 25,
    TRAF_CRAWLER = 30,
    TRAF_NAT_GATEWAY = 31,
    TRAF_RESOLVER = 53,
    TRAF_MONITOR = 61,
};

struct traf_host {
    uint32_t number;
    uint8_t addr4[4], addr6[16];
    uint16_t vlan;
    uint8_t ttl;
    bool has_v6, stamps; /* stamps: sends TCP timestamps */
    uint16_t window;
    uint32_t rtt_us;
    double down_bps, up_bps;
};

struct traf_server {
    uint32_t rank;
    uint8_t addr4[4], addr6[16];
    uint8_t ttl;
    bool has_v6;
    uint32_t rtt_us;
    double bps;
};

uint64_t traf_hash(const struct traf_sim *sim, uint32_t what, uint32_t a, uint32_t b);

void traf_host_make(const struct traf_sim *sim, uint32_t number, struct traf_host *host);
/** A subscriber; a few are far busier than the rest, each has services it likes. */
void traf_host_pick(struct traf_sim *sim, struct atl_rng *rng, uint32_t service,
                    struct traf_host *host);
void traf_server_make(const struct traf_sim *sim, uint32_t rank, struct traf_server *server);
/** Half the time one of the host's own favourites, else by popularity. */
void traf_server_pick(struct traf_sim *sim, struct atl_rng *rng, const struct traf_host *host,
                      struct traf_server *server);
/** A server with a known address and no place in the ranking (resolver, proxy, attacker). */
void traf_server_fixed(const struct traf_sim *sim, uint32_t addr4, struct traf_server *server);
/** Two resolvers of the operator. */
void traf_resolver_make(const struct traf_sim *sim, uint32_t which, struct traf_server *server);
/** www3.lorena.example and the like, always the same for a rank; at most 60 letters. */
void traf_server_name(const struct traf_sim *sim, uint32_t rank, char out[TRAF_NAME_BYTES]);

/** A client port as Linux (low) or the others draw it, stepping over ports that are registered. */
uint16_t traf_ephemeral(struct atl_rng *rng, bool low);

/** Host speaks first from an ephemeral port. */
void traf_path_out(struct traf_sim *sim, struct traf_flow *flow, const struct traf_host *host,
                   const struct traf_server *server, uint16_t port);
/** Server speaks first: somebody outside calls a machine of the site. */
void traf_path_in(struct traf_sim *sim, struct traf_flow *flow, const struct traf_host *host,
                  const struct traf_server *server, uint16_t port);

#define TRAF_IP4(a, b, c, d) \
    ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

#endif
