//! Who may do what. One place says who asks (`Keeper::who`), one what a route needs (`table`), one whether the caller may
//! (`permit`); the gate asks all three of every request. Which name of a domain goes with which UUID only its host can tell (`reach`).
//!
//! Who asks is known, in this order, by a bearer token of ours (`tokens`) or of an issuer that the site trusts (`oidc`), by the
//! cookie of a session that a token began (`sessions`), or by the connection itself: the kernel's word on a Unix socket, a client
//! certificate over TLS. Who guesses tokens is made to wait (`lockout`). Every change is on record before it is made (`audit`).

pub(crate) mod audit;
mod fetch;
pub(crate) mod grants;
mod lockout;
mod oidc;
pub(crate) mod permit;
pub(crate) mod reach;
pub(crate) mod sessions;
pub(crate) mod table;
pub mod tokens;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, header};
use thiserror::Error;
use tokio::time::Instant;
use waypost_core::access::{Ledger, Role, Scope, Token};
use waypost_core::ports::Clock;

use crate::caller::{Caller, Origin, Peer, Proof};
use crate::port::Shown;
use crate::problem::{Code, Failed};
use fetch::Fetcher;
pub(crate) use lockout::Lockout;
use oidc::Issuers;
use sessions::Sessions;
use tokens::{Presented, Tokens};

/// What a site says of who may do what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// Role of whoever else may connect to the Unix socket; root and the user that the service runs as are admin.
    pub socket_role: Role,
    /// Names with dots under which the socket may be asked for, in lower case: those of a proxy that passes requests on under its
    /// own. Pages of these names may have their browsers do what the proxy's user may.
    pub names: Vec<String>,
    /// Origins whose pages may ask with a bearer token, as browsers write them: `https://dash.example`, with the port where it is not
    /// that of the scheme, in lower case. Whatever else says who asks counts for pages of the service's own origin alone.
    pub origins: Vec<String>,
    /// Who is behind a client certificate.
    pub clients: Vec<Client>,
    /// Issuers whose tokens are taken.
    pub issuers: Vec<Issuer>,
}

impl Default for Access {
    fn default() -> Self {
        Self {
            socket_role: Role::Operator,
            names: Vec::new(),
            origins: Vec::new(),
            clients: Vec::new(),
            issuers: Vec::new(),
        }
    }
}

/// Who a client certificate stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// One of its alternative names, or where it has none the common name of its subject. Of one client only.
    pub certificate: String,
    /// The name that stands in records.
    pub name: String,
    /// Role.
    pub role: Role,
    /// How far it reaches.
    pub scope: Scope,
}

/// An OpenID Connect issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    /// What it is called here; its callers are shown as NAME:, and what the claim says.
    pub name: String,
    /// Its identifier, as it stands in `iss`: an https URL.
    pub url: String,
    /// What `aud` must hold.
    pub audience: String,
    /// Certificates of who vouches for it, PEM; none: those that this machine trusts.
    pub ca_file: Option<PathBuf>,
    /// The claim with the name that the caller is shown under. Who it is says `sub` alone.
    pub name_claim: String,
    /// The claim with what grants roles: a text or a list of texts; dots lead into objects.
    pub role_claim: String,
    /// What those texts grant.
    pub grants: Vec<Grant>,
}

/// What a text in an issuer's token grants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The text.
    pub value: String,
    /// Role.
    pub role: Role,
    /// How far it reaches.
    pub scope: Scope,
}

/// Why what a site says can't be used.
#[derive(Debug, Error)]
pub enum AccessError {
    /// A certificate file.
    #[error("the certificates for issuer {issuer} can't be had from {place}: {why}")]
    Authorities {
        /// Issuer.
        issuer: String,
        /// File, or where else.
        place: String,
        /// Why.
        why: String,
    },
}

impl Access {
    /// Whether all of it can be used; reads the files that it names.
    pub fn check(&self) -> Result<(), AccessError> {
        for issuer in &self.issuers {
            let own = issuer.ca_file.as_ref().map(|path| path.display().to_string());
            Fetcher::new(issuer.ca_file.as_deref()).map_err(|why| AccessError::Authorities {
                issuer: issuer.name.clone(),
                place: own.unwrap_or_else(|| "this machine".to_owned()),
                why,
            })?;
        }
        Ok(())
    }
}

/// Whoever asks, and whether a cookie says so.
pub(crate) struct Who {
    pub(crate) caller: Caller,
    pub(crate) by_cookie: bool,
}

/// What proved a caller, to be looked at again for as long as something lasts that was begun with it.
#[derive(Debug, Clone)]
pub(crate) struct Grounds {
    caller: Caller,
    /// The session of the cookie.
    session: Option<[u8; 32]>,
    shown: Option<Arc<Shown>>,
}

/// Put into a request that a cookie proves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ByCookie;

/// Knows callers.
pub(crate) struct Keeper {
    access: Access,
    clock: Arc<dyn Clock>,
    tokens: Tokens,
    issuers: Issuers,
    sessions: Sessions,
    lockout: Lockout,
}

impl Keeper {
    pub(crate) fn new(access: Access, ledger: Arc<dyn Ledger>, clock: Arc<dyn Clock>) -> Self {
        let (issuers, tokens) = (Issuers::new(&access.issuers), Tokens::new(ledger));
        Self { access, clock, tokens, issuers, sessions: Sessions::default(), lockout: Lockout::default() }
    }

    /// Whether the site goes by that name on its socket: a `Host`, with or without a port.
    pub(crate) fn goes_by(&self, host: &str) -> bool {
        let port = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let name = host.rsplit_once(':').filter(|(_, text)| port(text)).map_or(host, |(name, _)| name);
        self.access.names.iter().any(|own| own.eq_ignore_ascii_case(name))
    }

    /// Whether pages of that origin may ask, with a token.
    pub(crate) fn lists(&self, origin: &str) -> bool {
        self.access.origins.iter().any(|listed| listed == origin)
    }

    /// Whether there are pages of other origins that may.
    pub(crate) fn lists_any(&self) -> bool {
        !self.access.origins.is_empty()
    }

    /// Who is at the other end of a Unix socket.
    pub(crate) fn by_socket(&self, uid: u32, name: String) -> Caller {
        let role = if is_own(uid) { Role::Admin } else { self.access.socket_role };
        Caller::proven(name, role, Scope::default(), Proof::Socket(uid))
    }

    /// Who shows a certificate with these names; none: nobody whom the site knows. The error says which clients it can't be told apart
    /// from: which of them stands first in the configuration is no reason to be that one.
    pub(crate) fn by_certificate(&self, names: &[String]) -> Result<Option<Caller>, String> {
        let mut known = self.access.clients.iter().filter(|client| names.contains(&client.certificate));
        let Some(client) = known.next() else { return Ok(None) };
        if let Some(other) = known.next() {
            return Err(format!("the client certificate is that of {} and of {} too", client.name, other.name));
        }
        let proof = Proof::Certificate(client.certificate.clone());
        Ok(Some(Caller::proven(client.name.clone(), client.role, client.scope.clone(), proof)))
    }

    /// Who asks. None: nothing says so.
    pub(crate) async fn who(&self, headers: &HeaderMap, peer: &Peer) -> Result<Option<Who>, Failed> {
        if let Some(shown) = &peer.shown {
            // Whatever else is shown: without a good one there would be no such connection.
            shown.holds(self.clock.now()).map_err(|why| {
                Failed::new(Code::NoCaller, format!("the client certificate of this connection {why}"))
                    .remedy("connect again, with one that is good")
                    .and_hang_up()
            })?;
        }
        if let Some(text) = bearer(headers, peer)? {
            let caller = self.by_token(text, peer.origin).await?;
            return Ok(Some(Who { caller, by_cookie: false }));
        }
        if let Some(cookie) = cookie(headers) {
            match self.by_cookie(cookie).await? {
                Some(caller) => return Ok(Some(Who { caller, by_cookie: true })),
                None if peer.caller.is_none() => {
                    // A browser that goes on sending it would be told so for ever.
                    let over = Failed::new(Code::NoCaller, "this session is over").remedy("log in again");
                    return Err(over.with_cookie(sessions::set_cookie("", Duration::ZERO)));
                }
                None => {}
            }
        }
        if let (None, Some(why)) = (&peer.caller, &peer.unclear) {
            let remedy = "have a certificate made that has one name of a [[service.client]] only";
            return Err(Failed::new(Code::NoCaller, why).remedy(remedy));
        }
        Ok(peer.caller.clone().map(|caller| Who { caller, by_cookie: false }))
    }

    async fn by_token(&self, text: &str, origin: Origin) -> Result<Caller, Failed> {
        if !tokens::is_ours(text) {
            // Not counted, and not refused for what others guessed: a signature can't be guessed, and costs little to look at.
            return self.issuers.caller(text).await.map_err(Failed::from);
        }
        // Before anything is read for it. What was proven goes on, so that nobody is shut out by another's guesses.
        if !self.tokens.remembers(text) {
            self.not_locked_out(origin)?;
        }
        let proven = match self.tokens.look_up(text).await? {
            Presented::Proven(token) => Some(token),
            Presented::Unknown => None,
            Presented::Claimed(claim) => {
                self.not_locked_out(origin)?;
                self.tokens.prove(claim).await?
            }
        };
        match proven {
            // Of the source nothing is forgotten: who has one token could go on guessing another.
            Some(token) => self.valid(token),
            None => {
                self.lockout.wrong(origin, Instant::now());
                Err(unknown())
            }
        }
    }

    /// The caller that a proven token stands for, if it is still worth something.
    fn valid(&self, token: Token) -> Result<Caller, Failed> {
        let now = self.clock.now();
        let worthless = |why: String| {
            self.tokens.forget(&token.id);
            Failed::new(Code::BadToken, why).remedy("ask an administrator for a new token")
        };
        if token.revoked_at.is_some() {
            return Err(worthless(format!("token {} was taken back", token.id)));
        }
        if token.expires_at.is_some_and(|at| at <= now) {
            return Err(worthless(format!("token {} has expired", token.id)));
        }
        let Token { id, name, role, scope, expires_at, .. } = token;
        Ok(Caller::proven(name, role, scope, Proof::Token(id)).until(expires_at))
    }

    fn not_locked_out(&self, origin: Origin) -> Result<(), Failed> {
        let Some(wait) = self.lockout.wait_of(origin, Instant::now()) else { return Ok(()) };
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        Err(Failed::new(Code::LockedOut, format!("too many wrong tokens; none is looked at for {seconds} s"))
            .retry_after(seconds))
    }

    async fn by_cookie(&self, secret: &str) -> Result<Option<Caller>, Failed> {
        let Some(digest) = self.tokens.digest(secret) else { return Ok(None) };
        let Some(caller) = self.sessions.caller(&digest, self.clock.now()) else { return Ok(None) };
        self.still(&caller).await
    }

    /// The caller as it is now: a token that was taken back is worth nothing, whatever it began.
    async fn still(&self, caller: &Caller) -> Result<Option<Caller>, Failed> {
        if caller.is_over(self.clock.now()) {
            return Ok(None);
        }
        let Proof::Token(id) = caller.proof() else { return Ok(Some(caller.clone())) };
        let token = self.tokens.by_id(id).await?;
        Ok(token.and_then(|token| self.valid(token).ok()))
    }

    /// What a caller's proof is made of.
    pub(crate) fn grounds(&self, caller: Caller, by_cookie: bool, headers: &HeaderMap, peer: Option<&Peer>) -> Grounds {
        let cookie = cookie(headers).filter(|_| by_cookie);
        let session = cookie.and_then(|secret| self.tokens.digest(secret));
        Grounds { caller, session, shown: peer.and_then(|peer| peer.shown.clone()) }
    }

    /// Whether all of that still holds.
    pub(crate) async fn holds(&self, grounds: &Grounds) -> Result<bool, Failed> {
        let Grounds { caller, session, shown } = grounds;
        let now = self.clock.now();
        let shown = shown.as_ref().is_none_or(|shown| shown.holds(now).is_ok());
        let session = session.is_none_or(|digest| self.sessions.caller(&digest, now).is_some());
        Ok(shown && session && self.still(caller).await?.is_some())
    }

    /// How long it holds at most; none: nothing says that it ends.
    pub(crate) fn last(&self, grounds: &Grounds) -> Option<Duration> {
        grounds.caller.left(self.clock.now())
    }

    /// Begins a session; answers the cookie's secret.
    pub(crate) fn begin_session(&self, caller: Caller) -> Result<String, Failed> {
        let secret = sessions::secret().and_then(|secret| Some((self.tokens.digest(&secret)?, secret)));
        let Some((digest, secret)) = secret else {
            return Err(Failed::new(Code::Defect, "the system gives no random numbers"));
        };
        self.sessions.begin(digest, caller, self.clock.now());
        Ok(secret)
    }

    /// Ends the session of a request, if it has one.
    pub(crate) fn end_session(&self, headers: &HeaderMap) {
        if let Some(digest) = cookie(headers).and_then(|secret| self.tokens.digest(secret)) {
            self.sessions.end(&digest);
        }
    }
}

/// Whether that user of this machine may do everything: root, and whom the service runs as.
pub(crate) fn is_own(uid: u32) -> bool {
    uid == 0 || uid == nix::unistd::geteuid().as_raw()
}

fn unknown() -> Failed {
    Failed::new(Code::BadToken, "this token is not known here").remedy("ask an administrator for a token")
}

/// The bearer token of a request. Proofs of other kinds are for somebody else, as where a script was written for a service with
/// passwords; whom the connection itself proves is not refused for one.
fn bearer<'h>(headers: &'h HeaderMap, peer: &Peer) -> Result<Option<&'h str>, Failed> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = all.next() else { return Ok(None) };
    if all.next().is_some() {
        return Err(Failed::new(Code::BadRequest, "there are two Authorization headers"));
    }
    let words = value.to_str().ok().and_then(|text| text.trim().split_once(' '));
    match words {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(token.trim())),
        _ if peer.caller.is_some() => Ok(None),
        _ => Err(Failed::new(Code::BadToken, "the Authorization header is not `Bearer TOKEN`")),
    }
}

/// The secret of the session's cookie.
fn cookie(headers: &HeaderMap) -> Option<&str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == sessions::COOKIE).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(name: header::HeaderName, values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(&name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn a_bearer_token_is_read_and_other_proofs_count_only_against_who_has_no_better_one() {
        let nobody = Peer { origin: Origin::User(7), caller: None, unclear: None, shown: None };
        let somebody = Peer { caller: Some(Caller::named("anna")), ..nobody.clone() };
        let read = |values: &[&str], peer| {
            let headers = headers(header::AUTHORIZATION, values);
            bearer(&headers, peer).map(|token| token.map(str::to_owned)).map_err(|failed| failed.code())
        };
        assert_eq!(read(&[], &nobody), Ok(None));
        for form in ["Bearer wp_1", "bearer  wp_1 ", "BEARER wp_1"] {
            assert_eq!(read(&[form], &nobody), Ok(Some("wp_1".to_owned())), "{form}");
        }
        for form in ["Basic YTpi", "Bearer", "wp_1", ""] {
            assert_eq!(read(&[form], &nobody), Err(Code::BadToken), "{form}");
            assert_eq!(read(&[form], &somebody), Ok(None), "{form}");
        }
        assert_eq!(read(&["Bearer a", "Bearer a"], &somebody), Err(Code::BadRequest));
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        let read = |values: &[&str]| cookie(&headers(header::COOKIE, values)).map(str::to_owned);
        assert_eq!(read(&["a=b; __Host-waypost=x=1; c=d"]).as_deref(), Some("x=1"));
        assert_eq!(read(&["a=b", "__Host-waypost=y"]).as_deref(), Some("y"));
        assert_eq!(read(&["__host-waypost=x; waypost=y; __Host-waypost"]), None);
    }
}
