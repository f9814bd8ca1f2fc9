//! What a person may write, and what is said when it is wrong.

use waypost_core::ids::{HostName, PluginName};
use waypost_core::network::{Fallback, Role, Wanted};
use waypost_core::verdict::PolicyMode;
use waypost_policy::{Grant, Presence};

use super::*;

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new("/etc/waypost/waypost.toml"))
}

fn error(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

#[test]
fn an_empty_file_is_all_default() {
    let config = parse("").unwrap();
    assert_eq!(config.hosts, []);
    assert_eq!(config.policies, PolicyConfig::default());
    assert_eq!(config.engine.sample_every, Settings::default().sample_every);
}

#[test]
fn a_file_that_may_not_be_looked_for_is_not_none() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("waypost.toml");
    assert_eq!(first(vec![file.clone()]).unwrap(), None);
    std::fs::write(&file, "").unwrap();
    // Not even root may look into a folder that leads to itself.
    let circle = dir.path().join("circle");
    std::os::unix::fs::symlink(&circle, &circle).unwrap();
    let closed = circle.join("waypost.toml");
    assert_eq!(first(vec![file.join("waypost.toml"), file.clone()]).unwrap(), Some(file.clone()), "no folder at all");
    let why = first(vec![dir.path().join("none.toml"), closed.clone(), file.clone()]).unwrap_err();
    assert!(matches!(&why, ConfigError::Read { path, .. } if *path == closed), "{why}");
    assert_eq!(first(vec![file.clone(), closed]).unwrap(), Some(file));
}

#[test]
fn the_sample_says_the_defaults_and_is_valid_in_full() {
    let sample = include_str!("../../../waypost.toml.sample");
    let as_shipped = parse(sample).unwrap();
    assert_eq!(as_shipped.hosts, [], "the sample as shipped configures nothing");
    // A line that begins with `#` and no space is a setting that is commented out.
    let uncommented: String = sample
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(setting) if !setting.is_empty() && !setting.starts_with([' ', '#']) => setting,
            _ => line,
        })
        .flat_map(|line| [line, "\n"])
        .collect();
    let config = parse(&uncommented).unwrap_or_else(|error| panic!("{error}"));
    assert!(config.hosts.len() >= 2);
    assert_eq!(config.engine.patience, Settings::default().patience);
    assert_eq!(config.hosts[0].limits, waypost_libvirt::Limits::default());
    let plugin = config.policies.plugin(&PluginName::new("precheck-capacity"));
    assert_eq!(plugin.limits, waypost_policy::Limits::default());
}

#[test]
fn a_host_and_a_plugin_are_read_in_full() {
    let config = parse(
        r#"
        state_dir = "state"
        migration_ports = [50000, 50010]
        [[host]]
        name = "kvm1"
        uri = "qemu+tls://kvm1/system"
        peer_uri = "qemu+tls://10.0.0.1/system"
        addresses = ["10.0.0.1", "fe80::1", "kvm1.example"]
        auth_file = "auth/kvm1"
        accept_unverified = true
        migration_tls = true
        [[host]]
        name = "kvm2"
        uri = "qemu+tls://kvm2/system"
        migration_ports = [1, 2]
        way_probe = { ssh = "ssh://waypost@kvm2:2222", key_file = "probe.key", known_hosts = "/etc/ssh/known" }
        [transfers]
        encryption = "required"
        [engine]
        measure = "always"
        [limits]
        open_s = 3
        [plugins]
        shipped = false
        folders = ["plugins", "/srv/plugins"]
        recovery = "recovery-mine"
        convergence = "convergence-mine"
        [plugin.precheck-storage]
        mode = "advise"
        presence = "required"
        grants = ["storage-probe", "volumes"]
        limits = { fuel = 7, memory_mib = 2 }
        settings = { allow = ["a"], ratio = 1.5, deep = { x = true } }
        "#,
    )
    .unwrap();
    assert_eq!(config.state_dir, Path::new("/etc/waypost/state"));
    assert_eq!(config.plugin_folders, [Path::new("/etc/waypost/plugins"), Path::new("/srv/plugins")]);
    let [one, two] = &config.hosts[..] else { panic!("two hosts") };
    assert_eq!(one.auth_file.as_deref(), Some(Path::new("/etc/waypost/auth/kvm1")));
    assert_eq!(one.migration_ports, Some((50000, 50010)));
    assert_eq!(one.unverified, waypost_libvirt::Unverified::Accepted);
    assert_eq!(one.limits.open.as_secs(), 3);
    assert_eq!((one.migration_tls, two.migration_tls), (true, false));
    assert_eq!(config.engine.encryption, waypost_core::stream::Encryption::Required);
    assert_eq!(config.engine.measure, waypost_engine::Measuring::Always);
    assert_eq!(two.migration_ports, Some((1, 2)));
    let probe = waypost_libvirt::WayProbe::new("ssh://waypost@kvm2:2222").unwrap();
    let probe = probe.with_key(Some("/etc/waypost/probe.key".into())).knowing(Some("/etc/ssh/known".into()));
    assert_eq!((&one.way_probe, &two.way_probe), (&None, &Some(probe)));
    assert_eq!(config.policies.recovery, Some(PluginName::new("recovery-mine")));
    assert_eq!(config.policies.convergence, Some(PluginName::new("convergence-mine")));
    let plugin = config.policies.plugin(&PluginName::new("precheck-storage"));
    assert_eq!((plugin.mode, plugin.presence), (PolicyMode::Advise, Presence::Required));
    assert_eq!(plugin.grants, [Grant::StorageProbe, Grant::Volumes].into());
    assert_eq!((plugin.limits.fuel, plugin.limits.memory_bytes), (7, 2 << 20));
    assert_eq!(plugin.settings, r#"{"allow":["a"],"deep":{"x":true},"ratio":1.5}"#);
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_what_is_allowed() {
    let text = error("[[host]]\nname = \"a\"\nuri = \"test:///default\"\nper_uri = \"x\"\n");
    assert!(text.starts_with("/etc/waypost/waypost.toml:4:1: unknown field `per_uri`, expected one of "), "{text}");
    assert!(text.contains("`peer_uri`") && text.contains("\n    per_uri = \"x\""), "{text}");
    assert!(error("[enigne]\n").contains("unknown field `enigne`"));
    assert!(error("[plugin.x]\nmod = \"advise\"\n").contains(":2:1: unknown field `mod`"));
}

#[test]
fn an_unknown_word_lists_the_words_there_are() {
    let text = error("[plugin.x]\nmode = \"ignore\"\n");
    assert!(text.contains(":2:8: unknown word \"ignore\", allowed: enforce, advise, shadow"), "{text}");
    assert!(error("[transfers]\nencryption = \"maybe\"\n").contains("allowed: auto, required, off"));
    assert!(error("[engine]\nmeasure = \"sometimes\"\n").contains("allowed: worth-it, always, never"));
    assert!(
        error("[plugin.x]\ngrants = [\"all\"]\n").contains("allowed: volumes, documents, node-devices, storage-probe")
    );
}

#[test]
fn values_that_cant_be_are_refused_by_key() {
    let host = |line: &str| format!("[[host]]\nname = \"a\"\nuri = \"test:///default\"\n{line}\n");
    for (text, key) in [
        (host("migration_ports = [5, 4]"), "host.a.migration_ports: "),
        (host("addresses = [\"no address\"]"), "host.a.addresses: "),
        (host("way_probe = { ssh = \"root@a\" }"), "host.a.way_probe.ssh: \"root@a\": it does not begin with ssh://"),
        (host("[[host]]\nname = \"a\"\nuri = \"x\""), "host.a.name: "),
        ("[[host]]\nname = \"a b\"\nuri = \"x\"".to_owned(), "host.name: "),
        ("[limits]\nopen_s = 0".to_owned(), "limits.open_s: "),
        ("[engine]\nsample_every_ms = 1".to_owned(), "engine.sample_every_ms: "),
    ] {
        let message = error(&text);
        assert!(message.contains(key), "{message}");
    }
    let wrong_kind = error("[engine]\npatience_s = \"long\"\n");
    assert!(wrong_kind.contains(":2:14: invalid type") && wrong_kind.contains("patience_s = \"long\""), "{wrong_kind}");
}

#[test]
fn a_number_is_taken_as_it_is_or_refused_with_its_range() {
    for (table, setting, least, most) in [
        ("engine", "sample_every_ms", 10_u64, 3_600_000_u64),
        ("engine", "look_every_ms", 10, 3_600_000),
        ("engine", "cancel_poll_ms", 10, 3_600_000),
        ("engine", "steer_every_ms", 10, 3_600_000),
        ("engine", "patience_s", 1, 86_400),
        ("engine", "proof_holds_s", 1, 604_800),
        ("engine", "stall_s", 1, 3600),
        ("engine", "most_downtime_ms", 1, 2_000_000),
        ("plugin.x.limits", "fuel", 1, 1_000_000_000_000),
        ("plugin.x.limits", "deadline_ms", 10, 600_000),
        ("plugin.x.limits", "memory_mib", 1, 64),
        ("plugin.x.limits", "host_calls", 1, 1_000_000_000),
        ("plugin.x.limits", "lifted_kib", 1, 65_536),
    ] {
        let read = |value: u64| parse(&format!("[{table}]\n{setting} = {value}\n"));
        for value in [least, most] {
            let config = read(value).unwrap_or_else(|error| panic!("{error}"));
            let (engine, limits) = (config.engine, config.policies.plugin(&PluginName::new("x")).limits);
            let taken = match setting {
                "sample_every_ms" => engine.sample_every.as_millis(),
                "look_every_ms" => engine.look_every.as_millis(),
                "cancel_poll_ms" => engine.cancel_poll.as_millis(),
                "steer_every_ms" => engine.steer_every.as_millis(),
                "patience_s" => engine.patience.as_secs().into(),
                "proof_holds_s" => engine.proof_holds.as_secs().into(),
                "stall_s" => engine.stall_after.as_secs().into(),
                "most_downtime_ms" => engine.most_downtime_ms.into(),
                "fuel" => limits.fuel.into(),
                "deadline_ms" => limits.deadline_ms.into(),
                "memory_mib" => (limits.memory_bytes >> 20) as u128,
                "host_calls" => limits.host_calls.into(),
                "lifted_kib" => (limits.lifted_bytes >> 10) as u128,
                other => panic!("{other} is no setting of this test"),
            };
            assert_eq!(taken, u128::from(value), "{table}.{setting}");
        }
        for value in [least - 1, most + 1] {
            let message = read(value).unwrap_err().to_string();
            let said = format!("{table}.{setting}: {value} is outside {least} to {most}");
            assert!(message.contains(&said), "{said}\n{message}");
        }
    }
}

/// Two hosts on a network `mig`, and more lines.
fn with_networks(more: &str) -> String {
    format!(
        r#"
        [[network]]
        name = "mig"
        roles = ["migration", "disk-copy"]
        fallback = ["slow", "management"]
        bandwidth_mib_s = 1100
        max_migrations = 4
        [[network]]
        name = "slow"
        roles = ["migration"]
        [[host]]
        name = "a"
        uri = "test:///default"
        networks = {{ mig = {{ address = "10.88.0.1", interface = "eth1" }}, slow = "fd00::1", management = "10.77.0.1" }}
        [[host]]
        name = "b"
        uri = "test:///default"
        networks = {{ mig = "10.88.0.2" }}
        {more}
        "#
    )
}

#[test]
fn networks_are_read_in_full() {
    let config = parse(&with_networks(
        r#"
        [networks]
        default = "slow"
        disk_copy = "mig"
        [[cluster]]
        name = "west"
        hosts = ["a", "b"]
        network = "mig"
        [[network_rule]]
        domains = "db-*"
        network = "slow"
        [migrations]
        incoming_per_host = 3
        "#,
    ))
    .unwrap();
    let networks = &config.engine.networks;
    let mig = networks.get("mig").unwrap();
    assert_eq!(mig.roles, [Role::Migration, Role::DiskCopy]);
    assert_eq!(mig.fallback, [Fallback::Network("slow".into()), Fallback::Management]);
    assert_eq!((mig.bandwidth_mib_s, mig.max_migrations), (Some(1100), Some(4)));
    let (a, b) = (HostName::new("a"), HostName::new("b"));
    assert_eq!(mig.places[&a].interface.as_deref(), Some("eth1"));
    assert_eq!((mig.places[&b].address.to_string(), mig.places[&b].interface.clone()), ("10.88.0.2".into(), None));
    assert_eq!(networks.get("slow").unwrap().fallback, []);
    assert_eq!(networks.management[&a].address.to_string(), "10.77.0.1");
    let wanted = |domain| networks.wanted(None, None, domain, &a, &b).unwrap();
    assert_eq!(wanted("db-1"), ("slow".into(), Wanted::Rule("db-*".into())));
    assert_eq!(wanted("web"), ("mig".into(), Wanted::Cluster("west".into())));
    assert_eq!((networks.default.as_deref(), networks.disk_copy.as_deref()), (Some("slow"), Some("mig")));
    let slots = &config.engine.slots;
    assert_eq!((slots.outgoing_per_host, slots.incoming_per_host), (2, 3));
    assert_eq!(slots.networks, [("mig".to_owned(), 4)].into());
}

#[test]
fn what_is_wrong_with_a_network_is_said_by_its_key() {
    let network = |lines: &str| format!("[[network]]\nname = \"x\"\n{lines}\n");
    for (text, said) in [
        (network(""), "missing field `roles`"),
        (
            network("roles = []"),
            "network.x.roles: it may carry nothing: give it a role; there are: migration, disk-copy",
        ),
        (network("roles = [\"memory\"]"), "unknown word \"memory\", allowed: migration, disk-copy"),
        (
            network("roles = [\"migration\"]\nfallback = \"y\""),
            "network.x.fallback: there is no network \"y\"; there are: x",
        ),
        (network("roles = [\"migration\"]\nfallback = [\"refuse\", \"management\"]"), "\"refuse\" stands alone"),
        (network("roles = [\"migration\"]\nfallback = [\"x\"]"), "it can't stand in for itself"),
        (
            network("roles = [\"migration\"]\nbandwidth_mib_s = 0"),
            "network.x.bandwidth_mib_s: 0 is outside 1 to 4294967295",
        ),
        (
            network("roles = [\"migration\"]\nbandwidth_mib_s = 4294967296"),
            "network.x.bandwidth_mib_s: 4294967296 is outside 1 to 4294967295",
        ),
        (network("roles = [\"migration\"]\nmax_migrations = 0"), "network.x.max_migrations: 0 would let nothing"),
        (
            network("roles = [\"disk-copy\"]\nmax_migrations = 4"),
            "network.x.max_migrations: it holds for what carries the memory",
        ),
        (
            network("roles = [\"disk-copy\"]\nbandwidth_mib_s = 100"),
            "network.x.bandwidth_mib_s: it holds for what carries the memory",
        ),
        (
            network("roles = [\"disk-copy\"]\n[networks]\ndefault = \"x\""),
            "networks.default: network x has not the role migration",
        ),
        (
            network("roles = [\"migration\"]\n[networks]\ndisk_copy = \"x\""),
            "networks.disk_copy: network x has not the role disk-copy",
        ),
        ("[[network]]\nname = \"management\"\nroles = [\"migration\"]".into(), "is no name of a network"),
        ("[networks]\ndefault = \"mig\"".into(), "networks.default: there is no network \"mig\"; there are: none"),
        ("[migrations]\noutgoing_per_host = 0".into(), "migrations.outgoing_per_host: 0 would never"),
        (
            with_networks("[[network]]\nname = \"mig\"\nroles = [\"migration\"]"),
            "network.mig.name: this name is given to two",
        ),
        (with_networks("").replace("\"10.88.0.2\"", "\"kvm2\""), "host.b.networks.mig: \"kvm2\" is no IP address"),
        (with_networks("").replace("\"10.88.0.2\"", "\"127.0.0.1\""), "host.b.networks.mig: no other host reaches"),
        (
            with_networks("").replace("{ mig = \"10", "{ mog = \"10"),
            "host.b.networks.mog: there is no such network; there are: mig, slow",
        ),
        (with_networks("").replace("interface =", "card ="), "unknown field `card`"),
        (
            with_networks("[[cluster]]\nname = \"c\"\nhosts = [\"z\"]\nnetwork = \"mig\""),
            "cluster.c.hosts: there is no host z",
        ),
        (
            with_networks("[[network_rule]]\ndomains = \"*\"\nnetwork = \"none\""),
            "network_rule.*: there is no network \"none\"",
        ),
    ] {
        let message = error(&text);
        assert!(message.contains(said), "{said}\n{message}");
    }
    let apart = with_networks("").replace("roles = [\"migration\"]", "roles = [\"disk-copy\"]");
    let apart = apart.replace("roles = [\"migration\", \"disk-copy\"]", "roles = [\"migration\"]");
    assert!(error(&apart).contains("network.mig.fallback: slow has none of its roles"), "{}", error(&apart));
}

#[test]
fn kimchis_clients_are_served_where_that_is_said() {
    assert_eq!(parse("").unwrap().kimchi, None);
    let config = parse(
        r#"
        [[host]]
        name = "kvm2"
        uri = "qemu+ssh://root@kvm2.example/system"
        peer_uri = "qemu+tls://10.0.0.2/system"
        addresses = ["10.0.0.2", "fd00::2"]
        [service.kimchi]
        enabled = true
        migration_max_bandwidth = 0
        "#,
    )
    .unwrap();
    let kimchi = config.kimchi.unwrap();
    assert_eq!(known(&config.hosts[0]).addresses, ["10.0.0.2", "fd00::2", "kvm2.example"]);
    assert_eq!((kimchi.migration_destination_timeout, kimchi.migration_downtime), (21_600, 500));
    assert_eq!((kimchi.migration_max_bandwidth, kimchi.rdma), (0, false));
    for (line, key) in [
        ("migration_downtime = 0", "service.kimchi.migration_downtime"),
        ("migration_destination_timeout = 0", "service.kimchi.migration_destination_timeout"),
        ("migration_max_bandwidth = 4294967296", "service.kimchi.migration_max_bandwidth"),
        ("password = \"x\"", "unknown field `password`"),
    ] {
        let message = error(&format!("[service.kimchi]\n{line}"));
        assert!(message.contains(key), "{message}");
    }
}

#[test]
fn a_machine_that_only_asks_has_a_service_and_no_hosts() {
    assert_eq!(parse("").unwrap().client, None);
    let config =
        parse("[client]\nservice = 'https://waypost.example:8443'\ntoken_file = 'token'\nca_file = '/ca.pem'").unwrap();
    assert_eq!(config.hosts, []);
    let client = config.client.unwrap();
    assert_eq!(client.service.to_string(), "https://waypost.example:8443");
    let folder = config.file.as_deref().and_then(Path::parent).unwrap();
    assert_eq!((client.token_file, client.ca_file), (Some(folder.join("token")), Some("/ca.pem".into())));
    for (lines, said) in [
        ("service = 'http://waypost.example'", "client.service: "),
        ("token_file = 'token'", "client.token_file: name the service"),
        ("service = 'unix:/s'\nkey = 'k'", "client.key: it needs client.certificate"),
        ("service = 'unix:/s'\ntoken = 'wp_x'", "unknown field `token`"),
    ] {
        let message = error(&format!("[client]\n{lines}"));
        assert!(message.contains(said), "{said}\n{message}");
    }
}
