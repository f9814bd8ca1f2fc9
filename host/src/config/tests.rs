//! What a person may write, and what is said when it is wrong.

use waypost_core::ids::PluginName;
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
        [[host]]
        name = "kvm2"
        uri = "qemu+tls://kvm2/system"
        migration_ports = [1, 2]
        [limits]
        open_s = 3
        [plugins]
        shipped = false
        folders = ["plugins", "/srv/plugins"]
        recovery = "recovery-mine"
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
    assert_eq!(two.migration_ports, Some((1, 2)));
    assert_eq!(config.policies.recovery, Some(PluginName::new("recovery-mine")));
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
