/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "privacy/ledger_priv.h"

/* `test_privacy_ledger 1000` kills that often */
static int kills = 100;

static char dir[64], ledger_path[128], anchor_path[128];
static struct priv_ledger_config cfg;
static struct atl_error err;

static void remove_files(void)
{
    char command[96];
    snprintf(command, sizeof(command), "rm -r %s", dir);
    assert_int_equal(system(command), 0);
}

static int fresh(void **state)
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

static int clean(void **state)
{
    (void)state;
    remove_files();
    return 0;
}

static struct priv_charge charge_of(uint64_t round)
{
    return (struct priv_charge){
        .event = {PRIV_GAUSSIAN, 1, 20, 1, {0}}, .federation = "coast", .epoch = 2, .round = round};
}

static struct priv_ledger *must_open(void)
{
    struct priv_ledger *l = NULL;
    int r = priv_ledger_open(&l, &cfg, &err);
    if (r < 0)
        printf("# %s\n", err.text);
    assert_int_equal(r, 0);
    return l;
}

static void charge_rounds(uint64_t first, uint64_t last)
{
    struct priv_ledger *l = must_open();
    for (uint64_t round = first; round <= last; round++) {
        struct priv_charge charge = charge_of(round);
        assert_int_equal(priv_ledger_charge(l, &charge, &err), 0);
    }
    priv_ledger_close(l);
}

static void must_refuse(int code, const char *word)
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

static size_t slurp(const char *path, char **ret_text)
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

static void spill(const char *path, const char *text, size_t bytes)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, bytes, f), bytes);
    fclose(f);
}

static void remembers_what_was_spent(void **state)
{
    (void)state;
    struct priv_ledger *l = must_open();
    assert_true(priv_ledger_epsilon(l) == 0);
    double after;
    struct priv_charge charge = charge_of(1);
    assert_int_equal(priv_ledger_epsilon_after(l, &charge.event, &after), 0);
    assert_int_equal(priv_ledger_charge(l, &charge, &err), 0);
    assert_true(priv_ledger_epsilon(l) == after && after > 0);
    priv_ledger_close(l);

    charge_rounds(2, 5);
    l = must_open();
    struct priv_event five = {PRIV_GAUSSIAN, 1, 20, 5, {0}};
    double expected;
    assert_int_equal(priv_epsilon(PRIV_PLD, &five, 1, 1e-5, &expected, &err), 0);
    assert_true(fabs(priv_ledger_epsilon(l) - expected) < 1e-12);
    assert_int_equal(priv_ledger_entries(l), 5);
    priv_ledger_close(l);
    struct stat st;
    assert_int_equal(stat(ledger_path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void is_readable_by_people(void **state)
{
    (void)state;
    charge_rounds(1, 1);
    char *text;
    slurp(ledger_path, &text);
    assert_int_equal(strncmp(text, "seq=0 prev=0000", 15), 0);
    assert_non_null(strstr(text, " format=atalaya-ledger-1 owner=tower%207/%C3%B1 unit=flow "
                                 "delta=1.0000000000000001e-05 accountant=pld "));
    assert_non_null(strstr(text, "\nseq=1 prev="));
    assert_non_null(strstr(text, " federation=coast epoch=2 round=1 mechanism=gaussian q=1 "
                                 "sigma=20 steps=1 epsilon=0."));
    free(text);
}

static void charges_a_round_once(void **state)
{
    (void)state;
    struct priv_ledger *l = must_open();
    struct priv_charge charge = charge_of(1);
    assert_int_equal(priv_ledger_charge(l, &charge, &err), 0);
    double spent = priv_ledger_epsilon(l);
    assert_int_equal(priv_ledger_charge(l, &charge, &err), -EALREADY);
    charge.event.sigma = 10; /* the same round with less noise is another release */
    assert_int_equal(priv_ledger_charge(l, &charge, &err), -EINVAL);
    assert_non_null(strstr(err.text, "other numbers"));
    assert_true(priv_ledger_epsilon(l) == spent);
    priv_ledger_close(l);
    l = must_open();
    charge = charge_of(1);
    assert_int_equal(priv_ledger_charge(l, &charge, &err), -EALREADY);
    charge.epoch++;
    assert_int_equal(priv_ledger_charge(l, &charge, &err), 0);
    assert_int_equal(priv_ledger_entries(l), 2);
    priv_ledger_close(l);
}

static void stops_at_the_budget(void **state)
{
    (void)state;
    cfg.budget_epsilon = 1;
    struct priv_ledger *l = must_open();
    uint64_t round = 1;
    int r;
    do {
        struct priv_charge charge = charge_of(round++);
        r = priv_ledger_charge(l, &charge, &err);
    } while (r == 0 && round < 100);
    assert_int_equal(r, -EDQUOT);
    assert_non_null(strstr(err.text, "budget"));
    assert_true(priv_ledger_epsilon(l) <= 1 && priv_ledger_epsilon(l) > 0.9);
    char *before, *after;
    size_t bytes = slurp(ledger_path, &before);
    struct priv_charge charge = charge_of(500);
    assert_int_equal(priv_ledger_charge(l, &charge, &err), -EDQUOT);
    assert_int_equal(slurp(ledger_path, &after), bytes);
    free(before);
    free(after);
    charge.event.sigma = 2000; /* a smaller one still fits */
    assert_int_equal(priv_ledger_charge(l, &charge, &err), 0);
    priv_ledger_close(l);
}

static void refuses_charges_out_of_range(void **state)
{
    (void)state;
    struct priv_ledger *l = must_open();
    static const struct priv_event bad[] = {
        {PRIV_GAUSSIAN, 1, NAN, 1, {0}}, {PRIV_GAUSSIAN, 1, -1, 1, {0}},
        {PRIV_GAUSSIAN, 1, 1, 0, {0}},   {PRIV_POISSON_GAUSSIAN, -0.1, 1, 1, {0}},
        {PRIV_GAUSSIAN, 1, 0, 1, {0}},   {PRIV_POISSON_GAUSSIAN, NAN, 1, 1, {0}},
    };
    for (size_t i = 0; i < ATL_ARRAY_LEN(bad); i++) {
        struct priv_charge charge = charge_of(i);
        charge.event = bad[i];
        assert_int_equal(priv_ledger_charge(l, &charge, &err), -EINVAL);
    }
    struct priv_charge charge = charge_of(1);
    memset(charge.federation, 'x', sizeof(charge.federation));
    assert_int_equal(priv_ledger_charge(l, &charge, &err), -EINVAL);
    assert_int_equal(priv_ledger_entries(l), 0);
    priv_ledger_close(l);
}

static void finds_every_edited_byte(void **state)
{
    (void)state;
    charge_rounds(1, 3);
    char *text;
    size_t bytes = slurp(ledger_path, &text);
    for (size_t i = 0; i < bytes; i++) {
        char kept = text[i];
        text[i] ^= i % 2 == 0 ? 1 : 4;
        spill(ledger_path, text, bytes);
        struct priv_ledger *l;
        assert_int_equal(priv_ledger_open(&l, &cfg, &err), -EBADMSG);
        text[i] = kept;
    }
    spill(ledger_path, text, bytes);
    free(text);
    bytes = slurp(anchor_path, &text);
    for (size_t i = 0; i < bytes; i++) {
        text[i] ^= 1;
        spill(anchor_path, text, bytes);
        struct priv_ledger *l;
        assert_int_equal(priv_ledger_open(&l, &cfg, &err), -EBADMSG);
        text[i] ^= 1;
    }
    spill(anchor_path, text, bytes);
    free(text);
    priv_ledger_close(must_open());
}

static void finds_every_shortened_file(void **state)
{
    (void)state;
    charge_rounds(1, 3);
    char *text;
    size_t bytes = slurp(ledger_path, &text);
    for (size_t keep = 0; keep < bytes; keep++) {
        spill(ledger_path, text, keep);
        struct priv_ledger *l;
        assert_int_equal(priv_ledger_open(&l, &cfg, &err), -EBADMSG);
        struct stat st;
        assert_int_equal(stat(ledger_path, &st), 0);
        assert_int_equal((size_t)st.st_size, keep); /* refused, and nothing cut off */
    }
    free(text);
}

static void says_where_and_how_to_mend(void **state)
{
    (void)state;
    charge_rounds(1, 3);
    char *text;
    size_t bytes = slurp(ledger_path, &text);
    char *second = strstr(text, "round=2");
    second[6] = '9';
    spill(ledger_path, text, bytes);
    must_refuse(-EBADMSG, "privacy.ledger:3: edited");
    assert_non_null(strstr(err.text, "restored from backup"));
    free(text);
    unlink(ledger_path);
    must_refuse(-EBADMSG, "is missing but");
    assert_int_equal(access(ledger_path, F_OK), -1);
}

static void refuses_old_copies(void **state)
{
    (void)state;
    char *old, *old_anchor, *text;
    charge_rounds(1, 2);
    size_t bytes = slurp(ledger_path, &old), anchor_bytes = slurp(anchor_path, &old_anchor);
    charge_rounds(3, 4);
    size_t now = slurp(ledger_path, &text);
    spill(ledger_path, old, bytes);
    must_refuse(-EBADMSG, "rolled back");
    spill(ledger_path, text, now);
    char *anchor;
    size_t anchor_now = slurp(anchor_path, &anchor);
    spill(anchor_path, old_anchor, anchor_bytes);
    must_refuse(-EBADMSG, "more than one line ahead");
    unlink(anchor_path);
    must_refuse(-EBADMSG, "more than one line ahead");
    spill(anchor_path, anchor, anchor_now);
    priv_ledger_close(must_open());
    free(old);
    free(old_anchor);
    free(text);
    free(anchor);
}

static void refuses_another_life_of_the_same_length(void **state)
{
    (void)state;
    charge_rounds(1, 2);
    char *anchor, *text;
    size_t anchor_bytes = slurp(anchor_path, &anchor);
    remove_files();
    assert_int_equal(mkdir(dir, 0700), 0);
    charge_rounds(7, 8);
    slurp(ledger_path, &text);
    spill(anchor_path, anchor, anchor_bytes);
    must_refuse(-EBADMSG, "is not the ledger of");
    free(anchor);
    free(text);
}

static void refuses_another_owner_or_promise(void **state)
{
    (void)state;
    charge_rounds(1, 1);
    cfg.owner = "tower 8";
    must_refuse(-EINVAL, "belongs to");
    cfg.owner = "tower 7/ñ";
    cfg.unit = "host";
    must_refuse(-EINVAL, "per flow");
    cfg.unit = "flow";
    cfg.delta = 1e-4;
    must_refuse(-EINVAL, "delta");
    cfg.delta = 1e-5;
    cfg.accountant = PRIV_RDP; /* another reading of the same events is fine */
    priv_ledger_close(must_open());
    cfg.budget_epsilon = NAN;
    must_refuse(-EINVAL, "budget");
}

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

static void serves_one_process(void **state)
{
    (void)state;
    struct priv_ledger *l = must_open();
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct priv_ledger *other;
        _exit(priv_ledger_open(&other, &cfg, &err) == -EAGAIN ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    priv_ledger_close(l);
    priv_ledger_close(must_open());
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

static void verifying_finds_an_edit_and_repairs_nothing(void **state)
{
    (void)state;
    struct priv_ledger_summary summary;
    struct priv_ledger *l = must_open();
    struct priv_charge charge = charge_of(1);
    assert_int_equal(priv_ledger_charge(l, &charge, &err), 0);
    priv_ledger_close(l);
    char *text;
    size_t bytes = slurp(ledger_path, &text);
    char *torn = malloc(bytes + 5);
    memcpy(torn, text, bytes);
    memcpy(torn + bytes, "seq=2", 5);
    spill(ledger_path, torn, bytes + 5);
    assert_int_equal(priv_ledger_verify(dir, &summary, NULL, NULL, &err), 0);
    assert_true(summary.torn);
    struct stat st;
    assert_int_equal(stat(ledger_path, &st), 0);
    assert_int_equal(st.st_size, bytes + 5);
    memcpy(strstr(torn, " round=") + 7, "2", 1);
    spill(ledger_path, torn, bytes);
    assert_int_equal(priv_ledger_verify(dir, &summary, NULL, NULL, &err), -EBADMSG);
    assert_non_null(strstr(err.text, ":2:"));
    free(torn);
    free(text);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        kills = (int)strtol(argv[1], NULL, 10);
    if (atl_base_init() < 0)
        return 1;
#define CASE(name) cmocka_unit_test_setup_teardown(name, fresh, clean)
    const struct CMUnitTest tests[] = {
        CASE(remembers_what_was_spent),
        CASE(is_readable_by_people),
        CASE(charges_a_round_once),
        CASE(stops_at_the_budget),
        CASE(refuses_charges_out_of_range),
        CASE(finds_every_edited_byte),
        CASE(finds_every_shortened_file),
        CASE(says_where_and_how_to_mend),
        CASE(refuses_old_copies),
        CASE(refuses_another_life_of_the_same_length),
        CASE(refuses_another_owner_or_promise),
        CASE(survives_a_crash_at_any_byte),
        CASE(survives_a_crash_at_birth),
        CASE(serves_one_process),
        CASE(goes_on_after_a_failed_write),
        CASE(trusts_nothing_else_after_a_failed_write),
        CASE(verifies_beside_a_writer),
        CASE(verifying_finds_an_edit_and_repairs_nothing),
        CASE(is_never_below_what_was_released),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
