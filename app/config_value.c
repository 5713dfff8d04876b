/* SPDX-License-Identifier: Apache-2.0 */
#include "app/config_priv.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

int config_duration_parse(const char *text, atl_ns *ret_ns)
{
    static const struct {
        const char *unit;
        double ns;
    } units[] = {{"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}, {"d", 86400e9}};
    char *end;
    errno = 0;
    double value = strtod(text, &end);
    if (end == text || errno != 0 || !isfinite(value) || value < 0)
        return -EINVAL;
    for (size_t i = 0; i < ATL_ARRAY_LEN(units); i++) {
        if (strcmp(end, units[i].unit) != 0)
            continue;
        double ns = value * units[i].ns;
        if (ns > 9e18)
            return -EINVAL;
        *ret_ns = (atl_ns)llround(ns);
        return 0;
    }
    return -EINVAL;
}

static int parse_text(const struct config_key *key, const char *text, char *out,
                      struct atl_error *err)
{
    if (key->required && text[0] == '\0')
        return atl_error_set(err, -EINVAL, "expected %s, found nothing", key->help);
    if (!atl_copy(out, key->size, text))
        return atl_error_set(err, -EINVAL, "expected at most %zu characters", key->size - 1);
    return 0;
}

static int parse_name(const char *text, char *out, struct atl_error *err)
{
    size_t n = strlen(text);
    for (size_t i = 0; i < n; i++) {
        if (!islower((unsigned char)text[i]) && !isdigit((unsigned char)text[i]) && text[i] != '-')
            n = 0;
    }
    if (n == 0 || n >= CONFIG_NAME_BYTES)
        return atl_error_set(err, -EINVAL,
                             "expected 1 to 32 of a-z, 0-9 and '-' (it becomes part of a topic), "
                             "found '%.64s'",
                             text);
    atl_copy(out, CONFIG_NAME_BYTES, text);
    return 0;
}

static int parse_bool(const char *text, bool *out, struct atl_error *err)
{
    bool yes = strcmp(text, "true") == 0;
    if (!yes && strcmp(text, "false") != 0)
        return atl_error_set(err, -EINVAL, "expected true or false, found '%.64s'", text);
    *out = yes;
    return 0;
}

static int parse_count(const struct config_key *key, const char *text, uint64_t *out,
                       struct atl_error *err)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)text[0]) || *end != '\0' || errno != 0 ||
        (double)value < key->min || (double)value > key->max)
        return atl_error_set(err, -EINVAL,
                             "expected a whole number from %.0f to %.0f, found '%.64s'", key->min,
                             key->max, text);
    *out = value;
    return 0;
}

static int parse_number(const struct config_key *key, const char *text, double *out,
                        struct atl_error *err)
{
    char *end;
    errno = 0;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !(value >= key->min && value <= key->max))
        return atl_error_set(err, -EINVAL, "expected a number from %g to %g, found '%.64s'",
                             key->min, key->max, text);
    *out = value;
    return 0;
}

static int parse_duration(const struct config_key *key, const char *text, atl_ns *out,
                          struct atl_error *err)
{
    atl_ns ns;
    if (config_duration_parse(text, &ns) < 0 || (double)ns < key->min * 1e9 ||
        (double)ns > key->max * 1e9)
        return atl_error_set(err, -EINVAL,
                             "expected a duration from %gs to %gs such as 250ms, 5s, 10m, 2h or "
                             "1d, found '%.64s'",
                             key->min, key->max, text);
    *out = ns;
    return 0;
}

static int parse_choice(const struct config_key *key, const char *text, uint32_t *out,
                        struct atl_error *err)
{
    char list[128] = "";
    size_t n = 0, used = 0;
    for (; key->choices[n] != NULL; n++) {
        if (strcmp(text, key->choices[n]) == 0) {
            *out = (uint32_t)n;
            return 0;
        }
        used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", n > 0 ? ", " : "",
                                 key->choices[n]);
    }
    const char *near = atl_nearest(text, key->choices, n);
    return atl_error_set(err, -EINVAL, "expected one of %s, found '%.64s'%s%s%s", list, text,
                         near != NULL ? "; did you mean '" : "", near != NULL ? near : "",
                         near != NULL ? "'?" : "");
}

static int parse_item(const struct config_key *key, const char *text, struct config *cfg,
                      struct atl_error *err)
{
    uint32_t *count = (uint32_t *)(void *)((char *)cfg + key->count_offset);
    if (*count == CONFIG_LIST_MAX)
        return atl_error_set(err, -EINVAL, "expected at most %d items", CONFIG_LIST_MAX);
    int r = parse_text(key, text, (char *)cfg + key->offset + *count * key->size, err);
    if (r == 0)
        ++*count;
    return r;
}

int config_value_parse(const struct config_key *key, const char *text, struct config *cfg,
                       struct atl_error *err)
{
    void *out = (char *)cfg + key->offset;
    switch (key->type) {
    case CONFIG_TEXT:
        return parse_text(key, text, out, err);
    case CONFIG_NAME:
        return parse_name(text, out, err);
    case CONFIG_BOOL:
        return parse_bool(text, out, err);
    case CONFIG_COUNT:
        return parse_count(key, text, out, err);
    case CONFIG_NUMBER:
        return parse_number(key, text, out, err);
    case CONFIG_DURATION:
        return parse_duration(key, text, out, err);
    case CONFIG_CHOICE:
        return parse_choice(key, text, out, err);
    case CONFIG_LIST:
        return parse_item(key, text, cfg, err);
    }
    return -EINVAL;
}
