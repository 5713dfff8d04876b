/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "learner/kernels_priv.h"

#define ALL LEARN_CPU_AVX512

/* Core names as openblas_get_corename gives them (driver/others/dynamic.c of OpenBLAS 0.3.21). */
static const struct {
    const char *core;
    unsigned cpu;
    uint32_t bits;
    bool advice;
} cases[] = {
    {"Haswell", ALL, 256, true}, /* a processor newer than the library */
    {"Zen", ALL, 256, true},
    {"Excavator", ALL, 256, true},
    {"Prescott", ALL, 128, true}, /* a maker the library has never heard of */
    {"haswell", ALL, 256, true},
    {"SkylakeX", ALL, 512, false},
    {"Cooperlake", ALL, 512, false},
    {"SapphireRapids", ALL, 512, false},
    {"Haswell", 0, 256, false},
    {"Zen", 0, 256, false},
    {"SkylakeX", 0, 512, false},
    /* every part is needed: the processor of a Knights Landing card has F and CD alone */
    {"Haswell", ALL & ~LEARN_CPU_AVX512F, 256, false},
    {"Haswell", ALL & ~LEARN_CPU_AVX512DQ, 256, false},
    {"Haswell", ALL & ~LEARN_CPU_AVX512BW, 256, false},
    {"Haswell", ALL & ~LEARN_CPU_AVX512VL, 256, false},
    {"Haswell", ALL & ~LEARN_CPU_AVX512CD, 256, false},
    /* what is not known is not advised against */
    {"NeoverseN1", 0, 0, false},
    {"SomethingNewer", ALL, 0, false},
    {"", ALL, 0, false},
};

static void narrow_kernels_on_a_wide_processor(void **state)
{
    (void)state;
    for (size_t i = 0; i < ATL_ARRAY_LEN(cases); i++) {
        struct learn_kernels kernels;
        learn_kernels_judge(cases[i].core, cases[i].cpu, &kernels);
        if (kernels.bits != cases[i].bits || (kernels.better != NULL) != cases[i].advice)
            fail_msg("%s on %x: %u bits, advice %s", cases[i].core, cases[i].cpu, kernels.bits,
                     kernels.better != NULL ? kernels.better : "none");
        assert_string_equal(kernels.core, cases[i].core);
        if (cases[i].advice)
            assert_string_equal(kernels.better, "SkylakeX");
    }
}

static void advice_once_followed_is_not_repeated(void **state)
{
    (void)state;
    struct learn_kernels kernels, after;
    learn_kernels_judge("Haswell", ALL, &kernels);
    learn_kernels_judge(kernels.better, ALL, &after);
    assert_null(after.better);
    assert_true(after.bits > kernels.bits);
}

static void this_machine_has_some(void **state)
{
    (void)state;
    struct learn_kernels kernels;
    learn_kernels_find(&kernels);
    assert_true(strlen(kernels.core) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(narrow_kernels_on_a_wide_processor),
        cmocka_unit_test(advice_once_followed_is_not_repeated),
        cmocka_unit_test(this_machine_has_some),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
