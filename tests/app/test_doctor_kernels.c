/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "app/doctor_kernels_priv.h"

static const struct {
    struct learn_kernels kernels;
    const char *told;
    enum dp_finding_status status;
    const char *text, *mend;
} cases[] = {
    {{"Haswell", 256, "SkylakeX"},
     NULL,
     DP_FINDING_WARN,
     "OpenBLAS's Haswell kernels, 256 bits wide; this processor has 512",
     "export OPENBLAS_CORETYPE=SkylakeX  # in a systemd unit: "
     "Environment=OPENBLAS_CORETYPE=SkylakeX"},
    {{"Haswell", 256, "SkylakeX"}, "", DP_FINDING_WARN, "256 bits wide; this", "export OPENBLAS_"},
    {{"Haswell", 256, "SkylakeX"},
     "Haswell",
     DP_FINDING_WARN,
     "256 bits wide, as OPENBLAS_CORETYPE asks; this processor has 512",
     "unset OPENBLAS_CORETYPE"},
    {{"Haswell", 256, NULL}, NULL, DP_FINDING_OK, "Haswell kernels, 256 bits wide", ""},
    {{"Cooperlake", 512, NULL}, NULL, DP_FINDING_OK, "Cooperlake kernels, 512 bits wide", ""},
    {{"NeoverseN1", 0, NULL}, NULL, DP_FINDING_OK, "OpenBLAS's NeoverseN1 kernels", ""},
};

static void kernels_to_findings(void **state)
{
    (void)state;
    for (size_t i = 0; i < ATL_ARRAY_LEN(cases); i++) {
        struct dp_finding f;
        doctor_kernels(&cases[i].kernels, cases[i].told, &f);
        assert_string_equal(f.check, "kernels");
        assert_int_equal(f.status, cases[i].status);
        if (strstr(f.text, cases[i].text) == NULL || strstr(f.mend, cases[i].mend) == NULL)
            fail_msg("case %zu: \"%s\", \"%s\"", i, f.text, f.mend);
        assert_int_equal(f.mend[0] == '\0', f.status == DP_FINDING_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kernels_to_findings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
