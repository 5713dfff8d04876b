/* SPDX-License-Identifier: Apache-2.0 */
#include "fedsync/refuse_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LINE_BYTES  640
#define TOPIC_BYTES 48

/* The last one stands for everything else. */
static const struct {
    int code;
    const char *words;
} reasons[] = {
    {-EMSGSIZE, "it is too long"},
    {-EPROTO, "it is not encoded as this protocol demands"},
    {-EPROTONOSUPPORT, "its protocol version is unknown"},
    {-ENOMSG, "its type has no place on this topic"},
    {-EXDEV, "it belongs to another federation"},
    {-ENOKEY, "its sender is not in the roster"},
    {-EBADMSG, "its signature or hash does not verify"},
    {-EPERM, "its sender may not send this"},
    {-ESTALE, "its epoch or round is over"},
    {-EALREADY, "the same was received before"},
    {-ETIME, "its deadline has passed"},
    {-EDOM, "it holds a number that is not finite"},
    {-EACCES, "its sender is in quarantine: it spoiled too many rounds"},
    {-EINVAL, "it does not fit"},
    {-EIO, "it could not be handled"},
};

_Static_assert(ATL_ARRAY_LEN(reasons) <= FED_REFUSAL_KINDS, "one counter each");

void fed_logf(fed_log_fn log, void *ctx, const char *fmt, ...)
{
    char line[LINE_BYTES];
    if (log == NULL)
        return;
    va_list args;
    va_start(args, fmt);
    vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    log(ctx, line);
}

static size_t kind_of(int code)
{
    size_t i = 0;
    while (i < ATL_ARRAY_LEN(reasons) - 1 && reasons[i].code != code)
        i++;
    return i;
}

static void harmless(char out[TOPIC_BYTES], const char *topic)
{
    atl_copy(out, TOPIC_BYTES, topic);
    for (char *at = out; *at != '\0'; at++)
        if (*at < ' ' || *at > '~')
            *at = '?';
}

void fed_refuse(struct fed_refusals *refusals, int code, const char *topic, const char *detail)
{
    char where[TOPIC_BYTES];
    size_t kind = kind_of(code);
    uint64_t count = ++refusals->count[kind];
    if ((count & (count - 1)) != 0)
        return;
    harmless(where, topic);
    fed_logf(refusals->log, refusals->ctx,
             "refused a message on \"%s\": %s%s%s (%" PRIu64 " such so far)", where,
             reasons[kind].words, detail != NULL ? ": " : "", detail != NULL ? detail : "", count);
}

uint64_t fed_refused(const struct fed_refusals *refusals, int code)
{
    return refusals->count[kind_of(code)];
}

uint64_t fed_refused_total(const struct fed_refusals *refusals)
{
    uint64_t total = 0;
    for (size_t i = 0; i < ATL_ARRAY_LEN(reasons); i++)
        total += refusals->count[i];
    return total;
}
