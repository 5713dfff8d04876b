/* SPDX-License-Identifier: Apache-2.0 */
/* Which edge a row belongs to. */
#ifndef SIMULATE_SPLIT_PRIV_H
#define SIMULATE_SPLIT_PRIV_H

#include "app/simulate_data_priv.h"

struct simulate_split;

/** @param files  how many training files there are */
int simulate_split_create(struct simulate_split **ret_split, const struct config *cfg,
                          uint32_t files, struct atl_error *err);
void simulate_split_destroy(struct simulate_split *split);
bool simulate_split_by_file(const struct simulate_split *split);
/**
 * The edge of a row from its word in the column; *site stays where words do not tell.
 * @return 0, -EINVAL (a training row that is of no group), -ENOSPC (too many classes)
 */
int simulate_split_site(struct simulate_split *split, const char *word, bool training,
                        uint32_t *site, struct atl_error *err);
/** When all is read: deal out by chance where that is asked, take the canary's rows, sort the rows
 * by edge and name the edges. */
int simulate_split_apply(struct simulate_split *split, struct simulate_data *data,
                         struct atl_error *err);

#endif
