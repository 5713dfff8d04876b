/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_ROLLBACK_PRIV_H
#define MODEL_ROLLBACK_PRIV_H

/** Give the model before the last one its place back, in a running edge or in its state folder.
 *  @return exit code; says what it did */
int model_rollback(const char *config_path);

#endif
