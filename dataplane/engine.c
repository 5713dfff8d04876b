/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/worker_priv.h"

#define LINK_GRACE_NS (500 * ATL_NS_PER_MS) /* what a port's packets may be late */
#define LINK_AHEAD    3

struct dp_engine {
    uint32_t workers;
    struct dp_worker *worker;         /* workers of them */
    struct dp_distribute *distribute; /* NULL: what a worker reads is its own */
    pthread_t *threads;
    uint32_t threads_started;
    _Atomic bool stop;
    bool file;
    uint16_t cpus[DP_WORKERS_MAX];
    uint32_t n_cpus;
    uint32_t evidence_snap; /* 0: off */
    uint64_t link_end;      /* one behind the last second handed over; the consumer's */
    uint64_t link_losses;   /* as of that one */
    char describe[400];
};

/* --- the device --- */

static int open_file(struct dp_intake *intake, const struct dp_config *cfg, struct atl_error *err)
{
    int r = dp_source_open_file(&intake->source[0], cfg->device, err);
    intake->count = r == 0;
    return r;
}

static void close_intake(struct dp_intake *intake)
{
    for (uint32_t i = 0; i < intake->count; i++)
        dp_source_close(intake->source[i]);
    intake->count = 0;
}

static int open_intake(struct dp_intake *intake, const struct dp_config *cfg, struct atl_error *err)
{
    int r;
    *intake = (struct dp_intake){0};
    if (cfg->backend == DP_BACKEND_DPDK)
        r = dp_intake_open_dpdk(intake, cfg, err);
    else if (cfg->file)
        r = open_file(intake, cfg, err);
    else
        r = dp_intake_open_live(intake, cfg, err);
    if (r < 0 || !cfg->pace)
        return r;
    struct dp_source *paced; /* only a file is paced, and a file is one source */
    r = dp_source_open_pace(&paced, intake->source[0], cfg->pace_speed);
    if (r < 0) {
        close_intake(intake);
        return atl_error_set(err, r, "out of memory");
    }
    intake->source[0] = paced;
    return 0;
}

/* --- life --- */

static int no_memory(const struct dp_config *cfg, int r, struct atl_error *err)
{
    return atl_error_set(err, r, "flows_max: no memory for %u flows (%llu MiB); set it lower",
                         cfg->flows_max, (unsigned long long)(dp_config_memory_bytes(cfg) >> 20));
}

static int create_worker(struct dp_engine *engine, uint32_t i, struct dp_intake *intake,
                         const struct dp_config *cfg, const struct atl_hash_key *key)
{
    struct dp_source *source;
    int r = 0;
    if (i < intake->count)
        source = intake->source[i];
    else
        r = dp_source_open_inbox(&source, engine->distribute, i, cfg->file);
    if (r < 0)
        return r;
    if (i < intake->count)
        intake->source[i] = NULL; /* the worker's, or closed below */
    r = dp_worker_init(&engine->worker[i], source, cfg, key);
    if (r < 0) {
        dp_source_close(source);
        return r;
    }
    engine->worker[i].distribute = engine->distribute;
    engine->worker[i].index = i;
    engine->workers++;
    /* Only who reads has anything to remember. */
    if (cfg->evidence_packets != 0 && i < intake->count)
        r = dp_evidence_create(&engine->worker[i].evidence, cfg->evidence_packets,
                               cfg->evidence_snap);
    return r;
}

static void describe(struct dp_engine *engine, const struct dp_config *cfg,
                     const struct dp_intake *intake)
{
    const char *device = intake->source[0]->describe;
    if (cfg->workers == 1)
        snprintf(engine->describe, sizeof(engine->describe), "%s", device);
    else if (engine->distribute == NULL)
        snprintf(engine->describe, sizeof(engine->describe),
                 "%s; %u workers, the device spreads flows", device, cfg->workers);
    else
        snprintf(engine->describe, sizeof(engine->describe),
                 "%s; %u workers, %u of them reading, flows handed over by software", device,
                 cfg->workers, intake->count);
}

static int fill_engine(struct dp_engine *engine, struct dp_intake *intake,
                       const struct dp_config *cfg, struct atl_error *err)
{
    struct atl_hash_key key = {cfg->seed, ~cfg->seed};
    int r = 0;
    if (cfg->seed == 0)
        atl_hash_key_init(&key);
    if (cfg->workers > 1 && !(intake->by_flow && intake->count == cfg->workers))
        r = dp_distribute_create(&engine->distribute, intake->count, cfg->workers);
    if (r == 0)
        describe(engine, cfg, intake);
    for (uint32_t i = 0; i < cfg->workers && r == 0; i++)
        r = create_worker(engine, i, intake, cfg, &key);
    return r < 0 ? no_memory(cfg, r, err) : 0;
}

int dp_engine_create(struct dp_engine **ret_engine, const struct dp_config *cfg,
                     struct atl_error *err)
{
    int r = dp_config_check(cfg, err);
    if (r < 0)
        return r;
    struct dp_engine *engine = calloc(1, sizeof(*engine));
    if (engine == NULL)
        return atl_error_set(err, -ENOMEM, "out of memory");
    engine->file = cfg->file;
    engine->n_cpus = cfg->n_cpus;
    engine->evidence_snap = cfg->evidence_packets != 0 ? cfg->evidence_snap : 0;
    memcpy(engine->cpus, cfg->cpus, sizeof(engine->cpus));
    engine->worker = aligned_alloc(ATL_CACHE_LINE_BYTES, cfg->workers * sizeof(*engine->worker));
    engine->threads = calloc(cfg->workers, sizeof(*engine->threads));
    if (engine->worker == NULL || engine->threads == NULL)
        r = atl_error_set(err, -ENOMEM, "out of memory");
    struct dp_intake intake = {0};
    if (r == 0)
        r = open_intake(&intake, cfg, err);
    if (r == 0)
        r = fill_engine(engine, &intake, cfg, err);
    if (r < 0) {
        close_intake(&intake);
        dp_engine_destroy(engine);
        return r;
    }
    *ret_engine = engine;
    return 0;
}

void dp_engine_destroy(struct dp_engine *engine)
{
    if (engine == NULL)
        return;
    dp_engine_stop(engine);
    for (uint32_t i = 0; i < engine->workers; i++)
        dp_worker_finish(&engine->worker[i]);
    dp_distribute_destroy(engine->distribute);
    free(engine->worker);
    free(engine->threads);
    free(engine);
}

/* --- threads --- */

struct job {
    struct dp_worker *worker;
    int cpu; /* −1: any */
    const _Atomic bool *stop;
    pthread_mutex_t lock;
    pthread_cond_t ready;
    bool answered;
    int result;
    struct atl_error error;
};

static void answer(struct job *job, int result)
{
    pthread_mutex_lock(&job->lock);
    job->result = result;
    job->answered = true;
    pthread_cond_signal(&job->ready);
    pthread_mutex_unlock(&job->lock);
}

static int pin(int cpu, struct atl_error *err)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((unsigned)cpu, &set);
    int r = -pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
    return r == 0 ? 0
                  : atl_error_set(err, -EINVAL,
                                  "cpus: processor %d is not there or not for us; see nproc and "
                                  "taskset -p $$",
                                  cpu);
}

static void *run(void *arg)
{
    struct job *job = arg;
    struct dp_worker *worker = job->worker;
    const _Atomic bool *stop = job->stop;
    struct dp_source *source = worker->source;
    int r = job->cpu >= 0 ? pin(job->cpu, &job->error) : 0;
    if (r == 0 && source->ops->enter != NULL)
        r = source->ops->enter(source, &job->error);
    answer(job, r); /* job is gone from here on */
    if (r < 0)
        return NULL;
    dp_worker_run(worker, stop);
    if (source->ops->leave != NULL)
        source->ops->leave(source);
    return NULL;
}

static int start_thread(struct dp_engine *engine, uint32_t i, struct atl_error *err)
{
    struct job job = {
        .worker = &engine->worker[i],
        .cpu = engine->n_cpus > 0 ? engine->cpus[i % engine->n_cpus] : -1,
        .stop = &engine->stop,
    };
    pthread_mutex_init(&job.lock, NULL);
    pthread_cond_init(&job.ready, NULL);
    int r = -pthread_create(&engine->threads[i], NULL, run, &job);
    if (r < 0) {
        r = atl_error_set(err, r, "worker %u: cannot start its thread", i);
    } else {
        engine->threads_started++;
        pthread_mutex_lock(&job.lock);
        while (!job.answered)
            pthread_cond_wait(&job.ready, &job.lock);
        pthread_mutex_unlock(&job.lock);
        r = job.result;
        if (r < 0 && err != NULL)
            *err = job.error;
    }
    pthread_cond_destroy(&job.ready);
    pthread_mutex_destroy(&job.lock);
    return r;
}

int dp_engine_start(struct dp_engine *engine, struct atl_error *err)
{
    if (engine->threads_started != 0)
        return atl_error_set(err, -EINVAL, "the engine was started before");
    int r = 0;
    for (uint32_t i = 0; i < engine->workers && r == 0; i++)
        r = start_thread(engine, i, err);
    if (r < 0)
        dp_engine_stop(engine);
    return r;
}

void dp_engine_stop(struct dp_engine *engine)
{
    atomic_store(&engine->stop, true);
    for (uint32_t i = 0; i < engine->workers; i++)
        dp_source_cancel(engine->worker[i].source);
    for (uint32_t i = 0; i < engine->threads_started; i++)
        pthread_join(engine->threads[i], NULL);
    engine->threads_started = 0;
}

enum dp_state dp_engine_step(struct dp_engine *engine)
{
    for (uint32_t i = 0; i < engine->workers; i++)
        if (atomic_load(&engine->worker[i].state) == DP_RUNNING)
            dp_worker_step(&engine->worker[i]);
    return dp_engine_state(engine);
}

enum dp_state dp_engine_state(const struct dp_engine *engine)
{
    enum dp_state all = DP_ENDED;
    for (uint32_t i = 0; i < engine->workers; i++) {
        int state = atomic_load_explicit(&engine->worker[i].state, memory_order_acquire);
        if (state == DP_RUNNING)
            return DP_RUNNING;
        if (state == DP_FAILED)
            all = DP_FAILED;
    }
    return all;
}

const char *dp_engine_error(const struct dp_engine *engine)
{
    for (uint32_t i = 0; i < engine->workers; i++)
        if (atomic_load_explicit(&engine->worker[i].state, memory_order_acquire) == DP_FAILED)
            return engine->worker[i].source->error.text;
    return "";
}

uint32_t dp_engine_workers(const struct dp_engine *engine)
{
    return engine->workers;
}

struct atl_ring *dp_engine_ring(struct dp_engine *engine, uint32_t worker)
{
    return engine->worker[worker].ring;
}

struct atl_ring *dp_engine_reports(struct dp_engine *engine, uint32_t worker)
{
    return engine->worker[worker].reports;
}

atl_ns dp_engine_now_ns(const struct dp_engine *engine)
{
    if (!engine->file)
        return atl_clock_wall_ns();
    /* The slowest: what happened before its time has been exported by all. */
    atl_ns now = UINT64_MAX;
    for (uint32_t i = 0; i < engine->workers; i++) {
        atl_ns worker = atomic_load_explicit(&engine->worker[i].now_ns, memory_order_acquire);
        now = worker < now ? worker : now;
    }
    return now;
}

/* --- figures --- */

static uint64_t live_flows(const struct dp_worker_counters *c)
{
    uint64_t live = atl_counter_get(&c->flows_created);
    for (size_t i = 0; i <= DP_END_RESOURCES; i++)
        live -= atl_counter_get(&c->flows_by_end[i]);
    return live;
}

static void add_worker(struct dp_counters *sum, const struct dp_worker *w)
{
    struct dp_worker_counters c;
    dp_publish_get(&w->published, (atl_counter *)&c, DP_WORKER_COUNTERS);
    sum->received_packets += atl_counter_get(&c.received_packets);
    sum->received_bytes += atl_counter_get(&c.received_bytes);
    sum->processed_packets += atl_counter_get(&c.processed_packets);
    sum->handed_packets +=
        (int64_t)(atl_counter_get(&c.given_packets) - atl_counter_get(&c.taken_packets));
    for (size_t i = 0; i < DP_REASON_COUNT; i++)
        sum->reasons[i] += atl_counter_get(&c.reasons[i]);
    for (size_t i = 0; i < DP_REASON_COUNT; i++)
        sum->fallbacks[i] += atl_counter_get(&w->decoder->fallbacks[i]);
    for (size_t i = 0; i < DP_ENCAP_COUNT; i++)
        sum->encaps[i] += atl_counter_get(&w->decoder->encaps[i]);
    for (size_t i = 0; i <= DP_END_RESOURCES; i++)
        sum->flows_by_end[i] += atl_counter_get(&c.flows_by_end[i]);
    sum->flows_created += atl_counter_get(&c.flows_created);
    sum->flows_live += live_flows(&c);
    sum->flows_exported += atl_counter_get(&c.flows_exported);
    sum->ring_full_records += atl_counter_get(&c.ring_full_records);
    sum->detail_missed += atl_counter_get(&c.detail_missed);
    sum->polls += atl_counter_get(&c.polls);
    sum->polls_empty += atl_counter_get(&c.polls_empty);
    if (w->source->ops->losses != NULL)
        w->source->ops->losses(w->source, &sum->losses);
}

void dp_engine_counters(const struct dp_engine *engine, struct dp_counters *ret_counters)
{
    struct dp_counters sum = {0};
    for (uint32_t i = 0; i < engine->workers; i++)
        add_worker(&sum, &engine->worker[i]);
    sum.nic_dropped_packets =
        sum.losses.nic_missed + sum.losses.nic_errors + sum.losses.nic_nombuf + sum.losses.kernel;
    *ret_counters = sum;
}

void dp_engine_worker_stats(const struct dp_engine *engine, uint32_t worker,
                            struct dp_worker_stats *ret_stats)
{
    struct dp_worker_counters c;
    dp_publish_get(&engine->worker[worker].published, (atl_counter *)&c, DP_WORKER_COUNTERS);
    *ret_stats = (struct dp_worker_stats){
        .received_packets = atl_counter_get(&c.received_packets),
        .processed_packets = atl_counter_get(&c.processed_packets),
        .given_packets = atl_counter_get(&c.given_packets),
        .taken_packets = atl_counter_get(&c.taken_packets),
        .flows_live = live_flows(&c),
        .flows_exported = atl_counter_get(&c.flows_exported),
        .polls = atl_counter_get(&c.polls),
        .polls_empty = atl_counter_get(&c.polls_empty),
        .busy_cycles = atl_counter_get(&c.busy_cycles),
        .all_cycles = atl_counter_get(&c.all_cycles),
    };
    for (size_t i = 0; i < DP_STAGE_COUNT; i++) {
        ret_stats->stage_cycles[i] = atl_counter_get(&c.stage_cycles[i]);
        ret_stats->stage_packets[i] = atl_counter_get(&c.stage_packets[i]);
    }
}

uint32_t dp_engine_telecom(const struct dp_engine *engine, struct dp_telecom_row *rows, uint32_t n)
{
    uint32_t total = 0;
    for (uint32_t i = 0; i < engine->workers; i++) {
        uint32_t done = total < n ? total : n;
        total += dp_telecom_read(&engine->worker[i].decoder->telecom, rows + done, n - done);
    }
    return total;
}

/* --- seconds --- */

static uint64_t losses(const struct dp_engine *engine)
{
    struct dp_losses sum = {0};
    for (uint32_t i = 0; i < engine->workers; i++) {
        const struct dp_source *source = engine->worker[i].source;
        if (source->ops->losses != NULL)
            source->ops->losses(engine->worker[i].source, &sum);
    }
    return sum.nic_missed + sum.nic_errors + sum.nic_nombuf + sum.kernel;
}

/* Seconds before this one are complete. */
static uint64_t link_due(const struct dp_engine *engine)
{
    if (dp_engine_state(engine) != DP_RUNNING)
        return UINT64_MAX;
    atl_ns now_ns = dp_engine_now_ns(engine);
    if (!engine->file)
        now_ns -= now_ns < LINK_GRACE_NS ? now_ns : LINK_GRACE_NS;
    return now_ns / ATL_NS_PER_S;
}

static const struct dp_link *link_head(const struct dp_engine *engine, uint32_t worker)
{
    const void *at;
    return atl_ring_peek(engine->worker[worker].links->ring, &at) > 0 ? at : NULL;
}

/* A port's second far ahead was counted before its clock was set back. */
static bool is_complete(const struct dp_engine *engine, const struct dp_link *link, uint64_t due)
{
    return link->second < due || (!engine->file && link->second - due > LINK_AHEAD);
}

/* @return false when no second is complete */
static bool next_second(const struct dp_engine *engine, uint64_t due, struct dp_link *ret_link)
{
    bool found = false;
    for (uint32_t i = 0; i < engine->workers; i++) {
        const struct dp_link *head = link_head(engine, i);
        if (head == NULL || !is_complete(engine, head, due))
            continue;
        if (!found || head->second < ret_link->second)
            ret_link->second = head->second;
        found = true;
    }
    return found;
}

uint64_t dp_engine_link(struct dp_engine *engine, dp_link_fn fn, void *ctx)
{
    uint64_t due = link_due(engine);
    struct dp_link sum = {0};
    while (next_second(engine, due, &sum)) {
        for (uint32_t i = 0; i < engine->workers; i++)
            for (const struct dp_link *head;
                 (head = link_head(engine, i)) != NULL && head->second == sum.second;
                 atl_ring_release(engine->worker[i].links->ring, 1))
                dp_link_add(&sum, head);
        uint64_t lost = engine->file ? 0 : losses(engine);
        sum.counts[DP_LINK_LOST] = lost - engine->link_losses;
        engine->link_losses = lost;
        engine->link_end = sum.second + 1;
        fn(ctx, &sum);
        sum = (struct dp_link){0};
    }
    return due == UINT64_MAX ? engine->link_end : due;
}

int64_t dp_counters_difference(const struct dp_counters *c)
{
    uint64_t accounted = c->processed_packets + (uint64_t)c->handed_packets;
    for (size_t i = 0; i < DP_REASON_COUNT; i++)
        accounted += c->reasons[i];
    return (int64_t)(c->received_packets - accounted);
}

uint64_t dp_engine_heartbeat(const struct dp_engine *engine, uint32_t worker)
{
    uint64_t beats = atl_counter_get(&engine->worker[worker].beat);
    for (const struct dp_source *s = engine->worker[worker].source; s != NULL; s = s->inner)
        beats += atl_counter_get(&s->beat);
    return beats;
}

const char *dp_engine_describe(const struct dp_engine *engine)
{
    return engine->describe;
}

static int write_slice(const struct dp_engine *engine, struct dp_slice *slice, const char *path,
                       struct atl_error *err)
{
    uint8_t *data;
    size_t bytes;
    int r = dp_slice_pcapng(slice, engine->evidence_snap, &data, &bytes);
    if (r < 0)
        return atl_error_set(err, r, "evidence: out of memory");
    r = atl_file_write(path, data, bytes, 0600, err);
    free(data);
    return r;
}

int dp_engine_evidence(const struct dp_engine *engine, const struct dp_addr *address,
                       const char *path, struct dp_evidence_result *ret_result,
                       struct atl_error *err)
{
    struct dp_slice slice = {0};
    int r = 0;
    if (engine->evidence_snap == 0)
        return atl_error_set(err, -ENOTSUP,
                             "evidence is off; set evidence.enabled: true and reload");
    for (uint32_t i = 0; i < engine->workers && r == 0; i++)
        if (engine->worker[i].evidence != NULL)
            r = dp_evidence_collect(engine->worker[i].evidence, address, &slice);
    if (r < 0)
        atl_error_set(err, r, "evidence: out of memory");
    else if (slice.count == 0)
        r = atl_error_set(err, -ENOENT, "none of the %llu packets remembered is of this address",
                          (unsigned long long)slice.remembered);
    else
        r = write_slice(engine, &slice, path, err);
    if (r == 0)
        *ret_result = (struct dp_evidence_result){slice.remembered, slice.count};
    dp_slice_finish(&slice);
    return r;
}
