/* SPDX-License-Identifier: Apache-2.0 */
#include "privacy/ledger_priv.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* three bytes for each of a name, and its terminator */
#define ESCAPED_BYTES (3 * LEDGER_NAME_BYTES)

static void escape(char out[ESCAPED_BYTES], const char *name)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~:/-";
    size_t used = 0;
    for (; *name != '\0' && used + 4 <= ESCAPED_BYTES; name++) {
        if (strchr(plain, *name) != NULL)
            out[used++] = *name;
        else
            used += (size_t)snprintf(out + used, 4, "%%%02X", (unsigned char)*name);
    }
    out[used] = '\0';
}

static int hex_digit(char c)
{
    const char *digits = "0123456789ABCDEF", *at = c != '\0' ? strchr(digits, c) : NULL;
    return at != NULL ? (int)(at - digits) : -1;
}

static int unescape(char out[LEDGER_NAME_BYTES], const char *text)
{
    size_t used = 0;
    while (*text != '\0') {
        if (used + 1 >= LEDGER_NAME_BYTES)
            return -EBADMSG;
        if (*text != '%') {
            out[used++] = *text++;
            continue;
        }
        int high = hex_digit(text[1]), low = high < 0 ? -1 : hex_digit(text[2]);
        if (low < 0)
            return -EBADMSG;
        out[used++] = (char)(16 * high + low);
        text += 3;
    }
    out[used] = '\0';
    return 0;
}

static void hash_of(char out[LEDGER_HASH_BYTES], const char *text, size_t bytes)
{
    uint8_t hash[32];
    crypto_generichash(hash, sizeof(hash), (const uint8_t *)text, bytes, NULL, 0);
    atl_hex(out, hash, sizeof(hash));
}

/* Append the hash of what is written so far; the link then stands on this line */
static size_t seal(char out[LEDGER_LINE_BYTES], int used, struct ledger_link *link)
{
    link->seq++;
    hash_of(link->hash, out, (size_t)used);
    used += snprintf(out + used, LEDGER_LINE_BYTES - (size_t)used, " hash=%s\n", link->hash);
    return (size_t)used;
}

size_t priv_ledger_head_write(char out[LEDGER_LINE_BYTES], const struct ledger_head *head,
                              struct ledger_link *link)
{
    char owner[ESCAPED_BYTES], unit[ESCAPED_BYTES];
    escape(owner, head->owner);
    escape(unit, head->unit);
    int used = snprintf(out, LEDGER_LINE_BYTES,
                        "seq=%" PRIu64 " prev=%s format=atalaya-ledger-1 owner=%s unit=%s "
                        "delta=%.17g accountant=%s time=%s",
                        link->seq + 1, link->hash, owner, unit, head->delta,
                        priv_accountant_name(head->accountant), head->time);
    return seal(out, used, link);
}

size_t priv_ledger_entry_write(char out[LEDGER_LINE_BYTES], const struct ledger_entry *entry,
                               struct ledger_link *link)
{
    const struct priv_charge *charge = &entry->charge;
    char owner[ESCAPED_BYTES], unit[ESCAPED_BYTES], federation[ESCAPED_BYTES];
    escape(owner, entry->owner);
    escape(unit, entry->unit);
    escape(federation, charge->federation);
    int used = snprintf(
        out, LEDGER_LINE_BYTES,
        "seq=%" PRIu64 " prev=%s owner=%s unit=%s federation=%s epoch=%" PRIu64 " round=%" PRIu64
        " mechanism=%s q=%.17g sigma=%.17g steps=%" PRIu64 " epsilon=%.17g time=%s",
        link->seq + 1, link->hash, owner, unit, federation, charge->epoch, charge->round,
        priv_mechanism_name(charge->event.mechanism), charge->event.q, charge->event.sigma,
        charge->event.steps, entry->epsilon, entry->time);
    return seal(out, used, link);
}

/* Value of the next field, which must be `key`; *at moves behind it */
static int take(char **at, const char *key, char **ret_value)
{
    char *field = strsep(at, " ");
    size_t n = strlen(key);
    if (field == NULL || strncmp(field, key, n) != 0 || field[n] != '=')
        return -EBADMSG;
    *ret_value = field + n + 1;
    return 0;
}

static int take_name(char **at, const char *key, char out[LEDGER_NAME_BYTES])
{
    char *value;
    return take(at, key, &value) < 0 ? -EBADMSG : unescape(out, value);
}

static int take_u64(char **at, const char *key, uint64_t *ret_value)
{
    char *value, *end;
    if (take(at, key, &value) < 0 || !isdigit((unsigned char)*value))
        return -EBADMSG;
    errno = 0;
    uint64_t number = strtoull(value, &end, 10);
    if (errno != 0 || *end != '\0')
        return -EBADMSG;
    *ret_value = number;
    return 0;
}

static int take_double(char **at, const char *key, double *ret_value)
{
    char *value, *end;
    if (take(at, key, &value) < 0 || *value == '\0')
        return -EBADMSG;
    double number = strtod(value, &end);
    if (*end != '\0')
        return -EBADMSG;
    *ret_value = number;
    return 0;
}

/* Number, chain and hash of a line: all that keeps it from being edited. `fields` gets a copy. */
static int open_line(const char *line, char fields[LEDGER_LINE_BYTES], char **ret_at,
                     const struct ledger_link *link, struct atl_error *err)
{
    char hash[LEDGER_HASH_BYTES], *prev;
    const char *tail = strstr(line, " hash=");
    if (tail == NULL || !atl_copy(fields, LEDGER_LINE_BYTES, line))
        return atl_error_set(err, -EBADMSG, "not a whole line");
    hash_of(hash, line, (size_t)(tail - line));
    if (strcmp(tail + strlen(" hash="), hash) != 0)
        return atl_error_set(err, -EBADMSG, "edited: the line does not match its hash");

    uint64_t seq;
    *ret_at = fields;
    if (take_u64(ret_at, "seq", &seq) < 0 || take(ret_at, "prev", &prev) < 0)
        return atl_error_set(err, -EBADMSG, "seq and prev are missing");
    if (seq != link->seq + 1 || strcmp(prev, link->hash) != 0)
        return atl_error_set(err, -EBADMSG,
                             "lines are missing or foreign: it does not follow the "
                             "line before");
    return 0;
}

/* What was read must be what we would have written */
static int close_line(const char *line, const char *again, size_t bytes, struct atl_error *err)
{
    if (strlen(line) + 1 != bytes || memcmp(line, again, bytes - 1) != 0)
        return atl_error_set(err, -EBADMSG, "not in the form that is written here");
    return 0;
}

int priv_ledger_head_read(const char *line, struct ledger_head *ret_head, struct ledger_link *link,
                          struct atl_error *err)
{
    char fields[LEDGER_LINE_BYTES], *at, *format, *accountant, *time;
    int r = open_line(line, fields, &at, link, err);
    if (r < 0)
        return r;
    struct ledger_head head = {0};
    if (take(&at, "format", &format) < 0 || strcmp(format, "atalaya-ledger-1") != 0)
        return atl_error_set(err, -EBADMSG, "not a ledger of format atalaya-ledger-1");
    if (take_name(&at, "owner", head.owner) < 0 || take_name(&at, "unit", head.unit) < 0 ||
        take_double(&at, "delta", &head.delta) < 0 || take(&at, "accountant", &accountant) < 0 ||
        priv_accountant_parse(accountant, &head.accountant) < 0 || take(&at, "time", &time) < 0 ||
        !atl_copy(head.time, sizeof(head.time), time))
        return atl_error_set(err, -EBADMSG, "a field is missing or malformed");

    char again[LEDGER_LINE_BYTES];
    struct ledger_link next = *link;
    r = close_line(line, again, priv_ledger_head_write(again, &head, &next), err);
    if (r < 0)
        return r;
    *ret_head = head;
    *link = next;
    return 0;
}

int priv_ledger_entry_read(const char *line, struct ledger_entry *ret_entry,
                           struct ledger_link *link, struct atl_error *err)
{
    char fields[LEDGER_LINE_BYTES], *at, *mechanism, *time;
    int r = open_line(line, fields, &at, link, err);
    if (r < 0)
        return r;
    struct ledger_entry entry = {0};
    struct priv_charge *charge = &entry.charge;
    struct priv_event *event = &charge->event;
    if (take_name(&at, "owner", entry.owner) < 0 || take_name(&at, "unit", entry.unit) < 0 ||
        take_name(&at, "federation", charge->federation) < 0 ||
        take_u64(&at, "epoch", &charge->epoch) < 0 || take_u64(&at, "round", &charge->round) < 0 ||
        take(&at, "mechanism", &mechanism) < 0 ||
        priv_mechanism_parse(mechanism, &event->mechanism) < 0 ||
        take_double(&at, "q", &event->q) < 0 || take_double(&at, "sigma", &event->sigma) < 0 ||
        take_u64(&at, "steps", &event->steps) < 0 ||
        take_double(&at, "epsilon", &entry.epsilon) < 0 || take(&at, "time", &time) < 0 ||
        !atl_copy(entry.time, sizeof(entry.time), time) || priv_event_check(event, NULL) < 0)
        return atl_error_set(err, -EBADMSG, "a field is missing, malformed or out of range");

    char again[LEDGER_LINE_BYTES];
    struct ledger_link next = *link;
    r = close_line(line, again, priv_ledger_entry_write(again, &entry, &next), err);
    if (r < 0)
        return r;
    *ret_entry = entry;
    *link = next;
    return 0;
}

void priv_ledger_link_init(struct ledger_link *link)
{
    link->seq = UINT64_MAX;
    memset(link->hash, '0', sizeof(link->hash) - 1);
    link->hash[sizeof(link->hash) - 1] = '\0';
}

size_t priv_ledger_anchor_write(char out[LEDGER_LINE_BYTES], const struct ledger_link *link)
{
    return (size_t)snprintf(out, LEDGER_LINE_BYTES,
                            "format=atalaya-anchor-1 seq=%" PRIu64 " hash=%s\n", link->seq,
                            link->hash);
}

int priv_ledger_anchor_read(const char *text, struct ledger_link *ret_link)
{
    char fields[LEDGER_LINE_BYTES], again[LEDGER_LINE_BYTES], *at = fields, *format, *hash;
    struct ledger_link link;
    if (!atl_copy(fields, sizeof(fields), text) || take(&at, "format", &format) < 0 ||
        take_u64(&at, "seq", &link.seq) < 0 || take(&at, "hash", &hash) < 0)
        return -EBADMSG;
    hash[strcspn(hash, "\n")] = '\0';
    if (!atl_copy(link.hash, sizeof(link.hash), hash))
        return -EBADMSG;
    priv_ledger_anchor_write(again, &link);
    if (strcmp(again, text) != 0)
        return -EBADMSG;
    *ret_link = link;
    return 0;
}
