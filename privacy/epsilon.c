/* SPDX-License-Identifier: Apache-2.0 */
#include "privacy/accountant_priv.h"

#include <errno.h>
#include <stdlib.h>

static int check(const struct priv_event *events, size_t n, double delta, struct atl_error *err)
{
    if (!(delta > 0 && delta < 1))
        return atl_error_set(err, -EINVAL, "delta: %g is outside 0 < delta < 1", delta);
    if (n > PRIV_EVENTS_MAX)
        return atl_error_set(err, -EINVAL, "events: %zu are too many, at most %d", n,
                             PRIV_EVENTS_MAX);
    for (size_t i = 0; i < n; i++) {
        int r = priv_event_check(&events[i], err);
        if (r < 0)
            return r;
    }
    return 0;
}

int priv_epsilon(enum priv_accountant accountant, const struct priv_event *events, size_t n,
                 double delta, double *ret_epsilon, struct atl_error *err)
{
    int r = check(events, n, delta, err);
    if (r < 0)
        return r;
    if (accountant != PRIV_RDP && accountant != PRIV_PLD)
        return atl_error_set(err, -EINVAL, "accountant: unknown number %d", (int)accountant);
    if (n == 0) {
        *ret_epsilon = 0;
        return 0;
    }
    struct priv_event *merged = malloc(n * sizeof(*merged));
    if (merged == NULL)
        return atl_error_set(err, -ENOMEM, "out of memory for %zu events", n);
    size_t kept = priv_events_merge(events, n, merged);
    for (size_t i = 0; i < kept; i++)
        if (priv_event_is_sum(&merged[i]))
            accountant = PRIV_RDP;
    r = accountant == PRIV_RDP ? priv_rdp_epsilon(merged, kept, delta, ret_epsilon, err)
                               : priv_pld_epsilon(merged, kept, delta, ret_epsilon, err);
    free(merged);
    return r;
}
