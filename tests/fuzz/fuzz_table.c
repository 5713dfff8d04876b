/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table's model file with bytes changed and its hash made good again, so that what stands behind
 * the hash is reached; and the same input as a CSV file. What is accepted must score without harm.
 * Input: 5 bytes an edit of the file (place, value), then the text of the CSV.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "learner/learner.h"
#include "tests/fuzz/fuzz.h"

enum { EDITS = 8, EDIT_BYTES = 5 };

static char folder[] = "/tmp/atalaya-fuzz-XXXXXX";
static char csv[64], model[64];
static uint8_t *good, *file;
static size_t bytes, header;

static void fail(const char *what)
{
    fprintf(stderr, "%s\n", what);
    abort();
}

static void prepare(void)
{
    const struct learn_table_config cfg = {.header = true, .seed = 1};
    struct learn_table_summary summary;
    struct learn_table *table;
    struct atl_rng rng;
    if (atl_base_init() < 0 || mkdtemp(folder) == NULL)
        fail("cannot begin");
    snprintf(csv, sizeof(csv), "%s/t.csv", folder);
    snprintf(model, sizeof(model), "%s/m", folder);
    FILE *out = fopen(csv, "w");
    if (out == NULL)
        fail("cannot write");
    atl_rng_init_seed(&rng, 1);
    fputs("a,b,c\n", out);
    for (int i = 0; i < 300; i++)
        fprintf(out, "%g,%s,%g\n", atl_rng_normal(&rng), i % 3 == 0 ? "x" : "y",
                atl_rng_unit(&rng));
    fclose(out);
    if (learn_table_train(&table, csv, &cfg, &summary, NULL) < 0 ||
        learn_table_save(table, model, NULL) < 0 ||
        atl_file_read(model, 1 << 24, &good, &bytes, NULL) < 0)
        fail("cannot train");
    learn_table_destroy(table);
    file = malloc(bytes);
    if (file == NULL)
        fail("no memory");
    uint64_t length;
    memcpy(&length, good, sizeof(length));
    header = 8 + (size_t)length;
}

static void mend_hash(void)
{
    static const char key[] = "\"data_hash\":\"";
    uint8_t hash[32];
    char hex[65];
    uint8_t *at = memmem(file, header, key, strlen(key));
    if (at == NULL || (size_t)(at - file) + strlen(key) + 64 > header)
        return;
    crypto_generichash(hash, sizeof(hash), file + header, bytes - header, NULL, 0);
    atl_hex(hex, hash, sizeof(hash));
    memcpy(at + strlen(key), hex, 64);
}

static int take(void *ctx, float score, float p_value)
{
    (void)ctx;
    if (!(score >= 0 && score <= 1 && p_value >= 0 && p_value <= 1))
        fail("a score out of range");
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const struct learn_table_config cfg = {.header = true, .seed = 1};
    struct learn_table_summary summary;
    struct learn_table *table;
    struct atl_error err;
    if (good == NULL)
        prepare();
    memcpy(file, good, bytes);
    for (int e = 0; e < EDITS && n >= EDIT_BYTES; e++, data += EDIT_BYTES, n -= EDIT_BYTES) {
        uint32_t place;
        memcpy(&place, data, sizeof(place));
        if (data[4] != 0)
            file[place % bytes] = data[4];
    }
    mend_hash();
    FILE *out = fopen(csv, "w");
    if (out == NULL)
        fail("cannot write");
    fputs(n % 2 == 0 ? "a,b,c\n1,x,2\n" : "", out);
    fwrite(data, 1, n, out);
    fclose(out);
    if (learn_table_parse(&table, file, bytes, "model", &err) < 0) {
        if (strchr(err.text, '\n') != NULL)
            fail("an error of more than one line");
        if (learn_table_parse(&table, good, bytes, "model", &err) < 0)
            fail("the good model is refused");
    }
    learn_table_score(table, csv, &cfg, take, NULL, &summary, &err);
    learn_table_destroy(table);
    return 0;
}
