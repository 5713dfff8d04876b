/* SPDX-License-Identifier: Apache-2.0 */
#include "app/app_priv.h"
#include "app/options_priv.h"
#include "app/outfile_priv.h"
#include "traffic/traffic.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define VERB "traffic"

struct request {
    struct traf_config cfg;
    const char *out, *labels;
    int profile; /* enum traf_profile */
    bool json, list;
};

static const char help[] =
    "Usage: atalaya traffic --out FILE.pcap|- [options]\n"
    "Make realistic telecom traffic, with labelled attacks if wanted. Same seed, same bytes.\n"
    "\n"
    "  --out FILE            capture to write (pcap, nanoseconds); - is standard output\n"
    "  --profile NAME        residential, business, mobile or iot (residential)\n"
    "  --site N              0 ... 255: subscribers are 10.N.0.0/16 and fd00:N::/64 (1)\n"
    "  --seed N              another number, another capture (1)\n"
    "  --duration TIME       length: ms, s, m, h or d (1m)\n"
    "  --start TIME          RFC 3339 time of the first packet, or now (2026-01-05T12:00:00Z)\n"
    "  --subscribers N       1 ... 65000 (200)\n"
    "  --rate N              benign flows per second, mean over the day (50)\n"
    "  --snap BYTES          captured length of a packet, 64 ... 65535 (65535)\n"
    "  --attack NAME@AFTER+DURATION[:PPS]\n"
    "                        lay an attack over it; may be given up to 64 times\n"
    "  --labels FILE.csv     when, from where and against whom each attack went\n"
    "  --steady              no daily rhythm: --rate holds at every hour\n"
    "  --json                the summary as one JSON object on standard output\n"
    "  --list                the profiles and attacks\n"
    "  --help                this page\n"
    "\n"
    "Example: ten minutes of an office network, scanned after five minutes\n"
    "  atalaya traffic --out office.pcap --profile business --duration 10m \\\n"
    "    --attack horizontal-scan@5m+60s --labels office.csv\n";

/* --- values --- */

static int bad(const char *option, const char *value, const char *expected, struct atl_error *err)
{
    return atl_error_set(err, -EINVAL, "--%s: expected %s, found '%.64s'", option, expected, value);
}

/* One duration at the front of text; *ret_end is what follows. */
static bool scan_duration(const char *text, const char **ret_end, atl_ns *ret_ns)
{
    static const struct {
        const char *unit;
        double ns;
    } units[] = {{"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}, {"d", 86400e9}};
    if ((text[0] < '0' || text[0] > '9') && text[0] != '.')
        return false;
    size_t digits = strspn(text, "0123456789.");
    char *end;
    double v = strtod(text, &end);
    if (end != text + digits)
        return false;
    for (size_t i = 0; i < ATL_ARRAY_LEN(units); i++) {
        size_t n = strlen(units[i].unit);
        if (strncmp(end, units[i].unit, n) != 0 || v * units[i].ns > 1e18)
            continue;
        *ret_ns = (atl_ns)(v * units[i].ns);
        *ret_end = end + n;
        return true;
    }
    return false;
}

static int take_duration(void *ctx, const char *text, struct atl_error *err)
{
    struct traf_config *cfg = ctx;
    const char *end;
    if (!scan_duration(text, &end, &cfg->duration_ns) || *end != '\0')
        return bad("duration", text, "a duration such as 500ms, 90s, 10m, 2h or 1d", err);
    return 0;
}

/* The zone of an RFC 3339 time: Z or ±hh:mm */
static bool scan_zone(const char *text, long *ret_offset_s)
{
    int hours, minutes, used = 0;
    *ret_offset_s = 0;
    if (strcmp(text, "Z") == 0 || strcmp(text, "z") == 0)
        return true;
    if ((text[0] != '+' && text[0] != '-') ||
        sscanf(text + 1, "%2d:%2d%n", &hours, &minutes, &used) != 2 || used != 5 ||
        text[6] != '\0' || hours > 23 || minutes > 59)
        return false;
    *ret_offset_s = (text[0] == '-' ? -1 : 1) * (hours * 3600L + minutes * 60L);
    return true;
}

static int take_start(void *ctx, const char *text, struct atl_error *err)
{
    static const char expected[] = "now or a time such as 2026-01-05T12:00:00Z";
    struct traf_config *cfg = ctx;
    if (strcmp(text, "now") == 0) {
        cfg->start_ns = atl_clock_wall_ns();
        return 0;
    }
    struct tm tm = {0};
    const char *at = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    double fraction = 0;
    if (at != NULL && *at == '.') {
        char *end;
        fraction = strtod(at, &end);
        at = end;
    }
    long offset_s;
    if (at == NULL || !scan_zone(at, &offset_s))
        return bad("start", text, expected, err);
    time_t seconds = timegm(&tm) - offset_s;
    if (seconds < 0)
        return bad("start", text, expected, err);
    cfg->start_ns = (atl_ns)seconds * ATL_NS_PER_S + (atl_ns)(fraction * 1e9);
    return 0;
}

static int parse_attack_name(const char *text, size_t bytes, enum traf_attack *ret_attack,
                             struct atl_error *err)
{
    const char *names[TRAF_ATTACK_COUNT];
    char name[64];
    snprintf(name, sizeof(name), "%.*s", (int)bytes, text);
    for (int i = 0; i < TRAF_ATTACK_COUNT; i++) {
        names[i] = traf_attack_name((enum traf_attack)i);
        if (strcmp(name, names[i]) == 0) {
            *ret_attack = (enum traf_attack)i;
            return 0;
        }
    }
    const char *near = atl_nearest(name, names, TRAF_ATTACK_COUNT);
    return atl_error_set(
        err, -EINVAL, "--attack: expected a name that --list shows, found '%s'%s%s%s", name,
        near != NULL ? "; did you mean " : "", near != NULL ? near : "", near != NULL ? "?" : "");
}

/* NAME@AFTER+DURATION[:PPS] */
static int take_attack(void *ctx, const char *text, struct atl_error *err)
{
    static const char form[] = "NAME@AFTER+DURATION[:PPS], as in syn-flood@30s+10s:2000";
    struct traf_config *cfg = ctx;
    if (cfg->n_attacks == TRAF_ATTACKS_MAX)
        return bad("attack", text, "at most 64 attacks", err);
    struct traf_attack_plan plan = {0};
    size_t name_bytes = strcspn(text, "@");
    int r = parse_attack_name(text, name_bytes, &plan.attack, err);
    if (r < 0)
        return r;
    const char *at = text + name_bytes;
    if (*at++ != '@' || !scan_duration(at, &at, &plan.after_ns) || *at++ != '+' ||
        !scan_duration(at, &at, &plan.duration_ns))
        return bad("attack", text, form, err);
    if (*at == ':') {
        char *end;
        plan.rate_pps = strtod(at + 1, &end);
        if (end == at + 1 || !(plan.rate_pps > 0) || !isfinite(plan.rate_pps))
            return bad("attack", text, "packets per second above 0 after the colon", err);
        at = end;
    }
    if (*at != '\0')
        return bad("attack", text, form, err);
    cfg->attacks[cfg->n_attacks++] = plan;
    return 0;
}

/* --- options --- */

static int parse(struct request *q, int argc, char **argv)
{
    struct traf_config *cfg = &q->cfg;
    const char *profiles[TRAF_PROFILE_COUNT + 1] = {NULL};
    for (int i = 0; i < TRAF_PROFILE_COUNT; i++)
        profiles[i] = traf_profile_name((enum traf_profile)i);
    const struct options_row rows[] = {
        {"out", 0, OPTIONS_TEXT, .text = &q->out},
        {"labels", 0, OPTIONS_TEXT, .text = &q->labels},
        {"profile", 0, OPTIONS_CHOICE, .choice = &q->profile, .choices = profiles},
        {"site", 0, OPTIONS_COUNT32, .count32 = &cfg->site, .max = 255},
        {"seed", 0, OPTIONS_COUNT, .count = &cfg->seed, .max = 9223372036854774784.0},
        {"duration", 0, OPTIONS_TAKE, .ctx = cfg, .take = take_duration},
        {"start", 0, OPTIONS_TAKE, .ctx = cfg, .take = take_start},
        {"subscribers", 0, OPTIONS_COUNT32, .count32 = &cfg->subscribers, .min = 1, .max = 65000},
        {"rate", 0, OPTIONS_NUMBER, .number = &cfg->flows_per_second, .min = 0.01, .max = 1e5},
        {"snap", 0, OPTIONS_COUNT32, .count32 = &cfg->snap_bytes, .min = 64, .max = 65535},
        {"attack", 0, OPTIONS_TAKE, .ctx = cfg, .take = take_attack},
        {"steady", 0, OPTIONS_FLAG, .flag = &cfg->steady},
        {"json", 0, OPTIONS_FLAG, .flag = &q->json},
        {"list", 0, OPTIONS_FLAG, .flag = &q->list},
    };
    q->profile = (int)cfg->profile;
    int code = options_read(VERB, help, rows, ATL_ARRAY_LEN(rows), argc, argv);
    cfg->profile = (enum traf_profile)q->profile;
    if (code != OPTIONS_GO_ON || q->list)
        return code;
    code = options_no_words(VERB, argc, argv);
    if (code != OPTIONS_GO_ON)
        return code;
    if (q->out == NULL || q->out[0] == '\0')
        return options_usage(VERB, "--out is missing: expected a file name or -");
    if (q->labels != NULL && q->labels[0] == '\0')
        return options_usage(VERB, "--labels: expected a file name, found ''");
    return OPTIONS_GO_ON;
}

/* --- results --- */

static void print_list(void)
{
    printf("profiles:\n");
    for (int i = 0; i < TRAF_PROFILE_COUNT; i++)
        printf("  %-16s %s\n", traf_profile_name((enum traf_profile)i),
               traf_profile_help((enum traf_profile)i));
    printf("attacks:\n");
    for (int i = 0; i < TRAF_ATTACK_COUNT; i++)
        printf("  %-16s %s\n", traf_attack_name((enum traf_attack)i),
               traf_attack_help((enum traf_attack)i));
}

static void format_seconds(atl_ns ns, char out[32])
{
    snprintf(out, 32, "%llu.%09llu", (unsigned long long)(ns / ATL_NS_PER_S),
             (unsigned long long)(ns % ATL_NS_PER_S));
}

static int write_labels(const char *path, const struct traf_summary *summary, struct atl_error *err)
{
    char text[128 + TRAF_ATTACKS_MAX * 224];
    size_t used =
        (size_t)snprintf(text, sizeof(text), "attack,first,last,attacker,victim,packets\n");
    for (uint32_t i = 0; i < summary->n_labels; i++) {
        const struct traf_label *label = &summary->labels[i];
        char first[32], last[32];
        format_seconds(label->first_ns, first);
        format_seconds(label->last_ns, last);
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s,%s,%s,%s,%s,%llu\n",
                                 traf_attack_name(label->attack), first, last, label->attacker,
                                 label->victim, (unsigned long long)label->packets);
    }
    return atl_file_write(path, text, used, 0644, err);
}

static json_t *label_object(const struct traf_label *label)
{
    return json_pack("{s:s, s:f, s:f, s:s, s:s, s:I}", "attack", traf_attack_name(label->attack),
                     "first", (double)label->first_ns / 1e9, "last", (double)label->last_ns / 1e9,
                     "attacker", label->attacker, "victim", label->victim, "packets",
                     (json_int_t)label->packets);
}

static void print_json(const struct request *o, const struct traf_summary *s)
{
    json_t *attacks = json_array();
    for (uint32_t i = 0; i < s->n_labels; i++)
        json_array_append_new(attacks, label_object(&s->labels[i]));
    json_t *root =
        json_pack("{s:s, s:s, s:i, s:I, s:f, s:I, s:I, s:I, s:o}", "out", o->out, "profile",
                  traf_profile_name(o->cfg.profile), "site", (int)o->cfg.site, "seed",
                  (json_int_t)o->cfg.seed, "seconds", (double)o->cfg.duration_ns / 1e9, "packets",
                  (json_int_t)s->packets, "bytes", (json_int_t)s->bytes, "flows",
                  (json_int_t)s->flows, "attacks", attacks);
    json_dumpf(root, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(root);
}

static void print_summary(const struct request *o, const struct traf_summary *s)
{
    fprintf(stderr, "%s: %s, site %u, %.3f s: %llu packets, %llu bytes, %llu flows\n", o->out,
            traf_profile_name(o->cfg.profile), o->cfg.site, (double)o->cfg.duration_ns / 1e9,
            (unsigned long long)s->packets, (unsigned long long)s->bytes,
            (unsigned long long)s->flows);
    for (uint32_t i = 0; i < s->n_labels; i++) {
        const struct traf_label *label = &s->labels[i];
        fprintf(stderr, "  %s: %llu packets in %.3f s, from %s to %s\n",
                traf_attack_name(label->attack), (unsigned long long)label->packets,
                (double)(label->last_ns - label->first_ns) / 1e9,
                label->attacker[0] != '\0' ? label->attacker : "spoofed sources",
                label->victim[0] != '\0' ? label->victim : "many");
    }
}

static int make(const struct request *o)
{
    struct atl_error err;
    struct traf_summary *summary = malloc(sizeof(*summary));
    if (summary == NULL) {
        fprintf(stderr, "atalaya traffic: out of memory\n");
        return EXIT_FAILED;
    }
    int r = o->labels != NULL ? outfile_check(o->labels, &err) : 0;
    if (r == 0)
        r = traf_write_pcap(&o->cfg, o->out, summary, &err);
    if (r == 0 && o->labels != NULL)
        r = write_labels(o->labels, summary, &err);
    if (r < 0) {
        fprintf(stderr, "atalaya traffic: %s\n", err.text);
    } else if (o->json && strcmp(o->out, "-") != 0) {
        print_json(o, summary);
    } else {
        print_summary(o, summary);
    }
    free(summary);
    return r < 0 ? EXIT_FAILED : EXIT_OK;
}

int verb_traffic(int argc, char **argv)
{
    struct request q = {0};
    traf_config_default(&q.cfg);
    int code = parse(&q, argc, argv);
    if (code != OPTIONS_GO_ON)
        return code;
    if (q.list) {
        print_list();
        return EXIT_OK;
    }
    struct atl_error err;
    if (traf_config_check(&q.cfg, &err) < 0)
        return options_usage(VERB, "%s", err.text);
    /* a reader that goes away is an error to report, not a reason to die */
    signal(SIGPIPE, SIG_IGN);
    return make(&q);
}
