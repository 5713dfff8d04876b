/* SPDX-License-Identifier: Apache-2.0 */
/* app: what the verbs share. */
#ifndef APP_PRIV_H
#define APP_PRIV_H

#include "base/base.h"

/** Exit codes of every verb (sysexits.h for the last). */
enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_CONFIG = 78 };

/** argv[0] is the verb. @return exit code */
int verb_broker_setup(int argc, char **argv);
int verb_check(int argc, char **argv);
int verb_detect(int argc, char **argv);
int verb_doctor(int argc, char **argv);
int verb_edge(int argc, char **argv);
int verb_flows(int argc, char **argv);
int verb_forecast(int argc, char **argv);
int verb_hub(int argc, char **argv);
int verb_keys(int argc, char **argv);
int verb_privacy(int argc, char **argv);
int verb_model(int argc, char **argv);
int verb_score(int argc, char **argv);
int verb_simulate(int argc, char **argv);
int verb_traffic(int argc, char **argv);
int verb_train(int argc, char **argv);
/* Those that talk to a running edge (verb_stats.c). */
int verb_evidence(int argc, char **argv);
int verb_reload(int argc, char **argv);
int verb_stats(int argc, char **argv);
int verb_status(int argc, char **argv);

/* --- log: one line an event, on stderr, written by app/ only --- */

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

/** `2026-11-21T00:16:00Z INFO text`; control bytes in text are replaced. Thread-safe. */
void log_line(enum log_level level, const char *fmt, ...) ATL_PRINTF(2, 3);
void log_set_level(enum log_level level);
bool log_enabled(enum log_level level);

#endif
