//! Signed tokens: which are believed, what they grant, and that a token never says itself how it is to be checked.

#![expect(clippy::unwrap_used, reason = "a test may fail wherever it likes")]

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use proptest::prelude::*;
use serde_json::{Value, json};
use streamfence_auth::{
    Access, Action, Asked, AuthDecision, JwtAlgorithm, JwtKeyError, JwtKeys, JwtOptions, JwtValidator, Token,
    TokenValidator as _,
};

const SECRET: &[u8] = b"a secret of thirty-two bytes, or more";

fn decide(validator: &JwtValidator, token: &str) -> AuthDecision {
    let token = Token::from(token);
    let asked = Asked { token: &token, namespace: "/feed", topic: None, action: Action::Connect };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(validator.validate(asked))
}

/// The principal, or why not.
fn verdict(validator: &JwtValidator, token: &str) -> String {
    match decide(validator, token) {
        AuthDecision::Accept(grant) => grant.principal.to_string(),
        AuthDecision::Reject(why) => why.to_string(),
        AuthDecision::Unavailable(why) => panic!("it can be said: {why}"),
    }
}

fn hs256(options: JwtOptions) -> JwtValidator {
    JwtValidator::new(JwtKeys::secret(SECRET).unwrap(), options)
}

fn signed_with(header: &Header, claims: &Value, secret: &[u8]) -> String {
    // Whoever makes keys has the provider installed that signs here.
    JwtKeys::secret(SECRET).unwrap();
    encode(header, claims, &EncodingKey::from_secret(secret)).unwrap()
}

fn signed(claims: &Value) -> String {
    signed_with(&Header::new(Algorithm::HS256), claims, SECRET)
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn base64url(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text)
}

/// Of alice, until 2100, signed by OpenSSL.
const OPENSSL_RS256: &str = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6NDEwMjQ0NDgwMH0.vOT4nmcZ0i7gHOkzDXEIW15o6CKlV1yT64QRv23V0jrRTFbK173PdQCKSGy1V2sq8cdS1S8_p7YzgLWW3Jt8C9Wpb4dcmaCDuVfuf8QQFtQPRMBwDuAMzxKQaZns9T5F55rXZ5eNsO-o8HjMM_ai3Oyc859HhUKdVBSVh4mgMSn0uylCl7iK8Q0dqwLni63V9ng5BVvctne9U3h-NusRq1xK49sdnn-Cc-UxeCF5nN781g5sMbL8wuhVk0QFbl1_HREQ_lyX7YS-t74gPbjqKvo9V31lC7OMJjFtgCu-ggm5ahmnNdE-4UQSfSAeEpB-gvZPMFZ1dyyidp_e7CxQwQ";
const OPENSSL_EDDSA: &str = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6NDEwMjQ0NDgwMH0.cp64YG8YfWDXFPZpQx-iKnmLn8YpLRKwhrVic3Rr3s6K42d6eZhdFiaxngprNSeUFGYTftyttGLHqx4JR1OoCg";

const RSA: &[u8] = include_bytes!("keys/rsa.pem");
const RSA_PKCS1: &[u8] = include_bytes!("keys/rsa-pkcs1.pem");
const RSA_1024: &[u8] = include_bytes!("keys/rsa-1024.pem");
const P256: &[u8] = include_bytes!("keys/p256.pem");
const P384: &[u8] = include_bytes!("keys/p384.pem");
const ED25519: &[u8] = include_bytes!("keys/ed25519.pem");

const WRONG_SIGNATURE: &str = "the signature of the token is not by a key that is believed";
const ANOTHER_WAY: &str = "the token is signed in another way than those that are believed";
const NO_TOKEN: &str = "the token is not a JSON Web Token of a known algorithm";

#[test]
fn tokens_that_openssl_signed_are_believed() {
    let of = |algorithm, pem| JwtValidator::new(JwtKeys::pem(algorithm, pem).unwrap(), JwtOptions::default());
    for pem in [RSA, RSA_PKCS1] {
        let validator = of(JwtAlgorithm::Rs256, pem);
        assert_eq!(verdict(&validator, OPENSSL_RS256), "alice");
        assert_eq!(verdict(&validator, &OPENSSL_RS256.replace(".vOT4", ".vOT5")), WRONG_SIGNATURE);
        assert_eq!(verdict(&validator, &OPENSSL_RS256.replace(".eyJzdWIi", ".eyJzdWJi")), WRONG_SIGNATURE);
    }
    assert_eq!(verdict(&of(JwtAlgorithm::EdDsa, ED25519), OPENSSL_EDDSA), "alice");
}

/// The examples of RFC 7515 (A.1 and A.3) and RFC 8037 (A.4). Two expired in 2011 and the last has no claims, which is only
/// seen where the signature was right.
#[test]
fn the_examples_of_the_standards_are_signed_as_they_say() {
    let claims = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let table = [
        (
            JwtAlgorithm::Hs256,
            json!({"kty": "oct", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}),
            format!("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{claims}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
            "the token has expired",
        ),
        (
            JwtAlgorithm::Es256,
            json!({"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}),
            format!("eyJhbGciOiJFUzI1NiJ9.{claims}.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"),
            "the token has expired",
        ),
        (
            JwtAlgorithm::EdDsa,
            json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}),
            "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg".to_owned(),
            NO_TOKEN,
        ),
    ];
    for (algorithm, key, token, expected) in table {
        let keys = JwtKeys::jwks(algorithm, json!({"keys": [key]}).to_string().as_bytes()).unwrap();
        let validator = JwtValidator::new(keys, JwtOptions::default());
        assert_eq!(verdict(&validator, &token), expected, "{algorithm}");
        // The same of a signature with one bit turned, of the claims' as well.
        let (rest, signature) = token.rsplit_once('.').unwrap();
        let turned = if signature.starts_with('d') { "e" } else { "d" };
        assert_eq!(verdict(&validator, &format!("{rest}.{turned}{}", &signature[1..])), WRONG_SIGNATURE, "{algorithm}");
        let (header, _) = rest.split_once('.').unwrap();
        let others = base64url(&json!({"sub": "mallory", "exp": 4_102_444_800_u64}).to_string());
        assert_eq!(verdict(&validator, &format!("{header}.{others}.{signature}")), WRONG_SIGNATURE, "{algorithm}");
        assert_eq!(verdict(&validator, &format!("{header}.{others}.")), WRONG_SIGNATURE, "{algorithm}");
    }
}

#[test]
fn a_token_does_not_choose_how_it_is_checked() {
    let claims = json!({"sub": "mallory", "exp": now() + 60});
    let body = base64url(&claims.to_string());
    // Signed with the public key as if it were a secret, which everybody has.
    let rsa = JwtValidator::new(JwtKeys::pem(JwtAlgorithm::Rs256, RSA).unwrap(), JwtOptions::default());
    assert_eq!(verdict(&rsa, &signed_with(&Header::new(Algorithm::HS256), &claims, RSA)), ANOTHER_WAY);
    for validator in [&rsa, &hs256(JwtOptions::default())] {
        for none in ["none", "None", "NONE", ""] {
            let header = base64url(&json!({"alg": none}).to_string());
            assert_eq!(verdict(validator, &format!("{header}.{body}.")), NO_TOKEN);
            assert_eq!(verdict(validator, &format!("{header}.{body}")), NO_TOKEN);
        }
    }
    // The right secret, and another digest than the one that was chosen.
    let validator = hs256(JwtOptions::default());
    assert_eq!(verdict(&validator, &signed_with(&Header::new(Algorithm::HS512), &claims, SECRET)), ANOTHER_WAY);
    assert_eq!(verdict(&validator, &signed_with(&Header::new(Algorithm::HS256), &claims, RSA)), WRONG_SIGNATURE);
    let mut demanding = Header::new(Algorithm::HS256);
    demanding.crit = Some(vec!["b64".to_owned()]);
    let refused = "the token demands that its reader knows an extension";
    assert_eq!(verdict(&validator, &signed_with(&demanding, &claims, SECRET)), refused);
    // A key that comes along with the token is nobody's.
    let mut bringing = Header::new(Algorithm::HS256);
    bringing.jku = Some("http://127.0.0.1/keys".to_owned());
    assert_eq!(verdict(&validator, &signed_with(&bringing, &claims, &[7; 32])), WRONG_SIGNATURE);
}

#[test]
fn times_hold_with_some_leeway() {
    let validator = hs256(JwtOptions { leeway: Duration::from_millis(9_500), ..JwtOptions::default() });
    let with = |claims: Value| verdict(&validator, &signed(&claims));
    let now = now();
    assert_eq!(with(json!({"sub": "a", "exp": now + 60})), "a");
    assert_eq!(with(json!({"sub": "a", "exp": now - 5})), "a");
    assert_eq!(with(json!({"sub": "a", "exp": now - 20})), "the token has expired");
    assert_eq!(with(json!({"sub": "a", "exp": 0})), "the token has expired");
    assert_eq!(with(json!({"sub": "a"})), "the token does not say when it expires");
    for odd in [json!("4102444800"), json!(null), json!(-1), json!([1]), json!(true), json!(1e300)] {
        let refused = with(json!({"sub": "a", "exp": odd}));
        let not_a_time = ["the token does not say when it expires", "a time in the token is not a number", NO_TOKEN];
        assert!(not_a_time.contains(&&*refused), "{odd}: {refused}");
    }
    assert_eq!(with(json!({"sub": "a", "exp": now + 60, "nbf": now - 5})), "a");
    assert_eq!(with(json!({"sub": "a", "exp": now + 60, "nbf": now + 5})), "a");
    assert_eq!(with(json!({"sub": "a", "exp": now + 60, "nbf": now + 20})), "the token is not valid yet");
    assert_eq!(with(json!({"sub": "a", "exp": now + 60, "nbf": "0"})), "a time in the token is not a number");

    let AuthDecision::Accept(grant) = decide(&validator, &signed(&json!({"sub": "a", "exp": now - 5}))) else {
        panic!("it is within the leeway");
    };
    assert_eq!(grant.expires, Some(UNIX_EPOCH + Duration::from_secs(now - 5 + 10)));
    let AuthDecision::Accept(grant) = decide(&validator, &signed(&json!({"sub": "a", "exp": u64::MAX}))) else {
        panic!("it is far away");
    };
    assert_eq!(grant.expires, None);

    let lenient = hs256(JwtOptions { require_expiry: false, ..JwtOptions::default() });
    assert_eq!(verdict(&lenient, &signed(&json!({"sub": "a"}))), "a");
    assert_eq!(verdict(&lenient, &signed(&json!({"sub": "a", "exp": now - 60}))), "the token has expired");
    assert_eq!(verdict(&lenient, &signed(&json!({"sub": "a", "exp": "x"}))), "a time in the token is not a number");
    let forever = hs256(JwtOptions { leeway: Duration::MAX, ..JwtOptions::default() });
    assert_eq!(verdict(&forever, &signed(&json!({"sub": "a", "exp": now - 60}))), "a");
}

#[test]
fn issuer_and_audience_are_held_to_what_was_asked() {
    let exp = now() + 60;
    let text = |text: &str| text.to_owned();
    let any = hs256(JwtOptions::default());
    let strict = hs256(JwtOptions {
        issuers: vec![text("https://id.example"), text("backup")],
        audiences: vec![text("feed"), text("alerts")],
        ..JwtOptions::default()
    });
    let both = |claims: Value| [&any, &strict].map(|validator| verdict(validator, &signed(&claims)));
    let (issuer, audience) =
        ("the issuer of the token is not one that is believed", "the token is meant for another audience");
    assert_eq!(both(json!({"sub": "a", "exp": exp})).as_slice()[0], "a");
    assert_eq!(both(json!({"sub": "a", "exp": exp, "iss": "backup", "aud": "feed"})), [audience, "a"]);
    assert_eq!(both(json!({"sub": "a", "exp": exp, "iss": "backup", "aud": ["x", "alerts"]})), [audience, "a"]);
    assert_eq!(both(json!({"sub": "a", "exp": exp, "iss": "other", "aud": "feed"}))[1], issuer);
    assert_eq!(both(json!({"sub": "a", "exp": exp, "iss": "backup", "aud": "other"}))[1], audience);
    assert_eq!(both(json!({"sub": "a", "exp": exp, "aud": "feed"}))[1], "the token does not name its issuer");
    assert_eq!(both(json!({"sub": "a", "exp": exp, "iss": "backup"})), ["a", "the token names no audience"]);
    for issuer in [json!(["backup"]), json!([]), json!(7), json!(null), json!({"a": "backup"})] {
        let claims = json!({"sub": "a", "exp": exp, "iss": issuer, "aud": "feed"});
        assert_eq!(both(claims.clone())[0], audience);
        assert_ne!(both(claims)[1], "a", "{issuer}");
    }
    for odd in [json!(7), json!(null), json!({"a": 1})] {
        assert_eq!(
            both(json!({"sub": "a", "exp": exp, "iss": odd, "aud": "feed"}))[1],
            "the token does not name its issuer"
        );
        assert_eq!(
            both(json!({"sub": "a", "exp": exp, "iss": "backup", "aud": odd}))[1],
            "the token names no audience"
        );
    }
}

#[test]
fn the_principal_is_whom_the_claim_names() {
    let exp = now() + 60;
    let validator = hs256(JwtOptions { principal_claim: "email".to_owned(), ..JwtOptions::default() });
    let with = |claims: Value| verdict(&validator, &signed(&claims));
    assert_eq!(with(json!({"sub": "a", "email": "a@b", "exp": exp})), "a@b");
    assert_eq!(with(json!({"sub": "a", "exp": exp})), "the token names no principal");
    for odd in [json!(7), json!(""), json!("a\nb"), json!("a".repeat(129)), json!(null)] {
        let refused = "the principal in the token is not a text of 1 to 128 bytes without control characters";
        assert_eq!(with(json!({"email": odd, "exp": exp})), refused);
    }
}

#[test]
fn what_a_token_allows_is_what_its_rules_say() {
    let validator = hs256(JwtOptions::default());
    let token = |rules: Value| signed(&json!({"sub": "a", "exp": now() + 60, "streamfence": rules}));
    let rules = json!([
        {"namespace": "/feed", "topics": ["orders.*"], "actions": ["subscribe"]},
        {"namespace": "/chat", "actions": ["publish", "connect"]},
    ]);
    let access = |rules: Value| match decide(&validator, &token(rules)) {
        AuthDecision::Accept(grant) => grant.access,
        other => panic!("it is a good token: {other:?}"),
    };
    let allowed = access(rules);
    assert!(matches!(allowed, Access::Rules(_)));
    assert!(
        allowed.allows("/feed", None, Action::Connect) && allowed.allows("/feed", Some("orders.eu"), Action::Subscribe)
    );
    assert!(!allowed.allows("/feed", Some("orders.eu"), Action::Publish));
    assert!(!allowed.allows("/feed", Some("news"), Action::Subscribe));
    assert!(allowed.allows("/chat", Some("room"), Action::Publish) && !allowed.allows("/other", None, Action::Connect));
    // Such a token is good, and not for what was asked.
    assert!(!access(json!([{"namespace": "/chat"}])).allows("/feed", None, Action::Connect));
    assert!(!access(json!([])).allows("/feed", None, Action::Connect));
    for odd in [
        json!(null),
        json!("all"),
        json!({"namespace": "/feed"}),
        json!([{"topics": ["a"]}]),
        json!([{"namespace": "/feed", "actions": ["everything"]}]),
        json!([{"namespace": "/feed", "topics": "a"}]),
        json!([{"namespace": "/feed", "topic": ["a"]}]),
    ] {
        assert_eq!(verdict(&validator, &token(odd)), "what the token allows is not a list of rules");
    }
}

#[test]
fn without_rules_everything_is_allowed_or_nothing() {
    let token = signed(&json!({"sub": "a", "exp": now() + 60}));
    let AuthDecision::Accept(grant) = decide(&hs256(JwtOptions::default()), &token) else { panic!("it is good") };
    assert!(matches!(grant.access, Access::All));
    let strict = hs256(JwtOptions { allow_without_rules: false, ..JwtOptions::default() });
    assert_eq!(verdict(&strict, &token), "the token does not say what it allows");
    let elsewhere = hs256(JwtOptions { rules_claim: "may".to_owned(), ..JwtOptions::default() });
    let token = signed(&json!({"sub": "a", "exp": now() + 60, "may": [], "streamfence": [{"namespace": "*"}]}));
    let AuthDecision::Accept(grant) = decide(&elsewhere, &token) else { panic!("it is good") };
    assert!(!grant.access.allows("/feed", None, Action::Connect));
}

#[test]
fn a_set_of_keys_is_chosen_from_by_name_and_exchanged_as_a_whole() {
    let key = |secret: &[u8]| {
        use base64::Engine as _;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(secret)
    };
    let (old, new) = ([1; 32], [2; 32]);
    let set = |keys: Value| JwtKeys::jwks(JwtAlgorithm::Hs256, json!({ "keys": keys }).to_string().as_bytes()).unwrap();
    let old_jwk = json!({"kty": "oct", "kid": "old", "k": key(&old)});
    let new_jwk =
        json!({"kty": "oct", "kid": "new", "k": key(&new), "alg": "HS256", "use": "sig", "key_ops": ["verify"]});
    let validator = JwtValidator::new(set(json!([old_jwk, new_jwk])), JwtOptions::default());
    let first = validator.revision();
    let token = |kid: Option<&str>, secret: &[u8]| {
        let header = Header { kid: kid.map(str::to_owned), ..Header::new(Algorithm::HS256) };
        signed_with(&header, &json!({"sub": "a", "exp": now() + 60}), secret)
    };
    assert_eq!(verdict(&validator, &token(Some("old"), &old)), "a");
    assert_eq!(verdict(&validator, &token(Some("new"), &new)), "a");
    assert_eq!(verdict(&validator, &token(Some("new"), &old)), WRONG_SIGNATURE);
    assert_eq!(verdict(&validator, &token(Some("other"), &old)), "the key that the token names is not known");
    assert_eq!(verdict(&validator, &token(None, &old)), "the token does not name its key");

    assert!(!validator.set_keys(set(json!([old_jwk, new_jwk]))));
    assert_eq!(validator.revision(), first);
    assert!(validator.set_keys(set(json!([new_jwk]))));
    assert!(validator.revision() > first);
    assert_eq!(verdict(&validator, &token(Some("old"), &old)), "the key that the token names is not known");
    assert_eq!(verdict(&validator, &token(None, &new)), "a");
    // Keys of another algorithm hold as well as those before them.
    assert!(validator.set_keys(JwtKeys::pem(JwtAlgorithm::Rs256, RSA).unwrap()));
    assert_eq!(verdict(&validator, &token(None, &new)), ANOTHER_WAY);
    assert_eq!(verdict(&validator, OPENSSL_RS256), "alice");
}

#[test]
fn keys_of_a_set_that_are_for_something_else_are_passed_over() {
    let good = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    let read = |keys: Value| JwtKeys::jwks(JwtAlgorithm::EdDsa, json!({ "keys": keys }).to_string().as_bytes());
    let keys = read(json!([
        {"kty": "OKP", "crv": "Ed25519", "kid": "enc", "x": good, "use": "enc"},
        {"kty": "OKP", "crv": "Ed25519", "kid": "sign", "x": good, "key_ops": ["sign"]},
        {"kty": "OKP", "crv": "X25519", "kid": "agree", "x": good},
        {"kty": "RSA", "kid": "rsa", "n": "AQAB", "e": "AQAB"},
        {"kty": "new", "kid": "new", "alg": "ML-DSA"},
        {"kty": "OKP", "crv": "Ed25519", "kid": "good", "x": good, "alg": "EdDSA"},
        7,
    ]));
    assert_eq!(keys.unwrap().ids().collect::<Vec<_>>(), ["good"]);
    let refused = |keys: Value| read(keys).unwrap_err().to_string();
    let key = |kid: &str, x: &str| json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": x});
    assert_eq!(refused(json!([])), "has no key for EdDSA; wanted at least one of a public key of Ed25519");
    assert_eq!(refused(json!([key("a", "AQAB")])), "has a key \"a\" that is not a public key of Ed25519");
    assert_eq!(
        refused(json!([key("a", good), key("a", good)])),
        "has two keys \"a\" for the same algorithm; wanted each `kid` once"
    );
    assert_eq!(refused(json!(7)), "is not a set of keys; wanted JSON such as {\"keys\": [..]}");
    assert_eq!(JwtKeys::jwks(JwtAlgorithm::EdDsa, b"{").unwrap_err(), JwtKeyError::NotASet);
}

#[test]
fn what_is_not_a_key_of_the_algorithm_is_refused_when_it_is_read() {
    let refused = |algorithm, pem: &[u8]| JwtKeys::pem(algorithm, pem).unwrap_err().to_string();
    let certificate = String::from_utf8_lossy(RSA).replace("PUBLIC KEY", "CERTIFICATE");
    let private = String::from_utf8_lossy(ED25519).replace("PUBLIC KEY", "PRIVATE KEY");
    for pem in [P256, ED25519, RSA_1024, certificate.as_bytes(), b"", b"-----BEGIN PUBLIC KEY-----\n", SECRET] {
        assert_eq!(refused(JwtAlgorithm::Rs256, pem), "is not a public key of RSA, of 2048 to 8192 bits");
    }
    for pem in [RSA, ED25519, P384] {
        assert_eq!(refused(JwtAlgorithm::Es256, pem), "is not a public key of ECDSA over P-256");
    }
    for pem in [RSA, P256, private.as_bytes()] {
        assert_eq!(refused(JwtAlgorithm::EdDsa, pem), "is not a public key of Ed25519");
    }
    assert_eq!(refused(JwtAlgorithm::Hs256, RSA), "is not a secret of 32 bytes or more");
    assert_eq!(
        JwtKeys::secret(RSA).unwrap_err().to_string(),
        "is a key in PEM; wanted a secret, because the algorithm is HS256"
    );
    assert_eq!(JwtKeys::secret(b"short").unwrap_err().to_string(), "is a secret of 5 bytes; wanted 32 or more");
    let short = r#"{"keys": [{"kty": "oct", "k": "c2hvcnQ"}]}"#;
    let short = JwtKeys::jwks(JwtAlgorithm::Hs256, short.as_bytes()).unwrap_err().to_string();
    assert_eq!(short, "has a key \"\" that is not a secret of 32 bytes or more");
}

#[test]
fn a_signature_of_ecdsa_is_checked() {
    let random = ring::rand::SystemRandom::new();
    let algorithm = &ring::signature::ECDSA_P256_SHA256_FIXED_SIGNING;
    let pair = ring::signature::EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
    let public = {
        use ring::signature::KeyPair as _;
        let pair = ring::signature::EcdsaKeyPair::from_pkcs8(algorithm, pair.as_ref(), &random).unwrap();
        pair.public_key().as_ref().to_vec()
    };
    let coordinate = |bytes: &[u8]| {
        use base64::Engine as _;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
    };
    let set = json!({"keys": [{"kty": "EC", "crv": "P-256", "x": coordinate(&public[1..33]), "y": coordinate(&public[33..])}]});
    let keys = JwtKeys::jwks(JwtAlgorithm::Es256, set.to_string().as_bytes()).unwrap();
    let key = EncodingKey::from_ec_der(pair.as_ref());
    let token = encode(&Header::new(Algorithm::ES256), &json!({"sub": "a", "exp": now() + 60}), &key).unwrap();
    assert_eq!(verdict(&JwtValidator::new(keys, JwtOptions::default()), &token), "a");
    let other = JwtValidator::new(JwtKeys::pem(JwtAlgorithm::Es256, P256).unwrap(), JwtOptions::default());
    assert_eq!(verdict(&other, &token), WRONG_SIGNATURE);
}

#[test]
fn keys_are_read_from_files_and_a_newline_is_not_part_of_a_secret() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = directory.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let token = signed(&json!({"sub": "a", "exp": now() + 60}));
    for end in ["", "\n", "\r\n"] {
        let path = write("secret", &[SECRET, end.as_bytes()].concat());
        let keys = JwtKeys::read_key(JwtAlgorithm::Hs256, &path).unwrap();
        assert_eq!(verdict(&JwtValidator::new(keys, JwtOptions::default()), &token), "a");
    }
    let keys = JwtKeys::read_key(JwtAlgorithm::Rs256, &write("key.pem", RSA)).unwrap();
    assert_eq!(verdict(&JwtValidator::new(keys, JwtOptions::default()), OPENSSL_RS256), "alice");
    let missing = JwtKeys::read_jwks(JwtAlgorithm::Rs256, Path::new("/nowhere/keys.json")).unwrap_err();
    assert_eq!(missing.to_string(), "cannot be read: No such file or directory (os error 2)");
    let large = JwtKeys::read_jwks(JwtAlgorithm::Rs256, &write("large", &vec![b' '; 1024 * 1024 + 1])).unwrap_err();
    assert_eq!(large, JwtKeyError::TooLarge { limit: 1024 * 1024 });
}

#[test]
fn neither_keys_nor_tokens_are_shown() {
    let shown = format!("{:?}", hs256(JwtOptions::default()));
    assert!(shown.starts_with("JwtValidator { keys: JwtKeys { algorithm: Hs256, ids: [], .. }, options:"), "{shown}");
    assert!(!shown.contains("secret of thirty"), "{shown}");
    let long = "x".repeat(16 * 1024 + 1);
    assert_eq!(verdict(&hs256(JwtOptions::default()), &long), "the token is longer than 16384 bytes");
}

proptest! {
    /// Whatever is shown is answered, never with a panic and never with the token in the reason.
    #[test]
    fn whatever_is_shown_is_refused_without_a_word_of_it(
        parts in prop::collection::vec(prop_oneof!["[A-Za-z0-9_-]{0,40}", "\\PC{0,20}", Just(base64url(r#"{"alg":"HS256"}"#))], 0..5),
    ) {
        let token = parts.join(".");
        let why = verdict(&hs256(JwtOptions::default()), &token);
        prop_assert!([NO_TOKEN, WRONG_SIGNATURE, ANOTHER_WAY].contains(&why.as_str()), "{}", why);
    }

    /// Whatever is signed is held to its claims and none of them is misread into a panic.
    #[test]
    fn whatever_is_signed_is_answered(claims in claims()) {
        let validator = hs256(JwtOptions::default());
        let token = signed(&claims);
        let is_accepted = matches!(decide(&validator, &token), AuthDecision::Accept(_));
        let is_named = claims["sub"].as_str().is_some_and(|name| !name.is_empty());
        let is_timely = claims["exp"].as_f64().is_some_and(|exp| exp >= (now() - 6) as f64);
        prop_assert!(!is_accepted || is_named && is_timely, "{}", claims);
    }
}

fn claims() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z*/]{0,6}".prop_map(Value::from),
    ];
    let tree = leaf.prop_recursive(3, 24, 4, |inner| {
        let name = prop_oneof!["namespace", "topics", "actions", "[a-z]{1,3}"];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name, inner, 0..4).prop_map(|map| json!(map)),
        ]
    });
    let name = prop_oneof!["sub", "exp", "nbf", "iss", "aud", "streamfence", "[a-z]{1,3}"];
    prop::collection::btree_map(name, tree, 0..6).prop_map(|map| json!(map))
}
