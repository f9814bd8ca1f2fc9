//! Both verdicts of every rule, over made-up hosts.

use waypost_plugin::DomainState;
use waypost_plugin::Severity::{self, Blocker, Warning};
use waypost_plugin::StorageProof;
use waypost_plugin::testing::{self, codes};

use super::*;

/// A scene: the clean one, in which tests change what they are about.
struct Scene {
    request: Request,
    domain: DomainFacts,
    source: HostFacts,
    destination: HostFacts,
}

impl Scene {
    /// One NFS export, mounted as pool `shared` on both hosts.
    fn named() -> Self {
        Self {
            request: testing::request(),
            domain: testing::domain(),
            source: testing::host("kvm1"),
            destination: testing::host("kvm2"),
        }
    }

    /// A directory pool over the same path on both hosts; what is there is the same file.
    fn directory() -> Self {
        let mut scene = Self::named();
        for host in [&mut scene.source, &mut scene.destination] {
            host.pools[0] = testing::dir_pool("shared", "/srv/shared");
        }
        scene
    }

    fn there(&mut self) -> &mut DiskView {
        self.destination.disk_views.get_mut("vda").expect("the made-up host sees vda")
    }

    fn changed_there(&mut self, time: &str) {
        self.there().volume.as_mut().expect("it is there").changed = Some(time.into());
    }

    fn disk(&mut self) -> &mut Disk {
        &mut self.domain.disks[0]
    }

    fn found(&self) -> Vec<(String, Severity)> {
        let found = testing::check_from::<Storage>(&self.request, &self.domain, &self.source, &self.destination);
        codes(&found).into_iter().map(|(code, weight)| (code.to_owned(), weight)).collect()
    }
}

fn one(code: &str, weight: Severity) -> Vec<(String, Severity)> {
    vec![(code.to_owned(), weight)]
}

#[test]
fn a_store_that_both_pools_name_is_the_same() {
    let mut scene = Scene::named();
    // A guest that writes: the times differ, and the name outweighs them.
    scene.changed_there("1759990000.1");
    assert_eq!(scene.found(), []);
}

#[test]
fn a_mount_one_directory_higher_is_the_same_store() {
    let mut scene = Scene::named();
    scene.destination.pools[0].source.dir = Some("/export".into());
    scene.destination.pools[0].target = Some("/srv".into());
    scene.domain.disks[0].source = Some("/srv/shared/web.qcow2".into());
    scene.changed_there("1759990000.1");
    assert_eq!(scene.found(), one("storage-differs", Blocker), "/export/vm/web.qcow2 is not /export/shared/web.qcow2");
    scene.source.pools[0].source.dir = Some("/export/shared".into());
    assert_eq!(scene.found(), []);
}

#[test]
fn one_path_on_two_servers_is_refused() {
    let mut scene = Scene::named();
    scene.destination.pools[0].source.hosts = vec!["nas2.example.org".into()];
    scene.changed_there("1750000000.1");
    assert_eq!(scene.found(), one("storage-differs", Blocker));
}

#[test]
fn servers_named_differently_may_still_show_one_file() {
    let mut scene = Scene::named();
    scene.destination.pools[0].source.hosts = vec!["192.0.2.250".into()];
    assert_eq!(scene.found(), []);
}

#[test]
fn a_server_called_localhost_names_nothing() {
    let mut scene = Scene::named();
    for host in [&mut scene.source, &mut scene.destination] {
        host.pools[0].source.hosts = vec!["localhost".into()];
    }
    scene.changed_there("1750000000.1");
    assert_eq!(scene.found(), one("storage-differs", Blocker));
}

#[test]
fn one_file_in_two_directories_of_one_path_is_observed() {
    assert_eq!(Scene::directory().found(), []);
}

#[test]
fn two_files_of_one_path_are_refused_even_with_unsafe() {
    let mut scene = Scene::directory();
    scene.changed_there("1750000000.1");
    assert_eq!(scene.found(), one("storage-differs", Blocker));
    scene.request.unsafe_storage = true;
    assert_eq!(scene.found(), one("storage-differs", Blocker));
}

#[test]
fn a_file_of_another_size_is_another_file() {
    let mut scene = Scene::directory();
    scene.there().volume.as_mut().expect("it is there").capacity_bytes += 1;
    assert_eq!(scene.found(), one("storage-differs", Blocker));
}

#[test]
fn a_file_that_is_being_written_is_seen_between_two_looks_of_the_source() {
    let mut scene = Scene::directory();
    let mut again = testing::view("/srv/shared/web.qcow2", "shared");
    again.volume.as_mut().expect("it is there").changed = Some("1760000004.5".into());
    scene.source.disk_views_again.insert("vda".into(), again);
    for between in ["1760000000.2", "1760000003.999999999", "1760000004.500000000"] {
        scene.changed_there(between);
        assert_eq!(scene.found(), one("storage-written-meanwhile", Warning), "{between}");
    }
    for outside in ["1760000000.123456788", "1760000004.500000001", "1759999999.9", "yesterday"] {
        scene.changed_there(outside);
        assert_eq!(scene.found(), one("storage-differs", Blocker), "{outside}");
    }
}

#[test]
fn two_copies_made_one_after_the_other_are_two_files() {
    let mut scene = Scene::directory();
    scene.changed_there("1760000000.123456790");
    assert_eq!(scene.found(), one("storage-differs", Blocker), "a nanosecond later");
}

#[test]
fn without_times_nothing_is_proven_and_a_person_may_vouch() {
    let mut scene = Scene::directory();
    scene.there().volume.as_mut().expect("it is there").changed = None;
    assert_eq!(scene.found(), one("storage-unproven", Blocker));
    scene.request.unsafe_storage = true;
    assert_eq!(scene.found(), one("storage-unproven", Warning));
}

#[test]
fn a_probe_outweighs_everything() {
    let mut scene = Scene::directory();
    let proof = |shared| vec![StorageProof { source_pool: "shared".into(), destination_pool: "shared".into(), shared }];
    scene.changed_there("1750000000.1");
    scene.destination.storage_proofs = proof(true);
    assert_eq!(scene.found(), []);
    let mut scene = Scene::named();
    scene.destination.storage_proofs = proof(false);
    assert_eq!(scene.found(), one("storage-differs", Blocker));
}

#[test]
fn what_is_missing_is_refused_with_its_reason() {
    let mut scene = Scene::named();
    scene.there().volume = None;
    assert_eq!(scene.found(), one("storage-not-found", Blocker));
    scene.destination.pools[0].active = false;
    assert_eq!(scene.found(), one("storage-pool-inactive", Blocker));
    scene.destination.pools.clear();
    scene.there().pool = None;
    assert_eq!(scene.found(), one("storage-unproven", Blocker));
}

#[test]
fn a_local_disk_is_refused() {
    let mut scene = Scene::named();
    let path = "/var/lib/libvirt/images/web.qcow2";
    scene.disk().source = Some(path.into());
    scene.disk().pool = Some("local".into());
    scene.source.disk_views.insert("vda".into(), testing::view(path, "local"));
    scene.destination.disk_views.insert("vda".into(), DiskView { volume: None, ..testing::view(path, "local") });
    assert_eq!(scene.found(), one("storage-not-found", Blocker));
}

#[test]
fn block_devices_are_told_by_their_key() {
    let mut scene = Scene::directory();
    let block = |key: &str| {
        let mut view = testing::view("/dev/vg/web", "shared");
        let volume = view.volume.as_mut().expect("it is there");
        volume.kind = "block".into();
        volume.key = key.into();
        view
    };
    scene.disk().kind = "block".into();
    scene.disk().source = Some("/dev/vg/web".into());
    for (here, there, expected) in [
        ("EG6Y0K-lvm", "EG6Y0K-lvm", vec![]),
        ("EG6Y0K-lvm", "Zz9x3P-lvm", one("storage-differs", Blocker)),
        ("/dev/vg/web", "/dev/vg/web", one("storage-unproven", Blocker)),
    ] {
        scene.source.disk_views.insert("vda".into(), block(here));
        scene.destination.disk_views.insert("vda".into(), block(there));
        assert_eq!(scene.found(), expected, "{here} {there}");
    }
}

#[test]
fn a_network_disk_names_its_own_store() {
    let mut scene = Scene::named();
    scene.disk().kind = "network".into();
    scene.disk().protocol = Some("rbd".into());
    scene.disk().source = Some("pool/web".into());
    scene.disk().servers = vec!["mon1.example.org:6789".into()];
    scene.disk().cache = Some("writeback".into());
    scene.destination.disk_views.clear();
    assert_eq!(scene.found(), []);
    for local in ["localhost:10809", "127.0.0.1", "/run/nbd.sock", "[::1]:10809"] {
        scene.disk().servers = vec![local.into()];
        assert_eq!(scene.found(), one("storage-server-local", Blocker), "{local}");
    }
}

#[test]
fn an_empty_drive_is_fine_and_a_medium_must_be_there() {
    let mut scene = Scene::named();
    assert_eq!(scene.found(), []);
    scene.domain.disks[1].source = Some("/srv/iso/debian.iso".into());
    assert_eq!(scene.found(), one("media-not-found", Blocker));
    for policy in ["optional", "requisite"] {
        scene.domain.disks[1].startup_policy = Some(policy.into());
        assert_eq!(scene.found(), one("media-ejected", Warning), "{policy}");
    }
    scene.domain.disks[1].startup_policy = None;
    scene.domain.state = DomainState::ShutOff;
    assert_eq!(scene.found(), one("media-not-found", Warning));
}

#[test]
fn a_medium_that_is_there_is_compared() {
    let mut scene = Scene::directory();
    let path = "/srv/shared/debian.iso";
    scene.domain.disks[1].source = Some(path.into());
    for host in [&mut scene.source, &mut scene.destination] {
        host.disk_views.insert("sda".into(), testing::view(path, "shared"));
    }
    assert_eq!(scene.found(), []);
    let there = scene.destination.disk_views.get_mut("sda").expect("just put there");
    there.volume.as_mut().expect("it is there").changed = Some("1.0".into());
    assert_eq!(scene.found(), one("media-differs", Warning));
}

#[test]
fn cache_modes_are_judged_as_libvirt_does() {
    let mut scene = Scene::named();
    scene.disk().cache = Some("writeback".into());
    assert_eq!(scene.found(), [], "the hypervisor drops its cache");
    for dropped in [Some(false), None] {
        scene.source.drops_cache = dropped;
        assert_eq!(scene.found(), one("storage-cache-unsafe", Blocker));
    }
    scene.request.unsafe_storage = true;
    assert_eq!(scene.found(), one("storage-cache-unsafe", Warning));
    scene.request.unsafe_storage = false;
    for safe in ["none", "directsync"] {
        scene.disk().cache = Some(safe.into());
        assert_eq!(scene.found(), [], "{safe}");
    }
    scene.disk().cache = None;
    assert_eq!(scene.found(), one("storage-cache-unsafe", Blocker));
    scene.disk().shareable = true;
    assert_eq!(scene.found(), []);
    scene.disk().shareable = false;
    scene.domain.state = DomainState::ShutOff;
    assert_eq!(scene.found(), []);
}

#[test]
fn host_devices_and_transient_disks_stay() {
    let mut scene = Scene::named();
    scene.disk().kind = "nvme".into();
    assert_eq!(scene.found(), one("storage-host-device", Blocker));
    let mut scene = Scene::named();
    scene.disk().transient = true;
    assert_eq!(scene.found(), one("storage-transient", Blocker));
    scene.domain.state = DomainState::ShutOff;
    assert_eq!(scene.found(), []);
}

#[test]
fn a_read_only_disk_in_doubt_is_a_warning() {
    let mut scene = Scene::directory();
    scene.disk().read_only = true;
    scene.there().volume.as_mut().expect("it is there").changed = None;
    assert_eq!(scene.found(), one("storage-unproven", Warning));
}

#[test]
fn images_behind_a_disk_must_be_shared_as_well() {
    let mut scene = Scene::directory();
    scene.disk().backing = vec![testing::backing("/srv/shared/base.qcow2")];
    assert_eq!(scene.found(), [], "beside the disk");
    scene.disk().backing = vec![testing::backing("/var/lib/libvirt/images/base.qcow2")];
    assert_eq!(scene.found(), one("backing-unproven", Blocker));
    scene.disk().backing = vec![testing::backing("/nowhere/base.qcow2")];
    assert_eq!(scene.found(), one("backing-unproven", Blocker));
    for host in [&mut scene.source, &mut scene.destination] {
        host.pools.push(testing::nfs_pool("templates", "/nowhere"));
    }
    assert_eq!(scene.found(), [], "a store that both name");
}

#[test]
fn another_hypervisor_is_not_compared() {
    let mut scene = Scene::named();
    scene.destination.hypervisor = "TEST".into();
    scene.destination.disk_views.clear();
    assert_eq!(scene.found(), []);
}

#[test]
fn a_disk_that_is_copied_needs_a_place_and_no_common_storage() {
    let mut scene = Scene::directory();
    scene.there().volume = None;
    assert_eq!(scene.found(), one("storage-not-found", Blocker));
    scene.destination.disk_copies.insert("vda".into(), Ok(()));
    assert_eq!(scene.found(), []);
    scene.destination.disk_copies.insert("vda".into(), Err("there is no pool".into()));
    assert_eq!(scene.found(), one("storage-not-copyable", Blocker));
    scene.destination.disk_copies.insert("vda".into(), Ok(()));
    scene.domain.state = DomainState::ShutOff;
    assert_eq!(scene.found(), one("storage-copy-offline", Blocker));
}
