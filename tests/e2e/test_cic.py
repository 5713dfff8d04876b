# SPDX-License-Identifier: Apache-2.0
"""One capture, built byte by byte, for each published defect of CICFlowMeter that the columns of a
flow record can show: the corrected profile does not have it."""
import csv
import io
import ipaddress
import struct

from harness import atalaya, run_cases, scratch

A, B = "10.0.0.1", "10.0.0.2"
A6, B6 = "2001:db8::1", "2001:db8::2"
FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32
ETHERNET, RAW = 1, 101
CONNECT = [(0.0, "AB", SYN, 0), (0.01, "BA", SYN | ACK, 0), (0.02, "AB", ACK, 0)]


def ip(src, dst, proto, body):
    src, dst = ipaddress.ip_address(src), ipaddress.ip_address(dst)
    if src.version == 6:
        return struct.pack(">IHBB", 6 << 28, len(body), proto, 64) + src.packed + dst.packed + body
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), 1, 0, 64, proto, 0)
    return head + src.packed + dst.packed + body


def tcp(src, sport, dst, dport, flags, payload=b"", window=1000, options=b""):
    words = 5 + len(options) // 4
    head = struct.pack(">HHIIBBHHH", sport, dport, 0, 0, words << 4, flags, window, 0, 0)
    return ip(src, dst, 6, head + options + payload)


def udp(src, sport, dst, dport, payload=b""):
    return ip(src, dst, 17, struct.pack(">HHHH", sport, dport, 8 + len(payload), 0) + payload)


def ethernet(packet):
    kind = b"\x86\xdd" if packet[0] >> 4 == 6 else b"\x08\x00"
    return (b"\x02" * 6 + b"\x04" * 6 + kind + packet).ljust(60, b"\0")  # padded as on the wire


def rows(packets, *options, link=ETHERNET):
    """[(seconds, IP packet)] → rows of the cic profile."""
    with scratch() as folder:
        path = folder / "a.pcap"
        with open(path, "wb") as out:
            out.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, link))
            for at, packet in packets:
                data = ethernet(packet) if link == ETHERNET else packet
                us = round((1700000000 + at) * 1000000)
                out.write(struct.pack("<IIII", us // 10**6, us % 10**6, len(data), len(data)) + data)
        result = atalaya("flows", "-p", "cic", *options, path)
        assert result.returncode == 0, result.stderr
        return list(csv.DictReader(io.StringIO(result.stdout)))


def talk(steps, src=A, dst=B, **kwargs):
    """TCP steps (seconds, "AB" or "BA", flags, payload bytes[, window])."""
    made = []
    for at, way, flags, size, *window in steps:
        ends = (src, 40000, dst, 80) if way == "AB" else (dst, 80, src, 40000)
        made.append((at, tcp(*ends, flags, b"x" * size, *window, **kwargs)))
    return made


def one(packets, *options, **kwargs):
    found = rows(packets, *options, **kwargs)
    assert len(found) == 1, found
    return found[0]


def check(row, **expected):
    for name, value in expected.items():
        name = name.replace("__", "/").replace("_", " ")
        assert float(row[name]) == value, (name, row[name], value)


def the_first_packet_counts_once():
    packets = [(0, udp(A, 5000, B, 6000, b"x" * 100)), (1, udp(A, 5000, B, 6000, b"x" * 50))]
    check(one(packets), Packet_Length_Mean=75, Average_Packet_Size=75, Fwd_Segment_Size_Avg=75)
    check(one(packets), Packet_Length_Variance=1250, Packet_Length_Min=50, Packet_Length_Max=100)
    check(one(packets, "--cic-compat"), Packet_Length_Mean=83.3333333333, Average_Packet_Size=125,
          Packet_Length_Variance=833.333333333, Fwd_Segment_Size_Avg=75, Fwd_Act_Data_Pkts=1)


def psh_and_urg_count_in_every_packet():
    steps = CONNECT + [(0.1, "AB", PSH | ACK, 10), (0.2, "BA", PSH | URG | ACK, 20),
                       (0.3, "AB", PSH | URG | ACK, 10)]
    check(one(talk(steps)), Fwd_PSH_Flags=2, Bwd_PSH_Flags=1, Fwd_URG_Flags=1, Bwd_URG_Flags=1,
          PSH_Flag_Count=3)
    check(one(talk(steps), "--cic-compat"), Fwd_PSH_Flags=0, Bwd_PSH_Flags=0, PSH_Flag_Count=3)
    first = [(0.0, "AB", PSH | URG | ACK, 1), (0.1, "AB", PSH | ACK, 1)]
    check(one(talk(first), "--cic-compat"), Fwd_PSH_Flags=1, Fwd_URG_Flags=1)


def bulks_are_not_made_up():
    steps = CONNECT + [(0.1 + i / 100, "AB", ACK, 1000) for i in range(6)]
    check(one(talk(steps)), Fwd_Bytes__Bulk_Avg=6000, Fwd_Packet__Bulk_Avg=6,
          Fwd_Bulk_Rate_Avg=120000, Bwd_Bytes__Bulk_Avg=0, Bwd_Packet__Bulk_Avg=0)
    check(one(talk(steps), "--cic-compat"), Fwd_Bytes__Bulk_Avg=0, Bwd_Bytes__Bulk_Avg=6000,
          Bwd_Packet__Bulk_Avg=6, Bwd_Bulk_Rate_Avg=120000)


def a_bulk_is_of_one_side_without_a_pause():
    data = [(0.1, "AB"), (0.2, "AB"), (0.3, "AB"), (0.4, "BA"), (0.5, "AB"), (0.6, "BA")]
    steps = CONNECT + [(at, way, ACK, 100) for at, way in data]
    check(one(talk(steps)), Fwd_Packet__Bulk_Avg=0, Bwd_Packet__Bulk_Avg=0)
    check(one(talk(steps), "--cic-compat"), Bwd_Packet__Bulk_Avg=6)
    paused = CONNECT + [(at, "BA", ACK, 101) for at in (1, 1.5, 2, 2.5, 4, 5, 6, 7, 8)]
    row = one(talk(paused))  # four packets, and five: a gap of one second is none of over one
    check(row, Bwd_Packet__Bulk_Avg=4.5, Bwd_Bytes__Bulk_Avg=454.5)
    check(row, Bwd_Bulk_Rate_Avg=float(f"{909 / 5.5:.12g}"))
    check(one(talk(paused), "--cic-compat"), Bwd_Packet__Bulk_Avg=4, Bwd_Bytes__Bulk_Avg=454,
          Bwd_Bulk_Rate_Avg=165)


def a_subflow_is_no_packet():
    steps = CONNECT + [(0.1, "AB", ACK, 90), (2.0, "BA", ACK, 30), (2.5, "AB", ACK, 0)]
    check(one(talk(steps)), Subflow_Fwd_Packets=2, Subflow_Fwd_Bytes=45, Subflow_Bwd_Packets=1,
          Subflow_Bwd_Bytes=15)
    check(one(talk(steps), "--cic-compat"), Subflow_Fwd_Packets=0, Subflow_Fwd_Bytes=15,
          Subflow_Bwd_Packets=0, Subflow_Bwd_Bytes=5)


def idle_times_are_no_dates():
    steps = CONNECT + [(10.0, "AB", ACK, 1), (11.5, "BA", ACK, 1), (20.0, "AB", ACK, 1),
                       (27.0, "AB", ACK, 1)]
    row = one(talk(steps))
    check(row, Idle_Max=9980000, Idle_Min=7000000, Idle_Mean=float(f"{25480000 / 3:.12g}"))
    check(row, Active_Max=1500000, Active_Min=20000, Active_Mean=760000)  # one packet is no time
    check(one(talk(CONNECT)), Idle_Mean=0, Idle_Std=0, Active_Max=0)
    spoilt = one(talk(steps), "--cic-compat")
    check(spoilt, Idle_Max=1.7e15, Idle_Min=7000000, Active_Max=1500000)
    assert float(spoilt["Idle Mean"]) > 4e14 and float(spoilt["Idle Std"]) > 8e14, spoilt
    check(one(talk(CONNECT), "--cic-compat"), Idle_Mean=1.7e15, Idle_Std=0)


def where_detail_runs_out_cells_are_empty():
    packets = [(i / 1000, udp(A, 5000 + i % 3, B, 6000, b"x" * 7)) for i in range(30)]
    found = rows(packets, "--detail", "1")
    assert [r["Packet Length Max"] for r in found].count("7") == 1, found
    for row in found:
        empty = {n for n, v in row.items() if v == ""}
        assert len(empty) == (29 if row["Packet Length Max"] == "" else 0), empty
    off = rows(packets, "--detail", "0", "--cic-compat")
    assert all(r["Idle Mean"] == "" and r["Subflow Fwd Packets"] != "" for r in off), off


def a_half_closed_flow_goes_on():
    steps = CONNECT + [(0.1, "AB", FIN | ACK, 0)] + [(1.0 + i, "BA", ACK, 500) for i in range(5)]
    check(one(talk(steps)), Total_Bwd_packets=6, Total_Length_of_Bwd_Packet=2500, FIN_Flag_Count=1)


def a_reset_ends_a_flow():
    steps = CONNECT + [(0.1, "BA", RST, 0), (10.0, "AB", SYN, 0), (10.1, "BA", SYN | ACK, 0)]
    found = rows(talk(steps))
    assert [r["Total Fwd Packet"] for r in found] == ["2", "1"], found


def stragglers_after_the_close_are_no_flow_of_their_own():
    steps = CONNECT + [(0.1, "AB", FIN | ACK, 0), (0.2, "BA", FIN | ACK, 0), (0.3, "AB", ACK, 0)]
    check(one(talk(steps)), Total_Fwd_Packet=4)


def an_idle_flow_ends_without_another_packet():
    other = [(t, udp("10.9.9.9", 1000 + t, B, 9999)) for t in range(1, 100, 10)]
    found = rows(sorted([(0.0, udp(A, 5000, B, 6000)), (0.5, udp(B, 6000, A, 5000)),
                         (90.0, udp(A, 5000, B, 6000))] + other))
    ours = [r for r in found if r["Src IP"] == A]
    assert [r["Flow Duration"] for r in ours] == ["500000", "0"], ours
    # the first ends at 30.5 s, not when its next packet comes: it stands before the later ones
    assert found.index(ours[0]) < len(found) - 5


def one_packet_is_a_flow():
    packets = [(i / 100, tcp(A, 40000 + i, B, 80, SYN)) for i in range(20)]
    assert len(rows(packets)) == 20
    assert rows(packets, "--cic-compat") == []


def the_window_is_that_of_the_first_packet():
    steps = [(0.0, "AB", SYN, 0, 111), (0.1, "BA", SYN | ACK, 0, 222), (0.2, "AB", ACK, 0, 333),
             (0.3, "BA", ACK, 50, 444)]
    check(one(talk(steps)), FWD_Init_Win_Bytes=111, Bwd_Init_Win_Bytes=222)
    check(one(talk(steps), "--cic-compat"), FWD_Init_Win_Bytes=111, Bwd_Init_Win_Bytes=444)


def ipv6_is_read_like_ipv4():
    steps = CONNECT + [(0.100001, "AB", PSH | ACK, 10)]
    check(one(talk(steps, A6, B6)), SYN_Flag_Count=2, PSH_Flag_Count=1, FWD_Init_Win_Bytes=1000,
          Flow_Duration=100001)
    check(one(talk(steps, A6, B6), "--cic-compat"), SYN_Flag_Count=0, FWD_Init_Win_Bytes=0)
    packets = [(0, udp(A6, 5000, B6, 6000, b"x")), (1, udp(A6, 5000, B6, 6000, b"x"))]
    check(one(packets), Fwd_Header_Length=16, Fwd_Seg_Size_Min=8)
    assert one(packets, "--cic-compat")["Fwd Seg Size Min"] == ""
    assert one(packets, "--cic-compat")["Fwd Header Length"] == ""


def other_protocols_are_not_merged():
    echo = b"\x08\x00\0\0\x12\x34\0\1" + b"x" * 8
    packets = [(0, ip(A, B, 1, echo)), (0.1, ip(A, B, 132, b"\0\1\0\2" + b"\0" * 12)),
               (0.2, ip(A, B, 1, echo)), (0.3, ip(A, B, 132, b"\0\1\0\2" + b"\0" * 12))]
    assert sorted(r["Protocol"] for r in rows(packets)) == ["1", "132"]
    assert {r["Protocol"] for r in rows(packets, "--cic-compat")} == {"0"}


def captures_without_ethernet_are_read():
    check(one(talk(CONNECT), link=RAW), Total_Fwd_Packet=2)


def gaps_are_never_negative():
    packets = [(t, udp(A, 5000, B, 6000)) for t in (1.0, 0.5, 2.0, 1.5, 3.0)]
    row = one(packets)
    check(row, Flow_IAT_Min=0, Flow_Duration=2000000)
    assert all(float(v) >= 0 for n, v in row.items() if "IAT" in n)


def the_ratio_is_no_whole_number():
    packets = [(0, udp(A, 5000, B, 6000)), (0.1, udp(B, 6000, A, 5000)),
               (0.2, udp(A, 5000, B, 6000))]
    check(one(packets), **{"Down__Up_Ratio": 0.5})
    check(one(packets, "--cic-compat"), **{"Down__Up_Ratio": 0})


def a_flow_of_no_duration_has_finite_rates():
    packets = [(0, udp(A, 5000, B, 6000, b"x")), (0, udp(A, 5000, B, 6000, b"x"))]
    check(one(packets), Flow_Bytes__s=0, Flow_Packets__s=0)
    assert one(packets, "--cic-compat")["Flow Packets/s"] == "Infinity"


def padding_is_no_payload():
    check(one(talk(CONNECT, options=b"\1" * 12)), Total_Length_of_Fwd_Packet=0,
          Fwd_Header_Length=64, Fwd_Act_Data_Pkts=0, Fwd_Seg_Size_Min=32)


if __name__ == "__main__":
    run_cases([the_first_packet_counts_once, psh_and_urg_count_in_every_packet,
               bulks_are_not_made_up, a_bulk_is_of_one_side_without_a_pause, a_subflow_is_no_packet,
               idle_times_are_no_dates, where_detail_runs_out_cells_are_empty, a_half_closed_flow_goes_on, a_reset_ends_a_flow,
               stragglers_after_the_close_are_no_flow_of_their_own,
               an_idle_flow_ends_without_another_packet, one_packet_is_a_flow,
               the_window_is_that_of_the_first_packet, ipv6_is_read_like_ipv4,
               other_protocols_are_not_merged, captures_without_ethernet_are_read,
               gaps_are_never_negative, the_ratio_is_no_whole_number,
               a_flow_of_no_duration_has_finite_rates, padding_is_no_payload])
