/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/window_priv.h"

#include <stdlib.h>
#include <string.h>

struct bus_out *bus_out_new(void *owner, const char *topic, const void *payload, uint32_t bytes,
                            int qos, bool retain)
{
    size_t topic_bytes = strlen(topic) + 1;
    struct bus_out *m = malloc(sizeof(*m) + bytes + topic_bytes);
    if (m == NULL)
        return NULL;
    *m = (struct bus_out){.owner = owner, .qos = qos, .retain = retain, .bytes = bytes};
    m->topic = (char *)m->payload + bytes;
    if (bytes > 0)
        memcpy(m->payload, payload, bytes);
    memcpy(m->topic, topic, topic_bytes);
    return m;
}

void bus_window_init(struct bus_window *w, uint32_t messages_max, uint64_t bytes_max)
{
    *w = (struct bus_window){.messages_max = messages_max, .bytes_max = bytes_max, .size = 1};
}

void bus_window_finish(struct bus_window *w)
{
    while (w->first != NULL)
        bus_window_remove(w, w->first);
}

bool bus_window_push(struct bus_window *w, struct bus_out *message)
{
    if (w->messages >= w->messages_max || message->bytes > w->bytes_max - w->bytes)
        return false;
    message->prev = w->last;
    message->next = NULL;
    message->in_flight = false;
    if (w->last != NULL)
        w->last->next = message;
    else
        w->first = message;
    w->last = message;
    if (w->unsent == NULL)
        w->unsent = message;
    w->messages++;
    w->bytes += message->bytes;
    return true;
}

bool bus_window_ready(const struct bus_window *w)
{
    return w->unsent != NULL && w->in_flight < w->size;
}

struct bus_out *bus_window_take(struct bus_window *w)
{
    if (!bus_window_ready(w))
        return NULL;
    struct bus_out *m = w->unsent;
    w->unsent = m->next;
    m->in_flight = true;
    w->in_flight++;
    return m;
}

void bus_window_remove(struct bus_window *w, struct bus_out *message)
{
    if (w->unsent == message)
        w->unsent = message->next;
    if (message->prev != NULL)
        message->prev->next = message->next;
    else
        w->first = message->next;
    if (message->next != NULL)
        message->next->prev = message->prev;
    else
        w->last = message->prev;
    w->messages--;
    w->bytes -= message->bytes;
    if (message->in_flight)
        w->in_flight--;
    free(message);
}

uint32_t bus_window_rewind(struct bus_window *w)
{
    uint32_t dropped = 0;
    struct bus_out *next;
    for (struct bus_out *m = w->first; m != NULL; m = next) {
        next = m->next;
        if (m->qos == 0) {
            bus_window_remove(w, m);
            dropped++;
        } else {
            m->in_flight = false;
        }
    }
    w->in_flight = 0;
    w->unsent = w->first;
    return dropped;
}
