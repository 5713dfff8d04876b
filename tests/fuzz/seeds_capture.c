/* SPDX-License-Identifier: Apache-2.0 */
/* Write a small capture in each form of the classic format: seeds_capture --seeds FOLDER */
#include <stdlib.h>

#include "tests/dataplane/same_capture.h"

static int write_seed(const char *folder, unsigned number)
{
    const struct capture_form form = {
        .magic = number & 1 ? 0xa1b23c4d : 0xa1b2c3d4,
        .snap_bytes = number & 2 ? 40 : 65535,
        .link = number & 4 ? 101 : 1,
        .swapped = (number & 8) != 0,
    };
    char path[512];
    snprintf(path, sizeof(path), "%s/form-%u", folder, number);
    FILE *file = fopen(path, "wb");
    if (file == NULL)
        return -1;
    fputc((int)number, file); /* see fuzz_capture.c */
    put_header(file, &form);
    for (uint32_t i = 0; i < 5; i++)
        put_record(file, &form, 1700000000, i, 30 + 10 * i, 30 + 20 * i);
    return fclose(file);
}

int main(int argc, char **argv)
{
    if (argc != 3 || strcmp(argv[1], "--seeds") != 0) {
        fprintf(stderr, "usage: seeds_capture --seeds FOLDER\n");
        return 2;
    }
    for (unsigned i = 0; i < 16; i++)
        if (write_seed(argv[2], i) != 0) {
            perror(argv[2]);
            return 1;
        }
    return 0;
}
