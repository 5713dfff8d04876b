/* SPDX-License-Identifier: Apache-2.0 */
/* attack: the plans of the configuration, laid over the benign life on lanes of their own. */
#ifndef TRAF_ATTACK_PRIV_H
#define TRAF_ATTACK_PRIV_H

#include "traffic/sim_priv.h"

/** Put the first step of every planned attack into the heap and open its label. */
void traf_attacks_start(struct traf_sim *sim);

#endif
