/* SPDX-License-Identifier: Apache-2.0 */
/*
 * learner: rows of floats → what normal looks like → a score with a boundary and a reason.
 *
 * A struct learn_model is immutable once made: threads share it by pointer and swap the pointer. A
 * struct learn_trainer is a workbench owned by one thread. Shapes: (B) rows of a batch, (I) inputs,
 * (H) hidden units; every matrix is row-major float32.
 */
#ifndef LEARN_LEARNER_H
#define LEARN_LEARNER_H

#include "base/base.h"

#define LEARN_INPUTS_MAX   512
#define LEARN_LAYERS_MAX   8
#define LEARN_SCHEMA_BYTES 32
#define LEARN_PARAMS_MAX   (1U << 24) /* of one model */

/**
 * First thing in main, before there are other threads: OpenBLAS starts a thread for each processor
 * when it is loaded. We use none of them, and each spins for some 20 ms before it goes to sleep.
 */
void learn_start(void);

/** The machine code of the matrix products: OpenBLAS chooses it when it is loaded, by processor. */
struct learn_kernels {
    const char *core;   /* its name there: "Haswell", "SkylakeX", …; static storage */
    uint32_t bits;      /* width of its vectors; 0: not a name we know */
    const char *better; /* or NULL: what OPENBLAS_CORETYPE in the environment of the next start may
                         * name, wider and still within this processor; static storage */
};
/** Sums are then added in another order: results differ in their last bits between kernels. */
void learn_kernels_find(struct learn_kernels *ret_kernels);

/* --- the model --- */

/** An autoencoder n_in → widths[0] → … → widths[n_widths-1] → n_in, ReLU between, linear at the
 * end. */
struct learn_shape {
    uint32_t n_in;                         /* 1 … LEARN_INPUTS_MAX */
    uint32_t n_widths;                     /* 1 … LEARN_LAYERS_MAX - 1 */
    uint32_t widths[LEARN_LAYERS_MAX - 1]; /* each 1 … 4096 */
    uint8_t schema[LEARN_SCHEMA_BYTES];    /* hash of the columns it was trained on */
};

int learn_shape_check(const struct learn_shape *shape, struct atl_error *err);
/** The usual shape for n_in columns: n/2, n/8 (at least 4), n/2. */
void learn_shape_default(struct learn_shape *shape, uint32_t n_in,
                         const uint8_t schema[LEARN_SCHEMA_BYTES]);
/** Number of trainable parameters: Σ (fan_in + 1) × fan_out. */
uint32_t learn_shape_params(const struct learn_shape *shape);

struct learn_model; /* immutable */

/** He-initialised weights from a seed; not yet calibrated (learn_model_calibrated is false). */
int learn_model_create(struct learn_model **ret_model, const struct learn_shape *shape,
                       uint64_t seed);
/** The same shape with these parameters (layer by layer: weights (out, in), then biases (out)).
 *  -EINVAL when one is not finite. Not yet calibrated. */
int learn_model_from_params(struct learn_model **ret_model, const struct learn_shape *shape,
                            const float *params, struct atl_error *err);
void learn_model_destroy(struct learn_model *model); /* NULL is fine */
/** A twin, calibration and origin included. @return 0, -ENOMEM */
int learn_model_copy(struct learn_model **ret_model, const struct learn_model *model);

const struct learn_shape *learn_model_shape(const struct learn_model *model);
/** learn_shape_params floats, valid as long as the model. */
const float *learn_model_params(const struct learn_model *model);
/** BLAKE2b-256 of shape and parameters: the model's name in rounds and alerts. */
void learn_model_hash(const struct learn_model *model, uint8_t out[32]);
bool learn_model_calibrated(const struct learn_model *model);
/** "factory", "local", "round 7": free text of at most 31 bytes kept in the model file. */
const char *learn_model_origin(const struct learn_model *model);

/**
 * A calibrated copy: per-feature mean error and the tail of the score from rows that are normal and
 * were not trained on. The boundary is set by extreme-value theory (Siffer et al. 2017, POT: a
 * generalised Pareto tail above the `level` quantile, extrapolated to exceedance probability
 * `risk`), or the scaled maximum when the tail has too few excesses.
 * @param rows  (n, I), n ≥ 64
 * @param risk  1e-8 … 0.1, probability that a normal row passes the boundary
 */
int learn_model_calibrate(struct learn_model **ret_model, const struct learn_model *model,
                          const float *rows, uint32_t n, double risk, const char *origin,
                          struct atl_error *err);

#define LEARN_FOREST_TREES_MAX 128

/** Isolation forest: a second detector of another kind. About 12 bytes a node, at most
 *  2 × sample × trees of them. */
struct learn_forest_config {
    uint32_t trees; /* 1 … LEARN_FOREST_TREES_MAX */
    uint32_t sample; /* rows a tree is grown from, 8 … 8192: more see finer, fewer mind less of what
                        slipped in */
    uint64_t seed;
};
/** 32 trees of 256 rows: 130 KiB, stays in the cache beside the traffic. */
void learn_forest_config_default(struct learn_forest_config *cfg);
int learn_forest_config_check(const struct learn_forest_config *cfg, struct atl_error *err);
/**
 * A twin with a forest grown from these rows, those the model was trained on; not yet calibrated.
 * learn_model_calibrate then turns both detectors' statistics into p-values, combines them by their
 * harmonic mean (Wilson 2019) and draws the boundary from the combination's own tail on the rows
 * held back, so that it holds however the two hang together.
 * @param rows  (n, I) finite, n ≥ 8
 */
int learn_model_grow_forest(struct learn_model **ret_model, const struct learn_model *model,
                            const float *rows, uint32_t n, const struct learn_forest_config *cfg,
                            struct atl_error *err);
/** Trees of the model's forest, 0 without one. */
uint32_t learn_model_trees(const struct learn_model *model);
/** The value of the statistic that scores 0.5. */
double learn_model_boundary(const struct learn_model *model);

/* --- scoring --- */

#define LEARN_BATCH_MAX 256

/** Scratch of one scoring thread for models up to one shape's size. */
struct learn_scratch;
/** Also sets OpenBLAS to one thread per caller, for the whole process, as learn_trainer_create
 * does. With OPENBLAS_NUM_THREADS=1 in the environment its idle threads are not even started. */
int learn_scratch_create(struct learn_scratch **ret_scratch, const struct learn_shape *shape);
void learn_scratch_destroy(struct learn_scratch *scratch);

/**
 * Score n ≤ LEARN_BATCH_MAX rows with a calibrated model.
 * @param score    (n) published score 0 … 1, strictly rising with the statistic (the scaled error,
 * or its combination with the forest), 0.5 = the boundary; never NaN: a row with a non-finite input
 * scores 1
 * @param p_value  (n) or NULL: probability that a normal row scores at least as high, 1e-12 … 1
 * Cannot fail, does not allocate. Safe beside training. A model that is not calibrated or larger
 * than the scratch is the caller's mistake: every row scores 1.
 */
ATL_HOT void learn_score(const struct learn_model *model, struct learn_scratch *scratch,
                         const float *x, uint32_t n, float *score, float *p_value);

struct learn_reason {
    uint32_t column;
    float observed, expected; /* model inputs; the caller turns them into units */
    float low, high;          /* expected give or take three usual errors of this column */
    float share;              /* of the row's summed scaled error, 0 … 1 */
};
/** The columns that drive one row's score, largest share first. @return how many, ≤ k */
uint32_t learn_explain(const struct learn_model *model, struct learn_scratch *scratch,
                       const float *row, struct learn_reason *reasons, uint32_t k);

/* --- training --- */

struct learn_train_config {
    uint32_t batch;      /* 1 … 4096 */
    float learning_rate; /* Adam (Kingma & Ba 2015), β 0.9 / 0.999, ε 1e-8 */
    float error_clip;    /* Huber: |error| above this counts linearly */
    float proximal; /* FedProx (Li et al. 2020): μ of μ/2·‖w - start‖², 0 … 1000; 0 = none */
    uint64_t seed; /* order of the rows */
};
void learn_train_config_default(struct learn_train_config *cfg);
int learn_train_config_check(const struct learn_train_config *cfg, struct atl_error *err);

#define LEARN_UNIT_ROWS_MAX 32

/** DP-SGD (Abadi et al. 2016): what the accountant must be told, and no more. */
struct learn_private {
    double clip;             /* L2 bound of one unit's gradient, 1e-6 … 1e6 */
    double noise_multiplier; /* noise std on the sum / clip, 1e-3 … 1e6 */
    double sample_rate;      /* Poisson: each unit joins each step's batch with this probability */
    uint32_t steps;
    /** (n) equal for rows of one protected unit, a host for instance; NULL: each row is a unit. A
     * unit in a batch brings all its rows, or LEARN_UNIT_ROWS_MAX of them drawn anew for each step.
     */
    const uint64_t *unit;
    struct atl_rng *rng;      /* secure; draws the samples and the noise */
    const _Atomic bool *stop; /* or NULL: looked at before every step */
};

/**
 * The training loss of these parameters on rows (n, I), without training: the mean over a row's
 * features of the Huber error.
 * @param each      (n) of each row, or NULL; NaN or infinite where a row or the parameters are not
 * finite
 * @param ret_mean  over the rows, or NULL
 * @return 0, -EINVAL (no rows), -ENOMEM
 */
int learn_params_loss(const struct learn_shape *shape, const float *params, const float *rows,
                      uint32_t n, float error_clip, float *each, double *ret_mean);

struct learn_trainer;
/** Starts from the model's parameters. @return 0, -EINVAL, -ENOMEM */
int learn_trainer_create(struct learn_trainer **ret_trainer, const struct learn_model *start,
                         const struct learn_train_config *cfg, struct atl_error *err);
void learn_trainer_destroy(struct learn_trainer *trainer);
/** Plain training: `steps` batches over rows (n, I) in shuffled passes. @return mean loss of the
 * last pass */
float learn_trainer_run(struct learn_trainer *trainer, const float *rows, uint32_t n,
                        uint32_t steps);
/**
 * Private training. Per-example gradient norms are exact and cost no per-example gradients: for a
 * dense layer ‖gᵢ‖² = (‖aᵢ‖² + 1)·‖δᵢ‖² with layer input a and delta δ (Goodfellow 2015,
 * arXiv:1510.01799); those of units of several rows likewise, from the products of all pairs of
 * rows. Noise is the integer-grid discrete Gaussian of privacy/. The divisor is the expected number
 * of units in a batch, sample_rate × units; sample_rate × n ≤ 65,536. A row with a non-finite value
 * counts for nothing, and in a unit of several rows none for more than 8 × clip.
 * @return 0, -EINVAL, -ENOMEM: nothing has been drawn then; -ECANCELED when *stop was set
 */
int learn_trainer_run_private(struct learn_trainer *trainer, const float *rows, uint32_t n,
                              const struct learn_private *cfg, struct atl_error *err);
/** Current parameters, valid until the trainer moves on. */
const float *learn_trainer_params(const struct learn_trainer *trainer);
/** A model of the current parameters, not calibrated. -ERANGE when training diverged. */
int learn_trainer_model(const struct learn_trainer *trainer, struct learn_model **ret_model,
                        struct atl_error *err);

/* --- reservoir: a bounded, unbiased memory of normal rows --- */

struct learn_reservoir;
int learn_reservoir_create(struct learn_reservoir **ret_reservoir, uint32_t capacity_rows,
                           uint32_t n_in, uint64_t seed);
void learn_reservoir_destroy(struct learn_reservoir *reservoir);
/** Vitter's algorithm R: every row offered so far is equally likely to be kept. */
void learn_reservoir_offer(struct learn_reservoir *reservoir, const float *row);
/** The same for a row of a protected unit, a host for instance; without, rows are of unit 0. */
void learn_reservoir_offer_unit(struct learn_reservoir *reservoir, const float *row, uint64_t unit);
uint32_t learn_reservoir_rows(const struct learn_reservoir *reservoir);
uint64_t learn_reservoir_offered(const struct learn_reservoir *reservoir);
const float *learn_reservoir_data(const struct learn_reservoir *reservoir);     /* (rows, I) */
const uint64_t *learn_reservoir_units(const struct learn_reservoir *reservoir); /* (rows) */

/* --- strata: a bounded memory of normal rows that forgets no quiet hour --- */

#define LEARN_STRATA_MAX 4096

/**
 * Rows in strata, hour of day × service for instance. When it is full the fullest stratum makes
 * room, so that each may keep capacity / strata rows at least, whatever the others bring. In a
 * stratum that has made room seven tenths are its newest rows, the rest a sample of those before
 * them. One owner.
 */
struct learn_strata;
/** @return 0, -EINVAL, -ENOMEM */
int learn_strata_create(struct learn_strata **ret_strata, uint32_t capacity_rows, uint32_t n_in,
                        uint32_t n_strata, uint64_t seed);
void learn_strata_destroy(struct learn_strata *strata); /* NULL is fine */
/** @param unit  whose row it is, for learn_strata_forget; O(strata), does not allocate */
void learn_strata_offer(struct learn_strata *strata, const float *row, uint32_t stratum,
                        uint64_t unit, atl_ns at_ns);
/** Drop what this unit has brought since then. O(rows). @return how many rows */
uint32_t learn_strata_forget(struct learn_strata *strata, uint64_t unit, atl_ns since_ns);
uint32_t learn_strata_rows(const struct learn_strata *strata);
const float *learn_strata_data(const struct learn_strata *strata); /* (rows, I) */
/** Rows of one stratum. @param ret_old  or NULL: how many of them are old */
uint32_t learn_strata_held(const struct learn_strata *strata, uint32_t stratum, uint32_t *ret_old);
/** Rows that one unit owns. O(rows). */
uint32_t learn_strata_of_unit(const struct learn_strata *strata, uint64_t unit);

/* --- drift: has the level of a stream moved? --- */

/** ADWIN (Bifet & Gavaldà 2007). One owner, 2.5 KiB whatever the length of the stream. */
struct learn_drift;
/** @param delta  1e-9 … 0.1: bound of the probability, at each value of a stream of independent
 *  values of one law, that a drift is seen. @return 0, -EINVAL, -ENOMEM */
int learn_drift_create(struct learn_drift **ret_drift, double delta, struct atl_error *err);
void learn_drift_destroy(struct learn_drift *drift); /* NULL is fine */
/** @param value  cut to 0 … 1; one that is not finite is passed over.
 *  @return 0, or 1 and -1 when the mean has risen or fallen: what was before is forgotten */
int learn_drift_step(struct learn_drift *drift, double value);
/** Begin anew, the count of drifts aside. */
void learn_drift_reset(struct learn_drift *drift);
double learn_drift_mean(const struct learn_drift *drift);     /* of the values remembered */
uint64_t learn_drift_values(const struct learn_drift *drift); /* how many they are */
uint64_t learn_drift_count(const struct learn_drift *drift);  /* drifts seen */

/* --- false discoveries --- */

/**
 * Benjamini & Hochberg 1995: of `tests` p-values these n are the smallest ones, sorted here; those
 * at or below the returned cut are discoveries. The expected share of false ones among them is at
 * most `rate`, and so is the probability of any when there is nothing to be found.
 * @return the cut, -1 when there are no discoveries
 */
double learn_fdr_cut(double *p_values, uint32_t n, uint64_t tests, double rate);

/* --- model file --- */

#define LEARN_FILE_MODELS_MAX 8
#define LEARN_NAME_BYTES      32

struct learn_named {
    char name[LEARN_NAME_BYTES]; /* "flow", "host" */
    struct learn_model *model;
};

/**
 * One safetensors file (8-byte little-endian header length, JSON header, raw little-endian data)
 * that holds several models with their error statistics, boundary and schema hash; opens in Python.
 * Written atomically.
 */
int learn_file_save(const char *path, const struct learn_named *models, uint32_t n,
                    struct atl_error *err);
/** learn_file_save that keeps what stood at `path` as generation n - 1 (`path` with ".1" behind
 * it) and what stood there as n - 2 (".2"), so that they can be gone back to. A crash leaves each
 * of them whole, at its own place or at the next. */
int learn_file_save_generation(const char *path, const struct learn_named *models, uint32_t n,
                               struct atl_error *err);
/** Generation n - 1 takes the place of n, n - 2 that of n - 1, and n goes behind them: done as
 * often as there are files, nothing has changed.
 *  @return 0, -ENOENT without a generation to go back to */
int learn_file_roll_back(const char *path, struct atl_error *err);
/** Every size is checked before it is used. @param ret_models  LEARN_FILE_MODELS_MAX entries; the
 *  caller destroys each model. @return 0, -ENOENT, -EBADMSG (damaged), -EINVAL (not of this kind)
 */
int learn_file_load(const char *path, struct learn_named *ret_models, uint32_t *ret_n,
                    struct atl_error *err);
/** The same from memory (the factory model inside the program); `where` names it in errors. */
int learn_file_parse(const uint8_t *data, size_t bytes, const char *where,
                     struct learn_named *ret_models, uint32_t *ret_n, struct atl_error *err);

/* --- streaming threshold: SPOT and DSPOT (Siffer et al. 2017) --- */

struct learn_spot_config {
    double risk;         /* q: share of normal values above the threshold, 1e-8 … 0.05 */
    double level;        /* quantile where the tail begins, 0.8 … 0.999, below 1 - risk */
    uint32_t warmup;     /* values learned before the first verdict, 100 … 100,000 */
    uint32_t excesses;   /* tail values kept, the newest ones, 50 … 10,000 */
    uint32_t drift_rows; /* DSPOT: judge value - mean of the last so many, … 10,000; 0 = SPOT */
};
/** risk 1e-4, level 0.98, warm-up 1,000, 500 excesses, no drift. */
void learn_spot_config_default(struct learn_spot_config *cfg);
int learn_spot_config_check(const struct learn_spot_config *cfg, struct atl_error *err);

struct learn_spot_verdict {
    bool ready;       /* false during the warm-up of drift_rows + warmup values */
    bool alarm;       /* value > threshold */
    double threshold; /* in units of the value, the moving mean added */
    double p_value;   /* that a normal value is at least as high, 1e-12 … 1; 1 in the warm-up */
};

/** Upper threshold of one stream. Memory is bounded by the configuration. One owner. */
struct learn_spot;
int learn_spot_create(struct learn_spot **ret_spot, const struct learn_spot_config *cfg,
                      struct atl_error *err);
void learn_spot_destroy(struct learn_spot *spot); /* NULL is fine */
/**
 * Judge one value, then learn from it; of alarms only as many and as far as `risk` lets normal
 * values be. A value that is not finite is no alarm, teaches nothing and gets p_value 1. At most
 * O(excesses + drift_rows); does not allocate.
 */
void learn_spot_step(struct learn_spot *spot, double value, struct learn_spot_verdict *ret_verdict);

/* --- forecaster of a link series --- */

struct learn_forecast_config {
    double interval_s; /* sampling interval; 0 = the median of the first steps in time */
    double coverage;   /* of low … high, 0.5 … 0.9999 */
    double risk;       /* mean p-value at the boundary score 0.5, 1e-8 … 0.1 */
    uint32_t
        memory_rows; /* values remembered, 256 … 65,536; 144 bytes and about 4 ns a step for each */
};
/** Interval inferred, coverage 0.99, risk 0.005, 6,048 rows (three weeks of five minutes). */
void learn_forecast_config_default(struct learn_forecast_config *cfg);
int learn_forecast_config_check(const struct learn_forecast_config *cfg, struct atl_error *err);

struct learn_forecast_row {
    /* Known before the value was looked at; all three equal until there are two values. */
    double expected, low, high;
    /* 0 … 1, 0.5 = the boundary: something new begins here. 0 for a gap and for the first
     * LEARN_FORECAST_WARMUP values. */
    double score;
    double p_value;     /* geometric mean of the conformal p-values behind the score; 1 = none */
    bool gap;           /* no value */
    bool clock_stepped; /* the stamp is not after the last one */
};
#define LEARN_FORECAST_WARMUP    64
#define LEARN_FORECAST_VALUE_MAX 1e100 /* of |value|; beyond is a gap */

/**
 * Online, without look-ahead: each row is judged by the rows before it and then learned. Seven
 * small models (level, trend; with the day, with the week once seen twice) run side by side, the
 * one with the least recent error speaks. One owner; memory fixed at creation.
 */
struct learn_forecaster;
/** @return 0, -EINVAL, -ENOMEM */
int learn_forecaster_create(struct learn_forecaster **ret_forecaster,
                            const struct learn_forecast_config *cfg, struct atl_error *err);
void learn_forecaster_destroy(struct learn_forecaster *forecaster); /* NULL is fine */
/**
 * @param at_s      Unix time of the row; not finite counts as the last stamp
 * @param offset_s  local time - UTC, so that days are the people's days; 0 when unknown
 * @param value     NAN = a gap
 * Every number in *ret_row is finite. Does not allocate.
 */
void learn_forecaster_step(struct learn_forecaster *forecaster, double at_s, int32_t offset_s,
                           double value, struct learn_forecast_row *ret_row);
/** The sampling interval in use, 0 while unknown. */
double learn_forecaster_interval(const struct learn_forecaster *forecaster);

/**
 * Everything it knows as bytes that only the same program version on the same kind of machine
 * reads; the restored one continues bit for bit. @param ret_data  malloc'ed, the caller's
 * @return 0, -ENOMEM
 */
int learn_forecaster_save(const struct learn_forecaster *forecaster, uint8_t **ret_data,
                          size_t *ret_bytes);
/** @return 0, -EBADMSG (damaged, or of another version), -ENOMEM */
int learn_forecaster_restore(struct learn_forecaster **ret_forecaster, const uint8_t *data,
                             size_t bytes, struct atl_error *err);

/* --- any table: a CSV file in, a score for each of its rows out --- */

/** How to read a CSV file. Columns by name, or by number from 1. Borrowed pointers. */
struct learn_table_config {
    bool header;       /* the first row holds the names of the columns */
    const char *label; /* or NULL: a column that is no input */
    const char *const
        *normal; /* training: rows with one of these labels are normal; none: all are */
    uint32_t n_normal;
    const char *const *drop; /* columns that are no inputs either */
    uint32_t n_drop;
    uint64_t seed;                                               /* training */
    void (*progress)(void *ctx, const char *what, double share); /* or NULL; share 0 … 1 */
    void (*note)(void *ctx, const char *line); /* or NULL: what is worth knowing */
    void *ctx;
};

struct learn_table_summary {
    uint64_t rows;    /* of data in the file */
    uint64_t normal;  /* of them called normal (training) */
    uint32_t learned; /* of them learned from: a fair sample of at most 131,072 (training) */
    uint64_t above;   /* scored above the boundary (scoring) */
    uint32_t columns, inputs;
};

/** What a table model is, for people. */
struct learn_table_facts {
    uint64_t rows, normal; /* of the file it was learned from */
    uint32_t learned, held_back;
    uint64_t seed;
};

struct learn_table; /* immutable */

/**
 * Learn what the normal rows of a CSV file (plain or gzip) look like; it is read twice.
 * @return 0; -EINVAL (options), -EBADMSG (the file, with the number of the row), -ENOENT, -EIO,
 * -ERANGE, -ENOMEM
 */
int learn_table_train(struct learn_table **ret_table, const char *path,
                      const struct learn_table_config *cfg, struct learn_table_summary *ret_summary,
                      struct atl_error *err);
void learn_table_destroy(struct learn_table *table); /* NULL is fine */
/**
 * A score for each row of a CSV file, in its order; `row` gets them half a window late at the
 * earliest and ends everything by returning negative. Columns are found by their names, or by their
 * places where there are no names. Memory does not grow with the file.
 * @return 0, what `row` returned, or as learn_table_train; -EINVAL for the columns of another model
 */
int learn_table_score(const struct learn_table *table, const char *path,
                      const struct learn_table_config *cfg,
                      int (*row)(void *ctx, float score, float p_value), void *ctx,
                      struct learn_table_summary *ret_summary, struct atl_error *err);
int learn_table_save(const struct learn_table *table, const char *path, struct atl_error *err);
/** @return 0, -ENOENT, -EBADMSG (damaged), -EINVAL (not a table's model) */
int learn_table_load(struct learn_table **ret_table, const char *path, struct atl_error *err);
/** The same from memory; `where` names it in errors. */
int learn_table_parse(struct learn_table **ret_table, const uint8_t *data, size_t bytes,
                      const char *where, struct atl_error *err);

const struct learn_table_facts *learn_table_get_facts(const struct learn_table *table);
uint32_t learn_table_n_columns(const struct learn_table *table);
/** "number", "category" or "constant" with the name of column c < learn_table_n_columns. */
const char *learn_table_column_kind(const struct learn_table *table, uint32_t c,
                                    const char **ret_name, uint32_t *ret_words);
double learn_table_boundary(const struct learn_table *table);

/* --- the rows of a table alone, for experiments with other trainers --- */

struct learn_sheet; /* which columns there are, their vocabularies and scales; immutable */

/** From the normal rows of a CSV file, as learn_table_train finds them. @return as there */
int learn_sheet_fit(struct learn_sheet **ret_sheet, const char *path,
                    const struct learn_table_config *cfg, struct atl_error *err);
void learn_sheet_destroy(struct learn_sheet *sheet); /* NULL is fine */
uint32_t learn_sheet_inputs(const struct learn_sheet *sheet);
/** What the inputs mean, not how they are scaled. */
void learn_sheet_hash(const struct learn_sheet *sheet, uint8_t out[LEARN_SCHEMA_BYTES]);

/** @param x     (inputs) valid during the call only
 *  @param word  what the row holds in the column `by`, "" without one
 *  @return 0, or negative errno to end the reading */
typedef int (*learn_sheet_fn)(void *ctx, const float *x, bool normal, const char *word);
/** Every row of a file in its order. @param by  a column by name or number, or NULL */
int learn_sheet_read(const struct learn_sheet *sheet, const char *path,
                     const struct learn_table_config *cfg, const char *by, learn_sheet_fn row,
                     void *ctx, struct atl_error *err);

#endif
