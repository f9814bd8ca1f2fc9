//! Another configuration on SIGHUP, and the port's certificate as its files are now. A file that can't be used changes nothing,
//! and is told; so is what takes a new start.

use sd_notify::NotifyState;
use tokio::signal::unix::Signal;
use waypost::core::causes::told;
use waypost::service::port::{Identity, Listen};
use waypost::{Config, Reloaded, Waypost};

use super::manager::Manager;
use crate::cli::output::Out;

/// As whom the port answers, and where that is read.
pub type Certificate = (Identity, Listen);

/// Reads the configuration again whenever that signal comes. `status` is what is said of the service otherwise.
pub async fn on(
    mut signal: Signal,
    waypost: Waypost,
    certificate: Option<Certificate>,
    manager: Manager,
    out: Out,
    status: String,
) {
    while signal.recv().await.is_some() {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => manager.tell(&[NotifyState::Reloading, now]),
            Err(error) => tracing::warn!(%error, "the time can't be told"),
        }
        let read = {
            let (waypost, certificate) = (waypost.clone(), certificate.clone());
            tokio::task::spawn_blocking(move || {
                let renewed = certificate.map_or(Ok(()), |(identity, listen)| identity.renew(&listen));
                if let Err(error) = renewed {
                    tracing::error!("the port goes on with the certificate that it has: {}", told(&error));
                }
                again(&waypost)
            })
            .await
        };
        let status = match read {
            Ok(Ok(Reloaded { taken, left })) => {
                for what in left {
                    tracing::warn!("{what}: this differs in the configuration, and takes a new start");
                }
                match taken.is_empty() {
                    true => out.note("the configuration was read again; nothing is different"),
                    false => out.note(format!("the configuration was read again; in force now: {}", taken.join("; "))),
                }
                status.clone()
            }
            Ok(Err(error)) => {
                tracing::error!("the configuration can't be used, and the one before stays in force: {error:#}");
                format!("{status}; the configuration that was read last can't be used: {error:#}")
            }
            Err(_) => {
                tracing::error!("a defect: reading the configuration again panicked");
                status.clone()
            }
        };
        manager.tell(&[NotifyState::Ready, NotifyState::Status(&status)]);
    }
}

/// The same file as at the start, or, where there was none, the first that is found now.
fn again(waypost: &Waypost) -> anyhow::Result<Reloaded> {
    let file = waypost.config().file.clone();
    Ok(waypost.reload(&Config::find(file.as_deref())?)?)
}
