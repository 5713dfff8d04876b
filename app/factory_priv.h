/* SPDX-License-Identifier: Apache-2.0 */
/* The factory model as bytes, made by the build (factory_make.c). */
#ifndef FACTORY_PRIV_H
#define FACTORY_PRIV_H

#include <stddef.h>

extern const unsigned char factory_model[];
extern const size_t factory_model_bytes;

#endif
