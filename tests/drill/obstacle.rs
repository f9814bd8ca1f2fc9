//! What stands in the way of a migration before it starts. The shipped prechecks would refuse each of them; here they
//! may only advise, so that the plan's own last line, or libvirt in the middle of its handshake, has to notice.

use std::fs;

use crate::scene::Scene;

/// What is there, or is missing, on the destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// Nothing is at the disk's path.
    PathMissing,
    /// Another store's file is at the disk's path.
    OtherStore,
    /// Somebody's file is where the copy of the disk would be.
    CopyTargetTaken,
    /// The disk that is to be copied is one that both hosts share.
    CopyOfShared,
    /// Another domain of that name is defined.
    NameDefined,
    /// Another domain of that name runs.
    NameRunning,
    /// A domain with the UUID is defined under another name.
    UuidDefined,
    /// A domain with the UUID runs under another name.
    UuidRunning,
    /// The hypervisor of the destination lacks a CPU feature that the guest sees.
    CpuDiffers,
    /// The pool that would hold the copy of the disk is not active.
    PoolInactive,
    /// A network of the guest's is not active.
    NetworkInactive,
}

/// A domain that is in the way, on the destination.
const INTRUDER: &str = "intruder";

impl Obstacle {
    pub const ALL: [Self; 11] = [
        Self::PathMissing,
        Self::OtherStore,
        Self::CopyTargetTaken,
        Self::CopyOfShared,
        Self::NameDefined,
        Self::NameRunning,
        Self::UuidDefined,
        Self::UuidRunning,
        Self::CpuDiffers,
        Self::PoolInactive,
        Self::NetworkInactive,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::PathMissing => "disk path missing",
            Self::OtherStore => "same path on a different store",
            Self::CopyTargetTaken => "somebody's file where the copy would be",
            Self::CopyOfShared => "shared path taken for a copy target",
            Self::NameDefined => "same name defined there",
            Self::NameRunning => "same name running there",
            Self::UuidDefined => "same UUID defined there",
            Self::UuidRunning => "same UUID running there",
            Self::CpuDiffers => "CPU that does not match",
            Self::PoolInactive => "pool of the copy inactive",
            Self::NetworkInactive => "network inactive",
        }
    }

    /// Whether the disk is the source's own.
    pub fn disk_is_local(self) -> bool {
        matches!(self, Self::PathMissing | Self::OtherStore | Self::CopyTargetTaken | Self::PoolInactive)
    }

    /// Whether the domain is to take its disk along.
    pub fn copies(self) -> bool {
        matches!(self, Self::CopyTargetTaken | Self::CopyOfShared | Self::PoolInactive)
    }

    /// Whether it is libvirt that has to notice: the plan refuses the others, whatever the prechecks say.
    pub fn reaches_libvirt(self) -> bool {
        !matches!(self, Self::CopyTargetTaken | Self::CopyOfShared | Self::PoolInactive | Self::UuidRunning)
    }

    /// What the guest needs so that it can be in its way.
    pub fn shape(self, spec: &mut waypost_lab::GuestSpec) {
        match self {
            Self::CpuDiffers => {
                spec.cpu_xml =
                    "<cpu mode='custom' match='exact' check='partial'><model fallback='forbid'>qemu64</model></cpu>"
                        .into();
            }
            Self::NetworkInactive => {
                spec.devices_xml =
                    "<interface type='network'><source network='vlan7'/><model type='virtio'/></interface>".into();
            }
            _ => {}
        }
    }

    /// What must be there before the guest starts.
    pub fn precede(self, scene: &Scene) {
        if self == Self::NetworkInactive {
            let xml = "<network><name>vlan7</name><forward mode='bridge'/><bridge name='br0'/></network>";
            for host in ["kvm1", "kvm2"] {
                scene.virsh_with_file(host, "net-define", xml);
            }
            scene.site.virsh("kvm1", &["net-start", "vlan7"]);
        }
    }

    /// Puts it in the way of a guest that runs.
    pub fn put(self, scene: &Scene) {
        let site = &scene.site;
        let kvm2 = site.lab.host("kvm2").expect("kvm2");
        let image = kvm2.images().join("g1.img");
        match self {
            Self::PathMissing | Self::CopyOfShared | Self::NetworkInactive => {}
            Self::OtherStore => {
                let own = site.lab.host("kvm1").expect("kvm1").images().join("g1.img");
                fs::copy(own, image).expect("a copy on the other store");
            }
            Self::CopyTargetTaken => fs::write(image, "somebody's").expect("somebody's file"),
            Self::NameDefined => define(scene, "g1", None),
            Self::NameRunning => {
                define(scene, "g1", None);
                site.virsh("kvm2", &["start", "g1"]);
            }
            Self::UuidDefined => define(scene, INTRUDER, Some(&scene.uuid)),
            Self::UuidRunning => {
                define(scene, INTRUDER, Some(&scene.uuid));
                site.virsh("kvm2", &["start", INTRUDER]);
            }
            Self::CpuDiffers => kvm2.mask_cpu_feature("cx16").expect("its hypervisor lacks a feature from now on"),
            Self::PoolInactive => drop(site.virsh("kvm2", &["pool-destroy", "default"])),
        }
    }

    /// Takes it out of the way, after seeing that it is as it was.
    pub fn remove(self, scene: &Scene) -> Result<(), String> {
        let site = &scene.site;
        let kvm2 = site.lab.host("kvm2").map_err(|e| e.to_string())?;
        let image = kvm2.images().join("g1.img");
        match self {
            Self::PathMissing | Self::CopyOfShared => {}
            Self::OtherStore => {
                scene.same_content("kvm2")?;
                fs::remove_file(image).map_err(|e| e.to_string())?;
            }
            Self::CopyTargetTaken => {
                let there = fs::read_to_string(&image).map_err(|e| e.to_string())?;
                if there != "somebody's" {
                    return Err("somebody's file was written over".to_owned());
                }
                fs::remove_file(image).map_err(|e| e.to_string())?;
            }
            Self::NameDefined => gone(scene, "g1", "shut off")?,
            Self::NameRunning => gone(scene, "g1", "running")?,
            Self::UuidDefined => gone(scene, INTRUDER, "shut off")?,
            Self::UuidRunning => gone(scene, INTRUDER, "running")?,
            Self::CpuDiffers => kvm2.unmask_cpu().map_err(|e| e.to_string())?,
            Self::PoolInactive => drop(site.virsh("kvm2", &["pool-start", "default"])),
            Self::NetworkInactive => drop(site.virsh("kvm2", &["net-start", "vlan7"])),
        }
        Ok(())
    }
}

/// A domain without a disk: it waits for one to boot from, and runs.
fn define(scene: &Scene, name: &str, uuid: Option<&str>) {
    let uuid = uuid.map(|uuid| format!("<uuid>{uuid}</uuid>")).unwrap_or_default();
    let xml = format!(
        "<domain type='qemu'><name>{name}</name>{uuid}<memory unit='MiB'>16</memory>\
         <os><type arch='x86_64' machine='pc'>hvm</type></os>\
         <devices><video><model type='none'/></video><memballoon model='none'/></devices></domain>"
    );
    scene.virsh_with_file("kvm2", "define", &xml);
}

/// The other domain was left alone; now it goes.
fn gone(scene: &Scene, name: &str, state: &str) -> Result<(), String> {
    let seen = scene.site.state("kvm2", name);
    if seen.as_deref() != Some(state) {
        return Err(format!("{name} on kvm2 was {state}, and is {seen:?}"));
    }
    if state == "running" {
        scene.site.virsh("kvm2", &["destroy", name]);
    }
    scene.site.virsh("kvm2", &["undefine", name]);
    Ok(())
}
