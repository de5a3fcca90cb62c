//! ID tokens of a customer's own identity provider: which are believed, and when the provider is asked for its keys.

use std::{fmt::Debug, pin::pin, process::Stdio, time::Duration};

use futures_util::future::{join_all, poll_immediate};
use ring::hmac;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::Command,
    time::timeout,
};

use crate::support::{
    harness::{Program, START, golden, program, program_with, rest, tests_folder, variable},
    identity_provider::{AUDIENCE, IdentityProvider, SigningKey, token},
    steps::{Phone, done_by, fields, post_from, rest_code},
};
use app::process;
use app::{
    config::Oidc,
    oidc::{Identity, Provider},
};
use protocol::{
    error::{Chain, Error},
    types::UnixSeconds,
};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A stand-in with one key, and us.
struct World {
    stand_in: IdentityProvider,
    key: SigningKey,
    provider: Provider,
}

async fn world() -> World {
    world_with(SigningKey::es256("k1")).await
}

async fn world_with(key: SigningKey) -> World {
    let stand_in = IdentityProvider::with(&[&key]).await;
    let provider = Provider::new(&stand_in.settings());
    World { stand_in, key, provider }
}

impl World {
    /// A good token with these changes of its claims.
    fn token(&self, changes: Value) -> String {
        self.key.token(&self.key.header(), &self.stand_in.claims(changes))
    }

    /// A good token with this header.
    fn token_under(&self, header: Value) -> String {
        self.key.token(&header, &self.stand_in.claims(json!({})))
    }

    /// A token of this key that is good for days.
    fn lasting(&self, key: &SigningKey) -> String {
        key.token(&key.header(), &self.stand_in.claims(json!({ "exp": START + 10 * DAY })))
    }

    async fn identify(&self, token: &str, seconds: u64) -> Result<Identity, Error> {
        self.provider.identify(token, UnixSeconds(START + seconds)).await
    }

    async fn accepts(&self, token: &str) -> Identity {
        self.identify(token, 0).await.unwrap()
    }

    /// Why a token is refused.
    async fn refuses(&self, token: &str) -> &'static str {
        refusal(self.identify(token, 0).await)
    }
}

#[track_caller]
fn refusal(outcome: Result<impl Debug, Error>) -> &'static str {
    match outcome {
        Err(Error::BadIdToken(why)) => why,
        other => panic!("{other:?}"),
    }
}

/// Why the provider could not be asked.
#[track_caller]
fn failure(outcome: Result<impl Debug, Error>) -> String {
    match outcome {
        Err(error @ Error::IdentityProvider(_)) => Chain(&error).to_string(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_token_says_who_the_user_is() {
    let world = world().await;
    let identity = world.accepts(&world.token(json!({ "name": "Alice", "picture": "https://p/a.jpg" }))).await;
    assert_eq!(identity.user.as_str(), "alice_1");
    assert_eq!(identity.subject, "alice_1");
    assert_eq!(identity.name.as_deref(), Some("Alice"));
    assert_eq!(identity.picture.as_deref(), Some("https://p/a.jpg"));
    let nobody = world.accepts(&world.token(json!({ "sub": "auth0|42", "name": "" }))).await;
    assert!(nobody.user.as_str().starts_with("u_"));
    assert_eq!((nobody.name, nobody.picture), (None, None));
}

#[tokio::test]
async fn a_token_of_every_algorithm_is_believed() {
    for key in [SigningKey::rs256("k"), SigningKey::ps256("k"), SigningKey::es256("k"), SigningKey::eddsa("k")] {
        let world = world_with(key).await;
        world.accepts(&world.token(json!({}))).await;
    }
}

#[tokio::test]
async fn a_key_that_names_no_algorithm_and_no_use_is_good_for_those_of_its_type() {
    for (key, algorithm) in [(SigningKey::rs256("k"), "RS256"), (SigningKey::ps256("k"), "PS256")] {
        let world = world_with(key.with("alg", Value::Null).with("use", Value::Null)).await;
        world.accepts(&world.token_under(json!({ "alg": algorithm, "kid": "k" }))).await;
    }
}

#[tokio::test]
async fn the_issuer_is_the_one_of_the_settings_to_the_letter() {
    let world = world().await;
    let other = "its issuer is not OIDC_ISSUER";
    assert_eq!(world.refuses(&world.token(json!({ "iss": "https://id.example.com" }))).await, other);
    assert_eq!(world.refuses(&world.token(json!({ "iss": format!("{}/", world.stand_in.issuer) }))).await, other);
}

#[tokio::test]
async fn the_token_is_meant_for_us() {
    let world = world().await;
    world.accepts(&world.token(json!({ "aud": [AUDIENCE] }))).await;
    for audience in [json!("other"), json!(["other"]), json!([]), json!("mini-lvb2")] {
        let why = world.refuses(&world.token(json!({ "aud": audience }))).await;
        assert_eq!(why, "its audience is not OIDC_AUDIENCE");
    }
}

#[tokio::test]
async fn of_several_audiences_we_are_the_one_that_the_token_was_given_to() {
    let world = world().await;
    let token = |azp| world.token(json!({ "aud": ["other", AUDIENCE], "azp": azp }));
    world.accepts(&token(json!(AUDIENCE))).await;
    for azp in [json!("other"), Value::Null] {
        let why = world.refuses(&token(azp)).await;
        assert_eq!(why, "it has several audiences, and azp is not OIDC_AUDIENCE");
    }
    world.accepts(&world.token(json!({ "azp": "the-app" }))).await;
}

#[tokio::test]
async fn a_token_is_good_until_a_minute_after_it_expired() {
    let world = world().await;
    let token = |seconds| world.token(json!({ "exp": seconds }));
    world.accepts(&token(START - 59)).await;
    assert_eq!(world.refuses(&token(START - 60)).await, "it has expired");
}

#[tokio::test]
async fn a_token_is_good_from_a_minute_before_its_time() {
    let world = world().await;
    for claim in ["iat", "nbf"] {
        world.accepts(&world.token(json!({ claim: START + 60 }))).await;
        assert_eq!(
            world.refuses(&world.token(json!({ claim: START + 61 }))).await,
            "its iat or nbf is in the future",
            "{claim}"
        );
    }
}

#[tokio::test]
async fn a_claim_that_is_missing_or_of_the_wrong_type_is_a_refusal() {
    let world = world().await;
    for claim in ["iss", "aud", "exp", "iat"] {
        for value in [Value::Null, json!({}), json!([1])] {
            let why = world.refuses(&world.token(json!({ claim: value }))).await;
            assert_eq!(why, "a claim is missing or of the wrong type", "{claim}");
        }
    }
    for value in [Value::Null, json!(""), json!(42), json!(true)] {
        let why = world.refuses(&world.token(json!({ "sub": value }))).await;
        assert_eq!(why, "the claim OIDC_USER_CLAIM is missing, empty or not a text");
    }
    world.accepts(&world.token(json!({ "sub": "x".repeat(255) }))).await;
    let why = world.refuses(&world.token(json!({ "sub": "x".repeat(256) }))).await;
    assert_eq!(why, "the claim OIDC_USER_CLAIM is longer than 255 characters");
}

#[tokio::test]
async fn another_claim_may_say_who_the_user_is_but_no_unproven_address() {
    let world = world().await;
    let identify = async |user_claim: &str, changes| {
        let settings = Oidc { user_claim: user_claim.to_owned(), ..world.stand_in.settings() };
        Provider::new(&settings).identify(&world.token(changes), UnixSeconds(START)).await
    };
    let identity = identify("preferred_username", json!({ "preferred_username": "bob_2" })).await.unwrap();
    assert_eq!((identity.user.as_str(), identity.subject.as_str()), ("bob_2", "bob_2"));
    for (claim, proof) in [("email", "email_verified"), ("phone_number", "phone_number_verified")] {
        identify(claim, json!({ claim: "address", proof: true })).await.unwrap();
        for proven in [json!(false), json!("true"), Value::Null] {
            let why = refusal(identify(claim, json!({ claim: "address", proof: proven })).await);
            assert_eq!(why, "the provider has not verified the address in the claim OIDC_USER_CLAIM");
        }
    }
}

#[tokio::test]
async fn a_token_without_a_signature_is_refused() {
    let world = world().await;
    for algorithm in ["none", "None", ""] {
        let forged = token(&json!({ "alg": algorithm, "kid": "k1" }), &world.stand_in.claims(json!({})), |_| vec![]);
        assert_eq!(world.refuses(&forged).await, "it is not a JWT signed with a known algorithm");
    }
    let signed = world.token(json!({}));
    let (unsigned, _) = signed.rsplit_once('.').unwrap();
    assert_eq!(world.refuses(&format!("{unsigned}.")).await, "its signature is wrong");
}

#[tokio::test]
async fn a_token_signed_with_the_public_key_as_a_shared_one_is_refused() {
    for key in [SigningKey::rs256("k1"), SigningKey::es256("k1")] {
        let world = world_with(key.with("alg", Value::Null)).await;
        let secret = hmac::Key::new(hmac::HMAC_SHA256, &world.key.public_bytes);
        let header = json!({ "alg": "HS256", "kid": "k1" });
        let sign = |text: &[u8]| hmac::sign(&secret, text).as_ref().to_vec();
        let forged = token(&header, &world.stand_in.claims(json!({})), sign);
        assert_eq!(world.refuses(&forged).await, "its algorithm is not accepted");
        assert_eq!(world.stand_in.asked(), 0, "the provider is not even asked");
    }
}

#[tokio::test]
async fn a_shared_key_in_the_providers_set_verifies_nothing() {
    let shared_key =
        SigningKey::es256("k1").with("kty", json!("oct")).with("k", json!("c2VjcmV0")).with("alg", json!("HS256"));
    let world = world_with(shared_key).await;
    let secret = hmac::Key::new(hmac::HMAC_SHA256, b"secret");
    let sign = |text: &[u8]| hmac::sign(&secret, text).as_ref().to_vec();
    let forged = token(&world.key.header(), &world.stand_in.claims(json!({})), sign);
    assert_eq!(world.refuses(&forged).await, "its algorithm is not accepted");
}

#[tokio::test]
async fn a_token_of_another_key_with_the_same_name_is_refused() {
    for (ours, other) in [
        (SigningKey::es256("k1"), SigningKey::es256("k1")),
        (SigningKey::eddsa("k1"), SigningKey::eddsa("k1")),
        (SigningKey::rs256("k1"), SigningKey::ps256("k1").with("alg", json!("RS256"))),
    ] {
        let world = world_with(ours).await;
        let forged = other.token(&other.header(), &world.stand_in.claims(json!({})));
        assert_eq!(world.refuses(&forged).await, "its signature is wrong");
    }
}

#[tokio::test]
async fn a_changed_token_is_refused() {
    let world = world().await;
    let (alice, mallory) = (world.token(json!({})), world.token(json!({ "sub": "mallory" })));
    let [alice, mallory] = [&alice, &mallory].map(|token| token.split('.').collect::<Vec<_>>());
    let forged = [alice[0], mallory[1], alice[2]].join(".");
    assert_eq!(world.refuses(&forged).await, "its signature is wrong");
}

#[tokio::test]
async fn a_key_is_used_only_for_what_it_is_there_for() {
    let unfit = "the provider has no key for it";
    for (member, value) in [
        ("use", json!("enc")),
        ("key_ops", json!(["encrypt"])),
        ("alg", json!("PS256")),
        ("alg", json!("RSA-OAEP")),
        ("alg", json!("RS1")),
        ("kty", json!("oct")),
    ] {
        let world = world_with(SigningKey::rs256("k1").with(member, value)).await;
        let token = world.token_under(json!({ "alg": "RS256", "kid": "k1" }));
        assert_eq!(world.refuses(&token).await, unfit, "{member}");
    }
    let world = world_with(SigningKey::es256("k1").with("crv", json!("P-384"))).await;
    assert_eq!(world.refuses(&world.token(json!({}))).await, unfit);
    let world = world_with(SigningKey::es256("k1").with("key_ops", json!(["verify"]))).await;
    world.accepts(&world.token(json!({}))).await;
}

#[tokio::test]
async fn keys_that_nobody_understands_do_not_hide_the_others() {
    let key = SigningKey::es256("k1");
    let strange =
        [("kty", json!("AKP")), ("crv", json!("P-521")), ("x", json!(7)), ("x", json!("?")), ("use", json!(1))];
    let strange = strange.map(|(member, value)| SigningKey::es256("k1").with(member, value));
    let world = world_with(key).await;
    world.stand_in.publish(&strange.iter().chain([&world.key]).collect::<Vec<_>>());
    world.accepts(&world.token(json!({}))).await;
}

#[tokio::test]
async fn a_token_that_names_no_key_needs_a_set_with_one_that_fits() {
    let world = world().await;
    let nameless = world.token_under(json!({ "alg": "ES256" }));
    let (other, another) = (SigningKey::eddsa("k2"), SigningKey::es256("k3"));
    world.stand_in.publish(&[&other, &world.key]);
    world.accepts(&nameless).await;
    world.stand_in.publish(&[&other, &world.key, &another]);
    let later = world
        .identify(
            &world.key.token(&json!({ "alg": "ES256" }), &world.stand_in.claims(json!({ "exp": START + DAY }))),
            HOUR,
        )
        .await;
    assert_eq!(refusal(later), "the provider has no key for it");
}

#[tokio::test]
async fn a_token_of_another_kind_is_refused() {
    let world = world().await;
    let kind = |typ| json!({ "alg": "ES256", "kid": "k1", "typ": typ });
    world.accepts(&world.token_under(kind("jwt"))).await;
    assert_eq!(world.refuses(&world.token_under(kind("at+jwt"))).await, "its type is not JWT");
    let extended = json!({ "alg": "ES256", "kid": "k1", "crit": ["b64"], "b64": false });
    assert_eq!(world.refuses(&world.token_under(extended)).await, "its header has critical extensions");
}

#[tokio::test]
async fn a_key_that_the_token_brings_along_is_not_used() {
    let world = world().await;
    let own = SigningKey::es256("k2");
    let header = json!({ "alg": "ES256", "kid": "k2", "jwk": own.public, "jku": "https://evil.example.com/keys" });
    let forged = own.token(&header, &world.stand_in.claims(json!({})));
    assert_eq!(world.refuses(&forged).await, "the provider has no key for it");
}

#[tokio::test]
async fn a_token_that_is_too_long_is_not_read() {
    let world = world().await;
    let filled = |bytes| world.token(json!({ "groups": "g".repeat(bytes) }));
    let spare = 16 * 1024 - filled(0).len();
    world.accepts(&filled(spare / 4 * 3)).await;
    assert_eq!(world.refuses(&filled(spare / 4 * 3 + 8)).await, "it is longer than 16 KiB");
}

#[tokio::test]
async fn garbage_is_refused_and_the_provider_not_asked() {
    let world = world().await;
    let good = world.token(json!({}));
    let cut = &good[1..];
    for garbage in ["", ".", "..", "...", "a.b.c", "e30.e30.", "\u{1f600}.\0.x", "eyJhbGciOiJFUzI1NiJ9", cut] {
        assert_eq!(world.refuses(garbage).await, "it is not a JWT signed with a known algorithm", "{garbage:?}");
    }
    assert_eq!(world.stand_in.asked(), 0);
    let odd = token(&world.key.header(), &json!([]), |_| vec![]);
    assert_eq!(world.refuses(&odd).await, "its signature is wrong");
}

#[tokio::test]
async fn an_unknown_key_is_asked_for_once_a_minute() {
    let world = world().await;
    let next = SigningKey::es256("k2");
    world.identify(&world.lasting(&world.key), 0).await.unwrap();
    assert_eq!(world.stand_in.asked(), 1);
    let unknown = "the provider has no key for it";
    assert_eq!(refusal(world.identify(&world.lasting(&next), MINUTE - 1).await), unknown);
    assert_eq!(world.stand_in.asked(), 1, "it answered less than a minute ago");
    assert_eq!(refusal(world.identify(&world.lasting(&next), MINUTE).await), unknown);
    assert_eq!(world.stand_in.asked(), 2, "the key could be new");
    world.stand_in.publish(&[&next]);
    assert_eq!(refusal(world.identify(&world.lasting(&next), 2 * MINUTE - 1).await), unknown);
    assert_eq!(world.stand_in.asked(), 2);
    world.identify(&world.lasting(&next), 2 * MINUTE).await.unwrap();
    assert_eq!(refusal(world.identify(&world.lasting(&world.key), 2 * MINUTE).await), unknown);
    assert_eq!(world.stand_in.asked(), 3, "the new key was found, the old one is no longer believed");
}

#[tokio::test]
async fn keys_are_asked_for_again_after_an_hour() {
    let world = world().await;
    let token = world.lasting(&world.key);
    world.identify(&token, 0).await.unwrap();
    world.stand_in.publish(&[]);
    world.identify(&token, HOUR - 1).await.unwrap();
    assert_eq!(world.stand_in.asked(), 1);
    assert_eq!(refusal(world.identify(&token, HOUR).await), "the provider has no key for it");
    assert_eq!(world.stand_in.asked(), 2);
}

#[tokio::test]
async fn a_provider_that_is_away_is_no_fault_of_the_user() {
    let world = world().await;
    let token = world.token(json!({}));
    world.stand_in.be_away(true);
    for second in [0, 4] {
        let why = failure(world.identify(&token, second).await);
        assert!(why.starts_with("the identity provider could not be asked: no connection"), "{why}");
    }
    assert_eq!(world.stand_in.asked(), 1, "it is left alone for some seconds");
    world.stand_in.be_away(false);
    world.identify(&token, 5).await.unwrap();
    let unknown = world.lasting(&SigningKey::es256("k2"));
    assert_eq!(refusal(world.identify(&unknown, 5).await), "the provider has no key for it", "it has answered");
}

#[tokio::test]
async fn the_keys_of_before_are_used_for_a_day_while_the_provider_is_away() {
    let world = world().await;
    let (token, other) = (world.lasting(&world.key), world.lasting(&SigningKey::es256("k2")));
    world.identify(&token, 0).await.unwrap();
    world.stand_in.be_away(true);
    for seconds in [HOUR, HOUR + 1, DAY - 1] {
        world.identify(&token, seconds).await.unwrap();
    }
    assert_eq!(world.stand_in.asked(), 3, "not at each login");
    failure(world.identify(&other, DAY - 1).await);
    failure(world.identify(&token, DAY).await);
    world.stand_in.be_away(false);
    world.identify(&token, DAY + 5).await.unwrap();
}

#[tokio::test]
async fn logins_at_the_same_time_ask_once() {
    let world = world().await;
    let token = world.token(json!({}));
    for outcome in join_all((0..20).map(|_| world.identify(&token, 0))).await {
        outcome.unwrap();
    }
    assert_eq!(world.stand_in.asked(), 1);
}

#[tokio::test]
async fn a_login_whose_key_is_known_does_not_wait_for_one_that_asks() {
    let world = world().await;
    let token = world.lasting(&world.key);
    world.identify(&token, 0).await.unwrap();
    let mut asking = pin!(world.identify(&token, HOUR));
    assert!(poll_immediate(&mut asking).await.is_none(), "it asks the provider");
    let other = timeout(Duration::from_secs(10), world.identify(&token, HOUR)).await;
    other.expect("it does not wait").unwrap();
    asking.await.unwrap();
    assert_eq!(world.stand_in.asked(), 2);
}

#[tokio::test]
async fn discovery_speaks_for_the_issuer_of_the_settings_and_no_other() {
    for (changes, why) in [
        (json!({ "issuer": "https://id.example.com" }), "its discovery document names another issuer"),
        (json!({ "issuer": null }), "its discovery document is malformed"),
        (json!({ "jwks_uri": "http://id.example.com/keys" }), "its jwks_uri is not a secure address"),
    ] {
        let world = world().await;
        world.stand_in.declare(changes);
        let told = failure(world.identify(&world.token(json!({})), 0).await);
        assert_eq!(told, format!("the identity provider could not be asked: {why}"));
    }
    let world = world().await;
    world.stand_in.declare(json!({ "jwks_uri": format!("{}/lost", world.stand_in.issuer) }));
    let told = failure(world.identify(&world.token(json!({})), 0).await);
    assert_eq!(told, "the identity provider could not be asked: HTTP status 404");
}

#[tokio::test]
async fn an_issuer_may_end_in_a_slash() {
    let world = world().await;
    let issuer = format!("{}/", world.stand_in.issuer);
    world.stand_in.declare(json!({ "issuer": issuer }));
    let provider = Provider::new(&Oidc { issuer: issuer.clone(), ..world.stand_in.settings() });
    provider.identify(&world.token(json!({ "iss": issuer })), UnixSeconds(START)).await.unwrap();
}

#[tokio::test]
async fn an_answer_without_end_is_not_read() {
    let world = world().await;
    world.stand_in.declare(json!({ "more": "x".repeat(256 * 1024) }));
    let told = failure(world.identify(&world.token(json!({})), 0).await);
    assert_eq!(told, "the identity provider could not be asked: the answer is too large or is not UTF-8 text");
}

/// A program whose users log in with ID tokens of this provider.
async fn program_of(issuer: &str, audience: &str) -> Program {
    let (issuer, audience): (&'static str, &'static str) = (issuer.to_owned().leak(), audience.to_owned().leak());
    program_with(|name| match name {
        "OIDC_ISSUER" => Some(issuer),
        "OIDC_AUDIENCE" => Some(audience),
        "ADDRESS_LOGIN_LIMIT" => Some("5"),
        _ => None,
    })
    .await
}

async fn login(program: &Program, token: &str) -> String {
    rest(program, "login", &json!({ "id_token": token }).to_string()).await
}

#[tokio::test]
async fn a_good_token_is_traded_for_a_session_and_an_account_that_stays() {
    let world = world().await;
    let program = program_of(&world.stand_in.issuer, AUDIENCE).await;
    let who = json!({ "name": "Alice", "picture": "https://h/a.png" });
    let answer = login(&program, &world.token(who)).await;
    let parsed: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(parsed["data"]["roomservice_sign"]["userID"], "alice_1", "the app cannot know it before");
    let phone = Phone::with("alice_1", &answer).unwrap();
    let profile =
        json!({"userid": "alice_1", "nickname": "Alice", "avatar": "https://h/a.png", "sex": -1, "frontcover": ""});
    assert_eq!(done_by(&program, &phone, "get_user_info", fields!()).await, profile);
    done_by(&program, &phone, "upload_user_info", fields!("nickname": "Al", "sex": 1)).await;
    let again = Phone::with("alice_1", &login(&program, &world.token(json!({ "name": "Alice" }))).await).unwrap();
    assert_eq!(done_by(&program, &again, "get_user_info", fields!()).await["nickname"], "Al", "her own word holds");
}

#[tokio::test]
async fn what_the_provider_says_of_a_user_is_held_to_our_rules() {
    let world = world().await;
    let program = program_of(&world.stand_in.issuer, AUDIENCE).await;
    let who = json!({ "sub": "auth0|5f7c", "name": "n".repeat(101), "picture": "javascript:alert(1)" });
    let answer = login(&program, &world.token(who)).await;
    let parsed: Value = serde_json::from_str(&answer).unwrap();
    let user = parsed["data"]["roomservice_sign"]["userID"].as_str().unwrap();
    let phone = Phone::with(user, &answer).unwrap();
    let profile = done_by(&program, &phone, "get_user_info", fields!()).await;
    assert_eq!((&profile["nickname"], &profile["avatar"]), (&json!(""), &json!("")));
}

#[tokio::test]
async fn a_bad_token_is_refused_and_counted_and_the_provider_s_absence_is_not_the_user_s_fault() {
    let world = world().await;
    let program = program_of(&world.stand_in.issuer, AUDIENCE).await;
    world.stand_in.be_away(true);
    golden("login/provider_away.rest.json", &login(&program, &world.token(json!({}))).await);
    world.stand_in.be_away(false);
    program.pass(MINUTE);
    golden("login/bad_id_token.rest.json", &login(&program, &world.token(json!({ "aud": "another" }))).await);
    let from = async |token: &str| {
        post_from(&program, "203.0.113.7", "/login", &json!({ "id_token": token }).to_string()).await
    };
    for _ in 0..5 {
        assert_eq!(rest_code(&from("nonsense").await), 621);
    }
    assert_eq!(rest_code(&from(&world.token(json!({}))).await), 4003);
    assert_eq!(rest_code(&login(&program, &world.token(json!({}))).await), 200, "from another address");
}

#[tokio::test]
async fn what_the_provider_s_absence_refuses_is_not_counted() {
    let world = world().await;
    let program = program_of(&world.stand_in.issuer, AUDIENCE).await;
    world.stand_in.be_away(true);
    for _ in 0..7 {
        assert_eq!(rest_code(&login(&program, &world.token(json!({}))).await), 502);
    }
    for _ in 0..7 {
        assert_eq!(rest_code(&rest(&program, "login", r#"{"userid":"alice","password":"secret123"}"#).await), 403);
    }
    world.stand_in.be_away(false);
    program.pass(MINUTE);
    assert_eq!(rest_code(&login(&program, &world.token(json!({}))).await), 200);
}

#[tokio::test]
async fn with_a_provider_there_are_no_passwords_and_without_one_no_tokens() {
    let world = world().await;
    let with = program_of(&world.stand_in.issuer, AUDIENCE).await;
    let body = r#"{"userid":"alice","password":"secret123"}"#;
    golden("register/switched_off.rest.json", &rest(&with, "register", body).await);
    golden("login/no_passwords.rest.json", &rest(&with, "login", body).await);
    let without = program().await;
    golden("login/no_provider.rest.json", &login(&without, &world.token(json!({}))).await);
}

#[tokio::test]
async fn nobody_becomes_the_administrator_of_the_messages() {
    let world = world().await;
    let program = program_of(&world.stand_in.issuer, AUDIENCE).await;
    assert_eq!(rest_code(&login(&program, &world.token(json!({ "sub": "administrator" }))).await), 620);
}

/// A provider that others wrote, with keys that change: the command in `OIDC_PROVIDER` starts it, in the
/// folder of this package.
#[tokio::test]
#[ignore = "needs Node.js: scripts/oidc"]
async fn tokens_of_a_real_provider_say_who_the_user_is_while_its_keys_change() {
    let command = variable("OIDC_PROVIDER").expect("OIDC_PROVIDER has the command that starts the provider");
    let mut words = command.split(' ');
    let mut process = Command::new(words.next().unwrap());
    let process = process.args(words).current_dir(tests_folder());
    let mut process = process.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = process.stdin.take().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let mut program = None;
    let mut last_token: Option<String> = None;
    for algorithm in ["RS256", "PS256", "ES256", "EdDSA"] {
        input.write_all(format!("{algorithm}\n").as_bytes()).await.unwrap();
        let line = loop {
            let line = lines.next_line().await.unwrap().expect("the provider goes on");
            // It gives advice, too.
            if line.starts_with('{') {
                break line;
            }
        };
        let told: Value = serde_json::from_str(&line).unwrap();
        let text = |name: &str| told[name].as_str().unwrap().to_owned();
        let id_token = text("id_token");
        if program.is_none() {
            let fresh = program_of(&text("issuer"), &text("audience")).await;
            fresh.pass(process::now().0 - START);
            program = Some(fresh);
        }
        let program = program.as_ref().unwrap();
        let login = async |token: &str| rest(program, "login", &json!({ "id_token": token }).to_string()).await;
        let phone = Phone::with("alice_1", &login(&id_token).await).unwrap();
        let profile = done_by(program, &phone, "get_user_info", fields!()).await;
        assert_eq!(profile["nickname"], "Alice", "{algorithm}");
        assert_eq!(profile["avatar"], "https://id.example.com/alice.jpg");
        if let Some(token) = last_token.replace(id_token) {
            assert_eq!(rest_code(&login(&token).await), 621, "its key is gone");
        }
        // The next key is not asked for before.
        program.pass(MINUTE);
    }
    drop(input);
    assert!(process.wait().await.unwrap().success());
}
