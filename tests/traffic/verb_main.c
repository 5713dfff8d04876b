/* SPDX-License-Identifier: Apache-2.0 */
/* The verb alone, as the program's main would call it. */
#include "base/base.h"

int verb_traffic(int argc, char **argv);

int main(int argc, char **argv)
{
    return atl_base_init() < 0 ? 1 : verb_traffic(argc, argv);
}
