/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random inputs for a time, for compilers without libFuzzer.
 *
 * Usage: fuzz_X [SECONDS [SEED]]; an input that fails is written to fuzz-failed in this folder.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/base.h"
#include "tests/fuzz/fuzz.h"

enum { INPUT_MAX = 1536 };

static uint8_t input[INPUT_MAX];
static size_t input_bytes;

static void on_abort(int number)
{
    (void)number;
    FILE *file = fopen("fuzz-failed", "wb");
    if (file != NULL) {
        fwrite(input, 1, input_bytes, file);
        fclose(file);
    }
    _exit(1);
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 10;
    struct atl_rng rng;
    atl_rng_init_seed(&rng, argc > 2 ? strtoull(argv[2], NULL, 10) : atl_clock_wall_ns());
    signal(SIGABRT, on_abort);
    atl_ns end_ns = atl_clock_mono_ns() + (atl_ns)(seconds * 1e9);
    uint64_t inputs = 0;
    for (; atl_clock_mono_ns() < end_ns; inputs++) {
        input_bytes = (size_t)atl_rng_below(&rng, INPUT_MAX + 1);
        atl_rng_fill(&rng, input, input_bytes);
        LLVMFuzzerTestOneInput(input, input_bytes);
    }
    printf("%llu inputs, none failed\n", (unsigned long long)inputs);
    return 0;
}
