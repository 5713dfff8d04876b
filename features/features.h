/* SPDX-License-Identifier: Apache-2.0 */
/*
 * features: finished flows → named columns of numbers.
 *
 * Three views share one kind of schema: `flow` (one row per biflow), `host` (one row per address,
 * role and window) and `link` (one row per interval). A schema says for each column its name, unit,
 * range, formula and source; its hash travels with every model and export. Scaling is fixed by the
 * schema, so it tells nothing about the site (nothing to leak, nothing to charge to a privacy
 * budget).
 */
#ifndef FEAT_FEATURES_H
#define FEAT_FEATURES_H

#include "base/base.h"
#include "dataplane/dataplane.h"

/** How a raw value becomes a model input near 0 … 1. */
enum feat_scale {
    FEAT_LINEAR, /* v / top */
    FEAT_LOG,    /* ln(1 + v / unit) / ln(1 + top / unit), unit = `step` */
};

struct feat_column {
    const char *name;
    const char *unit; /* "1" for a pure number */
    double top;       /* raw value that scales to 1; larger ones are clipped at FEAT_CLIP */
    double step;      /* FEAT_LOG: the value that counts as one */
    enum feat_scale scale;
    const char *formula; /* in words */
    const char *source;  /* where the definition comes from */
};

#define FEAT_CLIP        1.5f
#define FEAT_COLUMNS_MAX 128
#define FEAT_HASH_BYTES  32

struct feat_schema {
    const char *name; /* "flow", "host", "link" */
    uint32_t version;
    uint32_t n_columns;
    uint32_t n_own; /* the first so many columns say nothing about other rows */
    const struct feat_column *columns;
};

const struct feat_schema *feat_schema_flow(void);
const struct feat_schema *feat_schema_host(void);
const struct feat_schema *feat_schema_link(void);
/** BLAKE2b-256 over name, version and every field of every column. */
void feat_schema_hash(const struct feat_schema *schema, uint8_t out[FEAT_HASH_BYTES]);

/**
 * The columns that one record tells by itself, in the units of the schema: the first columns of the
 * flow view, those of the context are left alone. Finite for every record.
 */
ATL_HOT void feat_flow_vector(const struct dp_flow *flow, float *raw);

/** Model input; finite, 0 … FEAT_CLIP. raw and x may be the same array. */
ATL_HOT void feat_scale_row(const struct feat_schema *schema, const float *raw, float *x);
/**
 * Inverse of feat_scale_row for one column, for explanations. What a network guesses may lie where
 * no value can: x below 0 counts as 0, and a share (linear, unit "1") is at most its top.
 */
double feat_unscale(const struct feat_column *column, float x);

/* --- context --- */

/**
 * What the earlier flows of a flow's source, destination, pair and service were like, as damped
 * sums: a flow that ended a half-life ago counts half (forward decay, Cormode et al. 2009;
 * statistics as in Kitsune, Mirsky et al. 2018). One thread. Memory is taken once.
 */
struct feat_context;

struct feat_context_config {
    uint64_t seed;        /* of the table's hash: 0 = fresh and secret (live), else repeatable */
    uint32_t entries_max; /* sources, destinations, pairs and services together, 1024 … 2^24; of
                           * eight in a bucket the longest idle makes room */
};

void feat_context_config_default(struct feat_context_config *cfg);
int feat_context_config_check(const struct feat_context_config *cfg, struct atl_error *err);
uint64_t feat_context_memory_bytes(const struct feat_context_config *cfg);

/** @return 0, -EINVAL, -ENOMEM */
int feat_context_create(struct feat_context **ret_context, const struct feat_context_config *cfg);
void feat_context_destroy(struct feat_context *context); /* NULL is fine */
/** Forget all, as if new: the next flow is of another capture. */
void feat_context_clear(struct feat_context *context);
/**
 * The whole raw row of the flow view, n_columns floats, and take the flow into the context. Time is
 * the flow's last packet. Flows may come in any order: one that comes late counts by its own age.
 * An entry begins anew when flow and entry are more than FEAT_CONTEXT_FORGET_NS apart, whichever is
 * the later: after so long a silence, or a clock set back so far, nothing is left to say.
 */
#define FEAT_CONTEXT_FORGET_NS (6000 * ATL_NS_PER_S)
ATL_HOT void feat_context_row(struct feat_context *context, const struct dp_flow *flow, float *raw);

struct feat_context_counters {
    uint64_t used;    /* entries */
    uint64_t evicted; /* that something could still have been said about */
};
void feat_context_counters(const struct feat_context *context,
                           struct feat_context_counters *ret_counters);

/* --- host windows --- */

enum feat_role { FEAT_SOURCE, FEAT_TARGET };

struct feat_host_config {
    uint64_t seed; /* of the distinct-count hash: 0 = fresh and secret (live), else repeatable */
    uint32_t hosts_max; /* tracked (address, role) pairs, 64 … 2^22; the longest idle is evicted */
    atl_ns window_ns;   /* length of a window; it slides by a quarter of itself */
    atl_ns step_ns;     /* a window is looked at every step when something new came */
};

void feat_host_config_default(struct feat_host_config *cfg);
int feat_host_config_check(const struct feat_host_config *cfg, struct atl_error *err);

/** One look at one host. */
struct feat_host_row {
    struct dp_addr addr;
    enum feat_role role;
    bool closed; /* the first look after a window of the clock: these rows leave no flow out */
    atl_ns first_ns, last_ns; /* first and last packet behind the window */
    uint32_t flows;
    uint32_t events;       /* flows, arrivals or DNS queries, whichever are most */
    uint32_t peers;        /* distinct addresses on the other side, estimated */
    uint64_t packets;      /* both directions */
    struct dp_flow sample; /* the window's latest flow, for the alert's 5-tuple */
    float raw[FEAT_COLUMNS_MAX];
};

struct feat_hosts;

/** Bytes that the tables of this configuration hold from start to end. */
size_t feat_hosts_memory_bytes(const struct feat_host_config *cfg);
int feat_hosts_create(struct feat_hosts **ret_hosts, const struct feat_host_config *cfg);
void feat_hosts_destroy(struct feat_hosts *hosts);
/** Count a finished flow for its source and its target. Bounded work, no allocation. */
ATL_HOT void feat_hosts_add(struct feat_hosts *hosts, const struct dp_flow *flow);
/** Count what the dataplane saw before the flow table. Bounded work, no allocation. */
ATL_HOT void feat_hosts_report(struct feat_hosts *hosts, const struct dp_report *report);
/**
 * Looks that are due at `now_ns`, at most n; call again until it returns less than n.
 * With `flush` every open window is closed whatever its age, and time may begin anew.
 */
uint32_t feat_hosts_take(struct feat_hosts *hosts, atl_ns now_ns, bool flush,
                         struct feat_host_row *rows, uint32_t n);
uint64_t feat_hosts_evicted(const struct feat_hosts *hosts);
uint32_t feat_hosts_used(const struct feat_hosts *hosts);

/* --- link series --- */

/** One interval, aligned to its length since 1970. */
struct feat_link_row {
    atl_ns first_ns; /* begin of the interval */
    uint32_t interval_s;
    uint64_t packets, bytes; /* as in raw, to the last digit */
    float raw[FEAT_COLUMNS_MAX];
};

/** Rows come in order of time, unless the clock was set back. */
typedef void (*feat_link_fn)(void *ctx, const struct feat_link_row *row);

/** A silence gives at most so many rows of zeros; the rest of it is left out. */
#define FEAT_LINK_GAP_MAX 3600

struct feat_links;

/** @param interval_s  1 … 3600.  @return 0, -EINVAL, -ENOMEM */
int feat_links_create(struct feat_links **ret_links, uint32_t interval_s, feat_link_fn fn,
                      void *ctx);
void feat_links_destroy(struct feat_links *links); /* NULL is fine */
/** Count a second, as dp_engine_link hands it over; rows of intervals that it ends go out first. */
void feat_links_add(struct feat_links *links, const struct dp_link *second);
/** Nothing is to come from before due_s: rows of intervals that are over go out, empty ones too. */
void feat_links_step(struct feat_links *links, uint64_t due_s);
/** The row at hand goes out, whole or not, and time may begin anew. */
void feat_links_flush(struct feat_links *links);

/* --- identifiers --- */

#define FEAT_COMMUNITY_ID_BYTES 40
/** Community ID v1, seed 0 (github.com/corelight/community-id-spec): "1:" + base64(SHA-1). */
void feat_community_id(const struct dp_flow *flow, char out[FEAT_COMMUNITY_ID_BYTES]);
/** "TCP", "UDP", "ICMP", "ICMPv6", "SCTP", "ESP", "GRE" or the number. */
void feat_proto_name(uint8_t proto, char out[12]);

/* --- text exports --- */

enum feat_format { FEAT_CSV, FEAT_JSONL };

/** Header line of the CSV (with newline) into out; @return length, or needed length when out is
 * small. */
size_t feat_export_header(enum feat_format format, char *out, size_t out_bytes);
/**
 * Two comment lines to stand before the CSV's header: schema version and hash, then the unit of
 * each column, as many cells as there are columns. @return length
 */
size_t feat_export_units(char *out, size_t out_bytes);
/**
 * One record with its newline; @return length. out_bytes ≥ FEAT_EXPORT_LINE_BYTES always suffices.
 * @param raw  its row of the flow view
 */
#define FEAT_EXPORT_LINE_BYTES 8192
size_t feat_export_flow(enum feat_format format, const struct dp_flow *flow, const float *raw,
                        char *out, size_t out_bytes);

/** As above with the columns of CICFlowMeter 4.0 by their names and in their units. */
size_t feat_cic_header(enum feat_format format, char *out, size_t out_bytes);
/**
 * @param compat  repeat CICFlowMeter's defects as far as a flow record tells; else corrected.
 * Cells that a flow record cannot tell are empty (CSV) or left out (JSON lines).
 * @return length; 0 for a flow that CICFlowMeter would not write (compat: one packet)
 */
size_t feat_cic_flow(enum feat_format format, bool compat, const struct dp_flow *flow, char *out,
                     size_t out_bytes);

/** Rows of the host and the link view; as feat_export_header, _units and _flow. */
size_t feat_view_header(const struct feat_schema *schema, enum feat_format format, char *out,
                        size_t out_bytes);
size_t feat_view_units(const struct feat_schema *schema, char *out, size_t out_bytes);
size_t feat_view_host(enum feat_format format, const struct feat_host_row *row, char *out,
                      size_t out_bytes);
size_t feat_view_link(enum feat_format format, const struct feat_link_row *row, char *out,
                      size_t out_bytes);

/* --- IPFIX (RFC 7011) --- */

/**
 * Biflow records (RFC 5103) with the feature columns as float32 elements of our own, whose names,
 * units and meaning travel before them (RFC 5610). docs/reference/ipfix.md lists them.
 */
struct feat_ipfix;

/** IANA's number for examples (RFC 5612), until there is one of our own. */
#define FEAT_IPFIX_ENTERPRISE  32473
#define FEAT_IPFIX_MESSAGE_MIN 1400

struct feat_ipfix_config {
    uint32_t message_bytes; /* longest message, FEAT_IPFIX_MESSAGE_MIN … 65535 */
    uint32_t domain;        /* observation domain */
    uint32_t enterprise;    /* private enterprise number of our own elements */
    bool nanoseconds;       /* times as 156/157; else milliseconds, 152/153 */
    /* Templates are repeated after so much time or so many messages; 0 = never again. */
    atl_ns describe_every_ns;
    uint32_t describe_every_messages;
};

struct feat_ipfix_counters {
    uint64_t messages, bytes, flows;
    uint64_t records; /* data records of every kind: what sequence numbers count */
};

/** A whole message goes out; valid during the call. @return 0, or a negative errno to hand on */
typedef int (*feat_ipfix_send)(void *ctx, const uint8_t *message, size_t bytes);

void feat_ipfix_config_default(struct feat_ipfix_config *cfg);
/** @return 0, -EINVAL, -ENOMEM */
int feat_ipfix_create(struct feat_ipfix **ret_ipfix, const struct feat_ipfix_config *cfg,
                      feat_ipfix_send send, void *ctx);
/** Does not flush. NULL is fine. */
void feat_ipfix_destroy(struct feat_ipfix *ipfix);
/**
 * Add one record with its row of the flow view; templates go first. No allocation.
 * @return 0 or what `send` gave
 */
int feat_ipfix_flow(struct feat_ipfix *ipfix, const struct dp_flow *flow, const float *raw,
                    atl_ns now_ns);
/**
 * Add one options record: packets received, processed and dropped by reason, records sent and lost.
 * @param lost  flow records that this exporter's transport dropped
 */
int feat_ipfix_report(struct feat_ipfix *ipfix, const struct dp_counters *counters, uint64_t lost,
                      atl_ns now_ns);
/** Add templates and descriptions now: a new file knows none. */
int feat_ipfix_describe(struct feat_ipfix *ipfix, atl_ns now_ns);
/**
 * A message of templates only, for a new connection on which older messages still wait; the
 * descriptions follow in the stream. Does not touch the message that is being filled.
 * @param next  the message that will follow it (its sequence number counts), NULL = none waits
 * @param out   FEAT_IPFIX_TEMPLATES_BYTES.  @return length
 */
#define FEAT_IPFIX_TEMPLATES_BYTES 8192
size_t feat_ipfix_templates(struct feat_ipfix *ipfix, const uint8_t *next, atl_ns now_ns,
                            uint8_t *out);
/** Send the message that is being filled, if it holds anything. */
int feat_ipfix_flush(struct feat_ipfix *ipfix);
void feat_ipfix_counters(const struct feat_ipfix *ipfix, struct feat_ipfix_counters *ret_counters);
/** Element number of a column of the flow schema, or of one of the first four columns: 0. */
uint16_t feat_ipfix_element(uint32_t column);

#endif
