/* SPDX-License-Identifier: Apache-2.0 */
/* Counting: a flow for its source and its target, the dataplane's reports for whom they are about.
 */
#include "features/host_priv.h"

#include <math.h>
#include <netinet/in.h>
#include <string.h>

/* A report makes a host known only when it tells of that much in a second. */
#define REPORT_FLOWS   32
#define REPORT_QUERIES 8
/* The sample of one packet a burst says nothing of less. */
#define RATE_SAMPLES 4
#define RATE_PACKETS 256

/* A busy client's conversations with one service in a window. */
#define REPEATS_USUAL 45

/* --- a flow --- */

enum outcome { ANSWERED, HALF_OPEN, REFUSED, UNANSWERED };

/* A traceroute is thirty unanswered ports to the naive eye; its range is as good as a service. */
static bool is_traceroute(const struct dp_flow *f)
{
    return f->proto == IPPROTO_UDP && f->dst_port >= 33434 && f->dst_port <= 33534 &&
           f->bwd.packets == 0 && f->fwd.packets <= 3;
}

static enum outcome outcome_of(const struct dp_flow *f)
{
    bool tcp = f->proto == IPPROTO_TCP;
    if (is_traceroute(f))
        return ANSWERED; /* by ICMP, from on the way */
    if (f->bwd.packets == 0)
        return tcp && f->fwd.flags[DP_SYN] > 0 ? HALF_OPEN : UNANSWERED;
    if (tcp && f->bwd.flags[DP_RST] > 0 && f->bwd.flags[DP_SYN] == 0 && f->bwd.payload_bytes == 0 &&
        f->fwd.flags[DP_SYN] > 0)
        return REFUSED;
    return ANSWERED;
}

static bool is_mail(const struct dp_flow *f)
{
    return f->proto == IPPROTO_TCP &&
           (f->dst_port == 25 || f->dst_port == 465 || f->dst_port == 587);
}

/* What both ends of a flow have in common, found out once. */
struct noted {
    const struct dp_flow *flow;
    const struct pair *pair;
    bool again;            /* the pair called before within about a window */
    bool met;              /* the source met the target before */
    struct past *past;     /* of the source */
    uint32_t turned_after; /* as the column */
    enum outcome outcome;
    uint16_t port_class;
    uint64_t hash[2];  /* of source and target */
    uint64_t service;  /* hash of protocol and port */
    double duration_s; /* one second at least */
};

static bool has_met(struct feat_hosts *h, uint64_t host, uint64_t peer, enum feat_role role)
{
    const uint64_t met[] = {peer, host, role};
    return feat_remember_add(&h->known, atl_hash(&h->key, met, sizeof(met)), h->now_ns);
}

/* Web servers, relays, resolvers and exchanges call their like by trade. */
static bool calls_its_like(const struct dp_flow *f)
{
    static const uint16_t ports[] = {25,  53,  80,   179,  443,  465,  587,
                                     853, 993, 3868, 5060, 5061, 8080, 8443};
    for (size_t i = 0; i < ATL_ARRAY_LEN(ports); i++)
        if (f->dst_port == ports[i])
            return true;
    return false;
}

/* What the past says, before this flow becomes a part of it. */
static void note_past(struct feat_hosts *h, struct noted *n)
{
    const struct dp_flow *f = n->flow;
    bool answered = f->proto == IPPROTO_TCP && n->outcome == ANSWERED && !calls_its_like(f);
    struct past *target = feat_pasts_find(&h->pasts, n->hash[1], h->now_ns);
    if (answered)
        feat_past_answer(&h->pasts, target, (uint32_t)n->service);
    n->past = feat_pasts_find(&h->pasts, n->hash[0], h->now_ns);
    if (answered)
        n->turned_after = feat_past_call(&h->pasts, n->past, (uint32_t)n->service);
    n->met = has_met(h, n->hash[0], n->hash[1], FEAT_SOURCE);
}

static struct noted note_flow(struct feat_hosts *h, const struct dp_flow *f)
{
    uint32_t service = (uint32_t)f->proto << 16 | (is_traceroute(f) ? 33434 : f->dst_port);
    struct noted n = {
        .flow = f,
        .outcome = outcome_of(f),
        .hash = {atl_hash(&h->key, f->src.bytes, sizeof(f->src.bytes)),
                 atl_hash(&h->key, f->dst.bytes, sizeof(f->dst.bytes))},
        .service = atl_hash(&h->key, &service, sizeof(service)),
        .duration_s = fmax(1, (double)(f->last_ns - f->first_ns) * 1e-9),
    };
    const uint64_t id[] = {n.hash[0], n.hash[1], n.service};
    note_past(h, &n);
    uint32_t before = n.met ? 0 : feat_past_age(&h->pasts, n.past);
    n.pair = feat_pairs_add(&h->pairs, atl_hash(&h->key, id, sizeof(id)), f, before, &n.again);
    n.port_class = n.service >> 32 & (HOST_PORT_CLASSES - 1);
    return n;
}

static void count_sums(struct host_slice *s, const struct noted *n, const struct dp_dir *out,
                       const struct dp_dir *in)
{
    const struct dp_flow *f = n->flow;
    uint64_t packets = out->packets + in->packets;
    bool icmp = f->proto == IPPROTO_ICMP || f->proto == IPPROTO_ICMPV6;
    if (s->flows == 0 || f->first_ns < s->first_ns)
        s->first_ns = f->first_ns;
    if (f->last_ns > s->last_ns)
        s->last_ns = f->last_ns;
    s->flows++;
    s->packets_out += out->packets;
    s->packets_in += in->packets;
    s->bytes_out += out->bytes;
    s->bytes_in += in->bytes;
    s->tcp += f->proto == IPPROTO_TCP;
    s->udp += f->proto == IPPROTO_UDP;
    s->icmp += icmp;
    s->icmp_packets += icmp ? packets : 0;
    s->dns += f->dst_port == 53;
    s->small += packets <= 3;
    s->half_open += n->outcome == HALF_OPEN;
    s->refused += n->outcome == REFUSED;
    s->unanswered += n->outcome == UNANSWERED;
    s->reset += f->fwd.flags[DP_RST] + f->bwd.flags[DP_RST] > 0;
    s->ports[n->port_class] += s->ports[n->port_class] < UINT16_MAX;
    s->flow_packets_per_s = fmaxf(s->flow_packets_per_s, (float)((double)packets / n->duration_s));
    s->flow_bytes_per_s =
        fmaxf(s->flow_bytes_per_s, (float)((double)(out->bytes + in->bytes) / n->duration_s));
}

/* Who asks a resolver again and again is no caller; the reports of domains tell of that. */
static void count_pair(struct host_slice *s, const struct noted *n, bool source)
{
    const struct pair *p = n->pair;
    if (n->flow->dst_port == 53)
        return;
    if (p->calls >= s->repeat_flows) {
        s->repeat_flows = p->calls;
        s->repeat_alike = p->calls > 0 ? p->alike / p->calls : 0;
    }
    /* Guesses come fast and without a beat; what is polled has one. */
    bool tcp = n->flow->proto == IPPROTO_TCP;
    float excess = tcp ? (p->alike - REPEATS_USUAL) * (1 - p->score) : 0;
    s->repeat_excess = fmaxf(s->repeat_excess, excess);
    if (p->score >= s->beacon_score) {
        s->beacon_score = p->score;
        s->beacon_period = p->period_s;
    }
    s->mail_peers += is_mail(n->flow) && !n->again;
    if (source && p->bytes_out >= s->upload) {
        float both = p->bytes_out + p->bytes_in;
        s->upload = p->bytes_out;
        s->upload_share = both > 0 ? p->bytes_out / both : 0;
    }
}

/* What the source never did before, though it was watched for long enough to show it. */
static void count_past(const struct feat_hosts *h, struct host_slice *s, const struct noted *n)
{
    const struct pair *p = n->pair;
    float excess = feat_past_upload(&h->pasts, n->past, p->bytes_out - p->bytes_in);
    s->upload_excess = fmaxf(s->upload_excess, excess);
    if (n->turned_after > s->turned_after)
        s->turned_after = n->turned_after;
    if (n->flow->dst_port == 53 || p->steady <= 0 || p->steady < s->beacon_new)
        return;
    if (feat_past_is_new(&h->pasts, n->past, p->before)) {
        s->beacon_new = p->steady;
        s->beacon_calls = p->stamps;
    }
}

static struct host_sample sample_of(const struct dp_flow *f)
{
    return (struct host_sample){
        .src = f->src,
        .dst = f->dst,
        .src_port = f->src_port,
        .dst_port = f->dst_port,
        .proto = f->proto,
        .icmp_type = f->icmp_type,
        .icmp_code = f->icmp_code,
        .first_ns = f->first_ns,
        .last_ns = f->last_ns,
        .packets = {f->fwd.packets, f->bwd.packets},
        .bytes = {f->fwd.bytes, f->bwd.bytes},
    };
}

static void count(struct feat_hosts *h, const struct noted *n, enum feat_role role)
{
    const struct dp_flow *f = n->flow;
    bool source = role == FEAT_SOURCE;
    struct host *host = feat_host_find(h, source ? &f->src : &f->dst, role, true);
    struct host_slice *s = feat_host_slice(host);
    count_sums(s, n, source ? &f->fwd : &f->bwd, source ? &f->bwd : &f->fwd);
    count_pair(s, n, source);
    if (source)
        count_past(h, s, n);
    feat_sketch_add(&host->peers, host->slice, n->hash[source]);
    feat_sketch_add(&host->ports, host->slice, n->service);
    s->new_peers += source ? !n->met : !has_met(h, n->hash[1], n->hash[0], role);
    host->sample = sample_of(f);
    host->news++;
}

static void set_clock(struct feat_hosts *h, atl_ns now_ns)
{
    if (h->now_ns == 0)
        h->now_ns = now_ns;
}

void feat_hosts_add(struct feat_hosts *h, const struct dp_flow *flow)
{
    set_clock(h, flow->last_ns);
    struct noted n = note_flow(h, flow);
    count(h, &n, FEAT_SOURCE);
    count(h, &n, FEAT_TARGET);
}

/* --- a report --- */

static void note_times(struct host_slice *s, const struct dp_report *r)
{
    if (s->first_ns == 0 || r->first_ns < s->first_ns)
        s->first_ns = r->first_ns;
    if (r->last_ns > s->last_ns)
        s->last_ns = r->last_ns;
}

/* Of the reports of one second, one for each worker, the sums make the peak. */
static void count_second(struct host *host, const struct dp_report *r)
{
    const struct dp_target *t = &r->target;
    struct host_slice *s = feat_host_slice(host);
    uint64_t second = r->last_ns / ATL_NS_PER_S;
    if (second != host->second) {
        host->second = second;
        host->second_flows = host->second_packets = host->second_bytes = 0;
    }
    host->second_flows += (float)t->flows;
    s->arrivals_peak = fmaxf(s->arrivals_peak, host->second_flows);
    if (t->samples < RATE_SAMPLES || t->packets < RATE_PACKETS)
        return;
    host->second_packets += (float)t->packets;
    host->second_bytes += (float)t->bytes;
    s->packets_peak = fmaxf(s->packets_peak, host->second_packets);
    s->bytes_peak = fmaxf(s->bytes_peak, host->second_bytes);
}

static void count_target(struct feat_hosts *h, const struct dp_report *r)
{
    const struct dp_target *t = &r->target;
    struct host *host = feat_host_find(h, &t->addr, FEAT_TARGET, t->flows >= REPORT_FLOWS);
    if (host == NULL)
        return;
    struct host_slice *s = feat_host_slice(host);
    note_times(s, r);
    s->arrivals += t->flows;
    s->arrival_syns += t->syns;
    feat_sketch_merge(&s->sources, &t->sources);
    count_second(host, r);
    host->news += t->flows >= REPORT_FLOWS;
    if (host->sample.proto == 0 && t->proto != 0)
        host->sample = (struct host_sample){.src = t->src,
                                            .dst = t->addr,
                                            .src_port = t->src_port,
                                            .dst_port = t->dst_port,
                                            .proto = t->proto,
                                            .first_ns = r->first_ns,
                                            .last_ns = r->last_ns,
                                            .packets = {1, 0}};
}

static void count_domain(struct feat_hosts *h, const struct dp_report *r)
{
    const struct dp_domain *d = &r->domain;
    struct host *host = feat_host_find(h, &d->client, FEAT_SOURCE, d->queries >= REPORT_QUERIES);
    if (host == NULL)
        return;
    struct host_slice *s = feat_host_slice(host);
    uint64_t client = atl_hash(&h->key, d->client.bytes, sizeof(d->client.bytes));
    struct host_dns dns = feat_dns_table_add(&h->domains, client, host->slice, d);
    note_times(s, r);
    s->dns_queries += d->queries;
    if (dns.names >= s->domain.names)
        s->domain = dns;
    host->news += d->queries >= REPORT_QUERIES;
    if (host->sample.proto == 0)
        host->sample = (struct host_sample){.src = d->client,
                                            .dst = d->server,
                                            .dst_port = 53,
                                            .proto = IPPROTO_UDP,
                                            .first_ns = r->first_ns,
                                            .last_ns = r->last_ns,
                                            .packets = {d->queries, d->responses}};
}

void feat_hosts_report(struct feat_hosts *h, const struct dp_report *report)
{
    set_clock(h, report->last_ns);
    if (report->kind == DP_REPORT_TARGET)
        count_target(h, report);
    else
        count_domain(h, report);
}

/* --- looking --- */

uint32_t feat_hosts_take(struct feat_hosts *h, atl_ns now_ns, bool flush,
                         struct feat_host_row *rows, uint32_t n)
{
    if (now_ns > h->now_ns)
        h->now_ns = now_ns; /* a clock that steps back waits until time has caught up */
    uint32_t taken = 0;
    while (taken < n && h->by_look.head != HOST_NIL) {
        uint32_t i = h->by_look.head;
        struct host *host = &h->hosts[i];
        if (!flush && host->look_ns > h->now_ns)
            break;
        feat_host_turn(h, host);
        uint32_t window = host->slice / HOST_SLICES;
        bool closed = flush || window != host->closed;
        struct feat_host_row *row = &rows[taken];
        bool filled = feat_host_row(h, host, row);
        row->closed = closed;
        taken += filled && (closed || host->news > 0);
        if (flush || (!filled && host->news == 0)) {
            feat_host_drop(h, i);
            continue;
        }
        host->news = 0;
        host->closed = window;
        feat_host_requeue(h, i);
    }
    if (h->used == 0 && flush)
        h->now_ns = 0; /* the next file may be older than this one */
    return taken;
}
