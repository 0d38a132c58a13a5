//! A client's wishes, on their way to the shard. Never a policy, and never who the client is.

use std::net::IpAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use streamfence_auth::{Action, Token};
use streamfence_core::{
    CloseReason, Epoch, ErrorCode, MessageId, Offset, RefusalReason, RequestId, TopicEntry, TopicId, Transmit,
    Transport, UnsubscribeReason,
};
use streamfence_runtime::{FindError, Input, Payload};

use crate::auth::{Answers, NO_TOPIC, Permit, Question, Refused, Shown, client_address, inquire};
use crate::connection::{Member, Shared};
use crate::hooks::{may_publish, may_subscribe};
use crate::inbound::refusal;
use crate::line::{Asked, Said, Turn, Wish};
use crate::protocol::{
    Ack, Acked, Authenticate, BadWish, Nack, Publish, Subscribe, Unsubscribe, is_json, no_token, parse,
};

/// A client, and where its wishes go.
pub(crate) struct Heard<'a> {
    pub(crate) member: &'a Arc<Member>,
    pub(crate) shared: &'a Arc<Shared>,
}

/// A wish that the validator has to be asked about first.
struct Open {
    said: Said,
    questions: Vec<Question>,
    /// Whether the client shows the token with the wish; else it is the one that it came with.
    is_shown: bool,
}

impl Heard<'_> {
    /// Hears one thing that a client says. Called in the library's reader, so it does not wait.
    pub(crate) fn hear(&self, said: Said) {
        if let Some((code, why)) = refusal(self.member, self.shared, said.wish.counted(), &said.text) {
            let request = self.member.ask(said.asked.sender, said.asked.id, None).next();
            return self.member.refuse(code, &why, None, request);
        }
        let turn = if said.wish.waits() { self.member.line().enter(said) } else { Turn::Now(said) };
        match turn {
            Turn::Now(said) => {
                if let Err(open) = self.carry_out(said, &Answers::new()) {
                    self.member.line().begin();
                    tokio::spawn(see_through(Arc::downgrade(self.member), self.shared.clone(), *open));
                }
            }
            Turn::Later => {}
            Turn::Never(said) => {
                let why = "too many of your wishes wait for a token to be looked at; slow down and try again";
                let request = self.member.ask(said.asked.sender, said.asked.id, None).next();
                self.member.refuse(ErrorCode::BackPressure, why, None, request);
            }
        }
    }

    /// Passes a wish on, or says why not; unless somebody has to be asked about it who was not.
    fn carry_out(&self, said: Said, answers: &Answers) -> Result<(), Box<Open>> {
        match said.wish {
            Wish::Subscribe => return self.subscribe(said, answers),
            Wish::Publish => return self.publish(said, answers),
            Wish::Authenticate => return self.authenticate(said, answers),
            Wish::Unsubscribe => self.unsubscribe(&said.text, said.asked),
            Wish::Ack => self.ack(&said.text, said.asked),
            Wish::Nack => self.nack(&said.text, said.asked),
        }
        Ok(())
    }

    fn subscribe(&self, said: Said, answers: &Answers) -> Result<(), Box<Open>> {
        let understood = parse(&said.text).and_then(Subscribe::understood);
        let (topics, wishes, token) = match understood {
            Ok(understood) => understood,
            Err(why) => {
                let request = self.member.ask(said.asked.sender, said.asked.id, None).next();
                self.misunderstood(&said.text, &why, request);
                return Ok(());
            }
        };
        let token = token.as_ref().filter(|_| self.shared.gate.takes_tokens());
        let questions = self.questions(topics.names(), Action::Subscribe, token, answers);
        if !questions.is_empty() {
            return Err(Box::new(Open { is_shown: token.is_some(), questions, said }));
        }
        self.each_topic(topics.several(), topics.names(), said.asked, |name, request| {
            let member = self.member;
            // A pattern makes no topic for whom it is not.
            let shown = match self.find(name) {
                Some(topic) => self.allowed(&topic, Action::Subscribe, token, answers)?,
                None => None,
            };
            let topic = self.shared.fence.find_topic(member.namespace, name).map_err(|why| match why {
                FindError::TooMany { .. } => (ErrorCode::LimitExceeded, why.to_string()),
                _ => (ErrorCode::UnknownTopic, self.unknown(name)),
            })?;
            let polls = member.connection().is_some_and(|link| link.state.transport() == Transport::Polling);
            if polls && !topic.class.allow_polling {
                return Err((ErrorCode::TransportRejected, "this topic is not for clients that poll".to_owned()));
            }
            if wishes.max_frequency.is_some() && topic.class.policy.is_at_least_once() {
                let why = "maxFrequency leaves out values, and this topic leaves out none";
                return Err((ErrorCode::BadRequest, why.to_owned()));
            }
            may_subscribe(member, self.shared, name)?;
            let most = self.shared.options.now().max_subscriptions_per_client;
            // The token first: a subscription without one may be ended.
            self.take(shown, Some(topic.id));
            if !member.take_subscription(&topic, most as usize) {
                member.papers().give_back(topic.id);
                self.count(RefusalReason::Subscriptions);
                return Err((ErrorCode::LimitExceeded, format!("{most} subscriptions are the most a client may have")));
            }
            Ok(Input::Subscribe { namespace: member.namespace, topic, wishes, request })
        });
        Ok(())
    }

    fn unsubscribe(&self, text: &str, asked: Asked) {
        let topics = match parse::<Unsubscribe<'_>>(text).and_then(Unsubscribe::topics) {
            Ok(topics) => topics,
            Err(why) => {
                let request = self.member.ask(asked.sender, asked.id, None).next();
                return self.misunderstood(text, &why, request);
            }
        };
        self.each_topic(topics.several(), topics.names(), asked, |name, request| {
            let topic = self.find(name).ok_or_else(|| (ErrorCode::UnknownTopic, self.unknown(name)))?;
            let reason = UnsubscribeReason::Client;
            Ok(Input::Unsubscribe { namespace: self.member.namespace, topic, reason, request })
        });
    }

    fn publish(&self, said: Said, answers: &Answers) -> Result<(), Box<Open>> {
        let wish = parse::<Publish<'_>>(&said.text).and_then(|wish| wish.token().map(|token| (wish, token)));
        let (wish, token) = match wish {
            Ok(wish) => wish,
            Err(why) => {
                let request = self.member.ask(said.asked.sender, said.asked.id, None).next();
                self.misunderstood(&said.text, &why, request);
                return Ok(());
            }
        };
        let token = token.as_ref().filter(|_| self.shared.gate.takes_tokens());
        let questions = self.questions([&*wish.topic], Action::Publish, token, answers);
        if !questions.is_empty() {
            return Err(Box::new(Open { is_shown: token.is_some(), questions, said }));
        }
        let member = self.member;
        let request = member.ask(said.asked.sender, said.asked.id, None).next();
        let name = Some(&*wish.topic);
        let Some(topic) = self.find_or_refuse(&wish.topic, request) else { return Ok(()) };
        match self.allowed(&topic, Action::Publish, token, answers) {
            Ok(shown) => self.take(shown, None),
            Err((code, why)) => {
                member.refuse(code, &why, name, request);
                return Ok(());
            }
        }
        let size = wish.payload.get().len() + said.attachments.iter().map(Bytes::len).sum::<usize>();
        let most = self.shared.options.now().max_payload_bytes;
        if size > most as usize {
            self.count(RefusalReason::PayloadTooLarge);
            let why = format!("the payload has {size} bytes; wanted at most {most}");
            member.refuse(ErrorCode::PayloadTooLarge, &why, name, request);
            return Ok(());
        }
        match Payload::with_attachments(Bytes::copy_from_slice(wish.payload.get().as_bytes()), said.attachments) {
            Ok(payload) => {
                let payload = match wish.key {
                    Some(key) => payload.with_key(&*key),
                    None => payload,
                };
                let payload = match wish.ttl_ms {
                    Some(ttl) => payload.with_ttl(Duration::from_millis(ttl.get().into())),
                    None => payload,
                };
                match may_publish(member, self.shared, &topic.name, &payload) {
                    Ok(()) => {}
                    Err((code, why)) => {
                        member.refuse(code, &why, name, request);
                        return Ok(());
                    }
                }
                member.push(Input::Publish { namespace: member.namespace, topic, payload, request });
            }
            Err(why) => member.refuse(ErrorCode::BadRequest, &why.to_string(), name, request),
        }
        Ok(())
    }

    /// Says who the client is, where it could not when it came, or by a token that lasts longer.
    fn authenticate(&self, said: Said, answers: &Answers) -> Result<(), Box<Open>> {
        let member = self.member;
        let token = match parse::<Authenticate<'_>>(&said.text).map_err(|_| no_token()).and_then(Authenticate::token) {
            Ok(token) => token,
            Err(why) => {
                let request = member.ask(said.asked.sender, said.asked.id, None).next();
                self.misunderstood(&said.text, &why, request);
                return Ok(());
            }
        };
        if !self.shared.gate.takes_tokens() {
            let request = member.ask(said.asked.sender, said.asked.id, None).next();
            member.refuse(ErrorCode::BadRequest, "this server takes no tokens", None, request);
            return Ok(());
        }
        let namespace = self.path();
        let Some(answer) = answers.get(NO_TOPIC) else {
            let question = Question { token, namespace, topic: None, action: Action::Connect };
            return Err(Box::new(Open { said, questions: vec![question], is_shown: true }));
        };
        let request = member.ask(said.asked.sender, said.asked.id, None).next();
        match answer {
            Ok(shown) if member.papers().identify(shown.clone()) => self.identify(request),
            Ok(_) => {
                self.shared.gate.tell(&namespace, self.address(), &"a token of somebody else's".into());
                let why = "this session is somebody else's; connect again with this token";
                member.refuse(ErrorCode::AuthRejected, why, None, request);
            }
            Err(why) => member.refuse(why.code(), why.message(), None, request),
        }
        Ok(())
    }

    /// What the validator has to be asked before a wish for these topics is carried out.
    fn questions<'n>(
        &self,
        names: impl IntoIterator<Item = &'n str>,
        action: Action,
        own: Option<&Token>,
        answers: &Answers,
    ) -> Vec<Question> {
        if !self.shared.gate.takes_tokens() {
            return Vec::new();
        }
        let unknown = |name: &str| {
            // What there is not needs no permission to be told so.
            let topic = self.find(name).filter(|topic| !answers.contains_key(&*topic.name))?;
            match self.member.papers().permit(&topic, action, own) {
                Permit::Unknown(question) => Some(question),
                Permit::Granted | Permit::Refused(..) => None,
            }
        };
        names.into_iter().filter_map(unknown).collect()
    }

    /// Whether the client may do this; with the token that it shows for it, if there is one.
    fn allowed(
        &self,
        topic: &TopicEntry,
        action: Action,
        own: Option<&Token>,
        answers: &Answers,
    ) -> Result<Option<Arc<Shown>>, (ErrorCode, String)> {
        let permit = self.member.papers().permit(topic, action, own);
        match permit {
            Permit::Granted => Ok(None),
            Permit::Refused(message, reason) => {
                self.shared.gate.tell(&topic.class.path, self.address(), &reason);
                Err((ErrorCode::AuthRejected, message.to_owned()))
            }
            // What has changed since it was asked about, by a reload, is asked about with the next wish.
            Permit::Unknown(_) => match answers.get(&*topic.name).cloned().unwrap_or(Err(Refused::Silence)) {
                Ok(shown) => Ok(own.map(|_| shown)),
                Err(why) => Err((why.code(), why.message().to_owned())),
            },
        }
    }

    /// Keeps a token that was shown for one wish: of a client that was nobody it says who that is.
    fn take(&self, shown: Option<Arc<Shown>>, subscription: Option<TopicId>) {
        if let Some(shown) = shown
            && self.member.papers().take(&shown, subscription)
        {
            self.identify(None);
        }
    }

    /// Tells the shard, and by it the client, who the client is.
    fn identify(&self, request: Option<RequestId>) {
        let namespace = self.member.namespace;
        let name = self.member.papers().identity().map(|identity| identity.name.clone());
        if let Some(principal) = name {
            self.member.push(Input::Identify { namespace, principal, request });
        }
    }

    fn count(&self, reason: RefusalReason) {
        self.shared.refusals.count(reason, self.address());
    }

    fn address(&self) -> Option<IpAddr> {
        client_address(&self.member.connection()?.state)
    }

    fn path(&self) -> Arc<str> {
        self.shared.fence.catalog().namespace_entry(self.member.namespace).path.clone()
    }

    fn ack(&self, text: &str, asked: Asked) {
        let member = self.member;
        let request = member.ask(asked.sender, asked.id, None).next();
        let (name, acked) = match parse::<Ack<'_>>(text).and_then(Ack::messages) {
            Ok(understood) => understood,
            Err(why) => return self.misunderstood_ack(text, &why, request),
        };
        let namespace = member.namespace;
        let Some(topic) = self.find_or_refuse(&name, request).map(|topic| topic.id) else {
            let count = match &acked {
                Acked::These(ids) => u32::try_from(ids.len()).unwrap_or(u32::MAX),
                Acked::UpTo(_) => 1,
            };
            return member.push(Input::StrayAcks { namespace, count });
        };
        match acked {
            Acked::These(ids) => {
                for id in ids {
                    member.push(Input::Ack { namespace, topic, id: message_id(&id) });
                }
            }
            Acked::UpTo(id) => member.push(Input::AckUpTo { namespace, topic, id: message_id(&id) }),
        }
        self.done(request);
    }

    fn nack(&self, text: &str, asked: Asked) {
        let member = self.member;
        let request = member.ask(asked.sender, asked.id, None).next();
        let wish = match parse::<Nack<'_>>(text) {
            Ok(wish) => wish,
            Err(why) => return self.misunderstood_ack(text, &why, request),
        };
        let Some(topic) = self.find_or_refuse(&wish.topic, request).map(|topic| topic.id) else {
            return member.push(Input::StrayAcks { namespace: member.namespace, count: 1 });
        };
        let delay = Duration::from_millis(wish.delay_ms.into());
        let id = message_id(&wish.message_id);
        member.push(Input::Nack { namespace: member.namespace, topic, id, delay });
        self.done(request);
    }

    /// What nobody can make sense of is of no message, either.
    fn misunderstood_ack(&self, text: &str, why: &BadWish, request: Option<RequestId>) {
        self.misunderstood(text, why, request);
        self.member.push(Input::StrayAcks { namespace: self.member.namespace, count: 1 });
    }

    /// Answers whoever asked, after what was said before.
    fn done(&self, request: Option<RequestId>) {
        let namespace = self.member.namespace;
        if let Some(request) = request {
            self.member.push(Input::Tell { namespace, what: Transmit::Done { namespace, request } });
        }
    }

    /// Passes a wish on for each of its topics, or says why not.
    fn each_topic<'n>(
        &self,
        several: Option<usize>,
        names: impl Iterator<Item = &'n str>,
        asked: Asked,
        wish: impl Fn(&str, Option<RequestId>) -> Result<Input, (ErrorCode, String)>,
    ) {
        let mut requests = self.member.ask(asked.sender, asked.id, several);
        for name in names {
            let request = requests.next();
            match wish(name, request) {
                Ok(input) => self.member.push(input),
                Err((code, why)) => self.member.refuse(code, &why, Some(name), request),
            }
        }
    }

    /// Tells the client that its wish makes no sense. What is no JSON is no wish, and ends the connection: the library
    /// has read no further than the event's name.
    fn misunderstood(&self, text: &str, BadWish(why): &BadWish, request: Option<RequestId>) {
        if is_json(text) {
            return self.member.refuse(ErrorCode::BadRequest, why, None, request);
        }
        if let Some(connection) = self.member.connection() {
            connection.state.kill(CloseReason::Protocol);
        }
    }

    /// The topic of that name; where there is none, the client is told so.
    fn find_or_refuse(&self, topic: &str, request: Option<RequestId>) -> Option<Arc<TopicEntry>> {
        let found = self.find(topic);
        if found.is_none() {
            self.member.refuse(ErrorCode::UnknownTopic, &self.unknown(topic), Some(topic), request);
        }
        found
    }

    /// The topic of that name, made or not.
    fn find(&self, topic: &str) -> Option<Arc<TopicEntry>> {
        self.shared.fence.peek_topic(self.member.namespace, topic)
    }

    fn unknown(&self, topic: &str) -> String {
        let path = self.member.socket.ns();
        // A topic's name comes from the client and may be long: the beginning says enough.
        let shown: String = topic.chars().take(64).collect();
        format!("unknown topic `{shown}` in namespace `{path}`")
    }
}

/// A message's id as a client has it. What we never wrote is an id nobody has: it is counted as unknown and changes
/// nothing.
fn message_id(text: &str) -> MessageId {
    text.parse().unwrap_or(MessageId { epoch: Epoch(0), offset: Offset(0) })
}

/// Asks about a wish, carries it out, and then those that have waited for it.
async fn see_through(member: Weak<Member>, shared: Arc<Shared>, mut open: Open) {
    loop {
        let Some(from) = member.upgrade().and_then(|member| member.connection()) else { return };
        let from = client_address(&from.state);
        let answers = inquire(&shared.gate, open.questions, open.is_shown, from).await;
        let Some(member) = member.upgrade() else { return };
        let heard = Heard { member: &member, shared: &shared };
        let mut left = heard.carry_out(open.said, &answers);
        open = loop {
            if let Err(next) = left {
                break *next;
            }
            let Some(next) = member.line().next() else { return };
            left = heard.carry_out(next, &Answers::new());
        };
    }
}
