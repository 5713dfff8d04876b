/* SPDX-License-Identifier: Apache-2.0 */
/*
 * publish: one thread's figures as they stood between two of its bursts.
 *
 * The writer fills the page that nobody is told of and then turns to it, so a reader gets figures
 * that belong together, neither side waits, and a writer that is put to sleep blocks nobody.
 */
#ifndef DP_PUBLISH_PRIV_H
#define DP_PUBLISH_PRIV_H

#include "base/base.h"

#define DP_PUBLISH_WORDS 96
#define DP_PUBLISH_TRIES 10000

struct dp_publish {
    _Atomic uint64_t turn;
    atl_counter page[2][DP_PUBLISH_WORDS];
};

/** Only the owner. @param n  at most DP_PUBLISH_WORDS, the same each time */
static inline void dp_publish_put(struct dp_publish *p, const atl_counter *words, size_t n)
{
    uint64_t turn = atomic_load_explicit(&p->turn, memory_order_relaxed) + 1;
    atl_counter *page = p->page[turn & 1];
    /* Released: who sees a word of this page sees that the turn before is over. */
    for (size_t i = 0; i < n; i++)
        atomic_store_explicit(&page[i].value, atl_counter_get(&words[i]), memory_order_release);
    atomic_store_explicit(&p->turn, turn, memory_order_release);
}

/**
 * Any thread. The writer would have to finish a whole turn within each of 10,000 copies to make
 * this fail.
 * @return false then; the words are of different turns
 */
static inline bool dp_publish_get(const struct dp_publish *p, atl_counter *words, size_t n)
{
    for (int i = 0; i < DP_PUBLISH_TRIES; i++) {
        uint64_t turn = atomic_load_explicit(&p->turn, memory_order_acquire);
        const atl_counter *page = p->page[turn & 1];
        for (size_t w = 0; w < n; w++) {
            uint64_t word = atomic_load_explicit(&page[w].value, memory_order_acquire);
            atomic_store_explicit(&words[w].value, word, memory_order_relaxed);
        }
        if (atomic_load_explicit(&p->turn, memory_order_relaxed) == turn)
            return true;
    }
    return false;
}

#endif
