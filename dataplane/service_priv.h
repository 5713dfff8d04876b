/* SPDX-License-Identifier: Apache-2.0 */
/* service: the ports whose packets are looked into. */
#ifndef DP_SERVICE_PRIV_H
#define DP_SERVICE_PRIV_H

#include "dataplane/decode_priv.h"

enum { DP_PORT_DIAMETER = 3868 };

/*
 * UDP port, layer of a tunnel or DP_LAYER_COUNT, look inside or NULL, whether packets *from* the
 * port count, too: a tunnel whose source port is chosen at random must not be met by chance.
 */
#define DP_SERVICES(X)                          \
    X(53, DP_LAYER_COUNT, dp_look_dns, true)    \
    X(1701, DP_LAYER_L2TP, NULL, true)          \
    X(2123, DP_LAYER_COUNT, dp_look_gtpc, true) \
    X(2152, DP_LAYER_GTPU, NULL, true)          \
    X(3544, DP_LAYER_TEREDO, NULL, true)        \
    X(4789, DP_LAYER_VXLAN, NULL, false)        \
    X(4790, DP_LAYER_VXLAN_GPE, NULL, false)    \
    X(6081, DP_LAYER_GENEVE, NULL, false)       \
    X(6635, DP_LAYER_MPLS_UDP, NULL, false)     \
    X(8472, DP_LAYER_VXLAN, NULL, false)        \
    X(8805, DP_LAYER_COUNT, dp_look_pfcp, true)

/* The factor was searched for: it sends each port to a slot of its own (the compiler warns of two
 * initialisers in one). */
#define DP_SERVICE_SLOT(port) ((((port)*1807U) & 0xffffU) >> 12)

static const uint16_t dp_service_ports[16] = {
#define DP_ROW(port, layer, look, answers) [DP_SERVICE_SLOT(port)] = port,
    DP_SERVICES(DP_ROW)
#undef DP_ROW
};

static inline bool dp_service_may_be(uint16_t port)
{
    return dp_service_ports[DP_SERVICE_SLOT(port)] == port;
}

static inline bool dp_service_is_tcp(uint16_t port)
{
    return port == DP_PORT_DIAMETER;
}

#endif
