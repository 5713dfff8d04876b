/* SPDX-License-Identifier: Apache-2.0 */
#include "learner/safetensors_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_MAX (1U << 20)
#define LENGTH     8

static const struct {
    char name[8];
    uint32_t bytes;
} dtypes[] = {
    {"F32", 4},     {"F64", 8}, {"BOOL", 1}, {"U8", 1},   {"I8", 1},
    {"I16", 2},     {"U16", 2}, {"F16", 2},  {"BF16", 2}, {"F8_E4M3", 1},
    {"F8_E5M2", 1}, {"I32", 4}, {"U32", 4},  {"I64", 8},  {"U64", 8},
};

struct reader {
    const char *where;
    struct atl_error *err;
};

static int damaged(const struct reader *reader, const char *tensor, const char *what)
{
    return atl_error_set(reader->err, -EBADMSG, "%s: damaged model file: tensor %.64s: %s",
                         reader->where, tensor, what);
}

static uint64_t little_endian(const uint8_t *b)
{
    uint64_t v = 0;
    for (int i = 0; i < LENGTH; i++)
        v |= (uint64_t)b[i] << (8 * i);
    return v;
}

static uint32_t dtype_bytes(const char *name)
{
    for (size_t i = 0; i < ATL_ARRAY_LEN(dtypes); i++) {
        if (strcmp(name, dtypes[i].name) == 0)
            return dtypes[i].bytes;
    }
    return 0;
}

static bool get_size(const json_t *value, uint64_t *ret_size)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return false;
    *ret_size = (uint64_t)json_integer_value(value);
    return true;
}

/* @return bytes the shape asks for, or UINT64_MAX when it is no shape within `limit` bytes */
static uint64_t parse_shape(struct learn_tensor *tensor, const json_t *shape, uint64_t limit)
{
    uint64_t bytes = dtype_bytes(tensor->dtype);
    if (!json_is_array(shape) || json_array_size(shape) > LEARN_TENSOR_RANK_MAX)
        return UINT64_MAX;
    tensor->rank = (uint32_t)json_array_size(shape);
    for (uint32_t d = 0; d < tensor->rank; d++) {
        if (!get_size(json_array_get(shape, d), &tensor->dim[d]))
            return UINT64_MAX;
        if (tensor->dim[d] != 0 && bytes > limit / tensor->dim[d])
            return UINT64_MAX;
        bytes *= tensor->dim[d];
    }
    return bytes;
}

static int parse_tensor(const struct reader *reader, const struct learn_tensors *tensors,
                        struct learn_tensor *tensor, const char *name, const json_t *entry)
{
    if (!atl_copy(tensor->name, sizeof(tensor->name), name))
        return damaged(reader, name, "name too long, at most 63 bytes expected");
    const char *dtype = json_string_value(json_object_get(entry, "dtype"));
    if (dtype == NULL || dtype_bytes(dtype) == 0)
        return damaged(reader, name, "dtype missing or unknown");
    atl_copy(tensor->dtype, sizeof(tensor->dtype), dtype);

    uint64_t begin, end;
    const json_t *offsets = json_object_get(entry, "data_offsets");
    if (json_array_size(offsets) != 2 || !get_size(json_array_get(offsets, 0), &begin) ||
        !get_size(json_array_get(offsets, 1), &end) || begin > end || end > tensors->bytes)
        return damaged(reader, name, "data_offsets outside the file");
    if (parse_shape(tensor, json_object_get(entry, "shape"), tensors->bytes) != end - begin)
        return damaged(reader, name, "shape does not match data_offsets");
    tensor->data = tensors->data + begin;
    tensor->bytes = end - begin;
    return 0;
}

static int by_place(const void *a, const void *b)
{
    const struct learn_tensor *x = a, *y = b;
    if (x->data != y->data)
        return x->data < y->data ? -1 : 1;
    return (x->bytes > y->bytes) - (x->bytes < y->bytes); /* empty ones before their neighbour */
}

static int check_cover(const struct reader *reader, struct learn_tensors *tensors)
{
    qsort(tensors->item, tensors->n, sizeof(tensors->item[0]), by_place);
    const uint8_t *at = tensors->data;
    for (uint32_t i = 0; i < tensors->n; i++) {
        if (tensors->item[i].data != at)
            return damaged(reader, tensors->item[i].name, "overlaps another or leaves a gap");
        at += tensors->item[i].bytes;
    }
    if (at != tensors->data + tensors->bytes)
        return atl_error_set(reader->err, -EBADMSG,
                             "%s: damaged model file: %zu bytes behind the last tensor",
                             reader->where, (size_t)(tensors->data + tensors->bytes - at));
    return 0;
}

static int parse_metadata(const struct reader *reader, struct learn_tensors *tensors,
                          json_t *metadata)
{
    const char *key;
    json_t *value;
    if (!json_is_object(metadata))
        return damaged(reader, "__metadata__", "not a map");
    json_object_foreach(metadata, key, value)
    {
        if (!json_is_string(value))
            return damaged(reader, "__metadata__", "a value is not a text");
    }
    tensors->metadata = json_incref(metadata);
    return 0;
}

static int parse_root(const struct reader *reader, struct learn_tensors *tensors, json_t *root)
{
    const char *name;
    json_t *entry;
    json_object_foreach(root, name, entry)
    {
        int r;
        if (strcmp(name, "__metadata__") == 0)
            r = parse_metadata(reader, tensors, entry);
        else if (tensors->n == LEARN_TENSORS_MAX)
            r = damaged(reader, name, "one too many, at most 256 expected");
        else
            r = parse_tensor(reader, tensors, &tensors->item[tensors->n++], name, entry);
        if (r < 0)
            return r;
    }
    return check_cover(reader, tensors);
}

int learn_tensors_parse(struct learn_tensors *ret_tensors, const uint8_t *data, size_t bytes,
                        const char *where, struct atl_error *err)
{
    if (bytes < LENGTH + 2)
        return atl_error_set(err, -EBADMSG, "%s: damaged model file: only %zu bytes", where, bytes);
    uint64_t header = little_endian(data);
    if (header > HEADER_MAX || data[LENGTH] != '{')
        return atl_error_set(err, -EINVAL, "%s: not a model file (safetensors expected)", where);
    if (header > bytes - LENGTH)
        return atl_error_set(err, -EBADMSG, "%s: damaged model file: cut off inside its header",
                             where);

    json_error_t at;
    json_t *root =
        json_loadb((const char *)data + LENGTH, (size_t)header, JSON_REJECT_DUPLICATES, &at);
    if (!json_is_object(root)) {
        json_decref(root);
        return atl_error_set(err, -EBADMSG, "%s: damaged model file: header at byte %d: %s", where,
                             at.position, at.text);
    }
    struct learn_tensors *tensors = ret_tensors;
    *tensors = (struct learn_tensors){
        .data = data + LENGTH + header,
        .bytes = bytes - LENGTH - (size_t)header,
    };
    int r = parse_root(&(struct reader){where, err}, tensors, root);
    json_decref(root);
    if (r < 0)
        learn_tensors_finish(tensors);
    return r;
}

void learn_tensors_finish(struct learn_tensors *tensors)
{
    json_decref(tensors->metadata);
    tensors->metadata = NULL;
    tensors->n = 0;
}

const struct learn_tensor *learn_tensors_find(const struct learn_tensors *tensors, const char *name)
{
    for (uint32_t i = 0; i < tensors->n; i++) {
        if (strcmp(tensors->item[i].name, name) == 0)
            return &tensors->item[i];
    }
    return NULL;
}

const char *learn_tensors_text(const struct learn_tensors *tensors, const char *key)
{
    return json_string_value(json_object_get(tensors->metadata, key));
}

static json_t *describe(const struct learn_tensors *tensors)
{
    json_t *root = json_object();
    uint64_t at = 0;
    int r = json_object_set(root, "__metadata__", tensors->metadata);
    for (uint32_t i = 0; i < tensors->n && r == 0; i++) {
        const struct learn_tensor *tensor = &tensors->item[i];
        json_t *shape = json_array();
        for (uint32_t d = 0; d < tensor->rank; d++)
            r |= json_array_append_new(shape, json_integer((json_int_t)tensor->dim[d]));
        json_t *entry = json_pack("{s:s, s:o, s:[I, I]}", "dtype", tensor->dtype, "shape", shape,
                                  "data_offsets", (json_int_t)at, (json_int_t)(at + tensor->bytes));
        r |= json_object_set_new(root, tensor->name, entry);
        at += tensor->bytes;
    }
    if (r == 0)
        return root;
    json_decref(root);
    return NULL;
}

int learn_tensors_header(const struct learn_tensors *tensors, uint8_t **ret_header,
                         size_t *ret_bytes)
{
    json_t *root = describe(tensors);
    if (root == NULL)
        return -ENOMEM;
    char *text = json_dumps(root, JSON_COMPACT);
    json_decref(root);
    if (text == NULL)
        return -ENOMEM;
    size_t used = strlen(text), padded = (used + 7) & ~(size_t)7;
    uint8_t *header = padded <= HEADER_MAX ? malloc(LENGTH + padded) : NULL;
    if (header != NULL) {
        for (int i = 0; i < LENGTH; i++)
            header[i] = (uint8_t)((uint64_t)padded >> (8 * i));
        memcpy(header + LENGTH, text, used);
        memset(header + LENGTH + used, ' ', padded - used);
        *ret_header = header;
        *ret_bytes = LENGTH + padded;
    }
    free(text);
    return header != NULL ? 0 : -ENOMEM;
}
