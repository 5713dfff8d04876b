/* SPDX-License-Identifier: Apache-2.0 */
#include "features/columns_priv.h"
#include "features/host_priv.h"

#include <math.h>
#include <string.h>

/* What a window of reports alone must hold to be worth a row. */
#define ARRIVALS_MIN 200
#define QUERIES_MIN  50

#define REPEATS_MIN 3 /* fewer calls are alike by chance */

static void add_sums(struct host_slice *w, const struct host_slice *s)
{
    w->packets_out += s->packets_out;
    w->packets_in += s->packets_in;
    w->bytes_out += s->bytes_out;
    w->bytes_in += s->bytes_in;
    w->icmp_packets += s->icmp_packets;
    w->flows += s->flows;
    w->tcp += s->tcp;
    w->udp += s->udp;
    w->icmp += s->icmp;
    w->dns += s->dns;
    w->small += s->small;
    w->half_open += s->half_open;
    w->refused += s->refused;
    w->unanswered += s->unanswered;
    w->reset += s->reset;
    w->new_peers += s->new_peers;
    w->mail_peers += s->mail_peers;
    w->dns_queries += s->dns_queries;
    w->arrivals += s->arrivals;
    w->arrival_syns += s->arrival_syns;
}

static uint32_t max_of(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

/* The highest of what is a highest already. */
static void take_peaks(struct host_slice *w, const struct host_slice *s)
{
    w->flow_packets_per_s = fmaxf(w->flow_packets_per_s, s->flow_packets_per_s);
    w->flow_bytes_per_s = fmaxf(w->flow_bytes_per_s, s->flow_bytes_per_s);
    w->arrivals_peak = fmaxf(w->arrivals_peak, s->arrivals_peak);
    w->packets_peak = fmaxf(w->packets_peak, s->packets_peak);
    w->bytes_peak = fmaxf(w->bytes_peak, s->bytes_peak);
    w->repeat_excess = fmaxf(w->repeat_excess, s->repeat_excess);
    if (s->repeat_flows > w->repeat_flows) {
        w->repeat_flows = s->repeat_flows;
        w->repeat_alike = s->repeat_alike;
    }
    if (s->upload > w->upload) {
        w->upload = s->upload;
        w->upload_share = s->upload_share;
    }
    if (s->beacon_score > w->beacon_score) {
        w->beacon_score = s->beacon_score;
        w->beacon_period = s->beacon_period;
    }
    w->upload_excess = fmaxf(w->upload_excess, s->upload_excess);
    w->beacon_new = fmaxf(w->beacon_new, s->beacon_new);
    w->beacon_calls = max_of(w->beacon_calls, s->beacon_calls);
    w->turned_after = max_of(w->turned_after, s->turned_after);
    if (s->domain.names > w->domain.names)
        w->domain = s->domain;
}

static struct host_slice whole_window(const struct host *host)
{
    struct host_slice w = {0};
    for (uint32_t i = 0; i < SKETCH_AGES; i++) {
        const struct host_slice *s = &host->slices[i];
        if (s->first_ns != 0 && (w.first_ns == 0 || s->first_ns < w.first_ns))
            w.first_ns = s->first_ns;
        if (s->last_ns > w.last_ns)
            w.last_ns = s->last_ns;
        add_sums(&w, s);
        take_peaks(&w, s);
    }
    return w;
}

static double port_entropy(const struct host *host)
{
    double sum = 0, bits = 0;
    for (uint32_t c = 0; c < HOST_PORT_CLASSES; c++) {
        double n = 0;
        for (uint32_t i = 0; i < SKETCH_AGES; i++)
            n += host->slices[i].ports[c];
        sum += n;
        bits -= n > 0 ? n * log2(n) : 0;
    }
    return sum > 0 ? fmax(0, bits / sum + log2(sum)) : 0;
}

static double sources(const struct host *host)
{
    const struct dp_distinct *slices[SKETCH_AGES];
    for (uint32_t i = 0; i < SKETCH_AGES; i++)
        slices[i] = &host->slices[i].sources;
    return feat_sketch_distinct(slices, SKETCH_AGES);
}

/*
 * Since the window's oldest slice began, or the host was first met; but a record that ends now
 * tells of minutes.
 */
static double covered_s(const struct feat_hosts *h, const struct host *host,
                        const struct host_slice *w)
{
    uint64_t oldest = h->now_ns / h->slice_ns;
    oldest = oldest >= SKETCH_AGES - 1 ? oldest - (SKETCH_AGES - 1) : 0;
    atl_ns begin = oldest * h->slice_ns;
    begin = host->born_ns > begin ? host->born_ns : begin;
    double packets_s = (double)(w->last_ns - w->first_ns) * 1e-9;
    return fmax(fmax(1, packets_s), (double)(h->now_ns - begin) * 1e-9);
}

static double share(double part, double whole)
{
    return whole > 0 ? part / whole : 0;
}

/* the four in the ratios keeps one failure among two flows from looking like an outage */
static double ratio(double part, double whole)
{
    return part / (whole + 4);
}

static void fill_counts(const struct host_slice *w, double elapsed, float *raw)
{
    double packets = (double)(w->packets_out + w->packets_in);
    raw[HOST_FLOWS] = (float)w->flows;
    raw[HOST_NEW_PEERS] = (float)w->new_peers;
    raw[HOST_PACKETS_OUT] = (float)w->packets_out;
    raw[HOST_PACKETS_IN] = (float)w->packets_in;
    raw[HOST_BYTES_OUT] = (float)w->bytes_out;
    raw[HOST_BYTES_IN] = (float)w->bytes_in;
    raw[HOST_HALF_OPEN] = (float)w->half_open;
    raw[HOST_REFUSED] = (float)w->refused;
    raw[HOST_UNANSWERED] = (float)w->unanswered;
    raw[HOST_PACKETS_PER_S] = (float)(packets / elapsed);
    raw[HOST_PACKETS_PER_FLOW] = (float)share(packets, w->flows);
    raw[HOST_FLOW_PACKETS_PER_S] = w->flow_packets_per_s;
    raw[HOST_FLOW_BYTES_PER_S] = w->flow_bytes_per_s;
    raw[HOST_ICMP_PACKETS_PER_S] = (float)((double)w->icmp_packets / elapsed);
    raw[HOST_REPEAT_FLOWS] = w->repeat_flows;
    raw[HOST_REPEAT_EXCESS] = w->repeat_excess;
    raw[HOST_UPLOAD_MAX] = w->upload;
    raw[HOST_MAIL_PEERS] = (float)w->mail_peers;
    raw[HOST_DNS_QUERIES] = (float)w->dns_queries;
    raw[HOST_ARRIVALS] = (float)w->arrivals;
    raw[HOST_ARRIVALS_PEAK] = w->arrivals_peak;
    raw[HOST_PACKETS_PEAK] = w->packets_peak;
    raw[HOST_BYTES_PEAK] = w->bytes_peak;
    raw[HOST_UPLOAD_EXCESS] = w->upload_excess;
    raw[HOST_TURNED_AFTER] = (float)w->turned_after;
}

static void fill_shares(const struct host_slice *w, float *raw)
{
    double failed = (double)w->half_open + w->refused + w->unanswered;
    double out = (double)w->bytes_out;
    raw[HOST_HALF_OPEN_RATIO] = (float)ratio(w->half_open, w->tcp);
    raw[HOST_RESET_RATIO] = (float)ratio(w->reset, w->tcp);
    raw[HOST_FAILED_RATIO] = (float)ratio(failed, w->flows);
    raw[HOST_SIZE_MEAN_OUT] = (float)share(out, (double)w->packets_out);
    raw[HOST_BYTES_OUT_SHARE] = (float)share(out, out + (double)w->bytes_in);
    raw[HOST_TCP_SHARE] = (float)share(w->tcp, w->flows);
    raw[HOST_UDP_SHARE] = (float)share(w->udp, w->flows);
    raw[HOST_ICMP_SHARE] = (float)share(w->icmp, w->flows);
    raw[HOST_DNS_SHARE] = (float)share(w->dns, w->flows);
    raw[HOST_SMALL_SHARE] = (float)share(w->small, w->flows);
    raw[HOST_REPEAT_ALIKE] = w->repeat_flows >= REPEATS_MIN ? fminf(w->repeat_alike, 1) : 0;
    raw[HOST_UPLOAD_SHARE] = w->upload_share;
    raw[HOST_BEACON_SCORE] = w->beacon_score;
    raw[HOST_BEACON_PERIOD] = w->beacon_period;
    raw[HOST_BEACON_NEW] = w->beacon_new;
    raw[HOST_DNS_NAMES] = w->domain.names;
    raw[HOST_DNS_NAME_MEAN] = w->domain.name_bytes;
    raw[HOST_DNS_ENTROPY] = w->domain.entropy;
    raw[HOST_DNS_ODD_SHARE] = w->domain.odd_share;
    raw[HOST_ARRIVAL_SYN_SHARE] = (float)ratio((double)w->arrival_syns, (double)w->arrivals);
}

static struct dp_flow sample_flow(const struct host_sample *s)
{
    return (struct dp_flow){
        .src = s->src,
        .dst = s->dst,
        .src_port = s->src_port,
        .dst_port = s->dst_port,
        .proto = s->proto,
        .icmp_type = s->icmp_type,
        .icmp_code = s->icmp_code,
        .first_ns = s->first_ns,
        .last_ns = s->last_ns,
        .fwd = {.packets = s->packets[0], .bytes = s->bytes[0]},
        .bwd = {.packets = s->packets[1], .bytes = s->bytes[1]},
    };
}

/* What is new to a host weighs as much as what it was watched doing or not doing before. */
static uint32_t events_of(const struct host_slice *w)
{
    uint32_t arrivals = w->arrivals < UINT32_MAX ? (uint32_t)w->arrivals : UINT32_MAX;
    uint32_t events = max_of(max_of(w->flows, w->dns_queries), arrivals);
    return max_of(events, max_of(w->beacon_calls, w->turned_after));
}

bool feat_host_row(const struct feat_hosts *h, const struct host *host, struct feat_host_row *row)
{
    struct host_slice w = whole_window(host);
    if (w.flows == 0 && w.arrivals < ARRIVALS_MIN && w.dns_queries < QUERIES_MIN)
        return false;
    double peers = feat_sketch_count(&host->peers), from = sources(host);
    uint64_t packets = w.packets_out + w.packets_in;
    row->addr = host->addr;
    row->role = host->role;
    row->first_ns = w.first_ns;
    row->last_ns = w.last_ns;
    row->flows = w.flows;
    row->events = events_of(&w);
    row->peers = (uint32_t)lround(fmax(peers, from));
    row->packets = packets;
    row->sample = sample_flow(&host->sample);
    row->raw[HOST_ROLE_TARGET] = host->role == FEAT_TARGET;
    row->raw[HOST_PEERS] = (float)peers;
    row->raw[HOST_PORTS] = (float)feat_sketch_count(&host->ports);
    row->raw[HOST_PORT_ENTROPY] = (float)port_entropy(host);
    row->raw[HOST_ARRIVAL_SOURCES] = (float)from;
    fill_counts(&w, covered_s(h, host, &w), row->raw);
    fill_shares(&w, row->raw);
    return true;
}
