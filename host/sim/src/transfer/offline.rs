//! A migration of a mere definition: no memory, no job that anybody sees.

use waypost_core::ports::Fault;

use super::ending::Trouble;
use super::{BEGIN, CONFIRM, FINISH, Run, checks};
use crate::edit::edited;
use crate::script::Step;
use crate::state::{Local, lifecycle};

impl Run<'_> {
    /// A definition travels. No event tells of it on the source, and a domain that runs there goes on running.
    pub(super) async fn offline(&self) -> Result<(), Fault> {
        self.register(false)?;
        let result = self.offline_stages().await.map_err(|trouble| self.clean_up(trouble));
        self.unregister(result)
    }

    async fn offline_stages(&self) -> Result<(), Trouble> {
        let id = self.id();
        self.enter(Step::Begin).await?;
        checks::begin(&self.world.state(), self.plan).map_err(Trouble::Refused)?;
        self.enter(Step::Prepare).await?;
        checks::prepare_offline(&self.world.state(), self.plan).map_err(Trouble::Refused)?;
        self.wait(BEGIN).await?;
        self.enter(Step::Finish).await?;
        self.wait(FINISH).await?;
        {
            let mut state = self.world.state();
            let source = state.local(self.source, id).map(|source| edited(source, &self.plan.edits));
            let Some(source) = source else { return Err(Trouble::SourceDied) };
            let name = self.plan.destination_name.clone();
            // A definition that is there already is overwritten without a word.
            let there = Local { name, persistent: true, autostart: false, process: None, off: "unknown", ..source };
            state.begin(self.destination, id, there, "offline migration");
            state.tell(self.destination, lifecycle(id, "defined", "added"));
        }
        self.enter(Step::Confirm).await?;
        self.wait(CONFIRM).await?;
        self.undefine_source().await;
        Ok(())
    }
}
