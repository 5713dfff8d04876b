# SPDX-License-Identifier: Apache-2.0
"""Every flow column, computed again from tshark's reading of the packets: slow and obvious.

Nothing here is taken from the program: packets come from `tshark -T fields`, flows are assembled by
the documented rules (timeouts and who counts as initiator), and each column is computed from the
list of a flow's packets.
"""
import base64
import hashlib
import ipaddress
import math
import statistics
import subprocess

import oracle_cic

S = 10**9  # ns
IDLE, ACTIVE, UDP, HALF_OPEN, CLOSED, FRAGMENT = 60 * S, 120 * S, 30 * S, 5 * S, 2 * S, 30 * S
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16

FIELDS = """frame.time_epoch frame.len vlan.id
    ip.src ip.dst ip.len ip.hdr_len ip.proto ip.ttl ip.id ip.frag_offset ip.flags.mf
    ipv6.src ipv6.dst ipv6.plen ipv6.nxt ipv6.hlim
    ipv6.hopopts.len ipv6.dstopts.len ipv6.fraghdr.nxt ipv6.fraghdr.offset ipv6.fraghdr.more
    ipv6.fraghdr.ident
    tcp.srcport tcp.dstport tcp.hdr_len tcp.flags tcp.window_size_value
    udp.srcport udp.dstport sctp.srcport sctp.dstport
    icmp.type icmp.code icmp.ident icmpv6.type icmpv6.code icmpv6.echo.identifier
    udp.payload udp.length""".split()


def frames(path):
    """One dict of lists of text for each frame, in file order."""
    args = ["tshark", "-n", "-r", str(path), "-T", "fields", "-E", "separator=/t",
            "-E", "aggregator=,"]
    for preference in ("ip.defragment", "ipv6.defragment", "tcp.desegment_tcp_streams"):
        args += ["-o", preference + ":FALSE"]
    for f in FIELDS:
        args += ["-e", f]
    with subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          text=True) as tshark:
        for line in tshark.stdout:
            values = line.rstrip("\n").split("\t")
            yield {f: v.split(",") if v else [] for f, v in zip(FIELDS, values)}


def first(frame, field, otherwise=None):
    return int(frame[field][0], 0) if frame[field] else otherwise


def nanoseconds(text):
    whole, _, part = text.partition(".")
    return int(whole) * S + int((part + "000000000")[:9])


class Packet:
    def __init__(self, frame):
        self.ts = nanoseconds(frame["frame.time_epoch"][0])
        self.clock = self.ts
        self.ip = bool(frame["ip.src"] or frame["ipv6.src"])
        self.vlan = [int(v, 0) for v in frame["vlan.id"]][:2]
        self.later = self.first_fragment = False
        self.flags = self.window = self.header = 0
        self.src_port = self.dst_port = self.type = self.code = self.ttl = 0
        self.dns = None
        if self.ip:
            self.read_ip(frame)

    def read_ip(self, frame):
        # the outermost header is the one that tshark lists first
        if frame["ip.src"]:
            self.src, self.dst = frame["ip.src"][0], frame["ip.dst"][0]
            self.size = first(frame, "ip.len")
            rest = self.size - first(frame, "ip.hdr_len")
            self.proto, self.ttl = first(frame, "ip.proto"), first(frame, "ip.ttl")
            offset, more = first(frame, "ip.frag_offset", 0), self.truth(frame, "ip.flags.mf")
            ident = first(frame, "ip.id")
        else:
            self.src, self.dst = frame["ipv6.src"][0], frame["ipv6.dst"][0]
            rest = first(frame, "ipv6.plen")
            self.size = rest + 40
            self.proto, self.ttl = first(frame, "ipv6.nxt"), first(frame, "ipv6.hlim")
            offset, more = first(frame, "ipv6.fraghdr.offset", 0), self.truth(
                frame, "ipv6.fraghdr.more")
            ident = first(frame, "ipv6.fraghdr.ident")
            rest = self.skip_extensions(frame, rest)
        self.datagram = (self.src, self.dst, ident, self.proto)
        self.later = offset > 0
        self.first_fragment = offset == 0 and more
        self.payload = rest
        if not self.later:
            self.read_transport(frame, rest)

    @staticmethod
    def truth(frame, field):
        return bool(frame[field]) and frame[field][0] in ("1", "True")

    def skip_extensions(self, frame, rest):
        if self.proto == 0:
            rest -= 8 * (first(frame, "ipv6.hopopts.len") + 1)
            self.proto = {True: 58}.get(bool(frame["icmpv6.type"]), self.proto)
        if frame["ipv6.fraghdr.nxt"]:
            rest -= 8
            self.proto = first(frame, "ipv6.fraghdr.nxt")
        return rest

    def read_transport(self, frame, rest):
        if self.proto == 6:
            self.header = max(first(frame, "tcp.hdr_len", 20), 20)
            self.flags = first(frame, "tcp.flags", 0) & 0xff
            self.window = first(frame, "tcp.window_size_value", 0)
            self.ports(frame, "tcp.srcport", "tcp.dstport")
        elif self.proto == 17:
            self.header = 8
            self.ports(frame, "udp.srcport", "udp.dstport")
            if 53 in (self.src_port, self.dst_port):
                self.dns = Dns(frame, rest - 8)
        elif self.proto == 132:
            self.header = 12
            self.ports(frame, "sctp.srcport", "sctp.dstport")
        elif self.proto in (1, 58):
            self.header = 8
            name = "icmp" if self.proto == 1 else "icmpv6"
            self.type, self.code = first(frame, name + ".type", 0), first(frame, name + ".code", 0)
            if self.proto == 1 and self.type in (0, 8):
                self.src_port = self.dst_port = first(frame, "icmp.ident", 0)
            if self.proto == 58 and self.type in (128, 129):
                self.src_port = self.dst_port = first(frame, "icmpv6.echo.identifier", 0)
        self.header = min(self.header, rest)
        self.payload = rest - self.header

    def ports(self, frame, src, dst):
        self.src_port, self.dst_port = first(frame, src, 0), first(frame, dst, 0)


class Dns:
    """The first question of a DNS message (RFC 1035), or why there is none."""

    def __init__(self, frame, whole):
        self.kind, self.name, self.type, self.nxdomain = None, None, None, False
        data = bytes.fromhex(frame["udp.payload"][0].replace(":", "")) if frame["udp.payload"] else b""
        cut = len(data) < whole  # by the capture
        if len(data) < 12:
            self.kind = None if cut else "odd"
            return
        self.kind = "response" if data[2] & 0x80 else "query"
        self.nxdomain = self.kind == "response" and data[3] & 15 == 3
        questions = int.from_bytes(data[4:6], "big")
        if questions == 0:
            if self.kind == "query":
                self.kind, self.nxdomain = "odd", False
            return
        problem = self.question(data)
        if problem == "bad" or (problem == "short" and not cut):
            self.kind, self.nxdomain = "odd", False

    def question(self, data):
        labels, at = [], 12
        while True:
            if at >= len(data):
                return "short"
            size = data[at]
            if size == 0:
                break
            if size > 63 or sum(map(len, labels)) + len(labels) + size > 253:
                return "bad"
            if at + 1 + size > len(data):
                return "short"
            labels.append(data[at + 1:at + 1 + size])
            at += 1 + size
        if at + 5 > len(data):
            return "short"
        self.name, self.type = b".".join(labels), int.from_bytes(data[at + 1:at + 3], "big")
        self.letters = b"".join(labels).lower()
        return None

    def entropy(self):
        counts = [self.letters.count(c) / len(self.letters) for c in set(self.letters)]
        return -sum(p * math.log2(p) for p in counts)


class Flow:
    """One key, and the packets since it began or was last reported."""

    def __init__(self, p):
        end = (p.src, p.src_port)
        other = (p.dst, p.dst_port)
        self.proto, self.vlan = p.proto, p.vlan
        self.ends = (end, other)
        self.initiator = self.guess(p, end, other)
        self.type, self.code = p.type, p.code
        tcp = p.proto == 6
        self.mid_stream = tcp and not p.flags & SYN
        self.syn_seen = tcp and bool(p.flags & SYN)
        self.wait = HALF_OPEN if tcp else UDP if p.proto == 17 else IDLE
        self.fins = set()
        self.touched = p.clock
        self.packets = []  # (time that never runs backwards, from initiator?, packet)
        self.restart()

    @staticmethod
    def guess(p, end, other):
        if p.proto == 6 and p.flags & (SYN | ACK) == SYN | ACK:
            return other
        middle = p.proto == 6 and p.flags & (SYN | ACK) != SYN
        if (middle or p.proto == 17) and p.src_port < 1024 <= p.dst_port:
            return other
        return end

    def restart(self):
        self.packets = []
        self.senders = {}  # end -> (SYN seen, payload seen)

    def deadline(self):
        quiet = self.touched + self.wait
        active = self.born + ACTIVE if self.packets else math.inf
        if self.wait == CLOSED:
            return min(quiet, active), "end"
        return min(quiet, active), "active" if active < quiet else "idle"

    def add(self, p):
        end = (p.src, p.src_port)
        at = p.ts
        if self.packets:
            at = max(at, self.packets[-1][0])
        else:
            self.born = p.clock
        self.touched = p.clock
        self.packets.append((at, end, p))
        syn, data = self.senders.get(end, (False, False))
        self.senders[end] = (syn or bool(p.flags & SYN), data or p.payload > 0)
        if self.proto == 6:
            self.add_tcp(p, end)

    def add_tcp(self, p, end):
        if p.flags & (SYN | ACK) == SYN and not self.syn_seen:
            self.initiator, self.syn_seen = end, True
        other = self.ends[1] if self.initiator == self.ends[0] else self.ends[0]
        if self.wait == HALF_OPEN and self.initiator in self.senders and other in self.senders:
            if self.mid_stream or any(self.senders[other]):
                self.wait = IDLE
        if p.flags & FIN:
            self.fins.add(end)
        if p.flags & RST or len(self.fins) == 2:
            self.wait = CLOSED


def assemble(path):
    """(flow, reason) of every flow of a capture."""
    flows, fragments, done, clock = {}, {}, [], 0

    def finish(key, reason):
        flow = flows[key]
        if flow.packets:
            done.append(columns(flow, reason))
        if reason == "active":
            flow.restart()
            flow.mid_stream = flow.proto == 6
        else:
            del flows[key]

    for frame in frames(path):
        p = Packet(frame)
        clock = p.clock = max(clock, p.ts)
        if not p.ip:
            continue
        if p.later and p.datagram in fragments:
            seen, hint = fragments[p.datagram]
            if p.ts - seen <= FRAGMENT:
                p.src_port, p.dst_port = hint
        if p.first_fragment:
            fragments[p.datagram] = (p.ts, (p.src_port, p.dst_port))
        ends = frozenset([(p.src, p.src_port), (p.dst, p.dst_port)])
        key = (ends, p.proto, tuple(p.vlan))
        while key in flows and flows[key].deadline()[0] <= clock:
            finish(key, flows[key].deadline()[1])
        if key in flows and flows[key].wait == CLOSED and p.flags & (SYN | ACK) == SYN:
            finish(key, "end")
        if key not in flows:
            flows[key] = Flow(p)
        flows[key].add(p)
    for key in list(flows):
        while key in flows:
            when, reason = flows[key].deadline()
            finish(key, reason if when <= clock else "forced")
    return done


# --- one flow's columns ---


def spread(values):
    return statistics.stdev(values) if len(values) > 1 else 0


def gaps(times):
    return [(b - a) / S for a, b in zip(times, times[1:])]


def mean(values):
    return sum(values) / len(values) if values else 0


def share(part, whole):
    return part / whole if whole else 0


def direction(row, packets, name):
    sizes = [p.size for _, p in packets]
    waits = gaps([t for t, _ in packets])
    row["packets_" + name], row["bytes_" + name] = len(packets), sum(sizes)
    row["payload_" + name] = sum(p.payload for _, p in packets)
    row["size_mean_" + name], row["size_std_" + name] = mean(sizes), spread(sizes)
    row["size_min_" + name], row["size_max_" + name] = min(sizes, default=0), max(sizes, default=0)
    row["iat_mean_" + name], row["iat_std_" + name] = mean(waits), spread(waits)
    for flag, bit in (("syn", SYN), ("fin", FIN), ("rst", RST)):
        row[f"{flag}_{name}"] = sum(bool(p.flags & bit) for _, p in packets)
    row["iat_max_" + name] = max(waits, default=0)
    row["header_mean_" + name] = mean([p.header for _, p in packets])
    row["ttl_min_" + name] = min((p.ttl for _, p in packets), default=0)
    row["ack_share_" + name] = share(sum(bool(p.flags & ACK) for _, p in packets), len(packets))
    row["psh_share_" + name] = share(sum(bool(p.flags & PSH) for _, p in packets), len(packets))
    row["data_share_" + name] = share(sum(p.payload > 0 for _, p in packets), len(packets))
    row["window_init_" + name] = packets[0][1].window if packets else 0


def columns(flow, reason):
    src = flow.initiator
    dst = flow.ends[1] if src == flow.ends[0] else flow.ends[0]
    packets = flow.packets
    times = [t for t, _, _ in packets]
    waits = gaps(times)
    row = {"first": times[0], "last": times[-1], "src": src[0], "src_port": src[1], "dst": dst[0],
           "dst_port": dst[1], "proto": flow.proto, "vlan": ".".join(map(str, flow.vlan)),
           "tunnel": "", "tunnel_id": "", "end_reason": reason}
    # both ends alike (a packet to oneself): all counts as the initiator's
    direction(row, [(t, p) for t, end, p in packets if end == src], "fwd")
    direction(row, [(t, p) for t, end, p in packets if end != src], "bwd")
    row["duration"] = (times[-1] - times[0]) / S
    row["iat_mean"], row["iat_std"], row["iat_max"] = mean(waits), spread(waits), max(waits,
                                                                                    default=0)
    count, size = len(packets), row["bytes_fwd"] + row["bytes_bwd"]
    row["packets_per_s"] = count / max(row["duration"], 1)
    row["bytes_per_s"] = size / max(row["duration"], 1)
    row["packets_bwd_share"] = row["packets_bwd"] / count
    row["bytes_bwd_share"] = share(row["bytes_bwd"], size)
    service(row)
    row["mid_stream"] = int(flow.mid_stream)
    row["icmp_echo"] = int((flow.proto, flow.type) in ((1, 0), (1, 8), (58, 128), (58, 129)))
    row["icmp_error"] = int(flow.proto == 1 and flow.type in (3, 4, 5, 11, 12)
                            or flow.proto == 58 and flow.type < 128)
    row["vlan_tags"], row["tunnelled"], row["qfi"] = len(flow.vlan), 0, 0
    names(row, [p.dns for _, _, p in packets if p.dns])
    answers = [p for _, end, p in packets if end != src]
    row["failed"] = not answers or (flow.proto == 6 and any(p.flags & RST for p in answers) and
                                    not any(p.flags & SYN or p.payload for p in answers))
    row["community_id"] = community_id(row, flow)
    row["whole_us"] = all(t % 1000 == 0 for t in times)
    row["longest_gap"] = max(waits, default=0)
    row["cic"] = oracle_cic.columns(packets, src)
    return row


def names(row, messages):
    asked = [m for m in messages if m.name is not None]
    counts = {k: sum(m.kind == k for m in messages) for k in ("query", "response", "odd")}
    both = counts["query"] + counts["response"]
    row["dns_queries"], row["dns_responses"] = counts["query"], counts["response"]
    row["dns_odd"] = min(counts["odd"], 255)
    row["dns_nxdomain_share"] = share(sum(m.nxdomain for m in messages), counts["response"])
    row["dns_name_mean"] = share(sum(len(m.name) for m in asked), both)
    row["dns_name_max"] = max((len(m.name) for m in asked), default=0)
    row["dns_entropy"] = share(sum(m.entropy() for m in asked), both)
    for name, wanted in (("txt", (16,)), ("null", (10,))):
        row[f"dns_{name}_share"] = share(sum(m.type in wanted for m in asked), len(asked))
    row["dns_other_share"] = share(sum(m.type not in (1, 10, 16, 28) for m in asked), len(asked))


# --- context: what the flows before it, of the same source, were like ---


class Damped:
    """Sums in which a flow counts half after a half-life, by forward decay: each flow is weighted once,
    by its time after a landmark that moves in whole half-lives (so that moving is exact)."""

    def __init__(self, half_life, landmark):
        self.half_life, self.landmark, self.sums = half_life, landmark, {}

    def power(self, when):
        return (when - self.landmark) / (self.half_life * S)

    def add(self, when, values):
        if self.power(when) > 300:
            steps = int(self.power(when))
            self.landmark += steps * self.half_life * S
            self.sums = {k: math.ldexp(v, -steps) for k, v in self.sums.items()}
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0) + value * 2 ** self.power(when)

    def at(self, when):
        return {k: v / 2 ** self.power(when) for k, v in self.sums.items()}


class Entry:
    def __init__(self, when):
        self.when = when
        self.damped = {life: Damped(life, when) for life in (10, 60, 600)}


FORGET = 6000 * S


def context(rows):
    """Adds the columns of the context to rows that stand in the order of export."""
    entries = {}
    for row in rows:
        who = {"src": ("src", row["src"]), "dst": ("dst", row["dst"]),
               "pair": ("pair", row["src"], row["dst"]),
               "service": ("service", row["dst"], row["dst_port"], row["proto"])}
        now, fresh = row["last"], {}
        for name, key in who.items():
            fresh[name] = key not in entries or abs(now - entries[key].when) > FORGET
            if fresh[name]:
                entries[key] = Entry(now)
        for name, key in who.items():
            entry = entries[key]
            size = row["bytes_fwd"] + row["bytes_bwd"]
            values = {"flows": 1, "failed": int(row["failed"]),
                      "new": int(fresh["service" if name == "pair" else "pair"]),
                      "packets": row["packets_fwd"] + row["packets_bwd"],
                      "bytes": size, "bytes_sq": size * size}
            if not fresh[name] and now >= entry.when:
                gap = (now - entry.when) / S
                values |= {"gaps": 1, "gap": gap, "gap_sq": gap * gap}
            entry.when = max(entry.when, now)
            for life, damped in entry.damped.items():
                damped.add(now, values)
                read(row, name, life, damped.at(entry.when))


def read(row, name, life, sums):
    def moments(what, number):
        mean = share(sums.get(what, 0), number)
        square = share(sums.get(what + "_sq", 0), number)
        return mean, math.sqrt(max(square - mean * mean, 0))

    flows, gaps = sums["flows"], sums.get("gaps", 0)
    size, spread_of_sizes = moments("bytes", flows)
    gap, spread_of_gaps = moments("gap", gaps)
    regular = max(1 - spread_of_gaps / gap, 0) if gap else 0
    for what, value in (("flows", flows), ("failed", sums["failed"] / (flows + 4)),
                        ("new", sums["new"]), ("packets_mean", sums["packets"] / flows),
                        ("bytes_mean", size), ("bytes_std", spread_of_sizes), ("gap_mean", gap),
                        ("beat", regular * gaps / (gaps + 4))):
        row[f"{name}_{what}_{life}s"] = value


def service(row):
    ported = row["proto"] not in (1, 58)
    port = row["dst_port"] if ported else -1
    row["one_way"] = int(row["packets_bwd"] == 0)
    row["tcp"], row["udp"] = int(row["proto"] == 6), int(row["proto"] == 17)
    row["icmp"] = int(not ported)
    row["port_system"] = int(0 < port < 1024)
    row["port_web"] = int(port in (80, 443, 8080, 8443))
    row["port_dns"] = int(port == 53)


PAIRS = {1: {8: 0, 0: 8, 13: 14, 14: 13, 15: 16, 16: 15, 17: 18, 18: 17, 10: 9, 9: 10},
         58: {128: 129, 129: 128, 133: 134, 134: 133, 135: 136, 136: 135, 130: 131, 131: 130,
              144: 145, 145: 144}}


def community_id(row, flow):
    a, b = (ipaddress.ip_address(row[k]).packed for k in ("src", "dst"))
    swap = True
    if row["proto"] in PAIRS:
        swap = flow.type in PAIRS[row["proto"]]
        pa, pb = flow.type, PAIRS[row["proto"]].get(flow.type, flow.code)
    else:
        pa, pb = row["src_port"], row["dst_port"]
    if swap and (a, pa) > (b, pb):
        a, b, pa, pb = b, a, pb, pa
    data = b"\0\0" + a + b + bytes([row["proto"], 0])
    if row["proto"] in (1, 6, 17, 58, 132):
        data += pa.to_bytes(2, "big") + pb.to_bytes(2, "big")
    return "1:" + base64.b64encode(hashlib.sha1(data).digest()).decode()
