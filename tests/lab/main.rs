//! End to end: the built command against real libvirt daemons and real QEMU guests, each test in a lab of its own. After
//! every migration the guest's own counter is read from the serial logs of all hosts: it must be one guest, and its
//! count must never run backwards.

mod attempts;
mod cancels;
mod controllers;
mod convergence;
mod copies;
mod crashes;
mod failures;
mod hanging;
mod ipv6;
mod login;
mod modes;
mod moves;
mod networks;
mod postcopy;
mod rules;
mod served;
mod site;
mod situations;
mod steered;
mod takeovers;
mod transformed;
mod transports;
mod traps;
