/* SPDX-License-Identifier: Apache-2.0 */
#include "fedsync/quarantine_priv.h"

#include "fedsync/codec_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME       "quarantine"
#define LINE_BYTES (FED_NAME_BYTES + 12)
#define FILE_BYTES (FED_EDGES_MAX * LINE_BYTES)

static int parse_line(struct fed_quarantine *list, char *line)
{
    char *count = strchr(line, ' '), *end;
    if (count == NULL)
        return -EBADMSG;
    *count++ = '\0';
    unsigned long strikes = strtoul(count, &end, 10);
    if (!fed_name_valid(line) || end == count || *end != '\0' || strikes > UINT32_MAX ||
        list->n == FED_EDGES_MAX)
        return -EBADMSG;
    atl_copy(list->entries[list->n].edge, FED_NAME_BYTES, line);
    list->entries[list->n++].strikes = (uint32_t)strikes;
    return 0;
}

int fed_quarantine_load(struct fed_quarantine *ret_list, const char *dir, struct atl_error *err)
{
    char path[PATH_MAX];
    uint8_t *data;
    size_t bytes;
    ret_list->n = 0;
    if (snprintf(path, sizeof(path), "%s/" NAME, dir) >= (int)sizeof(path))
        return atl_error_set(err, -ENAMETOOLONG, "%s: name too long", dir);
    int r = atl_file_read(path, FILE_BYTES, &data, &bytes, err);
    if (r == -ENOENT)
        return 0;
    if (r < 0)
        return r;
    char *text = malloc(bytes + 1), *rest = text, *line;
    if (text == NULL) {
        free(data);
        return atl_error_set(err, -ENOMEM, "%s: out of memory", path);
    }
    memcpy(text, data, bytes);
    text[bytes] = '\0';
    free(data);
    for (int number = 1; r == 0 && (line = strsep(&rest, "\n")) != NULL; number++)
        if (*line != '\0' && parse_line(ret_list, line) < 0)
            r = atl_error_set(
                err, -EBADMSG,
                "%s:%d: expected \"<edge> <rounds spoiled>\"; mend or remove the line", path,
                number);
    free(text);
    return r;
}

static int save(const struct fed_quarantine *list, const char *dir, struct atl_error *err)
{
    char path[PATH_MAX];
    size_t used = 0;
    if (snprintf(path, sizeof(path), "%s/" NAME, dir) >= (int)sizeof(path))
        return atl_error_set(err, -ENAMETOOLONG, "%s: name too long", dir);
    char *text = malloc((size_t)list->n * LINE_BYTES + 1);
    if (text == NULL)
        return atl_error_set(err, -ENOMEM, "%s: out of memory", path);
    for (uint32_t i = 0; i < list->n; i++)
        used += (size_t)snprintf(text + used, LINE_BYTES, "%s %" PRIu32 "\n", list->entries[i].edge,
                                 list->entries[i].strikes);
    int r = atl_file_write(path, text, used, 0600, err);
    free(text);
    return r;
}

int fed_quarantine_strike(struct fed_quarantine *list, const char *dir, const char *edge,
                          struct atl_error *err)
{
    uint32_t i = 0;
    while (i < list->n && strcmp(list->entries[i].edge, edge) != 0)
        i++;
    if (i == FED_EDGES_MAX)
        return atl_error_set(err, -ENOSPC, "the quarantine list is full");
    if (i == list->n) {
        atl_copy(list->entries[i].edge, FED_NAME_BYTES, edge);
        list->entries[i].strikes = 0;
        list->n++;
    }
    list->entries[i].strikes++;
    return save(list, dir, err);
}

uint32_t fed_quarantine_strikes(const struct fed_quarantine *list, const char *edge)
{
    for (uint32_t i = 0; i < list->n; i++)
        if (strcmp(list->entries[i].edge, edge) == 0)
            return list->entries[i].strikes;
    return 0;
}
