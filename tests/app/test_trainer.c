/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/trainer_priv.h"

#define T0 (1000000 * ATL_NS_PER_S)

static void on_signal(void *ctx, const struct alert_signal *signal)
{
    (void)ctx;
    (void)signal;
}

static void run(struct detector *d, struct atl_rng *rng, uint32_t from_s, uint32_t to_s)
{
    for (uint32_t s = from_s; s < to_s; s++) {
        for (uint32_t i = 0; i < 20; i++) {
            uint64_t n = 5 + atl_rng_below(rng, 20);
            struct dp_flow f = {
                .src.bytes = {[10] = 0xff, 0xff, 10, 0, 0, (uint8_t)i},
                .dst.bytes = {[10] = 0xff, 0xff, 198, 18, 0, (uint8_t)atl_rng_below(rng, 9)},
                .src_port = (uint16_t)(1024 + atl_rng_below(rng, 60000)),
                .dst_port = 443,
                .proto = IPPROTO_TCP,
                .first_ns = T0 + s * ATL_NS_PER_S,
                .last_ns = T0 + s * ATL_NS_PER_S + ATL_NS_PER_MS * n,
                .fwd = {.packets = n, .bytes = n * 80, .size_min = 40, .size_max = 400},
                .bwd = {.packets = n, .bytes = n * 900, .size_min = 40, .size_max = 1500},
            };
            detector_add(d, &f);
        }
        detector_step(d, T0 + s * ATL_NS_PER_S, false);
    }
}

static struct trainer_result wait_for(struct trainer *t)
{
    struct trainer_result result;
    struct pollfd fd = {.fd = trainer_fd(t), .events = POLLIN};
    do {
        assert_int_equal(poll(&fd, 1, 30000), 1);
    } while (!trainer_take(t, &result));
    return result;
}

/* As the edge does it: a first model, a new one in the shadow, back to the first. */
static void what_is_promoted_can_be_undone_once(void **state)
{
    (void)state;
    char dir[] = "/tmp/atalaya-trainer-XXXXXX", path[64], file[80];
    static const char *const names[] = {"", ".1", ".2"};
    struct detector_config cfg = {.min_flows = 20, .reservoir_rows = 4096, .in_iface = "test"};
    const struct detector_ops ops = {.signal = on_signal};
    struct model_set start = {{NULL}};
    struct detector *d;
    struct trainer *t;
    struct atl_rng rng;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/model", dir);
    feat_host_config_default(&cfg.hosts);
    feat_context_config_default(&cfg.context);
    assert_int_equal(detector_create(&d, &cfg, &ops), 0);
    for (enum view v = 0; v < VIEW_COUNT; v++) {
        struct learn_shape shape;
        recipe_shape(v, &shape);
        assert_int_equal(learn_model_create(&start.models[v], &shape, 1), 0);
    }
    assert_int_equal(trainer_create(&t, d, &start, path, 1, NULL), 0);
    atl_rng_init_seed(&rng, 1);

    run(d, &rng, 0, 60);
    assert_int_equal(trainer_learn(t, VIEW_FLOW), 0);
    struct trainer_result r = wait_for(t);
    assert_int_equal(r.status, 0);
    assert_string_equal(r.origins[VIEW_FLOW], RECIPE_LOCAL);
    assert_int_equal(trainer_undo(t, VIEW_FLOW), 0); /* nothing was promoted yet */
    assert_int_equal(wait_for(t).status, -ENOENT);

    run(d, &rng, 60, 90); /* 600 rows, 75 of them held back: too few to tell */
    assert_int_equal(trainer_refresh(t, VIEW_FLOW), 0);
    r = wait_for(t);
    assert_int_equal(r.status, 0);
    assert_false(r.promoted);
    assert_non_null(strstr(r.text, "too few to tell"));

    bool promoted = false;
    for (uint32_t i = 0; i < 4 && !promoted; i++) { /* more rows, a better model, sooner or later */
        run(d, &rng, 90 + i * 200, 290 + i * 200);
        assert_int_equal(trainer_refresh(t, VIEW_FLOW), 0);
        r = wait_for(t);
        assert_int_equal(r.status, 0);
        promoted = r.promoted;
    }
    assert_true(promoted);
    assert_int_equal(trainer_undo(t, VIEW_FLOW), 0);
    assert_int_equal(wait_for(t).status, 0);
    assert_int_equal(trainer_undo(t, VIEW_FLOW), 0); /* once is all */
    assert_int_equal(wait_for(t).status, -ENOENT);

    trainer_destroy(t);
    detector_destroy(d);
    model_set_finish(&start);
    for (size_t i = 0; i < ATL_ARRAY_LEN(names); i++) {
        snprintf(file, sizeof(file), "%s%s", path, names[i]);
        unlink(file);
    }
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_promoted_can_be_undone_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
