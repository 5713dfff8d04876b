/* SPDX-License-Identifier: Apache-2.0 */
/* Flow records per second on one core: to the model's input, and to each export format. */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "features/features.h"

enum { FLOWS = 4096, ROUNDS = 64, TEXT_ROUNDS = 16 };

/* Processor time: other work on the machine counts for less than by the wall clock. */
static atl_ns cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (atl_ns)now.tv_sec * ATL_NS_PER_S + (atl_ns)now.tv_nsec;
}

static void fill_dir(struct dp_dir *d, struct atl_rng *rng, const struct dp_flow *f)
{
    d->packets = 1 + atl_rng_below(rng, 60);
    d->size_min = 40 + (uint32_t)atl_rng_below(rng, 60);
    d->size_max = d->size_min + (uint32_t)atl_rng_below(rng, 1400);
    uint64_t mean = (d->size_min + d->size_max) / 2;
    d->bytes = d->packets * mean;
    d->size_sq = d->packets * (mean * mean + atl_rng_below(rng, 200000));
    d->payload_bytes = d->bytes - 40 * d->packets + (d->bytes < 40 * d->packets) * 40;
    d->payload_packets = (uint32_t)(d->packets / 2);
    d->first_ns = f->first_ns;
    d->last_ns = f->last_ns;
    d->iat_max_us = (uint32_t)((f->last_ns - f->first_ns) / ATL_NS_PER_US);
    d->iat_sq_us2 = (uint64_t)d->iat_max_us * d->iat_max_us;
    d->flags[DP_ACK] = (uint16_t)d->packets;
    d->flags[DP_SYN] = 1;
    d->window_init = 64240;
}

static struct dp_flow *draw_flows(void)
{
    struct atl_rng rng;
    struct dp_flow *flows = calloc(FLOWS, sizeof(*flows));
    atl_rng_init_seed(&rng, 1);
    for (uint32_t i = 0; flows != NULL && i < FLOWS; i++) {
        struct dp_flow *f = &flows[i];
        f->proto = i % 3 == 0 ? IPPROTO_UDP : IPPROTO_TCP;
        f->src.bytes[10] = f->src.bytes[11] = f->dst.bytes[10] = f->dst.bytes[11] = 0xff;
        atl_rng_fill(&rng, f->src.bytes + 12, 4);
        atl_rng_fill(&rng, f->dst.bytes + 12, 4);
        f->src_port = (uint16_t)(1024 + atl_rng_below(&rng, 60000));
        f->dst_port = 443;
        f->end_reason = DP_END_IDLE;
        f->first_ns = 1700000000 * ATL_NS_PER_S + atl_rng_below(&rng, 3600 * ATL_NS_PER_S);
        f->last_ns = f->first_ns + atl_rng_below(&rng, 30 * ATL_NS_PER_S);
        f->iat_max_us = (uint32_t)((f->last_ns - f->first_ns) / ATL_NS_PER_US / 2);
        f->iat_sq_us2 = (uint64_t)f->iat_max_us * f->iat_max_us * 2;
        fill_dir(&f->fwd, &rng, f);
        fill_dir(&f->bwd, &rng, f);
    }
    return flows;
}

static void report(const char *what, uint64_t flows, uint64_t bytes, atl_ns begun)
{
    double s = (double)(cpu_ns() - begun) * 1e-9;
    printf("%-40s %10.0f records/s", what, (double)flows / s);
    if (bytes > 0)
        printf("  %7.1f MB/s", (double)bytes / s * 1e-6);
    putchar('\n');
}

static float vectors(const struct dp_flow *flows)
{
    const struct feat_schema *schema = feat_schema_flow();
    float raw[FEAT_COLUMNS_MAX] = {0}, sum = 0;
    atl_ns begun = cpu_ns();
    for (uint32_t i = 0; i < ROUNDS * FLOWS; i++) {
        feat_flow_vector(&flows[i % FLOWS], raw);
        sum += raw[4];
    }
    report("vector", ROUNDS * FLOWS, 0, begun);
    begun = cpu_ns();
    for (uint32_t i = 0; i < ROUNDS * FLOWS; i++) {
        feat_flow_vector(&flows[i % FLOWS], raw);
        feat_scale_row(schema, raw, raw);
        sum += raw[4];
    }
    report("vector, scaled (target 500000)", ROUNDS * FLOWS, 0, begun);
    return sum;
}

static struct feat_context *make_context(void)
{
    struct feat_context_config cfg;
    struct feat_context *context;
    feat_context_config_default(&cfg);
    if (feat_context_create(&context, &cfg) < 0)
        abort();
    return context;
}

/* Conversations among so many hosts, each with sixteen of them. */
static float contexts(struct dp_flow *flows, uint32_t hosts, const char *what)
{
    const struct feat_schema *schema = feat_schema_flow();
    struct feat_context *context = make_context();
    struct atl_rng rng;
    float raw[FEAT_COLUMNS_MAX], sum = 0;
    atl_rng_init_seed(&rng, 2);
    atl_ns begun = cpu_ns();
    for (uint32_t i = 0; i < ROUNDS * FLOWS; i++) {
        struct dp_flow *f = &flows[i % FLOWS];
        uint32_t src = (uint32_t)atl_rng_below(&rng, hosts), dst = (src * 7 + i % 16) % hosts;
        memcpy(f->src.bytes + 12, &src, 4);
        memcpy(f->dst.bytes + 12, &dst, 4);
        f->last_ns += ATL_NS_PER_S / 100;
        feat_context_row(context, f, raw);
        feat_scale_row(schema, raw, raw);
        sum += raw[4];
    }
    report(what, ROUNDS * FLOWS, 0, begun);
    feat_context_destroy(context);
    return sum;
}

static void text(const struct dp_flow *flows, const char *what, enum feat_format format, bool cic)
{
    char line[FEAT_EXPORT_LINE_BYTES];
    float raw[FEAT_COLUMNS_MAX] = {0};
    uint64_t bytes = 0;
    struct feat_context *context = make_context();
    atl_ns begun = cpu_ns();
    for (uint32_t i = 0; i < TEXT_ROUNDS * FLOWS; i++) {
        const struct dp_flow *f = &flows[i % FLOWS];
        if (!cic)
            feat_context_row(context, f, raw);
        bytes += cic ? feat_cic_flow(format, false, f, line, sizeof(line))
                     : feat_export_flow(format, f, raw, line, sizeof(line));
    }
    report(what, TEXT_ROUNDS * FLOWS, bytes, begun);
    feat_context_destroy(context);
}

static int count_bytes(void *ctx, const uint8_t *message, size_t bytes)
{
    (void)message;
    *(uint64_t *)ctx += bytes;
    return 0;
}

static void ipfix(const struct dp_flow *flows, const char *what, uint32_t message_bytes)
{
    struct feat_ipfix_config cfg;
    struct feat_ipfix *x;
    uint64_t bytes = 0;
    feat_ipfix_config_default(&cfg);
    cfg.message_bytes = message_bytes;
    if (feat_ipfix_create(&x, &cfg, count_bytes, &bytes) < 0)
        return;
    struct feat_context *context = make_context();
    float raw[FEAT_COLUMNS_MAX];
    atl_ns begun = cpu_ns();
    for (uint32_t i = 0; i < ROUNDS * FLOWS; i++) {
        feat_context_row(context, &flows[i % FLOWS], raw);
        feat_ipfix_flow(x, &flows[i % FLOWS], raw, flows[0].last_ns);
    }
    feat_ipfix_flush(x);
    report(what, ROUNDS * FLOWS, bytes, begun);
    feat_context_destroy(context);
    feat_ipfix_destroy(x);
}

int main(void)
{
    if (atl_base_init() < 0)
        return 1;
    struct dp_flow *flows = draw_flows();
    if (flows == NULL)
        return 1;
    float sum = vectors(flows);
    sum += contexts(flows, 500, "row with context, scaled, 500 hosts");
    sum += contexts(flows, 50000, "row with context, scaled, 50,000 hosts");
    text(flows, "CSV", FEAT_CSV, false);
    text(flows, "JSON lines", FEAT_JSONL, false);
    text(flows, "CSV, cic profile", FEAT_CSV, true);
    ipfix(flows, "IPFIX, 1400-byte messages", FEAT_IPFIX_MESSAGE_MIN);
    ipfix(flows, "IPFIX, 65535-byte messages", 65535);
    free(flows);
    return sum > 0 ? 0 : 1;
}
