/* SPDX-License-Identifier: Apache-2.0 */
#include "app/config_priv.h"
#include "app/exporter_priv.h"
#include "fedsync/fedsync.h"

#include <string.h>

static const char *const roles[] = {"edge", "hub", "simulate", NULL}; /* enum config_role */
/* in the order of enum exporter_format */
static const char *const formats[] = {"csv", "jsonl", "ipfix", NULL};
static const char *const profiles[] = {"atalaya", "cic", "cic-compat", NULL}; /* exporter_profile */
static const char *const backends[] = {"libpcap", "dpdk", NULL};
static const char *const distributions[] = {"auto", "device", "software", NULL};
static const char *const fallbacks[] = {"none", "libpcap", NULL};
static const char *const key_views[] = {"inner", "outer", NULL}; /* enum dp_key_view */
/* What one protected thing is: FED_UNIT_FLOW, FED_UNIT_HOST */
static const char *const units[] = {"flow", "host", NULL};
static const char *const encodings[] = {"float32", "int8", "rotated4", NULL};
static const char *const rules[] = {"mean", "trimmed", "median", "centred", NULL};
static const char *const optimisers[] = {"avg", "avgm", "adam", NULL};

static const char *const data_kinds[] = {"csv", "capture", NULL};
static const char *const partitions[] = {"file", "column", "dirichlet", NULL};
static const char *const attacks[] = {"none", "sign_flip", "x10", "alie", "nan", "replay", NULL};

enum { E = 1 << CONFIG_EDGE, H = 1 << CONFIG_HUB, S = 1 << CONFIG_SIMULATE };

#define AT(field)    offsetof(struct config, field)
#define BYTES(field) sizeof(((struct config *)0)->field)

#define TEXT(path, field, need, who, help)                                         \
    {                                                                              \
        path, CONFIG_TEXT, AT(field), BYTES(field), 0, 0, 0, NULL, need, who, help \
    }
#define NAME(path, field, need, who, help)                                         \
    {                                                                              \
        path, CONFIG_NAME, AT(field), BYTES(field), 0, 0, 0, NULL, need, who, help \
    }
#define BOOL(path, field, who, help)                                                \
    {                                                                               \
        path, CONFIG_BOOL, AT(field), BYTES(field), 0, 0, 0, NULL, false, who, help \
    }
#define COUNT(path, field, low, high, who, help)                                          \
    {                                                                                     \
        path, CONFIG_COUNT, AT(field), BYTES(field), 0, low, high, NULL, false, who, help \
    }
#define NUMBER(path, field, low, high, who, help)                                          \
    {                                                                                      \
        path, CONFIG_NUMBER, AT(field), BYTES(field), 0, low, high, NULL, false, who, help \
    }
#define DURATION(path, field, low, high, who, help)                                          \
    {                                                                                        \
        path, CONFIG_DURATION, AT(field), BYTES(field), 0, low, high, NULL, false, who, help \
    }
#define CHOICE(path, field, list, need, who, help)                                   \
    {                                                                                \
        path, CONFIG_CHOICE, AT(field), BYTES(field), 0, 0, 0, list, need, who, help \
    }

static const struct config_key keys[] = {
    CHOICE("role", role, roles, true, E | H | S,
           "what this file configures: edge, hub or simulate"),
    NAME("site", site, true, E | H, "place of the node; part of its topics"),
    NAME("node", node, true, E | H, "name of the node; part of its topics, name of its key"),
    TEXT("state_dir", state_dir, true, E | H, "folder for models, ledger and keys"),

    CHOICE("capture.backend", capture.backend, backends, false, E, "how packets are read"),
    TEXT("capture.device", capture.device, true, E,
         "interface, capture file, DPDK port or vdev string"),
    BOOL("capture.file", capture.file, E, "device is a capture file or a net_pcap rx_pcap vdev"),
    BOOL("capture.pace", capture.pace, E, "files: keep the speed of the packets' timestamps"),
    NUMBER("capture.speed", capture.speed, 0.01, 1000, E, "files: times faster than captured"),
    COUNT("capture.snap", capture.snap, 64, 65535, E, "bytes kept of a packet (live libpcap)"),
    BOOL("capture.promiscuous", capture.promiscuous, E, "see packets for other hosts"),
    CHOICE("capture.key", capture.key, key_views, false, E,
           "which IP packet makes the flow: the innermost of a tunnel or the outermost"),
    COUNT("capture.workers", capture.workers, 1, 64, E, "capture threads"),
    CHOICE("capture.distribute", capture.distribute, distributions, false, E,
           "who brings a flow's packets to one worker: the device's hash or software"),
    {"capture.cpus", CONFIG_LIST, AT(capture.cpus), CONFIG_CPU_BYTES, AT(capture.n_cpus), 0, 0,
     NULL, false, E, "processors of the workers, one a list item; none: wherever there is room"},
    CHOICE("capture.fallback", capture.fallback, fallbacks, false, E,
           "what takes over when DPDK cannot open the device; the state is degraded then"),
    TEXT("capture.fallback_device", capture.fallback_device, false, E,
         "interface to fall back to; else the one named by iface= in the device"),
    {"capture.eal", CONFIG_LIST, AT(capture.eal), CONFIG_PATH_BYTES, AT(capture.n_eal), 0, 0, NULL,
     false, E, "further DPDK EAL arguments, one a list item"},

    COUNT("flows.max", flows.max, 1024, 67108864, E, "flows tracked at once; memory is fixed"),
    COUNT("flows.detail", flows.detail, 0, 67108864, E,
          "of these, flows with the sums that only export.profile cic shows; 0 = off"),
    DURATION("flows.timeout_idle", flows.idle, 1, 3600, E, "a TCP flow ends after this silence"),
    DURATION("flows.timeout_active", flows.active, 1, 86400, E,
             "a long flow is reported this often"),
    DURATION("flows.timeout_udp", flows.udp, 1, 3600, E, "a UDP flow ends after this silence"),
    DURATION("flows.timeout_half_open", flows.half_open, 0.5, 300, E,
             "an unanswered TCP flow ends after this silence"),
    DURATION("flows.timeout_closed", flows.closed, 0.1, 300, E,
             "a closed TCP flow waits this long for stragglers"),

    COUNT("hosts.max", hosts.max, 64, 4194304, E, "hosts watched at once; memory is fixed"),
    DURATION("hosts.window", hosts.window, 1, 86400, E, "length of a host window"),
    DURATION("hosts.step", hosts.step, 0.1, 3600, E, "a running window is looked at this often"),

    COUNT("context.max", context.max, 1024, 16777216, E,
          "sources, destinations, pairs and services remembered; memory is fixed"),

    COUNT("learning.flow_rows", learning.flow_rows, 256, 10000000, E,
          "flows seen before the flow detector watches"),
    COUNT("learning.host_rows", learning.host_rows, 128, 10000000, E,
          "host windows seen before the local host model replaces the factory's"),
    COUNT("learning.reservoir", learning.reservoir, 1024, 1000000, E, "rows kept to learn from"),
    DURATION("learning.delay", learning.delay, 0, 86400, E,
             "rows wait so long for a late verdict on their source before they teach"),
    COUNT("learning.per_source", learning.per_source, 0, 10000000, E,
          "rows an hour that one source may teach; 0 = no bound"),
    DURATION("learning.refresh", learning.refresh, 0, 2592000, E,
             "a new model is learned in the shadow this often, and on drift; 0 = on drift only"),
    COUNT("learning.seed", learning.seed, 0, 9007199254740992.0, E,
          "for repeatable runs; 0 draws a new one"),

    COUNT("alerts.open_max", alerts.open_max, 1, 4096, E, "open incidents at once"),
    COUNT("alerts.min_flows", alerts.min_flows, 1, 100000, E,
          "a host with fewer flows in its window is left alone"),
    DURATION("alerts.cooldown", alerts.cooldown, 1, 86400, E,
             "least time between updates of one incident"),
    NUMBER("alerts.false_rate", alerts.false_rate, 0, 1000, E,
           "false alerts an hour to be expected at most, however many hosts; 0 = no bound"),
    DURATION("alerts.clear_after", alerts.clear_after, 1, 604800, E,
             "quiet time that clears an incident"),

    BOOL("link.enabled", link.enabled, E,
         "alert when the link as a whole carries far more or less than expected"),
    NUMBER("link.false_alarms_per_day", link.alarms_per_day, 0.001, 100, E,
           "false alerts that its risk is made for, over all series"),
    NUMBER("link.min_change", link.min_change, 1.1, 1000, E,
           "times more, or less, than expected; a smaller change is none"),
    DURATION("link.warmup", link.warmup, 3600, 2592000, E,
             "a series is watched after so much of it was seen"),
    DURATION("link.accept", link.accept, 600, 2592000, E,
             "a change that lasts so long is the new normal"),

    BOOL("evidence.enabled", evidence.enabled, E,
         "keep the headers of the latest packets, to write those behind an alert"),
    COUNT("evidence.packets", evidence.packets, 64, 16777216, E, "packets kept by each worker"),
    COUNT("evidence.snap", evidence.snap, 32, 2048, E,
          "bytes kept of a packet; headers only with 128"),
    TEXT("evidence.dir", evidence.dir, false, E, "folder of the pcapng files [state_dir/evidence]"),
    COUNT("evidence.max_files", evidence.max_files, 1, 10000, E, "the oldest files make room"),
    BOOL("evidence.on_alert", evidence.on_alert, E, "write a file when an alert is raised"),

    TEXT("export.to", export.to, false, E,
         "flow records go to this file, or as ipfix to udp://host:port or tcp://host:port"),
    CHOICE("export.format", export.format, formats, false, E, "form of the flow records"),
    CHOICE("export.profile", export.profile, profiles, false, E,
           "csv and jsonl: our columns or those of CICFlowMeter, which flows.detail completes"),
    DURATION("export.rotate", export.rotate, 10, 86400, E,
             "files: begin a new one, named by its time, after so long"),
    DURATION("export.template_interval", export.template_every, 1, 3600, E,
             "ipfix: time between two reports of drops, over UDP also of templates"),
    BOOL("export.nanoseconds", export.nanoseconds, E,
         "ipfix: times in nanoseconds, which fewer collectors read than milliseconds"),
    COUNT("export.domain", export.domain, 0, 4294967295.0, E, "ipfix: observation domain"),

    TEXT("broker.url", broker.url, false, E | H, "mqtt://host:port or mqtts://host:port"),
    TEXT("broker.username", broker.username, false, E | H, "broker login"),
    TEXT("broker.password_file", broker.password_file, false, E | H,
         "file that holds the password"),
    TEXT("broker.ca", broker.ca, false, E | H, "certificate authority of the broker (PEM)"),
    TEXT("broker.cert", broker.cert, false, E | H, "this node's certificate (PEM)"),
    TEXT("broker.key", broker.key, false, E | H, "this node's private key (PEM)"),
    COUNT("broker.queue", broker.queue, 16, 1000000, E | H,
          "messages kept while the broker is away"),
    DURATION("broker.metrics_every", broker.metrics_every, 0.2, 3600, E | H,
             "time between two metrics messages"),

    NAME("federation.name", federation.name, false, E | H, "federation to take part in"),
    NAME("federation.hub", federation.hub, false, E | H, "node name of the hub whose plans count"),
    NAME("federation.standby", federation.standby, false, E | H,
         "node name of a second hub, which takes over when the first one falls silent"),
    TEXT("federation.keys", federation.keys, false, E | H,
         "folder of <node>.pub files: the roster"),
    CHOICE("federation.unit", federation.unit, units, false, E | H,
           "what one protected unit is: one flow, or all remembered flows of one host"),
    NUMBER("federation.budget_epsilon", federation.budget_epsilon, 0.01, 100, E,
           "privacy budget; when it is spent the edge goes on detecting and stops contributing"),
    NUMBER("federation.delta", federation.delta, 1e-12, 0.01, E | H | S,
           "delta of the privacy guarantee"),
    COUNT("federation.rounds", federation.rounds, 0, 1e9, H | S, "stop after so many; 0 = no end"),
    COUNT("federation.quorum", federation.quorum, 1, 1024, H | S, "least updates for a commit"),
    COUNT("federation.expected", federation.expected, 0, 1024, H | S,
          "aggregate as soon as so many have come; 0 = all that were online at the start"),
    DURATION("federation.deadline", federation.deadline, 1, 604800, H | S, "length of a round"),
    DURATION("federation.pause", federation.pause, 0, 604800, H | S, "time between rounds"),
    COUNT("federation.steps", federation.steps, 1, 100000, H | S,
          "private training steps in a round"),
    NUMBER("federation.sample_rate", federation.sample_rate, 1e-6, 1, H | S,
           "probability that a row joins a step"),
    NUMBER("federation.clip", federation.clip, 1e-4, 1000, H | S,
           "norm bound of one row's gradient"),
    NUMBER("federation.noise_multiplier", federation.noise_multiplier, 0.1, 1000, H | S,
           "noise standard deviation / clip"),
    NUMBER("federation.learning_rate", federation.learning_rate, 1e-6, 1, H | S, "of the edges"),
    NUMBER("federation.server_rate", federation.server_rate, 1e-3, 10, H | S,
           "step along the mean update; 1 = FedAvg"),
    NUMBER("federation.norm_max", federation.norm_max, 0, 1e6, H | S,
           "longer updates are scaled down to this; 0 = off"),
    CHOICE("federation.encoding", federation.encoding, encodings, false, H | S,
           "how updates travel: 32, 8 or 4 bits a number"),
    NUMBER("federation.proximal", federation.proximal, 0, 1000, H | S,
           "FedProx: pull of local training towards the common model; 0 = none"),
    CHOICE("federation.rule", federation.rule, rules, false, H | S,
           "how updates become one step; all but mean bound what a hostile minority can do"),
    NUMBER("federation.trim", federation.trim, 0, 0.5, H | S,
           "rule trimmed: share of updates left out at each end of every number"),
    CHOICE("federation.optimiser", federation.optimiser, optimisers, false, H | S,
           "how the step moves the model: FedAvg, with momentum, or FedAdam"),
    NUMBER("federation.momentum", federation.momentum, 0, 0.999, H | S,
           "of optimiser avgm and adam"),
    NUMBER("federation.canary_tolerance", federation.canary_tolerance, 0, 10, H | S,
           "a new model may lose so much more on the canary than the best one, else it is refused"),
    COUNT(
        "federation.cohort", federation.cohort, 0, 1024, H | S,
        "updates wanted in a round; as many more edges are asked as usually fail; 0 = all online"),
    DURATION("federation.spread", federation.spread, 0, 302400, H | S,
             "edges begin a round spread over this time, at most half the deadline"),
    DURATION("federation.model_age", federation.model_age, 0, 31536000, H | S,
             "edges drop the common model when the hub was silent for so long; 0 = never"),
    DURATION("federation.lease", federation.lease, 3, 3600, H,
             "with a standby: a hub that is silent for so long may be replaced"),
    COUNT("federation.quarantine_after", federation.quarantine_after, 0, 1000, H | S,
          "rounds an edge may spoil before its updates no longer count; 0 = never"),
    TEXT("federation.canary", federation.canary, false, H,
         "capture of normal traffic: a new model must not lose on its flows"),

    {"simulate.train", CONFIG_LIST, AT(simulate.train), BYTES(simulate.train[0]),
     AT(simulate.n_train), 0, 0, NULL, true, S,
     "files to learn from, one a list item; * and ? as in a shell"},
    {"simulate.test", CONFIG_LIST, AT(simulate.test), BYTES(simulate.test[0]), AT(simulate.n_test),
     0, 0, NULL, true, S, "files to measure on; of captures those with normal traffic"},
    {"simulate.attacks", CONFIG_LIST, AT(simulate.attacks), BYTES(simulate.attacks[0]),
     AT(simulate.n_attacks), 0, 0, NULL, false, S, "captures of attacks to measure on"},
    CHOICE("simulate.kind", simulate.kind, data_kinds, false, S, "what the files are"),
    BOOL("simulate.header", simulate.header, S, "csv: the first row names the columns"),
    TEXT("simulate.label", simulate.label, false, S,
         "csv: column that is no input, by name or number"),
    {"simulate.normal", CONFIG_LIST, AT(simulate.normal), BYTES(simulate.normal[0]),
     AT(simulate.n_normal), 0, 0, NULL, false, S, "csv: labels of normal rows; none: all are"},
    {"simulate.drop", CONFIG_LIST, AT(simulate.drop), BYTES(simulate.drop[0]), AT(simulate.n_drop),
     0, 0, NULL, false, S, "csv: further columns that are no inputs"},
    CHOICE("simulate.partition", simulate.partition, partitions, false, S,
           "what makes an edge: a file, words of a column, or chance"),
    TEXT("simulate.column", simulate.column, false, S,
         "csv: column that tells edges, or classes for dirichlet, apart"),
    {"simulate.groups", CONFIG_LIST, AT(simulate.groups), BYTES(simulate.groups[0]),
     AT(simulate.n_groups), 0, 0, NULL, false, S,
     "partition column: name=word,word of each edge; name=* takes the rest"},
    {"simulate.widths", CONFIG_LIST, AT(simulate.widths), CONFIG_CPU_BYTES, AT(simulate.n_widths),
     0, 0, NULL, false, S, "hidden layers of the model, one width a list item [n/2, n/8, n/2]"},
    COUNT("simulate.edges", simulate.edges, 1, 1000, S, "partition dirichlet: how many"),
    NUMBER("simulate.alpha", simulate.alpha, 0.001, 1000, S,
           "partition dirichlet: smaller is less alike"),
    COUNT("simulate.seed", simulate.seed, 1, 9007199254740992.0, S,
          "the same seed gives the same run"),
    BOOL("simulate.private", simulate.private, S,
         "edges train with DP-SGD; false: plainly, to compare"),
    NUMBER("simulate.epsilon", simulate.epsilon, 0, 1000, S,
           "noise for this epsilon after all rounds; 0 = federation.noise_multiplier"),
    NUMBER("simulate.target_auc", simulate.target_auc, 0, 1, S,
           "the first round to reach it is told; 0 = none"),
    COUNT("simulate.canary_rows", simulate.canary_rows, 0, 4096, S,
          "normal rows that the hub keeps to judge models; 0 = no canary"),
    COUNT("simulate.alone", simulate.alone, 0, 1000, S,
          "so many edges are also trained alone, and all rows together; 0 = neither"),
    NUMBER("simulate.dropouts", simulate.dropouts, 0, 0.95, S,
           "share of edges that vanish in a round, drawn anew"),
    NUMBER("simulate.stragglers", simulate.stragglers, 0, 1, S, "share of edges that are slow"),
    NUMBER("simulate.slowness", simulate.slowness, 1, 1000, S,
           "they need so many tenths of the deadline"),
    NUMBER("simulate.attackers", simulate.attackers, 0, 0.95, S, "share of edges that attack"),
    {"simulate.attack_edges", CONFIG_LIST, AT(simulate.attack_edges),
     BYTES(simulate.attack_edges[0]), AT(simulate.n_attack_edges), 0, 0, NULL, false, S,
     "names of edges that attack, instead of a share"},
    CHOICE("simulate.attack", simulate.attack, attacks, false, S, "what they do"),
};

const struct config_key *config_keys(size_t *ret_n)
{
    *ret_n = ATL_ARRAY_LEN(keys);
    return keys;
}

void config_default(struct config *cfg, enum config_role role)
{
    memset(cfg, 0, sizeof(*cfg));
    cfg->role = role;
    cfg->capture.promiscuous = true;
    cfg->capture.speed = 1;
    cfg->capture.snap = 256;
    cfg->capture.workers = 1;
    cfg->flows.max = 65536;
    cfg->flows.idle = cfg->flows.active = 60 * ATL_NS_PER_S;
    cfg->flows.udp = 30 * ATL_NS_PER_S;
    cfg->flows.half_open = 5 * ATL_NS_PER_S;
    cfg->flows.closed = 2 * ATL_NS_PER_S;
    cfg->hosts.max = 16384;
    cfg->hosts.window = 60 * ATL_NS_PER_S;
    cfg->hosts.step = 5 * ATL_NS_PER_S;
    cfg->context.max = 65536;
    cfg->learning.flow_rows = 5000;
    cfg->learning.host_rows = 20000;
    cfg->learning.reservoir = 20000;
    cfg->learning.delay = 600 * ATL_NS_PER_S;
    cfg->learning.per_source = 2000;
    cfg->learning.refresh = 86400 * ATL_NS_PER_S;
    cfg->alerts.open_max = 256;
    cfg->alerts.min_flows = 20;
    cfg->alerts.cooldown = 60 * ATL_NS_PER_S;
    cfg->alerts.clear_after = 300 * ATL_NS_PER_S;
    cfg->link.enabled = true;
    cfg->link.alarms_per_day = 0.1;
    cfg->link.min_change = 2;
    cfg->link.warmup = 86400 * ATL_NS_PER_S;
    cfg->link.accept = 6 * 3600 * ATL_NS_PER_S;
    cfg->alerts.false_rate = 1;
    cfg->evidence.packets = 65536;
    cfg->evidence.snap = 128;
    cfg->evidence.max_files = 100;
    cfg->evidence.on_alert = true;
    cfg->export.rotate = 300 * ATL_NS_PER_S;
    cfg->export.template_every = 60 * ATL_NS_PER_S;
    cfg->export.domain = 1;
    cfg->broker.queue = 10000;
    cfg->broker.metrics_every = 5 * ATL_NS_PER_S;
    cfg->federation.budget_epsilon = 8;
    cfg->federation.delta = 1e-5;
    cfg->federation.quorum = 2;
    cfg->federation.deadline = 300 * ATL_NS_PER_S;
    cfg->federation.pause = 60 * ATL_NS_PER_S;
    cfg->federation.steps = 50;
    cfg->federation.sample_rate = 0.05;
    cfg->federation.clip = 1;
    cfg->federation.noise_multiplier = 1.2;
    cfg->federation.learning_rate = 1e-3;
    cfg->federation.server_rate = 1;
    cfg->federation.trim = 0.2;
    cfg->federation.momentum = 0.9;
    cfg->federation.canary_tolerance = 0.25;
    cfg->federation.quarantine_after = 3;
    cfg->federation.lease = 30 * ATL_NS_PER_S;
    cfg->simulate.seed = 1;
    cfg->simulate.private = true;
    cfg->simulate.edges = 20;
    cfg->simulate.alpha = 0.5;
    cfg->simulate.alone = 20;
    cfg->simulate.slowness = 20;
}

const char *config_role_name(enum config_role role)
{
    return roles[role];
}

void config_exporter(const struct config *cfg, struct exporter_config *ret_exporter)
{
    exporter_config_default(ret_exporter);
    ret_exporter->format = (enum exporter_format)cfg->export.format;
    ret_exporter->profile = (enum exporter_profile)cfg->export.profile;
    ret_exporter->to = cfg->export.to;
    ret_exporter->rotate_ns = cfg->export.rotate;
    ret_exporter->nanoseconds = cfg->export.nanoseconds;
    ret_exporter->domain = (uint32_t)cfg->export.domain;
    ret_exporter->template_every_ns = cfg->export.template_every;
}

const char *config_unit(const struct config *cfg)
{
    return units[cfg->federation.unit];
}

void config_hub(const struct config *cfg, const char *state_dir, struct fed_hub_config *fed)
{
    fed_hub_config_default(fed);
    fed->federation = cfg->federation.name;
    fed->section = "flow";
    fed->unit = config_unit(cfg);
    fed->state_dir = state_dir;
    fed->rounds = (uint32_t)cfg->federation.rounds;
    fed->quorum = (uint32_t)cfg->federation.quorum;
    fed->expected = (uint32_t)cfg->federation.expected;
    fed->deadline_ns = cfg->federation.deadline;
    fed->pause_ns = cfg->federation.pause;
    fed->steps = (uint32_t)cfg->federation.steps;
    fed->sample_rate = cfg->federation.sample_rate;
    fed->clip = cfg->federation.clip;
    fed->noise_multiplier = cfg->federation.noise_multiplier;
    fed->delta = cfg->federation.delta;
    fed->learning_rate = (float)cfg->federation.learning_rate;
    fed->server_rate = (float)cfg->federation.server_rate;
    fed->norm_max = cfg->federation.norm_max;
    fed->encoding = (enum fed_encoding)cfg->federation.encoding;
    fed->proximal = (float)cfg->federation.proximal;
    fed->rule = (enum fed_rule)cfg->federation.rule;
    fed->trim = cfg->federation.trim;
    fed->optimiser = (enum fed_optimiser)cfg->federation.optimiser;
    fed->momentum = (float)cfg->federation.momentum;
    fed->canary_tolerance = cfg->federation.canary_tolerance;
    fed->cohort = (uint32_t)cfg->federation.cohort;
    fed->spread_ns = cfg->federation.spread;
    fed->model_age_ns = cfg->federation.model_age;
    fed->quarantine_after = (uint32_t)cfg->federation.quarantine_after;
}
