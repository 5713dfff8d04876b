/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Saved state: head, plain numbers, the rings in order of arrival, a digest of it all. What follows
 * from these (the sorted rings) is made anew.
 */
#include "learner/forecast_priv.h"

#include <errno.h>
#include <math.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define DIGEST_BYTES 32

struct head {
    char magic[8];
    uint32_t version;
    uint32_t core_bytes; /* differs where a machine lays out structures differently */
    uint32_t byte_order;
    uint32_t reserved;
    struct learn_forecast_config cfg;
};

static const char magic[8] = "ATLFCST";

#define VERSION    1
#define ORDER_MARK 0x01020304U

static struct head head_of(const struct learn_forecast_config *cfg)
{
    struct head head;
    memset(&head, 0, sizeof(head)); /* padding, too, must be the same each time */
    memcpy(head.magic, magic, sizeof(head.magic));
    head.version = VERSION;
    head.core_bytes = sizeof(struct forecast_core);
    head.byte_order = ORDER_MARK;
    head.cfg.interval_s = cfg->interval_s;
    head.cfg.coverage = cfg->coverage;
    head.cfg.risk = cfg->risk;
    head.cfg.memory_rows = cfg->memory_rows;
    return head;
}

static size_t body_bytes(uint32_t memory_rows)
{
    return sizeof(struct head) + sizeof(struct forecast_core) +
           (RANKS + 1) * (size_t)memory_rows * sizeof(double);
}

int learn_forecaster_save(const struct learn_forecaster *forecaster, uint8_t **ret_data,
                          size_t *ret_bytes)
{
    uint32_t memory = forecaster->cfg.memory_rows;
    size_t ring = memory * sizeof(double), body = body_bytes(memory);
    uint8_t *data = calloc(1, body + DIGEST_BYTES);
    if (data == NULL)
        return -ENOMEM;
    struct head head = head_of(&forecaster->cfg);
    struct forecast_core *core = (struct forecast_core *)(void *)(data + sizeof(head));
    memcpy(data, &head, sizeof(head));
    memcpy(core, &forecaster->core, sizeof(*core));
    uint8_t *at = data + sizeof(head) + sizeof(*core);
    for (uint32_t i = 0; i < RANKS; i++, at += ring) {
        core->rank_n[i] = forecaster->ranks[i].n;
        core->rank_at[i] = forecaster->ranks[i].at;
        memcpy(at, forecaster->ranks[i].ring, ring);
    }
    uint32_t past = core->n_past < memory ? core->n_past : memory;
    memcpy(at, forecaster->past + core->n_past - past, past * sizeof(double));
    core->n_past = past;
    crypto_generichash(data + body, DIGEST_BYTES, data, body, NULL, 0);
    *ret_data = data;
    *ret_bytes = body + DIGEST_BYTES;
    return 0;
}

static bool finite_all(const double *values, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(values[i]))
            return false;
    return true;
}

static bool core_ok(const struct forecast_core *core, uint32_t memory)
{
    bool ok = core->n_diffs <= FORECAST_DIFFS && core->n_slow < 4 * FORECAST_MEAN_ROWS &&
              core->n_past <= memory && core->miss >= 0 && core->miss <= 0.5 &&
              core->interval_s >= 0 && isfinite(core->interval_s) && isfinite(core->last_s) &&
              finite_all(core->slow, FORECAST_MEAN_ROWS) &&
              finite_all(core->rest, FORECAST_REST_ROWS) && finite_all(core->diffs, FORECAST_DIFFS);
    for (uint32_t i = 0; i < SEASONS; i++)
        ok = ok && learn_season_ok(&core->seasons[i]);
    for (uint32_t i = 0; i < FORECAST_EXPERTS; i++) {
        const struct forecast_expert *e = &core->experts[i];
        ok = ok && isfinite(e->level) && isfinite(e->trend) && isfinite(e->error);
    }
    for (uint32_t i = 0; i < RANKS; i++) {
        uint32_t n = core->rank_n[i], at = core->rank_at[i];
        ok = ok && n <= memory && (n < memory ? at == n : at < memory);
    }
    return ok;
}

static bool take_body(struct learn_forecaster *f, const uint8_t *at)
{
    uint32_t memory = f->cfg.memory_rows;
    memcpy(&f->core, at, sizeof(f->core));
    at += sizeof(f->core);
    if (!core_ok(&f->core, memory))
        return false;
    for (uint32_t i = 0; i < RANKS; i++, at += memory * sizeof(double)) {
        struct learn_rank *rank = &f->ranks[i];
        memcpy(rank->ring, at, memory * sizeof(double));
        rank->n = f->core.rank_n[i];
        rank->at = f->core.rank_at[i];
        if (!finite_all(rank->ring, memory))
            return false;
        learn_rank_rebuild(rank);
    }
    memcpy(f->past, at, f->core.n_past * sizeof(double));
    return finite_all(f->past, f->core.n_past);
}

static bool head_ok(const uint8_t *data, size_t bytes, struct head *head)
{
    uint8_t digest[DIGEST_BYTES];
    if (bytes < sizeof(*head))
        return false;
    memcpy(head, data, sizeof(*head));
    struct head want = head_of(&head->cfg);
    if (memcmp(head, &want, sizeof(want)) != 0 || learn_forecast_config_check(&head->cfg, NULL) < 0)
        return false;
    size_t body = body_bytes(head->cfg.memory_rows);
    if (bytes != body + DIGEST_BYTES)
        return false;
    crypto_generichash(digest, sizeof(digest), data, body, NULL, 0);
    return memcmp(digest, data + body, sizeof(digest)) == 0;
}

int learn_forecaster_restore(struct learn_forecaster **ret_forecaster, const uint8_t *data,
                             size_t bytes, struct atl_error *err)
{
    struct head head;
    struct learn_forecaster *f;
    if (!head_ok(data, bytes, &head))
        return atl_error_set(err, -EBADMSG,
                             "the forecaster's state is damaged or of another version: start anew");
    int r = learn_forecaster_create(&f, &head.cfg, err);
    if (r < 0)
        return r;
    if (!take_body(f, data + sizeof(head))) {
        learn_forecaster_destroy(f);
        return atl_error_set(err, -EBADMSG,
                             "the forecaster's state holds impossible numbers: start anew");
    }
    *ret_forecaster = f;
    return 0;
}
