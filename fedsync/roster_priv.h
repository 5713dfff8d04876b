/* SPDX-License-Identifier: Apache-2.0 */
/* The roster by position: members are sorted by name, positions stay until destroy. */
#ifndef FED_ROSTER_PRIV_H
#define FED_ROSTER_PRIV_H

#include "fedsync/fedsync.h"

/** Position of a member, or -1 for a stranger. */
int fed_roster_find(const struct fed_roster *roster, const char *name);
const char *fed_roster_name(const struct fed_roster *roster, uint32_t at);

#endif
