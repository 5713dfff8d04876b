/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader of capture files on any bytes: packets, times, lengths and the complaint at the end
 * must be libpcap's. The first byte picks how many packets are asked for at once.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/dataplane/same_capture.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    char path[64];
    int fd = memfd_create("capture", 0);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (fd < 0 || write(fd, data + 1, size - 1) != (ssize_t)(size - 1)) {
        perror("memfd");
        abort();
    }
    const char *differs = same_capture(path, path, data[0] % DP_BURST + 1);
    if (differs != NULL) {
        fprintf(stderr, "broken: %s\n", differs);
        abort();
    }
    close(fd);
    return 0;
}
