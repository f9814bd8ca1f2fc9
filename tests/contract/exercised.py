"""Whether a run asked every operation of the description, by what the service itself counted, and what a viewer was let do.

    exercised.py DESCRIPTION METRICS-BEFORE METRICS-AFTER [viewer]
"""

import json
import re
import sys

# Streams do not end: schemathesis.toml leaves them out, and says where they are tested.
LEFT_OUT = {"events", "taskEvents"}
# What asks, or concerns the caller alone, is a viewer's too although it is no GET.
VIEWERS = {"check", "dryRun", "beginSession", "endSession"}


def counts(path):
    """(method, route, status) -> requests."""
    found = {}
    for line in open(path):
        if match := re.match(r"waypost_http_requests_total\{(.*)\} (\d+)", line):
            labels = dict(re.findall(r'(\w+)="([^"]*)"', match[1]))
            found[labels["method"], labels["route"], int(labels["status"])] = int(match[2])
    return found


def main():
    description, before, after, *who = sys.argv[1:]
    paths = json.load(open(description))["paths"]
    before, after = counts(before), counts(after)
    asked = {key: count - before.get(key, 0) for key, count in after.items() if count > before.get(key, 0)}
    wrong = []
    for path, operations in paths.items():
        for method, operation in operations.items():
            name = operation["operationId"]
            of = {status for (verb, route, status) in asked if (verb, route) == (method.upper(), path)}
            if not of and name not in LEFT_OUT:
                wrong.append(f"{name} was never asked")
            if who == ["viewer"] and method != "get" and name not in VIEWERS and any(status < 300 for status in of):
                wrong.append(f"{name} was done for a viewer")
    print(f"{sum(asked.values())} requests to {len({key[:2] for key in asked})} routes")
    sys.exit("\n".join(wrong) or 0)


main()
