/* SPDX-License-Identifier: Apache-2.0 */
#include "privacy/accountant_priv.h"

#include <errno.h>
#include <math.h>

/* Sigmas of four digits in order: 1000 … 9999 for each power of ten from 10^-3 on */
#define PER_DECADE  9000
#define DECADE_LOW  -3
#define DECADES     12
#define NUMBER_LAST (PER_DECADE * DECADES) /* PRIV_SIGMA_MAX */

static double sigma_at(int number)
{
    int digits = 1000 + number % PER_DECADE, decade = DECADE_LOW + number / PER_DECADE - 3;
    /* one division or product by an exact power: the nearest double to the decimal text */
    return decade < 0 ? digits / pow(10, -decade) : digits * pow(10, decade);
}

/* Does this sigma keep the promise? @return 1, 0 or a negative errno */
static int keeps(enum priv_accountant accountant, struct priv_event event, int number,
                 double epsilon, double delta, struct atl_error *err)
{
    double found;
    event.sigma = sigma_at(number);
    int r = priv_epsilon(accountant, &event, 1, delta, &found, err);
    if (r == -ERANGE) /* none at so little noise */
        return 0;
    return r < 0 ? r : found <= epsilon;
}

int priv_calibrate(enum priv_accountant accountant, const struct priv_event *event, double epsilon,
                   double delta, double *ret_sigma, struct atl_error *err)
{
    if (!(epsilon > 0 && isfinite(epsilon)))
        return atl_error_set(err, -EINVAL, "epsilon: %g is not a positive number", epsilon);
    int low = -1, high = NUMBER_LAST; /* high keeps, low does not */
    int r = keeps(accountant, *event, high, epsilon, delta, err);
    if (r < 0)
        return r;
    if (r == 0)
        return atl_error_set(err, -ERANGE, "no sigma up to %g gives epsilon %g", PRIV_SIGMA_MAX,
                             epsilon);
    /* outwards from sigma = 1 first: far ends cost most and are seldom the answer */
    int start = -DECADE_LOW * PER_DECADE, stride = PER_DECADE / 16;
    r = keeps(accountant, *event, start, epsilon, delta, err);
    for (int sign = r == 1 ? -1 : 1, at = start; r >= 0; stride *= 2) {
        if (r == 1)
            high = at;
        else
            low = at;
        at += sign * stride;
        if ((sign < 0) != (r == 1) || at <= low || at >= high)
            break;
        r = keeps(accountant, *event, at, epsilon, delta, err);
    }
    while (r >= 0 && high - low > 1) {
        int middle = low + (high - low) / 2;
        r = keeps(accountant, *event, middle, epsilon, delta, err);
        if (r == 1)
            high = middle;
        else
            low = middle;
    }
    if (r < 0)
        return r;
    *ret_sigma = sigma_at(high);
    return 0;
}
