/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/decode_priv.h"

#include "dataplane/dns_digest_priv.h"

enum {
    DNS_BYTES = 12, /* RFC 1035 §4.1.1 */
    DNS_IS_RESPONSE = 0x8000,
    DNS_RCODE = 0x000f,
    DNS_NXDOMAIN = 3,
    LABEL_BYTES_MAX = 63,
    NAME_BYTES_MAX = 253, /* as text */
    TYPE_A = 1,
    TYPE_NULL = 10,
    TYPE_TXT = 16,
    TYPE_AAAA = 28,
};

/* round(4096 × log2 n); n = 0 is never asked for but with a factor of 0 */
static const uint16_t log2_4096[256] = {
    0,     0,     4096,  6492,  8192,  9511,  10588, 11499, 12288, 12984, 13607, 14170, 14684,
    15157, 15595, 16003, 16384, 16742, 17080, 17400, 17703, 17991, 18266, 18529, 18780, 19021,
    19253, 19476, 19691, 19898, 20099, 20292, 20480, 20662, 20838, 21010, 21176, 21338, 21496,
    21649, 21799, 21945, 22087, 22226, 22362, 22495, 22625, 22752, 22876, 22998, 23117, 23234,
    23349, 23462, 23572, 23680, 23787, 23892, 23994, 24095, 24195, 24292, 24388, 24483, 24576,
    24668, 24758, 24847, 24934, 25021, 25106, 25189, 25272, 25354, 25434, 25513, 25592, 25669,
    25745, 25820, 25895, 25968, 26041, 26112, 26183, 26253, 26322, 26390, 26458, 26525, 26591,
    26656, 26721, 26784, 26848, 26910, 26972, 27033, 27094, 27154, 27213, 27272, 27330, 27388,
    27445, 27502, 27558, 27613, 27668, 27722, 27776, 27830, 27883, 27935, 27988, 28039, 28090,
    28141, 28191, 28241, 28291, 28340, 28388, 28437, 28484, 28532, 28579, 28626, 28672, 28718,
    28764, 28809, 28854, 28898, 28943, 28987, 29030, 29074, 29117, 29159, 29202, 29244, 29285,
    29327, 29368, 29409, 29450, 29490, 29530, 29570, 29609, 29649, 29688, 29726, 29765, 29803,
    29841, 29879, 29916, 29954, 29991, 30027, 30064, 30100, 30137, 30172, 30208, 30244, 30279,
    30314, 30349, 30384, 30418, 30452, 30486, 30520, 30554, 30587, 30621, 30654, 30687, 30719,
    30752, 30784, 30817, 30849, 30880, 30912, 30944, 30975, 31006, 31037, 31068, 31099, 31129,
    31160, 31190, 31220, 31250, 31280, 31309, 31339, 31368, 31397, 31426, 31455, 31484, 31513,
    31541, 31569, 31598, 31626, 31654, 31681, 31709, 31737, 31764, 31791, 31818, 31846, 31872,
    31899, 31926, 31952, 31979, 32005, 32031, 32058, 32084, 32109, 32135, 32161, 32186, 32212,
    32237, 32262, 32287, 32312, 32337, 32362, 32387, 32411, 32436, 32460, 32484, 32508, 32533,
    32557, 32580, 32604, 32628, 32651, 32675, 32698, 32722, 32745,
};

struct name {
    struct dp_name whole;
    uint32_t letters;   /* without dots */
    uint8_t count[256]; /* ≤ 253 each */
};

/* Resolvers mix upper and lower case at random (against forged answers): that is no entropy. */
static uint8_t lower(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte + ('a' - 'A')) : byte;
}

/* H = log2 n − 1/n Σ c log2 c, in 1/256 bit. n log2 n ≤ 253 × 8 × 4096: no overflow. */
static uint16_t entropy(const struct name *name)
{
    uint32_t n = name->letters, sum = 0;
    if (n == 0)
        return 0;
    for (size_t i = 0; i < ATL_ARRAY_LEN(name->count); i++)
        sum += name->count[i] * (uint32_t)log2_4096[name->count[i]];
    uint32_t whole = n * log2_4096[n];
    return whole > sum ? (uint16_t)((whole - sum) / n >> 4) : 0;
}

/* The caller has checked that it fits: at most 127 labels of at least one byte in 253. */
static void add_label(struct name *name, const uint8_t *label, uint32_t bytes)
{
    struct dp_name *whole = &name->whole;
    if (whole->text_bytes != 0)
        whole->text[whole->text_bytes++] = '.';
    whole->label[whole->labels++] = (uint8_t)whole->text_bytes;
    for (uint32_t i = 0; i < bytes; i++) {
        uint8_t byte = lower(label[i]);
        whole->text[whole->text_bytes++] = byte;
        name->count[byte]++;
    }
    name->letters += bytes;
}

/* The first question's name stands in full: there is nothing before it to point to. */
static bool take_name(struct dp_decode *d, struct name *name)
{
    for (;;) {
        const uint8_t *length, *label;
        if (!dp_need(d, 1, &length))
            return false;
        if (length[0] == 0)
            return true;
        d->reason = DP_REASON_BAD_HEADER;
        uint32_t bytes = name->whole.text_bytes + (name->whole.text_bytes != 0) + length[0];
        if (length[0] > LABEL_BYTES_MAX || bytes > NAME_BYTES_MAX || !dp_need(d, length[0], &label))
            return false;
        add_label(name, label, length[0]);
    }
}

static enum dp_dns_type class_of(uint16_t type)
{
    switch (type) {
    case TYPE_A:
    case TYPE_AAAA:
        return DP_DNS_ADDRESS;
    case TYPE_TXT:
        return DP_DNS_TXT;
    case TYPE_NULL:
        return DP_DNS_NULL;
    default:
        return DP_DNS_OTHER;
    }
}

static bool take_question(struct dp_decode *d, struct dp_dns_seen *seen)
{
    struct name name;
    const uint8_t *type;
    name.whole.text_bytes = name.whole.labels = name.letters = 0;
    memset(name.count, 0, sizeof(name.count));
    if (!take_name(d, &name) || !dp_need(d, 4, &type))
        return false;
    seen->name_bytes = (uint8_t)name.whole.text_bytes;
    seen->entropy = entropy(&name);
    seen->what |= (uint8_t)(DP_DNS_NAMED | class_of(dp_be16(type)) << DP_DNS_TYPE_SHIFT);
    dp_domain_note(&d->decoder->domains, d->packet, &name.whole);
    return true;
}

void dp_look_dns(struct dp_decode *d)
{
    struct dp_dns_seen *seen = &d->packet->dns;
    const uint8_t *header;
    if (!dp_need(d, DNS_BYTES, &header)) {
        seen->what = d->reason == DP_REASON_TRUNCATED ? 0 : DP_DNS_ODD;
        return;
    }
    uint16_t flags = dp_be16(header + 2), questions = dp_be16(header + 4);
    seen->what = (flags & DNS_IS_RESPONSE) != 0 ? DP_DNS_RESPONSE : DP_DNS_QUERY;
    bool failed = seen->what == DP_DNS_RESPONSE && (flags & DNS_RCODE) != 0;
    if (failed)
        seen->what |= DP_DNS_FAILED;
    if (failed && (flags & DNS_RCODE) == DNS_NXDOMAIN)
        seen->what |= DP_DNS_NXDOMAIN;
    bool readable = questions == 0 ? seen->what != DP_DNS_QUERY : take_question(d, seen);
    /* What the capture cut may have been a name as good as any. */
    if (!readable && (questions == 0 || d->reason != DP_REASON_TRUNCATED))
        *seen = (struct dp_dns_seen){.what = DP_DNS_ODD};
}

static void add_u16(uint16_t *count, bool more)
{
    *count = (uint16_t)(*count + (more && *count != UINT16_MAX));
}

/* Shares outlive any number of packets: nothing is lost but the last bits of the small ones. */
static void add_type(uint8_t types[DP_DNS_TYPES], unsigned type)
{
    if (types[type] == UINT8_MAX)
        for (size_t i = 0; i < DP_DNS_TYPES; i++)
            types[i] /= 2;
    types[type]++;
}

void dp_dns_update(struct dp_dns *dns, const struct dp_dns_seen *seen)
{
    bool full = dns->queries == UINT16_MAX || dns->responses == UINT16_MAX;
    add_u16(&dns->queries, (seen->what & DP_DNS_QUERY) != 0);
    add_u16(&dns->responses, (seen->what & DP_DNS_RESPONSE) != 0);
    add_u16(&dns->nxdomain, (seen->what & DP_DNS_NXDOMAIN) != 0);
    dns->odd = (uint8_t)(dns->odd + ((seen->what & DP_DNS_ODD) != 0 && dns->odd != UINT8_MAX));
    if ((seen->what & DP_DNS_NAMED) == 0)
        return;
    add_type(dns->types, seen->what >> DP_DNS_TYPE_SHIFT & (DP_DNS_TYPES - 1));
    if (seen->name_bytes > dns->name_bytes_max)
        dns->name_bytes_max = seen->name_bytes;
    if (full) /* 2 × 65,535 × 253 bytes and × 2,048 bits/256 are below 2^32 */
        return;
    dns->name_bytes += seen->name_bytes;
    dns->entropy += seen->entropy;
}
