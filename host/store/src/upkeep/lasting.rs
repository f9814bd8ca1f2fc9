//! What no restore takes back: of the database that is replaced, into the one that takes its place.
//!
//! A token that was revoked must not come back to life because somebody went back to the day before; what was noted of who did
//! what stays noted; and a number that a listener has seen never comes to stand for something else. Only what is written here
//! survives. The rest of what was there is kept in a folder of its own.

use std::path::Path;

use rusqlite::Connection;

/// What is taken over, each with the tables of the present database that it needs: an older one has fewer.
const LASTING: [(&str, &str); 3] = [
    (
        "token",
        "UPDATE main.token
         SET revoked_at = (SELECT there.revoked_at FROM present.token AS there WHERE there.id = token.id)
         WHERE revoked_at IS NULL AND EXISTS (
             SELECT 1 FROM present.token AS there WHERE there.id = token.id AND there.revoked_at IS NOT NULL)",
    ),
    // An entry is made before it is known what came of it.
    (
        "audit",
        "UPDATE main.audit
         SET outcome = (SELECT there.outcome FROM present.audit AS there WHERE there.number = audit.number),
             task = (SELECT there.task FROM present.audit AS there WHERE there.number = audit.number)
         WHERE outcome IS NULL AND EXISTS (
             SELECT 1 FROM present.audit AS there
             WHERE there.number = audit.number AND there.at = audit.at AND there.who = audit.who
                   AND there.outcome IS NOT NULL);
         INSERT INTO main.audit (number, at, who, proof, origin, what, task, domain, host, reason, details, outcome)
             SELECT number, at, who, proof, origin, what, task, domain, host, reason, details, outcome
             FROM present.audit WHERE number > (SELECT coalesce(max(number), 0) FROM main.audit) ORDER BY number",
    ),
    (
        "sqlite_sequence",
        "INSERT INTO main.sqlite_sequence (name, seq)
             SELECT name, 0 FROM present.sqlite_sequence
             WHERE name IN ('change', 'decided', 'audit') AND name NOT IN (SELECT name FROM main.sqlite_sequence);
         UPDATE main.sqlite_sequence
         SET seq = max(seq, (SELECT there.seq FROM present.sqlite_sequence AS there
                             WHERE there.name = sqlite_sequence.name))
         WHERE name IN ('change', 'decided', 'audit') AND name IN (SELECT name FROM present.sqlite_sequence)",
    ),
];

/// Takes it over, all of it or nothing.
pub(super) fn take_over(into: &Connection, present: &Path) -> rusqlite::Result<()> {
    let path = present.to_str().ok_or_else(|| rusqlite::Error::InvalidPath(present.to_owned()))?;
    into.execute("ATTACH DATABASE ?1 AS present", [path])?;
    let all_or_nothing = into.unchecked_transaction()?;
    for (table, statements) in LASTING {
        let select = "SELECT EXISTS (SELECT 1 FROM present.sqlite_schema WHERE type = 'table' AND name = ?1)";
        if into.query_row(select, [table], |row| row.get::<_, bool>(0))? {
            into.execute_batch(statements)?;
        }
    }
    all_or_nothing.commit()?;
    // The last one to leave it: its log goes as well.
    into.execute_batch("DETACH DATABASE present")
}
