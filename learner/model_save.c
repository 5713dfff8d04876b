/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "learner/model_file_priv.h"

static void shape_text(const struct learn_layout *layout, char *out, size_t bytes)
{
    size_t at = 0;
    for (uint32_t l = 0; l <= layout->n_layers && at < bytes; l++)
        at += (size_t)snprintf(out + at, bytes - at, "%s%u", l > 0 ? "," : "", layout->dim[l]);
}

struct writer {
    struct learn_tensors *tensors;
    uint8_t *data; /* room for every tensor */
    size_t used;
    bool failed;
};

/* @return where the tensor's bytes go; unaligned in general */
static uint8_t *add_tensor(struct writer *w, struct learn_key name, const char *dtype, size_t bytes,
                           uint32_t rank, uint64_t rows, uint64_t columns)
{
    struct learn_tensor *tensor = &w->tensors->item[w->tensors->n++];
    *tensor = (struct learn_tensor){.rank = rank, .dim = {rows, columns}, .bytes = bytes};
    atl_copy(tensor->name, sizeof(tensor->name), name.text);
    atl_copy(tensor->dtype, sizeof(tensor->dtype), dtype);
    uint8_t *at = w->data + w->used;
    w->used += bytes;
    return at;
}

static void put_tensor(struct writer *w, struct learn_key name, const char *dtype, const void *data,
                       size_t bytes, uint32_t rank, uint64_t rows, uint64_t columns)
{
    memcpy(add_tensor(w, name, dtype, bytes, rank, rows, columns), data, bytes);
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
        put_tensor(w, learn_key_of_layer(named->name, 'w', l), "F32", m->params + m->layout.w[l],
                   (size_t)in * out * sizeof(float), 2, out, in);
        put_tensor(w, learn_key_of_layer(named->name, 'b', l), "F32", m->params + m->layout.b[l],
                   out * sizeof(float), 1, out, 0);
    }
    if (m->calibrated)
        put_tensor(w, learn_key_of(named->name, "error_mean"), "F32", m->error_mean,
                   m->shape.n_in * sizeof(float), 1, m->shape.n_in, 0);
}

static void put_tail(struct writer *w, const char *name, const char *what,
                     const struct learn_tail *tail)
{
    double numbers[LEARN_TAIL_DOUBLES];
    learn_tail_pack(tail, numbers);
    put_tensor(w, learn_key_of(name, what), "F64", numbers, sizeof(numbers), 1, LEARN_TAIL_DOUBLES,
               0);
}

static void put_tails(struct writer *w, const struct learn_named *named)
{
    const struct learn_model *m = named->model;
    if (!m->calibrated)
        return;
    put_tail(w, named->name, "tail", &m->tail);
    if (m->forest == NULL)
        return;
    put_tail(w, named->name, "forest_tail", &m->forest_tail);
    put_tail(w, named->name, "fused_tail", &m->fused_tail);
}

/* Cuts and ways apart, so that any reader of safetensors can walk it. */
static void put_forest(struct writer *w, const struct learn_named *named)
{
    const struct learn_forest *f = named->model->forest;
    if (f == NULL)
        return;
    size_t bytes = f->nodes * sizeof(float);
    uint8_t *cut =
        add_tensor(w, learn_key_of(named->name, "forest_cut"), "F32", bytes, 1, f->nodes, 0);
    uint8_t *to =
        add_tensor(w, learn_key_of(named->name, "forest_to"), "U32", bytes, 1, f->nodes, 0);
    for (uint32_t i = 0; i < f->nodes; i++) {
        memcpy(cut + i * sizeof(float), &f->node[i].cut, sizeof(float));
        memcpy(to + i * sizeof(float), &f->node[i].to, sizeof(float));
    }
    put_tensor(w, learn_key_of(named->name, "forest_length"), "F32", f->length, bytes, 1, f->nodes,
               0);
    put_tensor(w, learn_key_of(named->name, "forest_root"), "U32", f->root,
               f->trees * sizeof(f->root[0]), 1, f->trees, 0);
}

static void put_facts(struct writer *w, const struct learn_named *named)
{
    const struct learn_model *m = named->model;
    char text[128];
    shape_text(&m->layout, text, sizeof(text));
    put_text(w, learn_key_of(named->name, "shape").text, text);
    atl_hex(text, m->shape.schema, sizeof(m->shape.schema));
    put_text(w, learn_key_of(named->name, "schema").text, text);
    atl_hex(text, m->hash, sizeof(m->hash));
    put_text(w, learn_key_of(named->name, "hash").text, text);
    put_text(w, learn_key_of(named->name, "origin").text, m->origin);
    put_text(w, learn_key_of(named->name, "calibrated").text, m->calibrated ? "yes" : "no");
    if (m->calibrated) { /* for the reader's eye; the tensor holds the number that counts */
        snprintf(text, sizeof(text), "%.17g", learn_judge(m)->boundary);
        put_text(w, learn_key_of(named->name, "boundary").text, text);
    }
    if (m->forest != NULL) {
        snprintf(text, sizeof(text), "%u,%u", m->forest->trees, m->forest->sample);
        put_text(w, learn_key_of(named->name, "forest").text, text);
    }
}

static void put_extra(struct writer *w, const struct learn_extra *extra)
{
    for (uint32_t i = 0; i < extra->n_tensors; i++) {
        const struct learn_extra_tensor *t = &extra->tensor[i];
        struct learn_key key;
        atl_copy(key.text, sizeof(key.text), t->name);
        put_tensor(w, key, t->dtype, t->data, t->bytes, 1, t->items, 0);
    }
    for (uint32_t i = 0; i < extra->n_texts; i++)
        put_text(w, extra->text[i].key, extra->text[i].value);
}

static void put_models(struct writer *w, const struct learn_named *models, uint32_t n)
{
    char list[LEARN_FILE_MODELS_MAX * LEARN_NAME_BYTES] = "";
    size_t at = 0;
    for (uint32_t i = 0; i < n; i++) {
        put_layers(w, &models[i]);
        put_forest(w, &models[i]);
        put_facts(w, &models[i]);
        at += (size_t)snprintf(list + at, sizeof(list) - at, "%s%.31s", i > 0 ? "," : "",
                               models[i].name);
    }
    put_text(w, "format", LEARN_FILE_FORMAT);
    put_text(w, "version", LEARN_FILE_VERSION);
    put_text(w, "models", list);
}

static void put_data_hash(struct writer *w)
{
    char hex[65];
    learn_file_data_hash(hex, w->data, w->used);
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
        if (!learn_file_name_ok(models[i].name))
            return atl_error_set(err, -EINVAL,
                                 "%s: model name must be 1 to %d of a-z, 0-9, _ and -", path,
                                 LEARN_NAME_BYTES - 1);
        for (uint32_t k = 0; k < i; k++) {
            if (strcmp(models[i].name, models[k].name) == 0)
                return atl_error_set(err, -EINVAL, "%s: two models named %s", path, models[i].name);
        }
        bytes += (models[i].model->layout.params + LEARN_INPUTS_MAX) * sizeof(float) +
                 3 * LEARN_TAIL_DOUBLES * sizeof(double);
        const struct learn_forest *f = models[i].model->forest;
        if (f != NULL)
            bytes += 3 * sizeof(float) * f->nodes + sizeof(f->root);
    }
    /* half of what a reader takes leaves room for any header */
    if (bytes > LEARN_FILE_MAX / 2)
        return atl_error_set(err, -EINVAL, "%s: %zu bytes of models, at most %lu expected", path,
                             bytes, LEARN_FILE_MAX / 2);
    *ret_bytes = bytes;
    return 0;
}

int learn_file_save(const char *path, const struct learn_named *models, uint32_t n,
                    struct atl_error *err)
{
    static const struct learn_extra nothing = {0};
    return learn_file_save_with(path, models, n, &nothing, err);
}

int learn_file_save_with(const char *path, const struct learn_named *models, uint32_t n,
                         const struct learn_extra *extra, struct atl_error *err)
{
    size_t bytes = 0;
    int r = check_models(path, models, n, &bytes, err);
    if (r < 0)
        return r;
    for (uint32_t i = 0; i < extra->n_tensors; i++)
        bytes += extra->tensor[i].bytes;
    struct writer w = {.tensors = calloc(1, sizeof(*w.tensors)), .data = malloc(bytes)};
    if (w.tensors == NULL || w.data == NULL) {
        r = atl_error_set(err, -ENOMEM, "%s: out of memory", path);
    } else {
        w.tensors->metadata = json_object();
        for (uint32_t i = 0; i < n; i++) /* 8-byte numbers first keeps every tensor aligned */
            put_tails(&w, &models[i]);
        put_extra(&w, extra);
        put_models(&w, models, n);
        put_data_hash(&w);
        r = write_file(path, &w, err);
        learn_tensors_finish(w.tensors);
    }
    free(w.data);
    free(w.tensors);
    return r;
}
