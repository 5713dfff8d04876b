/* SPDX-License-Identifier: Apache-2.0 */
#include "learner/model_file_priv.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

struct learn_key learn_key_of(const char *name, const char *what)
{
    struct learn_key key;
    snprintf(key.text, sizeof(key.text), "%.31s.%s", name, what);
    return key;
}

struct learn_key learn_key_of_layer(const char *name, char kind, uint32_t l)
{
    struct learn_key key;
    snprintf(key.text, sizeof(key.text), "%.31s.%c%u", name, kind, l);
    return key;
}

bool learn_file_name_ok(const char *name)
{
    size_t n = strnlen(name, LEARN_NAME_BYTES);
    return n > 0 && n < LEARN_NAME_BYTES &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == n;
}

void learn_file_data_hash(char hex[65], const uint8_t *data, size_t bytes)
{
    uint8_t hash[32];
    crypto_generichash(hash, sizeof(hash), data, bytes, NULL, 0);
    atl_hex(hex, hash, sizeof(hash));
}

void learn_tail_pack(const struct learn_tail *tail, double out[LEARN_TAIL_DOUBLES])
{
    const double head[LEARN_TAIL_NUMBERS] = {tail->risk,  tail->boundary, tail->threshold,
                                             tail->share, tail->scale,    tail->shape};
    memcpy(out, head, sizeof(head));
    memcpy(out + LEARN_TAIL_NUMBERS, tail->body, sizeof(tail->body));
}

void learn_tail_unpack(struct learn_tail *tail, const double in[LEARN_TAIL_DOUBLES])
{
    *tail = (struct learn_tail){.risk = in[0],
                                .boundary = in[1],
                                .threshold = in[2],
                                .share = in[3],
                                .scale = in[4],
                                .shape = in[5]};
    memcpy(tail->body, in + LEARN_TAIL_NUMBERS, sizeof(tail->body));
}

void learn_keep_one_line(struct atl_error *err)
{
    if (err == NULL)
        return;
    for (char *c = err->text; *c != '\0'; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    }
}
