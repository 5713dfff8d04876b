/* SPDX-License-Identifier: Apache-2.0 */
/* The distinct words of one column and how often each was met, bounded in number. */
#ifndef LEARN_WORDS_PRIV_H
#define LEARN_WORDS_PRIV_H

#include "base/base.h"

#define LEARN_WORDS_MAX  16384
#define LEARN_WORDS_NONE UINT32_MAX

struct learn_words {
    struct learn_word {
        char *text;
        uint64_t count;
    } * item;
    uint32_t n, room;
    uint32_t *slot;  /* hash table of indices + 1; twice `room`, a power of two */
    uint64_t beyond; /* met after the limit was reached */
};

/** Count a word. @return its index, LEARN_WORDS_NONE when there is no room, -ENOMEM by *ret_failed
 */
uint32_t learn_words_add(struct learn_words *words, const char *text, bool *ret_failed);
void learn_words_finish(struct learn_words *words); /* zeroed is fine */

#endif
