/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/dataplane.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

static const struct {
    const char *name, *help;
} reasons[DP_REASON_COUNT] = {
#define DP_ROW(id, name, help) {name, help},
    DP_REASONS(DP_ROW)
#undef DP_ROW
};

static const char *const stages[DP_STAGE_COUNT] = {
#define DP_ROW(id, name, help) name,
    DP_STAGES(DP_ROW)
#undef DP_ROW
};

static const char *const end_reasons[] = {
    [DP_END_IDLE] = "idle",     [DP_END_ACTIVE] = "active",       [DP_END_CLOSED] = "end",
    [DP_END_FORCED] = "forced", [DP_END_RESOURCES] = "resources",
};

static const struct {
    const char *name, *help;
    bool has_id;
} tunnels[DP_TUNNEL_COUNT] = {
#define DP_ROW(id, name, has_id, help) {name, help, has_id},
    DP_TUNNELS(DP_ROW)
#undef DP_ROW
};

static const struct {
    const char *name, *help;
} encaps[DP_ENCAP_COUNT] = {
#define DP_ROW(id, name, help) {name, help},
    DP_ENCAPS(DP_ROW)
#undef DP_ROW
};

static const struct {
    const char *name, *help;
} telecoms[DP_TELECOM_COUNT] = {
#define DP_ROW(id, name, help) {name, help},
    DP_TELECOMS(DP_ROW)
#undef DP_ROW
};

const char *dp_reason_name(enum dp_reason reason)
{
    return (unsigned)reason < DP_REASON_COUNT ? reasons[reason].name : "unknown";
}

const char *dp_reason_help(enum dp_reason reason)
{
    return (unsigned)reason < DP_REASON_COUNT ? reasons[reason].help : "";
}

const char *dp_stage_name(enum dp_stage stage)
{
    return (unsigned)stage < DP_STAGE_COUNT ? stages[stage] : "unknown";
}

const char *dp_end_reason_name(enum dp_end_reason reason)
{
    if ((unsigned)reason >= ATL_ARRAY_LEN(end_reasons) || end_reasons[reason] == NULL)
        return "unknown";
    return end_reasons[reason];
}

const char *dp_tunnel_name(enum dp_tunnel tunnel)
{
    return (unsigned)tunnel < DP_TUNNEL_COUNT ? tunnels[tunnel].name : "unknown";
}

const char *dp_tunnel_help(enum dp_tunnel tunnel)
{
    return (unsigned)tunnel < DP_TUNNEL_COUNT ? tunnels[tunnel].help : "";
}

bool dp_tunnel_has_id(enum dp_tunnel tunnel)
{
    return (unsigned)tunnel < DP_TUNNEL_COUNT && tunnels[tunnel].has_id;
}

const char *dp_encap_name(enum dp_encap encap)
{
    return (unsigned)encap < DP_ENCAP_COUNT ? encaps[encap].name : "unknown";
}

const char *dp_encap_help(enum dp_encap encap)
{
    return (unsigned)encap < DP_ENCAP_COUNT ? encaps[encap].help : "";
}

const char *dp_telecom_name(enum dp_telecom_protocol protocol)
{
    return (unsigned)protocol < DP_TELECOM_COUNT ? telecoms[protocol].name : "unknown";
}

const char *dp_telecom_help(enum dp_telecom_protocol protocol)
{
    return (unsigned)protocol < DP_TELECOM_COUNT ? telecoms[protocol].help : "";
}

bool dp_addr_is_v4(const struct dp_addr *addr)
{
    static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};
    return memcmp(addr->bytes, prefix, sizeof(prefix)) == 0;
}

int dp_addr_parse(const char *text, struct dp_addr *ret_addr)
{
    struct dp_addr addr = {.bytes = {[10] = 0xff, [11] = 0xff}};
    if (inet_pton(AF_INET, text, addr.bytes + 12) != 1 &&
        inet_pton(AF_INET6, text, addr.bytes) != 1)
        return -EINVAL;
    *ret_addr = addr;
    return 0;
}

void dp_addr_format(const struct dp_addr *addr, char out[DP_ADDR_TEXT_BYTES])
{
    if (dp_addr_is_v4(addr))
        inet_ntop(AF_INET, addr->bytes + 12, out, DP_ADDR_TEXT_BYTES);
    else
        inet_ntop(AF_INET6, addr->bytes, out, DP_ADDR_TEXT_BYTES);
}
