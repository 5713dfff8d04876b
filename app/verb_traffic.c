/* SPDX-License-Identifier: Apache-2.0 */
#include "app/app_priv.h"
#include "traffic/traffic.h"

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct options {
    struct traf_config cfg;
    const char *out, *labels;
    bool json, list, help;
};

static const char usage[] =
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

static int bad(const char *option, const char *value, const char *expected)
{
    fprintf(stderr, "atalaya traffic: --%s %s: expected %s\n", option, value, expected);
    return -EINVAL;
}

static int bad_word(const char *option, const char *value, const char *expected,
                    const char *const *words, size_t n)
{
    const char *near = atl_nearest(value, words, n);
    fprintf(stderr, "atalaya traffic: --%s %s: expected %s%s%s%s\n", option, value, expected,
            near != NULL ? "; did you mean " : "", near != NULL ? near : "",
            near != NULL ? "?" : "");
    return -EINVAL;
}

static int parse_number(const char *option, const char *text, uint64_t most, uint64_t *ret_v)
{
    char *end, expected[64];
    errno = 0;
    unsigned long long v = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || v > most) {
        snprintf(expected, sizeof(expected), "a whole number 0 ... %llu", (unsigned long long)most);
        return bad(option, text, expected);
    }
    *ret_v = v;
    return 0;
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

static int parse_duration(const char *option, const char *text, atl_ns *ret_ns)
{
    const char *end;
    if (!scan_duration(text, &end, ret_ns) || *end != '\0')
        return bad(option, text, "a duration such as 500ms, 90s, 10m, 2h or 1d");
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

static int parse_start(const char *text, atl_ns *ret_ns)
{
    static const char expected[] = "now or a time such as 2026-01-05T12:00:00Z";
    if (strcmp(text, "now") == 0) {
        *ret_ns = atl_clock_wall_ns();
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
        return bad("start", text, expected);
    time_t seconds = timegm(&tm) - offset_s;
    if (seconds < 0)
        return bad("start", text, expected);
    *ret_ns = (atl_ns)seconds * ATL_NS_PER_S + (atl_ns)(fraction * 1e9);
    return 0;
}

static int parse_profile(const char *text, enum traf_profile *ret_profile)
{
    const char *names[TRAF_PROFILE_COUNT];
    for (int i = 0; i < TRAF_PROFILE_COUNT; i++) {
        names[i] = traf_profile_name((enum traf_profile)i);
        if (strcmp(text, names[i]) == 0) {
            *ret_profile = (enum traf_profile)i;
            return 0;
        }
    }
    return bad_word("profile", text, "residential, business, mobile or iot", names,
                    TRAF_PROFILE_COUNT);
}

static int parse_attack_name(const char *text, size_t bytes, enum traf_attack *ret_attack)
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
    return bad_word("attack", name, "a name that --list shows", names, TRAF_ATTACK_COUNT);
}

/* NAME@AFTER+DURATION[:PPS] */
static int parse_attack(const char *text, struct traf_config *cfg)
{
    static const char form[] = "NAME@AFTER+DURATION[:PPS], as in syn-flood@30s+10s:2000";
    if (cfg->n_attacks == TRAF_ATTACKS_MAX)
        return bad("attack", text, "at most 64 attacks");
    struct traf_attack_plan plan = {0};
    size_t name_bytes = strcspn(text, "@");
    int r = parse_attack_name(text, name_bytes, &plan.attack);
    if (r < 0)
        return r;
    const char *at = text + name_bytes;
    if (*at++ != '@' || !scan_duration(at, &at, &plan.after_ns) || *at++ != '+' ||
        !scan_duration(at, &at, &plan.duration_ns))
        return bad("attack", text, form);
    if (*at == ':') {
        char *end;
        plan.rate_pps = strtod(at + 1, &end);
        if (end == at + 1 || !(plan.rate_pps > 0) || !isfinite(plan.rate_pps))
            return bad("attack", text, "packets per second above 0 after the colon");
        at = end;
    }
    if (*at != '\0')
        return bad("attack", text, form);
    cfg->attacks[cfg->n_attacks++] = plan;
    return 0;
}

static int parse_rate(const char *text, double *ret_rate)
{
    char *end;
    double v = strtod(text, &end);
    if (end == text || *end != '\0' || !(v >= 0.01 && v <= 1e5))
        return bad("rate", text, "flows per second, 0.01 ... 100000");
    *ret_rate = v;
    return 0;
}

/* --- options --- */

static int parse_number32(const char *option, const char *text, uint32_t low, uint32_t high,
                          uint32_t *ret_v)
{
    uint64_t v = 0;
    int r = parse_number(option, text, high, &v);
    if (r < 0)
        return r;
    if (v < low) {
        char expected[64];
        snprintf(expected, sizeof(expected), "a whole number %u ... %u", low, high);
        return bad(option, text, expected);
    }
    *ret_v = (uint32_t)v;
    return 0;
}

static int take(struct options *o, int letter, const char *value)
{
    struct traf_config *cfg = &o->cfg;
    switch (letter) {
    case 'o':
        o->out = value;
        return value[0] != '\0' ? 0 : bad("out", "''", "a file name or -");
    case 'l':
        o->labels = value;
        return value[0] != '\0' ? 0 : bad("labels", "''", "a file name");
    case 'p':
        return parse_profile(value, &cfg->profile);
    case 's':
        return parse_number32("site", value, 0, 255, &cfg->site);
    case 'e':
        return parse_number("seed", value, INT64_MAX, &cfg->seed);
    case 'd':
        return parse_duration("duration", value, &cfg->duration_ns);
    case 't':
        return parse_start(value, &cfg->start_ns);
    case 'n':
        return parse_number32("subscribers", value, 1, 65000, &cfg->subscribers);
    case 'r':
        return parse_rate(value, &cfg->flows_per_second);
    case 'c':
        return parse_number32("snap", value, 64, 65535, &cfg->snap_bytes);
    case 'a':
        return parse_attack(value, cfg);
    case 'S':
        cfg->steady = true;
        return 0;
    case 'j':
        o->json = true;
        return 0;
    case 'L':
        o->list = true;
        return 0;
    default:
        o->help = true;
        return 0;
    }
}

static const struct option long_options[] = {
    {"out", required_argument, NULL, 'o'},     {"labels", required_argument, NULL, 'l'},
    {"profile", required_argument, NULL, 'p'}, {"site", required_argument, NULL, 's'},
    {"seed", required_argument, NULL, 'e'},    {"duration", required_argument, NULL, 'd'},
    {"start", required_argument, NULL, 't'},   {"subscribers", required_argument, NULL, 'n'},
    {"rate", required_argument, NULL, 'r'},    {"snap", required_argument, NULL, 'c'},
    {"attack", required_argument, NULL, 'a'},  {"steady", no_argument, NULL, 'S'},
    {"json", no_argument, NULL, 'j'},          {"list", no_argument, NULL, 'L'},
    {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0},
};

/* getopt has only the text of an unknown option; the nearest known one helps more. */
static int unknown_option(const char *text, int letter)
{
    const char *names[ATL_ARRAY_LEN(long_options)];
    size_t n = 0;
    while (long_options[n].name != NULL) {
        names[n] = long_options[n].name;
        n++;
    }
    if (letter == ':') {
        fprintf(stderr, "atalaya traffic: %s: expected a value after it\n", text);
        return -EINVAL;
    }
    char word[64];
    snprintf(word, sizeof(word), "%.*s", (int)strcspn(text, "="), text);
    const char *near = atl_nearest(word + strspn(word, "-"), names, n);
    fprintf(stderr, "atalaya traffic: unknown or unusable option %s%s%s%s; try --help\n", word,
            near != NULL ? ", did you mean --" : "", near != NULL ? near : "",
            near != NULL ? "?" : "");
    return -EINVAL;
}

static int parse(struct options *o, int argc, char **argv)
{
    opterr = 0;
    optind = 0; /* glibc: start afresh, whatever was parsed before */
    for (;;) {
        int at = optind == 0 ? 1 : optind;
        int letter = getopt_long(argc, argv, "+:h", long_options, NULL);
        if (letter == -1)
            break;
        if (letter == '?' || letter == ':')
            return unknown_option(argv[at < argc ? at : argc - 1], letter);
        int r = take(o, letter, optarg);
        if (r < 0)
            return r;
    }
    if (o->help || o->list)
        return 0;
    if (optind < argc) {
        fprintf(stderr, "atalaya traffic: unexpected argument %s; try --help\n", argv[optind]);
        return -EINVAL;
    }
    if (o->out == NULL) {
        fprintf(stderr, "atalaya traffic: --out is missing: expected a file name or -\n");
        return -EINVAL;
    }
    return 0;
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

static int print_json(const struct options *o, const struct traf_summary *s)
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
    int r = root == NULL ? -1 : json_dumpf(root, stdout, JSON_COMPACT);
    json_decref(root);
    putchar('\n');
    return r == 0 && fflush(stdout) == 0 ? 0 : -EIO;
}

static void print_summary(const struct options *o, const struct traf_summary *s)
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

static int make(const struct options *o)
{
    struct atl_error err;
    struct traf_summary *summary = malloc(sizeof(*summary));
    if (summary == NULL) {
        fprintf(stderr, "atalaya traffic: out of memory\n");
        return EXIT_FAILED;
    }
    int r = traf_write_pcap(&o->cfg, o->out, summary, &err);
    if (r == 0 && o->labels != NULL)
        r = write_labels(o->labels, summary, &err);
    if (r < 0) {
        fprintf(stderr, "atalaya traffic: %s\n", err.text);
    } else if (o->json && strcmp(o->out, "-") != 0) {
        r = print_json(o, summary);
        if (r < 0)
            fprintf(stderr, "atalaya traffic: cannot write standard output\n");
    } else {
        print_summary(o, summary);
    }
    free(summary);
    return r < 0 ? EXIT_FAILED : EXIT_OK;
}

int verb_traffic(int argc, char **argv)
{
    struct options o = {0};
    traf_config_default(&o.cfg);
    if (parse(&o, argc, argv) < 0)
        return EXIT_USAGE;
    if (o.help || o.list) {
        if (o.help)
            fputs(usage, stdout);
        else
            print_list();
        return fflush(stdout) == 0 ? EXIT_OK : EXIT_FAILED;
    }
    struct atl_error err;
    if (traf_config_check(&o.cfg, &err) < 0) {
        fprintf(stderr, "atalaya traffic: %s\n", err.text);
        return EXIT_USAGE;
    }
    /* a reader that goes away is an error to report, not a reason to die */
    signal(SIGPIPE, SIG_IGN);
    return make(&o);
}
