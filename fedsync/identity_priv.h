/* SPDX-License-Identifier: Apache-2.0 */
/* Identities: key files of one hexadecimal line. */
#ifndef FED_IDENTITY_PRIV_H
#define FED_IDENTITY_PRIV_H

#include "fedsync/fedsync.h"

/** Read 64 hexadecimal digits; out is scratch on failure. @return 0, -ENOENT, -EINVAL … */
int fed_key_read(const char *path, uint8_t out[32], struct atl_error *err);

#endif
