//! What to do about an error that ends a command, in the words of whoever typed it: what a service advises to a program is said
//! here in commands.

use std::io::ErrorKind;

use waypost::EngineError;
use waypost::api::v1::Problem;
use waypost::core::ports::Fault;
use waypost::remedy;
use waypost::service::client::{Address, ClientError, Distrust, NotLetIn};

/// Advice for an error's most telling part.
pub fn on(error: &anyhow::Error) -> Option<String> {
    if let Some(error) = error.downcast_ref::<EngineError>() {
        return error.remedy();
    }
    if let Some(error) = error.downcast_ref::<ClientError>() {
        return of_service(error);
    }
    error.downcast_ref::<Fault>().and_then(remedy::of)
}

fn of_service(error: &ClientError) -> Option<String> {
    Some(match error {
        ClientError::Connect { address: Address::Socket(path), source } => match source.kind() {
            ErrorKind::PermissionDenied => {
                format!("whoever may write to the socket may connect: `ls -l {}` shows its group", path.display())
            }
            _ => "no service listens there: start `waypost serve`, name another with --service, or work alone with \
                  `--service here`"
                .into(),
        },
        ClientError::Connect { .. } => {
            "see that the service listens there (service.listen in its configuration) and that nothing on the way refuses".into()
        }
        ClientError::Untrusted { why, .. } => match why {
            Distrust::OtherName => "ask for it by a name that stands in its certificate".into(),
            Distrust::UnknownAuthority => {
                "name the authority that signed it: --ca-file FILE, or client.ca_file in the configuration".into()
            }
            Distrust::OutOfTime => "see the clocks of both machines, and renew the certificate".into(),
            Distrust::NoTls => "see that the port is that of the service".into(),
            Distrust::Other(_) => return None,
        },
        ClientError::NotLetIn { why, .. } => match why {
            NotLetIn::NoCertificate => "show one: client.certificate and client.key in the configuration".into(),
            NotLetIn::Expired | NotLetIn::Revoked => {
                "have a new one made, and name its files in client.certificate and client.key".into()
            }
            NotLetIn::UnknownAuthority | NotLetIn::Unusable => {
                "see which authority it is of: the service trusts that of its service.tls.client_ca, and where it has a \
                 service.tls.client_crl only with a list that is not too old"
                    .into()
            }
        },
        ClientError::Late { .. } | ClientError::Lost { .. } => {
            "see that the service runs; `waypost tasks` tells what became of what was asked for".into()
        }
        ClientError::Between { .. } => {
            "see that the service runs, and what the proxy before it says; `waypost tasks` tells what became of what was asked for".into()
        }
        ClientError::Version { .. } | ClientError::NoRoute { .. } => {
            "use the `waypost` of the service's own version, here or on its machine".into()
        }
        ClientError::Problem { problem, .. } => return of_problem(problem),
        ClientError::Address { .. } | ClientError::File { .. } | ClientError::Unclear { .. } => return None,
    })
}

fn of_problem(problem: &Problem) -> Option<String> {
    Some(match problem.code.as_str() {
        "no-caller" => "show a token: --token-file FILE, $WAYPOST_TOKEN_FILE or client.token_file in the configuration; \
                        `waypost token create` on the service's machine makes one"
            .into(),
        "bad-token" => "have a new one made: `waypost token create` on the service's machine".into(),
        "role-missing" | "out-of-scope" => {
            "ask whoever administers the service for a token that may: `waypost token list` on its machine shows what each may".into()
        }
        "draining" => "it is being stopped or started anew: ask again in a moment".into(),
        "busy" => "ask again in a moment".into(),
        "no-such-task" => "`waypost tasks` lists them".into(),
        "no-such-domain" => {
            "`waypost domains` lists the domains of all hosts, `waypost hosts` the hosts that don't answer".into()
        }
        "domain-unclear" => "name the source with --from".into(),
        "not-permitted" => {
            let task = problem.task.as_deref().unwrap_or("ID");
            format!("`waypost recover {task} --look` says what is permitted, and why")
        }
        // What it advises to a program is no command.
        _ => return problem.remedy.clone().filter(|remedy| !remedy.contains("/api/v1/")),
    })
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn problem(code: &str, remedy: Option<&str>) -> Problem {
        Problem {
            kind: format!("urn:waypost:problem:{code}"),
            title: "t".into(),
            status: 409,
            detail: "d".into(),
            code: code.into(),
            phase: None,
            cause: None,
            remedy: remedy.map(str::to_owned),
            task: Some("7".into()),
        }
    }

    #[test]
    fn a_service_that_is_not_there_is_told_from_one_that_is_closed_to_us() {
        let at = |kind: ErrorKind| {
            let address = "unix:/run/w.sock".parse().unwrap();
            on(&ClientError::Connect { address, source: io::Error::from(kind) }.into()).unwrap()
        };
        assert!(at(ErrorKind::NotFound).contains("start `waypost serve`"));
        assert!(at(ErrorKind::ConnectionRefused).contains("start `waypost serve`"));
        assert!(at(ErrorKind::PermissionDenied).contains("`ls -l /run/w.sock`"));
    }

    #[test]
    fn nobody_at_a_shell_is_told_to_send_a_request() {
        for code in waypost::service::Code::ALL {
            let told = of_problem(&problem(code.as_str(), Some("GET /api/v1/tasks lists them")));
            assert!(!told.unwrap_or_default().contains("/api/v1/"), "{code:?}");
        }
        assert_eq!(of_problem(&problem("host-failed", Some("look"))).as_deref(), Some("look"));
        assert!(of_problem(&problem("not-permitted", None)).unwrap().contains("`waypost recover 7 --look`"));
    }
}
