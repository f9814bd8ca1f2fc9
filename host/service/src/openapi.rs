//! The description of all this for programs: made from the routes themselves, so that it can't tell of others.

mod failures;

use std::collections::BTreeMap;

use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{OpenApi, RefOr, Required, Response, Schema};
use utoipa::{IntoParams, IntoResponses, Modify, OpenApi as _};

use crate::access::audit;
use crate::access::sessions::COOKIE;
use crate::policies::{NAME_BYTES, NAME_PATTERN};
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
    components(schemas(
        waypost_api::v1::AnyObject,
        waypost_api::v1::Problem,
        waypost_api::v1::RecordEvent,
        waypost_api::v1::Progress
    )),
    modifiers(&Proofs),
    security(("bearer" = []), ("session" = []), ("certificate" = []), ()),
    tags(
        (name = "tasks", description = "Migrations as tasks"),
        (name = "events", description = "What happens, as it happens"),
        (name = "checks", description = "What the rules say; nothing is touched"),
        (name = "hosts", description = "Hosts and domains as they are"),
        (name = "plugins", description = "Policies"),
        (name = "access", description = "Who may do what, and who did"),
        (name = "system", description = "The service itself"),
    )
)]
pub(crate) struct Document;

/// The OpenAPI 3.1 document of the routes.
pub fn openapi() -> OpenApi {
    let mut document = plain(routes::all().into_openapi());
    name_policies(&mut document);
    failures::fill_in(&mut document);
    document
}

/// The same without defaults that are objects or lists. Generators of clients know none, and what may be left out is optional
/// without it too: its parts say their own.
fn plain(mut document: OpenApi) -> OpenApi {
    if let Some(components) = &mut document.components {
        components.schemas.values_mut().for_each(without_large_defaults);
    }
    document
}

/// Says of the policy in a path what its name may be: any other is no such policy's, and refused (`bad-name`).
fn name_policies(document: &mut OpenApi) {
    let name = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(NAME_BYTES))
        .pattern(Some(NAME_PATTERN))
        .build();
    for item in document.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.put, &mut item.post, &mut item.patch, &mut item.delete];
        let parameters =
            operations.into_iter().flatten().filter_map(|operation| operation.parameters.as_mut()).flatten();
        let named =
            |parameter: &&mut Parameter| parameter.name == "plugin" && parameter.parameter_in == ParameterIn::Path;
        for parameter in parameters.filter(named) {
            parameter.schema = Some(RefOr::T(Schema::Object(name.clone())));
        }
    }
}

fn without_large_defaults(schema: &mut RefOr<Schema>) {
    let RefOr::T(schema) = schema else { return };
    let (parts, default) = match schema {
        Schema::Object(object) => {
            object.properties.values_mut().for_each(without_large_defaults);
            (None, &mut object.default)
        }
        Schema::Array(array) => (None, &mut array.default),
        Schema::OneOf(one) => (Some(&mut one.items), &mut one.default),
        Schema::AllOf(all) => (Some(&mut all.items), &mut all.default),
        Schema::AnyOf(any) => (Some(&mut any.items), &mut any.default),
        _ => return,
    };
    parts.into_iter().flatten().for_each(without_large_defaults);
    if default.as_ref().is_some_and(|default| default.is_object() || default.is_array()) {
        *default = None;
    }
}

impl Document {
    pub(crate) fn begin() -> OpenApi {
        Self::openapi()
    }
}

/// How callers prove who they are. On the Unix socket the kernel says it, which no scheme of OpenAPI describes.
struct Proofs;

impl Modify for Proofs {
    fn modify(&self, document: &mut OpenApi) {
        let components = document.components.get_or_insert_default();
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("A token of `waypost token create`, or of an issuer that the site trusts"))
            .build();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
        let cookie = ApiKeyValue::with_description(COOKIE, "Set by `POST /api/v1/session`");
        components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
        let description = Some("A client certificate that the configuration knows".to_owned());
        components.add_security_scheme("certificate", SecurityScheme::MutualTls { description, extensions: None });
    }
}

/// The header in which whoever asks for a change says why, as it is enforced where the change is noted.
pub(crate) struct Reason;

impl IntoParams for Reason {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let text = ObjectBuilder::new()
            .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
            .max_length(Some(audit::LONGEST))
            // No control characters, so that it stays on one line.
            .pattern(Some(r"^[^\x00-\x1f\x7f-\x9f]*$"))
            .build();
        let reason = ParameterBuilder::new()
            .name("Waypost-Reason")
            .parameter_in(ParameterIn::Header)
            .description(Some(format!("Why, for the audit log; at most {} characters", audit::LONGEST)))
            .required(Required::False)
            .schema(Some(text))
            .build();
        vec![reason]
    }
}

/// Where a route says that it may fail. It is in no document: [`failures`] puts what may go wrong there in its place.
const ANY_PROBLEM: &str = "default";

/// What every route may answer besides: a problem.
pub(crate) struct Problems;

impl IntoResponses for Problems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        BTreeMap::from([(ANY_PROBLEM.to_owned(), RefOr::T(Response::new("It went wrong; `code` says how")))])
    }
}
