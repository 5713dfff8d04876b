/* SPDX-License-Identifier: Apache-2.0 */
#include "alerts/severity_priv.h"

#include <string.h>

/*
 * A kind begins at `first`; one step up for strong evidence, one more when it lasts, one down for
 * weak evidence, never above `highest`. Matched by the end of the kind: "syn_flood" is a flood.
 */
static const struct {
    const char *ending;
    enum alert_severity first, highest;
} kinds[] = {
    {"flood", ALERT_MAJOR, ALERT_CRITICAL},
    {"storm", ALERT_MAJOR, ALERT_CRITICAL},
    {"amplification", ALERT_MAJOR, ALERT_CRITICAL},
    {"exfiltration", ALERT_MAJOR, ALERT_CRITICAL},
    {"tunnel", ALERT_MINOR, ALERT_MAJOR},
    {"scan", ALERT_MINOR, ALERT_MAJOR},
    {"sweep", ALERT_MINOR, ALERT_MAJOR},
    {"brute_force", ALERT_MINOR, ALERT_MAJOR},
    {"movement", ALERT_MINOR, ALERT_MAJOR},
    {"beacon", ALERT_MINOR, ALERT_MAJOR},
    {"volume_change", ALERT_MINOR, ALERT_MAJOR},
    {"", ALERT_WARNING, ALERT_MINOR}, /* unusual, but like nothing we know */
};

#define STRONG_SCORE   0.9
#define STRONG_P_VALUE 1e-6
#define WEAK_SCORE     0.6
#define LASTING_COUNT  3
#define LASTING_NS     (60 * ATL_NS_PER_S)

static bool ends_with(const char *text, const char *ending)
{
    size_t n = strlen(text), m = strlen(ending);
    return n >= m && strcmp(text + n - m, ending) == 0;
}

enum alert_severity alert_severity_of(const struct alert_signal *signal, uint64_t count,
                                      atl_ns lasts_ns)
{
    size_t k = 0;
    while (!ends_with(signal->kind, kinds[k].ending)) /* the last row fits all */
        k++;
    int level = (int)kinds[k].first;
    level += signal->score >= STRONG_SCORE && signal->p_value <= STRONG_P_VALUE;
    level += count >= LASTING_COUNT && lasts_ns >= LASTING_NS;
    level -= signal->score < WEAK_SCORE;
    if (level < (int)ALERT_WARNING)
        return ALERT_WARNING;
    return level > (int)kinds[k].highest ? kinds[k].highest : (enum alert_severity)level;
}

const char *alert_severity_name(enum alert_severity severity)
{
    static const char *const names[] = {"warning", "minor", "major", "critical"};
    return (size_t)severity < ATL_ARRAY_LEN(names) ? names[severity] : "warning";
}

const char *alert_change_name(enum alert_change change)
{
    static const char *const names[] = {"raise", "update", "clear"};
    return (size_t)change < ATL_ARRAY_LEN(names) ? names[change] : "update";
}
