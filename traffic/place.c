/* SPDX-License-Identifier: Apache-2.0 */
#include "traffic/place_priv.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { HASH_HOST = 1, HASH_SERVER, HASH_TASTE, HASH_FAVOURITE, HASH_NAME };

uint64_t traf_hash(const struct traf_sim *sim, uint32_t what, uint32_t a, uint32_t b)
{
    uint8_t text[12];
    traf_put32(text, what);
    traf_put32(text + 4, a);
    traf_put32(text + 8, b);
    return atl_hash(&sim->habits, text, sizeof(text));
}

/* Access line by profile: round trip to the edge in ms, speed in Mbit/s (least … most). */
static const struct {
    double rtt_low, rtt_high, down_low, down_high, up_share, v6_share, windows_share;
} lines[TRAF_PROFILE_COUNT] = {
    [TRAF_RESIDENTIAL] = {4, 24, 20, 300, 0.1, 0.55, 0.35},
    [TRAF_BUSINESS] = {0.6, 5, 50, 600, 0.8, 0.40, 0.70},
    [TRAF_MOBILE] = {22, 85, 3, 50, 0.25, 0.60, 0.02},
    [TRAF_IOT] = {25, 180, 0.3, 6, 0.5, 0.45, 0.0},
};

void traf_host_make(const struct traf_sim *sim, uint32_t number, struct traf_host *host)
{
    uint64_t h = traf_hash(sim, HASH_HOST, number, 0);
    uint64_t g = traf_hash(sim, HASH_HOST, number, 1);
    uint8_t site = (uint8_t)sim->cfg->site;
    bool machine = number < TRAF_FIRST_SUBSCRIBER;
    bool windows = !machine && traf_part(h, 0) < lines[sim->cfg->profile].windows_share;
    *host = (struct traf_host){
        .number = number,
        .addr4 = {10, site, (uint8_t)(number >> 8), (uint8_t)number},
        .addr6 = {0xfd, 0, 0, site},
        .ttl = windows ? 127 : 63,
        .has_v6 = machine ? number == TRAF_WEB_SERVER || number == TRAF_RESOLVER
                          : traf_part(h, 1) < lines[sim->cfg->profile].v6_share,
        .stamps = !windows,
        .window = windows                 ? 64240
                  : traf_part(h, 2) < 0.5 ? 65535
                                          : 29200,
    };
    traf_put32(host->addr6 + 12, number);
    traf_put32(host->addr6 + 8, machine ? 0 : (uint32_t)g | 2);
    if (sim->cfg->profile == TRAF_BUSINESS)
        host->vlan = (uint16_t)(machine ? 100 : 110 + number % 3);
    if (machine) {
        host->rtt_us = 150 + (uint32_t)(300 * traf_part(h, 3));
        host->down_bps = host->up_bps = 1e9;
        return;
    }
    double rtt = traf_part(g, 2), speed = traf_part(h, 3);
    double low = lines[sim->cfg->profile].rtt_low, high = lines[sim->cfg->profile].rtt_high;
    host->rtt_us = (uint32_t)(1000 * (low + (high - low) * rtt * rtt));
    double slow = lines[sim->cfg->profile].down_low, fast = lines[sim->cfg->profile].down_high;
    host->down_bps = 1e6 * slow * pow(fast / slow, speed);
    host->up_bps = host->down_bps * lines[sim->cfg->profile].up_share;
}

void traf_host_pick(struct traf_sim *sim, struct atl_rng *rng, uint32_t service,
                    struct traf_host *host)
{
    uint32_t n = sim->cfg->subscribers, index = 0;
    for (int tries = 0; tries < 6; tries++) {
        double u = atl_rng_unit(rng);
        index = (uint32_t)((double)n * u * sqrt(u)); /* density falls as index^(-1/3) */
        double taste = traf_part(traf_hash(sim, HASH_TASTE, index, service), 0);
        if (taste > 0.55)
            break;
    }
    if (index >= n)
        index = n - 1;
    traf_host_make(sim, TRAF_FIRST_SUBSCRIBER + index, host);
}

/* Servers live in ranges that can never be a real subscriber's: RFC 2544, RFC 5737, RFC 3849. */
static uint32_t server_addr4(uint64_t h)
{
    uint32_t low = (uint32_t)h;
    switch (h >> 60) {
    case 0:
        return TRAF_IP4(203, 0, 113, 100 + low % 150);
    case 1:
        return TRAF_IP4(198, 51, 100, 100 + low % 150);
    case 2:
        return TRAF_IP4(192, 0, 2, 100 + low % 150);
    default:
        return TRAF_IP4(198, 18, 2, 0) + low % (0x20000 - 0x400);
    }
}

static void server_fill(struct traf_server *server, uint64_t h, uint32_t addr4)
{
    traf_put32(server->addr4, addr4);
    static const uint8_t documentation[4] = {0x20, 0x01, 0x0d, 0xb8};
    memcpy(server->addr6, documentation, 4);
    traf_put32(server->addr6 + 4, (uint32_t)(h >> 24) & 0xff00ffffu);
    traf_put32(server->addr6 + 12, addr4);
    server->ttl = (uint8_t)(64 - 4 - (h >> 8) % 16);
    server->has_v6 = traf_part(h, 3) < 0.66;
}

void traf_server_make(const struct traf_sim *sim, uint32_t rank, struct traf_server *server)
{
    uint64_t h = traf_hash(sim, HASH_SERVER, rank, 0);
    *server = (struct traf_server){.rank = rank};
    server_fill(server, h, server_addr4(traf_hash(sim, HASH_SERVER, rank, 1)));
    /* what is popular is served from near */
    double far = rank < 60 ? 14.0 : rank < 600 ? 60.0 : 170.0;
    server->rtt_us = (uint32_t)(1000 * (2.0 + far * traf_part(h, 1) * (0.3 + traf_part(h, 2))));
    server->bps = 1e6 * (rank < 600 ? 400.0 : 40.0) * (0.2 + traf_part(h, 2));
}

void traf_server_pick(struct traf_sim *sim, struct atl_rng *rng, const struct traf_host *host,
                      struct traf_server *server)
{
    uint32_t rank = traf_zipf(rng, TRAF_SERVERS);
    if (host->number >= TRAF_FIRST_SUBSCRIBER && traf_chance(rng, 0.5)) {
        uint32_t which = traf_zipf(rng, 12);
        double u = traf_part(traf_hash(sim, HASH_FAVOURITE, host->number, which), 0);
        rank = (uint32_t)pow(TRAF_SERVERS, u) - 1;
    }
    traf_server_make(sim, rank, server);
}

void traf_server_fixed(const struct traf_sim *sim, uint32_t addr4, struct traf_server *server)
{
    uint64_t h = traf_hash(sim, HASH_SERVER, addr4, 2);
    *server = (struct traf_server){.rank = addr4 % TRAF_SERVERS};
    server_fill(server, h, addr4);
    server->rtt_us = 4000 + (uint32_t)(40000 * traf_part(h, 1));
    server->bps = 400e6;
}

void traf_resolver_make(const struct traf_sim *sim, uint32_t which, struct traf_server *server)
{
    traf_server_fixed(sim, TRAF_IP4(198, 18, which & 1, 53), server);
    server->rtt_us = 1500 + 700 * (which & 1);
    server->ttl = 62;
    server->has_v6 = true;
}

void traf_server_name(const struct traf_sim *sim, uint32_t rank, char out[TRAF_NAME_BYTES])
{
    static const char *const first[] = {"www",   "cdn",   "api", "img",  "static", "edge",
                                        "login", "media", "app", "data", "mail",   "news"};
    static const char *const parts[] = {"lo",  "re", "na", "vi", "to",  "mar", "sol", "cer",
                                        "pin", "da", "mo", "gu", "bel", "ti",  "ras", "oc"};
    uint64_t h = traf_hash(sim, HASH_NAME, rank, 0);
    char word[24] = "";
    size_t used = 0;
    uint32_t syllables = 2 + (h >> 40) % 3;
    for (uint32_t i = 0; i < syllables; i++)
        used += (size_t)snprintf(word + used, sizeof(word) - used, "%s", parts[h >> (4 * i) & 15]);
    uint32_t number = (uint32_t)(h >> 48) % 20;
    if (number < 8)
        snprintf(out, TRAF_NAME_BYTES, "%s%u.%s.example", first[(h >> 32) % 12], number, word);
    else
        snprintf(out, TRAF_NAME_BYTES, "%s.%s%u.example", first[(h >> 32) % 12], word, rank % 100);
}

uint16_t traf_ephemeral(struct atl_rng *rng, bool low)
{
    static const uint16_t registered[] = {
        34962, 34980, 37008, 41170, 44321, 44322, 44818, 45564, 47000, 47808, 48049, 48898,
        49999, 54328, 56000, 56001, 56500, 56501, 57000, 57001, 57032, 57033, 57500, 57501,
        57532, 57533, 59000, 59001, 59032, 59033, 59500, 59501, 59532, 59533, 60001,
    };
    uint32_t port = low ? 32768 + (uint32_t)atl_rng_below(rng, 28232)
                        : 49152 + (uint32_t)atl_rng_below(rng, 16384);
    for (size_t i = 0; i < ATL_ARRAY_LEN(registered); i++)
        if (port == registered[i])
            return (uint16_t)(port + 7); /* no other entry is seven above */
    return (uint16_t)port;
}

static void path_fill(struct traf_sim *sim, struct traf_flow *flow, const struct traf_host *host,
                      const struct traf_server *server, int inside)
{
    struct traf_path *path = &flow->path;
    path->v6 = host->has_v6 && server->has_v6;
    path->inside = (uint8_t)inside;
    path->site = (uint8_t)sim->cfg->site;
    path->vlan = host->vlan;
    path->ttl[inside] = host->ttl;
    path->ttl[!inside] = server->ttl;
    memcpy(path->addr[inside], path->v6 ? host->addr6 : host->addr4, path->v6 ? 16 : 4);
    memcpy(path->addr[!inside], path->v6 ? server->addr6 : server->addr4, path->v6 ? 16 : 4);
    path->port[0] = traf_ephemeral(flow->rng, host->ttl == 63 && host->number % 2 == 0);
}

void traf_path_out(struct traf_sim *sim, struct traf_flow *flow, const struct traf_host *host,
                   const struct traf_server *server, uint16_t port)
{
    path_fill(sim, flow, host, server, 0);
    flow->path.port[1] = port;
}

void traf_path_in(struct traf_sim *sim, struct traf_flow *flow, const struct traf_host *host,
                  const struct traf_server *server, uint16_t port)
{
    path_fill(sim, flow, host, server, 1);
    flow->path.port[1] = port;
}
