/* SPDX-License-Identifier: Apache-2.0 */
#include "traffic/service_priv.h"

/* clang-format off */
#define FIX(a)            {TRAF_FIXED, (a), 0, 0}
#define LOGN(a, b, most)  {TRAF_LOGNORMAL, (a), (b), (most)}
#define TAIL(a, b, most)  {TRAF_PARETO, (a), (b), (most)}
#define EVEN(a, b)        {TRAF_UNIFORM, (a), (b), 0}

/* Medians and spreads follow what the public captures show: pages of some kilobytes with a long
 * tail, keep-alives of tens of bytes, closes seconds after the last byte. */
const struct traf_script traf_scripts[TRAF_SCRIPT_COUNT] = {
    /*                    style      exchanges          up                       down
     *                    think                   pause                 linger           rst */
    [TRAF_SCRIPT_WEB] = {TRAF_TLS, LOGN(2.2, 0.8, 40), LOGN(620, 0.6, 9000), LOGN(5200, 1.5, 3e6),
                         LOGN(0.025, 0.9, 3), LOGN(0.35, 1.2, 25), LOGN(6, 1.2, 115), 0.12},
    [TRAF_SCRIPT_DOWNLOAD] = {TRAF_HTTP, EVEN(1, 2), LOGN(300, 0.3, 900), TAIL(160e3, 1.2, 24e6),
                              LOGN(0.03, 0.8, 2), LOGN(0.5, 0.8, 9), LOGN(2, 1, 30), 0.05},
    [TRAF_SCRIPT_VIDEO] = {TRAF_TLS, LOGN(7, 0.6, 200), LOGN(900, 0.3, 3000), LOGN(150e3, 0.6, 1.5e6),
                           LOGN(0.02, 0.7, 2), LOGN(3.4, 0.35, 15), LOGN(5, 0.8, 60), 0.15},
    [TRAF_SCRIPT_APP] = {TRAF_TLS, LOGN(1.3, 0.6, 12), LOGN(800, 0.8, 40e3), LOGN(1900, 1.3, 600e3),
                         LOGN(0.04, 0.9, 4), LOGN(0.9, 1.1, 30), LOGN(9, 1.1, 90), 0.16},
    [TRAF_SCRIPT_PUSH] = {TRAF_TLS, FIX(1e6), LOGN(46, 0.2, 200), LOGN(46, 0.2, 400),
                          LOGN(0.01, 0.5, 1), FIX(60), FIX(1), 0.3},
    [TRAF_SCRIPT_SUBMIT] = {TRAF_TEXT, EVEN(4, 7), LOGN(160, 2.1, 6e6), LOGN(54, 0.3, 200),
                            LOGN(0.04, 0.8, 3), LOGN(0.02, 0.8, 1), FIX(0.01), 0.02},
    [TRAF_SCRIPT_IMAP] = {TRAF_TLS, LOGN(5, 0.6, 40), LOGN(66, 0.4, 400), LOGN(700, 1.7, 4e6),
                          LOGN(0.015, 0.7, 1), LOGN(0.1, 1, 10), LOGN(25, 1.2, 600), 0.03},
    [TRAF_SCRIPT_SSH] = {TRAF_SSH, LOGN(60, 0.8, 900), LOGN(44, 0.25, 200), LOGN(110, 1, 12e3),
                         LOGN(0.004, 0.8, 1), LOGN(0.45, 1.1, 60), LOGN(1, 1, 20), 0.02},
    [TRAF_SCRIPT_SHARE] = {TRAF_TLS, LOGN(4, 0.8, 60), LOGN(6e3, 1.6, 8e6), LOGN(9e3, 1.6, 8e6),
                           LOGN(0.03, 0.8, 3), LOGN(0.8, 1.1, 30), LOGN(12, 1, 120), 0.05},
    [TRAF_SCRIPT_CAMERA] = {TRAF_TLS, LOGN(12, 0.6, 120), LOGN(26e3, 0.5, 400e3), FIX(120),
                            LOGN(0.02, 0.6, 1), LOGN(1.9, 0.3, 9), LOGN(2, 0.6, 20), 0.1},
    [TRAF_SCRIPT_TELEMETRY] = {TRAF_TLS, EVEN(1, 2), LOGN(260, 0.4, 4000), LOGN(90, 0.3, 900),
                               LOGN(0.03, 0.7, 2), LOGN(0.1, 0.6, 2), LOGN(0.3, 0.9, 10), 0.04},
    [TRAF_SCRIPT_PEER_BLOCKS] = {TRAF_OPAQUE, LOGN(5, 0.9, 60), LOGN(120, 1.6, 16e3), LOGN(16e3, 1.1, 256e3),
                                 LOGN(0.06, 0.9, 4), LOGN(0.8, 1.2, 40), LOGN(8, 1.2, 120), 0.25},
    [TRAF_SCRIPT_CRAWL] = {TRAF_HTTP, EVEN(1, 4), LOGN(240, 0.2, 800), LOGN(9e3, 1.2, 500e3),
                           LOGN(0.05, 0.9, 5), LOGN(0.6, 0.7, 6), LOGN(0.5, 0.8, 10), 0.03},
};

/* Share of the day's arrivals in each hour, UTC, any scale. */
static const uint8_t hours[TRAF_PROFILE_COUNT][24] = {
    [TRAF_RESIDENTIAL] = {42, 27, 19, 15, 14, 17, 28, 45, 55, 57, 58, 62,
                          68, 68, 66, 68, 75, 86, 97, 108, 116, 115, 96, 66},
    [TRAF_BUSINESS] = {10, 9, 9, 9, 10, 14, 28, 68, 112, 124, 122, 114,
                       88, 104, 120, 116, 104, 76, 42, 26, 20, 17, 14, 12},
    [TRAF_MOBILE] = {32, 20, 14, 12, 14, 26, 58, 92, 90, 78, 76, 80,
                     92, 88, 80, 82, 88, 100, 100, 96, 92, 88, 74, 50},
    [TRAF_IOT] = {96, 95, 95, 94, 94, 96, 99, 101, 102, 102, 102, 102,
                  102, 102, 102, 102, 102, 103, 104, 104, 103, 102, 100, 98},
};
/* clang-format on */

double traf_rhythm(enum traf_profile profile, atl_ns wall_ns)
{
    double total = 0;
    for (int i = 0; i < 24; i++)
        total += hours[profile][i];
    double hour = (double)(wall_ns / ATL_NS_PER_S % 86400) / 3600.0;
    int from = (int)hour;
    double part = hour - from;
    double now = hours[profile][from] * (1 - part) + hours[profile][(from + 1) % 24] * part;
    return 24.0 * now / total;
}
