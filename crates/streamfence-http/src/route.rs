//! One route: what answers it, who may ask, and what there is to say of it. From the same list come the router and the
//! document, so neither has what the other has not.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, get, post};
use schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::api::{Api, MAX_BODY_BYTES};
use crate::keys::{Guard, Keys, Scope, check};
use crate::problem::Code;

/// A route, told step by step.
pub(crate) struct Route {
    pub(crate) method: &'static str,
    /// As axum has it, which is how OpenAPI has it too.
    pub(crate) path: &'static str,
    /// What it is for, in one line.
    pub(crate) summary: &'static str,
    /// What a key must be for; `None` where nobody is asked for one.
    pub(crate) scope: Option<Scope>,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) body: Option<Content>,
    pub(crate) answers: Vec<Answer>,
    /// What can go wrong, beside what a guard says.
    pub(crate) problems: Vec<Code>,
    /// The most bytes of a body, where that is not what other routes take.
    limit: Option<usize>,
    /// Whether the body lasts, and is read while it is answered.
    lasts: bool,
    handler: MethodRouter<Api>,
}

/// What stands in the path, the query or a header.
pub(crate) struct Parameter {
    pub(crate) place: &'static str,
    pub(crate) name: &'static str,
    pub(crate) meaning: &'static str,
    pub(crate) schema: fn(&mut SchemaGenerator) -> Schema,
}

/// What a body is.
pub(crate) struct Content {
    pub(crate) kind: &'static str,
    pub(crate) schema: fn(&mut SchemaGenerator) -> Schema,
}

/// What an answer is.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) meaning: &'static str,
    pub(crate) content: Option<Content>,
}

pub(crate) const JSON: &str = "application/json";

impl Route {
    pub(crate) fn get<T: 'static>(path: &'static str, handler: impl Handler<T, Api>, summary: &'static str) -> Self {
        Self::new("get", path, get(handler), summary)
    }

    pub(crate) fn post<T: 'static>(path: &'static str, handler: impl Handler<T, Api>, summary: &'static str) -> Self {
        Self::new("post", path, post(handler), summary)
    }

    fn new(method: &'static str, path: &'static str, handler: MethodRouter<Api>, summary: &'static str) -> Self {
        let (parameters, answers, problems) = (Vec::new(), Vec::new(), Vec::new());
        Self {
            method,
            path,
            summary,
            scope: None,
            parameters,
            body: None,
            answers,
            problems,
            limit: None,
            lasts: false,
            handler,
        }
    }

    /// Lets only those in whose key is for this.
    pub(crate) fn needs(mut self, scope: Scope) -> Self {
        self.scope = Some(scope);
        self
    }

    /// Takes something in the path.
    pub(crate) fn path<T: JsonSchema>(self, name: &'static str, meaning: &'static str) -> Self {
        self.parameter::<T>("path", name, meaning)
    }

    /// Takes something in the query.
    pub(crate) fn query<T: JsonSchema>(self, name: &'static str, meaning: &'static str) -> Self {
        self.parameter::<T>("query", name, meaning)
    }

    /// Takes a header.
    pub(crate) fn header(self, name: &'static str, meaning: &'static str) -> Self {
        self.parameter::<String>("header", name, meaning)
    }

    /// Takes a body of JSON.
    pub(crate) fn takes<T: JsonSchema>(self) -> Self {
        self.takes_as::<T>(JSON)
    }

    /// Takes a body of another kind.
    pub(crate) fn takes_as<T: JsonSchema>(mut self, kind: &'static str) -> Self {
        self.body = Some(Content { kind, schema: SchemaGenerator::subschema_for::<T> });
        self
    }

    /// Answers with JSON.
    pub(crate) fn answers<T: JsonSchema>(self, status: StatusCode, meaning: &'static str) -> Self {
        self.answers_as::<T>(status, JSON, meaning)
    }

    /// Answers with another kind of body.
    pub(crate) fn answers_as<T: JsonSchema>(
        mut self,
        status: StatusCode,
        kind: &'static str,
        meaning: &'static str,
    ) -> Self {
        let content = Some(Content { kind, schema: SchemaGenerator::subschema_for::<T> });
        self.answers.push(Answer { status, meaning, content });
        self
    }

    /// Takes bodies of so many bytes at most, in place of as many as other routes take.
    pub(crate) fn limit(mut self, bytes: usize) -> Self {
        self.limit = Some(bytes);
        self
    }

    /// Reads its body by and by, for as long as it lasts: nobody waits for the end of it.
    pub(crate) fn lasts(mut self) -> Self {
        self.lasts = true;
        self
    }

    /// What can go wrong.
    pub(crate) fn fails(mut self, problems: impl IntoIterator<Item = Code>) -> Self {
        self.problems.extend(problems);
        self
    }

    /// All that can go wrong, in the order of the codes.
    pub(crate) fn all_problems(&self) -> Vec<Code> {
        let of_guard = [Code::Unauthorized, Code::Forbidden].into_iter().filter(|_| self.scope.is_some());
        // Whatever is mounted behind `loopback_hosts_only`.
        let of_host = [Code::ForbiddenHost, Code::ForbiddenOrigin];
        let of_body = (self.body.is_some() && !self.lasts).then_some(Code::RequestTimeout);
        let mut all: Vec<_> = self.problems.iter().copied().chain(of_guard).chain(of_body).chain(of_host).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Puts it into a router, behind its guard.
    pub(crate) fn mount(self, router: Router<Api>, keys: &Keys) -> Router<Api> {
        let handler = match self.scope {
            Some(scope) => {
                let guard = Guard {
                    keys: keys.clone(),
                    scope,
                    reads_body: !self.lasts,
                    limit: self.limit.unwrap_or(MAX_BODY_BYTES),
                };
                self.handler.route_layer(from_fn_with_state(guard, check))
            }
            None => self.handler,
        };
        // Around the guard, which reads the body.
        let handler = match self.limit {
            Some(bytes) => handler.route_layer(DefaultBodyLimit::max(bytes)),
            None => handler,
        };
        router.route(self.path, handler)
    }

    fn parameter<T: JsonSchema>(mut self, place: &'static str, name: &'static str, meaning: &'static str) -> Self {
        let schema = SchemaGenerator::subschema_for::<T>;
        self.parameters.push(Parameter { place, name, meaning, schema });
        self
    }
}
