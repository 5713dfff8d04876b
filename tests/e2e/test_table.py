# SPDX-License-Identifier: Apache-2.0
"""train, score and model on small made tables: what goes in, what comes out, what is refused."""
import csv
import gzip
import json
import pathlib
import random
import struct

from harness import atalaya, run_cases, scratch

ROWS = 600


def rows(seed, n=ROWS, odd=False):
    draw = random.Random(seed)
    for _ in range(n):
        size = draw.lognormvariate(6, 1)
        kind = draw.choices(["tcp", "udp", "icmp"], [70, 25, 5])[0]
        if odd:
            yield [f"{size:.3f}", f"{size * 90:.3f}", "gre", "1", "bad"]
        else:
            empty = draw.random() < 0.1
            yield [f"{size:.3f}", "" if empty else f"{size * draw.uniform(1.8, 2.2):.3f}", kind, "1",
                   "good"]


NAMES = ["bytes", "sent, all", "proto", "always", "label"]


def write(path, lines, header=True):
    with open(path, "w", newline="", encoding="utf8") as file:
        csv.writer(file).writerows(([NAMES] if header else []) + list(lines))
    return path


def train(folder, *extra, csv_file=None):
    table = csv_file or write(folder / "train.csv", [*rows(1), *rows(2, 60, odd=True)])
    done = atalaya("train", "--csv", table, "--label", "label", "--normal", "good", "--out",
                   folder / "m.safetensors", *extra)
    assert done.returncode == 0, done.stderr
    return folder / "m.safetensors"


def score(table, model, *extra):
    done = atalaya("score", "--csv", table, "--model", model, *extra)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.split()
    assert lines[0] == "score"
    return [float(line) for line in lines[1:]]


def refused(done, *words):
    assert done.returncode in (1, 2), done
    assert done.stdout == "" and done.stderr.count("\n") == 1, done
    for word in words:
        assert word in done.stderr, done.stderr


def odd_rows_stand_out_in_input_order():
    with scratch() as folder:
        model = train(folder)
        table = write(folder / "t.csv", [*rows(5, 50), *rows(6, 5, odd=True), *rows(7, 50)])
        scores = score(table, model, "--label", "label")
        assert len(scores) == 105 and all(0 <= s <= 1 for s in scores)
        assert min(scores[50:55]) > max(0.5, *scores[:50], *scores[55:])


def same_seed_same_bytes():
    with scratch() as folder:
        first = train(folder).read_bytes()
        assert train(folder).read_bytes() == first
        assert train(folder, "--seed", "9").read_bytes() != first


def forms_of_one_table_score_alike():
    with scratch() as folder:
        model = train(folder)
        lines = list(rows(5, 80))
        plain = score(write(folder / "t.csv", lines), model)
        with gzip.open(folder / "t.csv.gz", "wt", newline="", encoding="utf8") as file:
            csv.writer(file).writerows([NAMES] + lines)
        assert score(folder / "t.csv.gz", model) == plain
        order = [4, 2, 0, 3, 1]
        turned = [[line[i] for i in order] for line in [NAMES] + lines]
        assert score(write(folder / "u.csv", turned, header=False), model) == plain
        text = (folder / "t.csv").read_text(encoding="utf8").replace("\r\n", "\n")
        (folder / "v.csv").write_text("\ufeff" + text.replace("\n", "\n\n"), encoding="utf8")
        assert score(folder / "v.csv", model) == plain
        assert score(write(folder / "w.csv", [line[:4] for line in [NAMES] + lines], False),
                     model) == plain


def tables_without_names_go_by_place():
    with scratch() as folder:
        table = write(folder / "train.csv", rows(1), header=False)
        done = atalaya("train", "--csv", table, "--no-header", "--label", "5", "--drop", "4",
                       "--normal", "good", "--json", "--out", folder / "m")
        summary = json.loads(done.stdout)
        assert summary["rows"] == summary["normal"] == ROWS and summary["columns"] == 3, summary
        lines = list(rows(5, 40))
        whole = score(write(folder / "t.csv", lines, False), folder / "m", "--no-header")
        inputs = write(folder / "u.csv", [line[:3] for line in lines], False)
        assert score(inputs, folder / "m", "--no-header") == whole


def unseen_words_and_missing_numbers_have_their_place():
    with scratch() as folder:
        model = train(folder)
        usual = ["400", "800", "tcp", "1", "good"]
        filler = list(rows(5, 60))
        base, word, gap = ([*filler, line, *filler] for line in
                           (usual, ["400", "800", "quic", "1", "x"], ["", "800", "tcp", "1", "x"]))
        s = [score(write(folder / "t.csv", t), model)[60] for t in (base, word, gap)]
        assert s[1] > s[0] and s[2] > s[0], s


def bad_input_is_one_line_and_no_file():
    with scratch() as folder:
        model = train(folder)
        good = list(rows(1, 300))
        out = folder / "out"

        def both(lines, *words):
            table = write(folder / "bad.csv", lines)
            refused(atalaya("score", "--csv", table, "--model", model, "--out", out), *words)
            refused(atalaya("train", "--csv", table, "--out", out), *words)
            assert not out.exists() and not list(folder.glob("out.part*"))

        both(good[:250] + [["1", "2", "tcp"]] + good[250:], "row 251", "line 252", "3 columns")
        both(good[:7] + [["inf", "2", "tcp", "1", "good"]], "row 8", "bytes")
        both([["1", '"', "tcp", "1", "good"]] + good[:3] + [["\0", "", "", "", ""]], "bad.csv:")
        table = write(folder / "bad.csv", good)
        refused(atalaya("train", "--csv", table, "--label", "label", "--normal", "fine", "--out",
                        out), "no normal rows", "300 rows", "fine")
        refused(atalaya("train", "--csv", table, "--label", "lable", "--normal", "good", "--out",
                        out), "did you mean 'label'")
        refused(atalaya("train", "--csv", write(folder / "c.csv", [["1"] * 5] * 200), "--out", out),
                "every column is the same")
        refused(atalaya("train", "--csv", write(folder / "d.csv", good[:20]), "--out", out), "128")
        refused(atalaya("train", "--csv", folder / "none.csv", "--out", out), "No such file")
        (folder / "empty.csv").write_text("")
        refused(atalaya("train", "--csv", folder / "empty.csv", "--out", out), "empty")
        packed = gzip.compress(table.read_bytes())
        (folder / "cut.csv.gz").write_bytes(packed[:len(packed) // 2])
        refused(atalaya("train", "--csv", folder / "cut.csv.gz", "--out", out), "cut.csv.gz")
        write(folder / "e.csv", [["x", "2", "tcp", "1", "good"]])
        refused(atalaya("score", "--csv", folder / "e.csv", "--model", model), "row 1", "bytes", "'x'")
        other = write(folder / "f.csv", [["a", "b"], ["1", "2"]], header=False)
        refused(atalaya("score", "--csv", other, "--model", model), "no column 'bytes'")
        assert not out.exists()


def an_independent_reader_opens_the_model():
    with scratch() as folder:
        data = train(folder).read_bytes()
        length = struct.unpack("<Q", data[:8])[0]
        header, body = json.loads(data[8:8 + length]), data[8 + length:]
        facts = header.pop("__metadata__")
        assert facts["models"] == "table-1,table-2,table-3"
        columns = json.loads(facts["table.columns"])["columns"]
        assert [c["name"] for c in columns] == NAMES[:4]
        assert columns[2]["words"] == ["tcp", "udp", "icmp"]
        at, sizes = 0, {"F32": 4, "F64": 8, "U32": 4}
        for name, entry in sorted(header.items(), key=lambda i: i[1]["data_offsets"]):
            begin, end = entry["data_offsets"]
            size = sizes[entry["dtype"]]
            assert begin == at and begin % size == 0, name
            for dim in entry["shape"]:
                size *= dim
            assert end - begin == size, name
            at = end
        assert at == len(body)

        def tensor(name, kind):
            begin, end = header[name]["data_offsets"]
            return struct.unpack(f"<{(end - begin) // 4}{kind}", body[begin:end])

        # walk one row through the first forest by the published rule alone
        cut, to = tensor("table-1.forest_cut", "f"), tensor("table-1.forest_to", "I")
        x = [0.0] * int(facts["table-1.shape"].split(",")[0])
        for root in tensor("table-1.forest_root", "I"):
            steps = 0
            while to[root] >> 9 != root:
                root = (to[root] >> 9) + (x[to[root] & 511] > cut[root])
                steps += 1
            assert cut[root] == float("inf") and 0 < steps <= 16


def damaged_models_are_refused():
    with scratch() as folder:
        data = train(folder).read_bytes()
        table = write(folder / "t.csv", rows(5, 20))
        draw = random.Random(1)
        for _ in range(40):
            cut = draw.randrange(len(data))
            (folder / "bad").write_bytes(data[:cut])
            refused(atalaya("score", "--csv", table, "--model", folder / "bad"), "bad")
            flipped = bytearray(data)
            flipped[draw.randrange(len(data) // 4, len(data))] ^= 1 << draw.randrange(8)
            (folder / "bad").write_bytes(flipped)
            refused(atalaya("score", "--csv", table, "--model", folder / "bad"), "data_hash")


def model_shows_and_compares():
    with scratch() as folder:
        model = pathlib.Path(train(folder))
        shown = json.loads(atalaya("model", "show", model, "--json").stdout)
        assert len(shown["models"]) == 3 and shown["table"]["normal"] == ROWS
        assert [c["kind"] for c in shown["table"]["columns"]] == ["number", "number", "category",
                                                                   "constant"]
        (folder / "old").write_bytes(model.read_bytes())
        assert "the same" in atalaya("model", "diff", model, folder / "old").stdout
        train(folder, "--seed", "5")
        done = atalaya("model", "diff", folder / "old", model, "--json")
        assert done.returncode == 1 and json.loads(done.stdout)["table.seed"] == [1, 5]
        refused(atalaya("model", "show", folder / "train.csv"), "not a model file")


run_cases([
    odd_rows_stand_out_in_input_order,
    same_seed_same_bytes,
    forms_of_one_table_score_alike,
    tables_without_names_go_by_place,
    unseen_words_and_missing_numbers_have_their_place,
    bad_input_is_one_line_and_no_file,
    an_independent_reader_opens_the_model,
    damaged_models_are_refused,
    model_shows_and_compares,
])
