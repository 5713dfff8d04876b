/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One YAML file → one plain struct. Every key is one row of a table (config_schema.c) that gives
 * path, type, place, range and help; the walk over the file (config.c) knows no key.
 */
#ifndef CONFIG_PRIV_H
#define CONFIG_PRIV_H

#include "base/base.h"

#include <stdio.h>

#define CONFIG_NAME_BYTES 33
#define CONFIG_PATH_BYTES 256
#define CONFIG_LIST_MAX   31
#define CONFIG_CPU_BYTES  8

enum config_role { CONFIG_EDGE, CONFIG_HUB, CONFIG_SIMULATE, CONFIG_ROLES };

const char *config_role_name(enum config_role role);

struct config {
    uint32_t role;
    char site[CONFIG_NAME_BYTES], node[CONFIG_NAME_BYTES];
    char state_dir[CONFIG_PATH_BYTES];
    struct {
        uint32_t backend, key;
        char device[CONFIG_PATH_BYTES];
        bool file, pace, promiscuous;
        double speed;
        uint64_t snap, workers;
        uint32_t distribute, fallback;
        char fallback_device[CONFIG_PATH_BYTES];
        char cpus[CONFIG_LIST_MAX][CONFIG_CPU_BYTES];
        uint32_t n_cpus;
        char eal[CONFIG_LIST_MAX][CONFIG_PATH_BYTES];
        uint32_t n_eal;
    } capture;
    struct {
        uint64_t max, detail;
        atl_ns idle, active, udp, half_open, closed;
    } flows;
    struct {
        uint64_t max;
        atl_ns window, step;
    } hosts;
    struct {
        uint64_t max;
    } context;
    struct {
        uint64_t flow_rows, host_rows, reservoir, seed, per_source;
        atl_ns delay, refresh;
    } learning;
    struct {
        uint64_t open_max, min_flows;
        atl_ns cooldown, clear_after;
        double false_rate;
    } alerts;
    struct {
        bool enabled;
        double alarms_per_day, min_change;
        atl_ns warmup, accept;
    } link;
    struct {
        bool enabled, on_alert;
        uint64_t packets, snap, max_files;
        char dir[CONFIG_PATH_BYTES]; /* "": <state_dir>/evidence */
    } evidence;
    struct {
        uint32_t format, profile;
        char to[CONFIG_PATH_BYTES]; /* "" = no export */
        atl_ns rotate, template_every;
        bool nanoseconds;
        uint64_t domain;
    } export;
    struct {
        char url[CONFIG_PATH_BYTES];
        char username[CONFIG_PATH_BYTES], password_file[CONFIG_PATH_BYTES];
        char ca[CONFIG_PATH_BYTES], cert[CONFIG_PATH_BYTES], key[CONFIG_PATH_BYTES];
        uint64_t queue;
        atl_ns metrics_every;
    } broker;
    struct {
        char name[CONFIG_NAME_BYTES], hub[CONFIG_NAME_BYTES], standby[CONFIG_NAME_BYTES];
        char keys[CONFIG_PATH_BYTES];
        uint32_t unit; /* config_unit */
        double budget_epsilon, delta;
        uint64_t rounds, quorum, expected, steps;
        atl_ns deadline, pause;
        double sample_rate, clip, noise_multiplier, learning_rate, server_rate, norm_max;
        uint32_t encoding, rule, optimiser;
        double proximal, trim, momentum, canary_tolerance;
        uint64_t quarantine_after, cohort;
        atl_ns spread, model_age, lease;
        char canary[CONFIG_PATH_BYTES]; /* "" = none */
    } federation;
    struct {
        char train[CONFIG_LIST_MAX][CONFIG_PATH_BYTES], test[CONFIG_LIST_MAX][CONFIG_PATH_BYTES];
        char attacks[CONFIG_LIST_MAX][CONFIG_PATH_BYTES];
        uint32_t n_train, n_test, n_attacks;
        uint32_t kind;
        bool header;
        char label[CONFIG_NAME_BYTES], column[CONFIG_NAME_BYTES];
        char normal[CONFIG_LIST_MAX][CONFIG_NAME_BYTES], drop[CONFIG_LIST_MAX][CONFIG_NAME_BYTES];
        char groups[CONFIG_LIST_MAX][CONFIG_PATH_BYTES];
        uint32_t n_normal, n_drop, n_groups;
        uint32_t partition;
        uint64_t edges, seed, canary_rows, alone;
        double alpha, epsilon, target_auc;
        bool private;
        double dropouts, stragglers, slowness, attackers;
        char attack_edges[CONFIG_LIST_MAX][CONFIG_NAME_BYTES];
        uint32_t n_attack_edges, attack;
        char widths[CONFIG_LIST_MAX][CONFIG_CPU_BYTES];
        uint32_t n_widths;
    } simulate;
    uint8_t digest[8]; /* of the file's bytes */
};

#define CONFIG_PROBLEMS_MAX 50

struct config_problem {
    uint32_t line, column; /* from 1; 0 = the file as a whole */
    char text[240];
};

struct config_report {
    uint32_t n; /* those kept; more are only counted in `more` */
    uint32_t more;
    struct config_problem problems[CONFIG_PROBLEMS_MAX];
    char *source; /* the file, for showing lines; NULL when unreadable */
    size_t source_bytes;
};

enum config_type {
    CONFIG_TEXT,     /* char[size] */
    CONFIG_NAME,     /* char[CONFIG_NAME_BYTES], [a-z0-9-] */
    CONFIG_BOOL,     /* bool */
    CONFIG_COUNT,    /* uint64_t, min … max */
    CONFIG_NUMBER,   /* double, min … max */
    CONFIG_DURATION, /* atl_ns from 250ms, 5s, 10m, 2h, 1d; min … max in seconds */
    CONFIG_CHOICE,   /* uint32_t index into `choices` */
    CONFIG_LIST,     /* char[CONFIG_LIST_MAX][size] and a uint32_t count at `count_offset` */
};

struct config_key {
    const char *path; /* "capture.device" */
    enum config_type type;
    size_t offset, size, count_offset;
    double min, max;
    const char *const *choices; /* NULL-terminated */
    bool required;
    unsigned roles; /* bit per enum config_role that knows this key */
    const char *help;
};

/** The whole table. */
const struct config_key *config_keys(size_t *ret_n);
void config_default(struct config *cfg, enum config_role role);
/** Name of the privacy unit, FED_UNIT_FLOW or FED_UNIT_HOST. */
const char *config_unit(const struct config *cfg);

struct exporter_config;
/** What export.* asks for; its strings are the config's. */
void config_exporter(const struct config *cfg, struct exporter_config *ret_exporter);

struct fed_hub_config;
/** What federation.* asks of a hub; its strings are the config's and `state_dir`. */
void config_hub(const struct config *cfg, const char *state_dir, struct fed_hub_config *ret_fed);

/** @return 0, or -EINVAL with at least one problem in the report; finish the report in any case */
int config_load(const char *path, struct config *cfg, struct config_report *report);
/** `file:line:col: text`, the line, a caret; one problem after the other. */
void config_report_print(const struct config_report *report, const char *path, FILE *out);
void config_report_finish(struct config_report *report);

/** For a verb that needs a file of this role: load it, or say on stderr what is wrong. @return exit
 * code */
int config_read(const char *path, enum config_role role, struct config *cfg);

/** One scalar into its place. @return 0, or -EINVAL with what was expected in *err */
int config_value_parse(const struct config_key *key, const char *text, struct config *cfg,
                       struct atl_error *err);
/** `5s`, `250ms`, `10m`, `2h`, `1d`, `1.5s` → ns. @return 0, -EINVAL */
int config_duration_parse(const char *text, atl_ns *ret_ns);

#endif
