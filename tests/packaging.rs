//! What a package is made of: units that start what there is and say where it really is, a configuration that can be read, and
//! files that exist.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use waypost::Config;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn packaging(name: &str) -> PathBuf {
    root().join("host/packaging").join(name)
}

/// The directives of a unit, each with its values in their order.
fn unit(name: &str) -> BTreeMap<String, Vec<String>> {
    let mut directives: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in fs::read_to_string(packaging(name)).unwrap().lines() {
        if let Some((key, value)) = line.split_once('=').filter(|_| !line.starts_with(['#', '['])) {
            directives.entry(key.to_owned()).or_default().push(value.to_owned());
        }
    }
    directives
}

fn one<'u>(unit: &'u BTreeMap<String, Vec<String>>, key: &str) -> &'u str {
    match unit.get(key).map(Vec::as_slice) {
        Some([value]) => value,
        other => panic!("{key}: {other:?}"),
    }
}

fn configuration() -> Config {
    Config::read(&packaging("waypost.toml")).unwrap()
}

#[test]
fn the_unit_starts_what_there_is_where_the_configuration_says() {
    let (service, socket, config) = (unit("waypost.service"), unit("waypost.socket"), configuration());
    let words: Vec<&str> = one(&service, "ExecStart").split(' ').collect();
    assert_eq!(words[0], "/usr/bin/waypost");
    let help = Command::new(env!("CARGO_BIN_EXE_waypost")).args(&words[1..]).arg("--help").output().unwrap();
    assert!(help.status.success(), "{words:?}: {}", String::from_utf8_lossy(&help.stderr));
    // The program talks to the manager, and reads its configuration again, in the way that the unit counts on.
    assert_eq!((one(&service, "Type"), one(&service, "NotifyAccess")), ("notify", "main"));
    assert!(one(&service, "ExecReload").contains("-HUP $MAINPID"));
    let under = |folder: &str, key: &str| PathBuf::from(folder).join(one(&service, key));
    assert_eq!(under("/var/lib", "StateDirectory"), config.state_dir);
    assert_eq!(under("/var/cache", "CacheDirectory"), config.cache_dir);
    assert_eq!(Path::new(one(&socket, "ListenStream")), config.socket);
    // What the program insists on: a state that is its own.
    assert_eq!((one(&service, "StateDirectoryMode"), one(&socket, "SocketMode")), ("0700", "0660"));
    // The folder of the socket is the socket's: a runtime directory would be given to the service, and the socket in it with it.
    assert_eq!((service.get("RuntimeDirectory"), one(&socket, "DirectoryMode")), (None, "0755"));
    assert_eq!(one(&socket, "SocketUser"), one(&service, "User"));
    let users = fs::read_to_string(packaging("waypost.sysusers")).unwrap();
    assert!(users.contains(&format!("\nu {} ", one(&service, "User"))), "{users}");
    assert!(
        users.contains(&format!("\nm {} {}", one(&service, "User"), one(&service, "SupplementaryGroups"))),
        "{users}"
    );
    // Compiled policies are code that was made at run time.
    assert!(!service.contains_key("MemoryDenyWriteExecute"));
    // A service that is left alone for so long has come through with its tasks.
    assert!(one(&service, "TimeoutStopSec").parse::<u32>().unwrap() > 30 + 5);
}

/// A secret of mode 0640 is read by the service's group: whoever may ask the service must not be in it for that.
#[test]
fn who_may_use_the_socket_is_in_no_group_that_the_service_is_in() {
    let (service, socket) = (unit("waypost.service"), unit("waypost.socket"));
    let clients = one(&socket, "SocketGroup");
    let others = service.get("SupplementaryGroups").into_iter().flatten().flat_map(|value| value.split(' '));
    let own: Vec<&str> = [one(&service, "Group"), one(&service, "User")].into_iter().chain(others).collect();
    assert!(!own.contains(&clients), "{clients} is one of {own:?}");
    let read = |name: &str| fs::read_to_string(packaging(name)).unwrap();
    // It is made, with nobody in it.
    let users = read("waypost.sysusers");
    assert!(users.lines().any(|line| line == format!("g {clients} -")), "{users}");
    let mut members = users.lines().filter_map(|line| line.strip_prefix("m ")?.split_once(' '));
    assert!(members.all(|(_, group)| group.trim() != clients), "{users}");
    // No folder is theirs; what may hold secrets is closed to them.
    let folders = read("waypost.tmpfiles");
    assert!(folders.contains("\nd /etc/waypost 0750 root waypost -") && !folders.contains(clients), "{folders}");
    // A socket that is there when the package is updated becomes theirs.
    let chgrp = format!("chgrp {clients} {}", one(&socket, "ListenStream"));
    assert!(read("debian/postinst").contains(&chgrp), "{chgrp}");
}

/// Before there was a group for them, clients were let in by the service's own.
#[test]
fn an_update_lets_in_whom_the_old_group_let_in_and_says_who_is_still_in_it() {
    let clients = one(&unit("waypost.socket"), "SocketGroup").to_owned();
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let (group, added) = (at("group"), at("added"));
    // In the place of what would change this machine.
    for (name, does) in [
        ("getent", format!("[ $2 = {clients} ] && exec test -e {}; echo $2:x:990:anna,gone,bert", group.display())),
        ("systemd-sysusers", format!("touch {}", group.display())),
        ("gpasswd", format!("[ $2 != gone ] && echo \"$@\" >>{}", added.display())),
        ("systemd-tmpfiles", "true".to_owned()),
        ("systemctl", "true".to_owned()),
        ("chgrp", "true".to_owned()),
    ] {
        fs::write(at(name), format!("#!/bin/sh\n{does}\n")).unwrap();
        fs::set_permissions(at(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    let configure = |before: &str| {
        let mut script = Command::new("sh");
        script.arg(packaging("debian/postinst")).args(["configure", before]).env("PATH", &path);
        let output = script.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    // A first installation has nobody to let in.
    configure("");
    assert!(group.exists() && !added.exists());
    fs::remove_file(&group).unwrap();
    let said = configure("0.0.9");
    assert_eq!(fs::read_to_string(&added).unwrap(), format!("--add anna {clients}\n--add bert {clients}\n"));
    for (who, named) in [("anna", true), ("bert", true), ("gone", false)] {
        assert_eq!(said.contains(&format!("gpasswd --delete {who} waypost")), named, "{said}");
    }
    // Whoever was taken out since then stays out.
    fs::remove_file(&added).unwrap();
    configure("0.1.0");
    assert!(!added.exists());
}

#[test]
fn systemd_takes_the_units_and_finds_them_closed() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        // Past the test's own output, which nobody sees of one that passes.
        writeln!(std::io::stderr(), "not proven here: that systemd takes the units (no systemd-analyze)")
            .expect("standard error takes it");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(packaging("waypost.service")).unwrap();
    // Where it is before it is installed.
    let text = text.replace("/usr/bin/waypost", env!("CARGO_BIN_EXE_waypost"));
    let (service, socket) = (folder.path().join("waypost.service"), folder.path().join("waypost.socket"));
    fs::write(&service, text).unwrap();
    fs::copy(packaging("waypost.socket"), &socket).unwrap();
    let analyze = |words: &[&str]| {
        let output = Command::new("systemd-analyze").args(words).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(said).unwrap())
    };
    let (fine, said) = analyze(&["verify", "--man=no", service.to_str().unwrap(), socket.to_str().unwrap()]);
    // What it has to say of other units of this machine is not about these.
    let ours: Vec<&str> = said.lines().filter(|line| line.contains("waypost.")).collect();
    assert!(ours.is_empty() && (fine || !said.contains("waypost")), "{said}");
    let (_, help) = analyze(&["--help"]);
    if help.contains("--threshold") {
        // In tenths: 2.5 of 10, where what is reached by it counts as well.
        let words = ["security", "--offline=true", "--no-pager", "--threshold=25", service.to_str().unwrap()];
        let (closed, said) = analyze(&words);
        assert!(closed, "{said}");
    }
}

#[test]
fn what_is_packed_is_there() {
    let manifest: toml::Table = fs::read_to_string(root().join("Cargo.toml")).unwrap().parse().unwrap();
    let deb = &manifest["package"]["metadata"]["deb"];
    let mut packed = BTreeMap::new();
    for asset in deb["assets"].as_array().unwrap() {
        let [from, to, mode] = asset.as_array().unwrap().as_slice() else { panic!("{asset}") };
        let (from, to) = (from.as_str().unwrap(), to.as_str().unwrap());
        let folder = root().join(from).parent().unwrap().to_owned();
        let name = Path::new(from).file_name().unwrap().to_str().unwrap();
        // What is built has its place; what is in the repository is there.
        if !from.starts_with("target/") {
            let found = match name.split_once('*') {
                Some((begin, end)) => fs::read_dir(&folder).unwrap().flatten().any(|entry| {
                    let name = entry.file_name().into_string().unwrap();
                    name.starts_with(begin) && name.ends_with(end)
                }),
                None => folder.join(name).exists(),
            };
            assert!(found, "{from} is not there");
        }
        let expected = if to == "usr/bin/" { "755" } else { "644" };
        assert_eq!(mode.as_str(), Some(expected), "{from}");
        packed.insert(if to.ends_with('/') { format!("{to}{name}") } else { to.to_owned() }, from.to_owned());
    }
    // The pictures of the pages are there as well, where the pages look for them.
    for page in fs::read_dir(root().join("docs")).unwrap().flatten().map(|entry| entry.path()) {
        if page.extension().is_none_or(|ending| ending != "md") {
            continue;
        }
        let text = fs::read_to_string(&page).unwrap();
        for picture in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let name = Path::new(picture);
            if let (Some("svg" | "png"), Some(folder)) = (name.extension().and_then(|e| e.to_str()), name.parent()) {
                let ending = name.extension().unwrap().display();
                let there = Path::new("usr/share/doc/waypost").join(folder).join(format!("*.{ending}"));
                assert!(packed.contains_key(there.to_str().unwrap()), "{}: {picture}: {packed:?}", page.display());
            }
        }
    }
    let maintainer = deb["maintainer"].as_str().unwrap();
    assert!(maintainer.starts_with("The Waypost authors <") && !maintainer.contains("localhost"), "{maintainer}");
    let service = unit("waypost.service");
    let program = one(&service, "ExecStart").split(' ').next().unwrap().trim_start_matches('/');
    assert!(packed.contains_key(program), "{packed:?}");
    let environment = &service["Environment"];
    let config = environment.iter().find_map(|set| set.strip_prefix("WAYPOST_CONFIG=/")).expect("its configuration");
    assert!(packed.contains_key(config), "{packed:?}");
    let kept: Vec<&str> = deb["conf-files"].as_array().unwrap().iter().filter_map(toml::Value::as_str).collect();
    assert_eq!(kept, [format!("/{config}")], "what an administrator changes is kept over an update");
    for unit in ["waypost.service", "waypost.socket"] {
        assert!(packed.contains_key(&format!("usr/lib/systemd/system/{unit}")), "{packed:?}");
    }
    // The program finds the shipped policies beside itself.
    assert!(packed.contains_key("usr/lib/waypost/plugins/*.wasm"), "{packed:?}");
    for script in ["postinst", "prerm", "postrm"] {
        let mode = fs::metadata(packaging("debian").join(script)).unwrap().permissions().mode();
        assert_ne!(mode & 0o111, 0, "{script} can be run");
        assert!(Command::new("sh").arg("-n").arg(packaging("debian").join(script)).status().unwrap().success());
    }
}
