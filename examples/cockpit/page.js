// The dashboard's elements, asking through Cockpit instead of the network.

import { channelFetch } from "./channel.js";
import { configure } from "./waypost.js";

// A name that stands for the service and is looked up nowhere.
const BASE = "http://waypost.channel/";
const SOCKET = "/run/waypost/waypost.sock";

// As an administrator where the user has become one: the socket is open to its group and to root. Cockpit would name the socket's path
// as the host, and the service answers no name on its socket that has dots in it.
const service = cockpit.http(SOCKET, { superuser: "try", headers: { Host: "localhost" } });
globalThis.fetch = channelFetch(service, BASE, globalThis.fetch.bind(globalThis));
configure({ base: BASE });
document.body.append(document.createElement("waypost-dashboard"));
