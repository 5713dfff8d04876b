/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "learner/table_priv.h"

#define NONE UINT32_MAX

uint32_t learn_table_fields_find(const struct learn_table_fields *fields, const char *wanted)
{
    for (uint32_t i = 0; i < fields->n; i++) {
        if (strncmp(fields->name[i], wanted, LEARN_TABLE_NAME_BYTES - 1) == 0)
            return i;
    }
    char *end;
    unsigned long number = strtoul(wanted, &end, 10);
    bool whole = *wanted >= '0' && *wanted <= '9' && *end == '\0';
    return whole && number >= 1 && number <= fields->n ? (uint32_t)number - 1 : NONE;
}

static int no_such(const struct learn_table_fields *fields, const char *path, const char *option,
                   const char *wanted, struct atl_error *err)
{
    const char *names[LEARN_TABLE_COLUMNS_MAX];
    uint32_t n = fields->n < ATL_ARRAY_LEN(names) ? fields->n : (uint32_t)ATL_ARRAY_LEN(names);
    for (uint32_t i = 0; i < n; i++)
        names[i] = fields->name[i];
    const char *near = atl_nearest(wanted, names, n);
    return atl_error_set(err, -EINVAL, "%s: no column '%.60s' for %s among its %u columns%s%.60s%s",
                         path, wanted, option, fields->n, near != NULL ? "; did you mean '" : "",
                         near != NULL ? near : "", near != NULL ? "'?" : "");
}

static int choose(struct learn_table_fields *fields, const char *path,
                  const struct learn_table_config *cfg, struct atl_error *err)
{
    fields->label = NONE;
    if (cfg->label != NULL) {
        fields->label = learn_table_fields_find(fields, cfg->label);
        if (fields->label == NONE)
            return no_such(fields, path, "--label", cfg->label, err);
        fields->used[fields->label] = false;
    }
    for (uint32_t d = 0; d < cfg->n_drop; d++) {
        uint32_t at = learn_table_fields_find(fields, cfg->drop[d]);
        if (at == NONE)
            return no_such(fields, path, "--drop", cfg->drop[d], err);
        fields->used[at] = false;
    }
    return 0;
}

static int name_fields(struct learn_table_fields *fields, const struct learn_csv *csv,
                       const char *path, bool header, struct atl_error *err)
{
    for (uint32_t i = 0; i < fields->n; i++) {
        const char *given = header ? learn_csv_field(csv, i) : "";
        if (*given == '\0')
            snprintf(fields->name[i], sizeof(fields->name[i]), "%u", i + 1);
        else
            learn_table_copy(fields->name[i], given);
        fields->used[i] = true;
        for (uint32_t k = 0; k < i && header; k++) {
            if (strcmp(fields->name[k], fields->name[i]) == 0)
                return atl_error_set(err, -EBADMSG,
                                     "%s:%llu: columns %u and %u are both named '%.60s'; is the "
                                     "first row data (--no-header)?",
                                     path, (unsigned long long)learn_csv_line(csv), k + 1, i + 1,
                                     fields->name[i]);
        }
    }
    return 0;
}

int learn_table_fields_read(struct learn_table_fields *fields, struct learn_csv *csv,
                            const char *path, const struct learn_table_config *cfg,
                            struct atl_error *err)
{
    *fields = (struct learn_table_fields){0};
    int r = learn_csv_next(csv, err);
    if (r <= 0)
        return r < 0 ? r : atl_error_set(err, -EBADMSG, "%s: empty, rows expected", path);
    fields->n = learn_csv_fields(csv);
    fields->used = calloc(fields->n, sizeof(*fields->used));
    fields->name = calloc(fields->n, sizeof(*fields->name));
    if (fields->used == NULL || fields->name == NULL)
        return atl_error_set(err, -ENOMEM, "%s: out of memory", path);
    r = name_fields(fields, csv, path, cfg->header, err);
    return r < 0 ? r : choose(fields, path, cfg, err);
}

int learn_table_ragged(const struct learn_csv *csv, const char *path, uint64_t row, uint32_t want,
                       struct atl_error *err)
{
    uint32_t have = learn_csv_fields(csv);
    if (have == want)
        return 0;
    return atl_error_set(err, -EBADMSG, "%s: row %llu (line %llu) has %u columns, %u expected",
                         path, (unsigned long long)row, (unsigned long long)learn_csv_line(csv),
                         have, want);
}

void learn_table_fields_finish(struct learn_table_fields *fields)
{
    free(fields->used);
    free(fields->name);
    *fields = (struct learn_table_fields){0};
}
