"""A check of one's own: the training batches are very small."""
import json, sys

hello = json.loads(sys.stdin.readline())
least = hello["config"].get("least", 8)
evidence = {record["measurement"]: record["value"] for record in map(json.loads, sys.stdin)}
batches = evidence.get("batch-labels")
if batches is None:
    verdict = {"status": "not-measured", "missing": ["batch-labels"]}
elif batches["batch_size"] >= least:
    verdict = {"status": "clear", "measured": f"{batches['batch_size']} samples a batch"}
else:
    verdict = {"status": "suspect", "severity": "warning", "strength": 0.5, "message": "batches are very small, so each step is noisy",
               "measured": f"{batches['batch_size']} samples a batch, at least {least} are wanted", "fix": "use larger batches"}
json.dump({"schema": hello["verdicts"], "verdicts": [verdict]}, sys.stdout)
