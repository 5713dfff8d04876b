#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Fuzz for some seconds, from fresh seeds: run.sh FUZZER SEED_MAKER SECONDS
if [ $# -ne 3 ]; then
    echo "skipped: needs clang with libFuzzer (clang-14 and libclang-rt-14-dev)"
    exit 77
fi
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/corpus" && "$2" --seeds "$folder/corpus" || exit 1
"$1" -max_total_time="$3" -timeout=5 -rss_limit_mb=2048 -max_len=2048 -print_final_stats=1 \
    -artifact_prefix="$PWD/" "$folder/corpus" 2>"$folder/log"
code=$?
tail -n 12 "$folder/log"
[ $code -eq 0 ] || grep -E -A30 "ERROR|broken" "$folder/log"
exit $code
