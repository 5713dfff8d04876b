/* SPDX-License-Identifier: Apache-2.0 */
#include "app/doctor_kernels_priv.h"

#include <stdio.h>

/*
 * Two ways lead to narrow kernels: the environment asks for them, and then nothing else should be
 * said before it no longer does; or the library is older than the processor.
 */
void doctor_kernels(const struct learn_kernels *kernels, const char *told,
                    struct dp_finding *ret_finding)
{
    struct dp_finding f = {.status = DP_FINDING_OK, .check = "kernels"};
    char width[32] = "";
    bool asked = told != NULL && told[0] != '\0';
    if (kernels->bits > 0)
        snprintf(width, sizeof(width), ", %u bits wide", kernels->bits);
    snprintf(f.text, sizeof(f.text), "the learner uses OpenBLAS's %.60s kernels%s%s%s",
             kernels->core, width, asked ? ", as OPENBLAS_CORETYPE asks" : "",
             kernels->better != NULL ? "; this processor has 512: faster, other last bits" : "");
    if (kernels->better != NULL)
        f.status = DP_FINDING_WARN;
    if (kernels->better != NULL && asked)
        atl_copy(f.mend, sizeof(f.mend),
                 "unset OPENBLAS_CORETYPE  # in a systemd unit: take its line out");
    else if (kernels->better != NULL)
        snprintf(f.mend, sizeof(f.mend),
                 "export OPENBLAS_CORETYPE=%s  # in a systemd unit: "
                 "Environment=OPENBLAS_CORETYPE=%s",
                 kernels->better, kernels->better);
    *ret_finding = f;
}
