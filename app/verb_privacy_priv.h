/* SPDX-License-Identifier: Apache-2.0 */
/* The words of `atalaya privacy` that have a file of their own. argv[0] is the word. */
#ifndef VERB_PRIVACY_PRIV_H
#define VERB_PRIVACY_PRIV_H

int privacy_ledger(int argc, char **argv);
int privacy_plan(int argc, char **argv);

#endif
