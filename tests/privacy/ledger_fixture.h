/* SPDX-License-Identifier: Apache-2.0 */
/* A folder for one ledger: made anew for each test, and removed. */
#ifndef LEDGER_FIXTURE_H
#define LEDGER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "privacy/ledger_priv.h"

static char dir[64], ledger_path[128], anchor_path[128];
static struct priv_ledger_config cfg;
static struct atl_error err;

static inline void remove_files(void)
{
    char command[96];
    snprintf(command, sizeof(command), "rm -r %s", dir);
    assert_int_equal(system(command), 0);
}

static inline int fresh(void **state)
{
    (void)state;
    /* in memory where there is such a folder: a killed process loses nothing there either, and a
     * busy disk does not slow the tests down */
    const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(dir, sizeof(dir), "%s/atalaya-ledger-XXXXXX", base);
    if (mkdtemp(dir) == NULL)
        return -1;
    snprintf(ledger_path, sizeof(ledger_path), "%s/privacy.ledger", dir);
    snprintf(anchor_path, sizeof(anchor_path), "%s/privacy.anchor", dir);
    cfg = (struct priv_ledger_config){.dir = dir,
                                      .owner = "tower 7/ñ",
                                      .unit = "flow",
                                      .budget_epsilon = 50,
                                      .delta = 1e-5,
                                      .accountant = PRIV_PLD};
    return 0;
}

static inline int clean(void **state)
{
    (void)state;
    remove_files();
    return 0;
}

static inline struct priv_charge charge_of(uint64_t round)
{
    return (struct priv_charge){
        .event = {PRIV_GAUSSIAN, 1, 20, 1, {0}}, .federation = "coast", .epoch = 2, .round = round};
}

static inline struct priv_ledger *must_open(void)
{
    struct priv_ledger *l = NULL;
    int r = priv_ledger_open(&l, &cfg, &err);
    if (r < 0)
        printf("# %s\n", err.text);
    assert_int_equal(r, 0);
    return l;
}

static inline void charge_rounds(uint64_t first, uint64_t last)
{
    struct priv_ledger *l = must_open();
    for (uint64_t round = first; round <= last; round++) {
        struct priv_charge charge = charge_of(round);
        assert_int_equal(priv_ledger_charge(l, &charge, &err), 0);
    }
    priv_ledger_close(l);
}

static inline void must_refuse(int code, const char *word)
{
    struct priv_ledger *l = (struct priv_ledger *)&cfg;
    err.text[0] = '\0';
    int r = priv_ledger_open(&l, &cfg, &err);
    if (r != code || strstr(err.text, word) == NULL)
        printf("# %d: %s\n", r, err.text);
    assert_int_equal(r, code);
    assert_non_null(strstr(err.text, word));
    assert_ptr_equal(l, &cfg); /* untouched */
}

static inline size_t slurp(const char *path, char **ret_text)
{
    enum { MOST = 1 << 16 };
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    char *text = calloc(1, MOST + 1);
    assert_non_null(text);
    size_t bytes = fread(text, 1, MOST, f);
    fclose(f);
    *ret_text = text;
    return bytes;
}

static inline void spill(const char *path, const char *text, size_t bytes)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, bytes, f), bytes);
    fclose(f);
}

/* A test in a folder of its own. */
#define LEDGER_CASE(name) cmocka_unit_test_setup_teardown(name, fresh, clean)

#endif
