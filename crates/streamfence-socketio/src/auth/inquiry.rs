//! Asks about a wish: of one topic or of many. Never what becomes of it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};

use super::gate::{Denied, Gate, Question, Refused, Shown};

/// What the validator says of the topics of a wish; of one without a topic, under [`NO_TOPIC`].
pub(crate) type Answers = HashMap<Arc<str>, Result<Arc<Shown>, Refused>>;

/// Under what the answer stands about a wish that is for no topic: no topic has that name.
pub(crate) const NO_TOPIC: &str = "";

/// How many questions about one wish are open at once: less than a hook takes by default, so that one wish leaves room for
/// others.
const MOST_AT_ONCE: usize = 32;

/// Has the validator look at the token of a wish, for each of its topics; `is_shown` says that it came with the wish, and
/// may be a wrong one.
///
/// The first question is alone: what is wrong or unheard of costs no more than that many. The others are asked at once, as
/// many as the validator has places to spare. Once it is silent it is not asked again.
pub(crate) async fn inquire(
    gate: &Gate,
    questions: impl IntoIterator<Item = Question>,
    is_shown: bool,
    from: Option<IpAddr>,
) -> Answers {
    let mut answers = Answers::new();
    let mut questions = questions.into_iter();
    let Some(first) = questions.next() else { return answers };
    let mut others: Vec<Question> = Vec::new();
    let mut names = vec![name(&first)];
    for question in questions {
        let name = name(&question);
        if !answers.contains_key(&name) && name != names[0] {
            answers.insert(name.clone(), Err(Refused::Silence));
            names.push(name);
            others.push(question);
        }
    }
    let namespace = first.namespace.clone();
    let answer = match is_shown {
        true => gate.admit(first, from).await,
        false => gate.ask_for(first, from).await,
    };
    // A token is one wrong token, for however many topics it is shown.
    let mut may_count = is_shown && !matches!(answer, Err(Refused::Wrong));
    let (is_silent, are_too_many) = (matches!(answer, Err(Refused::Silence)), matches!(answer, Err(Refused::TooMany)));
    answers.insert(names[0].clone(), answer.map(Arc::new));
    if is_silent {
        return answers;
    }
    if are_too_many {
        names.into_iter().for_each(|name| drop(answers.insert(name, Err(Refused::TooMany))));
        return answers;
    }
    // Told in the order of the wish, whichever was answered first.
    for (name, answer) in names.into_iter().skip(1).zip(ask_all(gate, others).await) {
        let Some(answer) = answer else { continue };
        let answer = answer.map_err(|denied| {
            let is_wrong = may_count && denied.0 == Refused::Wrong;
            may_count &= !is_wrong;
            gate.deny(&namespace, from, denied, is_wrong)
        });
        answers.insert(name, answer.map(Arc::new));
    }
    answers
}

/// The answers in the order of the questions; none to those that were not asked, because there was silence before.
async fn ask_all(gate: &Gate, questions: Vec<Question>) -> Vec<Option<Result<Shown, Denied>>> {
    let mut answers: Vec<_> = questions.iter().map(|_| None).collect();
    let mut waiting = questions.into_iter().enumerate();
    let mut open = FuturesUnordered::new();
    let mut is_silent = false;
    loop {
        let may_ask = open.is_empty() || (open.len() < MOST_AT_ONCE && gate.spare() > 0);
        let next = if may_ask && !is_silent { waiting.next() } else { None };
        let done = match next {
            Some((at, question)) => {
                open.push(async move { (at, gate.ask(question).await) });
                // It takes its place now: the next look would count it as one to spare.
                match open.next().now_or_never() {
                    Some(done) => done,
                    None => continue,
                }
            }
            None => open.next().await,
        };
        let Some((at, answer)) = done else { return answers };
        is_silent |= matches!(answer, Err((Refused::Silence, _)));
        answers[at] = Some(answer);
    }
}

fn name(question: &Question) -> Arc<str> {
    question.topic.clone().unwrap_or_else(|| NO_TOPIC.into())
}
