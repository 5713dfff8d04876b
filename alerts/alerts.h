/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alerts: from single scores to incidents a person can act on.
 *
 * One incident per (kind, entity). It is raised once, updated while it lasts (at most once per
 * cool-down), cleared after a quiet time. The number of open incidents is bounded; what does not
 * fit is counted, and the least severe makes room for the more severe.
 */
#ifndef ALERT_ALERTS_H
#define ALERT_ALERTS_H

#include "base/base.h"

/** X.733 perceived severity. */
enum alert_severity { ALERT_WARNING, ALERT_MINOR, ALERT_MAJOR, ALERT_CRITICAL };
const char *alert_severity_name(enum alert_severity severity); /* "warning" … "critical" */

#define ALERT_FEATURES_MAX 5
#define ALERT_ID_BYTES     33

struct alert_feature {
    char name[40];
    char unit[16];
    double observed, expected;
    double low, high; /* the usual range around it; low > high: none is known */
};

/** What a detector found: plain text and numbers, so that this room knows no packet and no model.
 */
struct alert_signal {
    atl_ns time_ns;    /* wall time of the evidence's last packet */
    atl_ns first_ns;   /* of its first */
    char kind[24];     /* "horizontal_scan", "syn_flood", "anomaly", … */
    char entity[48];   /* address alerted on, or name of the link */
    char role[8];      /* "source", "target" or "link" */
    char detector[16]; /* "host", "flow" */
    double score;      /* 0.5 … 1 */
    double p_value;
    struct alert_feature features[ALERT_FEATURES_MAX]; /* what matters most first */
    uint32_t n_features;
    char hint[160];     /* one plain sentence */
    char technique[16]; /* ATT&CK id or "" */
    char model[48];
    /* a typical flow behind it */
    char src_ip[48], dest_ip[48], proto[12], community_id[48], in_iface[64];
    uint16_t src_port, dest_port;
    uint64_t packets_toserver, packets_toclient, bytes_toserver, bytes_toclient;
};

struct alert_config {
    uint32_t open_max;     /* 1 … 4096 */
    atl_ns cooldown_ns;    /* least time between two updates of one incident */
    atl_ns clear_after_ns; /* quiet time after which an incident is cleared */
    const char *site, *node;
};
void alert_config_default(struct alert_config *cfg);
int alert_config_check(const struct alert_config *cfg, struct atl_error *err);

enum alert_change { ALERT_RAISE, ALERT_UPDATE, ALERT_CLEAR };
const char *alert_change_name(enum alert_change change); /* "raise", "update", "clear" */

struct alert_incident {
    char id[ALERT_ID_BYTES]; /* hex, stable while open, new for each incident */
    enum alert_severity severity;
    atl_ns raised_ns, updated_ns, cleared_ns; /* updated: time of the latest evidence */
    uint64_t count;                           /* signals folded into it */
    struct alert_signal signal;               /* the strongest so far */
};

/**
 * Called from alert_book_raise and alert_book_step on the same thread; must not call the book.
 * The incident is borrowed for the call. Severity only rises while an incident is open.
 */
typedef void (*alert_emit_fn)(void *ctx, enum alert_change change,
                              const struct alert_incident *incident);

struct alert_book;
/** Takes about open_max × 2 KiB at once, nothing later. @return 0, -EINVAL, -ENOMEM */
int alert_book_create(struct alert_book **ret_book, const struct alert_config *cfg,
                      alert_emit_fn emit, void *ctx);
/** Emits nothing. */
void alert_book_destroy(struct alert_book *book);
/**
 * Fold a signal in. Bounded work. A rise of severity is told at once, the rest at most once per
 * cool-down. When the book is full, the least severe and oldest incident is cleared for a more
 * severe one; a signal that finds no room is counted as suppressed.
 */
void alert_book_raise(struct alert_book *book, const struct alert_signal *signal);
/** Clear what has been quiet at dataplane time now_ns; tell what came during a cool-down. */
void alert_book_step(struct alert_book *book, atl_ns now_ns);
uint32_t alert_book_open(const struct alert_book *book);
uint64_t alert_book_suppressed(const struct alert_book *book);

/** EVE-like JSON of the contract (docs/reference/alerts.md), one line, malloc'ed; NULL on no
 * memory. */
char *alert_format_json(const struct alert_config *cfg, enum alert_change change,
                        const struct alert_incident *incident);
/** One line for a log or terminal, without control characters, cut where out_bytes ends. */
void alert_format_line(enum alert_change change, const struct alert_incident *incident, char *out,
                       size_t out_bytes);

#endif
