//! Simulated hosts: the hypervisor port in virtual time, with scripted faults.
