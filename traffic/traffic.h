/* SPDX-License-Identifier: Apache-2.0 */
/*
 * traffic: realistic telecom traffic and labelled attacks, made from a seed.
 *
 * A site is a set of subscribers with habits (web, video, DNS, NTP, mail, VoIP, IoT keep-alives,
 * updates) behind one edge router; sites differ in mix. Attacks are laid over it and written to a
 * label file. The same seed gives the same bytes. Used by the demo, the factory model, tests and
 * benchmarks.
 */
#ifndef TRAF_TRAFFIC_H
#define TRAF_TRAFFIC_H

#include "base/base.h"

/** Habits of a site: shares of service, subscribers and daily rhythm. */
#define TRAF_PROFILES(X)                                                       \
    X(RESIDENTIAL, "residential", "homes: web, video, games, smart devices")   \
    X(BUSINESS, "business", "offices: web, mail, VoIP, VPN, file transfer")    \
    X(MOBILE, "mobile", "handsets: short web and app bursts, messaging, QUIC") \
    X(IOT, "iot", "meters and cameras: keep-alives, telemetry, updates")

enum traf_profile {
#define TRAF_ENUM(id, name, help) TRAF_##id,
    TRAF_PROFILES(TRAF_ENUM)
#undef TRAF_ENUM
        TRAF_PROFILE_COUNT
};

#define TRAF_ATTACKS(X)                                                                  \
    X(HORIZONTAL_SCAN, "horizontal-scan", "one source tries one port on many addresses") \
    X(VERTICAL_SCAN, "vertical-scan", "one source tries many ports of one address")      \
    X(SYN_FLOOD, "syn-flood", "spoofed sources send SYN to one service")                 \
    X(UDP_FLOOD, "udp-flood", "one source sends a flood of UDP to one address")          \
    X(ICMP_FLOOD, "icmp-flood", "one source sends a flood of echo requests")             \
    X(BRUTE_FORCE, "brute-force", "one source logs in again and again over SSH")         \
    X(BEACON, "beacon", "one subscriber calls home at regular intervals")                \
    X(DNS_TUNNEL, "dns-tunnel", "one subscriber moves data in DNS names")                \
    X(EXFILTRATION, "exfiltration", "one subscriber uploads far more than it downloads")

enum traf_attack {
#define TRAF_ENUM(id, name, help) TRAF_##id,
    TRAF_ATTACKS(TRAF_ENUM)
#undef TRAF_ENUM
        TRAF_ATTACK_COUNT
};

const char *traf_profile_name(enum traf_profile profile);
const char *traf_profile_help(enum traf_profile profile);
const char *traf_attack_name(enum traf_attack attack);
const char *traf_attack_help(enum traf_attack attack);

#define TRAF_ATTACKS_MAX 64

struct traf_attack_plan {
    enum traf_attack attack;
    atl_ns after_ns, duration_ns; /* from the start of the capture */
    double rate_pps;              /* attack packets per second; 0 = the attack's usual rate */
};

struct traf_config {
    uint64_t seed;
    enum traf_profile profile;
    uint32_t site;           /* 0 … 255: address block 10.<site>.0.0/16 and fd00:<site>::/64 */
    uint32_t subscribers;    /* 1 … 65,000 */
    double flows_per_second; /* benign; mean over the day, or at every hour when steady */
    bool steady;             /* no daily rhythm */
    atl_ns start_ns, duration_ns; /* wall time of the first packet; length */
    uint32_t snap_bytes; /* captured length of a packet, 64 … 65535; wire length is kept */
    struct traf_attack_plan attacks[TRAF_ATTACKS_MAX];
    uint32_t n_attacks;
};
void traf_config_default(struct traf_config *cfg);
int traf_config_check(const struct traf_config *cfg, struct atl_error *err);

/** One Ethernet frame in time order; data is valid during the call. */
struct traf_packet {
    atl_ns time_ns;
    const uint8_t *data;
    uint32_t captured_bytes, wire_bytes;
    int32_t attack; /* index into cfg.attacks, -1 = benign */
};
/** @return 0 to go on, anything else ends the run and is handed back */
typedef int (*traf_packet_fn)(void *ctx, const struct traf_packet *packet);

/** One attack as it happened, for the label file. */
struct traf_label {
    enum traf_attack attack;
    atl_ns first_ns, last_ns;
    char attacker[46]; /* "" when the sources are spoofed */
    char victim[46];   /* "" when there are many */
    uint64_t packets;
};

struct traf_summary {
    uint64_t packets, bytes, flows;
    struct traf_label labels[TRAF_ATTACKS_MAX];
    uint32_t n_labels;
};

/**
 * Make the whole capture in time order; memory grows with concurrent flows only.
 *
 * The site lives for 90 s before the capture begins, so some conversations are first seen in the
 * middle, as in a real capture. Attacks change no benign packet: the same seed with and without
 * them gives the same benign bytes. labels[i] belongs to attacks[i] (packets 0 when none was sent).
 *
 * @return 0, -EINVAL (bad config) or -ENOMEM with a line in *err, or what emit handed back;
 *         *ret_summary (may be NULL) is set only on 0. Needs atl_base_init. One core makes one to
 *         three million packets a second.
 */
int traf_run(const struct traf_config *cfg, traf_packet_fn emit, void *ctx,
             struct traf_summary *ret_summary, struct atl_error *err);

/**
 * Classic pcap (nanosecond magic a1b23c4d) to path, "-" = stdout. A file is written beside its
 * place and renamed at the end, so a failed run leaves nothing; devices and pipes are written
 * straight. SIGPIPE should be ignored by the caller, else a reader that leaves ends the process.
 * @return 0 or negative errno with a line in *err
 */
int traf_write_pcap(const struct traf_config *cfg, const char *path,
                    struct traf_summary *ret_summary, struct atl_error *err);

#endif
