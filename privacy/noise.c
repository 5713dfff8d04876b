/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The integers are cut into blocks of 2^shift, so that sigma is at most 40 blocks. Under the curve
 * of probability, each block holds a rectangle whose mass is a whole number of cells of 2^-14: one
 * random index picks block or residue, further bits the place in the block. The residue, what lies
 * above the rectangles (2 to 5 % of the mass), is drawn by rejection from its own envelope. The two
 * parts add up to the exact distribution: no approximation but in floating point.
 *
 * How exact: rectangles are exact. In the residue, a probability follows from the mass of its
 * block's envelope (long double; argument below 80: right to 2^-56), the exponential within the
 * block (2^-50) and the sum σ√2π (right to 2^-60 for σ > 40, by Poisson summation; a plain sum
 * below). The residue as a whole has its mass from the cells, which is that of the true one up to
 * 2^-52 of everything, at most 2^-46 of itself. So the logarithm of every probability is right to
 * 2^-45, but for: envelopes rounded to 2^-63 of their sum, 1,024 of them, together below 2^-55
 * of everything, and the tails beyond 12.25 deviations, below 2^-108.
 *
 * Constant work: which path a number takes shows in nothing but the addresses read in a table of
 * 16 KiB. Rejection is the weak point of such samplers (Jin et al. 2022, arXiv:2112.05307), so the
 * number of tries is fixed for each chunk, six deviations above what is needed on average.
 */
#include "privacy/privacy.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "privacy/keystream_priv.h"

/* Chosen when the program starts: wider and with more instructions where the processor has them */
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
#define WIDE __attribute__((target_clones("arch=haswell", "default")))
#else
#define WIDE
#endif

#define SIGMA_MAX    0x1p40
#define BLOCKS_SIGMA 40.0
#define TAIL         12.25 /* deviations: exp(-12.25²/2) < 2^-108 */
#define INDEX_BITS   14
#define INDEXES      (1 << INDEX_BITS)
#define REACH        127 /* blocks -127 … 127 have rectangles */
#define SLOT_BITS    10
#define SLOTS        (1 << SLOT_BITS) /* 2 × (12.25 × 40 + 2) and more */
#define SPLIT_BITS   (63 - SLOT_BITS)
#define CHUNK        16384
/* Randomness for index and place: 14 bits and a shift of at most 18 or 34 */
#define BYTES_FEW   4
#define BYTES_MANY  6
#define TRY_WORDS   3
#define SHORT_SHIFT 11 /* the place fits beside a fraction of 53 bits */
#define TRIES       256

/* One slot of the alias method (Walker 1977): below `split` its own block, else another's */
struct slot {
    uint64_t split;
    double floor; /* height of the block's rectangle / height of its envelope */
    int64_t other;
};

struct priv_sampler {
    double sigma, half_precision; /* 1 / 2σ² */
    double envelope;              /* mass of all envelopes, or tries in each draw */
    int shift;
    int bytes;        /* of randomness in each draw: index and place in its block */
    int words, place; /* in a try: how many random words, and which holds the place in a block */
    uint32_t residue; /* indexes from here on belong to the residue */
    struct slot slot[SLOTS];
    int8_t block[INDEXES];
};

/* --- tables --- */

static long double curve(const struct priv_sampler *s, long double x)
{
    return expl(-x * x / (2 * (long double)s->sigma * (long double)s->sigma));
}

static long double curve_sum(const struct priv_sampler *s)
{
    if (s->shift > 0)
        return (long double)s->sigma * sqrtl(2 * acosl(-1));
    long double sum = 0;
    for (int i = SLOTS / 2 - 1; i > 0; i--) /* small ones first */
        sum += 2 * curve(s, i);
    return sum + 1;
}

/* The end of block b that is nearer to 0, and the other one */
static int64_t inner_end(const struct priv_sampler *s, int64_t b)
{
    return b >= 0 ? b << s->shift : ((b + 1) * (1LL << s->shift)) - 1;
}

static int64_t outer_end(const struct priv_sampler *s, int64_t b)
{
    return b >= 0 ? ((b + 1) << s->shift) - 1 : b * (1LL << s->shift);
}

/* @return how many cells of 2^-14 block b's rectangle takes; *ret_rest: envelope above it */
static uint32_t block_cells(struct priv_sampler *s, int64_t b, long double scale,
                            long double *ret_rest)
{
    long double top = scale * curve(s, (long double)inner_end(s, b));
    long double low = scale * curve(s, (long double)outer_end(s, b));
    /* the last factor: no rounding may lift the rectangle above the curve */
    long double cells = b >= -REACH && b <= REACH ? floorl(low * INDEXES * (1 - 0x1p-48L)) : 0;
    s->slot[b + SLOTS / 2].floor = top > 0 ? (double)(cells / INDEXES / top) : 0;
    *ret_rest = fmaxl(0, top - cells / INDEXES);
    return (uint32_t)cells;
}

/* Whole weights that add up to 2^63, proportional to the envelopes */
static void weigh(const long double rest[SLOTS], long double sum, uint64_t weight[SLOTS])
{
    uint64_t left = 1ULL << 63;
    int largest = 0;
    for (int i = 0; i < SLOTS; i++) {
        weight[i] = (uint64_t)(rest[i] / sum * (1 - 0x1p-60L) * 0x1p63L);
        left -= weight[i];
        if (weight[i] > weight[largest])
            largest = i;
    }
    weight[largest] += left;
}

/* Vose 1991, in whole numbers */
static void alias_fill(struct slot slot[SLOTS], uint64_t weight[SLOTS])
{
    const uint64_t full = 1ULL << SPLIT_BITS;
    int poor[SLOTS], rich[SLOTS], n_poor = 0, n_rich = 0;
    for (int i = 0; i < SLOTS; i++) {
        if (weight[i] < full)
            poor[n_poor++] = i;
        else
            rich[n_rich++] = i;
    }
    while (n_poor > 0) {
        assert(n_rich > 0); /* what is left weighs full × slots left */
        int i = poor[--n_poor], j = rich[n_rich - 1];
        slot[i].split = weight[i];
        slot[i].other = j;
        weight[j] -= full - weight[i];
        if (weight[j] < full) {
            n_rich--;
            poor[n_poor++] = j;
        }
    }
    for (int k = 0; k < n_rich; k++)
        slot[rich[k]].split = full;
}

static void sampler_init(struct priv_sampler *s, double sigma)
{
    assert(sigma > 0 && sigma <= SIGMA_MAX);
    *s = (struct priv_sampler){.sigma = sigma, .half_precision = 0.5 / sigma / sigma};
    while (ldexp(sigma, -s->shift) > BLOCKS_SIGMA)
        s->shift++;
    s->bytes = s->shift <= 8 * BYTES_FEW - INDEX_BITS ? BYTES_FEW : BYTES_MANY;
    s->words = s->shift <= SHORT_SHIFT ? 2 : 3;
    s->place = s->words - 1;
    long double scale = ldexpl(1 / curve_sum(s), s->shift), rest[SLOTS] = {0}, sum = 0;
    int reach = (int)ceil(TAIL * ldexp(sigma, -s->shift)) + 1;
    for (int b = -reach; b <= reach; b++) {
        uint32_t cells = block_cells(s, b, scale, &rest[b + SLOTS / 2]);
        if (cells > 0)
            memset(s->block + s->residue, b, cells);
        s->residue += cells;
        sum += rest[b + SLOTS / 2];
    }
    assert(s->residue < INDEXES);
    s->envelope = (double)sum;
    uint64_t weight[SLOTS];
    weigh(rest, sum, weight);
    alias_fill(s->slot, weight);
}

int priv_sampler_create(struct priv_sampler **ret_sampler, double sigma)
{
    struct priv_sampler *sampler = malloc(sizeof(*sampler));
    if (sampler == NULL)
        return -ENOMEM;
    sampler_init(sampler, sigma);
    *ret_sampler = sampler;
    return 0;
}

void priv_sampler_destroy(struct priv_sampler *sampler)
{
    free(sampler);
}

/* --- draws --- */

struct chunk {
    int64_t x[CHUNK + 1]; /* the last one takes what is not wanted */
    uint16_t pending[CHUNK + 1];
    union {
        uint8_t bytes[CHUNK * BYTES_MANY + 8];
        uint64_t words[TRIES * TRY_WORDS];
    } random;
};

/* Inlined with each width, and to be as wide as its caller. @return how many of the n are left to
 * the residue: pending[] says which
 */
__attribute__((always_inline)) static inline uint32_t
draw_places(const struct priv_sampler *s, struct chunk *c, uint32_t n, uint32_t bytes)
{
    uint32_t pending = 0, residue = s->residue;
    uint64_t mask = (1ULL << s->shift) - 1;
    int64_t width = 1LL << s->shift;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t r;
        memcpy(&r, c->random.bytes + (size_t)bytes * i, sizeof(r));
        uint32_t index = r & (INDEXES - 1);
        c->x[i] = s->block[index] * width + (int64_t)((r >> INDEX_BITS) & mask);
        c->pending[pending] = (uint16_t)i;
        pending += index >= residue;
    }
    return pending;
}

WIDE static uint32_t draw_rectangles(const struct priv_sampler *s, struct chunk *c, uint32_t n)
{
    return s->bytes == BYTES_FEW ? draw_places(s, c, n, BYTES_FEW)
                                 : draw_places(s, c, n, BYTES_MANY);
}

/* exp(-t), 0 ≤ t ≤ 0.65, by its series: what it leaves out is below 0.65^16 / 16! < 2^-54. In four
 * groups, so that they are computed side by side (Estrin's scheme). */
static double exp_minus(double t)
{
    double t2 = t * t, t4 = t2 * t2, t8 = t4 * t4;
    double a = (1 - t) + (1.0 / 2 - 1.0 / 6 * t) * t2;
    double b = (1.0 / 24 - 1.0 / 120 * t) + (1.0 / 720 - 1.0 / 5040 * t) * t2;
    double c = (1.0 / 40320 - 1.0 / 362880 * t) + (1.0 / 3628800 - 1.0 / 39916800 * t) * t2;
    double d = (1.0 / 479001600 - 1.0 / 6227020800 * t) +
               (1.0 / 87178291200 - 1.0 / 1307674368000 * t) * t2;
    return (a + b * t4) + (c + d * t4) * t8;
}

/* One candidate for the residue. @return whether it is taken */
static bool try_residue(const struct priv_sampler *s, const uint64_t *random, int64_t *ret_x)
{
    uint64_t own = random[0] >> (64 - SLOT_BITS);
    uint64_t part = random[0] & ((1ULL << SPLIT_BITS) - 1);
    uint64_t other = (uint64_t)s->slot[own].other, far = -(uint64_t)(part >= s->slot[own].split);
    uint64_t at = own ^ ((own ^ other) & far);
    int64_t b = (int64_t)at - SLOTS / 2, near = inner_end(s, b);
    int64_t x = b * (1LL << s->shift) + (int64_t)(random[s->place] & ((1ULL << s->shift) - 1));
    double t = (double)(x - near) * (double)(x + near) * s->half_precision;
    double height = (double)(random[1] >> 11) * 0x1p-53, floor = s->slot[at].floor;
    *ret_x = x;
    return floor + height * (1 - floor) < exp_minus(t);
}

static void draw_residue(const struct priv_sampler *s, struct priv_keystream *stream,
                         struct chunk *c, uint32_t n, uint32_t pending)
{
    double mean = s->envelope * n;
    uint32_t done = 0, tries = (uint32_t)(mean + 6 * sqrt(1.5 * mean)) + 16;
    c->pending[pending] = CHUNK;
    do { /* once, but for a chance below 1e-8 */
        for (uint32_t left = tries; left > 0;) {
            uint32_t some = left < TRIES ? left : TRIES;
            priv_keystream_fill(stream, c->random.words,
                                sizeof(uint64_t) * some * (uint32_t)s->words);
            for (uint32_t i = 0; i < some; i++) {
                bool taken = try_residue(s, c->random.words + i * (uint32_t)s->words,
                                         &c->x[c->pending[done]]);
                done += taken & (done < pending);
            }
            left -= some;
        }
    } while (done < pending);
}

static void draw_chunk(const struct priv_sampler *s, struct priv_keystream *stream, struct chunk *c,
                       uint32_t n)
{
    priv_keystream_fill(stream, c->random.bytes, n * (size_t)s->bytes);
    uint32_t pending = draw_rectangles(s, c, n);
    draw_residue(s, stream, c, n, pending);
}

/* The next of the fewest chunks that hold n, all of about one size: tries to spare cost least */
static size_t even_share(size_t n)
{
    size_t chunks = (n + CHUNK - 1) / CHUNK;
    return (n + chunks - 1) / chunks;
}

void priv_sampler_fill(const struct priv_sampler *sampler, struct atl_rng *rng, int64_t *out,
                       size_t n)
{
    struct chunk c;
    struct priv_keystream stream;
    priv_keystream_init(&stream, rng);
    for (size_t at = 0, some; at < n; at += some) {
        some = even_share(n - at);
        draw_chunk(sampler, &stream, &c, (uint32_t)some);
        memcpy(out + at, c.x, some * sizeof(*out));
    }
    sodium_memzero(&c, sizeof(c));
    priv_keystream_finish(&stream);
}

#define ROUND_MAGIC 0x1.8p52 /* adding it leaves no fraction; its last bits count whole numbers */

/* to (n) += noise (n), on the grid; both below 2^51 grains */
WIDE static void add_to(float *restrict to, const int64_t *restrict noise, uint32_t n, double grain)
{
    double over = 1 / grain;
#pragma omp simd
    for (uint32_t i = 0; i < n; i++) {
        double rounded = ((double)to[i] * over + ROUND_MAGIC) - ROUND_MAGIC;
        union {
            int64_t whole;
            double number;
        } drawn = {.whole = noise[i] + 0x4338000000000000}; /* the bits of the magic number */
        to[i] = (float)((rounded + (drawn.number - ROUND_MAGIC)) * grain);
    }
}

void priv_sampler_add(const struct priv_sampler *sampler, struct atl_rng *rng, double grain,
                      float *values, size_t n)
{
    assert(grain > 0);
    struct chunk c;
    struct priv_keystream stream;
    priv_keystream_init(&stream, rng);
    for (size_t at = 0, some; at < n; at += some) {
        some = even_share(n - at);
        draw_chunk(sampler, &stream, &c, (uint32_t)some);
        add_to(values + at, c.x, (uint32_t)some, grain);
    }
    sodium_memzero(&c, sizeof(c));
    priv_keystream_finish(&stream);
}

void priv_noise_fill(struct atl_rng *rng, double sigma, int64_t *out, size_t n)
{
    struct priv_sampler s;
    sampler_init(&s, sigma);
    priv_sampler_fill(&s, rng, out, n);
}

void priv_noise_add(struct atl_rng *rng, double sigma, double grain, float *values, size_t n)
{
    struct priv_sampler s;
    sampler_init(&s, sigma / grain);
    priv_sampler_add(&s, rng, grain, values, n);
}

double priv_grid_sensitivity(double clip, double grain, size_t n)
{
    /* each entry moves by half a grain at most, and by the rounding of its division: 2^-16 for
     * entries below 2^36 grains; 2^-40 covers the rounding of norms in double */
    return (clip + (0.5 + 0x1p-16) * grain * sqrt((double)n)) * (1 + 0x1p-40);
}
