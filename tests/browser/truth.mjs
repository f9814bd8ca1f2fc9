// What is really so: libvirt's own word, by virsh on the hosts, and the guests' own counting. None of it goes through the service.

import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);
const { LAB, WAYPOST } = process.env;

/** The command, beside the service. */
export async function waypost(...words) {
  return (await run(WAYPOST, words)).stdout;
}

const lab = JSON.parse(await waypost("lab", "status", "--dir", LAB, "--json"));
const uris = new Map(lab.hosts.map(({ name, uri }) => [name, uri]));

async function virsh(host, ...words) {
  return (await run("virsh", ["-q", "-c", uris.get(host), ...words])).stdout;
}

/** `running`, `shut off` and so on; null where the host has no such domain. */
export async function state(host, domain) {
  const there = (await virsh(host, "list", "--all", "--name")).split("\n").map((line) => line.trim());
  return there.includes(domain) ? (await virsh(host, "domstate", domain)).trim() : null;
}

/** The guest is one, and has counted without a gap over all hosts: fails where it has not. */
export const counts = (guest) => waypost("lab", "counter", guest, "--dir", LAB);
