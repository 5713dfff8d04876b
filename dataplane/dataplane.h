/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dataplane: packets in, finished flow records out.
 *
 *   capture (DPDK or libpcap) → decode → flow table → expiry → one ring of struct dp_flow per
 * worker
 *
 * The same worker code runs in its own thread (live) or is stepped by the caller (files), so a
 * capture file gives the same records through either road.
 */
#ifndef DP_DATAPLANE_H
#define DP_DATAPLANE_H

#include "base/base.h"

/* --- names: enum, spelling and help cannot drift apart --- */

/** Why a received packet did not become part of a flow. received = processed + Σ reasons. */
#define DP_REASONS(X)                                                                     \
    X(TRUNCATED, "truncated", "the frame ends inside a header")                           \
    X(BAD_HEADER, "bad_header", "a length or version field contradicts the frame")        \
    X(NOT_IP, "not_ip", "no IP packet inside (ARP, LLDP, spanning tree, …)")              \
    X(LINK_TYPE, "link_type", "a link type that is not decoded")                          \
    X(DEPTH, "depth", "more nested headers than the depth budget")                        \
    X(TABLE_FULL, "table_full", "no room in the flow table and nothing could be evicted") \
    X(HANDOVER_FULL, "handover_full", "the ring to the flow's worker was full")

enum dp_reason {
#define DP_ENUM(id, name, help) DP_REASON_##id,
    DP_REASONS(DP_ENUM)
#undef DP_ENUM
        DP_REASON_COUNT
};

const char *dp_reason_name(enum dp_reason reason);
const char *dp_reason_help(enum dp_reason reason);

/** Values are IPFIX flowEndReason (RFC 5102 §5.11.3). */
enum dp_end_reason {
    DP_END_IDLE = 1,      /* "idle"      no packet for the idle timeout */
    DP_END_ACTIVE = 2,    /* "active"    still alive after the active timeout, or a sum was full */
    DP_END_CLOSED = 3,    /* "end"       FIN both ways or RST */
    DP_END_FORCED = 4,    /* "forced"    end of the capture or shutdown */
    DP_END_RESOURCES = 5, /* "resources" evicted to make room */
};

const char *dp_end_reason_name(enum dp_end_reason reason);

/**
 * What encloses the keyed IP packet: id, name, whether it carries a number, which number.
 * Of nested tunnels the innermost that has a number counts, or the innermost if none has.
 */
#define DP_TUNNELS(X)                                            \
    X(NONE, "", false, "none")                                   \
    X(MPLS, "mpls", true, "label at the bottom of the stack")    \
    X(PPPOE, "pppoe", true, "PPPoE session")                     \
    X(GRE, "gre", true, "GRE key, 0 when it has none")           \
    X(PPTP, "pptp", true, "call identifier of enhanced GRE")     \
    X(NVGRE, "nvgre", true, "virtual subnet (VSID)")             \
    X(ERSPAN, "erspan", true, "ERSPAN session, 0 for type I")    \
    X(WCCP, "wccp", false, "WCCP redirect over GRE")             \
    X(VXLAN, "vxlan", true, "VXLAN network identifier (VNI)")    \
    X(GENEVE, "geneve", true, "Geneve network identifier (VNI)") \
    X(GTPU, "gtpu", true, "tunnel endpoint identifier (TEID)")   \
    X(L2TP, "l2tp", true, "L2TPv2 session")                      \
    X(L2TPV3, "l2tpv3", true, "L2TPv3 session")                  \
    X(IPIP, "ipip", false, "IPv4 in IPv4")                       \
    X(6IN4, "6in4", false, "IPv6 in IPv4")                       \
    X(4IN6, "4in6", false, "IPv4 in IPv6")                       \
    X(6IN6, "6in6", false, "IPv6 in IPv6")                       \
    X(TEREDO, "teredo", false, "Teredo")                         \
    X(ETHERIP, "etherip", false, "Ethernet in IP, also as SRv6 payload")

enum dp_tunnel {
#define DP_ENUM(id, name, has_id, help) DP_TUNNEL_##id,
    DP_TUNNELS(DP_ENUM)
#undef DP_ENUM
        DP_TUNNEL_COUNT
};

const char *dp_tunnel_name(enum dp_tunnel tunnel);
/** Which number tunnel_id is. */
const char *dp_tunnel_help(enum dp_tunnel tunnel);
bool dp_tunnel_has_id(enum dp_tunnel tunnel);

/** Headers that are counted, also in packets that an outer header keys in the end. */
#define DP_ENCAPS(X)                                                        \
    X(VLAN, "vlan", "first VLAN tag of a frame")                            \
    X(QINQ, "qinq", "second VLAN tag of a frame")                           \
    X(CMD, "cmd", "Cisco metadata (security group tag)")                    \
    X(MPLS, "mpls", "MPLS label stack")                                     \
    X(EOMPLS, "eompls", "Ethernet in MPLS without control word")            \
    X(EOMPLS_CW, "eompls_cw", "Ethernet in MPLS behind a control word")     \
    X(PPPOE, "pppoe", "PPPoE session")                                      \
    X(PPPOE_DISCOVERY, "pppoe_discovery", "PPPoE discovery (no IP inside)") \
    X(PPP, "ppp", "PPP")                                                    \
    X(SRH, "srh", "IPv6 segment routing header")                            \
    X(FRAGMENT, "fragment", "IP fragment")                                  \
    X(IPIP, "ipip", "IPv4 in IPv4")                                         \
    X(6IN4, "6in4", "IPv6 in IPv4")                                         \
    X(4IN6, "4in6", "IPv4 in IPv6")                                         \
    X(6IN6, "6in6", "IPv6 in IPv6")                                         \
    X(ETHERIP, "etherip", "Ethernet in IP (RFC 3378, RFC 8986)")            \
    X(MPLS_IP, "mpls_ip", "MPLS in IP (RFC 4023)")                          \
    X(GRE, "gre", "GRE version 0")                                          \
    X(PPTP, "pptp", "enhanced GRE (PPTP)")                                  \
    X(NVGRE, "nvgre", "Ethernet in GRE with a key")                         \
    X(TEB, "teb", "Ethernet in GRE without a key")                          \
    X(ERSPAN_1, "erspan_1", "ERSPAN type I")                                \
    X(ERSPAN_2, "erspan_2", "ERSPAN type II")                               \
    X(ERSPAN_3, "erspan_3", "ERSPAN type III")                              \
    X(WCCP, "wccp", "WCCP redirect over GRE")                               \
    X(VXLAN, "vxlan", "VXLAN")                                              \
    X(VXLAN_GPE, "vxlan_gpe", "VXLAN with a next protocol (GPE)")           \
    X(NSH, "nsh", "network service header")                                 \
    X(GENEVE, "geneve", "Geneve")                                           \
    X(GTPU, "gtpu", "GTP-U packet of a subscriber")                         \
    X(GTPU_PSC, "gtpu_psc", "GTP-U with a PDU session container (QFI)")     \
    X(L2TP, "l2tp", "L2TPv2 data")                                          \
    X(L2TPV3, "l2tpv3", "L2TPv3 data over UDP or IP")                       \
    X(TEREDO, "teredo", "Teredo")                                           \
    X(MPLS_UDP, "mpls_udp", "MPLS in UDP (RFC 7510)")

enum dp_encap {
#define DP_ENUM(id, name, help) DP_ENCAP_##id,
    DP_ENCAPS(DP_ENUM)
#undef DP_ENUM
        DP_ENCAP_COUNT
};

const char *dp_encap_name(enum dp_encap encap);
const char *dp_encap_help(enum dp_encap encap);

/* --- the record --- */

/** IPv4 is held as ::ffff:a.b.c.d (RFC 4291 §2.5.5.2), network byte order. */
struct dp_addr {
    uint8_t bytes[16];
};

#define DP_ADDR_TEXT_BYTES 46
/** Dotted quad for mapped IPv4, RFC 5952 otherwise. */
void dp_addr_format(const struct dp_addr *addr, char out[DP_ADDR_TEXT_BYTES]);
bool dp_addr_is_v4(const struct dp_addr *addr);

enum dp_tcp_flag { DP_FIN, DP_SYN, DP_RST, DP_PSH, DP_ACK, DP_URG, DP_ECE, DP_CWR, DP_TCP_FLAGS };

/**
 * Integer sums of one direction. "Size" is the length of the keyed IP packet in bytes.
 *
 * A live flow is cut into a next record (end reason active) before one direction has had 2^24
 * packets, 2^39 bytes or 2^31 bytes of headers. Sizes are exact below 61,440 bytes and rounded down
 * to a multiple of 256 above, up to 1,109,760.
 */
struct dp_dir {
    uint64_t packets;
    uint64_t bytes;
    uint64_t payload_bytes;   /* above TCP/UDP/ICMP header */
    uint64_t size_sq;         /* Σ size², saturating at 2^56 − 1 */
    uint64_t iat_sq_us2;      /* Σ gap², gaps within this direction in whole µs, saturating */
    atl_ns first_ns, last_ns; /* 0 when packets == 0 */
    uint32_t iat_min_us, iat_max_us; /* 0 when packets < 2 */
    uint32_t size_min, size_max;
    uint32_t header_bytes; /* Σ transport header bytes, saturating */
    uint32_t payload_packets;
    uint16_t flags[DP_TCP_FLAGS]; /* packets that carry the flag; PSH and ACK saturate at
                                   * 65535, the others at 255 */
    uint16_t window_init;         /* TCP window of the first packet, unscaled */
    uint8_t ttl_min, ttl_max;
};

#define DP_FIRST_PACKETS 16

/** One of the first packets of a flow. */
struct dp_first_packet {
    uint32_t gap_us; /* since the packet before it, either direction; 0 for the first; saturating */
    uint16_t size;   /* saturating */
    uint8_t flags;   /* bit n is enum dp_tcp_flag n */
    bool backward;   /* sent by the responder */
};

/** Packets with payload of one sender in a row, none more than 1 s after the one before it. */
struct dp_bulks {
    uint64_t bytes; /* Σ payload */
    uint64_t ns;    /* Σ last packet − first packet of a bulk */
    uint32_t n, packets;
};

/** Spells of a flow, in whole µs. */
struct dp_spells {
    uint64_t us, sq_us2; /* Σ, Σ squares; saturating */
    uint64_t min_us, max_us;
    uint32_t n; /* the sums stand still at 65535 */
};

/** One direction. */
struct dp_detail_dir {
    uint64_t payload_sq;               /* Σ payload², saturating at 2^56 − 1 */
    uint32_t payload_min, payload_max; /* of a packet; rounded above 61,440 as sizes are */
    struct dp_bulks bulks;             /* of four packets and more */
    uint16_t window_last;              /* TCP window of the last packet, unscaled */
    uint8_t header_min;                /* smallest transport header, at most 255 */
};

/** Sums that few readers want and no other flow pays for; of this record's packets. */
struct dp_detail {
    bool known;          /* else nothing below is set */
    bool first_backward; /* the responder sent the first packet */
    uint8_t first_flags; /* of the first packet; bit n is enum dp_tcp_flag n */
    uint32_t first_payload;
    uint32_t pauses; /* gaps longer than 1 s, either direction; saturating at 2^24 − 1 */
    struct dp_detail_dir fwd, bwd;
    struct dp_bulks mixed;         /* bulks of both directions as if they were one sender */
    struct dp_spells idle, active; /* gaps longer than 5 s; what lies before each and takes time */
};

/** Classes of DNS query types. */
enum dp_dns_type { DP_DNS_ADDRESS, DP_DNS_TXT, DP_DNS_NULL, DP_DNS_OTHER, DP_DNS_TYPES };

/**
 * What the DNS messages of one flow (UDP port 53) had in common. The sums run over the first
 * question of queries and responses alike: a mean divides by both. They stand still once either
 * count is full.
 */
struct dp_dns {
    uint16_t queries, responses; /* saturating */
    uint16_t nxdomain;           /* responses that deny the name; saturating */
    uint8_t odd;                 /* packets that hold no readable DNS message; saturating */
    uint8_t name_bytes_max;      /* ≤ 253 */
    uint32_t name_bytes;         /* Σ length of the name as text, without the last dot */
    uint32_t entropy;            /* Σ Shannon entropy of the name's bytes, 1/256 bit, no dots */
    uint8_t types[DP_DNS_TYPES]; /* shares: counts that are halved together when one is full */
};

/** One finished biflow; fwd is the direction of the initiator. */
struct dp_flow {
    struct dp_addr src, dst;     /* initiator, responder */
    uint16_t src_port, dst_port; /* ICMP: echo identifier in both, else 0 */
    uint8_t proto;
    uint8_t end_reason;           /* enum dp_end_reason */
    uint8_t tunnel;               /* enum dp_tunnel */
    uint8_t icmp_type, icmp_code; /* of the first packet */
    bool mid_stream;              /* TCP whose first packet seen was no SYN */
    bool reordered;   /* a packet was older than its predecessor; gaps were clamped to 0 */
    uint16_t vlan[2]; /* outer, inner; 0 = none */
    /* Which number: dp_tunnel_help. Where each direction has one (MPLS, PPTP, GTP-U, L2TP) it is
     * that of the first packet of the initiator, or of the responder if that sent none, and no part
     * of the key. */
    uint32_t tunnel_id;
    uint8_t qfi;              /* 5G QoS flow of the first packet, 0 = none */
    atl_ns first_ns, last_ns; /* wall time of first and last packet, first ≤ last */
    uint64_t iat_sq_us2;      /* both directions as one sequence */
    uint32_t iat_min_us, iat_max_us;
    uint32_t hash;     /* keyed, stable for this engine: to shard or sample */
    struct dp_dns dns; /* zero for all but UDP port 53 */
    struct dp_dir fwd, bwd;
    /* As dp_config.detail_parts says, for flows that were given a place. Beyond first_count, and
     * where detail.known is false, the bytes mean nothing. */
    uint32_t first_count; /* 0 in all but the flow's first record */
    struct dp_first_packet first[DP_FIRST_PACKETS];
    struct dp_detail detail;
};

/* --- reports: what no flow record tells --- */

#define DP_DISTINCT_REGISTERS 64

/**
 * A count of distinct things, HyperLogLog (Flajolet et al. 2007): the highest rank of any hash in
 * each of 64 classes. The hash is the engine's, so the reports of its workers merge by maximum.
 */
struct dp_distinct {
    uint8_t rank[DP_DISTINCT_REGISTERS];
};

/**
 * One address that was aimed at in the last second, counted before the flow table: flows that the
 * table refused, evicted or has not ended yet are in here. Bounded: see dataplane/target_priv.h.
 */
struct dp_target {
    struct dp_addr addr;
    uint32_t flows;  /* begun, also those that the table refused */
    uint32_t missed; /* at most so many more were begun before it had its place */
    uint32_t syns;   /* of these flows: begun by a SYN without ACK */
    uint32_t samples;
    uint64_t packets, bytes;    /* received, estimated from the samples: one packet of each burst */
    struct dp_distinct sources; /* of the flows */
    /* The latest of these flows, as an example; proto 0 = none was begun. */
    struct dp_addr src;
    uint16_t src_port, dst_port;
    uint8_t proto;
};

/** What one client asked about one base domain in the last second. No name is kept. */
struct dp_domain {
    struct dp_addr client, server; /* server: the latest one asked */
    uint64_t domain; /* keyed hash of the last two labels, three below com.br and its like */
    uint32_t queries, responses, nxdomain;
    uint32_t named;               /* messages that the sums and shares below are made of */
    uint32_t name_bytes, entropy; /* Σ, as in struct dp_dns */
    uint32_t types[DP_DNS_TYPES];
    struct dp_distinct names; /* whole names */
};

enum dp_report_kind { DP_REPORT_TARGET, DP_REPORT_DOMAIN };

struct dp_report {
    enum dp_report_kind kind;
    atl_ns first_ns, last_ns; /* wall time of the packets behind it */
    union {
        struct dp_target target;
        struct dp_domain domain;
    };
};

/* --- configuration --- */

enum dp_backend { DP_BACKEND_PCAP, DP_BACKEND_DPDK };

/** How the packets of a flow come to one worker when there are several. */
enum dp_distribution {
    DP_DISTRIBUTE_AUTO,     /* device where it provably can, else software */
    DP_DISTRIBUTE_DEVICE,   /* symmetric hash of the card or the kernel, over the outer headers */
    DP_DISTRIBUTE_SOFTWARE, /* keyed hash of the inner tuple, packets handed over by rings */
};

/** A line that a library printed while it worked for us; without line feed. */
typedef void (*dp_log_fn)(void *ctx, const char *line);

/** Which IP packet of a nest makes the flow. */
enum dp_key_view {
    DP_KEY_INNER, /* the innermost one that is whole; tunnel and its id belong to the key */
    DP_KEY_OUTER, /* the outermost one */
};

/** What is kept of a flow beyond its record's sums; one of them makes ≤ 448 bytes a flow. */
enum dp_detail_part {
    DP_DETAIL_FIRST = 1, /* dp_flow.first */
    DP_DETAIL_SUMS = 2,  /* dp_flow.detail */
};

#define DP_WORKERS_MAX  64
#define DP_EAL_ARGS_MAX 32
#define DP_CPUS_MAX     1024

struct dp_config {
    enum dp_backend backend;
    /**
     * libpcap: interface name (live) or path, "-" = stdin (file: pcap, pcapng; gzip'ed or not).
     * DPDK: port name or vdev string, e.g. "net_pcap0,rx_pcap=/tmp/a.pcap".
     */
    const char *device;
    bool file; /* device is a capture file (libpcap) or a net_pcap rx_pcap vdev (DPDK) */
    /* Of every keyed hash: 0 = fresh and secret, for traffic that may aim at it; else the same
     * estimates of distinct things every time, for a file that is studied. */
    uint64_t seed;
    bool pace;         /* files: deliver packets at the speed of their timestamps */
    double pace_speed; /* 1.0 = as captured, 2.0 = twice as fast; 0.01 … 1000 */
    enum dp_key_view key;
    uint32_t snap_bytes; /* 64 … 65535, live libpcap */
    bool promiscuous;
    uint32_t workers; /* 1 … DP_WORKERS_MAX; a file gives the same records with any number */
    enum dp_distribution distribution;
    uint32_t evidence_packets;     /* headers remembered by each worker; 0 (off), 64 … 2^24 */
    uint32_t evidence_snap;        /* bytes of each, 32 … 2048; 128 hold the headers */
    uint16_t cpus[DP_WORKERS_MAX]; /* worker i runs on cpus[i mod n_cpus], below DP_CPUS_MAX */
    uint32_t n_cpus;               /* 0: the system chooses */
    /**
     * Extra EAL arguments, NULL-terminated. DPDK starts once per process: those of the first engine
     * count.
     */
    const char *eal_args[DP_EAL_ARGS_MAX];
    /** What DPDK prints, also later and from other threads. NULL: only kept for error lines. */
    dp_log_fn log;
    void *log_ctx;
    uint32_t flows_max; /* flow table capacity over all workers, 1024 … 2^26; fixed memory */
    /** Flows, over all workers, of which more is kept at the same time: 0 = off … flows_max. Flows
     * beyond it have none; dp_counters.detail_missed counts them. */
    uint32_t detail_flows;
    unsigned detail_parts; /* of enum dp_detail_part, at least one when detail_flows is set */
    uint32_t ring_records; /* per worker, power of two, 256 … 2^24 */
    bool link;             /* keep a struct dp_link for each second; the caller must take them */
    /* Each 0.1 s … 1 day. */
    atl_ns timeout_idle_ns; /* established TCP and everything not named below */
    atl_ns timeout_active_ns;
    atl_ns timeout_udp_ns;
    atl_ns timeout_half_open_ns; /* TCP that never saw a second direction */
    atl_ns timeout_closed_ns;    /* after FIN both ways or RST */
};

void dp_config_default(struct dp_config *cfg);
/** @return 0, or -EINVAL with the field named in *err */
int dp_config_check(const struct dp_config *cfg, struct atl_error *err);
/** Bytes that an engine of this configuration will hold from start to end. */
uint64_t dp_config_memory_bytes(const struct dp_config *cfg);

/* --- the engine --- */

struct dp_engine;

enum dp_state {
    DP_RUNNING,
    DP_ENDED,  /* capture file read to its end, or stopped; every flow exported */
    DP_FAILED, /* dp_engine_error() says why; what was read so far was exported */
};

/** Packets lost before they reached a worker, by who lost them. */
struct dp_losses {
    uint64_t nic_missed; /* no free descriptor (DPDK imissed), libpcap ps_ifdrop */
    uint64_t nic_errors; /* DPDK ierrors */
    uint64_t nic_nombuf; /* DPDK rx_nombuf */
    uint64_t kernel;     /* libpcap ps_drop; PACKET_STATISTICS of net_af_packet's sockets */
};

/**
 * Every figure is since the engine was created. The packets of each worker are as they stood
 * between two of its bursts, so the identity is exact also while it runs.
 */
struct dp_counters {
    uint64_t received_packets, received_bytes; /* handed to us by the backend; wire bytes */
    uint64_t processed_packets;                /* became part of a flow */
    uint64_t reasons[DP_REASON_COUNT];
    /* Packets keyed by an outer header, for the inner one ended with this reason; processed. */
    uint64_t fallbacks[DP_REASON_COUNT];
    uint64_t encaps[DP_ENCAP_COUNT]; /* headers seen */
    /* Read by one worker and not yet taken by the flow's own; 0 at rest. Below 0 for a moment when
     * the taker's figures are newer than the giver's. */
    int64_t handed_packets;
    struct dp_losses losses;
    uint64_t nic_dropped_packets; /* Σ losses */
    /* created = live + Σ by_end; Σ by_end = exported + ring_full_records */
    uint64_t flows_created, flows_exported;
    uint64_t flows_by_end[DP_END_RESOURCES + 1];
    uint64_t ring_full_records; /* finished records lost because analysis was late */
    uint64_t flows_live;
    uint64_t detail_missed; /* records without the detail asked for: all places were taken */
    uint64_t polls, polls_empty;
};

/** received − processed − Σ reasons − handed: 0, always, also while the workers run. */
int64_t dp_counters_difference(const struct dp_counters *c);

/** The steps of a burst. rx and decode are counted per frame, table and expiry per packet in it. */
#define DP_STAGES(X)                                      \
    X(RX, "rx", "reading from the device")                \
    X(DECODE, "decode", "from frame to packet of a flow") \
    X(TABLE, "table", "finding and updating the flow")    \
    X(EXPIRY, "expiry", "ending flows and writing their records")

enum dp_stage {
#define DP_ENUM(id, name, help) DP_STAGE_##id,
    DP_STAGES(DP_ENUM)
#undef DP_ENUM
        DP_STAGE_COUNT
};

const char *dp_stage_name(enum dp_stage stage);

/** One worker's part. received + taken = processed + Σ reasons + given */
struct dp_worker_stats {
    uint64_t received_packets, processed_packets;
    uint64_t given_packets, taken_packets; /* to and from other workers */
    uint64_t flows_live, flows_exported;
    uint64_t polls, polls_empty;
    uint64_t busy_cycles, all_cycles; /* turns that found work; the whole time of the thread */
    /* Of one burst in 1024: cycles / packets is the cost of the stage. */
    uint64_t stage_cycles[DP_STAGE_COUNT], stage_packets[DP_STAGE_COUNT];
};

/** Opens the device and allocates everything. @return 0, -EINVAL, -ENOENT, -EPERM, -ENOMEM, -EIO */
int dp_engine_create(struct dp_engine **ret_engine, const struct dp_config *cfg,
                     struct atl_error *err);
/** Stops and joins the threads if they run. NULL is fine. */
void dp_engine_destroy(struct dp_engine *engine);

/** Live road: one thread per worker, until dp_engine_stop or the end of the file. */
int dp_engine_start(struct dp_engine *engine, struct atl_error *err);
/** Ask the workers to flush their flows (end reason forced) and stop; returns when they have, ≤ 5
 * s. The consumer must go on draining the rings meanwhile from another thread, or records are
 * counted lost. */
void dp_engine_stop(struct dp_engine *engine);

/**
 * File road, instead of start: read one burst, export what expired. The caller drains the ring
 * between steps and then nothing is ever lost. @return state after the step
 */
enum dp_state dp_engine_step(struct dp_engine *engine);

enum dp_state dp_engine_state(const struct dp_engine *engine);
/** Text for DP_FAILED, "" otherwise; valid as long as the engine. */
const char *dp_engine_error(const struct dp_engine *engine);
uint32_t dp_engine_workers(const struct dp_engine *engine);
/** Elements are struct dp_flow. The caller is the one consumer. */
struct atl_ring *dp_engine_ring(struct dp_engine *engine, uint32_t worker);
/**
 * Elements are struct dp_report; new ones come once a second of the dataplane's time and at the
 * end. What finds the ring full is told a second later. The caller is the one consumer.
 */
struct atl_ring *dp_engine_reports(struct dp_engine *engine, uint32_t worker);
/**
 * The dataplane's clock: packet time for files (0 before the first packet), wall time for live
 * ports. Thread-safe.
 */
atl_ns dp_engine_now_ns(const struct dp_engine *engine);
/** Thread-safe. Device counters are read by the caller's thread. */
void dp_engine_counters(const struct dp_engine *engine, struct dp_counters *ret_counters);
/** Thread-safe. */
void dp_engine_worker_stats(const struct dp_engine *engine, uint32_t worker,
                            struct dp_worker_stats *ret_stats);
/** Per-worker beat that moves at least every 100 ms while the worker lives. */
uint64_t dp_engine_heartbeat(const struct dp_engine *engine, uint32_t worker);
/** One line for people: backend, device, driver, how flows come to workers. Valid as long as the
 * engine. */
const char *dp_engine_describe(const struct dp_engine *engine);

struct dp_evidence_result {
    uint64_t remembered; /* packets looked at */
    uint64_t written;
};

/**
 * Write what the workers remember of one address, inner of any tunnel, to a pcapng file of mode
 * 0600, whole or not at all. Any thread; takes memory and time, the workers do not wait for it.
 * @param address  NULL: of all
 * @return 0, -ENOTSUP (evidence is off), -ENOENT (nothing is remembered of it), -ENOMEM, or what
 * writing gives
 */
int dp_engine_evidence(const struct dp_engine *engine, const struct dp_addr *address,
                       const char *path, struct dp_evidence_result *ret_result,
                       struct atl_error *err);
/** Text of either family to an address. @return 0, -EINVAL */
int dp_addr_parse(const char *text, struct dp_addr *ret_addr);

/* --- the doctor --- */

enum dp_finding_status {
    DP_FINDING_OK,
    DP_FINDING_WARN, /* it will work, less well than it could */
    DP_FINDING_FAIL, /* capturing will not work, or will cut somebody off */
};
const char *dp_finding_status_name(enum dp_finding_status status); /* "ok", "warn", "fail" */

struct dp_finding {
    enum dp_finding_status status;
    char check[16]; /* "hugepages", "device", "driver", … */
    char text[240]; /* what was found */
    char mend[240]; /* the command that mends it, "" where nothing is wrong */
};

#define DP_FINDINGS_MAX 48

struct dp_findings {
    uint32_t n;
    struct dp_finding list[DP_FINDINGS_MAX];
};

/**
 * Look, without touching anything, for what would keep an engine from capturing.
 * @param cfg   NULL: the machine as such
 * @param root  before every path below /sys, /proc, /dev and /usr; "" for this machine
 */
void dp_doctor(const struct dp_config *cfg, const char *root, struct dp_findings *ret_findings);
/* --- telecom control plane: who says what how often, where it stands in clear --- */

#define DP_TELECOMS(X)                                                              \
    X(GTPV1C, "gtpv1c", "GTP-C version 1 (UDP 2123): message type; cause")          \
    X(GTPV2C, "gtpv2c", "GTP-C version 2 (UDP 2123): message type; cause")          \
    X(GTPU, "gtpu", "GTP-U (UDP 2152), all but subscribers' packets: message type") \
    X(PFCP, "pfcp", "PFCP (UDP 8805): message type; cause")                         \
    X(DIAMETER, "diameter",                                                         \
      "Diameter (TCP, SCTP 3868): command code, + 2^24 in requests; "               \
      "result code")                                                                \
    X(SCTP, "sctp", "SCTP: chunk type")                                             \
    X(NGAP, "ngap",                                                                 \
      "NGAP (SCTP payload 60): procedure code + 256 × (0 initiating, "             \
      "1 successful, 2 unsuccessful)")

enum dp_telecom_protocol {
#define DP_ENUM(id, name, help) DP_TELECOM_##id,
    DP_TELECOMS(DP_ENUM)
#undef DP_ENUM
        DP_TELECOM_COUNT
};

const char *dp_telecom_name(enum dp_telecom_protocol protocol);
const char *dp_telecom_help(enum dp_telecom_protocol protocol);

/** How often one peer sent one message type or one cause. */
struct dp_telecom_row {
    struct dp_addr peer; /* who sent it */
    uint64_t count;
    uint32_t code;
    uint8_t protocol; /* enum dp_telecom_protocol */
    bool cause;       /* code is a cause or result, else a message type */
    bool error;       /* a refusal: cause, ABORT, unsuccessful outcome */
    bool other;       /* what did not fit a peer's 24 codes; code and protocol say nothing */
};

/**
 * Codes of the peers heard of last, at most 1,024 of them for each worker. A peer whose packets
 * came to two workers has rows of both. Thread-safe.
 * @return rows there are; the first n of them were written
 */
uint32_t dp_engine_telecom(const struct dp_engine *engine, struct dp_telecom_row *rows, uint32_t n);

/* --- the link: what passes in each second, whichever flow it belongs to --- */

#define DP_LINK_COUNTS(X)                                                                 \
    X(PACKETS, "frames read")                                                             \
    X(BYTES, "their bytes on the wire")                                                   \
    X(IPV6, "packets of IPv6 flows")                                                      \
    X(TCP, "packets of TCP flows")                                                        \
    X(UDP, "packets of UDP flows")                                                        \
    X(ICMP, "packets of ICMP and ICMPv6 flows")                                           \
    X(SCTP, "packets of SCTP flows")                                                      \
    X(OTHER, "packets of flows of any other protocol")                                    \
    X(FRAGMENTS, "IP fragments")                                                          \
    X(SYN, "SYN without ACK")                                                             \
    X(SYN_ACK, "SYN with ACK")                                                            \
    X(RST, "packets with RST")                                                            \
    X(FIN, "packets with FIN")                                                            \
    X(BEGUN, "flows begun, also those that the table had no room for")                    \
    X(ANSWERED, "flows whose responder was heard for the first time")                     \
    X(ENDED, "flows whose end was noticed; not those that the end of the capture forced") \
    X(DNS_QUERIES, "DNS queries")                                                         \
    X(DNS_RESPONSES, "DNS responses")                                                     \
    X(DNS_FAILED, "DNS responses with an error code")                                     \
    X(DNS_NAMES, "DNS messages whose first question could be read")                       \
    X(DNS_NAME_BYTES, "length of those names")                                            \
    X(NO_IP, "frames without IP, or of a link type that is not decoded")                  \
    X(MALFORMED, "frames truncated, contradictory or nested too deep")                    \
    X(DROPPED, "packets for which we had no room")                                        \
    X(LOST, "packets lost before they reached us")

enum dp_link_count {
#define DP_ENUM(id, help) DP_LINK_##id,
    DP_LINK_COUNTS(DP_ENUM)
#undef DP_ENUM
        DP_LINK_COUNT
};

#define DP_LINK_REGISTERS 512 /* of a HyperLogLog: standard error 4.6 % */
#define DP_LINK_CLASSES   256 /* of a hash: entropies up to 8 bits */

/**
 * One second by packet time. Packets are those of the keyed (inner) view; the sketches look at
 * flows begun, by a hash whose key is fixed for files and secret for ports.
 */
struct dp_link {
    uint64_t second; /* since 1970 */
    uint64_t counts[DP_LINK_COUNT];
    /* By protocol. GTP-U: subscribers' packets, too. An error is a refusal: see dp_telecom_row. */
    uint64_t messages[DP_TELECOM_COUNT], errors[DP_TELECOM_COUNT];
    uint8_t sources[DP_LINK_REGISTERS], destinations[DP_LINK_REGISTERS]; /* HyperLogLog */
    /* Flows begun by class of initiator, responder and responder's port. */
    uint32_t by_source[DP_LINK_CLASSES], by_destination[DP_LINK_CLASSES], by_port[DP_LINK_CLASSES];
};

/** Add what `more` saw to *sum; the second of *sum stays. */
void dp_link_add(struct dp_link *sum, const struct dp_link *more);

typedef void (*dp_link_fn)(void *ctx, const struct dp_link *second);

/**
 * Hand over every second that is complete and in which something happened, in order, the workers'
 * parts added up. A port's second is complete half a second after its end; what comes later is
 * handed over again under the same number. After the clock of a port was set back, the numbers go
 * back as well. A file's never do. Of an engine with dp_config.link; the caller is the one consumer
 * and must come at least once a minute, or later seconds are added to earlier ones.
 * @return seconds before this one are complete; after the end, the one behind the last
 */
uint64_t dp_engine_link(struct dp_engine *engine, dp_link_fn fn, void *ctx);

/** True when this build has the DPDK backend. */
bool dp_has_dpdk(void);

#endif
