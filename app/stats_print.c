/* SPDX-License-Identifier: Apache-2.0 */
#include "app/stats_print_priv.h"

#include "dataplane/dataplane.h"

#include <inttypes.h>
#include <stdio.h>

static double count(const json_t *object, const char *name)
{
    return json_number_value(json_object_get(object, name));
}

static void print_encapsulations(const json_t *seen)
{
    if (json_object_size(seen) > 0)
        printf("\nheaders            seen\n");
    for (int i = 0; i < DP_ENCAP_COUNT; i++) {
        const char *name = dp_encap_name((enum dp_encap)i);
        if (json_object_get(seen, name) != NULL)
            printf("%-15s %7.0f  %s\n", name, count(seen, name), dp_encap_help((enum dp_encap)i));
    }
}

static void print_fallbacks(const json_t *seen)
{
    if (json_object_size(seen) > 0)
        printf("\nfallbacks       packets  keyed by an outer header, because of the inner one:\n");
    for (int i = 0; i < DP_REASON_COUNT; i++) {
        const char *name = dp_reason_name((enum dp_reason)i);
        if (json_object_get(seen, name) != NULL)
            printf("%-15s %7.0f  %s\n", name, count(seen, name), dp_reason_help((enum dp_reason)i));
    }
}

static void print_codes(const char *what, const json_t *codes)
{
    const char *code;
    json_t *n;
    if (json_object_size(codes) == 0)
        return;
    printf("  %-9s", what);
    json_object_foreach((json_t *)(uintptr_t)codes, code, n)
        printf(" %s:%" JSON_INTEGER_FORMAT, code, json_integer_value(n));
    putchar('\n');
}

static void print_protocols(const json_t *protocols)
{
    for (int i = 0; i < DP_TELECOM_COUNT; i++) {
        const char *name = dp_telecom_name((enum dp_telecom_protocol)i);
        const json_t *protocol = json_object_get(protocols, name);
        if (protocol == NULL)
            continue;
        printf("%-10s %.0f errors; %s\n", name, count(protocol, "errors"),
               dp_telecom_help((enum dp_telecom_protocol)i));
        print_codes("messages", json_object_get(protocol, "messages"));
        print_codes("causes", json_object_get(protocol, "causes"));
        if (count(protocol, "other") > 0)
            printf("  %.0f of rarer codes\n", count(protocol, "other"));
    }
}

static void print_peers(const json_t *telecom)
{
    const json_t *peers = json_object_get(telecom, "peers");
    size_t i;
    json_t *peer;
    printf("\n%-39s  messages    errors  (%zu of %.0f peers, most errors first)\n",
           "control plane peer", json_array_size(peers), count(telecom, "peers_known"));
    json_array_foreach((json_t *)(uintptr_t)peers, i, peer)
        printf("%-39s %9.0f %9.0f\n", json_string_value(json_object_get(peer, "peer")),
               count(peer, "messages"), count(peer, "errors"));
}

void stats_print_headers(const json_t *doc)
{
    const json_t *telecom = json_object_get(doc, "telecom");
    print_encapsulations(json_object_get(doc, "encapsulations"));
    print_fallbacks(json_object_get(doc, "fallbacks"));
    if (count(telecom, "peers_known") == 0)
        return;
    printf("\ncontrol plane, code:count\n");
    print_protocols(json_object_get(telecom, "protocols"));
    if (count(telecom, "other") > 0)
        printf("%.0f messages and causes of peers with more than 24 codes\n",
               count(telecom, "other"));
    print_peers(telecom);
}
