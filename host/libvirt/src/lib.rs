//! Real hosts: the hypervisor port over libvirt.
