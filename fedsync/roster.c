/* SPDX-License-Identifier: Apache-2.0 */
#include "fedsync/roster_priv.h"

#include "fedsync/codec_priv.h"
#include "fedsync/identity_priv.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUFFIX ".pub"

struct member {
    char name[FED_NAME_BYTES];
    uint8_t key[32];
};

struct fed_roster {
    uint32_t count;
    struct member members[FED_EDGES_MAX];
};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct member *)a)->name, ((const struct member *)b)->name);
}

/** @return 1 and the name when this is <name>.pub, 0 when it is some other file */
static int name_of(char out[FED_NAME_BYTES], const char *file)
{
    size_t n = strlen(file), suffix = strlen(SUFFIX);
    if (n <= suffix || strcmp(file + n - suffix, SUFFIX) != 0 || file[0] == '.')
        return 0;
    if (n - suffix >= FED_NAME_BYTES)
        return -EINVAL;
    memcpy(out, file, n - suffix);
    out[n - suffix] = '\0';
    return fed_name_valid(out) ? 1 : -EINVAL;
}

static int add(struct fed_roster *roster, const char *dir, const char *file, struct atl_error *err)
{
    struct member member;
    char path[PATH_MAX];
    int r = name_of(member.name, file);
    if (r < 0)
        return atl_error_set(err, r, "%s/%s: '%s' cannot be a node name", dir, file, file);
    if (r == 0)
        return 0;
    if (roster->count == FED_EDGES_MAX)
        return atl_error_set(err, -ENOSPC, "%s: more than %u public keys", dir, FED_EDGES_MAX);
    if (snprintf(path, sizeof(path), "%s/%s", dir, file) >= (int)sizeof(path))
        return atl_error_set(err, -ENAMETOOLONG, "%s/%s: path too long", dir, file);
    r = fed_key_read(path, member.key, err);
    if (r < 0)
        return r;
    /* One key under two names would have two votes. */
    for (uint32_t i = 0; i < roster->count; i++)
        if (memcmp(roster->members[i].key, member.key, sizeof(member.key)) == 0)
            return atl_error_set(err, -EINVAL, "%s: %s and %s have the same public key", dir,
                                 roster->members[i].name, member.name);
    roster->members[roster->count++] = member;
    return 0;
}

int fed_roster_load(struct fed_roster **ret_roster, const char *dir, struct atl_error *err)
{
    DIR *folder = opendir(dir);
    if (folder == NULL)
        return atl_error_set(err, -errno, "cannot open the roster folder %s: %s", dir,
                             strerror(errno));
    struct fed_roster *roster = calloc(1, sizeof(*roster));
    int r = roster == NULL ? atl_error_set(err, -ENOMEM, "roster: out of memory") : 0;
    const struct dirent *entry;
    while (r == 0 && (entry = readdir(folder)) != NULL)
        r = add(roster, dir, entry->d_name, err);
    closedir(folder);
    if (r < 0) {
        free(roster);
        return r;
    }
    qsort(roster->members, roster->count, sizeof(roster->members[0]), by_name);
    *ret_roster = roster;
    return 0;
}

void fed_roster_destroy(struct fed_roster *roster)
{
    free(roster);
}

int fed_roster_find(const struct fed_roster *roster, const char *name)
{
    struct member key;
    if (!atl_copy(key.name, sizeof(key.name), name))
        return -1;
    const struct member *found =
        bsearch(&key, roster->members, roster->count, sizeof(key), by_name);
    return found == NULL ? -1 : (int)(found - roster->members);
}

const char *fed_roster_name(const struct fed_roster *roster, uint32_t at)
{
    return roster->members[at].name;
}

const uint8_t *fed_roster_key(const struct fed_roster *roster, const char *name)
{
    int at = fed_roster_find(roster, name);
    return at < 0 ? NULL : roster->members[at].key;
}

uint32_t fed_roster_count(const struct fed_roster *roster)
{
    return roster->count;
}
