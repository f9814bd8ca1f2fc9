//! The policies of a state in a backup, and a restore that was killed between its steps.

use std::collections::BTreeMap;
use std::sync::mpsc;

use super::*;

/// What the folder of policies holds.
fn files(dir: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(&path).unwrap()))
        .collect()
}

fn written(site: &Site, files: &[(&str, &str)]) -> PathBuf {
    let folder = site.state().join(POLICY_FOLDER);
    fs::create_dir_all(&folder).unwrap();
    for (name, text) in files {
        fs::write(folder.join(name), text).unwrap();
    }
    folder
}

#[test]
fn policies_are_in_the_backup_and_what_was_there_is_kept() {
    let site = Site::new();
    begin(&site.store(), 1, 0);
    let policies = [("a.wasm", "a"), ("a.json", "{}"), ("b.json", "{ }")];
    let folder = written(&site, &policies);
    written(&site, &[(".a.wasm.incoming", "half"), ("readme", "mine")]);
    fs::create_dir(folder.join("c.wasm")).unwrap();
    assert_eq!(backup(&site.state(), &site.file("b.db")).unwrap().policies, 2);
    fs::remove_dir(folder.join("c.wasm")).unwrap();
    let before = files(&folder);

    let restored = site.restore("b.db", Loss::Refused).unwrap();
    assert_eq!(restored.policies, Some(2));
    assert_eq!(files(&folder), policies.map(|(name, text)| (name.to_owned(), text.to_owned())).into());
    assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(fs::metadata(folder.join("a.wasm")).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(files(&restored.replaced.unwrap().join(POLICY_FOLDER)), before);
    assert!(site.rows("SELECT name, 0 FROM sqlite_schema WHERE name = 'policy_file'").is_empty());

    // Onto nothing, and of nothing.
    let fresh = Site::new();
    assert_eq!(restore(&fresh.state(), &site.file("b.db"), Loss::Refused).unwrap().replaced, None);
    assert_eq!(files(&fresh.state().join(POLICY_FOLDER)).len(), 3);
    let empty = Site::new();
    begin(&empty.store(), 1, 0);
    assert_eq!(backup(&empty.state(), &empty.file("e.db")).unwrap().policies, 0);
    assert_eq!(restore(&fresh.state(), &empty.file("e.db"), Loss::Accepted).unwrap().policies, Some(0));
    assert_eq!(files(&fresh.state().join(POLICY_FOLDER)), BTreeMap::new());
}

#[test]
fn a_backup_that_holds_no_policies_leaves_those_that_are_there() {
    let site = Site::new();
    begin(&site.store(), 1, 0);
    let folder = written(&site, &[("a.wasm", "a")]);
    backup(&site.state(), &site.file("b.db")).unwrap();
    // As an older Waypost made it, and as one restored it that knew nothing of the table.
    let older = Connection::open(site.file("b.db")).unwrap();
    older.execute_batch("DROP TABLE policy_file").unwrap();
    drop(older);
    assert_eq!(site.restore("b.db", Loss::Refused).unwrap().policies, None);
    assert_eq!(files(&folder).len(), 1);
    site.database().execute_batch("CREATE TABLE policy_file (other TEXT)").unwrap();
    assert_eq!(backup(&site.state(), &site.file("again.db")).unwrap().policies, 1);
    assert_eq!(site.restore("again.db", Loss::Refused).unwrap().policies, Some(1));
}

#[test]
fn a_name_in_a_backup_is_never_a_path() {
    let site = Site::new();
    begin(&site.store(), 1, 0);
    let folder = written(&site, &[("a.wasm", "a")]);
    for name in ["../x.wasm", "/x.wasm", ".x.wasm", ".wasm", "x", ""] {
        let _ = fs::remove_file(site.file("b.db"));
        backup(&site.state(), &site.file("b.db")).unwrap();
        Connection::open(site.file("b.db")).unwrap().execute("UPDATE policy_file SET name = ?1", [name]).unwrap();
        let why = site.refusal("b.db");
        assert!(why.contains("a policy's file is called") && why.contains("nothing was changed"), "{name}: {why}");
        assert_eq!(files(&folder).len(), 1, "{name}");
        let left = fs::read_dir(site.state()).unwrap().map(|entry| entry.unwrap().file_name());
        assert_eq!(left.filter(|left| left.to_string_lossy().starts_with(STAGED)).count(), 0, "{name}");
        site.store();
    }
}

#[test]
fn a_state_that_a_restore_left_in_the_middle_is_nobodys_until_it_is_repeated() {
    let site = Site::new();
    begin(&site.store(), 1, 0);
    let folder = written(&site, &[("a.wasm", "a")]);
    backup(&site.state(), &site.file("b.db")).unwrap();
    // Killed after the policies were moved away, before the new ones had their name: files of a copy are left, too.
    fs::write(half_restored(&site.state()), "/backups/b.db\n").unwrap();
    fs::rename(&folder, site.state().join(format!("{STAGED}policies-1"))).unwrap();
    let Err(why) = SqliteStore::open(&site.state()) else { panic!("it was opened") };
    assert!(why.to_string().contains("repeat `waypost state restore /backups/b.db`"), "{why}");
    let why = backup(&site.state(), &site.file("half.db")).unwrap_err().to_string();
    assert!(why.contains("half of one state"), "{why}");
    assert!(!site.file("half.db").exists());
    assert_eq!(site.restore("b.db", Loss::Refused).unwrap().policies, Some(1));
    assert_eq!(site.tasks(), [task(1)]);
    assert_eq!(files(&folder).len(), 1);
    assert!(!site.state().join(format!("{STAGED}policies-1")).exists());
}

#[test]
fn a_backup_waits_until_a_change_of_policies_is_whole() {
    let site = Site::new();
    begin(&site.store(), 1, 0);
    let folder = written(&site, &[("a.wasm", "a")]);
    let turn = policy_turn(&folder).unwrap();
    std::thread::scope(|scope| {
        let (done, made) = mpsc::channel();
        let site = &site;
        scope.spawn(move || done.send(backup(&site.state(), &site.file("b.db")).unwrap().policies));
        // Until it has begun: from its claim of the name on only the turn keeps it.
        while !site.file("b.db").exists() {
            std::thread::yield_now();
        }
        written(site, &[("b.json", "{}")]);
        assert!(made.try_recv().is_err());
        drop(turn);
        assert_eq!(made.recv().unwrap(), 2);
    });
}
