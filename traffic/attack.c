/* SPDX-License-Identifier: Apache-2.0 */
#include "traffic/attack_priv.h"

#include <arpa/inet.h>
#include <string.h>

#include "traffic/dns_priv.h"
#include "traffic/talk_priv.h"

/* Mirrors of real captures: an SSH guesser needs some twenty packets a try, a beacon not many
 * fewer. */
/* clang-format off */
enum { TOUCH, GUESS, CALL_HOME, UPLOAD };
static const struct traf_script scripts[] = {
    [TOUCH] = {TRAF_OPAQUE, {TRAF_FIXED, 0, 0, 0}, {TRAF_FIXED, 0, 0, 0}, {TRAF_FIXED, 0, 0, 0},
               {TRAF_FIXED, 0, 0, 0}, {TRAF_FIXED, 0, 0, 0}, {TRAF_FIXED, 0.001, 0, 0}, 1},
    [GUESS] = {TRAF_SSH, {TRAF_UNIFORM, 2, 3, 0}, {TRAF_UNIFORM, 64, 96, 0}, {TRAF_UNIFORM, 44, 60, 0},
               {TRAF_LOGNORMAL, 0.05, 0.8, 2}, {TRAF_LOGNORMAL, 0.01, 0.5, 1}, {TRAF_FIXED, 0.01, 0, 0}, 0.1},
    [CALL_HOME] = {TRAF_TLS, {TRAF_FIXED, 1, 0, 0}, {TRAF_UNIFORM, 240, 270, 0}, {TRAF_UNIFORM, 150, 190, 0},
                   {TRAF_LOGNORMAL, 0.01, 0.4, 1}, {TRAF_FIXED, 0, 0, 0}, {TRAF_FIXED, 0.01, 0, 0}, 0},
    [UPLOAD] = {TRAF_TLS, {TRAF_FIXED, 1e6, 0, 0}, {TRAF_UNIFORM, 1e6, 4e6, 0}, {TRAF_FIXED, 180, 0, 0},
                {TRAF_FIXED, 0.02, 0, 0}, {TRAF_UNIFORM, 0.01, 0.1, 0}, {TRAF_FIXED, 0, 0, 0}, 0},
};
/* clang-format on */

static atl_ns horizontal_scan(struct traf_sim *sim, struct traf_flow *flow);
static atl_ns vertical_scan(struct traf_sim *sim, struct traf_flow *flow);
static atl_ns syn_flood(struct traf_sim *sim, struct traf_flow *flow);
static atl_ns udp_flood(struct traf_sim *sim, struct traf_flow *flow);
static atl_ns icmp_flood(struct traf_sim *sim, struct traf_flow *flow);
static atl_ns session_attack(struct traf_sim *sim, struct traf_flow *flow);
static atl_ns dns_tunnel(struct traf_sim *sim, struct traf_flow *flow);
static atl_ns exfiltration(struct traf_sim *sim, struct traf_flow *flow);

/* site machine 0: a subscriber, infected; 65535: a subscriber as victim */
#define INFECTED  0
#define AT_A_HOME 65535
static const struct {
    traf_step_fn step;
    double usual_pps, packets_per_tick;
    uint16_t machine; /* the end inside the site */
    uint16_t port;
    bool from_outside, spoofed, many_victims;
} plans[TRAF_ATTACK_COUNT] = {
    [TRAF_HORIZONTAL_SCAN] = {horizontal_scan, 60, 1.05, INFECTED, 23, false, false, true},
    [TRAF_VERTICAL_SCAN] = {vertical_scan, 100, 1.7, TRAF_WEB_SERVER, 0, true, false, false},
    [TRAF_SYN_FLOOD] = {syn_flood, 2000, 1.25, TRAF_WEB_SERVER, 443, true, true, false},
    [TRAF_UDP_FLOOD] = {udp_flood, 2000, 1, AT_A_HOME, 0, true, false, false},
    [TRAF_ICMP_FLOOD] = {icmp_flood, 1000, 1.2, TRAF_MAIL_RELAY, 0, true, false, false},
    [TRAF_BRUTE_FORCE] = {session_attack, 100, 22, TRAF_SSH_SERVER, 22, true, false, false},
    [TRAF_BEACON] = {session_attack, 3.4, 17, INFECTED, 443, false, false, false},
    [TRAF_DNS_TUNNEL] = {dns_tunnel, 20, 2, INFECTED, 53, false, false, false},
    [TRAF_EXFILTRATION] = {exfiltration, 400, 1.5, INFECTED, 443, false, false, false},
};

static enum traf_attack kind_of(const struct traf_sim *sim, const struct traf_flow *flow)
{
    return sim->cfg->attacks[flow->attack].attack;
}

static double tick_s(const struct traf_sim *sim, const struct traf_flow *flow)
{
    enum traf_attack kind = kind_of(sim, flow);
    double pps = sim->cfg->attacks[flow->attack].rate_pps;
    return plans[kind].packets_per_tick / (pps > 0 ? pps : plans[kind].usual_pps);
}

/* Next tick of the driver: near regular, as a program's loop is */
static atl_ns tick(const struct traf_sim *sim, struct traf_flow *flow)
{
    return (atl_ns)(1e9 * tick_s(sim, flow) * traf_between(flow->rng, 0.6, 1.4)) + 1;
}

static void ends(const struct traf_sim *sim, int32_t attack, struct traf_host *host,
                 struct traf_server *server)
{
    enum traf_attack kind = sim->cfg->attacks[attack].attack;
    uint32_t number = plans[kind].machine;
    if (number == INFECTED)
        number = TRAF_FIRST_SUBSCRIBER + 2 + (uint32_t)attack;
    else if (number == AT_A_HOME)
        number = TRAF_FIRST_SUBSCRIBER + 40 + (uint32_t)attack;
    traf_host_make(sim, number, host);
    host->has_v6 = false;
    if (kind == TRAF_DNS_TUNNEL)
        traf_resolver_make(sim, 0, server);
    else
        traf_server_fixed(sim, TRAF_IP4(203, 0, 113, 30 + (uint32_t)attack), server);
}

static void set_path(struct traf_sim *sim, struct traf_flow *flow)
{
    struct traf_host host;
    struct traf_server server;
    ends(sim, flow->attack, &host, &server);
    enum traf_attack kind = kind_of(sim, flow);
    if (plans[kind].from_outside)
        traf_path_in(sim, flow, &host, &server, plans[kind].port);
    else
        traf_path_out(sim, flow, &host, &server, plans[kind].port);
}

/* A conversation on the attack's lane along the path given */
static void talk(struct traf_sim *sim, const struct traf_flow *driver, int script,
                 enum traf_outcome outcome)
{
    struct traf_flow *flow = traf_flow_get(sim, driver->attack);
    if (flow == NULL)
        return;
    struct traf_host host;
    struct traf_server server;
    ends(sim, driver->attack, &host, &server);
    flow->path = driver->path;
    traf_talk_init(flow, &scripts[script], &host, &server);
    flow->talk.outcome = outcome;
    flow->talk.tries = 2; /* a program does not try a refused port again */
    if (script == UPLOAD)
        flow->talk.gap_ns[0] = (uint32_t)(1e9 * tick_s(sim, driver));
    traf_talk_start(sim, flow, sim->now);
}

static void bare_syn(struct traf_sim *sim, struct traf_flow *flow)
{
    struct traf_segment syn = {
        .seq = (uint32_t)atl_rng_u64(flow->rng), .flags = TRAF_SYN, .window = 29200};
    traf_syn_options(&syn, 1460, false, 0, 0);
    flow->counted = false;
    uint8_t *end =
        traf_tcp_begin(&sim->frame, &flow->path, 0, (uint16_t)atl_rng_u64(flow->rng), &syn, 0);
    traf_tcp_end(&flow->path, 0, end, &syn, 0);
    traf_emit(sim, flow);
}

static void probe(struct traf_sim *sim, struct traf_flow *flow, double refused, double open)
{
    double u = atl_rng_unit(flow->rng);
    if (u < refused + open)
        talk(sim, flow, TOUCH, u < refused ? TRAF_REFUSED : TRAF_TALKS);
    else
        bare_syn(sim, flow);
}

/* Any address that is routed: not this network, loop-back, private, multicast or reserved */
static uint32_t public_address(struct atl_rng *rng)
{
    for (int tries = 0; tries < 16; tries++) {
        uint32_t a = (uint32_t)atl_rng_u64(rng), top = a >> 24;
        bool private = top == 10 || a >> 20 == 0xac1 || a >> 16 == 0xc0a8 || a >> 16 == 0xa9fe;
        if (top > 0 && top != 127 && top < 224 && !private)
            return a;
    }
    return TRAF_IP4(198, 18, 77, 77);
}

static atl_ns horizontal_scan(struct traf_sim *sim, struct traf_flow *flow)
{
    double u = atl_rng_unit(flow->rng);
    uint32_t target = (uint32_t)atl_rng_u64(flow->rng);
    if (u < 0.15)
        target = TRAF_IP4(10, sim->cfg->site, 0, 0) | (target & 0xffff);
    else if (u < 0.50)
        target = TRAF_IP4(198, 18, 0, 0) | (target & 0x1ffff);
    else
        target = public_address(flow->rng);
    traf_put32(flow->path.addr[1], target);
    flow->path.ttl[1] = (uint8_t)(40 + target % 20);
    flow->path.port[0] = traf_ephemeral(flow->rng, true);
    flow->path.port[1] = traf_chance(flow->rng, 0.1) ? 2323 : 23;
    probe(sim, flow, 0.02, 0.01);
    return sim->now + tick(sim, flow);
}

static atl_ns vertical_scan(struct traf_sim *sim, struct traf_flow *flow)
{
    /* every port once in an order that looks random: 7919 has no factor in common with 65,535 */
    uint32_t port = flow->dgram.number[0]++ * 7919u % 65535u + 1;
    flow->path.port[0] = traf_ephemeral(flow->rng, true);
    flow->path.port[1] = (uint16_t)port;
    bool open = port == 22 || port == 80 || port == 443;
    probe(sim, flow, open ? 0 : 0.7, open);
    return sim->now + tick(sim, flow);
}

static atl_ns syn_flood(struct traf_sim *sim, struct traf_flow *flow)
{
    struct traf_datagrams *d = &flow->dgram;
    if (d->phase == 1) { /* the backlog still has room now and then */
        struct traf_segment answer = {.seq = (uint32_t)atl_rng_u64(flow->rng),
                                      .ack = d->number[0] + 1,
                                      .flags = TRAF_SYN | TRAF_ACK,
                                      .window = 28960};
        traf_syn_options(&answer, 1460, false, 0, 0);
        uint8_t *end = traf_tcp_begin(&sim->frame, &flow->path, 1, 0, &answer, 0);
        traf_tcp_end(&flow->path, 1, end, &answer, 0);
        traf_emit(sim, flow);
        d->phase = 0;
        return d->next[0];
    }
    traf_put32(flow->path.addr[0], public_address(flow->rng));
    flow->path.port[0] = (uint16_t)(1024 + atl_rng_below(flow->rng, 64000));
    flow->path.ttl[0] = (uint8_t)(40 + atl_rng_below(flow->rng, 80));
    struct traf_segment syn = {
        .seq = (uint32_t)atl_rng_u64(flow->rng), .flags = TRAF_SYN, .window = 512};
    flow->counted = false;
    uint8_t *end =
        traf_tcp_begin(&sim->frame, &flow->path, 0, (uint16_t)atl_rng_u64(flow->rng), &syn, 0);
    traf_tcp_end(&flow->path, 0, end, &syn, 0);
    traf_emit(sim, flow);
    d->number[0] = syn.seq;
    d->next[0] = sim->now + tick(sim, flow);
    if (!traf_chance(flow->rng, 0.25))
        return d->next[0];
    d->phase = 1;
    atl_ns soon = sim->now + 60000 + atl_rng_below(flow->rng, 120000);
    return soon < d->next[0] ? soon : d->next[0];
}

static atl_ns udp_flood(struct traf_sim *sim, struct traf_flow *flow)
{
    flow->path.port[1] = (uint16_t)(49200 + atl_rng_below(flow->rng, 512));
    uint32_t bytes = 512;
    uint8_t *payload = traf_udp_begin(&sim->frame, &flow->path, 0, flow->ip_id[0]++, bytes);
    memset(payload, 'A', bytes);
    traf_udp_end(&flow->path, 0, payload, bytes);
    traf_emit(sim, flow);
    return sim->now + tick(sim, flow);
}

static atl_ns icmp_flood(struct traf_sim *sim, struct traf_flow *flow)
{
    struct traf_datagrams *d = &flow->dgram;
    int from = d->phase;
    traf_frame_echo(&sim->frame, &flow->path, from, flow->ip_id[from]++, (uint16_t)d->number[0],
                    1024);
    traf_emit(sim, flow);
    if (from == 1) {
        d->phase = 0;
        d->number[0]++;
        return d->next[0];
    }
    d->next[0] = sim->now + tick(sim, flow);
    if (traf_chance(flow->rng, 0.2)) { /* replies are rate-limited */
        d->phase = 1;
        atl_ns soon = sim->now + 150000;
        return soon < d->next[0] ? soon : d->next[0];
    }
    d->number[0]++;
    return d->next[0];
}

/* One conversation a tick: password guesses, or calls home */
static atl_ns session_attack(struct traf_sim *sim, struct traf_flow *flow)
{
    bool beacon = kind_of(sim, flow) == TRAF_BEACON;
    flow->path.port[0] = traf_ephemeral(flow->rng, true);
    talk(sim, flow, beacon ? CALL_HOME : GUESS, TRAF_TALKS);
    if (!beacon)
        return sim->now + tick(sim, flow);
    return sim->now + (atl_ns)(1e9 * tick_s(sim, flow) * traf_between(flow->rng, 0.88, 1.12));
}

static atl_ns exfiltration(struct traf_sim *sim, struct traf_flow *flow)
{
    flow->path.port[0] = traf_ephemeral(flow->rng, true);
    talk(sim, flow, UPLOAD, TRAF_TALKS);
    return TRAF_NEVER; /* one long connection does it all */
}

/* --- DNS tunnel: long labels up, TXT, CNAME or NULL data down --- */

static void put_letters(struct atl_rng *rng, char *out, uint32_t n)
{
    static const char base32[] = "abcdefghijklmnopqrstuvwxyz234567";
    uint8_t bytes[64];
    atl_rng_fill(rng, bytes, sizeof(bytes));
    for (uint32_t i = 0; i < n && i < sizeof(bytes); i++)
        out[i] = base32[bytes[i] & 31];
}

static void tunnel_name(struct atl_rng *rng, char out[TRAF_NAME_BYTES])
{
    char *at = out;
    uint32_t labels = 1 + (uint32_t)atl_rng_below(rng, 3);
    for (uint32_t i = 0; i < labels; i++) { /* 3 × 58 + 16 letters at most */
        uint32_t n = 38 + (uint32_t)atl_rng_below(rng, 20);
        put_letters(rng, at, n);
        at[n] = '.';
        at += n + 1;
    }
    memcpy(at, "t.quarry.example", 17);
}

static uint16_t tunnel_data(struct atl_rng *rng, uint16_t type, uint8_t *out)
{
    uint16_t bytes = (uint16_t)(60 + atl_rng_below(rng, 150));
    if (type != TRAF_DNS_CNAME) {
        atl_rng_fill(rng, out, bytes);
        return bytes;
    }
    out[0] = 50;
    put_letters(rng, (char *)out + 1, 50);
    memcpy(out + 51, "\007example", 9); /* with its final zero */
    return 60;
}

static atl_ns dns_tunnel(struct traf_sim *sim, struct traf_flow *flow)
{
    static const uint16_t types[] = {TRAF_DNS_NULL, TRAF_DNS_TXT, TRAF_DNS_CNAME};
    struct traf_datagrams *d = &flow->dgram;
    char name[TRAF_NAME_BYTES];
    uint8_t data[256], out[TRAF_DNS_MAX];
    /* the question is drawn twice from a stream of its own, so that it need not be kept */
    struct atl_rng question;
    atl_rng_init_seed(&question, sim->cfg->seed ^ (uint64_t)d->number[0] << 20);
    tunnel_name(&question, name);
    struct traf_dns dns = {.id = (uint16_t)(d->ids[0] + d->number[0] * 7727),
                           .name = name,
                           .type = types[d->number[0] / 40 % 3],
                           .edns = true};
    uint32_t bytes;
    if (d->phase == 1) {
        dns.answers = 1;
        dns.data = data;
        dns.data_bytes = tunnel_data(flow->rng, dns.type, data);
        bytes = traf_dns_answer(out, &dns);
    } else {
        bytes = traf_dns_query(out, &dns);
        d->next[0] = sim->now + tick(sim, flow);
    }
    uint8_t *payload =
        traf_udp_begin(&sim->frame, &flow->path, d->phase, flow->ip_id[d->phase]++, bytes);
    memcpy(payload, out, bytes);
    traf_udp_end(&flow->path, d->phase, payload, bytes);
    traf_emit(sim, flow);
    d->phase = !d->phase;
    if (d->phase == 0) {
        d->number[0]++;
        return d->next[0];
    }
    atl_ns answer = sim->now + 25000000 + atl_rng_below(flow->rng, 20000000);
    atl_ns latest = sim->now + (d->next[0] - sim->now) * 9 / 10;
    return answer < latest ? answer : latest;
}

/* --- start --- */

static void open_label(struct traf_sim *sim, uint32_t index)
{
    enum traf_attack kind = sim->cfg->attacks[index].attack;
    struct traf_label *label = &sim->summary->labels[index];
    struct traf_host host;
    struct traf_server server;
    ends(sim, (int32_t)index, &host, &server);
    bool out = plans[kind].from_outside;
    label->attack = kind;
    if (!plans[kind].spoofed)
        inet_ntop(AF_INET, out ? server.addr4 : host.addr4, label->attacker,
                  sizeof(label->attacker));
    if (!plans[kind].many_victims)
        inet_ntop(AF_INET, out ? host.addr4 : server.addr4, label->victim, sizeof(label->victim));
}

void traf_attacks_start(struct traf_sim *sim)
{
    sim->summary->n_labels = sim->cfg->n_attacks;
    for (uint32_t i = 0; i < sim->cfg->n_attacks && sim->status == 0; i++) {
        open_label(sim, i);
        struct traf_flow *driver = traf_flow_get(sim, (int32_t)i);
        if (driver == NULL)
            return;
        set_path(sim, driver);
        atl_rng_fill(driver->rng, driver->dgram.ids, sizeof(driver->dgram.ids));
        traf_flow_start(sim, driver, plans[kind_of(sim, driver)].step,
                        sim->start + sim->cfg->attacks[i].after_ns + 1);
    }
}
