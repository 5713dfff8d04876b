/* SPDX-License-Identifier: Apache-2.0 */
#include "app/edge_priv.h"

#define KEPT_S 60

void edge_link_take(struct edge *e)
{
    uint64_t due_s = dp_engine_link(e->engine, detector_link, e->detector);
    detector_link_step(e->detector, due_s);
}

void edge_link_row(void *ctx, const struct feat_link_row *row)
{
    struct edge *e = ctx;
    if (row->interval_s != KEPT_S)
        return;
    pthread_mutex_lock(&e->link_lock);
    e->link_row = *row;
    pthread_mutex_unlock(&e->link_lock);
}

json_t *edge_link_json(struct edge *e)
{
    const struct feat_schema *schema = feat_schema_link();
    char first[ATL_TIME_TEXT_BYTES];
    pthread_mutex_lock(&e->link_lock);
    struct feat_link_row row = e->link_row;
    pthread_mutex_unlock(&e->link_lock);
    if (row.interval_s == 0)
        return NULL;
    atl_clock_format(row.first_ns, first);
    json_t *doc = json_pack("{s:s, s:i}", "first", first, "interval", (int)row.interval_s);
    for (uint32_t i = 0; i < schema->n_columns; i++)
        json_object_set_new(doc, schema->columns[i].name, json_real((double)row.raw[i]));
    json_object_set_new(doc, "packets", json_integer((json_int_t)row.packets));
    json_object_set_new(doc, "bytes", json_integer((json_int_t)row.bytes));
    return doc;
}
