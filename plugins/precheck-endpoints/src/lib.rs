//! Nothing that the guest shows or writes may be bound to the source host: console addresses, sockets, serial lines, log
//! files, boot files.
//!
//! The incoming QEMU opens all of them before the first page of memory arrives, so what can't be opened there fails the
//! migration. What libvirt itself places (in its own directories, or on a port that it chooses) it places anew.

use waypost_plugin::types::{CharacterDevice, Graphics, Severity};
use waypost_plugin::{DomainFacts, Finding, HostFacts, Precheck, Request, Travel, export_precheck};

/// The policy.
pub struct Endpoints;

impl Precheck for Endpoints {
    fn check(request: &Request, domain: &DomainFacts, source: &HostFacts, destination: &HostFacts) -> Vec<Finding> {
        let case = Case { travel: request.travel(domain), source, destination };
        let mut findings = Vec::new();
        for console in domain.graphics() {
            findings.extend(case.console(console));
        }
        let devices = domain.character_devices();
        for (at, device) in devices.iter().enumerate() {
            // libvirt shows the first serial port as a console, too.
            let shown_twice = device.device == "console"
                && devices[..at].iter().any(|other| other.kind == device.kind && other.path == device.path);
            if !shown_twice {
                findings.extend(case.character_device(device));
            }
        }
        findings.extend(case.boot_files(domain));
        findings
    }
}

struct Case<'a> {
    travel: Travel,
    source: &'a HostFacts,
    destination: &'a HostFacts,
}

impl Case<'_> {
    fn console(&self, console: &Graphics) -> Vec<Finding> {
        let mut findings: Vec<_> = console
            .listen
            .iter()
            .filter_map(|address| self.listening("graphics-address", &console.kind, address))
            .collect();
        if let Some(path) = console.socket.as_deref().filter(|path| !libvirts_own(path)) {
            findings.push(self.path("graphics-socket-unproven", &console.kind, path));
        }
        if let Some(port) = console.port.filter(|port| !console.autoport && *port > 0 && !console.listen.is_empty()) {
            findings.push(
                Finding::info("graphics-port-fixed", "The console has a fixed port; another guest there may hold it.")
                    .with("console", &console.kind)
                    .with("port", port),
            );
        }
        findings
    }

    fn character_device(&self, device: &CharacterDevice) -> Vec<Finding> {
        let mut findings = Vec::new();
        let path = device.path.as_deref().filter(|path| !libvirts_own(path));
        match (device.kind.as_str(), path) {
            ("dev", Some(path)) => findings.push(
                Finding::of(
                    self.travel.weight(),
                    "serial-host-device",
                    "The guest talks to a device of the source host; there, another one or none is at its path.",
                )
                .with("device", &device.device)
                .with("path", path)
                .remedy("Detach it, or lead it over the network (type tcp or udp)."),
            ),
            ("file", Some(path)) if !self.in_a_pool_there(path) => {
                findings.push(self.path("serial-file-stays", &device.device, path));
            }
            ("unix" | "pipe", Some(path)) => findings.push(self.path("serial-path-unproven", &device.device, path)),
            ("tcp" | "udp", _) => {
                if let Some(address) = device.address.as_deref() {
                    findings.extend(self.listening("serial-address", &device.device, address));
                }
            }
            _ => {}
        }
        if let Some(log) = device.log.as_deref().filter(|log| !libvirts_own(log)) {
            findings.push(self.path("serial-file-stays", &device.device, log));
        }
        findings
    }

    fn boot_files(&self, domain: &DomainFacts) -> Vec<Finding> {
        let firmware = domain.firmware();
        [("kernel", &firmware.kernel), ("initial RAM disk", &firmware.initrd)]
            .into_iter()
            .filter_map(|(what, path)| Some((what, path.as_deref()?)))
            .filter(|(_, path)| !self.in_a_pool_there(path))
            .map(|(what, path)| {
                Finding::warning(
                    "boot-file-unproven",
                    format!("Whether the {what} is on {}, too, can't be told.", self.destination.name()),
                )
                .with("file", path)
                .remedy("Make sure that the same file is at the same path there.")
            })
            .collect()
    }

    /// An address that something listens on. Which end of a TCP line listens isn't in the facts, so an address of the
    /// source is refused for consoles alone.
    fn listening(&self, code: &str, what: &str, address: &str) -> Option<Finding> {
        if anywhere(address) || loopback(address) || self.destination.addresses().iter().any(|own| own == address) {
            return None;
        }
        let of_source = self.source.addresses().iter().any(|own| own == address) || address == self.source.hostname();
        let finding = match (of_source, code) {
            (true, "graphics-address") => Finding::of(
                self.travel.weight(),
                "graphics-address-of-source",
                format!("The {what} console listens on an address of the source."),
            )
            .remedy("Let it listen on a network or on 0.0.0.0 (virsh edit, element listen)."),
            (true, _) => {
                Finding::warning("serial-address-of-source", format!("The {what} line uses an address of the source."))
            }
            (false, "graphics-address") => Finding::warning(
                "graphics-address-unproven",
                format!("Whether {} has the address of the {what} console can't be told.", self.destination.name()),
            ),
            // Somebody else's address: the line calls it, from anywhere.
            (false, _) => return None,
        };
        Some(finding.with("address", address).with("source", self.source.name()))
    }

    fn path(&self, code: &str, what: &str, path: &str) -> Finding {
        let message = match code {
            "serial-file-stays" => {
                format!("What the {what} line wrote stays on the source; its directory must be there.")
            }
            _ => format!("The {what} line uses a path of the host that nobody can look for on the destination."),
        };
        // Shut off, nothing of it is open.
        let weight = if self.travel == Travel::Live { Severity::Warning } else { Severity::Info };
        Finding::of(weight, code, message).with("path", path).with("destination", self.destination.name())
    }

    fn in_a_pool_there(&self, path: &str) -> bool {
        self.destination.pool_of_path(path).is_some_and(|pool| pool.active && !pool.source.hosts.is_empty())
    }
}

/// libvirt makes these anew on each host; `/dev/pts` is where a pseudo-terminal happened to be.
fn libvirts_own(path: &str) -> bool {
    ["/var/lib/libvirt/", "/var/run/libvirt/", "/run/libvirt/", "/var/log/libvirt/", "/dev/pts/"]
        .iter()
        .any(|directory| path.starts_with(directory))
}

fn anywhere(address: &str) -> bool {
    matches!(address, "" | "0.0.0.0" | "::" | "*")
}

fn loopback(address: &str) -> bool {
    address == "localhost" || address == "::1" || address.starts_with("127.")
}

export_precheck!(Endpoints);

#[cfg(test)]
mod tests {
    use waypost_plugin::DomainState;
    use waypost_plugin::Severity::{Blocker, Info, Warning};
    use waypost_plugin::testing::{self, codes};

    use super::*;

    fn check(change: impl FnOnce(&mut DomainFacts)) -> Vec<(String, Severity)> {
        let found =
            testing::check::<Endpoints>(&testing::request(), &testing::domain_with(change), &testing::host("kvm2"));
        codes(&found).into_iter().map(|(code, weight)| (code.to_owned(), weight)).collect()
    }

    fn one(code: &str, weight: Severity) -> Vec<(String, Severity)> {
        vec![(code.to_owned(), weight)]
    }

    fn listen(address: String) -> impl FnOnce(&mut DomainFacts) {
        move |domain| domain.graphics[0].listen = vec![address]
    }

    fn serial(kind: &'static str, path: Option<&'static str>) -> impl FnOnce(&mut DomainFacts) {
        move |domain| {
            domain.character_devices[0].kind = kind.into();
            domain.character_devices[0].path = path.map(Into::into);
        }
    }

    #[test]
    fn what_libvirt_places_itself_is_fine() {
        assert_eq!(check(|_| {}), []);
        assert_eq!(check(listen("0.0.0.0".into())), []);
        assert_eq!(check(serial("unix", Some("/var/lib/libvirt/qemu/channel/target/agent.0"))), []);
        assert_eq!(check(serial("null", None)), []);
        assert_eq!(check(serial("file", Some("/var/log/libvirt/qemu/web-serial.log"))), []);
    }

    #[test]
    fn a_console_on_the_sources_address_is_refused_while_it_runs() {
        let address = testing::host("kvm1").addresses[0].clone();
        assert_eq!(check(listen(address.clone())), one("graphics-address-of-source", Blocker));
        let found = check(|domain| {
            domain.state = DomainState::ShutOff;
            domain.graphics[0].listen = vec![address];
        });
        assert_eq!(found, one("graphics-address-of-source", Warning));
    }

    #[test]
    fn a_console_on_the_destinations_address_is_fine_and_on_a_strangers_unproven() {
        assert_eq!(check(listen(testing::host("kvm2").addresses[0].clone())), []);
        assert_eq!(check(listen("198.51.100.7".into())), one("graphics-address-unproven", Warning));
    }

    #[test]
    fn fixed_ports_and_sockets_are_named() {
        let fixed = check(|domain| {
            domain.graphics[0].autoport = false;
            domain.graphics[0].port = Some(5901);
        });
        assert_eq!(fixed, one("graphics-port-fixed", Info));
        let socket = check(|domain| domain.graphics[0].socket = Some("/srv/vnc/web.sock".into()));
        assert_eq!(socket, one("graphics-socket-unproven", Warning));
    }

    #[test]
    fn serial_lines_are_judged_by_where_they_lead() {
        assert_eq!(check(serial("dev", Some("/dev/ttyS0"))), one("serial-host-device", Blocker));
        assert_eq!(check(serial("file", Some("/srv/logs/web.txt"))), one("serial-file-stays", Warning));
        assert_eq!(check(serial("file", Some("/srv/shared/web.txt"))), [], "on storage that both reach");
        assert_eq!(check(serial("unix", Some("/srv/web.sock"))), one("serial-path-unproven", Warning));
        let address = testing::host("kvm1").addresses[0].clone();
        let tcp = check(|domain| {
            domain.character_devices[0].kind = "tcp".into();
            domain.character_devices[0].address = Some(address);
        });
        assert_eq!(tcp, one("serial-address-of-source", Warning));
        let calls_out = check(|domain| {
            domain.character_devices[0].kind = "tcp".into();
            domain.character_devices[0].address = Some("198.51.100.7".into());
        });
        assert_eq!(calls_out, []);
        let logged = check(|domain| domain.character_devices[0].log = Some("/srv/logs/web.log".into()));
        assert_eq!(logged, one("serial-file-stays", Warning));
    }

    #[test]
    fn a_console_that_mirrors_the_serial_port_is_said_once() {
        let found = check(|domain| {
            domain.character_devices[0].kind = "file".into();
            domain.character_devices[0].path = Some("/srv/logs/web.txt".into());
            let console = CharacterDevice { device: "console".into(), ..domain.character_devices[0].clone() };
            domain.character_devices.push(console);
        });
        assert_eq!(found, one("serial-file-stays", Warning));
    }

    #[test]
    fn boot_files_must_be_there() {
        let boot = |directory: &'static str| {
            check(|domain| {
                domain.firmware.kernel = Some(format!("{directory}/vmlinuz"));
                domain.firmware.initrd = Some(format!("{directory}/initrd"));
            })
        };
        assert_eq!(boot("/srv/shared"), []);
        let warned = ("boot-file-unproven".to_owned(), Warning);
        assert_eq!(boot("/boot"), [warned.clone(), warned]);
    }
}
