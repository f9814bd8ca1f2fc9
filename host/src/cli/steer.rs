//! `waypost steer ID`: tells whoever drives the task what a person wants of its running transfer.

use waypost::api::v1::{self, Document};
use waypost::core::ports::Wish;

use super::answers::{Answers, Mover};
use super::app::App;
use super::args::Steer;
use super::exit::Exit;

pub fn run(app: &App, args: &Steer) -> anyhow::Result<Exit> {
    let wanted = v1::Steer {
        max_downtime_ms: args.max_downtime,
        bandwidth_mib_s: args.bandwidth,
        throttle_percent: args.throttle,
        post_copy: args.postcopy,
        suspend: args.suspend,
    };
    let answers = Answers::of(app)?;
    answers.block_on(async {
        let mover = answers.mover().await?;
        // One that can't be done leaves the others undone too, here as there.
        match &mover {
            Mover::There(client) => drop(client.steer(args.id, &wanted).await?),
            Mover::Here(waypost) => {
                let wish = |(action, value)| Wish { action, value, requester: app.requester() };
                let wishes: Vec<Wish> = wanted.wishes().into_iter().map(wish).collect();
                waypost.engine().request_steering(args.id, &wishes)?;
            }
        }
        let mut asked = Vec::new();
        for (action, value) in wanted.wishes() {
            asked.push(v1::Wish { action: action.to_string(), value });
            let value = value.map(|value| format!(" {value}")).unwrap_or_default();
            app.out.note(format!("asked task {} for {action}{value}", args.id));
        }
        app.out.note(format!("whether it was done: waypost task {}", args.id));
        app.out.document(Document::Steered(v1::Steered { task: args.id.to_string(), asked }));
        Ok(Exit::Done)
    })
}
