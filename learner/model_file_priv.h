/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Models as safetensors. For a model "flow": tensors flow.w0 (out, in), flow.b0 (out), … and, once
 * calibrated, flow.error_mean (I) and flow.tail (F64: risk, boundary, threshold, share, scale,
 * shape, then the body's quantiles); metadata flow.shape, flow.schema, flow.hash, flow.origin,
 * flow.calibrated. One hash over all data finds a flipped bit anywhere.
 */
#ifndef LEARN_MODEL_FILE_PRIV_H
#define LEARN_MODEL_FILE_PRIV_H

#include "learner/model_priv.h"
#include "learner/safetensors_priv.h"

#define LEARN_FILE_MAX     (256UL << 20)
#define LEARN_FILE_FORMAT  "atalaya-model"
#define LEARN_FILE_VERSION "1"
#define LEARN_TAIL_NUMBERS 6
#define LEARN_TAIL_DOUBLES (LEARN_TAIL_NUMBERS + LEARN_TAIL_POINTS)

/** The name of one model's tensor or metadata. Model names are short, so it always fits. */
struct learn_key {
    char text[LEARN_TENSOR_NAME_BYTES];
};

struct learn_key learn_key_of(const char *name, const char *what);            /* flow.tail */
struct learn_key learn_key_of_layer(const char *name, char kind, uint32_t l); /* flow.w0 */

/** 1 to 31 of a-z, 0-9, _ and - */
bool learn_file_name_ok(const char *name);
/** Hexadecimal BLAKE2b-256 of all tensors as they lie in the file. */
void learn_file_data_hash(char hex[65], const uint8_t *data, size_t bytes);

#endif
