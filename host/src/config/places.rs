//! Where files are looked for and kept when the configuration doesn't say.

use std::path::{Path, PathBuf};

/// The search order, for help and error messages. `--config` and `$WAYPOST_CONFIG` come before.
pub const SEARCHED: &str = "./waypost.toml, ~/.config/waypost/waypost.toml, /etc/waypost/waypost.toml";

/// The same as paths.
pub(super) fn candidates() -> Vec<PathBuf> {
    let mut found = vec![PathBuf::from("waypost.toml")];
    found.extend(home("XDG_CONFIG_HOME", ".config").map(|dir| dir.join("waypost/waypost.toml")));
    found.push(PathBuf::from("/etc/waypost/waypost.toml"));
    found
}

pub(super) fn state_dir() -> PathBuf {
    place("/var/lib/waypost", "XDG_STATE_HOME", ".local/state")
}

pub(super) fn cache_dir() -> PathBuf {
    place("/var/cache/waypost", "XDG_CACHE_HOME", ".cache")
}

/// The service's socket: for root in the system's folder for such things, else in the user's own.
pub(super) fn socket() -> PathBuf {
    if nix::unistd::geteuid().is_root() {
        return PathBuf::from("/run/waypost/waypost.sock");
    }
    let own = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
    own.map_or_else(|| state_dir().join("waypost.sock"), |dir| dir.join("waypost.sock"))
}

/// The shipped policies: beside an installed program (`bin/waypost` and `lib/waypost/plugins`), or, for one that was
/// built in the source tree, `target/plugins`. None where there is neither.
pub(super) fn shipped_plugins() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    let program = program.canonicalize().unwrap_or(program);
    let installed = program.parent()?.parent().map(|prefix| prefix.join("lib/waypost/plugins"));
    let built = program.ancestors().find(|dir| dir.join("CACHEDIR.TAG").exists()).map(|target| target.join("plugins"));
    [installed, built].into_iter().flatten().find(|folder| folder.is_dir())
}

/// Who runs this program, for records and for policies: from the user id, which can't be forged by a variable.
pub fn user_name() -> String {
    let id = nix::unistd::getuid();
    nix::unistd::User::from_uid(id).ok().flatten().map_or_else(|| format!("uid {id}"), |user| user.name)
}

/// What this controller is called on the domains that it moves: the machine, and the folder that tells its tasks from those
/// of another controller on it.
pub fn controller_name(state_dir: &Path) -> String {
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{}:{}", machine.trim(), state_dir.display())
}

fn place(system: &str, variable: &str, below_home: &str) -> PathBuf {
    if nix::unistd::geteuid().is_root() {
        return PathBuf::from(system);
    }
    home(variable, below_home).map_or_else(|| PathBuf::from(system), |dir| dir.join("waypost"))
}

fn home(variable: &str, below_home: &str) -> Option<PathBuf> {
    // The base directory specification: a relative path in the variable is to be ignored.
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| Path::is_absolute(path));
    absolute(variable).or_else(|| absolute("HOME").map(|home| home.join(below_home)))
}
