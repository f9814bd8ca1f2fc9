"""The client that examples/python/generated.sh makes, used: asks where a domain may go, and moves it there."""

import sys

import httpx
from client import Client
from client.api.checks import check
from client.api.tasks import create_task, get_task
from client.models import NewCheck, NewTask

# The service is behind a Unix socket; for one behind TLS, give the client its URL and a token instead.
client = Client(base_url="http://waypost", raise_on_unexpected_status=True)
client.set_httpx_client(httpx.Client(base_url="http://waypost", transport=httpx.HTTPTransport(uds=sys.argv[1]), timeout=90))

report = check.sync(client=client, body=NewCheck(domain="web1"))
for verdict in report.verdicts:
    print(f"web1 to {verdict.destination}: {verdict.decision}")
    assert verdict.decision == "allowed", verdict.findings

task = create_task.sync(client=client, body=NewTask(domain="web1", to="kvm2"))
while task.phase != "ended":
    task = get_task.sync(task.id, client=client, since=task.sequence, wait=30)
print(task.message)
assert task.status == "completed", task
