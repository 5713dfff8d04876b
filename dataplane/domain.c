/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/domain_priv.h"

/* Labels below which, under a country, names are given out like below the country itself. */
static const char *const second_level[] = {
    "ac", "ad",  "asn", "co",  "com", "edu", "gen", "go", "gob", "gouv", "gov",
    "gv", "ltd", "me",  "mil", "ne",  "net", "nom", "or", "org", "plc",  "sch",
};

static bool label_is(const struct dp_name *name, uint32_t label, const char *text)
{
    size_t bytes = strlen(text), at = name->label[label];
    bool last = label + 1 == name->labels;
    size_t end = last ? name->text_bytes : (size_t)name->label[label + 1] - 1;
    return end - at == bytes && memcmp(name->text + at, text, bytes) == 0;
}

static bool is_second_level(const struct dp_name *name, uint32_t label)
{
    for (size_t i = 0; i < ATL_ARRAY_LEN(second_level); i++)
        if (label_is(name, label, second_level[i]))
            return true;
    return false;
}

/* Reverse names: the two octets of the network are as near to an owner as one gets. */
static uint32_t base_labels(const struct dp_name *name)
{
    if (name->labels < 3)
        return name->labels;
    uint32_t last = name->labels - 1;
    if (label_is(name, last, "arpa"))
        return label_is(name, last - 1, "ip6") ? 10 : 4;
    bool country = name->text_bytes - name->label[last] == 2;
    return country && is_second_level(name, last - 1) ? 3 : 2;
}

uint32_t dp_domain_base(const struct dp_name *name)
{
    uint32_t labels = base_labels(name);
    return labels < name->labels ? name->label[name->labels - labels] : 0;
}

static struct dp_summary *find(struct dp_domains *d, const struct dp_addr *client, uint64_t domain)
{
    uint64_t hash = atl_hash(&d->key, client, sizeof(*client)) ^ domain;
    struct dp_summary *set = d->table.sets[hash % DP_SUMMARY_SETS];
    for (size_t i = 0; i < DP_SUMMARY_WAYS; i++) {
        const struct dp_domain *at = &set[i].report.domain;
        if (set[i].weight != 0 && at->domain == domain && dp_addr_equal(&at->client, client))
            return &set[i];
    }
    struct dp_summary *s = dp_summary_replace(set, DP_REPORT_DOMAIN);
    s->report.domain.client = *client;
    s->report.domain.domain = domain;
    return s;
}

void dp_domain_note(struct dp_domains *d, const struct dp_packet *p, const struct dp_name *name)
{
    const struct dp_dns_seen *seen = &p->dns;
    bool query = (seen->what & DP_DNS_QUERY) != 0;
    uint32_t base = dp_domain_base(name);
    uint64_t domain = atl_hash(&d->key, name->text + base, name->text_bytes - base);
    struct dp_summary *s = find(d, &p->key.addr[query ? 0 : 1], domain);
    struct dp_domain *at = &s->report.domain;
    dp_summary_note(s, p->ts_ns);
    at->server = p->key.addr[query ? 1 : 0];
    at->queries += query;
    at->responses += !query;
    at->nxdomain += (seen->what & DP_DNS_NXDOMAIN) != 0;
    if (at->named == UINT16_MAX) /* 65,535 × 2,048 bits/256 are below 2^32 */
        return;
    at->named++;
    at->name_bytes += seen->name_bytes;
    at->entropy += seen->entropy;
    at->types[seen->what >> DP_DNS_TYPE_SHIFT & (DP_DNS_TYPES - 1)]++;
    dp_distinct_add(&at->names, atl_hash(&d->key, name->text, name->text_bytes));
}
