#!/usr/bin/env python3
"""Moves every running domain off a host, one after the other, and says what became of each.

It uses nothing but Python's own library and Waypost's socket:

    drain.py HOST [--to HOST] [--socket PATH]

`docs/openapi.json` describes every route; generated.py beside this asks with a client that is generated from it.
"""

import argparse
import http.client
import json
import socket
import sys
import uuid


class Service(http.client.HTTPConnection):
    """The service behind its Unix socket."""

    def __init__(self, path):
        super().__init__("waypost", timeout=90)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)

    def ask(self, method, path, document=None, **headers):
        body = None if document is None else json.dumps(document)
        if body is not None:
            headers["Content-Type"] = "application/json"
        self.request(method, "/api/v1" + path, body, headers)
        response = self.getresponse()
        answer = json.loads(response.read())
        if response.status >= 400:
            # RFC 9457: what happened, in whose words, and what to do.
            told = [answer["detail"], answer.get("cause"), answer.get("remedy")]
            raise SystemExit(f"{method} {path}: " + "; ".join(part for part in told if part))
        return answer


def destination(service, domain, source, wanted):
    """The first host that the rules let the domain go to."""
    question = {"domain": domain, "from": source}
    if wanted:
        question["to"] = [wanted]
    verdicts = service.ask("POST", "/checks", question)["verdicts"]
    for verdict in verdicts:
        if verdict["decision"] == "allowed":
            return verdict["destination"]
    for verdict in verdicts:
        for finding in verdict["findings"]:
            print(f"{domain}: not to {verdict['destination']}: {finding['message']}")
    return None


def move(service, domain, source, to):
    """Moves one, and answers the task as it ended."""
    # With a key of its own the request can be repeated where the answer got lost: it stays one task.
    task = service.ask(
        "POST", "/tasks", {"domain": domain, "from": source, "to": to}, **{"Idempotency-Key": str(uuid.uuid4())}
    )
    while task["phase"] != "ended":
        # Answered as soon as there is news.
        task = service.ask("GET", f"/tasks/{task['id']}?since={task['sequence']}&wait=30")
    return task


def main():
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("host")
    words.add_argument("--to")
    words.add_argument("--socket", default="/run/waypost/waypost.sock")
    asked = words.parse_args()
    service = Service(asked.socket)
    left = 0
    for domain in service.ask("GET", f"/hosts/{asked.host}/domains")["domains"]:
        if domain["state"] != "running":
            continue
        name = domain["name"]
        to = destination(service, name, asked.host, asked.to)
        if to is None:
            left += 1
            continue
        task = move(service, name, asked.host, to)
        print(task["message"])
        left += task["status"] != "completed"
    sys.exit(1 if left else 0)


if __name__ == "__main__":
    main()
