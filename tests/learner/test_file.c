/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "learner/model_priv.h"
#include "tests/learner/table.h"

static char dir[] = "/tmp/atalaya-model-XXXXXX";
static char path[64];
static struct learn_named saved[2];
static uint8_t *file;
static size_t file_bytes;

static int set_up(void **state)
{
    (void)state;
    struct learn_shape shape, tiny = {.n_in = 3, .n_widths = 1, .widths = {2}};
    struct learn_model *start;
    if (mkdtemp(dir) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/model", dir);
    table_shape(&shape);
    shape.widths[0] = shape.widths[2] = 6;
    float *rows = table_normal(400, 41);
    if (learn_model_create(&start, &shape, 1) < 0 ||
        learn_model_calibrate(&saved[0].model, start, rows, 400, 1e-4, "round 7", NULL) < 0 ||
        learn_model_create(&saved[1].model, &tiny, 2) < 0)
        return -1;
    atl_copy(saved[0].name, sizeof(saved[0].name), "flow");
    atl_copy(saved[1].name, sizeof(saved[1].name), "host-2");
    learn_model_destroy(start);
    free(rows);
    return learn_file_save(path, saved, 2, NULL) < 0
               ? -1
               : atl_file_read(path, 1 << 20, &file, &file_bytes, NULL);
}

static int tear_down(void **state)
{
    (void)state;
    char command[64];
    free(file);
    learn_model_destroy(saved[0].model);
    learn_model_destroy(saved[1].model);
    snprintf(command, sizeof(command), "rm -r %s", dir);
    return system(command);
}

static void destroy_all(struct learn_named *models, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        learn_model_destroy(models[i].model);
}

static void same_but_origin(const struct learn_model *a, const struct learn_model *b)
{
    assert_memory_equal(&a->shape, &b->shape, sizeof(a->shape));
    assert_memory_equal(a->params, b->params, a->layout.params * sizeof(float));
    assert_memory_equal(a->hash, b->hash, sizeof(a->hash));
    assert_int_equal(a->calibrated, b->calibrated);
    assert_memory_equal(&a->tail, &b->tail, sizeof(a->tail));
    assert_memory_equal(a->error_mean, b->error_mean, a->shape.n_in * sizeof(float));
    assert_memory_equal(a->error_scale, b->error_scale, a->shape.n_in * sizeof(float));
}

static void round_trip_is_bit_exact(void **state)
{
    (void)state;
    struct learn_named loaded[LEARN_FILE_MODELS_MAX];
    struct atl_error err;
    uint32_t n = 0;
    assert_int_equal(learn_file_load(path, loaded, &n, &err), 0);
    assert_int_equal(n, 2);
    for (uint32_t i = 0; i < n; i++) {
        assert_string_equal(loaded[i].name, saved[i].name);
        same_but_origin(loaded[i].model, saved[i].model);
        assert_string_equal(loaded[i].model->origin, saved[i].model->origin);
    }
    destroy_all(loaded, n);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0644);
    assert_int_equal(learn_file_load("/nowhere/x", loaded, &n, &err), -ENOENT);
}

static void opens_in_python(void **state)
{
    (void)state;
    if (system("python3 -c '' 2>/dev/null") != 0) {
        print_message("# skipped: no python3\n");
        skip();
    }
    char command[512], out[80];
    snprintf(out, sizeof(out), "%s/params", dir);
    for (int i = 0; i < 2; i++) {
        snprintf(command, sizeof(command), "python3 '%s' %s %s %s >/dev/null",
                 getenv("LEARN_READER"), path, saved[i].name, out);
        assert_int_equal(system(command), 0);
        uint8_t *params;
        size_t bytes;
        assert_int_equal(atl_file_read(out, 1 << 20, &params, &bytes, NULL), 0);
        assert_int_equal(bytes, saved[i].model->layout.params * sizeof(float));
        assert_memory_equal(params, saved[i].model->params, bytes);
        free(params);
    }
}

/* Hands the parser a block of exactly that size, so that a sanitizer sees one byte too far. What it
 * accepts must be what was saved, but for words that only people read. */
static int parse(const uint8_t *data, size_t bytes, struct atl_error *err)
{
    struct learn_named loaded[LEARN_FILE_MODELS_MAX];
    uint32_t n = 0;
    uint8_t *copy = malloc(bytes > 0 ? bytes : 1);
    memcpy(copy, data, bytes);
    err->text[0] = '\0';
    int r = learn_file_parse(copy, bytes, "mem", loaded, &n, err);
    if (r == 0) {
        assert_int_equal(n, 2);
        for (uint32_t i = 0; i < n; i++)
            same_but_origin(loaded[i].model, saved[i].model);
        destroy_all(loaded, n);
    } else {
        assert_true(strncmp(err->text, "mem: ", 5) == 0 && strchr(err->text, '\n') == NULL);
    }
    free(copy);
    return r;
}

static void every_truncation_is_damage(void **state)
{
    (void)state;
    struct atl_error err;
    for (size_t bytes = 0; bytes < file_bytes; bytes++)
        assert_int_equal(parse(file, bytes, &err), -EBADMSG);
    assert_int_equal(parse(file, file_bytes, &err), 0);
}

static void every_flip_is_found_or_harmless(void **state)
{
    (void)state;
    struct atl_error err;
    size_t header = 8 + (size_t)file[0] + ((size_t)file[1] << 8);
    uint32_t accepted = 0;
    uint8_t *copy = malloc(file_bytes);
    memcpy(copy, file, file_bytes);
    for (size_t at = 0; at < file_bytes; at++) {
        /* each bit of the header; of the data, where the hash decides, one bit a byte */
        for (int bit = 0; bit < (at < header ? 8 : 1); bit++) {
            copy[at] ^= (uint8_t)(1U << bit);
            int r = parse(copy, file_bytes, &err);
            assert_true(r == -EBADMSG || (at < header && (r == -EINVAL || r == 0)));
            accepted += r == 0;
            copy[at] = file[at];
        }
    }
    /* what passes: blanks, letters of an origin, the boundary's text, keys nobody asks for */
    assert_in_range(accepted, 1, header * 8 / 10);
    free(copy);
}

/* A file with a header of our own making before that many zeros. */
static int parse_header(const char *json, size_t bytes, struct atl_error *err)
{
    size_t n = strlen(json);
    uint8_t *data = calloc(1, 8 + n + bytes);
    data[0] = (uint8_t)n;
    data[1] = (uint8_t)(n >> 8);
    memcpy(data + 8, json, n);
    int r = parse(data, 8 + n + bytes, err);
    free(data);
    return r;
}

static void headers_that_lie(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        size_t bytes;
        int want;
        const char *says;
    } cases[] = {
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
         "\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}",
         12, -EBADMSG, "overlaps"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}", 12, -EBADMSG, "gap"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 12, -EBADMSG,
         "behind the last"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,16]}}", 8, -EBADMSG,
         "outside"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", 8, -EBADMSG,
         "outside"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}", 8, -EBADMSG, "shape"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", 8, -EBADMSG, "shape"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,0]}}", 0,
         -EBADMSG, "shape"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]}}", 4,
         -EBADMSG, "shape"},
        {"{\"a\":{\"dtype\":\"F99\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, -EBADMSG, "dtype"},
        {"{\"a\":{},\"a\":{}}", 0, -EBADMSG, "duplicate"},
        {"{\"a\\n\\u001b[2J\":7}", 0, -EBADMSG, "tensor a??[2J: dtype"},
        {"{\"a\":7}", 0, -EBADMSG, "dtype"},
        {"{\"__metadata__\":{\"format\":7}}", 0, -EBADMSG, "not a text"},
        {"{\"__metadata__\":[]}", 0, -EBADMSG, "not a map"},
        {"{\"__metadata__\":{\"format\":\"pt\"}}", 0, -EINVAL, "not a model of this program"},
        {"{}", 0, -EINVAL, "not a model of this program"},
        {"{\"__metadata__\":{\"format\":\"atalaya-model\",\"version\":\"2\"}}", 0, -EINVAL,
         "version 2"},
        {"{\"__metadata__\":{\"format\":\"atalaya-model\",\"version\":\"1\"}}", 0, -EBADMSG,
         "data_hash"},
        {"[[[[[[", 0, -EINVAL, "not a model file"},
        {"{\"a\":[[[[[[", 0, -EBADMSG, "header at byte"},
    };
    struct atl_error err;
    for (size_t i = 0; i < ATL_ARRAY_LEN(cases); i++) {
        assert_int_equal(parse_header(cases[i].json, cases[i].bytes, &err), cases[i].want);
        assert_non_null(strstr(err.text, cases[i].says));
    }
    uint8_t huge[16] = {0, 0, 0, 0, 0, 0, 0, 0x80, '{', '}'};
    assert_int_equal(parse(huge, sizeof(huge), &err), -EINVAL);
}

static void save_refuses_bad_names(void **state)
{
    (void)state;
    struct atl_error err;
    struct learn_named models[2] = {saved[0], saved[0]};
    assert_int_equal(learn_file_save(path, models, 2, &err), -EINVAL);
    assert_non_null(strstr(err.text, "two models named flow"));
    assert_int_equal(learn_file_save(path, models, 0, &err), -EINVAL);
    atl_copy(models[1].name, sizeof(models[1].name), "a,b");
    assert_int_equal(learn_file_save(path, models, 2, &err), -EINVAL);
    memset(models[1].name, 'x', sizeof(models[1].name));
    assert_int_equal(learn_file_save(path, models, 2, &err), -EINVAL);
    assert_int_equal(learn_file_save("/nowhere/x", saved, 2, &err), -ENOENT);
}

int main(void)
{
    if (atl_base_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip_is_bit_exact),
        cmocka_unit_test(opens_in_python),
        cmocka_unit_test(every_truncation_is_damage),
        cmocka_unit_test(every_flip_is_found_or_harmless),
        cmocka_unit_test(headers_that_lie),
        cmocka_unit_test(save_refuses_bad_names),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
