/* SPDX-License-Identifier: Apache-2.0 */
#include "traffic/payload_priv.h"

#include <stdio.h>
#include <string.h>

static const char ssh_banner[] = "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n";

const struct traf_opening traf_openings[TRAF_STYLES] = {
    [TRAF_TLS] = {1, {517}, {3200}},
    [TRAF_TEXT] = {1, {0}, {72}},
    [TRAF_SSH] = {3, {sizeof(ssh_banner) - 1, 1200, 48}, {sizeof(ssh_banner) - 1, 1080, 208}},
    [TRAF_HTTP] = {0, {0}, {0}},
    [TRAF_OPAQUE] = {0, {0}, {0}},
};

void traf_noise(const struct traf_sim *sim, uint32_t salt, uint8_t *out, uint32_t bytes)
{
    /* the pool is one MTU longer than the range of starts, and bytes never exceed the MTU */
    memcpy(out, sim->noise + salt * 2654435761u % TRAF_NOISE_BYTES, bytes);
}

uint32_t traf_fit(enum traf_style style, uint32_t bytes, uint32_t mss)
{
    if (bytes == 0 || style == TRAF_TEXT || style == TRAF_OPAQUE)
        return bytes;
    if (style == TRAF_HTTP)
        return bytes < 160 ? 160 : bytes;
    return bytes % mss < 36 && bytes != sizeof(ssh_banner) - 1 ? bytes + 36 : bytes;
}

static void put_record(uint8_t *at, uint8_t type, uint16_t bytes)
{
    at[0] = type;
    traf_put16(at + 1, 0x0303);
    traf_put16(at + 3, bytes);
}

static uint8_t *put_extension(uint8_t *at, uint16_t type, uint16_t bytes)
{
    traf_put16(at, type);
    traf_put16(at + 2, bytes);
    memset(at + 4, 0, bytes);
    return at + 4;
}

/* RFC 8446 §4.1.2 with server_name, supported_versions and padding (RFC 7685) up to `bytes` */
static void put_client_hello(uint8_t *out, uint32_t bytes)
{
    static const char name[] = "www.atalaya.example";
    const uint16_t name_bytes = sizeof(name) - 1;
    put_record(out, 22, (uint16_t)(bytes - 5));
    traf_put32(out + 5, 1u << 24 | (bytes - 9));
    traf_put16(out + 9, 0x0303); /* 32 random bytes stay as they are */
    out[43] = 32;                /* session id stays as well */
    uint8_t *at = out + 76;
    static const uint8_t ciphers[] = {0, 6, 0x13, 1, 0x13, 2, 0x13, 3, 1, 0};
    memcpy(at, ciphers, sizeof(ciphers));
    at += sizeof(ciphers);
    traf_put16(at, (uint16_t)(out + bytes - at - 2));
    uint8_t *body = put_extension(at + 2, 0, name_bytes + 5);
    traf_put16(body, name_bytes + 3);
    traf_put16(body + 3, name_bytes);
    memcpy(body + 5, name, name_bytes);
    body = put_extension(body + 5 + name_bytes, 43, 3);
    body[0] = 2;
    traf_put16(body + 1, 0x0304);
    at = body + 3;
    put_extension(at, 21, (uint16_t)(out + bytes - at - 4));
}

/* ServerHello, change_cipher_spec, then one encrypted record over the rest of the segment */
static void put_server_hello(uint8_t *out, uint32_t bytes)
{
    put_record(out, 22, 122);
    traf_put32(out + 5, 2u << 24 | 118);
    traf_put16(out + 9, 0x0303);
    out[43] = 32;
    uint8_t *at = out + 76;
    traf_put16(at, 0x1301);
    at[2] = 0;
    traf_put16(at + 3, 46);
    uint8_t *body = put_extension(at + 5, 43, 2);
    traf_put16(body, 0x0304);
    body = put_extension(body + 2, 51, 36);
    traf_put16(body, 29);
    traf_put16(body + 2, 32);
    memcpy(body + 4, out + 11, 32);
    put_record(out + 127, 20, 1);
    out[132] = 1;
    put_record(out + 133, 23, (uint16_t)(bytes - 138));
}

/* One record a segment, as senders do that care for latency: a lost one holds up nothing else */
static void fill_tls(const struct traf_piece *piece, uint8_t *out, uint32_t bytes)
{
    if (piece->offset == 0 && piece->transfer == 0 && piece->of_bytes == bytes && bytes >= 200)
        put_client_hello(out, bytes);
    else if (piece->offset == 0 && piece->transfer == 1 && bytes >= 200)
        put_server_hello(out, bytes);
    else if (bytes > 5)
        put_record(out, 23, (uint16_t)(bytes - 5));
}

/* RFC 4253 §6 and §7.1; the first of the ten name lists takes up the slack */
static void put_kexinit(uint8_t *out, uint32_t bytes)
{
    traf_put32(out, bytes - 4);
    out[4] = 4;
    out[5] = 20;
    uint32_t others = 9 * 4 + 1 + 4 + 4; /* nine empty lists, the flag, reserved, padding */
    uint32_t list = bytes - 26 - others;
    traf_put32(out + 22, list);
    memset(out + 26, 'c', list);
    memset(out + 26 + list, 0, others);
}

/* RFC 5656 §4: host key, Q_S and signature as strings, then NEWKEYS */
static void put_kex_reply(uint8_t *out)
{
    static const char kind[] = "ssh-ed25519";
    traf_put32(out, 188);
    out[4] = 8;
    out[5] = 31;
    traf_put32(out + 6, 51);
    traf_put32(out + 10, 11);
    memcpy(out + 14, kind, 11);
    traf_put32(out + 25, 32);
    traf_put32(out + 61, 32);
    traf_put32(out + 97, 83);
    traf_put32(out + 101, 11);
    memcpy(out + 105, kind, 11);
    traf_put32(out + 116, 64);
    memset(out + 184, 0, 24);
    traf_put32(out + 192, 12);
    out[196] = 10;
    out[197] = 21;
}

/* With encrypt-then-MAC the length of a packet stays readable; 16 bytes of MAC follow it. */
static void put_ssh_packet(uint8_t *out, uint32_t bytes)
{
    traf_put32(out, bytes - 20);
    out[4] = 6;
    out[5] = 94;
}

static void fill_ssh(const struct traf_piece *piece, uint8_t *out, uint32_t bytes)
{
    if (piece->transfer < 2) {
        memcpy(out, ssh_banner, bytes < sizeof(ssh_banner) - 1 ? bytes : sizeof(ssh_banner) - 1);
    } else if (piece->transfer < 4) {
        if (bytes > 100)
            put_kexinit(out, bytes);
    } else if (piece->transfer == 4 && bytes == 48) {
        traf_put32(out, 44);
        out[4] = 6;
        out[5] = 30;
        traf_put32(out + 6, 32);
    } else if (piece->transfer == 5 && bytes == 208) {
        put_kex_reply(out);
    } else if (bytes >= 36) {
        put_ssh_packet(out, bytes);
    }
}

static void put_letters(const struct traf_sim *sim, uint32_t salt, uint8_t *out, uint32_t bytes)
{
    memcpy(out, sim->text + salt * 2654435761u % TRAF_NOISE_BYTES, bytes);
}

/* Whole lines in every segment */
static void fill_text(const struct traf_sim *sim, const struct traf_piece *piece, uint8_t *out,
                      uint32_t bytes)
{
    put_letters(sim, piece->salt + piece->offset, out, bytes);
    if (piece->offset == 0 && piece->from == 1 && bytes >= 6)
        memcpy(out, "250 ", 4);
    for (uint32_t at = 70; at + 1 < bytes; at += 72)
        memcpy(out + at, "\r\n", 2);
    if (bytes >= 2)
        memcpy(out + bytes - 2, "\r\n", 2);
}

/* RFC 9112: a request is all header, a response declares the length of the rest */
static void fill_http(const struct traf_sim *sim, const struct traf_piece *piece, uint8_t *out,
                      uint32_t bytes)
{
    char head[160];
    int n = 0;
    put_letters(sim, piece->salt + piece->offset, out, bytes);
    if (piece->from == 0) {
        n = snprintf(head, sizeof(head),
                     "GET /%u HTTP/1.1\r\nHost: get.example\r\nCookie: ", piece->salt % 9973);
        if (piece->offset + bytes == piece->of_bytes && bytes >= 4)
            memcpy(out + bytes - 4, "\r\n\r\n", 4);
    } else {
        static const char form[] = "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
                                   "Content-Length: %010u\r\n\r\n";
        n = snprintf(head, sizeof(head), form, 0);
        n = snprintf(head, sizeof(head), form, piece->of_bytes - (uint32_t)n);
    }
    if (piece->offset == 0 && (uint32_t)n <= bytes)
        memcpy(out, head, (size_t)n);
}

void traf_fill(const struct traf_sim *sim, const struct traf_piece *piece, uint8_t *out,
               uint32_t bytes)
{
    if (piece->style == TRAF_TEXT) {
        fill_text(sim, piece, out, bytes);
        return;
    }
    if (piece->style == TRAF_HTTP) {
        fill_http(sim, piece, out, bytes);
        return;
    }
    traf_noise(sim, piece->salt + piece->offset, out, bytes);
    if (piece->style == TRAF_TLS)
        fill_tls(piece, out, bytes);
    else if (piece->style == TRAF_SSH)
        fill_ssh(piece, out, bytes);
}

static void put_connection_id(const struct traf_sim *sim, uint32_t salt, uint8_t end, uint8_t *out)
{
    traf_noise(sim, salt + 77u * end, out, 8);
    out[0] |= 0x80; /* not mistaken for a transport header of the OSI kind */
}

void traf_fill_quic(const struct traf_sim *sim, uint32_t salt, uint8_t from, bool hello,
                    uint32_t number, uint8_t *out, uint32_t bytes)
{
    traf_noise(sim, salt + number, out, bytes);
    if (!hello || bytes < 64) {
        out[0] = (uint8_t)(0x40 | (out[0] & 0x3f));
        put_connection_id(sim, salt, !from, out + 1);
        return;
    }
    /* Initial: version 1, 8-byte ids, no token; the server's hello uses Handshake packets */
    out[0] = (uint8_t)((from == 0 ? 0xc0 : 0xe0) | (out[0] & 0x0f));
    traf_put32(out + 1, 1);
    out[5] = 8;
    put_connection_id(sim, salt, !from, out + 6);
    out[14] = 8;
    put_connection_id(sim, salt, from, out + 15);
    uint8_t *at = out + 23;
    if (from == 0)
        *at++ = 0;
    traf_put16(at, (uint16_t)(0x4000u | (uint32_t)(out + bytes - at - 2)));
}
