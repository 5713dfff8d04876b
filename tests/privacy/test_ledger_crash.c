/* SPDX-License-Identifier: Apache-2.0 */
/* What a ledger holds when its writer is cut short: torn files, a full disk, kill -9. */
#include "ledger_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* `test_privacy_ledger_crash 1000` kills that often */
static int kills = 100;

/* The moments at which a charge can be cut short, one after the other */
static void survives_a_crash_at_any_byte(void **state)
{
    (void)state;
    charge_rounds(1, 2);
    char *before, *after, *anchor;
    size_t old = slurp(ledger_path, &before), anchor_bytes = slurp(anchor_path, &anchor);
    charge_rounds(3, 3);
    size_t now = slurp(ledger_path, &after);
    for (size_t keep = old; keep <= now; keep += keep + 29 < now || keep == now ? 29 : now - keep) {
        spill(ledger_path, after, keep);
        spill(anchor_path, anchor, anchor_bytes);
        struct priv_ledger *l = must_open();
        assert_int_equal(priv_ledger_entries(l), keep == now ? 3 : 2);
        struct priv_charge next = charge_of(4);
        assert_int_equal(priv_ledger_charge(l, &next, &err), 0);
        priv_ledger_close(l);
        l = must_open();
        assert_int_equal(priv_ledger_entries(l), keep == now ? 4 : 3);
        priv_ledger_close(l);
    }
    free(before);
    free(after);
    free(anchor);
}

static void survives_a_crash_at_birth(void **state)
{
    (void)state;
    priv_ledger_close(must_open());
    char *text;
    size_t bytes = slurp(ledger_path, &text);
    for (size_t keep = 0; keep <= bytes; keep += 37) {
        spill(ledger_path, text, keep);
        unlink(anchor_path);
        priv_ledger_close(must_open());
    }
    free(text);
}

/* A folder where the anchor stood: the line of this round is written, its anchor cannot be. */
static void fail_to_charge(struct priv_ledger *l, uint64_t round)
{
    struct priv_charge charge = charge_of(round);
    char aside[160];
    snprintf(aside, sizeof(aside), "%s.aside", anchor_path);
    assert_int_equal(rename(anchor_path, aside), 0);
    assert_int_equal(mkdir(anchor_path, 0700), 0);
    assert_true(priv_ledger_charge(l, &charge, &err) < 0);
    charge.round++;
    assert_true(priv_ledger_charge(l, &charge, &err) < 0); /* as long as it lasts */
    assert_int_equal(rmdir(anchor_path), 0);
    assert_int_equal(rename(aside, anchor_path), 0);
}

static void goes_on_after_a_failed_write(void **state)
{
    (void)state;
    charge_rounds(1, 2);
    struct priv_ledger *l = must_open();
    fail_to_charge(l, 3);
    struct priv_charge charge = charge_of(3);
    assert_int_equal(priv_ledger_charge(l, &charge, &err), -EALREADY); /* its line is on disk */
    assert_int_equal(priv_ledger_entries(l), 3);
    charge.round = 4;
    assert_int_equal(priv_ledger_charge(l, &charge, &err), 0);
    double spent = priv_ledger_epsilon(l);
    priv_ledger_close(l);
    l = must_open();
    assert_int_equal(priv_ledger_entries(l), 4);
    assert_true(priv_ledger_epsilon(l) == spent);
    priv_ledger_close(l);
}

/* What is read again must be what was there, and one line more at most. */
static void trusts_nothing_else_after_a_failed_write(void **state)
{
    (void)state;
    charge_rounds(1, 2);
    struct priv_ledger *l = must_open();
    fail_to_charge(l, 3);
    assert_int_equal(unlink(anchor_path), 0);
    struct priv_charge charge = charge_of(4);
    assert_int_equal(priv_ledger_charge(l, &charge, &err), -EBADMSG);
    assert_non_null(strstr(err.text, "the anchor is gone"));
    assert_int_equal(unlink(ledger_path), 0);
    for (int i = 0; i < 2; i++) /* both gone: never begun again */
        assert_int_equal(priv_ledger_charge(l, &charge, &err), -ENOENT);
    assert_int_equal(access(ledger_path, F_OK), -1);
    priv_ledger_close(l);
}

/* Charges until killed; every success is told through the pipe */
static void child_charges(int out, uint64_t round)
{
    cfg.accountant = PRIV_RDP; /* events merge, so the check stays cheap */
    cfg.budget_epsilon = 1e6;
    struct priv_ledger *l;
    if (priv_ledger_open(&l, &cfg, &err) < 0)
        _exit(1);
    for (;; round++) {
        struct priv_charge charge = charge_of(round);
        if (priv_ledger_charge(l, &charge, &err) < 0 ||
            write(out, &round, sizeof(round)) != sizeof(round))
            _exit(1);
    }
}

/* One life of a writer; *told is the last round it reported, or what stood before */
static void live_and_die(struct atl_rng *rng, uint64_t before, uint64_t *ret_told)
{
    int ends[2], status;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        child_charges(ends[1], before + 1);
    close(ends[1]);
    usleep((useconds_t)atl_rng_below(rng, 12000));
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    uint64_t round;
    *ret_told = before;
    while (read(ends[0], &round, sizeof(round)) == sizeof(round)) {
        assert_int_equal(round, *ret_told + 1);
        *ret_told = round;
    }
    close(ends[0]);
}

static uint32_t files(void)
{
    uint32_t n = 0;
    DIR *folder = opendir(dir);
    assert_non_null(folder);
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;)
        n += entry->d_name[0] != '.';
    closedir(folder);
    return n;
}

static void is_never_below_what_was_released(void **state)
{
    struct atl_rng rng;
    atl_rng_init_seed(&rng, 1);
    uint64_t entries = 0, told, all = 0, ahead = 0;
    for (int i = 0; i < kills; i++) {
        if (i % 20 == 19) { /* a fresh one now and then: opening a long one takes all the time */
            remove_files();
            assert_int_equal(fresh(state), 0);
            entries = 0;
        }
        cfg.budget_epsilon = 1e6;
        cfg.accountant = PRIV_RDP;
        live_and_die(&rng, entries, &told);
        struct priv_ledger *l = must_open();
        all += told - entries;
        entries = priv_ledger_entries(l);
        assert_int_equal(files(), 3); /* what the killed one left half written is swept away */
        priv_ledger_close(l);
        assert_true(entries == told || entries == told + 1);
        ahead += entries - told;
    }
    printf("# %d kills, %llu charges reported, %llu counted but not reported\n", kills,
           (unsigned long long)all, (unsigned long long)ahead);
    assert_true(all > 0);
}

static void count_line(void *ctx, const struct priv_ledger_line *line)
{
    uint64_t *last = ctx;
    assert_int_equal(line->charge.round, *last + 1);
    assert_true(line->epsilon > 0);
    *last = line->charge.round;
}

/* Verifying never writes, never needs the lock, and is not fooled by a writer at work */
static void verifies_beside_a_writer(void **state)
{
    (void)state;
    struct priv_ledger_summary summary;
    assert_int_equal(priv_ledger_verify(dir, &summary, NULL, NULL, &err), -ENOENT);
    struct priv_ledger *l = must_open();
    for (uint64_t round = 1; round <= 3; round++) {
        struct priv_charge charge = charge_of(round);
        assert_int_equal(priv_ledger_charge(l, &charge, &err), 0);
    }
    uint64_t last = 0;
    assert_int_equal(priv_ledger_verify(dir, &summary, count_line, &last, &err), 0);
    assert_int_equal(last, 3);
    assert_int_equal(summary.charges, 3);
    assert_string_equal(summary.owner, cfg.owner);
    assert_true(summary.epsilon[PRIV_PLD] == priv_ledger_epsilon(l));
    assert_true(summary.epsilon[PRIV_RDP] > summary.epsilon[PRIV_PLD]);
    assert_false(summary.torn || summary.ahead);
    priv_ledger_close(l);

    int ends[2], status;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        child_charges(ends[1], 4);
    close(ends[1]);
    uint64_t before = 3;
    for (int i = 0; i < 50; i++) {
        assert_int_equal(priv_ledger_verify(dir, &summary, NULL, NULL, &err), 0);
        assert_true(summary.charges >= before);
        before = summary.charges;
    }
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    close(ends[0]);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        kills = (int)strtol(argv[1], NULL, 10);
    if (atl_base_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        LEDGER_CASE(survives_a_crash_at_any_byte),
        LEDGER_CASE(survives_a_crash_at_birth),
        LEDGER_CASE(goes_on_after_a_failed_write),
        LEDGER_CASE(trusts_nothing_else_after_a_failed_write),
        LEDGER_CASE(verifies_beside_a_writer),
        LEDGER_CASE(is_never_below_what_was_released),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
