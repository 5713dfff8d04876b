/* SPDX-License-Identifier: Apache-2.0 */
#include "learner/words_priv.h"

#include <stdlib.h>
#include <string.h>

#define ROOM_FIRST 16

/* FNV-1a: the table lives for one reading and is bounded, so no key is needed against an opponent.
 */
static uint32_t hash_of(const char *text)
{
    uint32_t h = 2166136261U;
    for (; *text != '\0'; text++)
        h = (h ^ (unsigned char)*text) * 16777619U;
    return h ^ h >> 15;
}

static uint32_t *slot_of(const struct learn_words *words, const char *text)
{
    uint32_t mask = 2 * words->room - 1, at = hash_of(text) & mask;
    /* at most half of the slots are taken */
    while (words->slot[at] != 0 && strcmp(words->item[words->slot[at] - 1].text, text) != 0)
        at = (at + 1) & mask;
    return &words->slot[at];
}

static bool widen(struct learn_words *words)
{
    uint32_t room = words->room == 0 ? ROOM_FIRST : 2 * words->room;
    struct learn_word *item = realloc(words->item, room * sizeof(*item));
    if (item == NULL)
        return false;
    words->item = item;
    uint32_t *slot = calloc((size_t)2 * room, sizeof(*slot));
    if (slot == NULL)
        return false;
    free(words->slot);
    words->slot = slot;
    words->room = room;
    for (uint32_t i = 0; i < words->n; i++)
        *slot_of(words, words->item[i].text) = i + 1;
    return true;
}

uint32_t learn_words_add(struct learn_words *words, const char *text, bool *ret_failed)
{
    if (words->n == words->room && words->n < LEARN_WORDS_MAX && !widen(words)) {
        *ret_failed = true;
        return LEARN_WORDS_NONE;
    }
    uint32_t *slot = slot_of(words, text);
    if (*slot != 0) {
        words->item[*slot - 1].count++;
        return *slot - 1;
    }
    if (words->n == LEARN_WORDS_MAX) {
        words->beyond++;
        return LEARN_WORDS_NONE;
    }
    char *copy = strdup(text);
    if (copy == NULL) {
        *ret_failed = true;
        return LEARN_WORDS_NONE;
    }
    words->item[words->n] = (struct learn_word){copy, 1};
    *slot = ++words->n;
    return words->n - 1;
}

void learn_words_finish(struct learn_words *words)
{
    for (uint32_t i = 0; i < words->n; i++)
        free(words->item[i].text);
    free(words->item);
    free(words->slot);
    *words = (struct learn_words){0};
}
