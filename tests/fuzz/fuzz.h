/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz: what libFuzzer, and fuzz_main where there is none, call. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#endif
