/* SPDX-License-Identifier: Apache-2.0 */
#include "fedsync/cohort_priv.h"
#include "fedsync/encoding_priv.h"
#include "fedsync/hub_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UP "up/"

static void acknowledge(struct fed_hub *hub, uint32_t at, const struct fed_chunk *chunk,
                        enum fed_verdict verdict)
{
    const struct fed_slot *slot = &hub->slots[at];
    struct fed_ack ack = {.verdict = verdict};
    uint8_t body[FED_BODY_BYTES_MAX];
    char topic[sizeof("ack/") + FED_NAME_BYTES];

    atl_copy(ack.edge, sizeof(ack.edge), fed_roster_name(hub->roster, at));
    memcpy(ack.whole, chunk->whole, sizeof(ack.whole));
    if (slot->assembler != NULL)
        ack.have = fed_assembler_have(slot->assembler);
    else if (verdict == FED_VERDICT_STORED)
        ack.have = fed_chunk_mask(chunk->total);
    snprintf(topic, sizeof(topic), "ack/%s", ack.edge);
    fed_hub_send(hub, FED_TYPE_ACK, topic, hub->record.last_round, body,
                 fed_ack_encode(&ack, body, sizeof(body)), false);
}

static int refuse_slot(struct fed_hub *hub, uint32_t at, const struct fed_chunk *chunk, int code)
{
    struct fed_slot *slot = &hub->slots[at];
    fed_assembler_destroy(slot->assembler);
    slot->assembler = NULL;
    slot->state = FED_SLOT_REFUSED;
    memcpy(slot->whole, chunk->whole, sizeof(slot->whole));
    acknowledge(hub, at, chunk, FED_VERDICT_REFUSED);
    return code;
}

/** Can it be decoded, to finite numbers? */
static int update_check(const struct fed_hub *hub, const struct fed_update *update)
{
    uint8_t key[32];
    uint32_t n = fed_hub_params(hub);
    float *values = malloc(n * sizeof(float));
    if (values == NULL)
        return -ENOMEM;
    fed_encoding_key(key, hub->federation, update->epoch, update->round, update->edge);
    int r = fed_decode(update->encoding, update->data, update->bytes, n, key, values);
    free(values);
    return r;
}

/** All pieces are here: check, store, acknowledge. What the disk refuses the next piece tries
 *  again; the edge sends until it hears that its update is stored. */
static int store(struct fed_hub *hub, uint32_t at, const struct fed_chunk *chunk)
{
    struct fed_slot *slot = &hub->slots[at];
    struct fed_update update = {.epoch = hub->record.open_epoch,
                                .round = hub->record.last_round,
                                .encoding = hub->cfg.encoding,
                                .bytes = fed_assembler_total(slot->assembler)};
    atl_copy(update.federation, sizeof(update.federation), hub->federation);
    atl_copy(update.edge, sizeof(update.edge), fed_roster_name(hub->roster, at));
    int r = fed_assembler_join(slot->assembler, &update.data);
    if (r == 0)
        r = update_check(hub, &update);
    if (r == -EBADMSG || r == -EDOM)
        return refuse_slot(hub, at, chunk, r);
    if (r < 0)
        return r;

    struct atl_error err;
    memcpy(update.base_hash, hub->record.model_hash, sizeof(update.base_hash));
    memcpy(update.whole, chunk->whole, sizeof(update.whole));
    r = fed_update_save(hub->cfg.state_dir, &update, &err);
    if (r < 0) {
        fed_refuse(&hub->refusals, -EIO, update.edge, err.text);
        return 0;
    }
    fed_assembler_destroy(slot->assembler);
    slot->assembler = NULL;
    slot->state = FED_SLOT_STORED;
    memcpy(slot->whole, chunk->whole, sizeof(slot->whole));
    hub->votes++;
    acknowledge(hub, at, chunk, FED_VERDICT_STORED);
    fed_hub_tell(hub, FED_ROUND_OPEN);
    return 0;
}

static int add_piece(struct fed_hub *hub, uint32_t at, uint64_t seq, const struct fed_chunk *chunk)
{
    struct fed_slot *slot = &hub->slots[at];
    if (slot->state == FED_SLOT_EMPTY) {
        int r = fed_assembler_create(&slot->assembler, chunk->total, chunk->whole);
        if (r < 0)
            return r;
        slot->state = FED_SLOT_PARTIAL;
    }
    if (memcmp(fed_assembler_whole(slot->assembler), chunk->whole, FED_HASH_BYTES) != 0)
        return -EALREADY; /* one update for one round; the first one stays */
    int r = fed_assembler_add(slot->assembler, seq, chunk->data, chunk->bytes);
    if (r == -EINVAL)
        return r;
    if (fed_assembler_have(slot->assembler) == fed_chunk_mask(fed_assembler_total(slot->assembler)))
        return store(hub, at, chunk);
    if (r == -EALREADY) /* the edge sends again: tell it what is here already */
        acknowledge(hub, at, chunk, FED_VERDICT_PARTIAL);
    return r;
}

/** A round that this vote is already counted in, or refused in. */
static int answer_again(struct fed_hub *hub, uint32_t at, const struct fed_chunk *chunk)
{
    const struct fed_slot *slot = &hub->slots[at];
    bool same = memcmp(slot->whole, chunk->whole, FED_HASH_BYTES) == 0;
    bool stored = same && slot->state == FED_SLOT_STORED;
    acknowledge(hub, at, chunk, stored ? FED_VERDICT_STORED : FED_VERDICT_REFUSED);
    return -EALREADY;
}

static int take_update(struct fed_hub *hub, const char *topic, const uint8_t *payload, size_t bytes)
{
    struct fed_envelope env;
    struct fed_chunk chunk;
    if (strncmp(topic, UP, strlen(UP)) != 0)
        return -ENOMSG;
    int r = fed_envelope_open(&env, payload, bytes,
                              FED_CHUNK_BYTES + FED_BODY_BYTES_MAX + FED_ENVELOPE_BYTES_MAX,
                              hub->cfg.federation, hub->roster);
    if (r < 0)
        return r;
    if (env.type != FED_TYPE_UPDATE)
        return -ENOMSG;
    if (strcmp(env.sender, topic + strlen(UP)) != 0 || fed_hub_is_hub(hub, env.sender))
        return -EPERM;
    if (hub->record.open_epoch == 0 || env.epoch != hub->record.open_epoch ||
        env.round != hub->record.last_round)
        return -ESTALE;
    r = fed_chunk_decode(&chunk, env.body, env.body_bytes);
    if (r < 0)
        return r;
    if (chunk.total == 0 ||
        chunk.total > fed_encoding_bytes(hub->cfg.encoding, fed_hub_params(hub)) ||
        memcmp(chunk.base_hash, hub->record.model_hash, FED_HASH_BYTES) != 0)
        return -EINVAL;

    /* The envelope's sender is in the roster, so this is a position. */
    uint32_t at = (uint32_t)fed_roster_find(hub->roster, env.sender);
    enum fed_slot_state state = hub->slots[at].state;
    hub->info.bytes += bytes;
    if (state == FED_SLOT_STORED || state == FED_SLOT_REFUSED)
        return answer_again(hub, at, &chunk);
    if (fed_cohort_lot(hub->federation, env.epoch, env.round, env.sender) > hub->cohort)
        return -EPERM;
    if (fed_hub_in_quarantine(hub, env.sender))
        return refuse_slot(hub, at, &chunk, -EACCES);
    return add_piece(hub, at, env.seq, &chunk);
}

void fed_hub_receive(struct fed_hub *hub, const char *topic, const uint8_t *payload, size_t bytes,
                     atl_ns wall_ns)
{
    (void)wall_ns;
    int r = 0;
    if (hub->watch.on && strncmp(topic, UP, strlen(UP)) != 0)
        r = fed_standby_take(hub, topic, payload, bytes);
    else if (fed_lease_holds(hub)) /* else it is for the one that leads */
        r = take_update(hub, topic, payload, bytes);
    if (r < 0)
        fed_refuse(&hub->refusals, r, topic, NULL);
}
