//! What a person may do about a task whose migration failed: look at both hosts, and do one permitted action.

use axum::Json;
use axum::extract::{OriginalUri, State};
use axum::response::Response;
use waypost_api::v1;
use waypost_core::ids::TaskId;
use waypost_core::phase::Phase;
use waypost_engine::{Acted, EngineError, Order};

use super::tasks::{accepted, brief_of};
use crate::caller::Caller;
use crate::documents;
use crate::input::{Body, OfTask};
use crate::openapi::{Problems, Reason};
use crate::problem::{Code, Failed};
use crate::service::Service;

/// What both hosts say of the domain right now, and what that permits. Nothing is done.
#[utoipa::path(get, path = "/api/v1/tasks/{task}/situation", tag = "tasks", operation_id = "taskSituation",
    params(("task" = String, Path, description = "Task id")),
    responses((status = 200, body = v1::Situation, description = "Both sides, and what may be done"), Problems))]
pub(crate) async fn situation(
    State(service): State<Service>,
    OfTask(id): OfTask,
) -> Result<Json<v1::Situation>, Failed> {
    let brief = service.blocking(move |service| brief_of(service, id)).await?;
    match service.shared.parts.engine.look(id).await? {
        Some(seen) => Ok(Json(documents::situation(id, &seen))),
        None => {
            Err(Failed::new(Code::NothingToLookAt, format!("task {id} never had a plan")).task(id).phase(brief.phase))
        }
    }
}

/// Does one action, if both hosts permit it right now. Afterwards the recovery policy goes on with a task that is not over.
#[utoipa::path(post, path = "/api/v1/tasks/{task}/actions", tag = "tasks", operation_id = "actOnTask",
    request_body = v1::NewAction,
    params(
        ("task" = String, Path, description = "Task id"),
        Reason
    ),
    responses((status = 202, body = v1::TaskStatus, description = "Done; the records say what came of it"), Problems))]
pub(crate) async fn act(
    State(service): State<Service>,
    OriginalUri(uri): OriginalUri,
    caller: Caller,
    OfTask(id): OfTask,
    Body(v1::NewAction { action, network }): Body<v1::NewAction>,
) -> Result<Response, Failed> {
    let brief = service.blocking(move |service| brief_of(service, id)).await?;
    let open = matches!(brief.phase, Phase::Locating | Phase::Recovering | Phase::Ended);
    if !open {
        let is = brief.phase.to_string();
        return Err(Failed::from(EngineError::NotOpen { task: id, is }).phase(brief.phase));
    }
    // To its end, also when the client goes away in the middle.
    let working = service.clone();
    let order = Order { action: action.into(), network };
    let done = tokio::spawn(async move { once(&working, id, order, caller.name()).await });
    match done.await {
        Ok(done) => done?,
        Err(_) => return Err(Failed::new(Code::Defect, "a defect in the service; its log has more")),
    }
    accepted(&service, &uri, id).await
}

async fn once(service: &Service, id: TaskId, order: Order, by: &str) -> Result<(), Failed> {
    let desk = &service.shared.desk;
    desk.let_go(id).await;
    let done = match service.shared.parts.engine.act(id, order, by).await {
        Ok(Acted::Driver(driver)) => {
            tracing::info!(task = %id, by, "a task is gone on with, as a person ordered");
            desk.take(*driver);
            Ok(())
        }
        Ok(Acted::Ended(_) | Acted::Open(_)) => Ok(()),
        Err(error) => Err(error.into()),
    };
    service
        .blocking(move |service| {
            service.shared.desk.adopt(id);
            Ok(())
        })
        .await?;
    done
}
