/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fedsync/aggregate_priv.h"

static const enum fed_rule rules[] = {FED_RULE_MEAN, FED_RULE_TRIMMED, FED_RULE_MEDIAN,
                                      FED_RULE_CENTRED};

static int add(struct fed_votes *votes, const float *values, uint32_t n, double norm_max)
{
    float *room = fed_votes_room(votes);
    assert_non_null(room);
    memcpy(room, values, n * sizeof(float));
    return fed_votes_add(votes, norm_max, fed_votes_count(votes));
}

static struct fed_votes *votes_of(const float *values, uint32_t k, uint32_t n)
{
    struct fed_votes *votes;
    assert_int_equal(fed_votes_create(&votes, n), 0);
    for (uint32_t i = 0; i < k; i++)
        assert_int_equal(add(votes, values + (size_t)i * n, n, 0), 0);
    return votes;
}

/* Worked by hand */
static void rules_on_five_votes(void **state)
{
    (void)state;
    static const float deltas[5][2] = {{1, 2}, {2, 4}, {6, 0}, {3, 3}, {100, -100}};
    static const struct {
        enum fed_rule rule;
        double trim;
        double step[2];
    } cases[] = {
        {FED_RULE_MEAN, 0, {22.4F, -18.2F}},      {FED_RULE_TRIMMED, 0.2, {11.0F / 3, 5.0F / 3}},
        {FED_RULE_TRIMMED, 0.1, {22.4F, -18.2F}}, /* half a vote is no vote */
        {FED_RULE_TRIMMED, 0.5, {3, 2}},          {FED_RULE_MEDIAN, 0, {3, 2}},
    };
    double step[2];
    struct fed_votes *votes = votes_of(deltas[0], 5, 2);
    for (size_t i = 0; i < ATL_ARRAY_LEN(cases); i++) {
        assert_int_equal(fed_votes_combine(votes, cases[i].rule, cases[i].trim, step), 0);
        for (int j = 0; j < 2; j++)
            assert_true(fabs(step[j] - (double)cases[i].step[j]) < 1e-5);
    }
    assert_int_equal(fed_votes_combine(votes, FED_RULE_CENTRED, 0, step), 0);
    assert_true(step[0] > 1 && step[0] < 6 && step[1] > 0 && step[1] < 4);
    fed_votes_drop(votes, 4);
    assert_int_equal(fed_votes_count(votes), 4);
    assert_int_equal(fed_votes_combine(votes, FED_RULE_MEAN, 0, step), 0);
    assert_true(step[0] == 3 && step[1] == 2.25);
    assert_int_equal(fed_votes_combine(votes, FED_RULE_MEDIAN, 0, step), 0);
    assert_true(step[0] == 2.5 && step[1] == 2.5); /* of four: between the middle two */
    fed_votes_destroy(votes);
}

/* Against sorting, for every count of votes, with many equal values */
static void middles_agree_with_sorting(void **state)
{
    (void)state;
    enum { N = 37, MOST = 40 };
    struct atl_rng rng;
    atl_rng_init_seed(&rng, 4);
    for (uint32_t k = 1; k <= MOST; k++) {
        static float values[MOST * N];
        static double step[N];
        for (uint32_t i = 0; i < k * N; i++)
            values[i] = (float)atl_rng_below(&rng, 12) - 5;
        struct fed_votes *votes = votes_of(values, k, N);
        for (double trim = 0; trim <= 0.5; trim += 0.125) {
            assert_int_equal(fed_votes_combine(votes, FED_RULE_TRIMMED, trim, step), 0);
            uint32_t out = (uint32_t)(trim * k);
            out = out > (k - 1) / 2 ? (k - 1) / 2 : out;
            for (uint32_t j = 0; j < N; j++) {
                int counts[12] = {0}, seen = 0;
                double sum = 0;
                for (uint32_t i = 0; i < k; i++)
                    counts[(int)values[i * N + j] + 5]++;
                for (int v = 0; v < 12; v++)
                    for (int c = 0; c < counts[v]; c++, seen++)
                        if (seen >= (int)out && seen < (int)(k - out))
                            sum += v - 5;
                assert_true(fabs(step[j] - sum / (k - 2 * out)) < 1e-5);
            }
        }
        fed_votes_destroy(votes);
    }
}

static double normal(struct atl_rng *rng)
{
    return sqrt(-2 * log(1 - atl_rng_unit(rng))) * cos(2 * M_PI * atl_rng_unit(rng));
}

/*
 * 4 of 20 attack: the error beside the mean of the honest, relative to it. The honest differ from
 * each other as much as their mean is long.
 */
static double attacked(enum fed_rule rule, int attack)
{
    enum { N = 2000, K = 20, BAD = 4 };
    static float values[K * N];
    static double step[N];
    struct atl_rng rng;
    double off = 0, size = 0;
    atl_rng_init_seed(&rng, 11);
    static float truth[N];
    for (int j = 0; j < N; j++)
        truth[j] = (float)normal(&rng);
    for (int i = BAD; i < K; i++)
        for (int j = 0; j < N; j++)
            values[i * N + j] = truth[j] + (float)normal(&rng);
    for (int j = 0; j < N; j++) {
        double mean = 0, square = 0;
        for (int i = BAD; i < K; i++) {
            mean += (double)values[i * N + j] / (K - BAD);
            square += pow((double)values[i * N + j], 2) / (K - BAD);
        }
        double spread = sqrt(fmax(0, square - mean * mean));
        const double lies[] = {mean, -mean, 10 * mean, mean - 1.5 * spread, -0.5 * mean};
        for (int i = 0; i < BAD; i++)
            values[i * N + j] = (float)lies[attack];
        truth[j] = (float)mean;
    }
    struct fed_votes *votes = votes_of(values, K, N);
    assert_int_equal(fed_votes_combine(votes, rule, 0.2, step), 0);
    fed_votes_destroy(votes);
    for (int j = 0; j < N; j++) {
        off += pow(step[j] - (double)truth[j], 2);
        size += pow((double)truth[j], 2);
    }
    return sqrt(off / size);
}

static void robust_rules_bound_an_attack(void **state)
{
    (void)state;
    static const char *const names[] = {"none", "sign flip", "x10", "ALIE 1.5", "IPM -0.5"};
    for (int attack = 0; attack < 5; attack++) {
        double mean = attacked(FED_RULE_MEAN, attack), trimmed = attacked(FED_RULE_TRIMMED, attack);
        double median = attacked(FED_RULE_MEDIAN, attack);
        double centred = attacked(FED_RULE_CENTRED, attack);
        printf("# %s: mean %.2f, trimmed %.2f, median %.2f, centred %.2f\n", names[attack], mean,
               trimmed, median, centred);
        assert_true(centred < (attack == 0 ? 0.03 : 0.26));
        if (attack == 2)
            assert_true(mean > 1.5 && trimmed < 0.6 && median < 0.6);
    }
}

static void optimisers_step_as_published(void **state)
{
    (void)state;
    static const float base[2] = {1, -1};
    static const double step[2] = {0.5, -2};
    float memory[4] = {0}, out[2];
    assert_int_equal(fed_optimiser_floats(FED_AVG, 2), 0);
    assert_int_equal(fed_optimiser_apply(FED_AVG, 0.5F, 0.9F, base, step, 2, memory, out), 0);
    assert_true(out[0] == 1.25F && out[1] == -2);
    assert_int_equal(fed_optimiser_floats(FED_AVGM, 2), 2);
    for (int i = 0; i < 2; i++)
        assert_int_equal(fed_optimiser_apply(FED_AVGM, 1, 0.5F, base, step, 2, memory, out), 0);
    assert_true(out[0] == 1.75F && out[1] == -4); /* 0.5 + 0.25, -2 - 1 */
    memset(memory, 0, sizeof(memory));
    assert_int_equal(fed_optimiser_floats(FED_ADAM, 2), 4);
    assert_int_equal(fed_optimiser_apply(FED_ADAM, 1, 0.9F, base, step, 2, memory, out), 0);
    /* 0.05 / (sqrt(0.0025) + 0.001) */
    assert_true(fabsf(out[0] - (1 + 0.05F / 0.051F)) < 1e-4F);
    assert_true(fabsf(out[1] - (-1 - 0.2F / 0.201F)) < 1e-4F);
}

static void long_updates_are_scaled_down(void **state)
{
    (void)state;
    static const float longer[2] = {30, 40}, shorter[2] = {3, 4};
    double step[2];
    struct fed_votes *votes;
    assert_int_equal(fed_votes_create(&votes, 2), 0);
    assert_int_equal(fed_votes_combine(votes, FED_RULE_MEAN, 0, step), -EAGAIN);
    assert_int_equal(add(votes, longer, 2, 5), 0);
    assert_int_equal(add(votes, shorter, 2, 5), 0);
    assert_true(fabsf(fed_votes_at(votes, 0)[0] - 3) < 1e-6F);
    assert_true(fed_votes_at(votes, 1)[1] == 4);
    fed_votes_destroy(votes);
}

static void what_is_not_finite_never_counts(void **state)
{
    (void)state;
    static const float wrong[] = {NAN, INFINITY, -INFINITY}, top[1] = {FLT_MAX};
    double step[1];
    float out[1];
    struct fed_votes *votes;
    assert_int_equal(fed_votes_create(&votes, 1), 0);
    for (size_t i = 0; i < ATL_ARRAY_LEN(wrong); i++)
        assert_int_equal(add(votes, &wrong[i], 1, 1), -EDOM);
    assert_int_equal(fed_votes_count(votes), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(add(votes, top, 1, 0), 0);
    for (size_t i = 0; i < ATL_ARRAY_LEN(rules); i++) {
        assert_int_equal(fed_votes_combine(votes, rules[i], 0.2, step), 0);
        assert_true(step[0] == (double)FLT_MAX);
        assert_int_equal(fed_optimiser_apply(FED_AVG, 1, 0, top, step, 1, NULL, out), -ERANGE);
    }
    fed_votes_destroy(votes);
}

static void a_thousand_updates_in_a_second(void **state)
{
    (void)state;
    enum { N = 12000, K = 1000 };
    struct atl_rng rng;
    atl_rng_init_seed(&rng, 2);
    float *values = malloc((size_t)K * N * sizeof(float));
    double *step = malloc(N * sizeof(double));
    assert_true(values != NULL && step != NULL);
    for (size_t i = 0; i < (size_t)K * N; i++)
        values[i] = (float)atl_rng_unit(&rng);
    struct fed_votes *votes = votes_of(values, K, N);
    for (size_t i = 0; i < ATL_ARRAY_LEN(rules); i++) {
        clock_t began = clock();
        assert_int_equal(fed_votes_combine(votes, rules[i], 0.2, step), 0);
        printf("# rule %zu: 1,000 updates of 12,000 in %.3f s of processor time\n", i,
               (double)(clock() - began) / CLOCKS_PER_SEC);
    }
    fed_votes_destroy(votes);
    free(step);
    free(values);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_on_five_votes),
        cmocka_unit_test(middles_agree_with_sorting),
        cmocka_unit_test(robust_rules_bound_an_attack),
        cmocka_unit_test(optimisers_step_as_published),
        cmocka_unit_test(long_updates_are_scaled_down),
        cmocka_unit_test(what_is_not_finite_never_counts),
        cmocka_unit_test(a_thousand_updates_in_a_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
