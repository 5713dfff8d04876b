/* SPDX-License-Identifier: Apache-2.0 */
#include "traffic/service_priv.h"

#include "traffic/datagram_priv.h"

#define FAIL_SHARE 0.038 /* SYN without answer 1.9 %, refused 1.4 %, unreachable 0.5 % */

struct service;
typedef void (*session_fn)(struct traf_sim *sim, uint32_t row);

static void talk_session(struct traf_sim *sim, uint32_t row);
static void web_session(struct traf_sim *sim, uint32_t row);
static void dns_session(struct traf_sim *sim, uint32_t row);
static void ntp_session(struct traf_sim *sim, uint32_t row);
static void stream_session(struct traf_sim *sim, uint32_t row);
static void voice_session(struct traf_sim *sim, uint32_t row);
static void play_session(struct traf_sim *sim, uint32_t row);
static void ping_session(struct traf_sim *sim, uint32_t row);
static void trace_session(struct traf_sim *sim, uint32_t row);
static void recursion_session(struct traf_sim *sim, uint32_t row);
static void inbound_session(struct traf_sim *sim, uint32_t row);

/* One row a kind of session: how often by profile (any scale), how many flows it makes, and what
 * the session function needs. machine 0 = a subscriber. */
static const struct service {
    session_fn start;
    double often[TRAF_PROFILE_COUNT]; /* residential, business, mobile, iot */
    double flows;
    uint16_t port;
    uint8_t script, machine;
    double quic; /* share over UDP 443 */
} services[] = {
    {web_session, {30, 26, 16, 0}, 6.0, 443, TRAF_SCRIPT_WEB, 0, 0.30},
    {talk_session, {2.2, 0.5, 1.6, 0}, 1.5, 443, TRAF_SCRIPT_VIDEO, 0, 0.45},
    {talk_session, {14, 8, 60, 0}, 1.5, 443, TRAF_SCRIPT_APP, 0, 0.40},
    {talk_session, {0.8, 0.5, 0.5, 0.5}, 1.5, 80, TRAF_SCRIPT_DOWNLOAD, 0, 0},
    {talk_session, {1, 5, 1, 0}, 1.5, 587, TRAF_SCRIPT_SUBMIT, 0, 0},
    {talk_session, {4, 12, 4, 0}, 1.5, 993, TRAF_SCRIPT_IMAP, 0, 0},
    {talk_session, {0.2, 2, 0, 0.3}, 1.5, 22, TRAF_SCRIPT_SSH, 0, 0},
    {talk_session, {1, 9, 1, 0}, 1.5, 443, TRAF_SCRIPT_SHARE, 0, 0},
    {talk_session, {0.8, 0, 0, 2.2}, 1.5, 443, TRAF_SCRIPT_CAMERA, 0, 0},
    {talk_session, {2, 0.5, 1, 30}, 1.5, 8883, TRAF_SCRIPT_TELEMETRY, 0, 0},
    {talk_session, {3, 0, 0, 0}, 1.5, 51413, TRAF_SCRIPT_PEER_BLOCKS, 0, 0},
    {dns_session, {24, 22, 30, 22}, 1, 53, 0, 0, 0},
    {ntp_session, {4, 4, 3, 22}, 1, 123, 0, 0, 0},
    {stream_session, {0.12, 0.6, 0.15, 0.08}, 1, 4500, TRAF_VPN, 0, 0},
    {stream_session, {0, 0.2, 0, 0}, 1, 0, TRAF_VPN_ESP, 0, 0},
    {stream_session, {0, 0, 0, 0.2}, 1, 20002, TRAF_RTP_VIDEO_UP, 0, 0},
    {voice_session, {0.12, 0.7, 0.15, 0}, 2, 5060, TRAF_RTP, 0, 0},
    {play_session, {0.6, 0, 0.3, 0}, 6, 0, TRAF_GAME, 0, 0},
    {ping_session, {1.2, 1.5, 0.4, 2}, 1, 0, 0, 0, 0},
    {trace_session, {0.12, 0.15, 0.03, 0.05}, 20, 0, 0, 0, 0},
    {recursion_session, {6, 8, 6, 3}, 2.5, 53, 0, TRAF_RESOLVER, 0},
    {talk_session, {0.8, 8, 0.4, 0}, 1, 25, TRAF_SCRIPT_SUBMIT, TRAF_MAIL_RELAY, 0},
    {talk_session, {3, 4, 0, 0.5}, 1, 80, TRAF_SCRIPT_CRAWL, TRAF_CRAWLER, 0},
    {web_session, {1.5, 3, 4, 0}, 6.0, 443, TRAF_SCRIPT_WEB, TRAF_NAT_GATEWAY, 0.30},
    {inbound_session, {2, 10, 1, 0.5}, 1, 443, TRAF_SCRIPT_WEB, TRAF_WEB_SERVER, 0},
};

/* --- sessions --- */

static void who(struct traf_sim *sim, uint32_t row, struct traf_host *host)
{
    if (services[row].machine != 0)
        traf_host_make(sim, services[row].machine, host);
    else
        traf_host_pick(sim, &sim->benign, row, host);
}

/* The name is looked up first, unless it is in a cache. @return when the connection can begin */
static atl_ns look_up(struct traf_sim *sim, const struct traf_host *host, uint32_t rank,
                      double share, atl_ns at)
{
    if (!traf_chance(&sim->benign, share))
        return at;
    struct traf_flow *flow = traf_flow_get(sim, -1);
    if (flow == NULL)
        return at;
    struct traf_server resolver;
    traf_resolver_make(sim, host->number + traf_chance(&sim->benign, 0.15), &resolver);
    traf_path_out(sim, flow, host, &resolver, 53);
    traf_datagram_init(flow, host, &resolver);
    return traf_dns_start(sim, flow, rank, at) + 400000;
}

static void connect(struct traf_sim *sim, const struct service *service,
                    const struct traf_host *host, const struct traf_server *server, atl_ns at)
{
    struct traf_flow *flow = traf_flow_get(sim, -1);
    if (flow == NULL)
        return;
    traf_path_out(sim, flow, host, server, service->port);
    traf_talk_init(flow, &traf_scripts[service->script], host, server);
    if (service->quic > 0 && traf_chance(flow->rng, service->quic)) {
        flow->talk.quic = true;
        flow->talk.mss = 1250;
    } else {
        traf_talk_risk(flow, FAIL_SHARE);
    }
    traf_talk_start(sim, flow, at);
}

static void talk_session(struct traf_sim *sim, uint32_t row)
{
    const struct service *service = &services[row];
    struct traf_host host;
    struct traf_server server;
    who(sim, row, &host);
    traf_server_pick(sim, &sim->benign, &host, &server);
    atl_ns at = look_up(sim, &host, server.rank, service->machine ? 0.1 : 0.5, sim->now);
    connect(sim, service, &host, &server, at);
}

/* A page: one main site, then several others, a few connections each */
static void web_session(struct traf_sim *sim, uint32_t row)
{
    struct traf_host host;
    who(sim, row, &host);
    uint32_t sites = 1 + (uint32_t)atl_rng_below(&sim->benign, 4);
    atl_ns at = sim->now;
    for (uint32_t i = 0; i < sites; i++) {
        struct traf_server server;
        traf_server_pick(sim, &sim->benign, &host, &server);
        atl_ns ready = look_up(sim, &host, server.rank, 0.6, at);
        uint32_t connections = 1 + (uint32_t)atl_rng_below(&sim->benign, i == 0 ? 2 : 3);
        for (uint32_t k = 0; k < connections; k++)
            connect(sim, &services[row], &host, &server,
                    ready + k * (1 + atl_rng_below(&sim->benign, 3000000)));
        at = sim->now + (atl_ns)(1e9 * traf_between(&sim->benign, 0.05, 0.9));
    }
}

static void dns_session(struct traf_sim *sim, uint32_t row)
{
    struct traf_host host;
    who(sim, row, &host);
    look_up(sim, &host, traf_zipf(&sim->benign, TRAF_SERVERS), 1.0, sim->now);
}

static struct traf_flow *datagrams(struct traf_sim *sim, const struct traf_host *host,
                                   const struct traf_server *server, uint16_t port)
{
    struct traf_flow *flow = traf_flow_get(sim, -1);
    if (flow == NULL)
        return NULL;
    traf_path_out(sim, flow, host, server, port);
    traf_datagram_init(flow, host, server);
    return flow;
}

static void ntp_session(struct traf_sim *sim, uint32_t row)
{
    struct traf_host host;
    struct traf_server server;
    who(sim, row, &host);
    traf_server_fixed(sim, TRAF_IP4(198, 18, 0, 120 + host.number % 4), &server);
    struct traf_flow *flow = datagrams(sim, &host, &server, 123);
    if (flow == NULL)
        return;
    if (host.ttl > 100) /* one family of systems sends from port 123 */
        flow->path.port[0] = 123;
    traf_query_start(sim, flow, TRAF_NTP, sim->now);
}

static atl_ns minutes(struct traf_sim *sim, double median)
{
    const struct traf_dist length = {TRAF_LOGNORMAL, 60 * median, 0.9, 7200};
    return traf_draw_ns(&sim->benign, &length);
}

static void stream_session(struct traf_sim *sim, uint32_t row)
{
    const struct service *service = &services[row];
    struct traf_host host;
    struct traf_server server;
    who(sim, row, &host);
    /* a home office has one gateway, a camera one recorder: the first favourite */
    traf_server_make(sim, host.number % 97, &server);
    struct traf_flow *flow = datagrams(sim, &host, &server, service->port);
    if (flow == NULL)
        return;
    if (service->port == 4500)
        flow->path.port[0] = 4500;
    if (service->script == TRAF_VPN_ESP)
        flow->path.port[0] = 0;
    traf_stream_start(sim, flow, (enum traf_stream)service->script, sim->now, minutes(sim, 1.2));
}

static void voice_session(struct traf_sim *sim, uint32_t row)
{
    struct traf_host host;
    struct traf_server proxy, media;
    who(sim, row, &host);
    if (host.vlan != 0)
        host.vlan = 120; /* telephones have a network of their own */
    traf_server_fixed(sim, TRAF_IP4(198, 18, 0, 60), &proxy);
    traf_server_fixed(sim, TRAF_IP4(198, 18, 0, 61 + host.number % 3), &media);
    media.has_v6 = proxy.has_v6;
    struct traf_flow *sip = datagrams(sim, &host, &proxy, 5060);
    struct traf_flow *rtp = sip == NULL ? NULL : datagrams(sim, &host, &media, 0);
    if (rtp == NULL)
        return;
    atl_ns call = minutes(sim, 0.8);
    uint16_t port = (uint16_t)(16384 + 2 * atl_rng_below(&sim->benign, 5000));
    atl_ns answered = traf_sip_start(sim, sip, port, sim->now, call);
    rtp->path.port[0] = port;
    rtp->path.port[1] = (uint16_t)(sip->dgram.peers >> 16);
    traf_stream_start(sim, rtp, TRAF_RTP, answered, call);
}

/* One game server and some peers, from one local port */
static void play_session(struct traf_sim *sim, uint32_t row)
{
    struct traf_host host;
    struct traf_server server;
    who(sim, row, &host);
    traf_server_make(sim, 20 + host.number % 30, &server);
    uint16_t port = (uint16_t)(27015 + host.number % 20);
    struct traf_flow *flow = datagrams(sim, &host, &server, port);
    if (flow == NULL)
        return;
    uint16_t local = flow->path.port[0];
    atl_ns length = minutes(sim, 0.7);
    traf_stream_start(sim, flow, TRAF_GAME, sim->now, length);
    uint32_t peers = 2 + (uint32_t)atl_rng_below(&sim->benign, 7);
    for (uint32_t i = 0; i < peers; i++) {
        uint32_t far = (uint32_t)atl_rng_below(&sim->benign, 0x10000);
        traf_server_fixed(sim, TRAF_IP4(198, 19, 0, 0) + far, &server);
        flow = datagrams(sim, &host, &server, traf_ephemeral(&sim->benign, far % 2));
        if (flow == NULL)
            return;
        flow->path.port[0] = local;
        traf_stream_start(sim, flow, TRAF_PEER, sim->now + 200000000ull * (i + 1), length / 2);
    }
}

static void ping_session(struct traf_sim *sim, uint32_t row)
{
    struct traf_host host;
    struct traf_server server;
    who(sim, row, &host);
    traf_server_pick(sim, &sim->benign, &host, &server);
    struct traf_flow *flow = datagrams(sim, &host, &server, 0);
    if (flow != NULL)
        traf_ping_start(sim, flow, (uint16_t)(1 + atl_rng_below(&sim->benign, 8)), sim->now);
}

static void trace_session(struct traf_sim *sim, uint32_t row)
{
    struct traf_host host;
    struct traf_server server;
    who(sim, row, &host);
    traf_server_pick(sim, &sim->benign, &host, &server);
    struct traf_flow *flow = datagrams(sim, &host, &server, 0);
    if (flow != NULL)
        traf_trace_start(sim, flow, sim->now);
}

/* The site's own resolver asks servers all over the world */
static void recursion_session(struct traf_sim *sim, uint32_t row)
{
    struct traf_host host;
    struct traf_server server;
    who(sim, row, &host);
    uint32_t name = (uint32_t)atl_rng_below(&sim->benign, TRAF_SERVERS);
    uint32_t questions = 1 + (uint32_t)atl_rng_below(&sim->benign, 4);
    for (uint32_t i = 0; i < questions; i++) {
        traf_server_make(sim, (uint32_t)atl_rng_below(&sim->benign, TRAF_SERVERS), &server);
        struct traf_flow *flow = datagrams(sim, &host, &server, services[row].port);
        if (flow == NULL)
            return;
        traf_dns_start(sim, flow, name, sim->now + i * (server.rtt_us + 2000ull) * 1000);
    }
}

static void inbound_session(struct traf_sim *sim, uint32_t row)
{
    struct traf_host host;
    struct traf_server visitor;
    traf_host_make(sim, services[row].machine, &host);
    uint32_t far = (uint32_t)atl_rng_below(&sim->benign, 0x10000);
    traf_server_fixed(sim, TRAF_IP4(198, 19, 0, 0) + far, &visitor);
    struct traf_flow *flow = traf_flow_get(sim, -1);
    if (flow == NULL)
        return;
    traf_path_in(sim, flow, &host, &visitor, services[row].port);
    traf_talk_init(flow, &traf_scripts[services[row].script], &host, &visitor);
    traf_talk_start(sim, flow, sim->now);
}

/* --- arrivals: a Poisson process whose rate follows the hours --- */

static atl_ns arrivals_step(struct traf_sim *sim, struct traf_flow *flow)
{
    enum traf_profile profile = sim->cfg->profile;
    double total = 0, flows = 0;
    for (uint32_t i = 0; i < ATL_ARRAY_LEN(services); i++) {
        total += services[i].often[profile];
        flows += services[i].often[profile] * services[i].flows;
    }
    double pick = total * atl_rng_unit(flow->rng);
    uint32_t row = 0;
    while (row + 1 < ATL_ARRAY_LEN(services) && pick >= services[row].often[profile])
        pick -= services[row++].often[profile];
    services[row].start(sim, row);

    double rhythm = sim->cfg->steady ? 1 : traf_rhythm(profile, sim->now);
    double rate = sim->cfg->flows_per_second * total / flows * rhythm;
    return sim->now + traf_gap_ns(flow->rng, rate);
}

/* --- what stands all day --- */

/* A monitoring machine asks some tens of boxes each minute, by echo and by SNMP in turn */
static atl_ns monitor_step(struct traf_sim *sim, struct traf_flow *flow)
{
    struct traf_host host;
    struct traf_server box;
    uint32_t boxes = 30;
    uint32_t index = flow->dgram.number[0]++ % boxes;
    traf_host_make(sim, TRAF_MONITOR, &host);
    traf_server_fixed(sim, TRAF_IP4(198, 18, 1, 100 + index), &box);
    struct traf_flow *probe = datagrams(sim, &host, &box, index % 2 ? 161 : 0);
    if (probe == NULL)
        return TRAF_NEVER;
    if (index % 2)
        traf_query_start(sim, probe, TRAF_SNMP, sim->now);
    else
        traf_ping_start(sim, probe, 1, sim->now);
    if (index + 1 < boxes)
        return sim->now + 20000000 + atl_rng_below(flow->rng, 10000000);
    return sim->now + 59 * ATL_NS_PER_S;
}

/* A meter reports at its own fixed interval: a benign beacon */
static atl_ns meter_step(struct traf_sim *sim, struct traf_flow *flow)
{
    struct traf_datagrams *d = &flow->dgram;
    struct traf_host host;
    struct traf_server server;
    traf_host_make(sim, d->number[0], &host);
    traf_server_make(sim, 3 + d->number[0] % 5, &server);
    struct traf_flow *report = datagrams(sim, &host, &server, 5683);
    if (report == NULL)
        return TRAF_NEVER;
    traf_query_start(sim, report, TRAF_COAP, sim->now);
    return sim->now + (atl_ns)(1e9 * d->gap_s[0] * traf_between(flow->rng, 0.995, 1.005));
}

/* share of subscribers that keep a connection open all day, and that report like meters */
static const struct {
    double push, meter, least_s;
    uint16_t port;
} standing[TRAF_PROFILE_COUNT] = {
    [TRAF_RESIDENTIAL] = {0.30, 0.05, 60, 8883},
    [TRAF_BUSINESS] = {0.25, 0.00, 60, 5228},
    [TRAF_MOBILE] = {0.60, 0.00, 120, 5228},
    [TRAF_IOT] = {0.70, 0.30, 30, 8883},
};

static double period_of(struct traf_sim *sim, uint32_t number, double least_s)
{
    static const double steps[] = {1, 2, 4, 5};
    return least_s * steps[traf_hash(sim, 100, number, 0) % 4];
}

static void start_push(struct traf_sim *sim, uint32_t number, double period_s)
{
    struct traf_host host;
    struct traf_server server;
    traf_host_make(sim, number, &host);
    traf_server_make(sim, number % 7, &server);
    struct traf_flow *flow = traf_flow_get(sim, -1);
    if (flow == NULL)
        return;
    traf_path_out(sim, flow, &host, &server, standing[sim->cfg->profile].port);
    traf_talk_init(flow, &traf_scripts[TRAF_SCRIPT_PUSH], &host, &server);
    flow->talk.period_ms = (uint32_t)(1000 * period_s);
    traf_talk_resume(sim, flow, sim->now + (atl_ns)(1e9 * period_s * atl_rng_unit(flow->rng)));
}

static void start_meter(struct traf_sim *sim, uint32_t number, double period_s)
{
    struct traf_flow *flow = traf_flow_get(sim, -1);
    if (flow == NULL)
        return;
    flow->dgram.number[0] = number;
    flow->dgram.gap_s[0] = period_s;
    traf_flow_start(sim, flow, meter_step,
                    sim->now + (atl_ns)(1e9 * period_s * atl_rng_unit(flow->rng)));
}

void traf_services_start(struct traf_sim *sim)
{
    atl_ns warm_up = sim->start < TRAF_WARM_UP_NS ? sim->start : TRAF_WARM_UP_NS;
    sim->now = sim->start - warm_up;
    struct traf_flow *arrivals = traf_flow_get(sim, -1);
    struct traf_flow *monitor = traf_flow_get(sim, -1);
    if (arrivals == NULL || monitor == NULL)
        return;
    traf_flow_start(sim, arrivals, arrivals_step, sim->now + 1);
    traf_flow_start(sim, monitor, monitor_step, sim->now + 7 * ATL_NS_PER_S);
    for (uint32_t i = 0; i < sim->cfg->subscribers && sim->status == 0; i++) {
        uint32_t number = TRAF_FIRST_SUBSCRIBER + i;
        double u = traf_part(traf_hash(sim, 101, number, 0), 0);
        double period_s = period_of(sim, number, standing[sim->cfg->profile].least_s);
        if (u < standing[sim->cfg->profile].push)
            start_push(sim, number, period_s);
        else if (u > 1.0 - standing[sim->cfg->profile].meter)
            start_meter(sim, number, period_s);
    }
}
