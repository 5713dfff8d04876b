/* SPDX-License-Identifier: Apache-2.0 */
/* Saved state: head, each series with its forecaster's own state behind it, a digest of it all. */
#include "app/link_watch_series_priv.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define DIGEST_BYTES 32
#define VERSION      1

struct head {
    char magic[8];
    uint32_t version, n_series;
    double risk; /* the forecasters were made for it */
    uint64_t each_bytes;
};

struct kept {
    uint64_t values;
    struct link_day days[LINK_DAYS];
    uint64_t blob_bytes;
};

static struct head head_of(uint32_t n, double risk)
{
    struct head head;
    memset(&head, 0, sizeof(head));
    memcpy(head.magic, "ATLLINK", sizeof(head.magic));
    head.version = VERSION;
    head.n_series = n;
    head.risk = risk;
    head.each_bytes = sizeof(struct kept);
    return head;
}

struct output {
    uint8_t *data;
    size_t bytes;
};

static int append(struct output *out, const void *data, size_t bytes)
{
    uint8_t *grown = realloc(out->data, out->bytes + bytes);
    if (grown == NULL)
        return -ENOMEM;
    out->data = grown;
    memcpy(out->data + out->bytes, data, bytes);
    out->bytes += bytes;
    return 0;
}

static int append_series(struct output *out, const struct link_series *s)
{
    uint8_t *blob;
    size_t bytes;
    struct kept kept = {.values = s->values};
    int r = learn_forecaster_save(s->forecaster, &blob, &bytes);
    if (r < 0)
        return r;
    memcpy(kept.days, s->days, sizeof(kept.days));
    kept.blob_bytes = bytes;
    r = append(out, &kept, sizeof(kept));
    if (r == 0)
        r = append(out, blob, bytes);
    free(blob);
    return r;
}

static int append_digest(struct output *out)
{
    uint8_t digest[DIGEST_BYTES];
    crypto_generichash(digest, sizeof(digest), out->data, out->bytes, NULL, 0);
    return append(out, digest, sizeof(digest));
}

int link_state_save(const struct link_series *series, uint32_t n, double risk, uint8_t **ret_data,
                    size_t *ret_bytes)
{
    struct output out = {0};
    struct head head = head_of(n, risk);
    int r = append(&out, &head, sizeof(head));
    for (uint32_t i = 0; i < n && r == 0; i++)
        r = append_series(&out, &series[i]);
    if (r == 0)
        r = append_digest(&out);
    if (r < 0) {
        free(out.data);
        return r;
    }
    *ret_data = out.data;
    *ret_bytes = out.bytes;
    return 0;
}

static int check(uint32_t n, double risk, const uint8_t *data, size_t bytes, struct atl_error *err)
{
    struct head want = head_of(n, risk);
    uint8_t digest[DIGEST_BYTES];
    if (bytes < sizeof(want) + DIGEST_BYTES)
        return atl_error_set(err, -EBADMSG, "is damaged");
    size_t body = bytes - DIGEST_BYTES;
    crypto_generichash(digest, sizeof(digest), data, body, NULL, 0);
    if (memcmp(digest, data + body, sizeof(digest)) != 0)
        return atl_error_set(err, -EBADMSG, "is damaged");
    if (memcmp(data, &want, sizeof(want)) != 0)
        return atl_error_set(err, -EBADMSG, "is of another version or other settings");
    return 0;
}

static int read_series(uint32_t n, const uint8_t *data, size_t body, struct kept *kept,
                       struct learn_forecaster **forecasters, struct atl_error *err)
{
    size_t at = sizeof(struct head); /* ≤ body, checked */
    for (uint32_t i = 0; i < n; i++) {
        if (body - at < sizeof(*kept))
            return atl_error_set(err, -EBADMSG, "ends too early");
        memcpy(&kept[i], data + at, sizeof(*kept));
        at += sizeof(*kept);
        if (kept[i].blob_bytes > body - at)
            return atl_error_set(err, -EBADMSG, "ends too early");
        int r = learn_forecaster_restore(&forecasters[i], data + at, kept[i].blob_bytes, err);
        if (r < 0)
            return r;
        at += kept[i].blob_bytes;
    }
    return at == body ? 0 : atl_error_set(err, -EBADMSG, "holds more than it should");
}

int link_state_restore(struct link_series *series, uint32_t n, double risk, const uint8_t *data,
                       size_t bytes, struct atl_error *err)
{
    struct learn_forecaster *forecasters[LINK_SERIES_MAX] = {NULL};
    struct kept kept[LINK_SERIES_MAX];
    int r = n <= LINK_SERIES_MAX ? check(n, risk, data, bytes, err) : -EINVAL;
    if (r == 0)
        r = read_series(n, data, bytes - DIGEST_BYTES, kept, forecasters, err);
    for (uint32_t i = 0; i < n && r == 0; i++) {
        struct learn_forecaster *old = series[i].forecaster;
        series[i].forecaster = forecasters[i];
        series[i].values = kept[i].values;
        memcpy(series[i].days, kept[i].days, sizeof(series[i].days));
        forecasters[i] = old;
    }
    for (uint32_t i = 0; i < LINK_SERIES_MAX; i++)
        learn_forecaster_destroy(forecasters[i]);
    return r;
}
