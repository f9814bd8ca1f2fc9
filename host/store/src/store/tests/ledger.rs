//! Tokens and the audit log.

use waypost_core::access::{Asked, AuditQuery, Ledger as _, Role, Scope, Token};

use super::*;

fn token(id: &str) -> Token {
    Token {
        id: id.to_owned(),
        name: "dashboard".into(),
        role: Role::Operator,
        scope: Scope { hosts: vec![HostName::new("a")], domains: vec!["web-*".into(), "\"quoted\"".into()] },
        hash: "$argon2id$".into(),
        created_at: Moment(5),
        created_by: "anna".into(),
        expires_at: Some(Moment(9)),
        revoked_at: None,
    }
}

#[test]
fn a_token_is_kept_whole_and_taken_back_once() {
    let (_guard, dir) = folder();
    let store = SqliteStore::open(&dir).unwrap();
    let (one, two) = (token("1"), Token { created_at: Moment(6), expires_at: None, ..token("2") });
    store.put_token(&one).unwrap();
    store.put_token(&two).unwrap();
    assert!(store.put_token(&one).is_err(), "an id stands for one token");
    assert_eq!(store.token("1").unwrap().as_ref(), Some(&one));
    assert_eq!(store.token("3").unwrap(), None);
    assert_eq!(store.tokens().unwrap(), [two, one.clone()]);
    // By another process, as the command does it beside a service.
    let other = SqliteStore::open(&dir).unwrap();
    assert!(other.revoke_token("1", Moment(7)).unwrap());
    assert!(!other.revoke_token("1", Moment(8)).unwrap() && !other.revoke_token("3", Moment(8)).unwrap());
    assert_eq!(store.token("1").unwrap(), Some(Token { revoked_at: Some(Moment(7)), ..one }));
}

#[test]
fn what_was_asked_for_is_on_record_before_what_came_of_it() {
    let (_guard, dir) = folder();
    let store = SqliteStore::open(&dir).unwrap();
    let asked = |who: &str, task| Asked {
        at: Moment(3),
        who: who.into(),
        proof: "token 1".into(),
        from: "::1".into(),
        what: "POST /api/v1/tasks".into(),
        task,
        domain: Some("g1".into()),
        host: Some("b".into()),
        reason: Some("maintenance".into()),
        details: Some("{}".into()),
    };
    let one = store.note(&asked("anna", None)).unwrap();
    let two = store.note(&asked("bert", Some(task(2)))).unwrap();
    let three = store.note(&asked("anna", None)).unwrap();
    let four = store.note(&asked("carl", Some(task(4)))).unwrap();
    assert_eq!((one, two, three, four), (1, 2, 3, 4));
    store.settle(one, "done", Some(task(1))).unwrap();
    store.settle(two, "done", Some(task(9))).unwrap();
    store.settle(four, "task-over", None).unwrap();
    let found = |query: &AuditQuery, most| -> Vec<u64> {
        store.audit(query, most).unwrap().iter().map(|entry| entry.number).collect()
    };
    assert_eq!(found(&AuditQuery::default(), 10), [4, 3, 2, 1]);
    assert_eq!(found(&AuditQuery::default(), 2), [4, 3]);
    assert_eq!(found(&AuditQuery { before: Some(2), ..AuditQuery::default() }, 10), [1]);
    assert_eq!(found(&AuditQuery { who: Some("anna".into()), ..AuditQuery::default() }, 10), [3, 1]);
    assert_eq!(found(&AuditQuery { task: Some(task(1)), ..AuditQuery::default() }, 10), [1]);
    let all = store.audit(&AuditQuery::default(), 10).unwrap();
    assert_eq!((all[0].outcome.as_deref(), all[0].asked.task), (Some("task-over"), Some(task(4))));
    assert_eq!((all[1].outcome.as_deref(), all[1].asked.task), (None, None));
    assert_eq!((all[2].outcome.as_deref(), all[2].asked.task), (Some("done"), Some(task(9))), "the one that was made");
    assert_eq!(all[3].asked, asked("anna", Some(task(1))));
}
