//! The description of all this for programs: made from the routes themselves, so that it can't tell of others.

use std::collections::BTreeMap;

use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoResponses, OpenApi as _};
use waypost_api::v1::PROBLEM_JSON;

use crate::routes;

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Waypost",
        version = "v1",
        description = "Moves virtual machines between libvirt hosts. Within v1 fields, words and routes may be added; none \
                       changes its meaning or goes.",
        license(name = "Apache-2.0 OR MIT", identifier = "Apache-2.0 OR MIT"),
    ),
    components(schemas(waypost_api::v1::Problem, waypost_api::v1::RecordEvent, waypost_api::v1::Progress)),
    tags(
        (name = "tasks", description = "Migrations as tasks"),
        (name = "events", description = "What happens, as it happens"),
        (name = "checks", description = "What the rules say; nothing is touched"),
        (name = "hosts", description = "Hosts and domains as they are"),
        (name = "plugins", description = "Policies"),
        (name = "system", description = "The service itself"),
    )
)]
pub(crate) struct Document;

/// The OpenAPI 3.1 document of the routes.
pub fn openapi() -> OpenApi {
    routes::all().into_openapi()
}

impl Document {
    pub(crate) fn begin() -> OpenApi {
        Self::openapi()
    }
}

/// What every route may answer besides: a problem.
pub(crate) struct Problems;

impl IntoResponses for Problems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
        let response =
            ResponseBuilder::new().description("It went wrong; `code` says how").content(PROBLEM_JSON, problem).build();
        BTreeMap::from([("default".to_owned(), RefOr::T(response))])
    }
}
