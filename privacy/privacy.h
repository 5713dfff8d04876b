/* SPDX-License-Identifier: Apache-2.0 */
/*
 * privacy: everything that a privacy officer has to read, in one place.
 *
 * - accountant: how much a sequence of noisy releases reveals (ε at a given δ, add/remove-one
 *   adjacency)
 * - noise: the integer noise that is really added
 * - ledger: what this box has spent, on disk, charged before anything leaves
 *
 * Accountant and noise keep no state: safe from any thread. A ledger belongs to one thread.
 */
#ifndef PRIV_PRIVACY_H
#define PRIV_PRIVACY_H

#include "base/base.h"

/* --- accountant --- */

enum priv_mechanism {
    PRIV_GAUSSIAN,         /* noise std = sigma × sensitivity, every record takes part */
    PRIV_POISSON_GAUSSIAN, /* the same on a Poisson sample with rate q (DP-SGD) */
    PRIV_LAPLACE,          /* noise scale b = sigma × sensitivity */
    PRIV_TREE_GAUSSIAN,    /* all prefix sums of `steps` values by a binary tree, each record in
                              one value; sigma is that of one node (Kairouz et al. 2021, DP-FTRL) */
    /* A sum of vectors that many parties round to a grid and noise with a share each: */
    PRIV_DISCRETE_GAUSSIAN_SUM, /* shares are discrete Gaussians */
    PRIV_SKELLAM_SUM,           /* shares are Skellam, and so is their sum */
};

enum priv_accountant { PRIV_RDP, PRIV_PLD };

/**
 * How a noised sum is made: `parties` vectors of norm ≤ clip and `dim` entries, each rounded to a
 * grid of `grain` × clip (randomly, repeated until its norm keeps the bound of Kairouz et al. 2021,
 * arXiv:2102.06387, proposition 22, with β = e^-½) before its share of the noise is added.
 */
struct priv_sum {
    uint32_t parties; /* that really sent a share: the noise is theirs, 1 … 2^20 */
    uint32_t dim;     /* 1 … 2^24 */
    double grain;     /* 1e-9 … 1 */
};

/** One mechanism run `steps` times. */
struct priv_event {
    enum priv_mechanism mechanism;
    double q;     /* 0 < q ≤ 1; 1 unless Poisson-sampled */
    double sigma; /* > 0; of a sum: standard deviation of all shares together / clip */
    uint64_t steps;
    struct priv_sum sum; /* PRIV_DISCRETE_GAUSSIAN_SUM, PRIV_SKELLAM_SUM; else zero */
};

#define PRIV_EVENTS_MAX 4096
/** Largest sigma that is accounted for. */
#define PRIV_SIGMA_MAX 1e9

/** Names as on the command line: "gaussian", "poisson_gaussian", …; "rdp", "pld". */
const char *priv_mechanism_name(enum priv_mechanism mechanism);
int priv_mechanism_parse(const char *name, enum priv_mechanism *ret_mechanism);
const char *priv_accountant_name(enum priv_accountant accountant);
int priv_accountant_parse(const char *name, enum priv_accountant *ret_accountant);

/** @return 0, or -EINVAL with the field and its range in *err */
int priv_event_check(const struct priv_event *event, struct atl_error *err);

/**
 * ε of the composition of all events at δ. Never below the truth (up to float rounding).
 *
 * RDP: Mironov 2017 (arXiv:1702.07476), Mironov-Talwar-Zhang 2019 (arXiv:1908.10530) for sampling,
 * conversion of Canonne-Kamath-Steinke 2020 (arXiv:2004.00010) proposition 12.
 * A single Gaussian composition at q = 1 under PLD is the closed form of Balle-Wang 2018.
 * Sums of shares have only a Rényi bound, at whole orders (discrete Gaussian: arXiv:2102.06387,
 * proposition 14; Skellam: Agarwal-Kairouz-Liu 2021, arXiv:2110.04995, theorem 3.5): with one of
 * them among the events, both accountants give the RDP answer.
 * Cost under PLD: 1 … 100 ms for each different event. Of more than 64 different ones, q is rounded
 * up and sigma down by less than 0.8 %.
 *
 * @param delta  0 < δ < 1
 * @return 0, -EINVAL, -ENOMEM, -ERANGE (no finite ε at this δ); no work is unbounded
 */
int priv_epsilon(enum priv_accountant accountant, const struct priv_event *events, size_t n,
                 double delta, double *ret_epsilon, struct atl_error *err);

/** Smallest sigma (to 4 digits, rounded up) whose ε ≤ epsilon; the event's own sigma is ignored. */
int priv_calibrate(enum priv_accountant accountant, const struct priv_event *event, double epsilon,
                   double delta, double *ret_sigma, struct atl_error *err);

/** Rényi divergence of one step at order alpha > 1 (nats); +Inf when it does not exist. */
double priv_rdp_step(const struct priv_event *event, double alpha);

/* --- noise --- */

/**
 * Discrete Gaussian on the integers with parameter sigma (in grid steps): P(x) ∝ exp(-x²/2σ²), as
 * in Canonne-Kamath-Steinke 2020 (arXiv:2004.00010). Its Rényi and zCDP bounds are those of the
 * continuous one. n numbers add at most n·2^-45 to ε and n·2^-55 to δ. The work never depends on
 * what is drawn (but for a chance of 1e-8 in a call); the addresses read in
 * a table of 16 KiB do, so keep foreign code off the processor's first-level cache. Randomness
 * only from `rng`, which gives the key of a ChaCha20 stream for each call.
 * @param sigma  0 < sigma ≤ 2^40
 * @param rng    must be secure when the output leaves the box
 */
void priv_noise_fill(struct atl_rng *rng, double sigma, int64_t *out, size_t n);

/**
 * Add integer-grid Gaussian noise to a float vector in place: round every value to the grid
 * `grain`, add priv_noise (sigma / grain), scale back. The caller's sensitivity must cover the
 * rounding: see priv_grid_sensitivity.
 * @param sigma, grain  in the unit of the values; sigma ≤ grain × 2^40
 * @param values        finite, below grain × 2^36 in magnitude: check before clipping
 */
void priv_noise_add(struct atl_rng *rng, double sigma, double grain, float *values, size_t n);

/** Both again for many calls with one sigma (in grid steps): its tables of 48 KiB are made once, in
 * some 0.1 ms. Immutable; with a generator each, threads may share it.
 */
struct priv_sampler;
int priv_sampler_create(struct priv_sampler **ret_sampler, double sigma); /* 0, -ENOMEM */
void priv_sampler_destroy(struct priv_sampler *sampler);                  /* NULL is fine */
void priv_sampler_fill(const struct priv_sampler *sampler, struct atl_rng *rng, int64_t *out,
                       size_t n);
void priv_sampler_add(const struct priv_sampler *sampler, struct atl_rng *rng, double grain,
                      float *values, size_t n);

/** Upper bound of the L2 norm after rounding a vector of norm ≤ clip and n entries to the grid. */
double priv_grid_sensitivity(double clip, double grain, size_t n);

/* --- ledger --- */

/**
 * What was spent, per ledger file: one line per charge, each line holding the hash of the one
 * before (BLAKE2b-256), so that an edited, shortened or foreign file is found. A second small file
 * (the anchor) holds the last sequence number and hash; a missing ledger beside an anchor, or one
 * older than its anchor, is refused, never restarted at zero.
 */
struct priv_ledger;

struct priv_ledger_config {
    const char *dir;   /* folder that holds ledger and anchor; created when missing */
    const char *owner; /* node name, in every line */
    const char *unit;  /* "flow", "host" or "edge" */
    double budget_epsilon;
    double delta;
    enum priv_accountant accountant;
};

struct priv_charge {
    struct priv_event event;
    char federation[64];
    uint64_t epoch, round;
};

/** @return 0, -EBADMSG (edited, torn beyond the last line, rolled back, missing beside its anchor),
 *  -EINVAL (another owner, unit or delta), -EAGAIN (open already, here or in another process), -EIO
 * … The budget and the accountant may change between two openings. */
int priv_ledger_open(struct priv_ledger **ret_ledger, const struct priv_ledger_config *cfg,
                     struct atl_error *err);
void priv_ledger_close(struct priv_ledger *ledger);

/**
 * Write the charge down before its release: returns 0 only when line, file, anchor and folder are
 * on disk. Idempotent: the same (federation, epoch, round) is charged once and later calls return
 * -EALREADY: then only the very bytes of the first release may be sent again, never fresh noise.
 * @return 0, -EALREADY, -EDQUOT (would pass the budget; nothing written), -EINVAL (out of range, or
 *  the round was charged with another event), -ENOSPC (131,072 charges), negative errno on I/O
 * (what the disk then holds is read again before the next charge, and counts)
 */
int priv_ledger_charge(struct priv_ledger *ledger, const struct priv_charge *charge,
                       struct atl_error *err);

/** ε spent so far at the configured δ. */
double priv_ledger_epsilon(const struct priv_ledger *ledger);
/** ε that would stand after this charge too. */
int priv_ledger_epsilon_after(const struct priv_ledger *ledger, const struct priv_event *event,
                              double *ret_epsilon);
uint64_t priv_ledger_entries(const struct priv_ledger *ledger);
/** Was this round charged? */
bool priv_ledger_holds(const struct priv_ledger *ledger, const char *federation, uint64_t epoch,
                       uint64_t round);

/** One charge as it stands in the file; `epsilon` is what was spent with it, `time` is UTC. */
struct priv_ledger_line {
    struct priv_charge charge;
    double epsilon;
    char time[ATL_TIME_TEXT_BYTES];
};

struct priv_ledger_summary {
    char owner[64], unit[64], began[ATL_TIME_TEXT_BYTES];
    char hash[65]; /* of the last line: compare it with a note of an earlier day */
    uint64_t charges;
    double delta, epsilon[2]; /* by enum priv_accountant; INFINITY where there is no finite one */
    bool ahead;               /* one line ahead of the anchor: a crash, or a charge just now */
    bool torn;                /* a broken last line, never released, is left out */
};

typedef void (*priv_ledger_visit)(void *ctx, const struct priv_ledger_line *line);

/**
 * Verify the ledger in a folder without opening it: reads only, also beside a running edge.
 * @param visit  NULL, or called for each charge in order once all is verified
 * @return 0, -ENOENT (none there), -EBADMSG and others as priv_ledger_open
 */
int priv_ledger_verify(const char *dir, struct priv_ledger_summary *ret_summary,
                       priv_ledger_visit visit, void *ctx, struct atl_error *err);

#endif
