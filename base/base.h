/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base: what every room needs and the C library does not give.
 *
 * Nothing here logs, exits or reads the environment. Functions that can fail
 * return 0 or a negative errno and leave their out-parameters untouched on failure.
 */
#ifndef ATL_BASE_H
#define ATL_BASE_H

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ATL_HOT               __attribute__((hot))
#define ATL_COLD              __attribute__((cold))
#define ATL_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define ATL_LIKELY(x)         __builtin_expect(!!(x), 1)
#define ATL_UNLIKELY(x)       __builtin_expect(!!(x), 0)
#define ATL_ARRAY_LEN(a)      (sizeof(a) / sizeof((a)[0]))
#define ATL_CACHE_LINE_BYTES  64

/* --- error: one clear line for a person --- */

struct atl_error {
    char text[480];
};

/**
 * Write the line that a person will read: where, what was expected, how to mend it.
 * @param e     may be NULL (the caller does not want the text)
 * @param code  negative errno, handed back so that `return atl_error_set(e, -EINVAL, ...)` reads
 * well
 */
ATL_COLD int atl_error_set(struct atl_error *e, int code, const char *fmt, ...) ATL_PRINTF(3, 4);

/* --- clock --- */

/** A time or a duration in nanoseconds. Wall times count from 1970-01-01T00:00:00Z. */
typedef uint64_t atl_ns;

#define ATL_NS_PER_US UINT64_C(1000)
#define ATL_NS_PER_MS UINT64_C(1000000)
#define ATL_NS_PER_S  UINT64_C(1000000000)

/** Monotonic time, for durations and timers. Thread-safe. */
atl_ns atl_clock_mono_ns(void);
/** Wall time, for stamps that leave the box. Thread-safe. */
atl_ns atl_clock_wall_ns(void);

#define ATL_TIME_TEXT_BYTES 32
/** RFC 3339 in UTC with microseconds, e.g. 2026-11-21T00:16:00.000000Z. Always terminated. */
void atl_clock_format(atl_ns wall_ns, char out[ATL_TIME_TEXT_BYTES]);

/* --- counter: one writer, any number of readers --- */

typedef struct {
    _Atomic uint64_t value;
} atl_counter;

/** Only the owning thread may add. No locked instruction. */
static inline void atl_counter_add(atl_counter *c, uint64_t n)
{
    atomic_store_explicit(&c->value, atomic_load_explicit(&c->value, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

static inline uint64_t atl_counter_get(const atl_counter *c)
{
    return atomic_load_explicit(&c->value, memory_order_relaxed);
}

/* --- ring: one producer thread, one consumer thread, fixed-size elements, no copy --- */

struct atl_ring;

/** @param slots  power of two, 2 … 2^24.  @return 0, -EINVAL, -ENOMEM */
int atl_ring_create(struct atl_ring **ret_ring, uint32_t slots, uint32_t elem_bytes);
void atl_ring_destroy(struct atl_ring *ring); /* NULL is fine */

/** Producer: the next free slot, or NULL when full. Nothing is visible before the commit. */
ATL_HOT void *atl_ring_reserve(struct atl_ring *ring);
ATL_HOT void atl_ring_commit(struct atl_ring *ring);

/**
 * Consumer: borrow the oldest elements that lie next to each other in memory.
 * @return how many there are at *ret_elems, 0 when empty; valid until released
 */
ATL_HOT uint32_t atl_ring_peek(struct atl_ring *ring, const void **ret_elems);
ATL_HOT void atl_ring_release(struct atl_ring *ring, uint32_t n);

/** Elements waiting; exact only when neither side moves. */
uint32_t atl_ring_used(const struct atl_ring *ring);

/* --- hash: keyed, so that traffic cannot choose its bucket --- */

struct atl_hash_key {
    uint64_t k0, k1;
};

/** A fresh key from the operating system's CSPRNG. */
void atl_hash_key_init(struct atl_hash_key *key);
/** SipHash-1-3 (Aumasson & Bernstein 2012, reduced rounds as in Rust's and Linux's tables). */
ATL_HOT uint64_t atl_hash(const struct atl_hash_key *key, const void *data, size_t bytes);

/* --- random numbers: ChaCha20 streams --- */

/** A stream of its own for each owner; not shared between threads. About 70 ns per fill of 64
 * bytes. */
struct atl_rng {
    uint8_t key[32];
    uint64_t block;
    uint32_t used;
    bool secure;
    uint8_t buffer[512];
};

/** Key from the operating system, replaced at every refill so that what was handed out cannot be
 * found again in memory (fast key erasure, Bernstein 2017): the only choice for noise and secrets.
 */
void atl_rng_init_secure(struct atl_rng *rng);
/** Repeatable stream for experiments, weights and traffic; never for privacy. */
void atl_rng_init_seed(struct atl_rng *rng, uint64_t seed);
void atl_rng_fill(struct atl_rng *rng, void *out, size_t bytes);
uint64_t atl_rng_u64(struct atl_rng *rng);
/** Uniform in 0 … bound-1 without bias; bound ≥ 1. */
uint64_t atl_rng_below(struct atl_rng *rng, uint64_t bound);
/** Uniform in [0, 1), 53 bits. */
double atl_rng_unit(struct atl_rng *rng);
/** Standard normal, floating point: for weights and traffic, never for privacy. */
double atl_rng_normal(struct atl_rng *rng);

/** Must succeed once before any other thread starts (sets up the CSPRNG). @return 0, -EIO */
int atl_base_init(void);

/* --- files: nothing half written --- */

/**
 * Replace a file so that a crash leaves the old or the new content whole:
 * temporary in the same folder, fsync, rename, fsync of the folder.
 * @return 0 or negative errno with a line in *err
 */
int atl_file_write(const char *path, const void *data, size_t bytes, unsigned mode,
                   struct atl_error *err);
/** Read a whole file of at most max_bytes; *ret_data is malloc'ed, NUL-terminated, the caller's. */
int atl_file_read(const char *path, size_t max_bytes, uint8_t **ret_data, size_t *ret_bytes,
                  struct atl_error *err);
/** fsync the folder that holds path, so that a new or renamed entry survives a power cut. */
int atl_file_sync_dir(const char *path, struct atl_error *err);
/** Create a folder and its parents (0700 for new ones). */
int atl_dir_make(const char *path, struct atl_error *err);
/**
 * Remove what atl_file_write left behind in this folder where its process was killed: regular files
 * of our own user named after a process that lives no more. Not below it. Of a folder with more
 * than 65,536 entries the rest is not looked at.
 * @return how many were removed; 0 also when the folder cannot be read
 */
uint32_t atl_dir_sweep(const char *path);

/* --- words --- */

/** The candidate nearest to a mistyped word, or NULL when none is near (did you mean …?). */
const char *atl_nearest(const char *word, const char *const *candidates, size_t n);
/** Copy with truncation; always terminated. @return false when it did not fit */
bool atl_copy(char *out, size_t out_bytes, const char *text);
/** Lower-case hex of bytes; out holds 2 × bytes + 1. */
void atl_hex(char *out, const uint8_t *data, size_t bytes);

#endif
