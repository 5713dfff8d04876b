/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUS_TOPIC_PRIV_H
#define BUS_TOPIC_PRIV_H

#include <stdbool.h>
#include <stddef.h>

/** [a-z0-9-]{1,max_bytes}. */
bool bus_name_valid_within(const char *name, size_t max_bytes);
/** Printable ASCII without wildcards, shorter than BUS_TOPIC_BYTES. */
bool bus_topic_valid(const char *topic);
/** The same with + as a whole level and # as the last. */
bool bus_filter_valid(const char *filter);

#endif
