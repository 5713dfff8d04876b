/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Models as safetensors. For a model "flow": tensors flow.w0 (out, in), flow.b0 (out), … and, once
 * calibrated, flow.error_mean (I) and flow.tail (F64: risk, boundary, threshold, share, scale,
 * shape, then the body's quantiles); with a forest flow.forest_tail and flow.fused_tail too, and
 * flow.forest_cut F32, flow.forest_to U32 (child << 9 | column), flow.forest_length F32 (nodes),
 * flow.forest_root U32 (trees), metadata flow.forest "trees,sample"; metadata flow.shape,
 * flow.schema, flow.hash, flow.origin, flow.calibrated. One hash over all data finds a flipped bit
 * anywhere.
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

void learn_tail_pack(const struct learn_tail *tail, double out[LEARN_TAIL_DOUBLES]);
void learn_tail_unpack(struct learn_tail *tail, const double in[LEARN_TAIL_DOUBLES]);

/** Names quoted from a hostile file must not break the line or the terminal. NULL is fine. */
void learn_keep_one_line(struct atl_error *err);

#define LEARN_EXTRA_MAX 8

/** What a file may hold beside models: F64 tensors before F32 ones keep all of them aligned. */
struct learn_extra {
    struct learn_extra_tensor {
        const char *name, *dtype;
        const void *data;
        size_t bytes, items;
    } tensor[LEARN_EXTRA_MAX];
    struct learn_extra_text {
        const char *key, *value;
    } text[LEARN_EXTRA_MAX];
    uint32_t n_tensors, n_texts;
};

int learn_file_save_with(const char *path, const struct learn_named *models, uint32_t n,
                         const struct learn_extra *extra, struct atl_error *err);

#endif
