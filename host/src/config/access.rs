//! `[service]`: the port, and who may do what over it and over the socket.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use waypost_core::access::{Role, Scope};
use waypost_core::ids::HostName;
use waypost_libvirt::HostConfig;
use waypost_service::Access;
use waypost_service::access::{Client, Grant, Issuer};
use waypost_service::port::{ClientCertificates, Listen};

use super::{ConfigError, origins};

/// `[service.tls]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WrittenTls {
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    client_ca: Option<PathBuf>,
    client_crl: Option<PathBuf>,
    client_certificates: Option<String>,
}

/// `[[service.client]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenClient {
    certificate: String,
    name: String,
    role: String,
    hosts: Option<Vec<String>>,
    domains: Option<Vec<String>>,
}

/// `[[service.issuer]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenIssuer {
    name: String,
    url: String,
    audience: String,
    ca_file: Option<PathBuf>,
    name_claim: Option<String>,
    role_claim: Option<String>,
    grants: Vec<WrittenGrant>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenGrant {
    value: String,
    role: String,
    hosts: Option<Vec<String>>,
    domains: Option<Vec<String>>,
}

/// All of it as a person writes it.
pub(super) struct WrittenAccess {
    pub(super) listen: Option<String>,
    pub(super) socket_role: Option<String>,
    pub(super) names: Vec<String>,
    pub(super) origins: Vec<String>,
    pub(super) tls: WrittenTls,
    pub(super) clients: Vec<WrittenClient>,
    pub(super) issuers: Vec<WrittenIssuer>,
}

impl WrittenAccess {
    pub(super) fn resolve(
        self,
        folder: &Path,
        hosts: &[HostConfig],
        wrong: &impl Fn(String, String) -> ConfigError,
    ) -> Result<(Option<Listen>, Access), ConfigError> {
        let reads_certificates = self.tls.client_ca.is_some();
        let listen = self.tls.resolve(self.listen, folder, wrong)?;
        if !self.clients.is_empty() && !reads_certificates {
            let why = "nobody vouches for client certificates: name the authority in service.tls.client_ca";
            return Err(wrong("service.client".into(), why.into()));
        }
        let known = Known { hosts, wrong };
        let clients = self.clients.into_iter().map(|client| {
            let key = format!("service.client.{}", client.name);
            named(&key, &client.name, wrong)?;
            Ok(Client {
                role: known.role(&format!("{key}.role"), &client.role)?,
                scope: known.scope(&key, client.hosts, client.domains)?,
                certificate: client.certificate,
                name: client.name,
            })
        });
        let clients = clients.collect::<Result<Vec<Client>, _>>()?;
        for (at, client) in clients.iter().enumerate() {
            if let Some(first) = clients[..at].iter().find(|first| first.certificate == client.certificate) {
                let why = format!("{:?} is the certificate of {} already", client.certificate, first.name);
                return Err(wrong(format!("service.client.{}.certificate", client.name), why));
            }
        }
        let issuers = self.issuers.into_iter().map(|issuer| issuer.resolve(folder, &known));
        let issuers = issuers.collect::<Result<Vec<Issuer>, _>>()?;
        for (at, issuer) in issuers.iter().enumerate() {
            // Its callers are shown as NAME: and what their claim says, and a token is known by its URL: of either there is one.
            let same = |first: &&Issuer| first.name == issuer.name || first.url == issuer.url;
            if let Some(first) = issuers[..at].iter().find(same) {
                let (key, value) =
                    if first.name == issuer.name { ("name", &issuer.name) } else { ("url", &issuer.url) };
                let why = format!("{value:?} is that of another issuer, {}, already", first.name);
                return Err(wrong(format!("service.issuer.{}.{key}", issuer.name), why));
            }
        }
        let socket_role = match self.socket_role {
            None => Access::default().socket_role,
            Some(role) => known.role("service.socket_role", &role)?,
        };
        let names = self.names.into_iter().map(|name| own_name(name, wrong)).collect::<Result<_, _>>()?;
        let origins = self.origins.into_iter().map(|origin| origins::read(&origin, wrong)).collect::<Result<_, _>>()?;
        Ok((listen, Access { socket_role, names, origins, clients, issuers }))
    }
}

impl WrittenTls {
    fn resolve(
        self,
        listen: Option<String>,
        folder: &Path,
        wrong: &impl Fn(String, String) -> ConfigError,
    ) -> Result<Option<Listen>, ConfigError> {
        let clients = match (self.client_certificates.as_deref(), &self.client_ca) {
            (None | Some("optional"), _) => ClientCertificates::Optional,
            (Some("required"), Some(_)) => ClientCertificates::Required,
            (Some("required"), None) => {
                let why = "nobody vouches for client certificates: name the authority in service.tls.client_ca";
                return Err(wrong("service.tls.client_certificates".into(), why.into()));
            }
            (Some(other), _) => {
                let why = format!("unknown word {other:?}, allowed: optional, required");
                return Err(wrong("service.tls.client_certificates".into(), why));
            }
        };
        if self.client_crl.is_some() && self.client_ca.is_none() {
            let why = "nobody vouches for client certificates, so nobody takes any back: name the authority in service.tls.client_ca";
            return Err(wrong("service.tls.client_crl".into(), why.into()));
        }
        let Some(listen) = listen else { return Ok(None) };
        let address: SocketAddr = listen.parse().map_err(|_| {
            let why = format!("{listen:?} is no address with a port, as 192.0.2.1:8443 or [::]:8443");
            wrong("service.listen".into(), why)
        })?;
        let (Some(certificate), Some(key)) = (self.certificate, self.key) else {
            let why = "there is no port without TLS: name the files with the certificate and its key in service.tls.certificate \
                       and service.tls.key, or leave listen out and use the socket";
            return Err(wrong("service.listen".into(), why.into()));
        };
        Ok(Some(Listen {
            address,
            certificate: folder.join(certificate),
            key: folder.join(key),
            client_ca: self.client_ca.map(|path| folder.join(path)),
            client_crl: self.client_crl.map(|path| folder.join(path)),
            clients,
        }))
    }
}

impl WrittenIssuer {
    fn resolve<W: Fn(String, String) -> ConfigError>(
        self,
        folder: &Path,
        known: &Known<'_, W>,
    ) -> Result<Issuer, ConfigError> {
        let key = format!("service.issuer.{}", self.name);
        named(&key, &self.name, known.wrong)?;
        if !self.url.starts_with("https://") {
            let why = format!("{:?} does not begin with https://, and keys that came in plain prove nothing", self.url);
            return Err((known.wrong)(format!("{key}.url"), why));
        }
        let grants = self.grants.into_iter().map(|grant| {
            let key = format!("{key}.grants");
            Ok(Grant {
                role: known.role(&format!("{key}.role"), &grant.role)?,
                scope: known.scope(&key, grant.hosts, grant.domains)?,
                value: grant.value,
            })
        });
        Ok(Issuer {
            grants: grants.collect::<Result<_, _>>()?,
            name: self.name,
            url: self.url,
            audience: self.audience,
            ca_file: self.ca_file.map(|path| folder.join(path)),
            name_claim: self.name_claim.unwrap_or_else(|| "sub".to_owned()),
            role_claim: self.role_claim.unwrap_or_else(|| "groups".to_owned()),
        })
    }
}

/// What roles and scopes are checked against.
struct Known<'a, W> {
    hosts: &'a [HostConfig],
    wrong: &'a W,
}

impl<W: Fn(String, String) -> ConfigError> Known<'_, W> {
    fn role(&self, key: &str, text: &str) -> Result<Role, ConfigError> {
        Role::parse(text).ok_or_else(|| {
            let allowed: Vec<_> = Role::ALL.iter().map(|role| role.as_str()).collect();
            let why = format!("unknown word {text:?}, allowed: {}", allowed.join(", "));
            (self.wrong)(key.to_owned(), why)
        })
    }

    fn scope(&self, key: &str, hosts: Option<Vec<String>>, domains: Option<Vec<String>>) -> Result<Scope, ConfigError> {
        // Who writes an empty list means none, and would get all.
        for (what, list) in [("hosts", &hosts), ("domains", &domains)] {
            if list.as_ref().is_some_and(Vec::is_empty) {
                let why = format!(
                    "the list is empty: name the {what} that are reached, or leave the key out for all of them"
                );
                return Err((self.wrong)(format!("{key}.{what}"), why));
            }
        }
        let (hosts, domains) = (hosts.unwrap_or_default(), domains.unwrap_or_default());
        // Simulated hosts are in no configuration.
        let missing = hosts.iter().find(|name| self.hosts.iter().all(|host| host.name.as_str() != name.as_str()));
        if let Some(name) = missing.filter(|_| !self.hosts.is_empty()) {
            let there: Vec<_> = self.hosts.iter().map(|host| host.name.as_str()).collect();
            let why = format!("there is no host {name:?}; there are: {}", there.join(", "));
            return Err((self.wrong)(format!("{key}.hosts"), why));
        }
        Ok(Scope { hosts: hosts.into_iter().map(HostName::new).collect(), domains })
    }
}

/// Whether that is a name of a host, of which nothing is left open.
pub(super) fn is_host_name(name: &str) -> bool {
    let part = |part: &str| {
        let sign = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        (1..=63).contains(&part.len()) && part.chars().all(sign)
    };
    name.len() <= 253 && name.split('.').all(part)
}

/// A name under which the service may be asked for, in lower case.
fn own_name(name: String, wrong: &impl Fn(String, String) -> ConfigError) -> Result<String, ConfigError> {
    if is_host_name(&name) {
        return Ok(name.to_ascii_lowercase());
    }
    let why = format!("{name:?} is no name of a host, as waypost.example: without scheme, port, path and wildcards");
    Err(wrong("service.names".into(), why))
}

/// A name that will stand in records, apart from those of users and of issuers' callers.
fn named(key: &str, name: &str, wrong: &impl Fn(String, String) -> ConfigError) -> Result<(), ConfigError> {
    let sign = |c: char| c.is_ascii_alphanumeric() || "._-@".contains(c);
    if !name.is_empty() && name.len() <= 64 && name.chars().all(sign) {
        return Ok(());
    }
    Err(wrong(format!("{key}.name"), format!("{name:?} is no name: 1 to 64 letters, digits, `.`, `_`, `-`, `@`")))
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    fn read(text: &str) -> Result<Config, String> {
        Config::parse(text, Path::new("/etc/waypost/waypost.toml")).map_err(|error| error.to_string())
    }

    const TLS: &str = "[service]\nlisten = '[::]:8443'\n[service.tls]\ncertificate = 'c.pem'\nkey = '/k.pem'\n";

    #[test]
    fn a_port_is_had_with_tls_or_not_at_all() {
        assert!(read("").unwrap().listen.is_none());
        let listen = read(TLS).unwrap().listen.unwrap();
        assert_eq!(listen.address, "[::]:8443".parse().unwrap());
        assert_eq!((listen.certificate, listen.key), ("/etc/waypost/c.pem".into(), "/k.pem".into()));
        let alone = read(&format!("{TLS}client_crl = 'crl.pem'\n")).unwrap_err();
        assert!(alone.contains("service.tls.client_crl: nobody vouches"), "{alone}");
        let plain = read("[service]\nlisten = '127.0.0.1:80'\n").unwrap_err();
        assert!(plain.contains("service.listen: there is no port without TLS"), "{plain}");
        let half = read("[service]\nlisten = '127.0.0.1:80'\n[service.tls]\ncertificate = 'c.pem'").unwrap_err();
        assert!(half.contains("there is no port without TLS"), "{half}");
        let name = read("[service]\nlisten = 'localhost:80'\n").unwrap_err();
        assert!(name.contains("no address with a port"), "{name}");
    }

    #[test]
    fn clients_and_issuers_have_a_role_and_a_scope() {
        let text = TLS.to_owned()
            + "client_ca = 'ca.pem'\nclient_crl = 'crl.pem'\nclient_certificates = 'required'\n[[service.client]]\ncertificate = 'dash.example'\n\
               name = 'dashboard'\nrole = 'viewer'\ndomains = ['web-*']\n[[service.issuer]]\nname = 'corp'\n\
               url = 'https://id.example'\naudience = 'waypost'\ngrants = [{ value = 'ops', role = 'operator' }]\n";
        let Config { access, listen, .. } = read(&text).unwrap();
        assert_eq!(listen.unwrap().client_crl, Some("/etc/waypost/crl.pem".into()));
        assert_eq!((access.clients[0].role, access.clients[0].scope.domains.len()), (Role::Viewer, 1));
        let issuer = &access.issuers[0];
        assert_eq!((issuer.name_claim.as_str(), issuer.role_claim.as_str()), ("sub", "groups"));
        assert_eq!((issuer.grants[0].value.as_str(), issuer.grants[0].role), ("ops", Role::Operator));
        for (mistake, meant, said) in [
            ("role = 'viewer'", "role = 'boss'", "unknown word \"boss\", allowed: viewer, operator"),
            ("name = 'dashboard'", "name = 'a:b'", "\"a:b\" is no name"),
            ("https://id", "http://id", "does not begin with https://"),
            ("client_ca = 'ca.pem'\n", "", "nobody vouches for client certificates"),
            ("'required'", "'perhaps'", "unknown word \"perhaps\""),
            ("audience", "audiense", "audiense"),
            ("domains = ['web-*']", "domains = []", "service.client.dashboard.domains: the list is empty"),
            ("domains = ['web-*']", "hosts = []", "service.client.dashboard.hosts: the list is empty"),
            (
                "role = 'operator' }",
                "role = 'operator', hosts = [] }",
                "service.issuer.corp.grants.hosts: the list is empty",
            ),
            ("role = 'operator' }", "role = 'viewer', domains = [] }", "grants.domains: the list is empty"),
        ] {
            let error = read(&text.replace(mistake, meant)).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
        let second = "[[service.client]]\ncertificate = 'dash.example'\nname = 'other'\nrole = 'admin'\n";
        let error = read(&(text.clone() + second)).unwrap_err();
        let said = "service.client.other.certificate: \"dash.example\" is the certificate of dashboard already";
        assert!(error.contains(said), "{error}");
        for (name, url, said) in [
            ("corp", "https://other.example", "service.issuer.corp.name: \"corp\" is that of another issuer, corp"),
            (
                "other",
                "https://id.example",
                "service.issuer.other.url: \"https://id.example\" is that of another issuer",
            ),
        ] {
            let twice = format!(
                "{text}[[service.issuer]]\nname = '{name}'\nurl = '{url}'\naudience = 'waypost'\n\
                 grants = [{{ value = 'ops', role = 'admin' }}]\n"
            );
            let error = read(&twice).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
        let hosts = "[[host]]\nname = 'kvm1'\nuri = 'qemu:///system'\n".to_owned() + &text;
        let error = read(&hosts.replace("domains = ['web-*']", "hosts = ['kvm9']")).unwrap_err();
        assert!(error.contains("there is no host \"kvm9\"; there are: kvm1"), "{error}");
        let role = read("[service]\nsocket_role = 'viewer'").unwrap().access.socket_role;
        assert_eq!(role, Role::Viewer);
        assert_eq!(read("").unwrap().access.socket_role, Role::Operator);
        let names = read("[service]\nnames = ['Dash.example', 'waypost']").unwrap().access.names;
        assert_eq!(names, ["dash.example", "waypost"]);
        for name in
            ["", "*.example", "dash.example:443", "https://dash.example", "dash..example", "dash.example.", "a b"]
        {
            let error = read(&format!("[service]\nnames = ['{name}']")).unwrap_err();
            assert!(error.contains("service.names") && error.contains("is no name of a host"), "{error}");
        }
    }
}
