/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reference values of other accountants, one row each, with their source. Mechanisms that this room
 * does not have are counted and named in the output, never silently left out.
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
    return q < 1 ? PRIV_POISSON_GAUSSIAN : PRIV_GAUSSIAN;
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
    }
    return 0;
}

/* Is the mechanism one of ours (zCDP is stated as the Gaussian with its sigma)? */
static inline bool vector_known(const struct vector *v)
{
    static const char *const known[] = {"gaussian", "poisson_gaussian", "laplace"};
    for (size_t i = 0; i < ATL_ARRAY_LEN(known); i++)
        if (strcmp(v->mechanism, known[i]) == 0)
            return true;
    return strncmp(v->mechanism, "compose[", 8) == 0 || strncmp(v->mechanism, "zcdp[", 5) == 0;
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
        if (vector_known(&out[n]))
            n++;
        else
            printf("# skipped, mechanism not here: %s %s\n", out[n].accountant, out[n].mechanism);
    }
    fclose(f);
    return n;
}

#endif
