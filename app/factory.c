/* SPDX-License-Identifier: Apache-2.0 */
#include "app/factory_priv.h"
#include "app/recipe_priv.h"

int model_set_factory(struct model_set *ret_set, struct atl_error *err)
{
    return model_set_parse(factory_model, factory_model_bytes, "factory model", ret_set, err);
}

int factory_reference(struct detector *detector, struct atl_error *err)
{
    struct model_set factory;
    int r = model_set_factory(&factory, err);
    if (r < 0)
        return r;
    detector_set_reference(detector, factory.models[VIEW_HOST]);
    factory.models[VIEW_HOST] = NULL;
    model_set_finish(&factory);
    return 0;
}
