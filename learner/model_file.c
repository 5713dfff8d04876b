/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Models as safetensors. For a model "flow": tensors flow.w0 (out, in), flow.b0 (out), … and, once
 * calibrated, flow.error_mean (I) and flow.tail (F64: risk, boundary, threshold, share, scale,
 * shape, then the body's quantiles); metadata flow.shape, flow.schema, flow.hash, flow.origin,
 * flow.calibrated. One hash over all data finds a flipped bit anywhere.
 */
#include <errno.h>
#include <math.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "learner/model_priv.h"
#include "learner/safetensors_priv.h"

#define FILE_MAX     (256UL << 20)
#define FORMAT       "atalaya-model"
#define VERSION      "1"
#define TAIL_NUMBERS 6
#define TAIL_DOUBLES (TAIL_NUMBERS + LEARN_TAIL_POINTS)

static bool name_ok(const char *name)
{
    size_t n = strnlen(name, LEARN_NAME_BYTES);
    return n > 0 && n < LEARN_NAME_BYTES &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == n;
}

/* The key of one model's tensor or metadata: names are short, so it always fits. */
struct key {
    char text[LEARN_TENSOR_NAME_BYTES];
};

static struct key key_of(const char *name, const char *what)
{
    struct key key;
    snprintf(key.text, sizeof(key.text), "%.31s.%s", name, what);
    return key;
}

static struct key layer_key(const char *name, char kind, uint32_t l)
{
    struct key key;
    snprintf(key.text, sizeof(key.text), "%.31s.%c%u", name, kind, l);
    return key;
}

static void tail_pack(const struct learn_tail *tail, double out[TAIL_DOUBLES])
{
    const double head[TAIL_NUMBERS] = {tail->risk,  tail->boundary, tail->threshold,
                                       tail->share, tail->scale,    tail->shape};
    memcpy(out, head, sizeof(head));
    memcpy(out + TAIL_NUMBERS, tail->body, sizeof(tail->body));
}

static void tail_unpack(struct learn_tail *tail, const double in[TAIL_DOUBLES])
{
    *tail = (struct learn_tail){.risk = in[0],
                                .boundary = in[1],
                                .threshold = in[2],
                                .share = in[3],
                                .scale = in[4],
                                .shape = in[5]};
    memcpy(tail->body, in + TAIL_NUMBERS, sizeof(tail->body));
}

static void shape_text(const struct learn_layout *layout, char *out, size_t bytes)
{
    size_t at = 0;
    for (uint32_t l = 0; l <= layout->n_layers && at < bytes; l++)
        at += (size_t)snprintf(out + at, bytes - at, "%s%u", l > 0 ? "," : "", layout->dim[l]);
}

/* --- saving --- */

struct writer {
    struct learn_tensors *tensors;
    uint8_t *data; /* room for every tensor */
    size_t used;
    bool failed;
};

static void put_tensor(struct writer *w, struct key name, const char *dtype, const void *data,
                       size_t bytes, uint32_t rank, uint64_t rows, uint64_t columns)
{
    struct learn_tensor *tensor = &w->tensors->item[w->tensors->n++];
    *tensor = (struct learn_tensor){.rank = rank, .dim = {rows, columns}, .bytes = bytes};
    atl_copy(tensor->name, sizeof(tensor->name), name.text);
    atl_copy(tensor->dtype, sizeof(tensor->dtype), dtype);
    memcpy(w->data + w->used, data, bytes);
    w->used += bytes;
}

static void put_text(struct writer *w, const char *key, const char *text)
{
    if (json_object_set_new(w->tensors->metadata, key, json_string(text)) != 0)
        w->failed = true;
}

static void put_layers(struct writer *w, const struct learn_named *named)
{
    const struct learn_model *m = named->model;
    for (uint32_t l = 0; l < m->layout.n_layers; l++) {
        uint32_t in = m->layout.dim[l], out = m->layout.dim[l + 1];
        put_tensor(w, layer_key(named->name, 'w', l), "F32", m->params + m->layout.w[l],
                   (size_t)in * out * sizeof(float), 2, out, in);
        put_tensor(w, layer_key(named->name, 'b', l), "F32", m->params + m->layout.b[l],
                   out * sizeof(float), 1, out, 0);
    }
    if (m->calibrated)
        put_tensor(w, key_of(named->name, "error_mean"), "F32", m->error_mean,
                   m->shape.n_in * sizeof(float), 1, m->shape.n_in, 0);
}

static void put_tail(struct writer *w, const struct learn_named *named)
{
    double tail[TAIL_DOUBLES];
    if (!named->model->calibrated)
        return;
    tail_pack(&named->model->tail, tail);
    put_tensor(w, key_of(named->name, "tail"), "F64", tail, sizeof(tail), 1, TAIL_DOUBLES, 0);
}

static void put_facts(struct writer *w, const struct learn_named *named)
{
    const struct learn_model *m = named->model;
    char text[128];
    shape_text(&m->layout, text, sizeof(text));
    put_text(w, key_of(named->name, "shape").text, text);
    atl_hex(text, m->shape.schema, sizeof(m->shape.schema));
    put_text(w, key_of(named->name, "schema").text, text);
    atl_hex(text, m->hash, sizeof(m->hash));
    put_text(w, key_of(named->name, "hash").text, text);
    put_text(w, key_of(named->name, "origin").text, m->origin);
    put_text(w, key_of(named->name, "calibrated").text, m->calibrated ? "yes" : "no");
    if (m->calibrated) { /* for the reader's eye; the tensor holds the number that counts */
        snprintf(text, sizeof(text), "%.17g", m->tail.boundary);
        put_text(w, key_of(named->name, "boundary").text, text);
    }
}

static void data_hash(char hex[65], const uint8_t *data, size_t bytes)
{
    uint8_t hash[32];
    crypto_generichash(hash, sizeof(hash), data, bytes, NULL, 0);
    atl_hex(hex, hash, sizeof(hash));
}

static void put_models(struct writer *w, const struct learn_named *models, uint32_t n)
{
    char list[LEARN_FILE_MODELS_MAX * LEARN_NAME_BYTES] = "", hex[65];
    size_t at = 0;
    for (uint32_t i = 0; i < n; i++) /* 8-byte numbers first keeps every tensor aligned */
        put_tail(w, &models[i]);
    for (uint32_t i = 0; i < n; i++) {
        put_layers(w, &models[i]);
        put_facts(w, &models[i]);
        at += (size_t)snprintf(list + at, sizeof(list) - at, "%s%.31s", i > 0 ? "," : "",
                               models[i].name);
    }
    put_text(w, "format", FORMAT);
    put_text(w, "version", VERSION);
    put_text(w, "models", list);
    data_hash(hex, w->data, w->used);
    put_text(w, "data_hash", hex);
}

static int write_file(const char *path, const struct writer *w, struct atl_error *err)
{
    uint8_t *header;
    size_t header_bytes;
    if (w->failed || learn_tensors_header(w->tensors, &header, &header_bytes) < 0)
        return atl_error_set(err, -ENOMEM, "%s: out of memory", path);
    uint8_t *file = malloc(header_bytes + w->used);
    int r = -ENOMEM;
    if (file != NULL) {
        memcpy(file, header, header_bytes);
        memcpy(file + header_bytes, w->data, w->used);
        r = atl_file_write(path, file, header_bytes + w->used, 0644, err);
    } else {
        atl_error_set(err, r, "%s: out of memory", path);
    }
    free(file);
    free(header);
    return r;
}

static int check_models(const char *path, const struct learn_named *models, uint32_t n,
                        size_t *ret_bytes, struct atl_error *err)
{
    size_t bytes = 0;
    if (n < 1 || n > LEARN_FILE_MODELS_MAX)
        return atl_error_set(err, -EINVAL, "%s: %u models, expected 1 to %d", path, n,
                             LEARN_FILE_MODELS_MAX);
    for (uint32_t i = 0; i < n; i++) {
        if (!name_ok(models[i].name))
            return atl_error_set(err, -EINVAL,
                                 "%s: model name must be 1 to %d of a-z, 0-9, _ and -", path,
                                 LEARN_NAME_BYTES - 1);
        for (uint32_t k = 0; k < i; k++) {
            if (strcmp(models[i].name, models[k].name) == 0)
                return atl_error_set(err, -EINVAL, "%s: two models named %s", path, models[i].name);
        }
        bytes += (models[i].model->layout.params + LEARN_INPUTS_MAX) * sizeof(float) +
                 TAIL_DOUBLES * sizeof(double);
    }
    /* half of what a reader takes leaves room for any header */
    if (bytes > FILE_MAX / 2)
        return atl_error_set(err, -EINVAL, "%s: %zu bytes of models, at most %lu expected", path,
                             bytes, FILE_MAX / 2);
    *ret_bytes = bytes;
    return 0;
}

int learn_file_save(const char *path, const struct learn_named *models, uint32_t n,
                    struct atl_error *err)
{
    size_t bytes = 0;
    int r = check_models(path, models, n, &bytes, err);
    if (r < 0)
        return r;
    struct writer w = {.tensors = calloc(1, sizeof(*w.tensors)), .data = malloc(bytes)};
    if (w.tensors == NULL || w.data == NULL) {
        r = atl_error_set(err, -ENOMEM, "%s: out of memory", path);
    } else {
        w.tensors->metadata = json_object();
        put_models(&w, models, n);
        r = write_file(path, &w, err);
        learn_tensors_finish(w.tensors);
    }
    free(w.data);
    free(w.tensors);
    return r;
}

/* --- loading --- */

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
    const char *text = learn_tensors_text(reader->tensors, key_of(reader->name, "shape").text);
    if (text == NULL || !parse_shape(text, shape) || learn_shape_check(shape, NULL) < 0)
        return damaged(reader, "shape missing or out of range");

    size_t bytes;
    text = learn_tensors_text(reader->tensors, key_of(reader->name, "schema").text);
    if (text == NULL ||
        sodium_hex2bin(shape->schema, sizeof(shape->schema), text, strlen(text), NULL, &bytes,
                       NULL) != 0 ||
        bytes != sizeof(shape->schema))
        return damaged(reader, "schema missing or not 64 hexadecimal digits");
    return 0;
}

static int read_tensor(const struct reader *reader, struct key key, const char *dtype,
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
        int r = read_tensor(reader, layer_key(reader->name, 'w', l), "F32", 2, out, in,
                            params + layout->w[l]);
        if (r == 0)
            r = read_tensor(reader, layer_key(reader->name, 'b', l), "F32", 1, out, 0,
                            params + layout->b[l]);
        if (r < 0)
            return r;
    }
    return 0;
}

static int read_calibration(const struct reader *reader, struct learn_model *model)
{
    const char *text = learn_tensors_text(reader->tensors, key_of(reader->name, "calibrated").text);
    if (text != NULL && strcmp(text, "no") == 0)
        return 0;
    if (text == NULL || strcmp(text, "yes") != 0)
        return damaged(reader, "calibrated is neither yes nor no");
    double tail[TAIL_DOUBLES];
    int r = read_tensor(reader, key_of(reader->name, "tail"), "F64", 1, TAIL_DOUBLES, 0, tail);
    if (r == 0)
        r = read_tensor(reader, key_of(reader->name, "error_mean"), "F32", 1, model->shape.n_in, 0,
                        model->error_mean);
    if (r < 0)
        return r;
    tail_unpack(&model->tail, tail);
    if (!learn_tail_ok(&model->tail))
        return damaged(reader, "tail out of range");
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
    const char *text = learn_tensors_text(reader->tensors, key_of(reader->name, "hash").text);
    if (text == NULL || strcmp(text, hex) != 0)
        return damaged(reader, "hash does not match its parameters");
    text = learn_tensors_text(reader->tensors, key_of(reader->name, "origin").text);
    if (text == NULL || !learn_origin_ok(text))
        return damaged(reader, "origin missing or not printable");
    atl_copy(model->origin, sizeof(model->origin), text);
    return read_calibration(reader, model);
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
    if (format == NULL || version == NULL || strcmp(format, FORMAT) != 0)
        return atl_error_set(err, -EINVAL, "%s: safetensors, but not a model of this program",
                             where);
    if (strcmp(version, VERSION) != 0)
        return atl_error_set(err, -EINVAL, "%s: model file version %.16s, this program reads %s",
                             where, version, VERSION);
    char hex[65];
    data_hash(hex, tensors->data, tensors->bytes);
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
    return name_ok(name);
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

/* Names quoted from a hostile file must not break the line or the terminal. */
static void keep_one_line(struct atl_error *err)
{
    for (char *c = err->text; *c != '\0'; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    }
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
    if (r < 0 && err != NULL)
        keep_one_line(err);
    return r;
}

int learn_file_load(const char *path, struct learn_named *ret_models, uint32_t *ret_n,
                    struct atl_error *err)
{
    uint8_t *data;
    size_t bytes;
    int r = atl_file_read(path, FILE_MAX, &data, &bytes, err);
    if (r < 0)
        return r;
    r = learn_file_parse(data, bytes, path, ret_models, ret_n, err);
    free(data);
    return r;
}
