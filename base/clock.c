/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base.h"

#include <stdio.h>
#include <time.h>

static atl_ns read_clock(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t); /* cannot fail for these two clocks */
    return (atl_ns)t.tv_sec * ATL_NS_PER_S + (atl_ns)t.tv_nsec;
}

atl_ns atl_clock_mono_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

atl_ns atl_clock_wall_ns(void)
{
    return read_clock(CLOCK_REALTIME);
}

void atl_clock_format(atl_ns wall_ns, char out[ATL_TIME_TEXT_BYTES])
{
    time_t seconds = (time_t)(wall_ns / ATL_NS_PER_S);
    unsigned us = (unsigned)(wall_ns % ATL_NS_PER_S / ATL_NS_PER_US);
    struct tm tm;
    gmtime_r(&seconds, &tm); /* 2^64 ns end in the year 2554: always four digits */
    char date[24];
    strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out, ATL_TIME_TEXT_BYTES, "%s.%06uZ", date, us);
}
