/* SPDX-License-Identifier: Apache-2.0 */
#include "app/factory_priv.h"
#include "app/recipe_priv.h"

int model_set_factory(struct model_set *ret_set, struct atl_error *err)
{
    return model_set_parse(factory_model, factory_model_bytes, "factory model", ret_set, err);
}
