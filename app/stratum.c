/* SPDX-License-Identifier: Apache-2.0 */
#include "app/stratum_priv.h"

#include <netinet/in.h>

#define HOUR_S  3600
#define DAY_S   (24 * HOUR_S)
#define CLASSES 8

enum service { WEB, NAMES, MAIL, SHELL, TELECOM, OTHER_TCP, OTHER_UDP, OTHER };

static const struct {
    uint16_t port;
    uint8_t service;
} ports[] = {
    {22, SHELL},     {23, SHELL},   {25, MAIL},      {53, NAMES},      {67, NAMES},
    {80, WEB},       {110, MAIL},   {123, NAMES},    {143, MAIL},      {443, WEB},
    {465, MAIL},     {587, MAIL},   {853, NAMES},    {993, MAIL},      {2123, TELECOM},
    {2152, TELECOM}, {3389, SHELL}, {3868, TELECOM}, {5353, NAMES},    {5900, SHELL},
    {8080, WEB},     {8443, WEB},   {8805, TELECOM}, {38412, TELECOM},
};

static uint32_t service_of(const struct dp_flow *f)
{
    if (f->proto == IPPROTO_SCTP)
        return TELECOM;
    for (size_t i = 0; i < ATL_ARRAY_LEN(ports); i++) {
        if (ports[i].port == f->dst_port)
            return ports[i].service;
    }
    return f->proto == IPPROTO_TCP ? OTHER_TCP : f->proto == IPPROTO_UDP ? OTHER_UDP : OTHER;
}

/* 1970-01-01 was a Thursday: the third and fourth day of each seven are a weekend. */
static uint32_t hour_of(atl_ns wall_ns)
{
    uint64_t s = wall_ns / ATL_NS_PER_S, day = s / DAY_S % 7;
    return (uint32_t)(s % DAY_S / HOUR_S) + (day == 2 || day == 3 ? 24 : 0);
}

uint32_t stratum_of_flow(const struct dp_flow *flow)
{
    return hour_of(flow->last_ns) * CLASSES + service_of(flow);
}

uint32_t stratum_of_host(const struct feat_host_row *row)
{
    return hour_of(row->last_ns) * CLASSES + (uint32_t)row->role;
}
