//! What a migration may leave behind on a host: processes, definitions, images and volumes, files and directories of a
//! running domain, listening ports, open images (a lock on an image lives as long as somebody has it open), block jobs.

use std::collections::BTreeSet;

use crate::site::Site;

const LOOK: &str = r#"
for process in $(pgrep qemu-system); do
    tr '\0' '\n' <"/proc/$process/cmdline" 2>/dev/null | sed -n 's/^guest=\([^,]*\).*/process of \1/p'
done
ls /etc/libvirt/qemu | sed -n 's/\.xml$//p' | sed 's/^/definition of /'
ls /var/lib/libvirt/images | sed 's/^/image /'
{ ls -d /run/libvirt/qemu/* /run/libvirt/qemu/*/* /var/lib/libvirt/qemu/* /var/lib/libvirt/qemu/*/* /var/lib/libvirt/qemu/*/*/*; } 2>/dev/null |
    grep -E '/(domain-[0-9]+-)?[a-z]+[0-9]?(_VARS)?(\.[a-z]+|-master-key.aes)?$' | grep -E 'g1|intruder|domain-' |
    grep -v '/var/lib/libvirt/qemu/domain-[0-9]*-[^/]*/' | sed -E 's/domain-[0-9]+-/domain-/; s/^/file /'
ss -Htln | sed -E 's/^[^ ]+ +[^ ]+ +[^ ]+ +([^ ]+).*/port \1/'
find /proc/[0-9]*/fd -lname '*g1.img' 2>/dev/null | cut -d/ -f3 | sort -u | while read -r process; do
    echo "g1.img open in $(cat "/proc/$process/comm")"
done
true
"#;

/// Everything of that kind that the host has now.
pub fn of(site: &Site, name: &str) -> Result<BTreeSet<String>, String> {
    let host = site.lab.host(name).map_err(|e| e.to_string())?;
    let looked = host.run(&["sh", "-c", LOOK]).map_err(|e| e.to_string())?;
    let mut found: BTreeSet<String> = String::from_utf8_lossy(&looked.stdout).lines().map(str::to_owned).collect();
    for pool in ["default", "shared"] {
        // A list is as old as its last refresh. A pool that is not active has no list.
        if host.virsh(&["pool-refresh", pool]).is_err() {
            continue;
        }
        let volumes = host.virsh(&["vol-list", pool]).map_err(|e| e.to_string())?;
        let names = volumes.lines().filter_map(|line| line.split_whitespace().next());
        found.extend(names.map(|volume| format!("volume {volume} in {pool}")));
    }
    let job = host.virsh(&["blockjob", "g1", "vda", "--info"]).unwrap_or_default();
    if !job.trim().is_empty() && !job.contains("No current block job") {
        found.insert(format!("block job of g1: {}", job.trim()));
    }
    Ok(found)
}

/// What is of the guest, among what its host has.
pub fn of_the_guest(host: &BTreeSet<String>) -> BTreeSet<String> {
    host.iter().filter(|trace| trace.contains("g1")).cloned().collect()
}

/// What stays of a guest that is there no more, but whose image is.
pub fn of_its_image(host: &BTreeSet<String>) -> BTreeSet<String> {
    let image = |trace: &&String| trace.starts_with("image ") || trace.starts_with("volume ");
    of_the_guest(host).iter().filter(image).cloned().collect()
}

/// The difference in words, or nothing.
pub fn difference(expected: &BTreeSet<String>, found: &BTreeSet<String>) -> String {
    let more = found.difference(expected).map(|trace| format!("+ {trace}"));
    let less = expected.difference(found).map(|trace| format!("- {trace}"));
    more.chain(less).collect::<Vec<_>>().join(", ")
}
