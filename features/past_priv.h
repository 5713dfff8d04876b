/* SPDX-License-Identifier: Apache-2.0 */
/*
 * past: what an address did before, in either role, to judge its present by.
 *
 * Time is counted in windows of the clock in which anybody was heard of: a host's silence belongs
 * to its past, a gap in what is watched does not. Fixed memory, sets of eight, the longest silent
 * makes room.
 */
#ifndef FEAT_PAST_PRIV_H
#define FEAT_PAST_PRIV_H

#include "base/base.h"

struct past {
    uint64_t id;       /* 0 = free */
    uint32_t since;    /* window of its first flow, as the others counted from the table's begin */
    uint32_t latest;   /* of its latest flow */
    float upload;      /* most net bytes to one service of one peer in that window */
    float most;        /* the same of earlier windows, fading in some ten thousand of them */
    uint32_t served;   /* hash of the TCP service that it answers most; 0 = none */
    uint32_t answered; /* its conversations, less those of others */
    uint32_t served_since, turned_since; /* first answered, first called itself */
    bool turned;                         /* it was called */
};

struct pasts {
    struct past *set;
    uint32_t sets; /* power of two */
    atl_ns window_ns;
    uint32_t window; /* number of the running one by the clock */
    uint32_t count;  /* of windows so far */
};

/** @return 0, -ENOMEM */
int feat_pasts_init(struct pasts *pasts, uint32_t hosts_max, atl_ns window_ns);
void feat_pasts_finish(struct pasts *pasts); /* zeroed is fine */
size_t feat_pasts_bytes(uint32_t hosts_max);
/** The entry of this address, made where absent; valid until the next one is asked for. */
struct past *feat_pasts_find(struct pasts *pasts, uint64_t id, atl_ns now_ns);

/** Windows since its first flow. */
uint32_t feat_past_age(const struct pasts *pasts, const struct past *past);
/**
 * Is a habit new that began when the host was `before` windows old? It is for as long as the host
 * was watched without it for no less than it has lasted, four windows at least; for 1440 at most.
 */
bool feat_past_is_new(const struct pasts *pasts, const struct past *past, uint32_t before);
/**
 * Note what a source sent to one service of one peer, beyond what came back, in the last window.
 * @return by how many bytes this exceeds all that is usual; 0 before four windows are over
 */
float feat_past_upload(const struct pasts *pasts, struct past *past, float net_bytes);
/** Note a conversation of this TCP service that the host answered. */
void feat_past_answer(const struct pasts *pasts, struct past *past, uint32_t service);
/**
 * Note a call to this TCP service.
 * @return conversations of the same service that the host answered, if to call it is new to it
 */
uint32_t feat_past_call(const struct pasts *pasts, struct past *past, uint32_t service);

#endif
