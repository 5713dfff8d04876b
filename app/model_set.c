/* SPDX-License-Identifier: Apache-2.0 */
#include "app/recipe_priv.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

static int place(struct learn_named *named, const char *where, struct model_set *set,
                 struct atl_error *err)
{
    for (enum view v = 0; v < VIEW_COUNT; v++) {
        if (strcmp(named->name, view_name(v)) != 0)
            continue;
        struct learn_shape want;
        recipe_shape(v, &want);
        const struct learn_shape *have = learn_model_shape(named->model);
        if (have->n_in != want.n_in || memcmp(have->schema, want.schema, sizeof(want.schema)) != 0)
            return atl_error_set(err, -EINVAL,
                                 "%s: its %s model was made for other columns than this version's; "
                                 "make it again with 'atalaya detect --baseline … --save-model'",
                                 where, view_name(v));
        if (!learn_model_calibrated(named->model))
            return atl_error_set(err, -EINVAL, "%s: its %s model has no boundary", where,
                                 view_name(v));
        set->models[v] = named->model;
        named->model = NULL;
    }
    return 0;
}

static int sort_out(struct learn_named *named, uint32_t n, const char *where,
                    struct model_set *ret_set, struct atl_error *err)
{
    struct model_set set = {{NULL}};
    int r = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (r == 0)
            r = place(&named[i], where, &set, err);
        learn_model_destroy(named[i].model); /* unknown names of a later version */
    }
    for (enum view v = 0; v < VIEW_COUNT && r == 0; v++) {
        if (set.models[v] == NULL)
            r = atl_error_set(err, -EINVAL, "%s: holds no %s model", where, view_name(v));
    }
    if (r < 0)
        model_set_finish(&set);
    else
        *ret_set = set;
    return r;
}

int model_set_parse(const uint8_t *data, size_t bytes, const char *where, struct model_set *ret_set,
                    struct atl_error *err)
{
    struct learn_named named[LEARN_FILE_MODELS_MAX];
    uint32_t n;
    int r = learn_file_parse(data, bytes, where, named, &n, err);
    return r < 0 ? r : sort_out(named, n, where, ret_set, err);
}

int model_set_load(const char *path, struct model_set *ret_set, struct atl_error *err)
{
    struct learn_named named[LEARN_FILE_MODELS_MAX];
    uint32_t n;
    int r = learn_file_load(path, named, &n, err);
    return r < 0 ? r : sort_out(named, n, path, ret_set, err);
}

static void name_models(const struct model_set *set, struct learn_named named[VIEW_COUNT])
{
    for (enum view v = 0; v < VIEW_COUNT; v++) {
        atl_copy(named[v].name, sizeof(named[v].name), view_name(v));
        named[v].model = set->models[v];
    }
}

int model_set_save(const char *path, const struct model_set *set, struct atl_error *err)
{
    struct learn_named named[VIEW_COUNT];
    name_models(set, named);
    return learn_file_save(path, named, VIEW_COUNT, err);
}

int model_set_save_generation(const char *path, const struct model_set *set, struct atl_error *err)
{
    struct learn_named named[VIEW_COUNT];
    name_models(set, named);
    return learn_file_save_generation(path, named, VIEW_COUNT, err);
}

int model_set_roll_back(const char *path, struct model_set *ret_set, struct atl_error *err)
{
    char earlier[PATH_MAX];
    if (snprintf(earlier, sizeof(earlier), "%s.1", path) >= (int)sizeof(earlier))
        return atl_error_set(err, -ENAMETOOLONG, "%s: the path is too long", path);
    struct model_set set;
    int r = model_set_load(earlier, &set, err);
    if (r == -ENOENT)
        return atl_error_set(err, r, "%s: no earlier model to go back to", earlier);
    if (r < 0)
        return r;
    r = learn_file_roll_back(path, err);
    if (r < 0)
        model_set_finish(&set);
    else
        *ret_set = set;
    return r;
}

void model_set_finish(struct model_set *set)
{
    for (enum view v = 0; v < VIEW_COUNT; v++) {
        learn_model_destroy(set->models[v]);
        set->models[v] = NULL;
    }
}
