//! A real Linux guest for the demonstration: Debian's kernel for cloud machines and an initramfs with nothing but
//! busybox and a loop that counts. Made once (the kernel is downloaded), then kept in the cache and used offline.

use std::{
    fs::{self, File},
    io::Write,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Stdio,
};

use crate::{
    error::{Attempt, LabError, Result},
    layout::SHARED,
    process::run,
    requirements::{find, linux_guest_requirements, program},
};

/// Debian's package that depends on the current kernel of that flavour.
const META_PACKAGE: &str = "linux-image-cloud-amd64";

/// Prints the same lines as the tick guest: the boot line once, then the counter, every tenth of a second per ten ticks.
/// `every` comes from the kernel's command line, which hands what it does not know to its first process.
const INIT: &str = r#"#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
exec >/dev/ttyS0 2>&1 </dev/ttyS0
echo 'tick boot'
pause=$((every * 10000))
count=0
while :; do
    count=$((count + every))
    printf '%08X\n' $count
    /bin/busybox usleep $pause
done
"#;

/// The `<os>` elements that boot it.
pub(crate) fn boot_xml(every: u16) -> String {
    format!(
        "    <kernel>{SHARED}/boot/vmlinuz</kernel>\n    <initrd>{SHARED}/boot/initrd.gz</initrd>\n    \
         <cmdline>quiet console=tty0 every={every}</cmdline>\n"
    )
}

/// Puts kernel and initramfs where all hosts see them.
pub(crate) fn provide(cache: &Path, shared: &Path) -> Result<()> {
    let boot = shared.join("boot");
    if boot.join("vmlinuz").exists() && boot.join("initrd.gz").exists() {
        return Ok(());
    }
    let made = make(&cache.join("linux-guest"))?;
    fs::create_dir_all(&boot).attempt(|| format!("create {}", boot.display()))?;
    for file in ["vmlinuz", "initrd.gz"] {
        let (from, to) = (made.join(file), boot.join(file));
        fs::copy(&from, &to).attempt(|| format!("copy {} to {}", from.display(), to.display()))?;
    }
    Ok(())
}

/// Kernel and initramfs in the cache, made if need be.
fn make(folder: &Path) -> Result<PathBuf> {
    let (kernel, initrd, recipe) = (folder.join("vmlinuz"), folder.join("initrd.gz"), folder.join("init"));
    let current = fs::read_to_string(&recipe).is_ok_and(|text| text == INIT);
    if kernel.exists() && initrd.exists() && current {
        return Ok(folder.to_owned());
    }
    let missing = linux_guest_requirements();
    if !missing.is_empty() {
        return Err(LabError::Requirements(missing));
    }
    // Several labs may do this at once, in several processes and in several threads of one.
    let work = folder.join(format!("work.{}.{:?}", std::process::id(), std::thread::current().id()));
    fs::create_dir_all(&work).attempt(|| format!("create {}", work.display()))?;
    let made = (|| {
        if !kernel.exists() {
            rename(&download_kernel(&work)?, &kernel)?;
        }
        rename(&pack_initramfs(&work)?, &initrd)?;
        fs::write(&recipe, INIT).attempt(|| format!("write {}", recipe.display()))
    })();
    // Half-made files are of no use to anybody, and a leftover is no failure.
    let _ = fs::remove_dir_all(&work);
    made.map(|()| folder.to_owned())
}

fn download_kernel(work: &Path) -> Result<PathBuf> {
    let depends = run(program("apt-cache").args(["depends", META_PACKAGE]))?;
    let package = depends.lines().find_map(|line| line.trim().strip_prefix("Depends: "));
    let package = package.filter(|name| name.starts_with("linux-image-"));
    let package = package.ok_or_else(|| {
        LabError::Spec(format!("no package source of this machine has {META_PACKAGE}: run apt-get update first"))
    })?;
    run(program("apt-get").args(["-o", "APT::Sandbox::User=root", "download", package]).current_dir(work))?;
    let archive = entry(work, |name| name.ends_with(".deb"))?;
    let mut unpack = program("dpkg-deb").arg("--fsys-tarfile").arg(&archive).stdout(Stdio::piped()).spawn();
    let stream = unpack.as_mut().ok().and_then(|child| child.stdout.take());
    let mut unpack = unpack.attempt(|| format!("unpack {}", archive.display()))?;
    let mut tar = program("tar");
    tar.args(["--extract", "--wildcards", "./boot/vmlinuz-*"]).current_dir(work);
    let tar = tar.stdin(stream.map_or(Stdio::null(), Stdio::from)).status().attempt(|| "run tar".to_owned());
    unpack.wait().attempt(|| format!("unpack {}", archive.display()))?;
    let status = tar?;
    if !status.success() {
        let output = "no ./boot/vmlinuz in the package".to_owned();
        return Err(LabError::Command { command: format!("tar --extract < {}", archive.display()), status, output });
    }
    entry(&work.join("boot"), |name| name.starts_with("vmlinuz-"))
}

fn pack_initramfs(work: &Path) -> Result<PathBuf> {
    let root = work.join("initramfs");
    for folder in ["bin", "dev"] {
        let folder = root.join(folder);
        fs::create_dir_all(&folder).attempt(|| format!("create {}", folder.display()))?;
    }
    let busybox = find("busybox").unwrap_or_else(|| PathBuf::from("/bin/busybox"));
    fs::copy(&busybox, root.join("bin/busybox")).attempt(|| format!("copy {}", busybox.display()))?;
    symlink("busybox", root.join("bin/sh")).attempt(|| "create a link to busybox".to_owned())?;
    let init = root.join("init");
    fs::write(&init, INIT).attempt(|| format!("write {}", init.display()))?;
    fs::set_permissions(&init, fs::Permissions::from_mode(0o755)).attempt(|| format!("write {}", init.display()))?;
    let archive = work.join("initrd");
    let output = File::create(&archive).attempt(|| format!("create {}", archive.display()))?;
    let mut cpio = program("cpio");
    cpio.args(["--create", "--quiet", "--format=newc"]).current_dir(&root).stdin(Stdio::piped()).stdout(output);
    let mut cpio = cpio.spawn().attempt(|| "run cpio".to_owned())?;
    if let Some(mut names) = cpio.stdin.take() {
        names.write_all(b".\nbin\nbin/busybox\nbin/sh\ndev\ninit\n").attempt(|| "run cpio".to_owned())?;
    }
    let status = cpio.wait().attempt(|| "run cpio".to_owned())?;
    if !status.success() {
        return Err(LabError::Command { command: "cpio --create".to_owned(), status, output: String::new() });
    }
    run(program("gzip").arg("--fast").arg(&archive))?;
    Ok(work.join("initrd.gz"))
}

fn entry(folder: &Path, matches: impl Fn(&str) -> bool) -> Result<PathBuf> {
    let entries = fs::read_dir(folder).attempt(|| format!("read {}", folder.display()))?;
    let mut paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let found = paths.find(|path| path.file_name().is_some_and(|name| matches(&name.to_string_lossy())));
    found.ok_or_else(|| LabError::Spec(format!("{} lacks the file that was to be there", folder.display())))
}

fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).attempt(|| format!("write {}", to.display()))
}
