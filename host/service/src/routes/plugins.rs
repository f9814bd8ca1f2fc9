//! The policies: which there are, and what may be changed of them while the service runs. What grants a policy rights, and how far
//! it is obeyed, stays in the configuration.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::IntoParams;
use waypost_api::v1;
use waypost_core::ids::PluginName;

use crate::caller::Caller;
use crate::input::{Body, OfPlugin, Params};
use crate::openapi::{Problems, Reason};
use crate::policies::{Against, Condition, NotChanged, PluginChange, archive, tag_of};
use crate::problem::{Code, Failed};
use crate::service::Service;

/// Seconds after which it is worth asking again whether a file is compiled.
const COMPILING_S: u64 = 30;

/// The policies, and what is wrong with those that are not in force.
#[utoipa::path(get, path = "/api/v1/plugins", tag = "plugins", operation_id = "plugins",
    responses((status = 200, body = v1::Plugins, description = "The policies"), Problems))]
pub(crate) async fn list(State(service): State<Service>) -> Result<Json<v1::Plugins>, Failed> {
    service.blocking(|service| Ok(Json(service.shared.parts.site.plugins()))).await
}

/// One policy.
#[utoipa::path(get, path = "/api/v1/plugins/{plugin}", tag = "plugins", operation_id = "plugin",
    params(("plugin" = String, Path, description = "Name")),
    responses(
        (status = 200, body = v1::Plugin, description = "The policy",
            headers(("ETag" = String, description = "What `If-Match` wants to hear"))),
        Problems
    ))]
pub(crate) async fn get(State(service): State<Service>, OfPlugin(name): OfPlugin) -> Result<Response, Failed> {
    service.blocking(move |service| Ok(shown(StatusCode::OK, of(service, &name)?))).await
}

/// How a file is put down.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct Putting {
    /// false: it is not asked until it is switched on, so its settings may be made first.
    enabled: Option<bool>,
}

/// Uploads a policy: a WebAssembly component, or a core module built with wit-bindgen. It is looked at as a file that is dropped
/// into a plugin folder is, compiled, and asked about its settings, all before it is put there; then the next decision asks
/// it. It has the rights that the configuration grants to its name, and no others.
#[utoipa::path(put, path = "/api/v1/plugins/{plugin}", tag = "plugins", operation_id = "putPlugin",
    request_body(content = String, content_type = "application/wasm", description = "The file as it is"),
    params(
        ("plugin" = String, Path, description = "Name: 1 to 64 letters, digits, `-` and `_`, of ASCII"),
        Putting,
        ("If-None-Match" = Option<String>, Header, description = "`*`: there must be none of that name"),
        ("If-Match" = Option<String>, Header, description = "ETag of the one that is replaced"),
        Reason
    ),
    responses(
        (status = 200, body = v1::Plugin, description = "Replaced", headers(("ETag" = String))),
        (status = 201, body = v1::Plugin, description = "Made", headers(("ETag" = String))),
        Problems
    ))]
pub(crate) async fn put(
    State(service): State<Service>,
    OfPlugin(name): OfPlugin,
    Params(putting): Params<Putting>,
    request: Request,
) -> Result<Response, Failed> {
    let condition = wanted(condition(request.headers())?, &name)?;
    let declared = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = declared.map(|value| value.split(';').next().unwrap_or_default().trim());
    if !kind.is_some_and(|kind| kind.eq_ignore_ascii_case("application/wasm")) {
        return Err(Failed::new(Code::NotWasm, "the body is not declared as WebAssembly")
            .remedy("send the header Content-Type: application/wasm"));
    }
    // The gate has read it, as far as it may be.
    let read = request.into_body().collect().await;
    let file: Bytes = read.map_err(|error| Failed::new(Code::BadRequest, error.to_string()))?.to_bytes();
    if let Some(kind) = archive(&file) {
        return Err(Failed::new(Code::Archive, format!("the file is packed ({kind}), and nothing is unpacked here"))
            .remedy("send the .wasm itself"));
    }
    let status = if condition == Condition::Absent { StatusCode::CREATED } else { StatusCode::OK };
    change(&service, name, PluginChange::Put { file, enabled: putting.enabled }, condition, status).await
}

/// Deletes a policy that was uploaded, with what else was said of it over the service. Where a plugin folder has a file of the
/// same name, that one is asked again.
#[utoipa::path(delete, path = "/api/v1/plugins/{plugin}", tag = "plugins", operation_id = "deletePlugin",
    params(
        ("plugin" = String, Path, description = "Name"),
        ("If-Match" = String, Header, description = "Its ETag"),
        Reason
    ),
    responses((status = 204, description = "Deleted"), Problems))]
pub(crate) async fn delete(
    State(service): State<Service>,
    OfPlugin(name): OfPlugin,
    headers: HeaderMap,
) -> Result<StatusCode, Failed> {
    let condition = matched(&headers, &name)?;
    let make = move |service: &Service| {
        let site = &service.shared.parts.site;
        site.change_plugin(&name, PluginChange::Delete, &condition).map_err(Failed::from)
    };
    service.blocking(make).await.map(|()| StatusCode::NO_CONTENT)
}

/// Has a policy asked again, after it was tried whether it can be.
#[utoipa::path(post, path = "/api/v1/plugins/{plugin}/enable", tag = "plugins", operation_id = "enablePlugin",
    params(
        ("plugin" = String, Path, description = "Name"),
        ("If-Match" = Option<String>, Header, description = "Its ETag"),
        Reason
    ),
    responses((status = 200, body = v1::Plugin, description = "It is asked", headers(("ETag" = String))), Problems))]
pub(crate) async fn enable(
    State(service): State<Service>,
    OfPlugin(name): OfPlugin,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    let condition = condition(&headers)?;
    change(&service, name, PluginChange::Enable(true), condition, StatusCode::OK).await
}

/// Has a policy asked no more, until it is switched on again. Its file and its settings stay.
#[utoipa::path(post, path = "/api/v1/plugins/{plugin}/disable", tag = "plugins", operation_id = "disablePlugin",
    params(
        ("plugin" = String, Path, description = "Name"),
        ("If-Match" = Option<String>, Header, description = "Its ETag"),
        Reason
    ),
    responses((status = 200, body = v1::Plugin, description = "It is not asked", headers(("ETag" = String))), Problems))]
pub(crate) async fn disable(
    State(service): State<Service>,
    OfPlugin(name): OfPlugin,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    let condition = condition(&headers)?;
    change(&service, name, PluginChange::Enable(false), condition, StatusCode::OK).await
}

/// The settings of a policy. Who may change policies sees what they say; everybody else their names, and no ETag.
#[utoipa::path(get, path = "/api/v1/plugins/{plugin}/settings", tag = "plugins", operation_id = "pluginSettings",
    params(("plugin" = String, Path, description = "Name")),
    responses(
        (status = 200, body = v1::PluginSettings, description = "Those in force, and where they come from",
            headers(("ETag" = String, description = "What `If-Match` wants to hear, for whoever may change them"))),
        Problems
    ))]
pub(crate) async fn settings(
    State(service): State<Service>,
    caller: Caller,
    OfPlugin(name): OfPlugin,
) -> Result<Response, Failed> {
    service.blocking(move |service| settings_of(service, &caller, &name)).await
}

/// Makes these the settings of a policy, which is asked about them first. They go before those of the configuration, until they
/// are taken back.
#[utoipa::path(put, path = "/api/v1/plugins/{plugin}/settings", tag = "plugins", operation_id = "putPluginSettings",
    request_body(content = Object, description = "All of them"),
    params(
        ("plugin" = String, Path, description = "Name"),
        ("If-Match" = String, Header, description = "ETag of the settings that are replaced"),
        Reason
    ),
    responses((status = 200, body = v1::PluginSettings, description = "In force", headers(("ETag" = String))), Problems))]
pub(crate) async fn put_settings(
    State(service): State<Service>,
    caller: Caller,
    OfPlugin(name): OfPlugin,
    headers: HeaderMap,
    Body(settings): Body<Map<String, Value>>,
) -> Result<Response, Failed> {
    set(&service, caller, name, &headers, PluginChange::Settings(settings)).await
}

/// Changes some settings of a policy: a merge patch (RFC 7396) of those in force; null takes one away.
#[utoipa::path(patch, path = "/api/v1/plugins/{plugin}/settings", tag = "plugins", operation_id = "patchPluginSettings",
    request_body(content = Object, description = "What changes"),
    params(
        ("plugin" = String, Path, description = "Name"),
        ("If-Match" = String, Header, description = "ETag of the settings that are changed"),
        Reason
    ),
    responses((status = 200, body = v1::PluginSettings, description = "In force", headers(("ETag" = String))), Problems))]
pub(crate) async fn patch_settings(
    State(service): State<Service>,
    caller: Caller,
    OfPlugin(name): OfPlugin,
    headers: HeaderMap,
    Body(patch): Body<Map<String, Value>>,
) -> Result<Response, Failed> {
    set(&service, caller, name, &headers, PluginChange::Merge(patch)).await
}

/// Takes the settings back that were made over the service: those of the configuration are in force again.
#[utoipa::path(delete, path = "/api/v1/plugins/{plugin}/settings", tag = "plugins", operation_id = "forgetPluginSettings",
    params(
        ("plugin" = String, Path, description = "Name"),
        ("If-Match" = String, Header, description = "ETag of the settings that are taken back"),
        Reason
    ),
    responses((status = 200, body = v1::PluginSettings, description = "In force", headers(("ETag" = String))), Problems))]
pub(crate) async fn forget_settings(
    State(service): State<Service>,
    caller: Caller,
    OfPlugin(name): OfPlugin,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    set(&service, caller, name, &headers, PluginChange::ForgetSettings).await
}

/// Makes a change, and shows the policy as it is afterwards.
async fn change(
    service: &Service,
    name: PluginName,
    change: PluginChange,
    condition: Condition,
    status: StatusCode,
) -> Result<Response, Failed> {
    let make = move |service: &Service| {
        service.shared.parts.site.change_plugin(&name, change, &condition)?;
        Ok(shown(status, of(service, &name)?))
    };
    service.blocking(make).await
}

/// Changes settings, and shows them as they are afterwards.
async fn set(
    service: &Service,
    caller: Caller,
    name: PluginName,
    headers: &HeaderMap,
    change: PluginChange,
) -> Result<Response, Failed> {
    let condition = matched(headers, &name)?;
    let make = move |service: &Service| {
        service.shared.parts.site.change_plugin(&name, change, &condition)?;
        settings_of(service, &caller, &name)
    };
    service.blocking(make).await
}

fn of(service: &Service, name: &PluginName) -> Result<v1::Plugin, Failed> {
    let plugins = service.shared.parts.site.plugins().plugins;
    plugins.into_iter().find(|plugin| plugin.name == name.as_str()).ok_or_else(|| no_plugin(name))
}

fn settings_of(service: &Service, caller: &Caller, name: &PluginName) -> Result<Response, Failed> {
    let settings = service.shared.parts.site.plugin_settings(name).ok_or_else(|| no_plugin(name))?;
    if !caller.sees_settings() {
        // Without the tag, too: it is made of what they say, and a short secret is found by trying.
        return Ok(Json(settings.without_values()).into_response());
    }
    let tag = tag_of(&settings);
    Ok(tagged(Json(settings).into_response(), Some(&tag)))
}

fn no_plugin(name: &PluginName) -> Failed {
    Failed::new(Code::NoSuchPlugin, format!("there is no policy {name}")).remedy("GET /api/v1/plugins lists them")
}

fn shown(status: StatusCode, plugin: v1::Plugin) -> Response {
    let tag = plugin.etag.clone();
    tagged((status, Json(plugin)).into_response(), tag.as_deref())
}

fn tagged(mut response: Response, tag: Option<&str>) -> Response {
    // Hexadecimal digits in quotes.
    if let Some(value) = tag.and_then(|tag| HeaderValue::from_str(tag).ok()) {
        response.headers_mut().insert(header::ETAG, value);
    }
    response
}

/// The condition that a request names.
fn condition(headers: &HeaderMap) -> Result<Condition, Failed> {
    let said = |name: HeaderName| -> Result<Option<String>, Failed> {
        let mut all = Vec::new();
        for value in headers.get_all(&name) {
            let text = value.to_str().map_err(|_| wrong(format!("{name} is not a list of ETags")))?;
            all.push(text.trim().to_owned());
        }
        Ok(Some(all.join(", ")).filter(|_| !all.is_empty()))
    };
    match (said(header::IF_MATCH)?, said(header::IF_NONE_MATCH)?) {
        (None, None) => Ok(Condition::None),
        (None, Some(all)) if all == "*" => Ok(Condition::Absent),
        (None, Some(_)) => Err(wrong("If-None-Match is * or not there".to_owned())),
        (Some(_), Some(_)) => Err(wrong("If-Match and If-None-Match exclude each other".to_owned())),
        (Some(all), None) if all == "*" => Ok(Condition::Present),
        // A weak tag is none of ours, and never what is there.
        (Some(all), None) => Ok(Condition::OneOf(all.split(',').map(|tag| tag.trim().to_owned()).collect())),
    }
}

fn wrong(detail: String) -> Failed {
    Failed::new(Code::BadRequest, detail).remedy("send If-Match with the ETag of what is changed")
}

/// A condition, which must be there: a file is made or replaced, and who asks has to know which.
fn wanted(condition: Condition, name: &PluginName) -> Result<Condition, Failed> {
    match condition {
        Condition::None => {
            Err(Failed::new(Code::ConditionMissing, format!("nothing says what {name} is thought to be right now"))
                .remedy("send If-None-Match: * to make it, or If-Match with the ETag of the one that is replaced"))
        }
        condition => Ok(condition),
    }
}

/// The same where there has to be something already.
fn matched(headers: &HeaderMap, name: &PluginName) -> Result<Condition, Failed> {
    match condition(headers)? {
        Condition::None => {
            Err(Failed::new(Code::ConditionMissing, format!("nothing says what {name} is thought to be right now"))
                .remedy("send If-Match with the ETag that GET answers"))
        }
        Condition::Absent => Err(wrong("If-None-Match has no meaning here".to_owned())),
        condition => Ok(condition),
    }
}

impl From<NotChanged> for Failed {
    fn from(not: NotChanged) -> Self {
        let code = match not.against {
            Against::NoSuchPlugin => Code::NoSuchPlugin,
            Against::Changed => Code::ChangedMeanwhile,
            Against::Unusable => Code::PluginUnusable,
            Against::Compiling => Code::Busy,
            Against::SettingsRefused => Code::SettingsRefused,
            Against::Fixed => Code::PluginFixed,
            Against::Failed => Code::StoreFailed,
        };
        let mut failed = Self::new(code, not.detail);
        if not.against == Against::Compiling {
            failed = failed.retry_after(COMPILING_S);
        }
        if let Some(cause) = not.cause {
            failed = failed.because(cause);
        }
        match not.remedy {
            Some(remedy) => failed.remedy(remedy),
            None => failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(headers: &[(&str, &str)]) -> Result<Condition, Code> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap());
        }
        condition(&map).map_err(|failed| failed.code())
    }

    #[test]
    fn a_condition_is_read_from_either_header_and_never_from_both() {
        let tags = |tags: &[&str]| Condition::OneOf(tags.iter().map(|tag| (*tag).to_owned()).collect());
        for (headers, expected) in [
            (&[][..], Ok(Condition::None)),
            (&[("if-none-match", "*")], Ok(Condition::Absent)),
            (&[("if-match", " * ")], Ok(Condition::Present)),
            (&[("if-match", "\"a\", \"b\"")], Ok(tags(&["\"a\"", "\"b\""]))),
            (&[("if-match", "\"a\""), ("if-match", "\"b\"")], Ok(tags(&["\"a\"", "\"b\""]))),
            (&[("if-none-match", "\"a\"")], Err(Code::BadRequest)),
            (&[("if-match", "\"a\""), ("if-none-match", "*")], Err(Code::BadRequest)),
        ] {
            assert_eq!(read(headers), expected, "{headers:?}");
        }
    }
}
