/* SPDX-License-Identifier: Apache-2.0 */
/* service: what the site's subscribers and machines do all day. */
#ifndef TRAF_SERVICE_PRIV_H
#define TRAF_SERVICE_PRIV_H

#include "traffic/talk_priv.h"

/** Put the benign life of the site into the heap, warm-up included. */
void traf_services_start(struct traf_sim *sim);

#define TRAF_SCRIPTS(X) \
    X(WEB)              \
    X(DOWNLOAD)         \
    X(VIDEO)            \
    X(APP) X(PUSH) X(SUBMIT) X(IMAP) X(SSH) X(SHARE) X(CAMERA) X(TELEMETRY) X(PEER_BLOCKS) X(CRAWL)

enum traf_script_name {
#define TRAF_ENUM(id) TRAF_SCRIPT_##id,
    TRAF_SCRIPTS(TRAF_ENUM)
#undef TRAF_ENUM
        TRAF_SCRIPT_COUNT
};
extern const struct traf_script traf_scripts[TRAF_SCRIPT_COUNT];

/** Arrivals now as a share of the day's mean. */
double traf_rhythm(enum traf_profile profile, atl_ns wall_ns);

#endif
