/* SPDX-License-Identifier: Apache-2.0 */
/* What a ledger holds, counts, refuses and tells. */
#include "ledger_fixture.h"

#include <errno.h>
#include <math.h>
#include <sys/stat.h>
#include <sys/wait.h>

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

int main(void)
{
    if (atl_base_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        LEDGER_CASE(remembers_what_was_spent),
        LEDGER_CASE(is_readable_by_people),
        LEDGER_CASE(charges_a_round_once),
        LEDGER_CASE(stops_at_the_budget),
        LEDGER_CASE(refuses_charges_out_of_range),
        LEDGER_CASE(finds_every_edited_byte),
        LEDGER_CASE(finds_every_shortened_file),
        LEDGER_CASE(says_where_and_how_to_mend),
        LEDGER_CASE(refuses_old_copies),
        LEDGER_CASE(refuses_another_life_of_the_same_length),
        LEDGER_CASE(refuses_another_owner_or_promise),
        LEDGER_CASE(serves_one_process),
        LEDGER_CASE(verifying_finds_an_edit_and_repairs_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
