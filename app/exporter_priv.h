/* SPDX-License-Identifier: Apache-2.0 */
/* Flow records on their way out of the program: a format, and a file or a collector. One thread. */
#ifndef EXPORTER_PRIV_H
#define EXPORTER_PRIV_H

#include "features/features.h"

enum exporter_format { EXPORTER_CSV, EXPORTER_JSONL, EXPORTER_IPFIX, EXPORTER_NONE };
enum exporter_profile { EXPORTER_ATALAYA, EXPORTER_CIC, EXPORTER_CIC_COMPAT };

struct exporter_config {
    enum exporter_format format;
    enum exporter_profile profile; /* CSV and JSON lines */
    bool units;                    /* CSV: comment lines before the header */
    const char *to; /* path, udp://host:port or tcp://host:port (IPFIX only); NULL = stdout */
    /*
     * Files: close one and begin the next after so long, named PATH with the time of its beginning
     * before the suffix; 0 = one file, which is PATH.
     */
    atl_ns rotate_ns;
    bool nanoseconds;         /* IPFIX times */
    uint32_t domain;          /* IPFIX observation domain */
    atl_ns template_every_ns; /* IPFIX: templates repeated (UDP), drop counters reported */
    bool patient;             /* a tool: wait for a slow collector, fail without one */
};

struct exporter_counters {
    uint64_t records;
    uint64_t dropped_records;  /* files: could not be written */
    uint64_t dropped_messages; /* collectors: no room, or refused */
};

struct exporter;

void exporter_config_default(struct exporter_config *cfg);
/** @return 0, or -EINVAL with one line that names what contradicts what */
int exporter_config_check(const struct exporter_config *cfg, struct atl_error *err);

/** @param cfg  its strings are borrowed.  @return 0 or negative errno with a line in *err */
int exporter_create(struct exporter **ret_exporter, const struct exporter_config *cfg,
                    struct atl_error *err);
/** Are the columns of the flow view among what is written? */
bool exporter_wants_row(const struct exporter_config *cfg);
/**
 * @param raw     the flow's row, NULL when it is not wanted
 * @param now_ns  time of the export
 * @return 0, or the first error since the last call
 */
int exporter_flow(struct exporter *exporter, const struct dp_flow *flow, const float *raw,
                  atl_ns now_ns, struct atl_error *err);
/** Bounded work that is due: reconnect, flush, report `counters`, rotate. @return as above */
int exporter_step(struct exporter *exporter, const struct dp_counters *counters, atl_ns now_ns,
                  struct atl_error *err);
/** Last report, flush, give the file its name. NULL is fine. Frees in any case. */
int exporter_close(struct exporter *exporter, const struct dp_counters *counters, atl_ns now_ns,
                   struct atl_error *err);
/** Instead: leave no file behind; a collector hears nothing more. NULL is fine. */
void exporter_discard(struct exporter *exporter);
void exporter_counters(const struct exporter *exporter, struct exporter_counters *ret_counters);

#endif
