/* SPDX-License-Identifier: Apache-2.0 */
#include "app/promote_priv.h"

#define REGRET_TIMES 3
#define REGRET_ROWS  32

static uint32_t count_over(const struct learn_model *model, struct learn_scratch *scratch,
                           const float *rows, uint32_t n)
{
    uint32_t n_in = learn_model_shape(model)->n_in, over = 0;
    float score[LEARN_BATCH_MAX];
    for (uint32_t at = 0; at < n; at += LEARN_BATCH_MAX) {
        uint32_t batch = n - at < LEARN_BATCH_MAX ? n - at : LEARN_BATCH_MAX;
        learn_score(model, scratch, rows + (size_t)at * n_in, batch, score, NULL);
        for (uint32_t i = 0; i < batch; i++)
            over += score[i] > 0.5F;
    }
    return over;
}

int promote_judge(const struct learn_model *now, const struct learn_model *fresh, const float *rows,
                  uint32_t n, struct promote_verdict *ret_verdict)
{
    struct learn_scratch *scratch;
    int r = learn_scratch_create(&scratch, learn_model_shape(fresh));
    if (r < 0)
        return r;
    struct promote_verdict v = {.rows = n,
                                .over_now = count_over(now, scratch, rows, n),
                                .over_new = count_over(fresh, scratch, rows, n)};
    v.promote = n >= PROMOTE_ROWS_MIN && v.over_new <= v.over_now;
    learn_scratch_destroy(scratch);
    *ret_verdict = v;
    return 0;
}

bool promote_regretted(double before, uint64_t scored, uint64_t odd)
{
    return (double)odd > REGRET_TIMES * before * (double)scored + REGRET_ROWS;
}
