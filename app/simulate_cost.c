/* SPDX-License-Identifier: Apache-2.0 */
#include "app/simulate_run_priv.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#define RAPL "/sys/class/powercap/intel-rapl:?/"

static double number_in(const char *path)
{
    char text[32];
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return -1;
    double value = fgets(text, sizeof(text), f) != NULL ? strtod(text, NULL) : -1;
    fclose(f);
    return value;
}

/* Energy of all processor packages so far, of the whole machine. @return joules, -1 unreadable */
static double joules_now(void)
{
    glob_t found;
    double sum = 0;
    if (glob(RAPL "energy_uj", 0, NULL, &found) != 0)
        return -1;
    for (size_t i = 0; i < found.gl_pathc && sum >= 0; i++) {
        double uj = number_in(found.gl_pathv[i]);
        sum = uj < 0 ? -1 : sum + uj * 1e-6;
    }
    globfree(&found);
    return sum;
}

static double cpu_now(uint64_t *ret_rss_kib)
{
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    *ret_rss_kib = (uint64_t)use.ru_maxrss;
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
           1e-6 * (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec);
}

void simulate_cost_begin(struct simulate_run *run)
{
    uint64_t ignored;
    run->cpu_began = cpu_now(&ignored);
    run->wall_began = (double)atl_clock_mono_ns() * 1e-9;
    run->joules_began = joules_now();
}

void simulate_cost_add(struct simulate_run *run)
{
    uint64_t rss_kib;
    double cpu_s = cpu_now(&rss_kib), wall_s = (double)atl_clock_mono_ns() * 1e-9;
    double joules = joules_now();
    run->spent.cpu_s += cpu_s - run->cpu_began;
    run->spent.wall_s += wall_s - run->wall_began;
    if (joules < 0)
        run->spent.joules = -1;
    else if (run->spent.joules >= 0 && joules >= run->joules_began) /* the counters wrap */
        run->spent.joules += joules - run->joules_began;
    run->cpu_began = cpu_s;
    run->wall_began = wall_s;
    run->joules_began = joules;
    if (rss_kib > run->spent.rss_kib)
        run->spent.rss_kib = rss_kib;
}

json_t *simulate_report_cost(const struct simulate_cost *cost)
{
    json_t *joules = cost->joules >= 0 ? json_real(cost->joules) : json_null();
    return json_pack("{s:i, s:f, s:f, s:I, s:o, s:s}", "schema", 1, "cpu_seconds", cost->cpu_s,
                     "wall_seconds", cost->wall_s, "rss_kib_max", (json_int_t)cost->rss_kib,
                     "joules", joules, "joules_of",
                     cost->joules >= 0 ? "all processor packages, everything that ran"
                                       : "not readable: no /sys/class/powercap/intel-rapl");
}
