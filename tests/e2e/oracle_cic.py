# SPDX-License-Identifier: Apache-2.0
"""The columns of the corrected cic profile, from the list of a flow's packets, by their definitions
in docs/reference/cic.md: slow and obvious. Times in microseconds."""
import statistics

FLAGS = {"FIN": 1, "SYN": 2, "RST": 4, "PSH": 8, "ACK": 16, "URG": 32, "ECE": 64, "CWR": 128}
SATURATES = {"FIN": 255, "SYN": 255, "RST": 255, "URG": 255, "ECE": 255, "CWR": 255}
PAUSE, IDLE = 1000000, 5000000


def mean(values):
    return sum(values) / len(values) if values else 0


def spread(values):
    return statistics.stdev(values) if len(values) > 1 else 0


def share(part, whole):
    return part / whole if whole else 0


def gaps(packets):
    return [(b - a) // 1000 for (a, _, _), (b, _, _) in zip(packets, packets[1:])]


def count(packets, flag):
    n = sum(bool(p.flags & FLAGS[flag]) for _, _, p in packets)
    return min(n, SATURATES.get(flag, 65535))


def bulks(packets):
    """Runs of packets with payload of one end, none over a second after the last; four or more."""
    data = [packet for packet in packets if packet[2].payload > 0]
    runs = []
    for packet in data:
        at, end, _ = packet
        if runs and runs[-1][-1][1] == end and (at - runs[-1][-1][0]) // 1000 <= PAUSE:
            runs[-1].append(packet)
        else:
            runs.append([packet])
    return [run for run in runs if len(run) >= 4]


def spells(packets):
    """Silences of over five seconds, and what lies before each, if it took time."""
    idle, active, since = [], [], packets[0][0]
    for (a, _, _), (b, _, _) in zip(packets, packets[1:]):
        silence = (b - a) // 1000
        if silence > IDLE:
            active.append((a - since) // 1000)
            idle.append(silence)
            since = b
    return idle, [us for us in active if us > 0]


def four(row, name, values):
    row[name + " Mean"], row[name + " Std"] = mean(values), spread(values)
    row[name + " Max"], row[name + " Min"] = max(values, default=0), min(values, default=0)


def direction(row, name, packets, everyone, seconds, subflows):
    lengths = [p.payload for _, _, p in packets]
    mine = [run for run in bulks(everyone) if packets and run[0][1] == packets[0][1]]
    four(row, name + " Packet Length", lengths)
    four(row, name + " IAT", gaps(packets))
    row[name + " IAT Total"] = (packets[-1][0] - packets[0][0]) / 1000 if packets else 0
    row[name + " Segment Size Avg"] = mean(lengths)
    row[name + " PSH Flags"], row[name + " URG Flags"] = count(packets, "PSH"), count(packets, "URG")
    row[name + " Header Length"] = sum(p.header for _, _, p in packets)
    row[name + " Packets/s"] = share(len(packets), seconds)
    size = sum(p.payload for run in mine for _, _, p in run)
    row[name + " Bytes/Bulk Avg"] = share(size, len(mine))
    row[name + " Packet/Bulk Avg"] = share(sum(map(len, mine)), len(mine))
    row[name + " Bulk Rate Avg"] = share(size, sum(run[-1][0] - run[0][0] for run in mine) / 10**9)
    row[f"Subflow {name} Packets"] = len(packets) / subflows
    row[f"Subflow {name} Bytes"] = sum(lengths) / subflows


def columns(packets, initiator):
    """[(time that never runs backwards in ns, sender, packet)] of one record."""
    fwd = [packet for packet in packets if packet[1] == initiator]
    bwd = [packet for packet in packets if packet[1] != initiator]
    lengths = [p.payload for _, _, p in packets]
    duration = (packets[-1][0] - packets[0][0]) // 1000
    subflows = 1 + sum(us > PAUSE for us in gaps(packets))
    row = {"Flow Duration": duration, "Total Fwd Packet": len(fwd), "Total Bwd packets": len(bwd),
           "Total Length of Fwd Packet": sum(p.payload for _, _, p in fwd),
           "Total Length of Bwd Packet": sum(p.payload for _, _, p in bwd),
           "Flow Bytes/s": share(sum(lengths), duration / 10**6),
           "Flow Packets/s": share(len(packets), duration / 10**6),
           "Packet Length Variance": spread(lengths)**2, "Average Packet Size": mean(lengths),
           "Down/Up Ratio": share(len(bwd), len(fwd)),
           "FWD Init Win Bytes": fwd[0][2].window if fwd else 0,
           "Bwd Init Win Bytes": bwd[0][2].window if bwd else 0,
           "Fwd Act Data Pkts": sum(p.payload > 0 for _, _, p in fwd),
           "Fwd Seg Size Min": min((p.header for _, _, p in fwd), default=0)}
    four(row, "Packet Length", lengths)
    four(row, "Flow IAT", gaps(packets))
    direction(row, "Fwd", fwd, packets, duration / 10**6, subflows)
    direction(row, "Bwd", bwd, packets, duration / 10**6, subflows)
    for flag in FLAGS:
        row[flag + " Flag Count"] = count(fwd, flag) + count(bwd, flag)
    idle, active = spells(packets)
    four(row, "Active", active)
    four(row, "Idle", idle)
    return row
