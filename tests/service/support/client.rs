//! A client of the routes, without a socket between. Whatever it is answered must be what the description says of that route, so every
//! test that asks is one of the description too.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;
use waypost::service::{Caller, Service};

use super::described;
use super::listener::Listener;

/// Somebody who asks.
#[derive(Clone)]
pub struct Client {
    router: Router,
    caller: Option<Caller>,
    /// The operations that it asked, by the names that the description has for them.
    asked: Arc<Mutex<BTreeSet<&'static str>>>,
}

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Client {
    pub fn of(service: &Service, name: &str) -> Self {
        Self::new(service.router(), Some(Caller::named(name)))
    }

    fn new(router: Router, caller: Option<Caller>) -> Self {
        Self { router, caller, asked: Arc::default() }
    }

    /// The same under another name, or without one.
    pub fn named(&self, name: Option<&str>) -> Self {
        Self::new(self.router.clone(), name.map(Caller::named))
    }

    /// The same as somebody else.
    pub fn by(&self, caller: Caller) -> Self {
        Self::new(self.router.clone(), Some(caller))
    }

    pub fn over(router: Router) -> Self {
        Self::new(router, Some(Caller::named("anna")))
    }

    /// The operations that were asked since this client was made, by it and by its clones.
    pub fn asked(&self) -> BTreeSet<&'static str> {
        self.asked.lock().expect("nobody broke it").clone()
    }

    pub async fn raw(&self, mut request: Request<Body>) -> axum::response::Response {
        if let Some(caller) = &self.caller {
            request.extensions_mut().insert(caller.clone());
        }
        let operation = described::operation(request.method().as_str(), request.uri().path());
        let response = self.router.clone().oneshot(request).await.unwrap();
        if let Some(operation) = operation {
            operation.permits(response.status().as_u16());
            self.asked.lock().expect("nobody broke it").insert(&operation.id);
        }
        response
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.raw(request).await;
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
        Answer { status: parts.status, headers: parts.headers, body }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(format!("/api/v1{path}")).body(Body::empty()).unwrap()).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.post_with(path, &[], body).await
    }

    pub async fn post_with(&self, path: &str, headers: &[(&str, &str)], body: Value) -> Answer {
        let mut request = Request::builder().method(Method::POST).uri(format!("/api/v1{path}"));
        if !body.is_null() {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        self.send(request.body(body).unwrap()).await
    }

    /// Asks for a migration; answers the task's id.
    pub async fn migrate(&self, domain: &str, to: &str) -> String {
        let answer = self.post("/tasks", serde_json::json!({"domain": domain, "to": to})).await;
        answer.expect(202)["id"].as_str().unwrap().to_owned()
    }

    /// Waits by long polls until that holds of a task.
    pub async fn until(&self, id: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let mut path = format!("/tasks/{id}");
        loop {
            let answer = self.get(&path).await;
            let status = answer.expect(200).clone();
            if holds(&status) {
                return status;
            }
            path = format!("/tasks/{id}?since={}&wait=30", status["sequence"]);
        }
    }

    /// Waits for the end of a task.
    pub async fn end(&self, id: &str) -> Value {
        self.until(id, |status| status["phase"] == "ended").await
    }

    /// Listens to events.
    pub async fn listen(&self, path: &str, last: Option<u64>) -> Listener {
        let mut request = Request::get(format!("/api/v1{path}"));
        if let Some(last) = last {
            request = request.header("last-event-id", last.to_string());
        }
        let response = self.raw(request.body(Body::empty()).unwrap()).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Listener::of(response.into_body())
    }
}

impl Answer {
    /// Insists on its status, and on what every answer has.
    pub fn expect(&self, status: u16) -> &Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        assert_eq!(self.headers["x-content-type-options"], "nosniff");
        assert_eq!(self.headers["cache-control"], "no-store");
        &self.body
    }

    /// Insists on a problem, whole and of that code.
    pub fn problem(&self, status: u16, code: &str) -> &Value {
        self.expect(status);
        assert_eq!(self.headers["content-type"], "application/problem+json", "{}", self.body);
        assert_eq!((&self.body["code"], &self.body["status"]), (&code.into(), &status.into()), "{}", self.body);
        assert_eq!(self.body["type"], format!("urn:waypost:problem:{code}"));
        for key in ["title", "detail"] {
            assert!(self.body[key].as_str().is_some_and(|text| !text.is_empty()), "{}", self.body);
        }
        for key in ["phase", "cause", "remedy", "task"] {
            assert!(self.body.get(key).is_some(), "{key} is there, also where it is null: {}", self.body);
        }
        &self.body
    }
}
