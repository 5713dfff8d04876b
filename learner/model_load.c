/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <math.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "learner/model_file_priv.h"

struct reader {
    const struct learn_tensors *tensors;
    const char *where;
    const char *name; /* of the model being read */
    struct atl_error *err;
};

static int damaged(const struct reader *reader, const char *what)
{
    return atl_error_set(reader->err, -EBADMSG, "%s: damaged model file: model %s: %s",
                         reader->where, reader->name, what);
}

static bool parse_shape(const char *text, struct learn_shape *shape)
{
    uint32_t dim[LEARN_LAYERS_MAX + 1], n = 0;
    for (;;) {
        char *end;
        if (n == LEARN_LAYERS_MAX + 1 || *text < '0' || *text > '9')
            return false;
        unsigned long width = strtoul(text, &end, 10);
        dim[n++] = width > UINT32_MAX ? 0 : (uint32_t)width;
        if (*end == '\0')
            break;
        if (*end != ',')
            return false;
        text = end + 1;
    }
    if (n < 3 || dim[0] != dim[n - 1])
        return false;
    shape->n_in = dim[0];
    shape->n_widths = n - 2;
    memcpy(shape->widths, dim + 1, (n - 2) * sizeof(dim[0]));
    return true;
}

static int read_shape(const struct reader *reader, struct learn_shape *shape)
{
    *shape = (struct learn_shape){0};
    const char *text =
        learn_tensors_text(reader->tensors, learn_key_of(reader->name, "shape").text);
    if (text == NULL || !parse_shape(text, shape) || learn_shape_check(shape, NULL) < 0)
        return damaged(reader, "shape missing or out of range");

    size_t bytes;
    text = learn_tensors_text(reader->tensors, learn_key_of(reader->name, "schema").text);
    if (text == NULL ||
        sodium_hex2bin(shape->schema, sizeof(shape->schema), text, strlen(text), NULL, &bytes,
                       NULL) != 0 ||
        bytes != sizeof(shape->schema))
        return damaged(reader, "schema missing or not 64 hexadecimal digits");
    return 0;
}

static int read_tensor(const struct reader *reader, struct learn_key key, const char *dtype,
                       uint32_t rank, uint64_t rows, uint64_t columns, void *out)
{
    const struct learn_tensor *tensor = learn_tensors_find(reader->tensors, key.text);
    if (tensor == NULL || strcmp(tensor->dtype, dtype) != 0 || tensor->rank != rank ||
        tensor->dim[0] != rows || (rank == 2 && tensor->dim[1] != columns))
        return atl_error_set(
            reader->err, -EBADMSG,
            "%s: damaged model file: tensor %s missing or not of the model's shape", reader->where,
            key.text);
    memcpy(out, tensor->data, tensor->bytes);
    return 0;
}

static int read_params(const struct reader *reader, const struct learn_layout *layout,
                       float *params)
{
    for (uint32_t l = 0; l < layout->n_layers; l++) {
        uint32_t in = layout->dim[l], out = layout->dim[l + 1];
        int r = read_tensor(reader, learn_key_of_layer(reader->name, 'w', l), "F32", 2, out, in,
                            params + layout->w[l]);
        if (r == 0)
            r = read_tensor(reader, learn_key_of_layer(reader->name, 'b', l), "F32", 1, out, 0,
                            params + layout->b[l]);
        if (r < 0)
            return r;
    }
    return 0;
}

static int read_tail(const struct reader *reader, const char *what, struct learn_tail *tail)
{
    double numbers[LEARN_TAIL_DOUBLES];
    int r = read_tensor(reader, learn_key_of(reader->name, what), "F64", 1, LEARN_TAIL_DOUBLES, 0,
                        numbers);
    if (r < 0)
        return r;
    learn_tail_unpack(tail, numbers);
    return learn_tail_ok(tail) ? 0 : damaged(reader, "tail out of range");
}

static bool parse_pair(const char *text, uint32_t *ret_a, uint32_t *ret_b)
{
    char *end;
    unsigned long a = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != ',' || end[1] < '0' || end[1] > '9')
        return false;
    unsigned long b = strtoul(end + 1, &end, 10);
    *ret_a = a > UINT32_MAX ? 0 : (uint32_t)a; /* 0 is out of every range here */
    *ret_b = b > UINT32_MAX ? 0 : (uint32_t)b;
    return *end == '\0';
}

struct forest_arrays {
    struct learn_forest_node *node;
    float *length, *cut;
    uint32_t *to;
};

static void arrays_finish(struct forest_arrays *arrays)
{
    free(arrays->node);
    free(arrays->length);
    free(arrays->cut);
    free(arrays->to);
}

static int read_arrays(const struct reader *reader, struct learn_forest *facts,
                       struct forest_arrays *a)
{
    uint32_t n = facts->nodes;
    *a = (struct forest_arrays){calloc(n, sizeof(*a->node)), calloc(n, sizeof(float)),
                                calloc(n, sizeof(float)), calloc(n, sizeof(uint32_t))};
    if (a->node == NULL || a->length == NULL || a->cut == NULL || a->to == NULL)
        return atl_error_set(reader->err, -ENOMEM, "%s: out of memory", reader->where);
    int r = read_tensor(reader, learn_key_of(reader->name, "forest_cut"), "F32", 1, n, 0, a->cut);
    if (r == 0)
        r = read_tensor(reader, learn_key_of(reader->name, "forest_to"), "U32", 1, n, 0, a->to);
    if (r == 0)
        r = read_tensor(reader, learn_key_of(reader->name, "forest_length"), "F32", 1, n, 0,
                        a->length);
    if (r == 0)
        r = read_tensor(reader, learn_key_of(reader->name, "forest_root"), "U32", 1, facts->trees,
                        0, facts->root);
    for (uint32_t i = 0; i < n && r == 0; i++)
        a->node[i] = (struct learn_forest_node){a->cut[i], a->to[i]};
    return r;
}

static int read_forest(const struct reader *reader, struct learn_model *model)
{
    const char *text =
        learn_tensors_text(reader->tensors, learn_key_of(reader->name, "forest").text);
    if (text == NULL)
        return 0;
    struct learn_forest facts = {0};
    const struct learn_tensor *cut =
        learn_tensors_find(reader->tensors, learn_key_of(reader->name, "forest_cut").text);
    if (!parse_pair(text, &facts.trees, &facts.sample) || facts.trees < 1 ||
        facts.trees > LEARN_FOREST_TREES_MAX || cut == NULL || cut->rank != 1 || cut->dim[0] < 1 ||
        cut->dim[0] > LEARN_FOREST_NODES_MAX)
        return damaged(reader, "forest out of range");
    facts.nodes = (uint32_t)cut->dim[0];
    struct forest_arrays arrays = {0};
    int r = read_arrays(reader, &facts, &arrays);
    if (r == 0) {
        r = learn_forest_from_arrays(&model->forest, &facts, arrays.node, arrays.length,
                                     model->shape.n_in);
        if (r < 0)
            r = r == -ENOMEM ? atl_error_set(reader->err, r, "%s: out of memory", reader->where)
                             : damaged(reader, "forest leads out of itself");
    }
    arrays_finish(&arrays);
    return r;
}

static int read_calibration(const struct reader *reader, struct learn_model *model)
{
    const char *text =
        learn_tensors_text(reader->tensors, learn_key_of(reader->name, "calibrated").text);
    if (text != NULL && strcmp(text, "no") == 0)
        return 0;
    if (text == NULL || strcmp(text, "yes") != 0)
        return damaged(reader, "calibrated is neither yes nor no");
    int r = read_tail(reader, "tail", &model->tail);
    if (r == 0 && model->forest != NULL)
        r = read_tail(reader, "forest_tail", &model->forest_tail);
    if (r == 0 && model->forest != NULL)
        r = read_tail(reader, "fused_tail", &model->fused_tail);
    if (r == 0)
        r = read_tensor(reader, learn_key_of(reader->name, "error_mean"), "F32", 1,
                        model->shape.n_in, 0, model->error_mean);
    if (r < 0)
        return r;
    for (uint32_t j = 0; j < model->shape.n_in; j++) {
        /* normal numbers only: the reciprocal must be finite too */
        if (!isnormal(model->error_mean[j]) || !(model->error_mean[j] > 0))
            return damaged(reader, "error_mean out of range");
    }
    learn_model_seal(model);
    return 0;
}

static int read_facts(const struct reader *reader, struct learn_model *model)
{
    char hex[65];
    atl_hex(hex, model->hash, sizeof(model->hash));
    const char *text = learn_tensors_text(reader->tensors, learn_key_of(reader->name, "hash").text);
    if (text == NULL || strcmp(text, hex) != 0)
        return damaged(reader, "hash does not match its parameters");
    text = learn_tensors_text(reader->tensors, learn_key_of(reader->name, "origin").text);
    if (text == NULL || !learn_origin_ok(text))
        return damaged(reader, "origin missing or not printable");
    atl_copy(model->origin, sizeof(model->origin), text);
    int r = read_forest(reader, model);
    return r < 0 ? r : read_calibration(reader, model);
}

static int read_model(const struct reader *reader, struct learn_model **ret_model)
{
    struct learn_shape shape;
    int r = read_shape(reader, &shape);
    if (r < 0)
        return r;
    struct learn_layout layout;
    learn_layout_init(&layout, &shape);
    /* tensors of that size are in the file, or there is no point in asking for the memory */
    if (layout.params > reader->tensors->bytes / sizeof(float))
        return damaged(reader, "fewer parameters than its shape asks for");
    float *params = learn_floats(layout.params);
    if (params == NULL)
        return atl_error_set(reader->err, -ENOMEM, "%s: out of memory", reader->where);

    struct learn_model *model = NULL;
    r = read_params(reader, &layout, params);
    if (r == 0) {
        r = learn_model_from_params(&model, &shape, params, reader->err);
        if (r == -EINVAL)
            r = damaged(reader, "a parameter is not a finite number");
    }
    free(params);
    if (r == 0)
        r = read_facts(reader, model);
    if (r < 0) {
        learn_model_destroy(model);
        return r;
    }
    *ret_model = model;
    return 0;
}

static int check_kind(const struct learn_tensors *tensors, const char *where, struct atl_error *err)
{
    const char *format = learn_tensors_text(tensors, "format");
    const char *version = learn_tensors_text(tensors, "version");
    const char *hash = learn_tensors_text(tensors, "data_hash");
    if (format == NULL || version == NULL || strcmp(format, LEARN_FILE_FORMAT) != 0)
        return atl_error_set(err, -EINVAL, "%s: safetensors, but not a model of this program",
                             where);
    if (strcmp(version, LEARN_FILE_VERSION) != 0)
        return atl_error_set(err, -EINVAL, "%s: model file version %.16s, this program reads %s",
                             where, version, LEARN_FILE_VERSION);
    char hex[65];
    learn_file_data_hash(hex, tensors->data, tensors->bytes);
    if (hash == NULL || strcmp(hash, hex) != 0)
        return atl_error_set(err, -EBADMSG, "%s: damaged model file: data_hash does not match",
                             where);
    return 0;
}

/* Cuts the next name off a comma-separated list. @return false when it is no name */
static bool next_name(const char **list, char name[LEARN_NAME_BYTES])
{
    size_t n = strcspn(*list, ",");
    if (n >= LEARN_NAME_BYTES)
        return false;
    memcpy(name, *list, n);
    name[n] = '\0';
    *list += n;
    if (**list == ',')
        (*list)++;
    return learn_file_name_ok(name);
}

static int read_models(const struct learn_tensors *tensors, const char *where,
                       struct learn_named *models, uint32_t *ret_n, struct atl_error *err)
{
    const char *list = learn_tensors_text(tensors, "models");
    uint32_t n = 0;
    while (list != NULL && *list != '\0') {
        struct learn_named *to = &models[n];
        if (n == LEARN_FILE_MODELS_MAX || !next_name(&list, to->name))
            return atl_error_set(err, -EBADMSG, "%s: damaged model file: list of models", where);
        struct reader reader = {tensors, where, to->name, err};
        for (uint32_t k = 0; k < n; k++) {
            if (strcmp(models[k].name, to->name) == 0)
                return damaged(&reader, "listed twice");
        }
        int r = read_model(&reader, &to->model);
        if (r < 0)
            return r;
        n++;
    }
    if (n == 0)
        return atl_error_set(err, -EBADMSG, "%s: damaged model file: no model in it", where);
    *ret_n = n;
    return 0;
}

static int parse(const uint8_t *data, size_t bytes, const char *where,
                 struct learn_named *ret_models, uint32_t *ret_n, struct atl_error *err)
{
    struct learn_tensors *tensors = calloc(1, sizeof(*tensors));
    if (tensors == NULL)
        return atl_error_set(err, -ENOMEM, "%s: out of memory", where);
    int r = learn_tensors_parse(tensors, data, bytes, where, err);
    if (r < 0) {
        free(tensors);
        return r;
    }
    struct learn_named models[LEARN_FILE_MODELS_MAX] = {0};
    r = check_kind(tensors, where, err);
    if (r == 0)
        r = read_models(tensors, where, models, ret_n, err);
    if (r == 0)
        memcpy(ret_models, models, sizeof(models));
    for (uint32_t i = 0; r < 0 && i < LEARN_FILE_MODELS_MAX; i++)
        learn_model_destroy(models[i].model);
    learn_tensors_finish(tensors);
    free(tensors);
    return r;
}

int learn_file_parse(const uint8_t *data, size_t bytes, const char *where,
                     struct learn_named *ret_models, uint32_t *ret_n, struct atl_error *err)
{
    int r = parse(data, bytes, where, ret_models, ret_n, err);
    if (r < 0)
        learn_keep_one_line(err);
    return r;
}

int learn_file_load(const char *path, struct learn_named *ret_models, uint32_t *ret_n,
                    struct atl_error *err)
{
    uint8_t *data;
    size_t bytes;
    int r = atl_file_read(path, LEARN_FILE_MAX, &data, &bytes, err);
    if (r < 0)
        return r;
    r = learn_file_parse(data, bytes, path, ret_models, ret_n, err);
    free(data);
    return r;
}
