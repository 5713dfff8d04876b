# SPDX-License-Identifier: Apache-2.0
"""`atalaya flows` on every encapsulation, against tshark's reading of the same packets: addresses,
ports, protocol, tunnel and its number, packets and bytes, in both views."""
import collections
import csv
import io
import json
import os
import struct
import subprocess

from harness import atalaya, need_captures, need_data, need_tool, run_cases, scratch

IP = {"ip", "ipv6"}
PROTO = {"tcp": 6, "udp": 17, "icmp": 1, "icmpv6": 58, "sctp": 132, "esp": 50, "gre": 47,
         "pim": 103}
PORTS = {"tcp", "udp", "sctp"}
# token of frame.protocols: our name, field with the number
TUNNELS = {"mpls": ("mpls", "mpls.label"), "pppoes": ("pppoe", "pppoe.session_id"),
           "vxlan": ("vxlan", "vxlan.vni"), "geneve": ("geneve", "geneve.vni"),
           "gtp": ("gtpu", "gtp.teid"), "erspan": ("erspan", "erspan.spanid"),
           "l2tp": ("l2tp", "l2tp.session"), "gre": ("gre", "gre.key"),
           "teredo": ("teredo", None), "etherip": ("etherip", None)}
FIELDS = ["frame.protocols", "frame.len", "ip.src", "ip.dst", "ip.len", "ip.proto", "ipv6.src",
          "ipv6.dst", "ipv6.plen", "ipv6.nxt", "tcp.srcport", "tcp.dstport", "udp.srcport", "udp.dstport",
          "sctp.srcport", "sctp.dstport", "icmp.type", "icmp.ident", "icmpv6.type",
          "icmpv6.echo.identifier", "gre.proto", "gre.key.call_id",
          *(field for _, field in TUNNELS.values() if field)]

# Each direction has a number of its own, which is no part of the key.
EACH_WAY = {"mpls", "pptp", "gtpu", "l2tp", "l2tpv3"}

# Where tshark names the tunnel otherwise or not at all: the rest of the key must agree.
OTHER_TUNNEL = {
    "nsh-over-vxlan-gpe.pcap": "tshark's VXLAN-GPE is no layer in frame.protocols",
    "wccp_redirect_gre.pcap": "tshark has no layer for the WCCP redirect header",
    "nsh": "tshark's VXLAN-GPE is no layer in frame.protocols",
    "vxlan_gpe": "the same",
    "wccp": "tshark has no layer for the WCCP redirect header",
    "wccp_1": "the same",
    "srh_ethernet": "tshark has no name for Ethernet as payload of IPv6",
}
# What tshark does not read; the unit test test_decode_tunnel holds it to the bytes.
UNREAD = {
    "pppoe_acfc": "tshark expects no address and control field in PPPoE",
    "erspan_3_ip": "tshark takes the frame type IP of ERSPAN III for data",
    "l2tpv3_udp": "tshark must be told the length of the cookie",
    "l2tpv3_ip": "the same",
}
# Nothing in a label says what follows, so tshark is told.
TOLD = {"eompls": "mpls.label==77,pwethnocw", "eompls_cw": "mpls.label==77,pwethcw"}


def read_tshark(path, *options):
    args = ["tshark", "-n", "-r", str(path), "-T", "fields", "-E", "occurrence=a", "-E",
            "aggregator=|", "-E", "separator=/t", "-o", "ip.defragment:FALSE", "-o",
            "ipv6.defragment:FALSE", *options]
    for field in FIELDS:
        args += ["-e", field]
    out = subprocess.run(args, capture_output=True, text=True, check=True, timeout=120).stdout
    for line in out.splitlines():
        values = (line.split("\t") + [""] * len(FIELDS))[:len(FIELDS)]
        yield {f: v.split("|") if v else [] for f, v in zip(FIELDS, values)}


def layers(frame):
    """Tokens of the frame; what an ICMP error quotes is not part of the nest."""
    tokens = frame["frame.protocols"][0].split(":")
    for i, token in enumerate(tokens):
        if token in ("icmp", "icmpv6"):
            return tokens[:i + 1]
    return tokens


def number(text):
    return int(text, 0) if text else 0


def tunnel_of(frame, before):
    """The innermost tunnel among the tokens that has a number, or the innermost of all."""
    found = [("", "")]
    previous_ip = None
    for i, token in enumerate(before):
        if token in IP:
            direct = i > 0 and previous_ip is not None and \
                before[i - 1] in IP | {"ipv6.routing", "ipv6.hopopts"}
            if direct and found[-1][1] == "":
                kind = {"ipip": "ipip", "ipv6ip": "4in6", "ipipv6": "6in4", "ipv6ipv6": "6in6"}
                found.append((kind[previous_ip + token], ""))
            previous_ip = token
        elif token in TUNNELS:
            name, field = TUNNELS[token]
            values = frame[field] if field else []
            if token == "gre" and frame["gre.key.call_id"]:
                name, values = "pptp", frame["gre.key.call_id"]
            elif token == "gre" and frame["gre.proto"] and values and \
                    number(frame["gre.proto"][0]) == 0x6558:
                name, values = "nvgre", [str(number(values[0]) >> 8)]
            if token == "erspan" and not values:
                values = ["0"]
            if token == "gre" and not values:
                if found[-1][1] == "" or found[-1][0] == "":
                    found.append((name, "0"))
                continue
            if values:
                found.append((name, str(number(values[-1]))))
            elif found[-1][1] == "":
                found.append((name, ""))
    return found[-1]


def packet_of(frame, outer):
    """(key, bytes, sender, number) as tshark reads the frame, or None when there is no IP in it."""
    tokens = layers(frame)
    places = [i for i, token in enumerate(tokens) if token in IP]
    if not places:
        return None
    place = places[0] if outer else places[-1]
    end = places[1] if outer and len(places) > 1 else len(tokens)
    version = tokens[place]

    def nth(field, token):
        """The field of the token's last occurrence up to here."""
        return frame[field][tokens[:end].count(token) - 1]

    src, dst = nth(version + ".src", version), nth(version + ".dst", version)
    if version == "ip":
        size, proto = number(nth("ip.len", version)), number(nth("ip.proto", version))
    else:
        payload, proto = number(nth("ipv6.plen", version)), number(nth("ipv6.nxt", version))
        size = payload + 40 if payload or proto == 59 else number(frame["frame.len"][0]) - 14
    upper = next((t for t in tokens[place + 1:end] if t in PROTO), None)
    if upper:
        proto = PROTO[upper]
    elif end < len(tokens) and tokens[end - 1].startswith("ipv6."):
        proto = 41 if tokens[end] == "ipv6" else 4
    ports = (0, 0)
    if upper in PORTS:
        ports = tuple(number(nth(f"{upper}.{side}port", upper)) for side in ("src", "dst"))
    elif upper == "icmp" and frame["icmp.type"][:1] in (["0"], ["8"]):
        ports = (number(frame["icmp.ident"][0]),) * 2
    elif upper == "icmpv6" and frame["icmpv6.type"][:1] in (["128"], ["129"]):
        ports = (number(frame["icmpv6.echo.identifier"][0]),) * 2
    ends = sorted([(src, ports[0]), (dst, ports[1])])
    tunnel, number_of_it = tunnel_of(frame, tokens[:place + 1])
    in_key = "" if tunnel in EACH_WAY else number_of_it
    return (*ends[0], *ends[1], proto, tunnel, in_key), size, (src, ports[0]), number_of_it


def theirs(path, outer):
    """Packets and bytes of each key, and the numbers of its tunnel for each sender."""
    table, numbers = collections.defaultdict(lambda: [0, 0]), collections.defaultdict(set)
    for frame in read_tshark(path):
        read = packet_of(frame, outer)
        if read is not None:
            key, size, sender, tunnel_number = read
            table[key][0] += 1
            table[key][1] += size
            numbers[key, sender].add(tunnel_number)
    return dict(table), numbers


def ours(path, outer, numbers=None):
    """Packets and bytes of each key. Every number is one that the sender has in `numbers`."""
    result = atalaya("flows", "--key", "outer" if outer else "inner", path)
    assert result.returncode == 0 or "truncated" in result.stderr, result.stderr
    table = collections.defaultdict(lambda: [0, 0])
    for row in csv.DictReader(io.StringIO(result.stdout)):
        ends = sorted([(row["src"], int(row["src_port"])), (row["dst"], int(row["dst_port"]))])
        each_way = row["tunnel"] in EACH_WAY
        key = (*ends[0], *ends[1], int(row["proto"]), row["tunnel"],
               "" if each_way else row["tunnel_id"])
        whose = "src" if int(row["packets_fwd"]) else "dst"
        sender = (row[whose], int(row[whose + "_port"]))
        if each_way and numbers is not None:
            assert row["tunnel_id"] in numbers[key, sender], (path.name, row, numbers[key, sender])
        table[key][0] += int(row["packets_fwd"]) + int(row["packets_bwd"])
        table[key][1] += int(row["bytes_fwd"]) + int(row["bytes_bwd"])
    return dict(table)


def without(table, *columns):
    """Add up what differs only in these columns of the key."""
    merged = collections.defaultdict(lambda: [0, 0])
    for key, (packets, size) in table.items():
        short = tuple(v for i, v in enumerate(key) if i not in columns)
        merged[short][0] += packets
        merged[short][1] += size
    return dict(merged)


def compare(path, outer, ignore=()):
    other, numbers = theirs(path, outer)
    mine = ours(path, outer, None if ignore else numbers)
    mine, other = without(mine, *ignore), without(other, *ignore)
    assert mine == other, (path.name, "outer" if outer else "inner",
                           {k: (mine.get(k), other.get(k)) for k in set(mine) | set(other)
                            if mine.get(k) != other.get(k)})
    return len(mine)


def captures():
    need_tool("tshark")
    return need_captures("encap", "telecom")


def real_captures_inner():
    total = 0
    for path in captures():
        ignore = (5, 6) if path.name in OTHER_TUNNEL else ()
        total += compare(path, False, ignore)
    print(f"# {total} inner flows agree with tshark")


def real_captures_outer():
    total = sum(compare(path, True) for path in captures())
    print(f"# {total} outer flows agree with tshark")


def write_frame(path, frame):
    header = struct.pack("<IHHIIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1)
    path.write_bytes(header + struct.pack("<IIII", 1700000000, 0, len(frame), len(frame)) + frame)


def built_frames(folder):
    """(name, frame) of the unit tests' builders."""
    maker = os.environ["SEEDS_DECODE"]
    names = subprocess.run([maker, "--names"], capture_output=True, text=True, check=True).stdout
    subprocess.run([maker, "--capture", folder / "all.pcap"], check=True)
    data, at = (folder / "all.pcap").read_bytes(), 24
    for name in names.split():
        length = int.from_bytes(data[at + 8:at + 12], "little")
        yield name, data[at + 16:at + 16 + length]
        at += 16 + length


def own_frames():
    need_tool("tshark")
    seen = set()
    with scratch() as folder:
        for name, frame in built_frames(folder):
            one = folder / "one.pcap"
            write_frame(one, frame)
            told = ("-d", TOLD[name]) if name in TOLD else ()
            read = packet_of(next(read_tshark(one, *told)), False)
            numbers = {read[0:3:2]: {read[3]}} if read else {}
            known = name not in UNREAD and name not in OTHER_TUNNEL
            mine = ours(one, False, numbers if known else None)
            other = {read[0]: [1, read[1]]} if read else {}
            seen.add(name)
            if name in UNREAD:
                assert mine != other, f"{name}: tshark agrees, no exception is needed"
                continue
            if name in OTHER_TUNNEL:
                assert mine != other, f"{name}: tshark agrees, no exception is needed"
                mine, other = without(mine, 5, 6), without(other, 5, 6)
            assert mine == other, (name, mine, other)
    assert {n for n in (*OTHER_TUNNEL, *UNREAD, *TOLD) if "pcap" not in n} <= seen
    print(f"# {len(seen) - len(UNREAD)} of {len(seen)} built encapsulations agree with tshark")


def in_gtpu(teid, packet, outer=("10.8.0.1", "10.8.0.2")):
    head = struct.pack(">BBHI", 0x30, 255, len(packet), teid) + packet
    udp = struct.pack(">HHHH", 2152, 2152, 8 + len(head), 0) + head
    return b"\2" * 12 + b"\x08\x00" + ipv4(*outer, 17, udp)


def in_mpls(label, packet):
    return b"\2" * 12 + b"\x88\x47" + struct.pack(">I", label << 12 | 1 << 8 | 64) + packet


def ipv4(src, dst, proto, body):
    ends = b"".join(bytes(map(int, a.split("."))) for a in (src, dst))
    return struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), 1, 0, 64, proto, 0) + ends + body


def tcp(src, sport, dst, dport, flags, payload=b""):
    return ipv4(src, dst, 6, struct.pack(">HHIIBBHHH", sport, dport, 0, 0, 80, flags, 9, 0, 0) + payload)


def udp4(src, sport, dst, dport):
    return ipv4(src, dst, 17, struct.pack(">HHHH", sport, dport, 12, 0) + b"four")


def both_directions_of_a_tunnel_are_one_flow():
    """A handshake and a question with its answer, each way in a tunnel of its own; then the tunnel
    to the subscriber changes, as when a base station hands over."""
    up, down = ("10.0.0.1", 40000, "10.9.9.9", 443), ("10.9.9.9", 443, "10.0.0.1", 40000)
    talk = [(1, tcp(*up, 2)), (2, tcp(*down, 18)), (1, tcp(*up, 16)), (2, tcp(*down, 24, b"x")),
            (3, tcp(*down, 24, b"y")), (1, udp4(*up)), (2, udp4(*down))]
    back = (("10.8.0.2", "10.8.0.1"), ("10.8.0.1", "10.8.0.2"))
    wraps = {"gtpu": lambda way, p: in_gtpu(way * 100, p, back[way == 1]),
             "mpls": lambda way, p: in_mpls(way * 100, p)}
    for name, wrap in wraps.items():
        for step in (1, -1):
            with scratch() as folder:
                path = folder / "a.pcap"
                data = struct.pack("<IHHIIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1)
                for i, (way, packet) in enumerate(talk[::step]):
                    frame = wrap(way, packet)
                    data += struct.pack("<IIII", 1700000000, i, len(frame), len(frame)) + frame
                path.write_bytes(data)
                result = atalaya("flows", path)
                rows = sorted(csv.DictReader(io.StringIO(result.stdout)), key=lambda r: r["proto"])
                assert [(r["proto"], r["packets_fwd"], r["packets_bwd"]) for r in rows] == \
                    [("17", "1", "1"), ("6", "2", "3")], (name, step, rows)
                assert {(r["src"], r["tunnel"], r["tunnel_id"]) for r in rows} == \
                    {("10.0.0.1", name, "100")}, (name, step, rows)
                assert rows[1]["psh_share_bwd"] != "0" and rows[0]["psh_share_bwd"] == "0", rows
                if step == 1:
                    compare(path, False)


def srh_last_segment():
    """A packet on its way along segments is keyed by the destination in its header, as tshark's
    field ipv6.dst; tshark's column Destination shows the last segment instead."""
    need_tool("tshark")
    host, here, last = (bytes.fromhex("20010db8" + "00" * 11 + n) for n in ("01", "02", "03"))
    udp = struct.pack(">HHHH", 5000, 2000, 12, 0) + b"four"
    routing = bytes([17, 4, 4, 1, 1, 0, 0, 0]) + last + here
    ip = struct.pack(">IHBB", 6 << 28, len(routing) + len(udp), 43, 64) + host + here
    with scratch() as folder:
        one = folder / "srh.pcap"
        write_frame(one, b"\2" * 12 + b"\x86\xdd" + ip + routing + udp)
        compare(one, False)
        compare(one, True)
        assert next(iter(ours(one, False)))[2] == "2001:db8::2"
        column = subprocess.run(["tshark", "-n", "-r", str(one), "-T", "fields", "-e",
                                 "_ws.col.Destination"], capture_output=True, text=True, check=True)
        assert column.stdout.strip() == "2001:db8::3", column.stdout


def control_messages_are_counted():
    """Message types and causes, each packet read by tshark."""
    need_tool("tshark")
    cases = [("gtp_c.pcap", "gtpv2c", "gtpv2.message_type", "gtpv2.cause"),
             ("pfcp.pcapng", "pfcp", "pfcp.msg_type", None),
             ("diameter.pcap", "diameter", "diameter.cmd.code", "diameter.Result-Code"),
             ("ngap-fuzz.pcapng", "sctp", "sctp.chunk_type", None),
             ("sctp.cap", "sctp", "sctp.chunk_type", None),
             ("ngap-fuzz.pcapng", "ngap", "ngap.procedureCode", None)]
    for name, protocol, message, cause in cases:
        path = need_data("telecom", name)
        result = atalaya("flows", "--format", "none", "--json", path)
        summary = json.loads(result.stderr.splitlines()[-1])["files"][0]
        for kind, field in (("messages", message), ("causes", cause)):
            if field is None:
                continue
            expected = collections.Counter()
            # of causes the message's own, not those of the bearers in it
            occurrence = "occurrence=a" if kind == "messages" else "occurrence=f"
            out = subprocess.run(["tshark", "-n", "-r", str(path), "-T", "fields", "-E",
                                  occurrence, "-E", "aggregator=|", "-e", field],
                                 capture_output=True, text=True, check=True).stdout
            for line in out.split():
                expected.update(number(v) for v in line.split("|"))
            got = collections.Counter()
            for peer in summary["telecom"]:
                for code, n in peer.get(protocol, {}).get(kind, {}).items():
                    # requests of Diameter stand above 2^24, NGAP has its choice above 2^8
                    mask = {"diameter": 2**24, "ngap": 256}.get(protocol, 2**32)
                    got[int(code) % mask] += n
            assert got == expected, (name, protocol, kind, got, expected)


if __name__ == "__main__":
    run_cases([both_directions_of_a_tunnel_are_one_flow, real_captures_inner, real_captures_outer, own_frames, srh_last_segment,
               control_messages_are_counted])
