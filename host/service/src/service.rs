//! The whole: what it is made of, and what a program that has one can do with it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::HeaderMap;
use axum::middleware::from_fn_with_state;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use waypost_api::v1;
use waypost_core::access::Ledger;
use waypost_core::facts::Disk;
use waypost_core::feed::Feed;
use waypost_core::ids::{HostName, PluginName};
use waypost_core::plan::Plan;
use waypost_core::ports::{Clock, Hypervisor, Store, StoreFault};
use waypost_core::request::Options;
use waypost_engine::Engine;

use crate::access::{Access, Keeper, Lockout};
use crate::desk::Desk;
use crate::each::Each;
use crate::hub::Hub;
use crate::kimchi::{self, Kimchi, KnownHost};
use crate::limits::Limits;
use crate::metrics::{self, Metrics};
use crate::policies::{Against, Condition, NotChanged, PluginChange};
use crate::problem::{Code, Failed};
use crate::rate::Rate;
use crate::readings::Readings;
use crate::traces::{self, Exporter, Traces};
use crate::{gate, pages, routes};

/// What only the program that put the parts together can tell, in the same words as its command.
pub trait Site: Send + Sync {
    /// All policies, also those that are broken or missing. May read files.
    fn plugins(&self) -> v1::Plugins;
    /// The same policies, of which only name, state and reason are looked at: for whoever asks often whether the service is ready.
    fn standing(&self) -> Vec<v1::Plugin> {
        self.plugins().plugins
    }
    /// A plan in words, and what stands around it: who would be asked on the way, how often it may be tried.
    fn choices(&self, plan: &Plan, asked: &Options, disks: &[Disk]) -> Vec<v1::Choice>;
    /// The settings of a policy; none: there is no such policy. May read files.
    fn plugin_settings(&self, _name: &PluginName) -> Option<v1::PluginSettings> {
        None
    }
    /// Changes a policy for the decisions that follow, if the condition holds of what is there: of its tag in
    /// [`v1::Plugin::etag`], and where settings are changed of the [tag](crate::tag_of) of its settings. May read and write files
    /// and compile.
    fn change_plugin(&self, name: &PluginName, _: PluginChange, _: &Condition) -> Result<(), NotChanged> {
        let (detail, remedy) =
            (format!("{name} can't be changed over this service"), "change it where it is configured");
        Err(NotChanged::new(Against::Fixed, detail, remedy))
    }
    /// The plan of a task in words, without the disks that stay, which are on no record.
    fn recorded_choices(&self, _plan: &Plan, _asked: &Options) -> Vec<v1::Choice> {
        Vec::new()
    }
    /// By what else than their names hosts may be meant, as of now.
    fn known_hosts(&self) -> Vec<KnownHost> {
        Vec::new()
    }
    /// What the calls of policies came to so far, by policy and hook.
    fn plugin_calls(&self) -> Vec<PluginCalls> {
        Vec::new()
    }
}

/// What the calls of one policy for one of its hooks came to since the program began.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PluginCalls {
    /// Name of the policy.
    pub plugin: String,
    /// `precheck`, `transform`, `recovery`, `convergence`.
    pub hook: String,
    /// How often it was asked.
    pub calls: u64,
    /// How often it gave no usable answer, by a word for why.
    pub failures: Vec<(String, u64)>,
    /// Fuel used.
    pub fuel: u64,
    /// Time used, µs.
    pub micros: u64,
}

/// What a service is put together from.
#[derive(Clone)]
pub struct Parts {
    /// Moves domains.
    pub engine: Engine,
    /// The hosts.
    pub hypervisor: Arc<dyn Hypervisor>,
    /// Journals.
    pub store: Arc<dyn Store>,
    /// The same store, for readers.
    pub feed: Arc<dyn Feed>,
    /// The same store, for who may do what.
    pub ledger: Arc<dyn Ledger>,
    /// The clock of these hosts.
    pub clock: Arc<dyn Clock>,
    /// What else there is to tell.
    pub site: Arc<dyn Site>,
}

/// Waypost as a service. Cheap to clone; it works until the last clone is gone or it is drained.
#[derive(Clone)]
pub struct Service {
    pub(crate) shared: Arc<Shared>,
    kimchi: Option<Arc<Kimchi>>,
    keeper: Arc<Keeper>,
    traces: Option<Arc<Exporter>>,
}

/// How long the last traces may take when a service stops.
const LAST_TRACES: Duration = Duration::from_secs(5);

pub(crate) struct Shared {
    pub(crate) parts: Parts,
    pub(crate) limits: Limits,
    pub(crate) desk: Arc<Desk>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) metrics: Metrics,
    /// How often each caller asks.
    pub(crate) rate: Rate,
    /// Places for requests, for those that wait on purpose, and for changes of policies.
    pub(crate) requests: Semaphore,
    pub(crate) watchers: Arc<Semaphore>,
    pub(crate) uploads: Arc<Semaphore>,
    /// What was in the way of the service's work when it was last looked at.
    pub(crate) ready: tokio::sync::Mutex<Option<(Instant, Vec<String>)>>,
    /// One task is made at a time, so that of two requests with one key the second finds the task of the first.
    pub(crate) making: Mutex<()>,
    /// Wrong passwords of hosts, by who gave them and for which host.
    pub(crate) host_logins: Lockout<(String, HostName)>,
    /// Held while such a password is tried: of many that come at once each is tried after those before it were counted.
    pub(crate) login_turns: Each<(String, HostName), tokio::sync::Mutex<()>>,
    /// How hosts are, for many who look at once.
    pub(crate) readings: Readings,
}

impl Service {
    /// Puts a service together and sets it to work: tasks that nobody drives are taken over from here on. Must be called
    /// inside a tokio runtime, which it uses and never makes.
    pub fn start(parts: Parts, limits: Limits) -> Self {
        // Before anything is taken over, so that whatever this service does counts.
        let metrics = Metrics::begin(parts.feed.as_ref());
        let hub = Hub::new(Arc::clone(&parts.feed), limits.kept_event_bytes);
        let desk = Desk::new(parts.engine.clone(), Arc::clone(&parts.feed), Arc::clone(&hub));
        tokio::spawn(Hub::feed_listeners(Arc::downgrade(&hub), limits.look_every));
        tokio::spawn(Desk::keep_adopting(Arc::downgrade(&desk), limits.adopt_every));
        let keeper = Keeper::new(Access::default(), Arc::clone(&parts.ledger), Arc::clone(&parts.clock));
        let requests = Semaphore::new(limits.requests);
        let watchers = Arc::new(Semaphore::new(limits.watchers));
        let uploads = Arc::new(Semaphore::new(limits.uploads));
        let rate = Rate::new(&limits);
        let (making, ready) = (Mutex::new(()), tokio::sync::Mutex::default());
        let (host_logins, login_turns, readings) = (Lockout::default(), Each::default(), Readings::default());
        let shared = Shared {
            metrics,
            parts,
            limits,
            desk,
            hub,
            rate,
            requests,
            watchers,
            uploads,
            ready,
            making,
            host_logins,
            login_turns,
            readings,
        };
        Self { shared: Arc::new(shared), kimchi: None, keeper: Arc::new(keeper), traces: None }
    }

    /// The same service, which knows callers as the site says. [`Access::check`] tells whether all of that can be used.
    #[must_use]
    pub fn with_access(self, access: Access) -> Self {
        let parts = &self.shared.parts;
        let keeper = Keeper::new(access, Arc::clone(&parts.ledger), Arc::clone(&parts.clock));
        Self { keeper: Arc::new(keeper), ..self }
    }

    pub(crate) fn keeper(&self) -> &Arc<Keeper> {
        &self.keeper
    }

    /// The same service, which sends a trace of each task that ends from here on, or sends none any more. [`Traces::check`] tells
    /// whether it can; where it can't, the log says so and nothing else changes.
    #[must_use]
    pub fn with_traces(self, traces: Option<&Traces>) -> Self {
        let counts = self.shared.metrics.traced.clone();
        let begun = traces.map(|traces| Exporter::begin(traces, &self.shared.parts, counts)).transpose();
        let traces = begun.unwrap_or_else(|error| {
            tracing::error!(%error, "there are no traces");
            None
        });
        Self { traces: traces.map(Arc::new), ..self }
    }

    /// Within what else a task is asked for by a request with these headers, where that is of use to a trace.
    pub(crate) fn asked_within(&self, headers: &HeaderMap) -> Option<String> {
        self.traces.as_ref().and_then(|_| traces::context::of(headers))
    }

    /// The same service, whose router also has the routes that Kimchi's clients know, or has them no more.
    #[must_use]
    pub fn with_kimchi(self, kimchi: Option<Kimchi>) -> Self {
        Self { kimchi: kimchi.map(Arc::new), ..self }
    }

    /// The routes: `/api/v1`, `/metrics`, the pages at `/`, and those for Kimchi's clients where they are wanted. Every request must carry a
    /// [`Caller`](crate::Caller) among its extensions, put there by whoever has proven who asks; without one it is refused.
    /// The service's own listeners do that, and what the caller may is its role and scope in any case.
    pub fn router(&self) -> Router {
        let (router, _) = routes::all().split_for_parts();
        let router = router
            .merge(pages::routes())
            .merge(metrics::routes())
            .fallback(async || Failed::new(Code::NoSuchRoute, "there is nothing at this path"))
            .method_not_allowed_fallback(async || Failed::new(Code::WrongMethod, "this path has no such method"))
            .layer(DefaultBodyLimit::max(self.shared.limits.body_bytes))
            .layer(from_fn_with_state(self.clone(), gate::pass))
            .layer(from_fn_with_state(self.clone(), metrics::http::count))
            .with_state(self.clone());
        match &self.kimchi {
            Some(kimchi) => router.merge(kimchi::routes(self, kimchi)),
            None => router,
        }
    }

    /// Stops: nothing new is taken on, event streams end, and every task is left where that costs least, for which it has so
    /// long. Transfers go on in the hosts; whoever starts next over the same store takes the tasks over.
    pub async fn drain(&self, most: Duration) {
        self.begin_draining();
        self.shared.desk.drain(most).await;
        if let Some(traces) = &self.traces {
            traces.finish(LAST_TRACES).await;
        }
    }

    /// The first part of [`Service::drain`]: nothing new is taken on, and event streams end.
    pub fn begin_draining(&self) {
        self.shared.desk.begin_draining();
        self.shared.hub.stop();
    }

    /// Whether it is being stopped.
    pub fn is_draining(&self) -> bool {
        self.shared.desk.is_draining()
    }

    /// How many tasks are driven by this service right now.
    pub fn driven(&self) -> usize {
        self.shared.desk.driven()
    }

    /// Ends when everything that the service's work goes through has turned once: the runtime, the threads that read the disk,
    /// the store, the look for tasks that nobody drives, and the loop of every driven task. Never ends where one of them hangs,
    /// so it is asked with a time limit, by whoever would restart a service that is dead. That something *fails* is an answer:
    /// a restart would not mend it, and `/api/v1/system/ready` tells it.
    pub async fn pulse(&self) {
        let turned = tokio::spawn(async {});
        // An error is told where it is asked for.
        let _ = self.read(|feed| feed.last_change()).await;
        self.shared.desk.pulse().await;
        let _ = turned.await;
    }

    /// Runs work that reads or writes the disk off the threads that drive tasks.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, Failed> + Send + 'static,
    ) -> Result<T, Failed> {
        let service = self.clone();
        match tokio::task::spawn_blocking(move || work(&service)).await {
            Ok(answer) => answer,
            Err(_) => Err(Failed::new(Code::Defect, "a defect in the service; its log has more")),
        }
    }

    /// Reads from the feed.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Feed) -> Result<T, StoreFault> + Send + 'static,
    ) -> Result<T, Failed> {
        self.blocking(move |service| Ok(work(service.shared.parts.feed.as_ref())?)).await
    }
}
