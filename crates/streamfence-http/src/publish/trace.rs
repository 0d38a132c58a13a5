//! Where a publisher stands in a distributed trace, as the headers of its request or the message itself say it.

use axum::http::HeaderMap;
use streamfence_runtime::{Payload, TraceContext};

use crate::problem::Problem;

const PARENT: &str = "traceparent";
const STATE: &str = "tracestate";
/// What they are called in a message, which is the same.
pub(super) const FIELDS: [&str; 2] = [PARENT, STATE];

/// What the headers say. What is wrong in them is as if it were not there: W3C has it so, because somebody on the way may
/// have written it.
pub(super) fn of_headers(headers: &HeaderMap) -> Option<TraceContext> {
    let mut parents = headers.get_all(PARENT).iter();
    let (Some(parent), None) = (parents.next(), parents.next()) else { return None };
    let context: TraceContext = parent.to_str().ok()?.parse().ok()?;
    let states: Option<Vec<_>> = headers.get_all(STATE).iter().map(|state| state.to_str().ok()).collect();
    Some(context.with_state(&states.unwrap_or_default().join(",")))
}

/// What a message says of itself.
pub(super) fn of_message(parent: Option<&str>, state: Option<&str>) -> Result<Option<TraceContext>, Problem> {
    match (parent, state) {
        (Some(parent), state) => {
            let context: TraceContext =
                parent.parse().map_err(|why| Problem::bad_request(format!("traceparent `{parent}`: {why}")))?;
            Ok(Some(context.with_state(state.unwrap_or_default())))
        }
        (None, Some(_)) => Err(Problem::bad_request("tracestate without traceparent; wanted both, or none")),
        (None, None) => Ok(None),
    }
}

/// A payload in the trace of a request, unless it has one of its own.
pub(super) fn within(payload: Payload, request: Option<&TraceContext>) -> Payload {
    match request {
        Some(context) if payload.trace().is_none() => payload.with_trace(context.clone()),
        _ => payload,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter().map(|(name, value)| {
            (axum::http::HeaderName::from_static(name), axum::http::HeaderValue::from_static(value))
        });
        pairs.collect()
    }

    #[test]
    fn headers_that_are_wrong_are_as_none() {
        assert_eq!(of_headers(&headers(&[])), None);
        assert_eq!(of_headers(&headers(&[(PARENT, "nonsense")])), None);
        assert_eq!(of_headers(&headers(&[(STATE, "a=1")])), None);
        let good = of_headers(&headers(&[(PARENT, GOOD)])).expect("it is one");
        assert_eq!((good.to_string().as_str(), good.state), (GOOD, None));
        let mut twice = headers(&[(PARENT, GOOD), (STATE, "a=1")]);
        twice.append(STATE, axum::http::HeaderValue::from_static("b=2"));
        assert_eq!(of_headers(&twice).and_then(|good| good.state).as_deref(), Some("a=1,b=2"));
        twice.append(PARENT, axum::http::HeaderValue::from_static(GOOD));
        assert_eq!(of_headers(&twice), None, "nobody knows which");
    }

    #[test]
    fn a_message_that_is_wrong_says_so() {
        let said = |parent, state| {
            of_message(parent, state).map_err(|problem| serde_json::to_string(&problem).expect("it is JSON"))
        };
        assert!(said(Some("nonsense"), None).is_err_and(|why| why.contains("traceparent `nonsense`")));
        assert!(said(None, Some("a=1")).is_err());
        assert!(said(None, None).is_ok_and(|none| none.is_none()));
        assert!(said(Some(GOOD), Some("a=1")).is_ok_and(|good| good.is_some_and(|good| good.state.is_some())));
    }
}
