/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The safetensors container: 8-byte little-endian header length, JSON header
 * {"__metadata__": {string: string}, name: {"dtype", "shape", "data_offsets"}}, raw data.
 */
#ifndef LEARN_SAFETENSORS_PRIV_H
#define LEARN_SAFETENSORS_PRIV_H

#include <jansson.h>

#include "base/base.h"

#define LEARN_TENSORS_MAX       256
#define LEARN_TENSOR_RANK_MAX   8
#define LEARN_TENSOR_NAME_BYTES 64

struct learn_tensor {
    char name[LEARN_TENSOR_NAME_BYTES];
    char dtype[8];
    uint32_t rank;
    uint64_t dim[LEARN_TENSOR_RANK_MAX];
    const uint8_t *data; /* borrowed, at any alignment */
    size_t bytes;
};

struct learn_tensors {
    struct learn_tensor item[LEARN_TENSORS_MAX];
    uint32_t n;
    json_t *metadata;    /* object of strings, owned */
    const uint8_t *data; /* all tensors, in one piece */
    size_t bytes;
};

/**
 * Check everything and point into `data`. Tensors must fill the data without gap or overlap.
 * @param ret_tensors  of no meaning on failure; after 0, learn_tensors_finish when done
 * @return 0, -EINVAL (not such a file), -EBADMSG (damaged), -ENOMEM
 */
int learn_tensors_parse(struct learn_tensors *ret_tensors, const uint8_t *data, size_t bytes,
                        const char *where, struct atl_error *err);
void learn_tensors_finish(struct learn_tensors *tensors); /* zeroed is fine */

const struct learn_tensor *learn_tensors_find(const struct learn_tensors *tensors,
                                              const char *name);
/** A metadata value, or NULL. */
const char *learn_tensors_text(const struct learn_tensors *tensors, const char *key);

/**
 * Header with the metadata and the tensors in their order; the data itself follows it in the file.
 * @param ret_header  malloc'ed: length, JSON, blanks up to a multiple of 8
 */
int learn_tensors_header(const struct learn_tensors *tensors, uint8_t **ret_header,
                         size_t *ret_bytes);

#endif
