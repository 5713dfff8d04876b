/* SPDX-License-Identifier: Apache-2.0 */
/* The numbers of the cic profile, in the order and by the names of CICFlowMeter 4.0. */
#ifndef FEAT_CIC_PRIV_H
#define FEAT_CIC_PRIV_H

#include "features/features.h"

#define CIC_COLUMNS(X)                            \
    X(DURATION, "Flow Duration")                  \
    X(FWD_PACKETS, "Total Fwd Packet")            \
    X(BWD_PACKETS, "Total Bwd packets")           \
    X(FWD_LENGTH, "Total Length of Fwd Packet")   \
    X(BWD_LENGTH, "Total Length of Bwd Packet")   \
    X(FWD_LENGTH_MAX, "Fwd Packet Length Max")    \
    X(FWD_LENGTH_MIN, "Fwd Packet Length Min")    \
    X(FWD_LENGTH_MEAN, "Fwd Packet Length Mean")  \
    X(FWD_LENGTH_STD, "Fwd Packet Length Std")    \
    X(BWD_LENGTH_MAX, "Bwd Packet Length Max")    \
    X(BWD_LENGTH_MIN, "Bwd Packet Length Min")    \
    X(BWD_LENGTH_MEAN, "Bwd Packet Length Mean")  \
    X(BWD_LENGTH_STD, "Bwd Packet Length Std")    \
    X(BYTES_PER_S, "Flow Bytes/s")                \
    X(PACKETS_PER_S, "Flow Packets/s")            \
    X(IAT_MEAN, "Flow IAT Mean")                  \
    X(IAT_STD, "Flow IAT Std")                    \
    X(IAT_MAX, "Flow IAT Max")                    \
    X(IAT_MIN, "Flow IAT Min")                    \
    X(FWD_IAT_TOTAL, "Fwd IAT Total")             \
    X(FWD_IAT_MEAN, "Fwd IAT Mean")               \
    X(FWD_IAT_STD, "Fwd IAT Std")                 \
    X(FWD_IAT_MAX, "Fwd IAT Max")                 \
    X(FWD_IAT_MIN, "Fwd IAT Min")                 \
    X(BWD_IAT_TOTAL, "Bwd IAT Total")             \
    X(BWD_IAT_MEAN, "Bwd IAT Mean")               \
    X(BWD_IAT_STD, "Bwd IAT Std")                 \
    X(BWD_IAT_MAX, "Bwd IAT Max")                 \
    X(BWD_IAT_MIN, "Bwd IAT Min")                 \
    X(FWD_PSH, "Fwd PSH Flags")                   \
    X(BWD_PSH, "Bwd PSH Flags")                   \
    X(FWD_URG, "Fwd URG Flags")                   \
    X(BWD_URG, "Bwd URG Flags")                   \
    X(FWD_HEADER, "Fwd Header Length")            \
    X(BWD_HEADER, "Bwd Header Length")            \
    X(FWD_PACKETS_PER_S, "Fwd Packets/s")         \
    X(BWD_PACKETS_PER_S, "Bwd Packets/s")         \
    X(LENGTH_MIN, "Packet Length Min")            \
    X(LENGTH_MAX, "Packet Length Max")            \
    X(LENGTH_MEAN, "Packet Length Mean")          \
    X(LENGTH_STD, "Packet Length Std")            \
    X(LENGTH_VARIANCE, "Packet Length Variance")  \
    X(FIN, "FIN Flag Count")                      \
    X(SYN, "SYN Flag Count")                      \
    X(RST, "RST Flag Count")                      \
    X(PSH, "PSH Flag Count")                      \
    X(ACK, "ACK Flag Count")                      \
    X(URG, "URG Flag Count")                      \
    X(CWR, "CWR Flag Count")                      \
    X(ECE, "ECE Flag Count")                      \
    X(DOWN_UP, "Down/Up Ratio")                   \
    X(SIZE_MEAN, "Average Packet Size")           \
    X(FWD_SEGMENT_MEAN, "Fwd Segment Size Avg")   \
    X(BWD_SEGMENT_MEAN, "Bwd Segment Size Avg")   \
    X(FWD_BULK_BYTES, "Fwd Bytes/Bulk Avg")       \
    X(FWD_BULK_PACKETS, "Fwd Packet/Bulk Avg")    \
    X(FWD_BULK_RATE, "Fwd Bulk Rate Avg")         \
    X(BWD_BULK_BYTES, "Bwd Bytes/Bulk Avg")       \
    X(BWD_BULK_PACKETS, "Bwd Packet/Bulk Avg")    \
    X(BWD_BULK_RATE, "Bwd Bulk Rate Avg")         \
    X(SUBFLOW_FWD_PACKETS, "Subflow Fwd Packets") \
    X(SUBFLOW_FWD_BYTES, "Subflow Fwd Bytes")     \
    X(SUBFLOW_BWD_PACKETS, "Subflow Bwd Packets") \
    X(SUBFLOW_BWD_BYTES, "Subflow Bwd Bytes")     \
    X(FWD_WINDOW, "FWD Init Win Bytes")           \
    X(BWD_WINDOW, "Bwd Init Win Bytes")           \
    X(FWD_DATA_PACKETS, "Fwd Act Data Pkts")      \
    X(FWD_HEADER_MIN, "Fwd Seg Size Min")         \
    X(ACTIVE_MEAN, "Active Mean")                 \
    X(ACTIVE_STD, "Active Std")                   \
    X(ACTIVE_MAX, "Active Max")                   \
    X(ACTIVE_MIN, "Active Min")                   \
    X(IDLE_MEAN, "Idle Mean")                     \
    X(IDLE_STD, "Idle Std")                       \
    X(IDLE_MAX, "Idle Max")                       \
    X(IDLE_MIN, "Idle Min")

#define CIC_ENUM(id, name) CIC_##id,
enum cic_column { CIC_COLUMNS(CIC_ENUM) CIC_COLUMN_COUNT };
#undef CIC_ENUM

struct feat_cic_cells {
    double value[CIC_COLUMN_COUNT]; /* µs, bytes, counts; NaN and infinity only with compat */
    bool known[CIC_COLUMN_COUNT];   /* false: the record cannot tell, the cell stays empty */
};

/** @param compat  what CICFlowMeter would have written, defects included */
void feat_cic_values(const struct dp_flow *flow, bool compat, struct feat_cic_cells *ret_cells);

#endif
