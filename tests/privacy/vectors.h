/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reference values of other accountants, one row each, with their source. A mechanism that is not
 * ours ends the test: no row is left out.
 */
#ifndef PRIV_TEST_VECTORS_H
#define PRIV_TEST_VECTORS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "privacy/privacy.h"

#define VECTOR_PARTS 4

struct vector {
    char accountant[32], mechanism[128], source[512];
    struct priv_event events[VECTOR_PARTS];
    size_t n;
    double delta, epsilon, tol;
};

/* "gaussian", "compose[q=0.1:s=1:T=100+laplace:b=10:T=5]": the mechanism of part i */
static inline enum priv_mechanism vector_mechanism(const char *name, size_t i, double q)
{
    const char *at = name;
    for (size_t k = 0; k < i && at != NULL; k++)
        at = strchr(at + 1, '+');
    if (at != NULL && strncmp(at + (*at == '+'), "laplace", 7) == 0)
        return PRIV_LAPLACE;
    if (strncmp(name, "tree_", 5) == 0)
        return PRIV_TREE_GAUSSIAN;
    if (strncmp(name, "ddgauss[", 8) == 0)
        return PRIV_DISCRETE_GAUSSIAN_SUM;
    if (strncmp(name, "skellam[", 8) == 0)
        return PRIV_SKELLAM_SUM;
    return q < 1 ? PRIV_POISSON_GAUSSIAN : PRIV_GAUSSIAN;
}

/* "ddgauss[n=100:d=4096:c=1:gamma=0.01:…]", "skellam[n=100:d=4096:c=1:scale=100:…]"; c is 1 */
static inline struct priv_sum vector_sum(const char *name)
{
    const char *n = strstr(name, "[n="), *d = strstr(name, ":d=");
    const char *gamma = strstr(name, ":gamma="), *scale = strstr(name, ":scale=");
    return (struct priv_sum){
        .parties = (uint32_t)strtoul(n + 3, NULL, 10),
        .dim = (uint32_t)strtoul(d + 3, NULL, 10),
        .grain = gamma != NULL ? strtod(gamma + 7, NULL) : 1 / strtod(scale + 7, NULL),
    };
}

/* Columns by tab; q, sigma and steps hold one number per part, with slashes between them */
static inline int vector_parse(char *line, struct vector *v)
{
    char *field[9], *rest = line;
    for (size_t i = 0; i < ATL_ARRAY_LEN(field); i++)
        if ((field[i] = strsep(&rest, "\t\n")) == NULL)
            return -1;
    *v = (struct vector){0};
    atl_copy(v->accountant, sizeof(v->accountant), field[0]);
    atl_copy(v->mechanism, sizeof(v->mechanism), field[1]);
    atl_copy(v->source, sizeof(v->source), field[8]);
    v->delta = strtod(field[5], NULL);
    v->epsilon = strtod(field[6], NULL);
    v->tol = strtod(field[7], NULL);
    char *q, *sigma, *steps;
    while ((q = strsep(&field[2], "/")) != NULL && v->n < VECTOR_PARTS) {
        sigma = strsep(&field[3], "/");
        steps = strsep(&field[4], "/");
        if (sigma == NULL || steps == NULL)
            return -1;
        struct priv_event *e = &v->events[v->n];
        e->q = strtod(q, NULL);
        e->sigma = strtod(sigma, NULL);
        e->steps = strtoull(steps, NULL, 10);
        e->mechanism = vector_mechanism(v->mechanism, v->n++, e->q);
        if (e->mechanism == PRIV_DISCRETE_GAUSSIAN_SUM || e->mechanism == PRIV_SKELLAM_SUM)
            e->sum = vector_sum(v->mechanism);
        /* to replace one record moves a sum twice as far as to add or remove it */
        if (strcmp(v->mechanism, "gaussian_replace_one") == 0)
            e->sigma /= 2;
    }
    return 0;
}

/* Is the mechanism one of ours (zCDP is stated as the Gaussian with its sigma)? */
static inline bool vector_known(const struct vector *v)
{
    static const char *const known[] = {
        "gaussian", "poisson_gaussian", "laplace", "compose[", "zcdp[",
        "tree_",    "ddgauss[",         "skellam["};
    for (size_t i = 0; i < ATL_ARRAY_LEN(known); i++)
        if (strncmp(v->mechanism, known[i], strlen(known[i])) == 0)
            return true;
    return false;
}

/* Up to max rows of these accountants (comma around each name); exits when the file is missing */
static inline size_t vectors_read(const char *accountants, struct vector *out, size_t max)
{
    FILE *f = fopen(PRIV_TEST_DIR "/vectors.tsv", "r");
    if (f == NULL) {
        perror(PRIV_TEST_DIR "/vectors.tsv");
        exit(1);
    }
    char line[2048], key[40];
    size_t n = 0;
    if (fgets(line, sizeof(line), f) == NULL)
        exit(1);
    while (n < max && fgets(line, sizeof(line), f) != NULL) {
        if (vector_parse(line, &out[n]) < 0) {
            fprintf(stderr, "vectors.tsv: bad row\n");
            exit(1);
        }
        snprintf(key, sizeof(key), ",%s,", out[n].accountant);
        if (strstr(accountants, key) == NULL)
            continue;
        if (!vector_known(&out[n++])) {
            fprintf(stderr, "vectors.tsv: unknown mechanism %s\n", out[n - 1].mechanism);
            exit(1);
        }
    }
    fclose(f);
    return n;
}

#endif
