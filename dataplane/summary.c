/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/summary_priv.h"

struct dp_summary *dp_summary_replace(struct dp_summary set[DP_SUMMARY_WAYS],
                                      enum dp_report_kind kind)
{
    struct dp_summary *lightest = set;
    for (size_t i = 1; i < DP_SUMMARY_WAYS; i++)
        if (set[i].weight < lightest->weight)
            lightest = &set[i];
    lightest->report = (struct dp_report){.kind = kind};
    return lightest;
}

void dp_summary_note(struct dp_summary *s, atl_ns ts_ns)
{
    s->weight += s->weight != UINT32_MAX;
    if (s->report.first_ns == 0 || ts_ns < s->report.first_ns)
        s->report.first_ns = ts_ns;
    if (ts_ns > s->report.last_ns)
        s->report.last_ns = ts_ns;
}

void dp_summary_report(struct dp_summaries *s, struct atl_ring *reports)
{
    struct dp_summary *entries = &s->sets[0][0];
    for (size_t i = 0; i < (size_t)DP_SUMMARY_SETS * DP_SUMMARY_WAYS; i++) {
        if (entries[i].weight == 0)
            continue;
        struct dp_report *report = atl_ring_reserve(reports);
        if (report == NULL)
            return;
        *report = entries[i].report;
        atl_ring_commit(reports);
        entries[i].weight = 0;
    }
}
