//! What may be asked. Each file has the routes of one noun and their description; the router and the OpenAPI document are
//! made of the same list.

mod audit;
mod checks;
mod events;
mod hosts;
mod past;
mod plugins;
mod recovery;
mod session;
mod system;
pub(crate) mod tasks;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::openapi::Document;
use crate::service::Service;

/// All routes.
pub(crate) fn all() -> OpenApiRouter<Service> {
    OpenApiRouter::with_openapi(Document::begin())
        .routes(routes!(system::version))
        .routes(routes!(system::description))
        .routes(routes!(system::health))
        .routes(routes!(system::ready))
        .routes(routes!(plugins::list))
        .routes(routes!(plugins::get, plugins::put, plugins::delete))
        .routes(routes!(plugins::enable))
        .routes(routes!(plugins::disable))
        .routes(routes!(plugins::settings, plugins::put_settings, plugins::patch_settings, plugins::forget_settings))
        .routes(routes!(past::decisions))
        .routes(routes!(hosts::hosts))
        .routes(routes!(hosts::host))
        .routes(routes!(hosts::facts))
        .routes(routes!(hosts::domains_of))
        .routes(routes!(hosts::domain_facts))
        .routes(routes!(hosts::domains))
        .routes(routes!(hosts::queue))
        .routes(routes!(hosts::readiness))
        .routes(routes!(checks::check))
        .routes(routes!(checks::dry_run))
        .routes(routes!(tasks::create, tasks::list))
        .routes(routes!(tasks::top))
        .routes(routes!(tasks::get))
        .routes(routes!(tasks::records))
        .routes(routes!(past::samples))
        .routes(routes!(tasks::cancel))
        .routes(routes!(tasks::retry))
        .routes(routes!(tasks::steer))
        .routes(routes!(recovery::situation))
        .routes(routes!(recovery::act))
        .routes(routes!(events::all))
        .routes(routes!(events::of_task))
        .routes(routes!(events::changes))
        .routes(routes!(audit::list))
        .routes(routes!(session::get, session::begin, session::end))
}
