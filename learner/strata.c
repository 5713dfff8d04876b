/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows lie in slots, each slot in one of its stratum's two lists. Filled in order and then only
 * replaced, the slots 0 … rows − 1 are always in use, unless rows are forgotten: then the last slot
 * moves into the hole.
 */
#include "learner/learner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CAPACITY_MAX (1U << 24)
#define NIL          UINT32_MAX

/* So many tenths of a stratum are old rows. */
#define OLD_TENTHS 3
/* Old rows are a fair sample of all that left the recent ones, and then of the last so many times
 * their number, or one year's traffic would outweigh the next for ever. */
#define OLD_MEMORY 16

struct list {
    uint32_t head, tail, n; /* oldest first */
};

struct stratum {
    struct list recent, old;
    uint64_t left; /* rows that left `recent` */
};

struct slot {
    uint32_t next, prev, stratum;
    bool old;
    uint64_t unit;
    atl_ns at_ns;
};

struct learn_strata {
    uint32_t capacity, n_in, n_strata, rows;
    struct stratum *strata;
    struct slot *slots;
    float *data;
    struct atl_rng rng;
};

int learn_strata_create(struct learn_strata **ret_strata, uint32_t capacity_rows, uint32_t n_in,
                        uint32_t n_strata, uint64_t seed)
{
    if (capacity_rows == 0 || capacity_rows > CAPACITY_MAX || n_in == 0 ||
        n_in > LEARN_INPUTS_MAX || n_strata == 0 || n_strata > LEARN_STRATA_MAX)
        return -EINVAL;
    struct learn_strata *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return -ENOMEM;
    s->capacity = capacity_rows;
    s->n_in = n_in;
    s->n_strata = n_strata;
    s->strata = calloc(n_strata, sizeof(*s->strata));
    s->slots = calloc(capacity_rows, sizeof(*s->slots));
    s->data = calloc((size_t)capacity_rows * n_in, sizeof(float));
    if (s->strata == NULL || s->slots == NULL || s->data == NULL) {
        learn_strata_destroy(s);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < n_strata; i++)
        s->strata[i].recent.head = s->strata[i].recent.tail = s->strata[i].old.head =
            s->strata[i].old.tail = NIL;
    atl_rng_init_seed(&s->rng, seed);
    *ret_strata = s;
    return 0;
}

void learn_strata_destroy(struct learn_strata *s)
{
    if (s == NULL)
        return;
    free(s->strata);
    free(s->slots);
    free(s->data);
    free(s);
}

/* --- lists --- */

static struct list *list_of(struct learn_strata *s, uint32_t i)
{
    struct stratum *stratum = &s->strata[s->slots[i].stratum];
    return s->slots[i].old ? &stratum->old : &stratum->recent;
}

static void append(struct learn_strata *s, uint32_t i)
{
    struct list *list = list_of(s, i);
    s->slots[i].next = NIL;
    s->slots[i].prev = list->tail;
    if (list->tail != NIL)
        s->slots[list->tail].next = i;
    else
        list->head = i;
    list->tail = i;
    list->n++;
}

static void unlink_slot(struct learn_strata *s, uint32_t i)
{
    struct list *list = list_of(s, i);
    const struct slot *slot = &s->slots[i];
    if (slot->prev != NIL)
        s->slots[slot->prev].next = slot->next;
    else
        list->head = slot->next;
    if (slot->next != NIL)
        s->slots[slot->next].prev = slot->prev;
    else
        list->tail = slot->prev;
    list->n--;
}

/* --- who makes room --- */

static uint32_t rows_of(const struct stratum *stratum)
{
    return stratum->recent.n + stratum->old.n;
}

/* The fullest stratum pays, so that a busy hour never costs a quiet one its rows. */
static struct stratum *fullest(struct learn_strata *s)
{
    struct stratum *most = &s->strata[0];
    for (uint32_t i = 1; i < s->n_strata; i++) {
        if (rows_of(&s->strata[i]) > rows_of(most))
            most = &s->strata[i];
    }
    return most;
}

/* The order of old rows means nothing: some from the head go to the tail, and the next is taken. So
 * a row lasts for a number of rounds that only chance decides. */
static uint32_t take_some_old(struct learn_strata *s, struct stratum *stratum)
{
    uint64_t steps = atl_rng_below(&s->rng, stratum->old.n < 8 ? stratum->old.n : 8);
    for (uint64_t i = 0; i < steps; i++) {
        uint32_t head = stratum->old.head;
        unlink_slot(s, head);
        append(s, head);
    }
    uint32_t taken = stratum->old.head;
    unlink_slot(s, taken);
    return taken;
}

static void become_old(struct learn_strata *s, uint32_t i)
{
    unlink_slot(s, i);
    s->slots[i].old = true;
    append(s, i);
}

/* @return a slot in no list; the stratum has a row, and its lists shrink by one in all */
static uint32_t make_room(struct learn_strata *s, struct stratum *stratum)
{
    uint32_t total = rows_of(stratum);
    while (10 * (uint64_t)(stratum->old.n + 1) <= OLD_TENTHS * (uint64_t)total) {
        become_old(s, stratum->recent.head);
        stratum->left++;
    }
    if (stratum->recent.n == 0 || 10 * (uint64_t)stratum->old.n > OLD_TENTHS * (uint64_t)total)
        return take_some_old(s, stratum);
    uint32_t leaving = stratum->recent.head;
    if (++stratum->left > (uint64_t)OLD_MEMORY * stratum->old.n)
        stratum->left = (uint64_t)OLD_MEMORY * stratum->old.n;
    if (stratum->old.n == 0 || atl_rng_below(&s->rng, stratum->left) >= stratum->old.n) {
        unlink_slot(s, leaving);
        return leaving;
    }
    uint32_t gone = take_some_old(s, stratum);
    become_old(s, leaving);
    return gone;
}

void learn_strata_offer(struct learn_strata *s, const float *row, uint32_t stratum, uint64_t unit,
                        atl_ns at_ns)
{
    uint32_t i = s->rows < s->capacity ? s->rows++ : make_room(s, fullest(s));
    s->slots[i] = (struct slot){.stratum = stratum % s->n_strata, .unit = unit, .at_ns = at_ns};
    memcpy(s->data + (size_t)i * s->n_in, row, s->n_in * sizeof(float));
    append(s, i);
}

/* --- forgetting --- */

static void move_slot(struct learn_strata *s, uint32_t from, uint32_t to)
{
    struct list *list = list_of(s, from);
    struct slot *slot = &s->slots[to];
    *slot = s->slots[from];
    if (slot->prev != NIL)
        s->slots[slot->prev].next = to;
    else
        list->head = to;
    if (slot->next != NIL)
        s->slots[slot->next].prev = to;
    else
        list->tail = to;
    memcpy(s->data + (size_t)to * s->n_in, s->data + (size_t)from * s->n_in,
           s->n_in * sizeof(float));
}

uint32_t learn_strata_forget(struct learn_strata *s, uint64_t unit, atl_ns since_ns)
{
    uint32_t gone = 0;
    for (uint32_t i = 0; i < s->rows;) {
        if (s->slots[i].unit != unit || s->slots[i].at_ns < since_ns) {
            i++;
            continue;
        }
        unlink_slot(s, i);
        if (i != --s->rows)
            move_slot(s, s->rows, i);
        gone++;
    }
    return gone;
}

/* --- looking --- */

uint32_t learn_strata_rows(const struct learn_strata *s)
{
    return s->rows;
}

const float *learn_strata_data(const struct learn_strata *s)
{
    return s->data;
}

uint32_t learn_strata_held(const struct learn_strata *s, uint32_t stratum, uint32_t *ret_old)
{
    if (stratum >= s->n_strata)
        return 0;
    if (ret_old != NULL)
        *ret_old = s->strata[stratum].old.n;
    return rows_of(&s->strata[stratum]);
}

uint32_t learn_strata_of_unit(const struct learn_strata *s, uint64_t unit)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->rows; i++)
        n += s->slots[i].unit == unit;
    return n;
}
