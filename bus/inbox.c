/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/inbox_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

int bus_inbox_init(struct bus_inbox *inbox)
{
    *inbox = (struct bus_inbox){.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    if (inbox->fd < 0)
        return -errno;
    pthread_mutex_init(&inbox->lock, NULL);
    return 0;
}

void bus_inbox_finish(struct bus_inbox *inbox)
{
    while (inbox->first != NULL) {
        struct bus_item *next = inbox->first->next;
        free(inbox->first);
        inbox->first = next;
    }
    pthread_mutex_destroy(&inbox->lock);
    close(inbox->fd);
}

static struct bus_item *item_new(const char *text, const void *payload, size_t bytes)
{
    size_t text_bytes = strlen(text) + 1;
    struct bus_item *item = malloc(sizeof(*item) + bytes + 1 + text_bytes);
    if (item == NULL)
        return NULL;
    *item = (struct bus_item){.bytes = bytes};
    if (bytes > 0)
        memcpy(item->data, payload, bytes);
    item->data[bytes] = '\0';
    item->text = (char *)item->data + bytes + 1;
    memcpy(item->text, text, text_bytes);
    return item;
}

/* The descriptor is written on the way from empty and read on the way back, both under the lock:
 * it can neither stay silent over a waiting item nor shout over an empty box. */
static void signal_owner(struct bus_inbox *inbox)
{
    uint64_t one = 1;
    ssize_t n = write(inbox->fd, &one, sizeof(one));
    (void)n; /* only a full counter can fail, and that is readable already */
}

static void append(struct bus_inbox *inbox, struct bus_item *item)
{
    if (inbox->last != NULL)
        inbox->last->next = item;
    else
        inbox->first = item;
    inbox->last = item;
    if (inbox->first == item)
        signal_owner(inbox);
}

void bus_inbox_push_message(struct bus_inbox *inbox, const char *topic, const void *payload,
                            size_t bytes, bool retained, uint64_t subscriptions)
{
    struct bus_item *item = bytes <= BUS_PAYLOAD_MAX_BYTES ? item_new(topic, payload, bytes) : NULL;

    pthread_mutex_lock(&inbox->lock);
    bool fits = item != NULL && inbox->messages < BUS_INBOX_MESSAGES &&
                bytes <= BUS_INBOX_BYTES - inbox->bytes;
    inbox->received += fits;
    inbox->dropped += !fits;
    if (fits) {
        item->retained = retained;
        item->subscriptions = subscriptions;
        inbox->messages++;
        inbox->bytes += bytes;
        append(inbox, item);
    }
    pthread_mutex_unlock(&inbox->lock);
    if (!fits)
        free(item);
}

void bus_inbox_push_event(struct bus_inbox *inbox, enum bus_event event, const char *why)
{
    struct bus_item *item = item_new(why, NULL, 0);

    pthread_mutex_lock(&inbox->lock);
    bool fits = item != NULL && inbox->events < BUS_INBOX_EVENTS;
    if (fits) {
        item->is_event = true;
        item->event = event;
        inbox->events++;
        append(inbox, item);
    }
    pthread_mutex_unlock(&inbox->lock);
    if (!fits)
        free(item);
}

struct bus_item *bus_inbox_pop(struct bus_inbox *inbox)
{
    pthread_mutex_lock(&inbox->lock);
    struct bus_item *item = inbox->first;
    if (item != NULL) {
        inbox->first = item->next;
        if (item->is_event) {
            inbox->events--;
        } else {
            inbox->messages--;
            inbox->bytes -= item->bytes;
        }
        if (inbox->first == NULL) {
            inbox->last = NULL;
            uint64_t count;
            ssize_t n = read(inbox->fd, &count, sizeof(count));
            (void)n;
        }
    }
    pthread_mutex_unlock(&inbox->lock);
    return item;
}

void bus_inbox_count_dropped(struct bus_inbox *inbox)
{
    pthread_mutex_lock(&inbox->lock);
    inbox->dropped++;
    pthread_mutex_unlock(&inbox->lock);
}

void bus_inbox_counts(struct bus_inbox *inbox, uint64_t *ret_received, uint64_t *ret_dropped)
{
    pthread_mutex_lock(&inbox->lock);
    *ret_received = inbox->received;
    *ret_dropped = inbox->dropped;
    pthread_mutex_unlock(&inbox->lock);
}
