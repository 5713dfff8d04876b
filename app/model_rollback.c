/* SPDX-License-Identifier: Apache-2.0 */
#include "app/app_priv.h"
#include "app/config_priv.h"
#include "app/control_socket_priv.h"
#include "app/model_rollback_priv.h"
#include "app/recipe_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static int in_edge(int fd, struct atl_error *err)
{
    json_t *answer, *request = json_pack("{s:s}", "verb", "model_rollback");
    int r = control_call(fd, request, &answer, err);
    json_decref(request);
    if (r < 0)
        return r;
    if (json_is_true(json_object_get(answer, "ok"))) {
        printf("the running edge goes back to %s; atalaya status tells when it has\n",
               json_string_value(json_object_get(answer, "file")));
    } else {
        const char *why = json_string_value(json_object_get(answer, "error"));
        r = atl_error_set(err, -EIO, "%s", why != NULL ? why : "the edge refuses");
    }
    json_decref(answer);
    return r;
}

static int on_disk(const char *state_dir, struct atl_error *err)
{
    char path[CONFIG_PATH_BYTES + 32];
    struct model_set set;
    snprintf(path, sizeof(path), "%s/model.safetensors", state_dir);
    int r = model_set_roll_back(path, &set, err);
    if (r < 0)
        return r;
    printf("%s: %s.1 has taken its place; no edge runs, the next one starts with it\n", path, path);
    for (enum view v = 0; v < VIEW_COUNT; v++)
        printf("%s model: %s\n", view_name(v), learn_model_origin(set.models[v]));
    model_set_finish(&set);
    return 0;
}

/* Only when nobody serves the socket are the files ours. */
static int roll_back(const char *state_dir, struct atl_error *err)
{
    char path[CONTROL_PATH_BYTES];
    int fd, r = control_path(state_dir, path, err);
    if (r < 0)
        return r;
    r = control_connect(&fd, path, err);
    if (r == -ENOENT || r == -ECONNREFUSED)
        return on_disk(state_dir, err);
    if (r < 0)
        return r;
    r = in_edge(fd, err);
    close(fd);
    return r;
}

int model_rollback(const char *config_path)
{
    struct config *cfg = calloc(1, sizeof(*cfg));
    struct atl_error err;
    int code = cfg != NULL ? config_read(config_path, CONFIG_EDGE, cfg) : EXIT_FAILED;
    if (code == EXIT_OK && roll_back(cfg->state_dir, &err) < 0) {
        fprintf(stderr, "atalaya model: %s\n", err.text);
        code = EXIT_FAILED;
    }
    free(cfg);
    return code;
}
