/* SPDX-License-Identifier: Apache-2.0 */
/* Rows per second of processor time, of an 80-64-16-64-80 network on one thread. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "learner/score_priv.h"
#include "learner/train_priv.h"

enum { COLUMNS = 80, ROWS = 16384, BATCH = 256, STEPS = 192 };

struct bench {
    struct learn_model *model; /* calibrated */
    struct learn_model *fused; /* the same with a forest */
    struct learn_trainer *trainer;
    struct learn_scratch *scratch;
    struct atl_rng rng;
    float *rows;
};

static atl_ns cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (atl_ns)t.tv_sec * ATL_NS_PER_S + (atl_ns)t.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static float *draw_rows(struct atl_rng *rng)
{
    float *rows = malloc((size_t)ROWS * COLUMNS * sizeof(float));
    for (uint32_t i = 0; rows != NULL && i < ROWS; i++) {
        float hidden[8];
        for (int k = 0; k < 8; k++)
            hidden[k] = (float)atl_rng_normal(rng);
        for (uint32_t j = 0; j < COLUMNS; j++)
            rows[(size_t)i * COLUMNS + j] = hidden[j % 8] + 0.5F * hidden[(j * 7 + 3) % 8];
    }
    return rows;
}

static int set_up(struct bench *b)
{
    const struct learn_shape shape = {.n_in = COLUMNS, .n_widths = 3, .widths = {64, 16, 64}};
    struct learn_train_config cfg;
    struct learn_model *start = NULL;
    learn_train_config_default(&cfg);
    cfg.batch = BATCH;
    atl_rng_init_seed(&b->rng, 1);
    b->rows = draw_rows(&b->rng);
    int r = b->rows != NULL ? learn_model_create(&start, &shape, 1) : -1;
    if (r == 0)
        r = learn_model_calibrate(&b->model, start, b->rows, 4000, 1e-4, "", NULL);
    struct learn_forest_config forest;
    struct learn_model *grown = NULL;
    learn_forest_config_default(&forest);
    if (r == 0)
        r = learn_model_grow_forest(&grown, start, b->rows, 8000, &forest, NULL);
    if (r == 0)
        r = learn_model_calibrate(&b->fused, grown, b->rows, 4000, 1e-4, "", NULL);
    learn_model_destroy(grown);
    if (r == 0)
        r = learn_trainer_create(&b->trainer, start, &cfg, NULL);
    if (r == 0)
        r = learn_scratch_create(&b->scratch, &shape);
    learn_model_destroy(start);
    return r;
}

/* The kinds in turn, so that each meets the machine in every mood */
enum kind { PLAIN, CLIPPED, PRIVATE, HOSTS_8, HOSTS_32, KINDS };
static const char *const kind_names[KINDS] = {"plain training", "clipped by row, without noise",
                                              "private by row", "private by host of 8 rows",
                                              "private by host of 32 rows"};

static double run(struct bench *b, enum kind kind, uint32_t batch, const uint64_t *unit)
{
    const uint32_t steps = STEPS * BATCH / batch;
    struct learn_private cfg = {.clip = 0.1,
                                .noise_multiplier = 1,
                                .sample_rate = (double)batch / ROWS,
                                .steps = steps,
                                .unit = kind >= HOSTS_8 ? unit : NULL,
                                .rng = &b->rng};
    atl_ns begun = cpu_ns();
    if (kind == PLAIN) {
        b->trainer->cfg.batch = batch;
        learn_trainer_run(b->trainer, b->rows, ROWS, steps);
    } else if (kind == CLIPPED) {
        struct learn_sample sample;
        learn_sample_init(&sample, NULL, ROWS);
        for (uint32_t k = 0; k < steps; k++) {
            learn_sample_draw(&sample, cfg.sample_rate, LEARN_UNIT_ROWS_MAX, &b->rng);
            learn_private_sum(b->trainer, b->rows, &sample, cfg.clip);
            learn_adam_step(&b->trainer->adam, b->trainer->params, b->trainer->grad, 1e-9F, 1e-3F);
        }
        learn_sample_finish(&sample);
    } else {
        learn_trainer_run_private(b->trainer, b->rows, ROWS, &cfg, NULL);
    }
    return (double)steps * batch * (double)ATL_NS_PER_S / (double)(cpu_ns() - begun);
}

static void train(struct bench *b)
{
    enum { ROUNDS = 15 };
    static const uint32_t batches[] = {256, 1024, 4096};
    static uint64_t unit[ROWS];
    for (size_t i = 0; i < ATL_ARRAY_LEN(batches); i++) {
        double best[KINDS] = {0}, rate[KINDS], ratio[KINDS][ROUNDS];
        for (int round = 0; round < ROUNDS; round++) {
            for (enum kind k = 0; k < KINDS; k++) {
                for (uint32_t r = 0; k >= HOSTS_8 && r < ROWS; r++)
                    unit[r] = r % (ROWS / (k == HOSTS_8 ? 8 : 32));
                rate[k] = run(b, k, batches[i], unit);
                best[k] = rate[k] > best[k] ? rate[k] : best[k];
                ratio[k][round] = rate[k] / rate[PLAIN];
            }
        }
        printf("batch %u\n", batches[i]);
        for (enum kind k = 0; k < KINDS; k++) {
            qsort(ratio[k], ROUNDS, sizeof(ratio[k][0]), by_size);
            printf("  %-38s %10.0f rows/s at best; of plain: %.2f at best, %.2f in the middle\n",
                   kind_names[k], best[k], best[k] / best[PLAIN], ratio[k][ROUNDS / 2]);
        }
    }
}

enum { SCORE_ROUNDS = 200 };

/* One pass over all rows. @return nanoseconds */
static double score_pass(struct bench *b, const struct learn_model *model)
{
    float scores[BATCH], p[BATCH];
    atl_ns begun = cpu_ns();
    for (uint32_t at = 0; at < ROWS; at += BATCH)
        learn_score(model, b->scratch, b->rows + (size_t)at * COLUMNS, BATCH, scores, p);
    return (double)(cpu_ns() - begun);
}

static double product_pass(struct bench *b)
{
    const struct learn_layout *layout = &b->model->layout;
    atl_ns begun = cpu_ns();
    for (uint32_t at = 0; at < ROWS; at += BATCH) {
        const float *from = b->rows + (size_t)at * COLUMNS;
        for (uint32_t l = 0; l < layout->n_layers; l++) {
            struct learn_dense layer = learn_layer(layout, b->model->params, l);
            float *to = l % 2 == 0 ? b->scratch->a : b->scratch->b;
            learn_dense_multiply(&layer, from, BATCH, to);
            from = to;
        }
    }
    return (double)(cpu_ns() - begun);
}

static double least(double a, double b)
{
    return a < b ? a : b;
}

/* In turn and the best of each: what else runs on the machine slows all of them alike. */
static void score(struct bench *b)
{
    double score = INFINITY, fused = INFINITY, product = INFINITY;
    for (int k = 0; k < SCORE_ROUNDS; k++) {
        product = least(product, product_pass(b));
        score = least(score, score_pass(b, b->model));
        fused = least(fused, score_pass(b, b->fused));
    }
    printf("%-40s %10.0f rows/s\n", "the bare matrix products of scoring", ROWS / product * 1e9);
    printf("%-40s %10.0f rows/s, %.2f of that\n", "scoring", ROWS / score * 1e9, product / score);
    printf("%-40s %10.0f rows/s, %.2f\n", "scoring with a forest of 32 trees", ROWS / fused * 1e9,
           product / fused);
}

/* The ceiling of everything above: the best matrix product there is. */
static void peak(struct bench *b)
{
    enum { SIDE = 512, PRODUCTS = 100 }; /* its rows and weights are those of the bench, any do */
    float *to = malloc((size_t)SIDE * SIDE * sizeof(float)), bias[SIDE] = {0};
    const struct learn_dense layer = {.in = SIDE, .out = SIDE, .w = b->rows, .b = bias};
    struct learn_kernels kernels;
    double best = INFINITY;
    learn_kernels_find(&kernels);
    for (int k = 0; to != NULL && k < PRODUCTS; k++) {
        atl_ns begun = cpu_ns();
        learn_dense_multiply(&layer, b->rows + (size_t)SIDE * SIDE, SIDE, to);
        best = least(best, (double)(cpu_ns() - begun));
    }
    printf("OpenBLAS's %s kernels: %.0f Gflop/s at best, %d rows through %d x %d\n", kernels.core,
           2.0 * SIDE * SIDE * SIDE / best, SIDE, SIDE, SIDE);
    free(to);
}

int main(void)
{
    struct bench b = {0};
    int r = atl_base_init();
    if (r == 0)
        r = set_up(&b);
    if (r == 0) {
        train(&b);
        score(&b);
        peak(&b);
    }
    learn_scratch_destroy(b.scratch);
    learn_trainer_destroy(b.trainer);
    learn_model_destroy(b.fused);
    learn_model_destroy(b.model);
    free(b.rows);
    return r == 0 ? 0 : 1;
}
