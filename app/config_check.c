/* SPDX-License-Identifier: Apache-2.0 */
#include "app/config_file_priv.h"
#include "app/exporter_priv.h"
#include "bus/bus.h"

#include <string.h>

struct judge {
    const struct config *cfg;
    const struct config_places *places;
    struct config_report *report;
};

static struct config_place place_of(const struct judge *j, const char *path)
{
    size_t n;
    const struct config_key *keys = config_keys(&n);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(keys[i].path, path) == 0)
            return j->places->at[i];
    }
    return config_nowhere;
}

static const char *or_null(const char *text)
{
    return text[0] != '\0' ? text : NULL;
}

static void check_broker(const struct judge *j)
{
    const struct config *c = j->cfg;
    struct bus_config bus;
    struct atl_error err;
    if (c->broker.url[0] == '\0')
        return;
    bus_config_default(&bus);
    bus.url = c->broker.url;
    bus.username = or_null(c->broker.username);
    bus.password = or_null(c->broker.password_file); /* that there is one, not which */
    bus.ca_file = or_null(c->broker.ca);
    bus.cert_file = or_null(c->broker.cert);
    bus.key_file = or_null(c->broker.key);
    if (bus_config_check(&bus, &err) < 0)
        config_problem(j->report, place_of(j, "broker.url"), "broker: %.200s", err.text);
}

static void check_export(const struct judge *j)
{
    const struct config *c = j->cfg;
    struct exporter_config exporter;
    struct atl_error err;
    config_exporter(c, &exporter);
    if (c->export.to[0] != '\0' && exporter_config_check(&exporter, &err) < 0)
        config_problem(j->report, place_of(j, "export.to"), "export: %.200s", err.text);
}

static void check_simulation(const struct judge *j)
{
    const struct config *c = j->cfg;
    bool column = c->simulate.partition == 1, file = c->simulate.partition == 0;
    if (c->federation.rounds == 0)
        config_problem(j->report, place_of(j, "federation.rounds"),
                       "federation.rounds: expected at least 1 in a simulation");
    if (c->simulate.kind == 1 && !file)
        config_problem(j->report, place_of(j, "simulate.partition"),
                       "simulate.partition: expected file when the data are captures");
    if (c->simulate.kind == 1 && c->simulate.n_attacks == 0)
        config_problem(j->report, config_nowhere,
                       "simulate.attacks is missing: captures of attacks to measure on");
    if (c->simulate.kind == 0 && c->simulate.label[0] == '\0')
        config_problem(j->report, config_nowhere,
                       "simulate.label is missing: the column that names the attacks");
    if (c->simulate.kind == 0 && c->simulate.n_normal == 0)
        config_problem(j->report, config_nowhere,
                       "simulate.normal is missing: the labels of normal rows");
    if (column && (c->simulate.column[0] == '\0' || c->simulate.n_groups == 0))
        config_problem(j->report, place_of(j, "simulate.partition"),
                       "simulate.partition: column needs simulate.column and simulate.groups");
}

/* Edges and both hubs carry the same two names. */
static void check_hubs(const struct judge *j)
{
    const struct config *c = j->cfg;
    const char *hub = c->federation.hub, *standby = c->federation.standby;
    struct config_place at = place_of(j, "federation.hub");
    struct config_place second = place_of(j, "federation.standby");
    if (standby[0] != '\0' && strcmp(hub, standby) == 0)
        config_problem(j->report, second,
                       "federation.standby: expected another node than federation.hub");
    if (c->role == CONFIG_EDGE && (strcmp(hub, c->node) == 0 || strcmp(standby, c->node) == 0))
        config_problem(j->report, strcmp(hub, c->node) == 0 ? at : second,
                       "federation: this node, '%s', is the edge: name the hub's node here",
                       c->node);
    if (c->role != CONFIG_HUB)
        return;
    if (standby[0] != '\0' && hub[0] == '\0')
        config_problem(
            j->report, second,
            "federation.hub is missing: with a standby both hubs and all edges name both");
    else if (hub[0] != '\0' && strcmp(hub, c->node) != 0 && strcmp(standby, c->node) != 0)
        config_problem(
            j->report, at,
            "federation.hub: expected that it or federation.standby names this node, '%s'",
            c->node);
}

/* What the hub itself would refuse; 'check' and a reload must say so before. */
static void check_rounds(const struct judge *j)
{
    const struct config *c = j->cfg;
    uint64_t quorum = c->federation.quorum;
    if (c->role == CONFIG_EDGE)
        return;
    if (c->federation.expected != 0 && c->federation.expected < quorum)
        config_problem(j->report, place_of(j, "federation.expected"),
                       "federation.expected: expected at least federation.quorum, or 0");
    if (c->federation.cohort != 0 && c->federation.cohort < quorum)
        config_problem(j->report, place_of(j, "federation.cohort"),
                       "federation.cohort: expected at least federation.quorum, or 0");
    if (c->federation.spread > c->federation.deadline / 2)
        config_problem(j->report, place_of(j, "federation.spread"),
                       "federation.spread: expected at most half of federation.deadline");
}

static void check_flows(const struct judge *j)
{
    const struct config *c = j->cfg;
    if (c->flows.detail > c->flows.max)
        config_problem(j->report, place_of(j, "flows.detail"),
                       "flows.detail: expected at most flows.max");
    if (c->hosts.step > c->hosts.window)
        config_problem(j->report, place_of(j, "hosts.step"),
                       "hosts.step: expected at most hosts.window");
    if (c->role == CONFIG_EDGE && c->capture.backend == 0 && !c->capture.file &&
        strchr(c->capture.device, '/') != NULL)
        config_problem(j->report, place_of(j, "capture.device"),
                       "capture.device is a path: add 'file: true' to read a capture file");
}

static void check_federation(const struct judge *j)
{
    const struct config *c = j->cfg;
    bool federated = c->federation.name[0] != '\0';
    if (federated && c->broker.url[0] == '\0')
        config_problem(j->report, config_nowhere,
                       "broker.url is missing: a federation needs a broker");
    if (federated && c->federation.keys[0] == '\0')
        config_problem(j->report, config_nowhere,
                       "federation.keys is missing: folder of the nodes' .pub files");
    if (federated && c->role == CONFIG_EDGE && c->federation.hub[0] == '\0')
        config_problem(j->report, config_nowhere,
                       "federation.hub is missing: name of the hub whose plans count");
    if (!federated && c->role == CONFIG_EDGE && c->federation.hub[0] != '\0')
        config_problem(j->report, place_of(j, "federation.hub"),
                       "federation.name is missing: without it there is no federation to take "
                       "part in");
    if (!federated && c->role == CONFIG_HUB)
        config_problem(j->report, config_nowhere,
                       "federation.name is missing: a hub without federation has no work");
}

void config_check_sense(const struct config *cfg, const struct config_places *places,
                        struct config_report *report)
{
    const struct judge j = {cfg, places, report};
    check_broker(&j);
    check_export(&j);
    check_flows(&j);
    check_federation(&j);
    if (cfg->role == CONFIG_SIMULATE)
        check_simulation(&j);
    check_hubs(&j);
    check_rounds(&j);
}
