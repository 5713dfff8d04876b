/* SPDX-License-Identifier: Apache-2.0 */
#include "app/app_priv.h"
#include "app/config_priv.h"
#include "app/edge_priv.h"

#define STEP_NS (100 * ATL_NS_PER_MS) /* reading every counter of the dataplane costs something */

int edge_export_open(struct edge *e, struct atl_error *err)
{
    struct exporter_config cfg;
    if (e->cfg->export.to[0] == '\0')
        return 0;
    config_exporter(e->cfg, &cfg);
    return exporter_create(&e->exporter, &cfg, err);
}

/* Once, until a record goes out again. */
static void complain(struct edge *e, const struct atl_error *err)
{
    if (!e->export_failed)
        log_line(LOG_WARNING, "export: %s; records are dropped until it works again", err->text);
    e->export_failed = true;
}

void edge_export_flow(struct edge *e, const struct dp_flow *flow, const float *raw)
{
    struct atl_error err;
    if (e->exporter == NULL)
        return;
    int r = exporter_flow(e->exporter, flow, raw, atl_clock_wall_ns(), &err);
    if (r < 0)
        complain(e, &err);
    else
        e->export_failed = false;
}

void edge_export_step(struct edge *e)
{
    struct atl_error err;
    atl_ns now_ns = atl_clock_mono_ns();
    if (e->exporter == NULL || now_ns < e->export_due_ns)
        return;
    e->export_due_ns = now_ns + STEP_NS;
    struct dp_counters c;
    struct exporter_counters counters;
    dp_engine_counters(e->engine, &c);
    if (exporter_step(e->exporter, &c, atl_clock_wall_ns(), &err) < 0)
        complain(e, &err);
    exporter_counters(e->exporter, &counters);
    atomic_store(&e->export_records, counters.records);
    atomic_store(&e->export_dropped_records, counters.dropped_records);
    atomic_store(&e->export_dropped_messages, counters.dropped_messages);
}

void edge_export_close(struct edge *e)
{
    struct atl_error err;
    struct dp_counters c;
    if (e->exporter == NULL)
        return;
    dp_engine_counters(e->engine, &c);
    if (exporter_close(e->exporter, &c, atl_clock_wall_ns(), &err) < 0)
        log_line(LOG_WARNING, "export: %s", err.text);
    e->exporter = NULL;
}
