/* SPDX-License-Identifier: Apache-2.0 */
/* port_doctor: what its parts share. */
#ifndef DP_PORT_DOCTOR_PRIV_H
#define DP_PORT_DOCTOR_PRIV_H

#include "dataplane/dataplane.h"

#define DP_DOCTOR_NAME_BYTES 64

struct dp_doctor {
    const struct dp_config *cfg; /* NULL: the machine as such */
    const char *root;
    struct dp_findings *out;
};

/** One finding; what does not fit the list any more is left out. mend may be "" */
void dp_doctor_add(struct dp_doctor *d, enum dp_finding_status status, const char *check,
                   const char *mend, const char *fmt, ...) ATL_PRINTF(5, 6);

/** The path below the root. */
void dp_doctor_path(const struct dp_doctor *d, char out[512], const char *fmt, ...)
    ATL_PRINTF(3, 4);
/** First line of a file, without its end. @return false when it cannot be read; out is "" then */
bool dp_doctor_line(const struct dp_doctor *d, char *out, size_t bytes, const char *fmt, ...)
    ATL_PRINTF(4, 5);
bool dp_doctor_exists(const struct dp_doctor *d, const char *fmt, ...) ATL_PRINTF(2, 3);
/** Last part of where a link leads. @return false when there is none */
bool dp_doctor_link(const struct dp_doctor *d, char *out, size_t bytes, const char *fmt, ...)
    ATL_PRINTF(4, 5);
/** The first line as a whole number, or otherwise. */
uint64_t dp_doctor_number(const struct dp_doctor *d, uint64_t otherwise, const char *fmt, ...)
    ATL_PRINTF(3, 4);

/** A port that DPDK finds on the PCI bus: "0000:03:00.0". */
bool dp_doctor_is_pci(const struct dp_config *cfg);

/** What the system's own connections need of an interface: default route, SSH. */
void dp_doctor_connections(struct dp_doctor *d, const char *interface, bool taken_away);
/** Driver settings that change packets before we see them. */
void dp_doctor_offloads(struct dp_doctor *d, const char *interface);
/** Device, driver, IOMMU group, PMD. */
void dp_doctor_device(struct dp_doctor *d);

#endif
