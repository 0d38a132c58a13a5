use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};

use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use streamfence_auth::{
    Action, Asked, AuthDecision, JwtAlgorithm, JwtKeys, JwtOptions, JwtValidator, StaticTokens, Token, TokenValidator,
    ValidatorChain,
};

/// Takes bytes as what the first of them says: a token, its claims or its header under a good signature, or keys.
///
/// # Panics
/// When a validator does, when it believes what was not signed, or when it tells the operator the token.
pub fn token(bytes: &[u8]) {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    match kind % 4 {
        0 => shown(bytes),
        1 => signed(br#"{"alg":"HS256"}"#, bytes),
        2 => signed(bytes, br#"{"sub":"alice","exp":4102444800}"#),
        _ => keys(bytes),
    }
}

const SECRET: &[u8] = b"thirty-two bytes or more, of which none is secret";

static JWT: LazyLock<Arc<JwtValidator>> = LazyLock::new(|| {
    let keys = JwtKeys::secret(SECRET).expect("it is long enough");
    Arc::new(JwtValidator::new(keys, JwtOptions::default()))
});

static CHAIN: LazyLock<ValidatorChain> = LazyLock::new(|| {
    let digest = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
    let tokens = StaticTokens::new([("nobody", digest)]).expect("it is a digest");
    ValidatorChain::new().then(tokens).then(Arc::clone(&JWT))
});

/// Nobody can sign here, so nothing is believed.
fn shown(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for action in [Action::Connect, Action::Subscribe, Action::Publish] {
        match decide(&*CHAIN, text, action) {
            AuthDecision::Accept(_) => panic!("nobody signed this"),
            // A shorter one may well be a part of some word.
            AuthDecision::Reject(why) | AuthDecision::Unavailable(why) => {
                assert!(text.len() < 40 || !why.contains(text), "the operator reads a token");
            }
        }
    }
}

fn signed(header: &[u8], claims: &[u8]) {
    // Whoever makes keys brings the cryptography along.
    LazyLock::force(&JWT);
    let message = format!("{}.{}", base64url(header), base64url(claims));
    let signature = crypto::sign(message.as_bytes(), &EncodingKey::from_secret(SECRET), Algorithm::HS256);
    let token = format!("{message}.{}", signature.expect("a secret signs whatever there is"));
    let AuthDecision::Accept(grant) = decide(&*JWT, &token, Action::Connect) else { return };
    assert!((1..=128).contains(&grant.principal.len()), "a principal has a name");
    // Whoever may do something in a namespace may join it.
    let may = |topic, action| grant.access.allows("/feed", topic, action);
    let may_wish = [Action::Subscribe, Action::Publish].map(|action| may(Some("orders.eu"), action)).contains(&true);
    assert!(!may_wish || may(None, Action::Connect), "it may wish and not be there");
}

fn keys(bytes: &[u8]) {
    for algorithm in [JwtAlgorithm::Hs256, JwtAlgorithm::Rs256, JwtAlgorithm::Es256, JwtAlgorithm::EdDsa] {
        for keys in [JwtKeys::jwks(algorithm, bytes), JwtKeys::pem(algorithm, bytes)] {
            match keys {
                Ok(keys) => {
                    let validator = JwtValidator::new(keys, JwtOptions::default());
                    let token = format!("{}.e30.AAAA", base64url(format!(r#"{{"alg":"{algorithm}"}}"#).as_bytes()));
                    let decision = decide(&validator, &token, Action::Connect);
                    assert!(matches!(decision, AuthDecision::Reject(_)), "nobody signed this");
                }
                Err(why) => assert!(!why.to_string().is_empty(), "a refusal has a reason"),
            }
        }
    }
    let _ = JwtKeys::secret(bytes);
}

/// Validators that wait for nobody answer at once.
fn decide(validator: &impl TokenValidator, token: &str, action: Action) -> AuthDecision {
    let token = Token::from(token);
    let topic = (action != Action::Connect).then_some("orders.eu");
    let mut validating = validator.validate(Asked { token: &token, namespace: "/feed", topic, action });
    match validating.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(decision) => decision,
        Poll::Pending => panic!("it waits for nobody"),
    }
}

fn base64url(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let number = chunk.iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..=chunk.len() {
            text.push(char::from(DIGITS[(number >> (18 - 6 * place)) as usize & 63]));
        }
    }
    text
}
