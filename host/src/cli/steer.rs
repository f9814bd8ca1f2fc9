//! `waypost steer ID`: tells whoever drives the task what a person wants of its running transfer.

use waypost::api::v1::{self, Document};
use waypost::core::convergence::Steering;
use waypost::core::ports::Wish;
use waypost::wiring::Watching;

use super::app::App;
use super::args::Steer;
use super::exit::Exit;

pub fn run(app: &App, args: &Steer) -> anyhow::Result<Exit> {
    let wanted = [
        args.max_downtime.map(|ms| (Steering::SetDowntime, Some(ms))),
        args.bandwidth.map(|mib_s| (Steering::SetBandwidth, Some(mib_s))),
        args.postcopy.then_some((Steering::PostCopy, None)),
        args.suspend.then_some((Steering::Suspend, None)),
    ];
    let world = app.world();
    app.block_on(&world, async {
        let waypost = app.open(&world, Watching::Off).await?;
        let mut asked = Vec::new();
        for (action, value) in wanted.into_iter().flatten() {
            waypost.engine().request_steering(args.id, &Wish { action, value, requester: app.requester() })?;
            asked.push(v1::Wish { action: action.to_string(), value });
            let value = value.map(|value| format!(" {value}")).unwrap_or_default();
            app.out.note(format!("asked task {} for {action}{value}", args.id));
        }
        app.out.note(format!("whether it was done: waypost task {}", args.id));
        app.out.document(Document::Steered(v1::Steered { task: args.id.to_string(), asked }));
        Ok(Exit::Done)
    })
}
