//! Disks that travel along: real images, with a mark on them that must arrive; and targets that must not stay where the
//! guest did not come.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::process::Child;
use std::time::{Duration, Instant};

use waypost_lab::{DiskPlace, GuestSpec, Link};

use crate::site::{Site, busy};

const MIB: u64 = 1 << 20;
/// Where the hosts keep their images, as they see it.
const IMAGES: &str = "/var/lib/libvirt/images";

fn image(site: &Site, host: &str, name: &str) -> PathBuf {
    site.lab.host(host).expect("a host").images().join(name)
}

/// The names of a host's images.
fn images(site: &Site, host: &str) -> Vec<String> {
    let folder = site.lab.host(host).expect("a host").images();
    let entries = fs::read_dir(folder).expect("the store").map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<_> = entries.map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Runs a tool for images inside a host.
fn tool(site: &Site, host: &str, words: &[&str]) {
    let output = site.lab.host(host).and_then(|host| host.run(words)).unwrap_or_else(|e| panic!("{words:?}: {e}"));
    let told = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !told.contains("Pattern verification failed"), "{words:?} on {host}: {told}");
}

/// A second disk on the host's own store.
fn second_disk(name: &str, format: &str) -> String {
    format!(
        "<disk type='file' device='disk'><driver name='qemu' type='{format}' cache='none'/>\
         <source file='{IMAGES}/{name}'/><target dev='vdb' bus='virtio'/></disk>"
    )
}

/// A guest on the source's own store, with room behind its program.
fn local(name: &str, disk_mib: u32) -> GuestSpec {
    GuestSpec { disk: DiskPlace::Local, disk_mib, ..GuestSpec::tick(name) }
}

#[test]
fn a_guest_moves_with_its_disks_and_what_is_on_them() {
    let site = Site::new(2);
    let qcow2 = format!("{IMAGES}/g1-data.qcow2");
    tool(&site, "kvm1", &["qemu-img", "create", "-f", "qcow2", &qcow2, "32M"]);
    tool(&site, "kvm1", &["qemu-io", "-f", "qcow2", "-c", "write -P 0xab 3M 64k", &qcow2]);
    let spec = GuestSpec { devices_xml: second_disk("g1-data.qcow2", "qcow2"), ..local("g1", 16) };
    site.lab.define_guest(&spec).expect("the guest is defined");
    let raw = fs::OpenOptions::new().write(true).open(image(&site, "kvm1", "g1.img")).expect("the guest's image");
    raw.write_all_at(b"a mark behind the program", 9 * MIB).expect("the mark is written");
    drop(raw);
    site.virsh("kvm1", &["start", "g1"]);

    // Without a word on it nothing is copied, and with a dry run nothing is made.
    site.waypost(&["migrate", "g1", "--to", "kvm2"]).expect_code(3);
    let dry = site.waypost(&["migrate", "g1", "--to", "kvm2", "--copy-storage", "full", "--dry-run", "--json"]);
    let dry = dry.expect_code(0).json();
    let copies = dry.pointer("/plan/copies").and_then(|copies| copies.as_array()).expect("the plan's copies").clone();
    let told: Vec<_> = copies.iter().map(|c| (c["target"].as_str(), c["capacity_bytes"].as_u64())).collect();
    assert_eq!(told, [(Some("vda"), Some(16 * MIB)), (Some("vdb"), Some(32 * MIB))], "{dry:#}");
    assert_eq!(images(&site, "kvm2"), Vec::<String>::new());

    let task = site.waypost(&["migrate", "g1", "--to", "kvm2", "--copy-storage", "full", "--json"]);
    let task = task.expect_code(0).json();
    let summary = task["outcome"]["summary"].as_str().expect("a summary");
    assert!(summary.contains("its images stay on kvm1"), "{summary}");
    assert_eq!((site.state("kvm1", "g1"), site.state("kvm2", "g1").as_deref()), (None, Some("running")));
    site.assert_one_counting_guest("g1");
    site.virsh("kvm2", &["destroy", "g1"]);
    for host in ["kvm1", "kvm2"] {
        assert_eq!(images(&site, host), ["g1-data.qcow2", "g1.img"], "on {host}");
    }
    let mut mark = [0; 25];
    let there = fs::File::open(image(&site, "kvm2", "g1.img")).expect("the copy");
    there.read_exact_at(&mut mark, 9 * MIB).expect("the mark is read");
    assert_eq!(&mark, b"a mark behind the program");
    tool(&site, "kvm2", &["qemu-io", "-r", "-f", "qcow2", "-c", "read -P 0xab 3M 64k", &qcow2]);
    tool(&site, "kvm2", &["qemu-io", "-r", "-f", "qcow2", "-c", "read -P 0 8M 64k", &qcow2]);
}

#[test]
fn something_that_is_there_already_is_never_written_over() {
    let site = Site::new(2);
    site.start_guest(&local("g1", 16));
    let theirs = image(&site, "kvm2", "g1.img");
    fs::write(&theirs, "somebody's").expect("a file at the same path");
    let ran = site.waypost(&["migrate", "g1", "--to", "kvm2", "--copy-storage", "full"]).expect_code(3);
    let told = ran.out + &ran.err;
    assert!(told.contains("storage-not-copyable") && told.contains("nothing is ever written over"), "{told}");
    assert_eq!(fs::read_to_string(&theirs).expect("the file"), "somebody's");
    // A disk that both hosts share must not be copied onto itself, whoever asks for it.
    site.guest("g2");
    let ran = site.waypost(&["migrate", "g2", "--to", "kvm2", "--copy-storage", "full", "--migrate-disks", "vda"]);
    let ran = ran.expect_code(3);
    assert!((ran.out + &ran.err).contains("the copy would be the disk itself"));
    site.waypost(&["migrate", "g2", "--to", "kvm2", "--copy-storage", "full"]).expect_code(0);
    for guest in ["g1", "g2"] {
        site.assert_one_counting_guest(guest);
    }
}

/// Starts a guest whose disk is full, and its way to kvm2 with it, at 2 MiB/s; returns in the midst of the copying.
fn half_copied(site: &Site, more: &[&str]) -> Child {
    half_copied_of(site, &local("g1", 64), more)
}

/// The same of a guest of one's own, whose disk has 64 MiB.
fn half_copied_of(site: &Site, spec: &GuestSpec, more: &[&str]) -> Child {
    site.lab.define_guest(spec).expect("the guest is defined");
    let disk = fs::OpenOptions::new().write(true).open(image(site, "kvm1", "g1.img")).expect("the guest's image");
    for mib in 1..64 {
        disk.write_all_at(&[0x5a; MIB as usize], mib * MIB).expect("the disk is filled");
    }
    drop(disk);
    site.virsh("kvm1", &["start", "g1"]);
    let migrate = ["migrate", "g1", "--to", "kvm2", "--copy-storage", "full", "--bandwidth", "2", "--json"];
    let child = site.start(&[&migrate[..], more].concat());
    site.until("a part of the disk is copied", |site| {
        let info = site.lab.host("kvm1").and_then(|host| host.virsh(&["domjobinfo", "g1"])).unwrap_or_default();
        let amount = info.lines().find_map(|line| line.strip_prefix("File processed:")).unwrap_or_default().to_owned();
        let number = amount.split_whitespace().next().and_then(|n| n.parse::<f64>().ok()).unwrap_or(0.0);
        number > 1.0 && amount.contains("MiB")
    });
    assert_eq!(images(site, "kvm2"), ["g1.img"], "the copy is under way");
    child
}

/// QEMU refuses the switch until its own migration has begun, which carries the memory; nothing of that is for the person who orders it.
#[test]
fn a_switch_to_post_copy_that_is_ordered_while_a_disk_is_copied_is_kept_until_memory_travels() {
    let site = Site::new(2);
    let spec = GuestSpec { disk: DiskPlace::Local, disk_mib: 64, ..busy("g1") };
    let child = half_copied_of(&site, &spec, &["--postcopy", "--postcopy-bandwidth", "40"]);
    let refused = site.lab.host("kvm1").expect("kvm1").virsh(&["migrate-postcopy", "g1"]);
    assert!(refused.is_err(), "{refused:?}");
    let task = site.only_task();
    site.waypost(&["steer", &task, "--postcopy"]).expect_code(0);
    let output = child.wait_with_output().expect("the command ends");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!((site.state("kvm1", "g1"), site.state("kvm2", "g1").as_deref()), (None, Some("running")));
    let record = site.waypost(&["task", &task, "--json"]).expect_code(0).json();
    let journal = record["journal"].as_array().expect("a journal").iter();
    let switch: Vec<_> = journal.filter(|entry| entry["details"]["action"] == "post-copy").collect();
    let told: Vec<_> = switch.iter().map(|entry| entry["record"].as_str().unwrap_or_default()).collect();
    assert_eq!(told, ["steer-kept", "steer-intended", "steer-settled"], "{record:#}");
    assert_eq!(switch[2]["details"]["result"], "done", "{record:#}");
    site.assert_one_counting_guest("g1");
}

/// The hypervisor waits for the answers to what it sent, libvirt for the hypervisor, and no answer comes.
#[test]
fn a_copy_over_a_network_that_stays_cut_is_ended_by_closing_its_connections() {
    let site = Site::with(2, "\n[engine]\nstall_s = 3\n");
    let kvm2 = site.lab.host("kvm2").expect("kvm2");
    let (uri, listen) = (format!("tcp://{}", kvm2.migration_ip()), kvm2.migration_ip());
    let child = half_copied(&site, &["--migrate-uri", &uri, "--listen-address", &listen]);
    kvm2.cut(Link::Migration).expect("the link is cut");
    let output = child.wait_with_output().expect("the command ends");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("no byte moved for 3 s"), "{said}");
    let record = site.waypost(&["task", &site.only_task()]).expect_code(0).out;
    assert!(record.contains("waypost: sever: nothing of what is copied to kvm2 comes through"), "{record}");
    assert!(record.contains("done: sever"), "{record}");
    assert_eq!((site.state("kvm1", "g1").as_deref(), site.state("kvm2", "g1")), (Some("running"), None));
    assert_eq!(images(&site, "kvm2"), Vec::<String>::new());
    // What it costs, and no more.
    let messages = site.virsh("kvm1", &["dominfo", "g1"]);
    assert!(messages.contains("tainted: custom monitor control commands issued"), "{messages}");
    kvm2.restore(Link::Migration).expect("the link is back");
    site.assert_one_counting_guest("g1");
    site.waypost(&["migrate", "g1", "--to", "kvm2", "--copy-storage", "full"]).expect_code(0);
    site.assert_one_counting_guest("g1");
}

/// A second after the cut nobody can know of it. An abort that is given now was seen to have the hypervisor wait for the network.
#[test]
fn a_copy_that_is_cancelled_right_after_its_network_was_cut_ends_with_a_guest_that_answers() {
    let site = Site::new(2);
    let kvm2 = site.lab.host("kvm2").expect("kvm2");
    let (uri, listen) = (format!("tcp://{}", kvm2.migration_ip()), kvm2.migration_ip());
    let child = half_copied(&site, &["--migrate-uri", &uri, "--listen-address", &listen]);
    kvm2.cut(Link::Migration).expect("the link is cut");
    // Long enough for its readings to be all the same, and too short to call it a standstill.
    let (mut last, mut since) = (String::new(), Instant::now());
    site.until("nothing was copied for a second", |site| {
        let now = site.virsh("kvm1", &["domjobinfo", "g1"]);
        let now = now.lines().find(|line| line.starts_with("File processed:")).unwrap_or_default().to_owned();
        if now != last {
            (last, since) = (now, Instant::now());
        }
        since.elapsed() >= Duration::from_secs(1)
    });
    let task = site.only_task();
    site.waypost(&["cancel", &task]).expect_code(0);
    let output = child.wait_with_output().expect("the command ends");
    assert_eq!(output.status.code(), Some(6), "{}", String::from_utf8_lossy(&output.stdout));
    let record = site.waypost(&["task", &task]).expect_code(0).out;
    assert!(record.contains("done: sever") && !record.contains("the abort is not confirmed"), "{record}");
    assert_eq!((site.state("kvm1", "g1").as_deref(), site.state("kvm2", "g1")), (Some("running"), None));
    assert_eq!(images(&site, "kvm2"), Vec::<String>::new());
    kvm2.restore(Link::Migration).expect("the link is back");
    site.assert_one_counting_guest("g1");
}

#[test]
fn a_copy_that_is_cancelled_half_way_leaves_nothing_behind() {
    let site = Site::new(2);
    let child = half_copied(&site, &[]);
    let task = site.only_task();
    site.waypost(&["cancel", &task]).expect_code(0);
    let output = child.wait_with_output().expect("the command ends");
    assert_eq!(output.status.code(), Some(6), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!((site.state("kvm1", "g1").as_deref(), site.state("kvm2", "g1")), (Some("running"), None));
    assert!(!site.virsh("kvm1", &["dominfo", "g1"]).contains("custom monitor"), "an abort that works needs no more");
    assert_eq!(images(&site, "kvm2"), Vec::<String>::new());
    assert!(!site.virsh("kvm2", &["vol-list", "default"]).contains("g1.img"));
    site.assert_one_counting_guest("g1");
    // Nothing stands in the way of the next one.
    site.waypost(&["migrate", "g1", "--to", "kvm2", "--copy-storage", "full"]).expect_code(0);
    site.assert_one_counting_guest("g1");
}

/// Moves g1 with its disk from one host to the other, and makes room for the way back: a person takes away what stays.
fn carry(site: &Site, [from, to]: [&str; 2], more: &[&str]) {
    let task = site.waypost(&[&["migrate", "g1", "--to", to, "--copy-storage", "full", "--json"], more].concat());
    let task = task.expect_code(0).json();
    assert_eq!(task["outcome"]["kind"], "completed", "{more:?}: {task:#}");
    assert_eq!(site.state(from, "g1"), None, "{more:?}");
    assert_eq!(images(site, to), ["g1.img"], "{more:?}");
    fs::remove_file(image(site, from, "g1.img")).expect("the source's old image goes");
}

/// The choices of a copy, several at once, one leg after the other with one guest and one mark.
#[test]
fn a_disk_travels_in_every_way_that_can_be_chosen() {
    let site = Site::new(2);
    let text = fs::read_to_string(site.config()).expect("the configuration");
    fs::write(site.config(), text.replace("\npeer_uri", "\nmigration_tls = true\npeer_uri")).expect("it is written");
    site.lab.define_guest(&local("g1", 16)).expect("the guest is defined");
    let raw = fs::OpenOptions::new().write(true).open(image(&site, "kvm1", "g1.img")).expect("the guest's image");
    for mib in 1..9 {
        raw.write_all_at(&[0x5a; MIB as usize], mib * MIB).expect("the disk is filled");
    }
    raw.write_all_at(b"a mark behind the program", 9 * MIB).expect("the mark is written");
    drop(raw);
    site.virsh("kvm1", &["start", "g1"]);
    let (there, back) = (["kvm1", "kvm2"], ["kvm2", "kvm1"]);

    // Encrypted, each write waiting for the copy, the disk over the other cable, and clients of a console sent on.
    let sent = |host: &str, link| site.lab.host(host).and_then(|host| host.interface_bytes(link)).expect("bytes").sent;
    let before = sent("kvm1", Link::Migration);
    let disks = format!("tcp://{}", site.lab.host("kvm2").expect("kvm2").migration_ip());
    let more =
        ["--tls", "--copy-storage-synchronous-writes", "--disks-uri", &disks, "--graphics-uri", "vnc://10.77.0.2:5901"];
    // Its certificate names the host.
    carry(&site, there, &[&more[..], &["--tls-destination", "kvm2"]].concat());
    let took = sent("kvm1", Link::Migration) - before;
    assert!(took > 8 * MIB, "the disk took another way: {took} bytes");

    // By sockets that both hosts see.
    let socket = |name: &str| format!("unix://{}", site.config().with_file_name(name).display());
    carry(&site, back, &["--no-tls", "--migrate-uri", &socket("m"), "--disks-uri", &socket("d")]);

    // With the switch to post-copy allowed, and driven from here.
    carry(&site, there, &["--no-tls", "--postcopy", "--direct"]);

    // Of a guest that stands still, and goes on standing still.
    site.virsh("kvm2", &["suspend", "g1"]);
    carry(&site, back, &["--no-tls"]);
    assert_eq!(site.state("kvm1", "g1").as_deref(), Some("paused"));
    site.virsh("kvm1", &["resume", "g1"]);
    site.assert_one_counting_guest("g1");
    site.virsh("kvm1", &["destroy", "g1"]);
    let mut mark = [0; 25];
    let copy = fs::File::open(image(&site, "kvm1", "g1.img")).expect("the copy");
    copy.read_exact_at(&mut mark, 9 * MIB).expect("the mark is read");
    assert_eq!(&mark, b"a mark behind the program");
}

/// Who names the disks that are to be copied answers for the others.
#[test]
fn a_disk_that_is_not_named_stays_where_it_is() {
    let site = Site::new(2);
    // One that both hosts see, and no pool holds: a person may vouch for it.
    let plain = site.config().with_file_name("plain.img");
    fs::write(&plain, vec![0; MIB as usize]).expect("an image");
    let data = format!("{IMAGES}/data.qcow2");
    tool(&site, "kvm1", &["qemu-img", "create", "-f", "qcow2", &data, "4M"]);
    let seen_by_both = format!(
        "<disk type='file' device='disk'><driver name='qemu' type='raw' cache='writeback'/><source file='{}'/>\
         <target dev='vdb' bus='virtio'/></disk>",
        plain.display()
    );
    let own = second_disk("data.qcow2", "qcow2");
    site.start_guest(&GuestSpec { devices_xml: own, ..local("g1", 4) });
    site.start_guest(&GuestSpec { devices_xml: seen_by_both, ..local("g2", 4) });

    // The other one could be copied, and is not: there it would be missing.
    let named = ["--copy-storage", "full", "--migrate-disks", "vda"];
    let refused =
        site.waypost(&[&["migrate", "g1", "--to", "kvm2", "--json"], &named[..]].concat()).expect_code(3).json();
    let verdict = refused["verdict"].to_string();
    assert!(verdict.contains("storage-") && verdict.contains("vdb"), "{refused:#}");
    assert_eq!(images(&site, "kvm2"), Vec::<String>::new(), "nothing was made ready");
    site.waypost(&["migrate", "g1", "--to", "kvm2", "--copy-storage", "full", "--migrate-disks", "vda,vdb"])
        .expect_code(0);
    assert_eq!(images(&site, "kvm2"), ["data.qcow2", "g1.img"]);

    site.waypost(&[&["migrate", "g2", "--to", "kvm2", "--unsafe"], &named[..]].concat()).expect_code(0);
    assert_eq!(images(&site, "kvm2"), ["data.qcow2", "g1.img", "g2.img"], "vdb was copied by nobody");
    for guest in ["g1", "g2"] {
        site.assert_one_counting_guest(guest);
    }
}

#[test]
fn an_incremental_copy_goes_over_a_target_that_a_person_prepared() {
    let site = Site::new(2);
    let (base, overlay) = (format!("{IMAGES}/base.qcow2"), format!("{IMAGES}/data.qcow2"));
    for host in ["kvm1", "kvm2"] {
        tool(&site, host, &["qemu-img", "create", "-f", "qcow2", &base, "32M"]);
        tool(&site, host, &["qemu-io", "-f", "qcow2", "-c", "write -P 0xcd 0 64k", &base]);
    }
    let layered = ["qemu-img", "create", "-f", "qcow2", "-b", &base, "-F", "qcow2", &overlay];
    tool(&site, "kvm1", &layered);
    tool(&site, "kvm1", &["qemu-io", "-f", "qcow2", "-c", "write -P 0xab 3M 64k", &overlay]);
    let spec = GuestSpec { devices_xml: second_disk("data.qcow2", "qcow2"), ..GuestSpec::tick("g1") };
    site.start_guest(&spec);

    let incremental = ["migrate", "g1", "--to", "kvm2", "--copy-storage", "incremental"];
    let ran = site.waypost(&incremental).expect_code(3);
    assert!((ran.out + &ran.err).contains("make the target there first"));
    tool(&site, "kvm2", &layered);
    site.waypost(&incremental).expect_code(0);
    site.assert_one_counting_guest("g1");
    site.virsh("kvm2", &["destroy", "g1"]);
    tool(&site, "kvm2", &["qemu-io", "-r", "-f", "qcow2", "-c", "read -P 0xab 3M 64k", &overlay]);
    tool(&site, "kvm2", &["qemu-io", "-r", "-f", "qcow2", "-c", "read -P 0xcd 0 64k", &overlay]);
}
