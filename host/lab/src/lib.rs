//! Throw-away libvirt hosts on this machine, for trying and for tests.
