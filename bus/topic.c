/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/bus.h"
#include "bus/topic_priv.h"

#include <string.h>

bool bus_topic_matches(const char *filter, const char *topic)
{
    /* [MQTT-4.7.2-1]: a wildcard in front does not see the broker's own $ topics */
    if (topic[0] == '$' && (filter[0] == '#' || filter[0] == '+'))
        return false;
    while (*filter != '\0') {
        if (*filter == '#')
            return true;
        if (*filter == '+') {
            topic += strcspn(topic, "/");
            filter++;
        } else if (*filter == *topic) {
            filter++;
            topic++;
        } else {
            /* "a/#" also matches its parent "a" (§4.7.1.2) */
            return *topic == '\0' && strcmp(filter, "/#") == 0;
        }
    }
    return *topic == '\0';
}

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

bool bus_name_valid_within(const char *name, size_t max_bytes)
{
    size_t n = strlen(name);
    if (n < 1 || n > max_bytes)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!is_name_char(name[i]))
            return false;
    }
    return true;
}

bool bus_name_valid(const char *name)
{
    return bus_name_valid_within(name, 32);
}

/* Printable ASCII: narrower than MQTT, and the same for every broker and every log. */
static bool is_plain(const char *text)
{
    size_t n = strnlen(text, BUS_TOPIC_BYTES);
    if (n < 1 || n >= BUS_TOPIC_BYTES)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (text[i] < 0x21 || text[i] > 0x7e)
            return false;
    }
    return true;
}

bool bus_topic_valid(const char *topic)
{
    return is_plain(topic) && strpbrk(topic, "+#") == NULL;
}

bool bus_filter_valid(const char *filter)
{
    if (!is_plain(filter))
        return false;
    for (const char *at = filter; *at != '\0'; at++) {
        if (*at != '+' && *at != '#')
            continue;
        bool starts_level = at == filter || at[-1] == '/';
        bool ends_level = at[1] == '\0' || (*at == '+' && at[1] == '/');
        if (!starts_level || !ends_level)
            return false;
    }
    return true;
}
