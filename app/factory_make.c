/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Build tool: learn the factory model from the benign mix of every traffic profile and write it as
 * a C array, so that a new box is useful in its first minute. Usage: factory_make OUT.c
 * SCRATCH.pcap
 */
#include "app/recipe_priv.h"
#include "app/replay_priv.h"
#include "traffic/traffic.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SEED          20261121
#define FACTORY_FLOWS 20 /* the default of alerts.min_flows */
#define TRAININGS_MAX 5
/* An hour and a half shows which calls are regular, and windows enough for the tail of their
 * errors. 2026-11-18 was a Wednesday: night, morning, noon and evening of one working day */
#define DAY_NS (UINT64_C(1794960000) * ATL_NS_PER_S)

static const struct site {
    double flows_per_second;
    uint32_t subscribers;
    uint32_t hour, minutes;
} sites[] = {
    {4, 20, 3, 3},    {20, 100, 9, 3},    {60, 400, 13, 3}, {12, 50, 20, 3}, {3, 15, 10, 90},
    {10, 60, 15, 30}, {150, 1500, 21, 3}, {3, 15, 18, 90},  {4, 20, 7, 90},  {3, 20, 12, 90},
    {5, 25, 22, 90},  {4, 15, 1, 90},     {6, 30, 16, 90},
};

/*
 * What each view learns from. Hosts: the more sites, the surer the tail; the boundary lies far
 * beyond all rows and moves by half from training to training, so the middle one of five is taken.
 * Flows: not the long small sites, whose quiet made the traceroutes of a demo look odd.
 */
static const struct lesson {
    uint32_t sites, rows, trainings;
    bool apart; /* a site's hosts are unknown in the next */
} lessons[VIEW_COUNT] = {
    [VIEW_FLOW] = {7, 120000, 1, false},
    [VIEW_HOST] = {ATL_ARRAY_LEN(sites), 400000, TRAININGS_MAX, true},
};

static void no_signal(void *ctx, const struct alert_signal *signal)
{
    (void)ctx;
    (void)signal;
}

static int on_flow(void *ctx, const struct dp_flow *flow)
{
    detector_add(ctx, flow);
    return 0;
}

static void on_report(void *ctx, const struct dp_report *report)
{
    detector_report(ctx, report);
}

static int on_step(void *ctx, atl_ns now_ns, bool last)
{
    detector_step(ctx, now_ns, last);
    return 0;
}

static int watch_site(struct detector *detector, enum traf_profile profile, uint32_t n,
                      const char *scratch, struct atl_error *err)
{
    struct traf_config cfg;
    struct traf_summary summary;
    struct dp_counters counters;
    traf_config_default(&cfg);
    cfg.seed = SEED + n * 16 + (uint64_t)profile;
    cfg.profile = profile;
    cfg.site = n;
    cfg.subscribers = sites[n].subscribers;
    cfg.flows_per_second = sites[n].flows_per_second;
    cfg.start_ns = DAY_NS + sites[n].hour * 3600 * ATL_NS_PER_S;
    cfg.duration_ns = sites[n].minutes * 60 * ATL_NS_PER_S;
    cfg.snap_bytes = 128;
    int r = traf_write_pcap(&cfg, scratch, &summary, err);
    if (r < 0)
        return r;
    const struct replay_ops ops = {
        .flow = on_flow, .step = on_step, .report = on_report, .ctx = detector};
    return replay_file(DP_BACKEND_PCAP, DP_KEY_INNER, scratch, &ops, &counters, err);
}

static int by_boundary(const void *a, const void *b)
{
    double x = learn_model_boundary(*(struct learn_model *const *)a);
    double y = learn_model_boundary(*(struct learn_model *const *)b);
    return (x > y) - (x < y);
}

static int train(enum view v, float *rows, uint32_t n, struct learn_model **ret_model,
                 struct atl_error *err)
{
    struct learn_model *models[TRAININGS_MAX] = {NULL};
    uint32_t trainings = lessons[v].trainings;
    int r = 0;
    for (uint32_t i = 0; i < trainings && r == 0; i++)
        r = recipe_train(v, NULL, rows, n, SEED + i, RECIPE_FACTORY, &models[i], err);
    if (r == 0) {
        qsort(models, trainings, sizeof(models[0]), by_boundary);
        *ret_model = models[trainings / 2];
        models[trainings / 2] = NULL;
    }
    for (uint32_t i = 0; i < trainings; i++)
        learn_model_destroy(models[i]);
    return r;
}

static int watch(struct detector *detector, const struct lesson *lesson, const char *scratch,
                 struct atl_error *err)
{
    int r = 0;
    for (uint32_t n = 0; n < lesson->sites && r >= 0; n++)
        for (int p = 0; p < TRAF_PROFILE_COUNT && r >= 0; p++) {
            if (lesson->apart && detector_change_site(detector) < 0)
                return atl_error_set(err, -ENOMEM, "out of memory");
            r = watch_site(detector, (enum traf_profile)p, n, scratch, err);
        }
    return r;
}

static int learn(struct detector *detector, enum view v, struct model_set *set,
                 struct atl_error *err)
{
    float *rows;
    uint32_t n;
    int r = detector_copy_rows(detector, v, &rows, &n);
    if (r < 0)
        return atl_error_set(err, r, "%s view: no rows", view_name(v));
    r = train(v, rows, n, &set->models[v], err);
    free(rows);
    return r;
}

static int make_view(enum view v, const char *scratch, struct model_set *set, struct atl_error *err)
{
    struct detector_config cfg = {.context = {.seed = SEED, .entries_max = 1U << 20},
                                  .min_flows = FACTORY_FLOWS,
                                  .reservoir_rows = lessons[v].rows,
                                  .seed = SEED,
                                  .in_iface = ""};
    feat_host_config_default(&cfg.hosts);
    cfg.hosts.hosts_max = 65536;
    cfg.hosts.seed = SEED;
    const struct detector_ops ops = {.signal = no_signal};
    struct detector *detector;
    int r = detector_create(&detector, &cfg, &ops);
    if (r < 0)
        return atl_error_set(err, r, "out of memory");
    r = watch(detector, &lessons[v], scratch, err);
    if (r >= 0)
        r = learn(detector, v, set, err);
    detector_destroy(detector);
    return r;
}

static int make(const char *scratch, struct model_set *set, struct atl_error *err)
{
    int r = 0;
    for (enum view v = 0; v < VIEW_COUNT && r >= 0; v++)
        r = make_view(v, scratch, set, err);
    return r;
}

static int write_array(const char *path, const uint8_t *data, size_t bytes)
{
    FILE *out = fopen(path, "w");
    if (out == NULL)
        return -errno;
    fprintf(out,
            "/* SPDX-License-Identifier: Apache-2.0 */\n"
            "/* Made by factory_make.c. */\n"
            "#include \"app/factory_priv.h\"\n\n"
            "const size_t factory_model_bytes = %zu;\n"
            "const unsigned char factory_model[] = {",
            bytes);
    for (size_t i = 0; i < bytes; i++)
        fprintf(out, "%s%u,", i % 20 == 0 ? "\n" : "", data[i]);
    fprintf(out, "\n};\n");
    return fclose(out) == 0 ? 0 : -errno;
}

int main(int argc, char **argv)
{
    struct atl_error err = {""};
    struct model_set set = {{NULL}};
    uint8_t *data;
    size_t bytes;
    if (argc != 3 || atl_base_init() < 0)
        return 2;
    int r = make(argv[2], &set, &err);
    /* the scratch file serves twice: as capture, then as model */
    if (r >= 0)
        r = model_set_save(argv[2], &set, &err);
    model_set_finish(&set);
    if (r >= 0)
        r = atl_file_read(argv[2], 1U << 24, &data, &bytes, &err);
    unlink(argv[2]);
    if (r >= 0) {
        r = write_array(argv[1], data, bytes);
        free(data);
    }
    if (r < 0)
        fprintf(stderr, "factory_make: %s\n", err.text[0] != '\0' ? err.text : strerror(-r));
    return r < 0;
}
