/* SPDX-License-Identifier: Apache-2.0 */
#include "alerts/alerts.h"

#include "alerts/severity_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    struct alert_incident incident;
    atl_ns first_ns, last_ns; /* of all evidence */
    atl_ns told_ns;           /* when it was last emitted */
    bool untold;              /* signals came since */
};

struct alert_book {
    struct alert_config cfg;
    alert_emit_fn emit;
    void *ctx;
    struct atl_hash_key hash_key;
    struct atl_rng rng;
    uint64_t suppressed;
    uint32_t open;
    uint64_t *keys; /* beside the entries: a look-up reads 8 bytes for each, not 1.5 KB */
    struct entry *entries;
};

void alert_config_default(struct alert_config *cfg)
{
    *cfg = (struct alert_config){
        .open_max = 256,
        .cooldown_ns = 30 * ATL_NS_PER_S,
        .clear_after_ns = 300 * ATL_NS_PER_S,
        .site = "site",
        .node = "edge",
    };
}

int alert_config_check(const struct alert_config *cfg, struct atl_error *err)
{
    if (cfg->open_max < 1 || cfg->open_max > 4096)
        return atl_error_set(err, -EINVAL, "open_max: %u is outside 1 … 4096", cfg->open_max);
    if (cfg->cooldown_ns > 86400 * ATL_NS_PER_S)
        return atl_error_set(err, -EINVAL, "cooldown: more than a day");
    if (cfg->clear_after_ns < ATL_NS_PER_S || cfg->clear_after_ns > 7 * 86400 * ATL_NS_PER_S)
        return atl_error_set(err, -EINVAL, "clear_after: expected one second to seven days");
    if (cfg->site == NULL || cfg->site[0] == '\0' || cfg->node == NULL || cfg->node[0] == '\0')
        return atl_error_set(err, -EINVAL, "site and node: expected a name for both");
    return 0;
}

int alert_book_create(struct alert_book **ret_book, const struct alert_config *cfg,
                      alert_emit_fn emit, void *ctx)
{
    int r = alert_config_check(cfg, NULL);
    if (r < 0)
        return r;
    struct alert_book *book = calloc(1, sizeof(*book));
    if (book == NULL)
        return -ENOMEM;
    book->cfg = *cfg;
    book->emit = emit;
    book->ctx = ctx;
    atl_hash_key_init(&book->hash_key);
    atl_rng_init_secure(&book->rng);
    book->keys = calloc(cfg->open_max, sizeof(*book->keys));
    book->entries = calloc(cfg->open_max, sizeof(*book->entries));
    if (book->keys == NULL || book->entries == NULL) {
        alert_book_destroy(book);
        return -ENOMEM;
    }
    *ret_book = book;
    return 0;
}

void alert_book_destroy(struct alert_book *book)
{
    if (book == NULL)
        return;
    free(book->keys);
    free(book->entries);
    free(book);
}

/* The room trusts no sender: every text ends, every count is within its array. */
static void copy_signal(struct alert_signal *to, const struct alert_signal *from)
{
    *to = *from;
#define END(field) to->field[sizeof(to->field) - 1] = '\0'
    END(kind), END(entity), END(role), END(detector), END(hint), END(technique), END(model);
    END(src_ip), END(dest_ip), END(proto), END(community_id), END(in_iface);
    if (to->n_features > ALERT_FEATURES_MAX)
        to->n_features = ALERT_FEATURES_MAX;
    for (uint32_t i = 0; i < ALERT_FEATURES_MAX; i++)
        END(features[i].name), END(features[i].unit);
#undef END
}

static uint64_t key_of(const struct alert_book *book, const struct alert_signal *s)
{
    char text[sizeof(s->kind) + sizeof(s->entity)] = {0};
    memcpy(text, s->kind, strlen(s->kind));
    memcpy(text + sizeof(s->kind), s->entity, strlen(s->entity));
    return atl_hash(&book->hash_key, text, sizeof(text));
}

static struct entry *find(struct alert_book *book, uint64_t key, const struct alert_signal *s)
{
    for (uint32_t i = 0; i < book->open; i++) {
        if (book->keys[i] != key)
            continue;
        const struct alert_signal *held = &book->entries[i].incident.signal;
        if (strcmp(held->kind, s->kind) == 0 && strcmp(held->entity, s->entity) == 0)
            return &book->entries[i];
    }
    return NULL;
}

static void tell(struct alert_book *book, struct entry *e, enum alert_change change, atl_ns now_ns)
{
    e->told_ns = now_ns;
    e->untold = false;
    e->incident.updated_ns = e->last_ns;
    if (book->emit != NULL)
        book->emit(book->ctx, change, &e->incident);
}

static void clear(struct alert_book *book, struct entry *e, atl_ns now_ns)
{
    e->incident.cleared_ns = now_ns;
    tell(book, e, ALERT_CLEAR, now_ns);
    uint32_t last = --book->open;
    book->keys[e - book->entries] = book->keys[last];
    *e = book->entries[last];
}

static bool is_stronger(const struct alert_signal *a, const struct alert_signal *b)
{
    return a->score > b->score || (a->score == b->score && a->p_value < b->p_value);
}

static bool cool(const struct alert_book *book, const struct entry *e, atl_ns now_ns)
{
    return now_ns >= e->told_ns && now_ns - e->told_ns >= book->cfg.cooldown_ns;
}

static void fold(struct alert_book *book, struct entry *e, const struct alert_signal *s)
{
    struct alert_incident *incident = &e->incident;
    incident->count++;
    if (s->first_ns < e->first_ns)
        e->first_ns = s->first_ns;
    if (s->time_ns > e->last_ns)
        e->last_ns = s->time_ns;
    if (is_stronger(s, &incident->signal))
        incident->signal = *s;
    e->untold = true;

    /* It does not fall while the incident is open: the operator saw the worst of it. */
    enum alert_severity severity =
        alert_severity_of(&incident->signal, incident->count, e->last_ns - e->first_ns);
    bool worse = severity > incident->severity;
    if (worse)
        incident->severity = severity;
    if (worse || cool(book, e, e->last_ns))
        tell(book, e, ALERT_UPDATE, e->last_ns);
}

/* The least severe, and of those the oldest. */
static struct entry *least(struct alert_book *book)
{
    struct entry *found = &book->entries[0];
    for (uint32_t i = 1; i < book->open; i++) {
        struct entry *e = &book->entries[i];
        bool milder = e->incident.severity < found->incident.severity;
        bool older = e->incident.severity == found->incident.severity &&
                     e->incident.raised_ns < found->incident.raised_ns;
        if (milder || older)
            found = e;
    }
    return found;
}

static bool make_room(struct alert_book *book, enum alert_severity severity, atl_ns now_ns)
{
    if (book->open < book->cfg.open_max)
        return true;
    struct entry *victim = least(book);
    if (victim->incident.severity >= severity) {
        book->suppressed++;
        return false;
    }
    clear(book, victim, now_ns);
    return true;
}

static void add(struct alert_book *book, uint64_t key, const struct alert_signal *s)
{
    atl_ns first_ns = s->first_ns < s->time_ns ? s->first_ns : s->time_ns;
    enum alert_severity severity = alert_severity_of(s, 1, s->time_ns - first_ns);
    if (!make_room(book, severity, s->time_ns))
        return;

    struct entry *e = &book->entries[book->open];
    book->keys[book->open++] = key;
    *e = (struct entry){.first_ns = first_ns, .last_ns = s->time_ns};
    e->incident = (struct alert_incident){
        .severity = severity, .raised_ns = s->time_ns, .count = 1, .signal = *s};
    uint8_t id[(ALERT_ID_BYTES - 1) / 2];
    atl_rng_fill(&book->rng, id, sizeof(id));
    atl_hex(e->incident.id, id, sizeof(id));
    tell(book, e, ALERT_RAISE, s->time_ns);
}

void alert_book_raise(struct alert_book *book, const struct alert_signal *signal)
{
    struct alert_signal s;
    copy_signal(&s, signal);
    uint64_t key = key_of(book, &s);
    struct entry *e = find(book, key, &s);
    if (e != NULL)
        fold(book, e, &s);
    else
        add(book, key, &s);
}

void alert_book_step(struct alert_book *book, atl_ns now_ns)
{
    /* from the end, because clearing moves the last one into the gap */
    for (uint32_t i = book->open; i-- > 0;) {
        struct entry *e = &book->entries[i];
        if (now_ns >= e->last_ns && now_ns - e->last_ns >= book->cfg.clear_after_ns)
            clear(book, e, now_ns);
        else if (e->untold && cool(book, e, now_ns))
            tell(book, e, ALERT_UPDATE, now_ns);
    }
}

uint32_t alert_book_open(const struct alert_book *book)
{
    return book->open;
}

uint64_t alert_book_suppressed(const struct alert_book *book)
{
    return book->suppressed;
}
