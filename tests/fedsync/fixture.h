/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of fedsync share: a folder of their own and people with keys. */
#ifndef FED_TEST_FIXTURE_H
#define FED_TEST_FIXTURE_H

#include "fedsync/fedsync.h"

#define FIXTURE_PATH_BYTES 160

/** A new temporary folder. */
void fixture_dir_make(char out[FIXTURE_PATH_BYTES]);
void fixture_dir_remove(const char *dir);
/** <dir>/<sub>, as one string. */
void fixture_path(char out[FIXTURE_PATH_BYTES], const char *dir, const char *sub);
/** Identity in <dir>/keys, public half copied to <dir>/roster when enrolled. */
void fixture_person(struct fed_identity *out, const char *dir, const char *name, bool enrolled);
struct fed_roster *fixture_roster(const char *dir);

#endif
