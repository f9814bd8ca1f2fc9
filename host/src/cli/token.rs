//! `waypost token`: bearer tokens for clients of the service. They lie in the store, so the service need not run, and one that
//! runs knows at once.

use anyhow::{Context as _, bail};
use waypost::api::v1::{self, Document, Tokens};
use waypost::core::access::{Asked, Scope, Token};
use waypost::core::ids::{HostName, Moment};
use waypost::core::ports::Clock as _;
use waypost::service::access::tokens::{NewToken, mint};
use waypost::wiring::{SharedLedger, WallClock};

use super::app::App;
use super::args;
use super::exit::Exit;

pub fn run(app: &App, command: args::Token) -> anyhow::Result<Exit> {
    match command {
        args::Token::Create(create) => self::create(app, create),
        args::Token::List => list(app),
        args::Token::Revoke { id, reason } => revoke(app, &id, reason),
    }
}

fn create(app: &App, create: args::CreateToken) -> anyhow::Result<Exit> {
    let (config, now) = (app.config()?, WallClock.now());
    // Simulated hosts are in no configuration.
    let unknown = |name: &&String| config.hosts.iter().all(|host| host.name.as_str() != name.as_str());
    if let Some(name) = create.host.iter().find(unknown).filter(|_| !config.hosts.is_empty()) {
        bail!("there is no host {name} in the configuration, so a token can't be limited to it");
    }
    let scope = Scope { hosts: create.host.into_iter().map(HostName::new).collect(), domains: create.domain };
    let expires_at = create.expires.map(|lasts| {
        let ms = u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX);
        Moment(now.0.saturating_add(ms))
    });
    let by = app.requester();
    let new = NewToken { name: create.name, role: create.role, scope, expires_at };
    let (token, secret) = mint(new, &by, now).context("make a token")?;
    let ledger = app.ledger()?;
    noted(app, &ledger, ("token create", create.reason), &token, || Ok(ledger.put_token(&token)?))?;
    app.out.note(format!("token {} for {} ({}); it is shown this once:", token.id, token.name, token.role));
    app.out.line(&secret);
    app.out.document(Document::TokenCreated(v1::NewToken { token: v1::Token::new(&token, now), secret }));
    Ok(Exit::Done)
}

fn list(app: &App) -> anyhow::Result<Exit> {
    let now = WallClock.now();
    let tokens: Vec<v1::Token> = app.ledger()?.tokens()?.iter().map(|token| v1::Token::new(token, now)).collect();
    let all = |texts: &[String]| if texts.is_empty() { "all".to_owned() } else { texts.join(", ") };
    app.out.table(
        &["id", "name", "role", "hosts", "domains", "state", "expires", "made", "by"],
        tokens.iter().map(|token| {
            vec![
                token.id.clone(),
                token.name.clone(),
                token.role.clone(),
                all(&token.hosts),
                all(&token.domains),
                token.state.clone(),
                token.expires_at.clone().unwrap_or_else(|| "never".to_owned()),
                token.created_at.clone(),
                token.created_by.clone(),
            ]
        }),
    );
    app.out.document(Document::Tokens(Tokens { tokens }));
    Ok(Exit::Done)
}

fn revoke(app: &App, id: &str, reason: Option<String>) -> anyhow::Result<Exit> {
    let (ledger, now) = (app.ledger()?, WallClock.now());
    let Some(token) = ledger.token(id)? else {
        bail!("there is no token {id}: `waypost token list` lists them");
    };
    if token.revoked_at.is_some() {
        bail!("token {id} was taken back already");
    }
    noted(app, &ledger, ("token revoke", reason), &token, || Ok(ledger.revoke_token(id, now).map(drop)?))?;
    let token = Token { revoked_at: Some(now), ..token };
    app.out.line(format!("token {id} of {} is worth nothing any more", token.name));
    app.out.document(Document::TokenRevoked(v1::Token::new(&token, now)));
    Ok(Exit::Done)
}

/// A change of tokens is on record as every other is.
fn noted(
    app: &App,
    ledger: &SharedLedger,
    (what, reason): (&str, Option<String>),
    token: &Token,
    change: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let details = format!("token {} of {}, {}", token.id, token.name, token.role);
    let number = ledger.note(&Asked {
        at: WallClock.now(),
        who: app.requester(),
        proof: "command".to_owned(),
        from: "this machine".to_owned(),
        what: what.to_owned(),
        reason,
        details: Some(details),
        ..Asked::default()
    })?;
    let made = change();
    ledger.settle(number, if made.is_ok() { "done" } else { "failed" }, None)?;
    made
}
