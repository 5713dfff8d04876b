/* SPDX-License-Identifier: Apache-2.0 */
/* Every capture here is read twice: the golden reading is libpcap's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <sys/stat.h>
#include <zlib.h>

#include "dataplane/capture_records_priv.h"
#include "tests/dataplane/replay.h"
#include "tests/dataplane/same_capture.h"

#define US 0xa1b2c3d4U
#define NS 0xa1b23c4dU

static char path[256], other[256];

static FILE *begin(const struct capture_form *form)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    put_header(file, form);
    return file;
}

static void assert_same(const char *ours, uint32_t burst)
{
    const char *differs = same_capture(ours, path, burst);
    if (differs != NULL)
        fail_msg("%s, bursts of %u: %s", ours, burst, differs);
}

static void assert_all_same(void)
{
    assert_same(path, DP_BURST);
    assert_same(path, 1);
}

/* Ordinary packets and odd ones, more than two reads of the buffer. */
static void write_mixture(const struct capture_form *form)
{
    FILE *file = begin(form);
    struct atl_rng rng;
    atl_rng_init_seed(&rng, 3);
    for (uint32_t i = 0; i < 900; i++) {
        uint32_t stored = (uint32_t)atl_rng_below(&rng, 1500);
        put_record(file, form, 1700000000 + i / 100, i * 1000, stored,
                   i % 3 == 0 ? stored + 1000 : stored);
    }
    put_record(file, form, 0xffffffff, 5, 60, 60);          /* before 1970, or 2106 */
    put_record(file, form, 1700000000, 0x80000001, 60, 60); /* a negative fraction, or a huge one */
    put_record(file, form, 1700000000, 2000000000, 60, 60);
    put_record(file, form, 0x7fffffff, 999999999, 0, 0);
    put_record(file, form, 5, 6, 100, 40); /* shorter on the wire than stored */
    put_record(file, form, 5, 6, DP_RECORD_DATA_MAX, DP_RECORD_DATA_MAX);
    put_record(file, form, 7, 8, 60, 60);
    assert_int_equal(fclose(file), 0);
}

static void every_form_of_the_classic_format(void **state)
{
    (void)state;
    static const uint32_t magics[] = {US, NS}, snaps[] = {0, 96, 65535, 262144, 0x80000000};
    for (size_t m = 0; m < ATL_ARRAY_LEN(magics); m++)
        for (size_t s = 0; s < ATL_ARRAY_LEN(snaps); s++)
            for (int swapped = 0; swapped < 2; swapped++) {
                write_mixture(&(struct capture_form){magics[m], snaps[s], 1, swapped});
                assert_all_same();
            }
}

static void every_link_type(void **state)
{
    (void)state;
    for (uint32_t link = 0; link < 300; link++) {
        struct capture_form form = {US, 65535, link, false};
        FILE *file = begin(&form);
        put_record(file, &form, 1, 2, 64, 64);
        fclose(file);
        assert_all_same();
    }
    static const uint32_t odd[] = {0x10000001, 0xf4000001, 0x00010001, 0x04000001};
    for (size_t i = 0; i < ATL_ARRAY_LEN(odd); i++) {
        struct capture_form form = {US, 65535, odd[i], false};
        fclose(begin(&form));
        assert_all_same();
    }
}

/* Also within the file's header, where nothing can be read at all. */
static void a_cut_at_every_byte(void **state)
{
    (void)state;
    for (int swapped = 0; swapped < 2; swapped++) {
        struct capture_form form = {US, 48, 1, swapped};
        FILE *file = begin(&form);
        for (uint32_t i = 0; i < 3; i++)
            put_record(file, &form, 1, i, 50, 50);
        long whole = ftell(file);
        fclose(file);
        for (long bytes = whole; bytes-- > 0;) {
            assert_int_equal(truncate(path, bytes), 0);
            assert_all_same();
        }
    }
}

static void a_record_too_large_ends_it(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {DP_RECORD_DATA_MAX + 1, INT32_MAX, UINT32_MAX};
    static const uint32_t snaps[] = {65535, 300000, INT32_MAX, 0};
    for (size_t i = 0; i < ATL_ARRAY_LEN(sizes) * ATL_ARRAY_LEN(snaps); i++)
        for (int more = 0; more < 2; more++) {
            uint32_t size = sizes[i % ATL_ARRAY_LEN(sizes)];
            struct capture_form form = {US, snaps[i / ATL_ARRAY_LEN(sizes)], 1, false};
            FILE *file = begin(&form);
            put_record(file, &form, 1, 2, 64, 64);
            put_word(file, &form, 1);
            put_word(file, &form, 2);
            put_word(file, &form, size);
            put_word(file, &form, size);
            fclose(file);
            if (more)
                assert_int_equal(truncate(path, 400000), 0);
            assert_all_same();
        }
}

static void other_formats_are_left_to_libpcap(void **state)
{
    (void)state;
    static const struct capture_form forms[] = {
        {0xa1b2cd34, 65535, 1, false}, /* Kuznetsov's, with longer records */
        {0xa1b2cd34, 65535, 1, true},
        {0x0a0d0d0a, 28, 1, false}, /* pcapng, broken */
        {0xdeadbeef, 65535, 1, false},
    };
    for (size_t i = 0; i < ATL_ARRAY_LEN(forms); i++) {
        FILE *file = begin(&forms[i]);
        for (uint32_t k = 0; k < 20; k++)
            put_record(file, &forms[i], 1, k, 64, 64);
        fclose(file);
        assert_all_same();
    }
    static const uint32_t versions[] = {0x00030002, 0x00020002, 0x00050002, 0x0000021f, 0x00040001};
    for (size_t i = 0; i < ATL_ARRAY_LEN(versions); i++) {
        struct capture_form form = {US, 65535, 1, false};
        FILE *file = begin(&form);
        for (uint32_t k = 0; k < 20; k++)
            put_record(file, &form, 1, k, 64, 64);
        fseek(file, 4, SEEK_SET);
        put_word(file, &form, versions[i]);
        fclose(file);
        assert_all_same();
    }
}

static void gzip_gives_the_same(void **state)
{
    (void)state;
    write_mixture(&(struct capture_form){US, 65535, 1, true});
    uint8_t *data;
    size_t bytes;
    assert_int_equal(atl_file_read(path, 1 << 24, &data, &bytes, NULL), 0);
    for (size_t cut = 0; cut < 2; cut++) {
        gzFile file = gzopen(other, "wb1");
        assert_int_equal(gzwrite(file, data, (unsigned)bytes), bytes);
        gzclose(file);
        assert_same(other, DP_BURST);
        /* Too short to hold a header, so libpcap says what is wrong. */
        bytes = 20;
        assert_int_equal(truncate(path, 20), 0);
    }
    free(data);
    unlink(other);
}

struct feeder {
    const uint8_t *data;
    size_t bytes, piece;
};

static void *feed(void *arg)
{
    struct feeder *f = arg;
    FILE *to = fopen(other, "wb");
    setvbuf(to, NULL, _IONBF, 0);
    for (size_t at = 0; at < f->bytes; at += f->piece)
        fwrite(f->data + at, 1, f->bytes - at < f->piece ? f->bytes - at : f->piece, to);
    fclose(to);
    return NULL;
}

/* A record may come in any number of pieces; the last one is cut. */
static void a_pipe_gives_the_same(void **state)
{
    (void)state;
    static const size_t pieces[] = {7, 1000, 65536};
    write_mixture(&(struct capture_form){NS, 0, 113, false});
    uint8_t *data;
    size_t bytes;
    assert_int_equal(atl_file_read(path, 1 << 24, &data, &bytes, NULL), 0);
    assert_int_equal(truncate(path, (off_t)bytes - 3), 0);
    for (size_t i = 0; i < ATL_ARRAY_LEN(pieces); i++) {
        struct feeder f = {data, bytes - 3, pieces[i]};
        pthread_t thread;
        assert_int_equal(mkfifo(other, 0600), 0);
        assert_int_equal(pthread_create(&thread, NULL, feed, &f), 0);
        assert_same(other, DP_BURST);
        pthread_join(thread, NULL);
        unlink(other);
    }
    free(data);
}

static void a_folder_is_no_capture(void **state)
{
    (void)state;
    struct dp_source *source;
    struct atl_error err = {""};
    assert_int_equal(dp_source_open_file(&source, "/", &err), -EINVAL);
    assert_non_null(strstr(err.text, "Is a directory"));
}

int main(void)
{
    if (atl_base_init() < 0)
        return 1;
    replay_path(path, "capture.pcap");
    replay_path(other, "capture.other");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_of_the_classic_format),
        cmocka_unit_test(every_link_type),
        cmocka_unit_test(a_cut_at_every_byte),
        cmocka_unit_test(a_record_too_large_ends_it),
        cmocka_unit_test(other_formats_are_left_to_libpcap),
        cmocka_unit_test(gzip_gives_the_same),
        cmocka_unit_test(a_pipe_gives_the_same),
        cmocka_unit_test(a_folder_is_no_capture),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}
