"""Checks an audit log with nothing of ours: python3 check.py FOLDER [SECRET]"""
import hashlib, hmac, json, pathlib, sys

def keyed(key, part):
    return hmac.new(key, len(part).to_bytes(8, "little") + part, "sha256").digest()

seq, prev = 0, "0" * 64
key = keyed(sys.argv[2].encode(), b"shortlist audit seal 1") if len(sys.argv) > 2 else None
for file in sorted(pathlib.Path(sys.argv[1]).glob("audit-*.jsonl")):
    for line in file.read_bytes().splitlines():
        record = json.loads(line)
        digest = hashlib.sha256(line[:-149])
        assert (record["seq"], record["prev"], record["hash"]) == (seq + 1, prev, digest.hexdigest()), line
        assert key is None or record["seal"] == keyed(key, digest.digest()).hex(), line
        seq, prev = record["seq"], record["hash"]
print(seq, prev)
