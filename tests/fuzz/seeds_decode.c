/* SPDX-License-Identifier: Apache-2.0 */
/* Write one frame of each encapsulation: as seeds of the fuzzer, or as a capture. */
#include <stdlib.h>

#include "tests/dataplane/control.h"
#include "tests/dataplane/tunnels.h"

static int write_seed(const char *folder, const char *name, const struct bytes *f)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    if (file == NULL)
        return -1;
    fputc(0, file); /* link type and view: see fuzz_decode.c */
    fwrite(f->b, f->n, 1, file);
    return fclose(file);
}

static int write_seeds(const char *folder)
{
    int r = 0;
    for (size_t i = 0; i < TUNNEL_CASES && r == 0; i++) {
        struct bytes f = tunnel_cases[i].build();
        r = write_seed(folder, tunnel_cases[i].name, &f);
    }
    for (size_t i = 0; i < CONTROL_CASES && r == 0; i++) {
        struct bytes f = control_cases[i].build();
        r = write_seed(folder, control_cases[i].name, &f);
    }
    return r;
}

static int write_capture(const char *path)
{
    FILE *file = fopen(path, "wb");
    if (file == NULL)
        return -1;
    pcap_begin(file, 1);
    for (size_t i = 0; i < TUNNEL_CASES; i++) {
        struct bytes f = tunnel_cases[i].build();
        pcap_add(file, &f, 1700000000000000ULL + i);
    }
    return fclose(file);
}

int main(int argc, char **argv)
{
    bool names = argc == 2 && strcmp(argv[1], "--names") == 0;
    for (size_t i = 0; names && i < TUNNEL_CASES; i++)
        puts(tunnel_cases[i].name);
    if (names)
        return 0;
    if (argc != 3) {
        fprintf(stderr, "usage: seeds_decode --seeds FOLDER | --capture FILE | --names\n");
        return 2;
    }
    int r = strcmp(argv[1], "--seeds") == 0 ? write_seeds(argv[2]) : write_capture(argv[2]);
    if (r != 0)
        perror(argv[2]);
    return r != 0;
}
