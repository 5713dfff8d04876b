/* SPDX-License-Identifier: Apache-2.0 */
#include "traffic/traffic.h"

#include <errno.h>
#include <math.h>

struct word {
    const char *name, *help;
};

static const struct word profiles[] = {
#define TRAF_ENUM(id, name, help) {name, help},
    TRAF_PROFILES(TRAF_ENUM)
#undef TRAF_ENUM
};

static const struct word attacks[] = {
#define TRAF_ENUM(id, name, help) {name, help},
    TRAF_ATTACKS(TRAF_ENUM)
#undef TRAF_ENUM
};

const char *traf_profile_name(enum traf_profile profile)
{
    return profile < TRAF_PROFILE_COUNT ? profiles[profile].name : "unknown";
}

const char *traf_profile_help(enum traf_profile profile)
{
    return profile < TRAF_PROFILE_COUNT ? profiles[profile].help : "";
}

const char *traf_attack_name(enum traf_attack attack)
{
    return attack < TRAF_ATTACK_COUNT ? attacks[attack].name : "unknown";
}

const char *traf_attack_help(enum traf_attack attack)
{
    return attack < TRAF_ATTACK_COUNT ? attacks[attack].help : "";
}

void traf_config_default(struct traf_config *cfg)
{
    *cfg = (struct traf_config){
        .seed = 1,
        .profile = TRAF_RESIDENTIAL,
        .site = 1,
        .subscribers = 200,
        .flows_per_second = 50,
        .start_ns = 1767614400ULL * ATL_NS_PER_S, /* Monday 2026-01-05T12:00:00Z */
        .duration_ns = 60 * ATL_NS_PER_S,
        .snap_bytes = 65535,
    };
}

static int check_attack(const struct traf_config *cfg, uint32_t i, struct atl_error *err)
{
    const struct traf_attack_plan *plan = &cfg->attacks[i];
    if ((unsigned)plan->attack >= TRAF_ATTACK_COUNT)
        return atl_error_set(err, -EINVAL, "attack %u: unknown kind %d", i, (int)plan->attack);
    if (plan->duration_ns == 0)
        return atl_error_set(err, -EINVAL, "attack %u (%s): expected a duration above 0", i,
                             traf_attack_name(plan->attack));
    if (plan->after_ns >= cfg->duration_ns)
        return atl_error_set(err, -EINVAL,
                             "attack %u (%s): begins after %.3f s, but the capture ends after "
                             "%.3f s",
                             i, traf_attack_name(plan->attack), (double)plan->after_ns / 1e9,
                             (double)cfg->duration_ns / 1e9);
    if (plan->duration_ns > UINT64_MAX / 4)
        return atl_error_set(err, -EINVAL, "attack %u (%s): duration too long", i,
                             traf_attack_name(plan->attack));
    if (!isfinite(plan->rate_pps) || plan->rate_pps < 0 || plan->rate_pps > 1e6)
        return atl_error_set(err, -EINVAL,
                             "attack %u (%s): expected a rate of 0 … 1000000 packets/s", i,
                             traf_attack_name(plan->attack));
    return 0;
}

int traf_config_check(const struct traf_config *cfg, struct atl_error *err)
{
    if ((unsigned)cfg->profile >= TRAF_PROFILE_COUNT)
        return atl_error_set(err, -EINVAL, "unknown profile %d", (int)cfg->profile);
    if (cfg->site > 255)
        return atl_error_set(err, -EINVAL, "site %u: expected 0 … 255", cfg->site);
    if (cfg->subscribers < 1 || cfg->subscribers > 65000)
        return atl_error_set(err, -EINVAL, "subscribers %u: expected 1 … 65000", cfg->subscribers);
    if (!(cfg->flows_per_second >= 0.01 && cfg->flows_per_second <= 1e5))
        return atl_error_set(err, -EINVAL, "flow rate %g: expected 0.01 … 100000 flows/s",
                             cfg->flows_per_second);
    if (cfg->duration_ns < ATL_NS_PER_MS || cfg->duration_ns > 366 * 86400 * ATL_NS_PER_S)
        return atl_error_set(err, -EINVAL, "duration: expected 1 ms … 366 days");
    if (cfg->start_ns > UINT32_MAX * ATL_NS_PER_S - cfg->duration_ns)
        return atl_error_set(err, -EINVAL, "start: a pcap file ends in the year 2106");
    if (cfg->snap_bytes < 64 || cfg->snap_bytes > 65535)
        return atl_error_set(err, -EINVAL, "captured length %u: expected 64 … 65535 bytes",
                             cfg->snap_bytes);
    if (cfg->n_attacks > TRAF_ATTACKS_MAX)
        return atl_error_set(err, -EINVAL, "%u attacks: at most %d expected", cfg->n_attacks,
                             TRAF_ATTACKS_MAX);
    for (uint32_t i = 0; i < cfg->n_attacks; i++) {
        int r = check_attack(cfg, i, err);
        if (r < 0)
            return r;
    }
    return 0;
}
