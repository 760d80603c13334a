//! What an affinity cookie promises, and what is made of everything else that a client may send.

use std::num::NonZeroU16;

use proptest::prelude::*;

use super::*;
use crate::balance::affinity::KeyRing;
use crate::balance::backend::BackendId;
use crate::balance::pool::{Pool, Rules};

const NOW: u64 = 1_800_000_000;

fn key(seed: u8) -> [u8; 32] {
    let mut key = [seed; 32];
    key[31] = !seed;
    key
}

fn rules(keys: &[u8]) -> CookieAffinity {
    let keys = keys.iter().map(|&id| (id, key(id)));
    CookieAffinity::new(KeyRing::new(keys).unwrap())
}

fn cookies(keys: &[u8]) -> AffinityCookies {
    AffinityCookies::new(&rules(keys)).unwrap()
}

fn pool() -> Pool {
    let mut pool = Pool::new(Rules::default());
    for id in 1..=3 {
        let incarnation = Incarnation::new(100 + id);
        let id = BackendId::new(id);
        pool.insert(id, incarnation, NonZeroU16::MIN).unwrap();
    }
    pool
}

fn choice() -> Choice {
    pool().choose(&[], Duration::ZERO).unwrap()
}

/// The `Cookie` field of a browser that got this cookie of a fresh pin.
fn issued(cookies: &AffinityCookies, now: u64) -> String {
    let set_cookie = cookies.issue(None, choice(), now).unwrap();
    set_cookie.split(';').next().unwrap().to_owned()
}

fn look_up(cookies: &AffinityCookies, field: &str, now: u64) -> Lookup {
    cookies.look_up([field.as_bytes()].into_iter(), now)
}

#[test]
fn a_cookie_is_believed_as_it_was_issued_and_is_short() {
    let cookies = cookies(&[1]);
    let field = issued(&cookies, NOW);
    assert!(field.len() <= COOKIE_BYTES_MAX, "{}", field.len());
    let pin = Pin {
        incarnation: Incarnation::new(101),
        issued: NOW,
        seen: NOW,
    };
    assert_eq!(look_up(&cookies, &field, NOW), Lookup::Valid(pin));
    let among_others = format!("a=1; {field}; b=2");
    assert_eq!(look_up(&cookies, &among_others, NOW), Lookup::Valid(pin));
}

#[test]
fn a_cookie_is_kept_from_scripts_other_sites_and_plain_http() {
    let secure = cookies(&[1]).issue(None, choice(), NOW).unwrap();
    let (pair, attributes) = secure.split_once("; ").unwrap();
    assert!(pair.starts_with("__Host-anynode-affinity="), "{pair}");
    assert_eq!(attributes, "Path=/; HttpOnly; SameSite=Lax; Secure");
    let mut rules = rules(&[1]);
    rules.transport = Transport::Insecure;
    let insecure = AffinityCookies::new(&rules).unwrap();
    let insecure = insecure.issue(None, choice(), NOW).unwrap();
    let (pair, attributes) = insecure.split_once("; ").unwrap();
    assert!(pair.starts_with("anynode-affinity="), "{pair}");
    assert_eq!(attributes, "Path=/; HttpOnly; SameSite=Lax");
}

#[test]
fn every_changed_character_is_noticed() {
    let cookies = cookies(&[1, 2]);
    let field = issued(&cookies, NOW);
    let value_at = field.find('=').unwrap() + 1;
    for place in value_at..field.len() {
        for other in ['A', 'B', '_', '=', ' '] {
            let mut changed = field.clone();
            changed.replace_range(place..=place, &other.to_string());
            let lookup = look_up(&cookies, &changed, NOW);
            let is_valid = matches!(lookup, Lookup::Valid(_));
            assert_eq!(is_valid, changed == field, "{changed}: {lookup:?}");
        }
    }
}

#[test]
fn what_no_gateway_writes_is_malformed() {
    let cookies = cookies(&[1]);
    let field = issued(&cookies, NOW);
    let (name, value) = field.split_once('=').unwrap();
    let long = "A".repeat(10_000);
    let second_format = format!("Ag{}", &value[2..]);
    for value in ["", "127.0.0.1:8080", &long, &value[..47], &second_format] {
        let lookup = look_up(&cookies, &format!("{name}={value}"), NOW);
        assert_eq!(lookup, Lookup::Malformed, "{value}");
    }
    for padded in [format!("{field}="), format!("\"{field}\"")] {
        let lookup = look_up(&cookies, &padded, NOW);
        assert!(matches!(lookup, Lookup::Malformed | Lookup::Absent));
    }
    assert_eq!(look_up(&cookies, "a=1", NOW), Lookup::Absent);
}

#[test]
fn another_key_or_another_scope_signs_for_nobody() {
    let field = issued(&cookies(&[1]), NOW);
    assert_eq!(look_up(&cookies(&[2]), &field, NOW), Lookup::UnknownKey);
    let mut foreign = rules(&[1]);
    foreign.keys = KeyRing::new([(1, key(9))]).unwrap();
    let foreign = AffinityCookies::new(&foreign).unwrap();
    assert_eq!(look_up(&foreign, &field, NOW), Lookup::BadMac);
    let mut elsewhere = rules(&[1]);
    elsewhere.scope = "another pool".to_owned();
    let elsewhere = AffinityCookies::new(&elsewhere).unwrap();
    assert_eq!(look_up(&elsewhere, &field, NOW), Lookup::BadMac);
}

#[test]
fn a_cookie_of_an_older_key_counts_and_is_renewed_with_the_first() {
    let field = issued(&cookies(&[1]), NOW);
    let changed = cookies(&[2, 1]);
    let later = NOW + 4 * 3600;
    let pin = look_up(&changed, &field, later).pin().unwrap();
    let renewed = changed.issue(Some(pin), choice(), later).unwrap();
    let renewed = renewed.split(';').next().unwrap();
    let found = look_up(&cookies(&[2]), renewed, later).pin().unwrap();
    assert_eq!((found.issued, found.seen), (NOW, later));
}

#[test]
fn a_cookie_ends_by_idleness_by_age_and_does_not_come_from_the_future() {
    let cookies = cookies(&[1]);
    let field = issued(&cookies, NOW);
    let at = |now| look_up(&cookies, &field, now);
    const DAY: u64 = 24 * 3600;
    assert!(at(NOW + DAY - 1).pin().is_some());
    assert_eq!(at(NOW + DAY), Lookup::ExpiredIdle);
    assert_eq!(at(NOW + 30 * DAY), Lookup::ExpiredLife);
    assert!(at(NOW - 60).pin().is_some());
    assert_eq!(at(NOW - 61), Lookup::Future);
    let used = Pin {
        incarnation: Incarnation::new(101),
        issued: NOW - 30 * DAY + 1,
        seen: NOW - 4 * 3600,
    };
    let renewed = cookies.issue(Some(used), choice(), NOW).unwrap();
    let renewed = renewed.split(';').next().unwrap();
    assert!(look_up(&cookies, renewed, NOW).pin().is_some());
    let expired = look_up(&cookies, renewed, NOW + 1);
    assert_eq!(expired, Lookup::ExpiredLife);
}

#[test]
fn a_cookie_is_sent_again_only_when_it_changes() {
    let cookies = cookies(&[1]);
    let pin = |seen| Pin {
        incarnation: choice().incarnation(),
        issued: NOW,
        seen,
    };
    let again = |seen, now| cookies.issue(Some(pin(seen)), choice(), now).is_some();
    assert!(!again(NOW, NOW));
    assert!(!again(NOW, NOW + 3 * 3600 - 1));
    assert!(again(NOW, NOW + 3 * 3600));
    assert!(!again(NOW + 30, NOW));
    let elsewhere = Pin {
        incarnation: Incarnation::new(102),
        ..pin(NOW)
    };
    let moved = cookies.issue(Some(elsewhere), choice(), NOW + 5).unwrap();
    let moved = moved.split(';').next().unwrap();
    let moved = look_up(&cookies, moved, NOW + 5).pin().unwrap();
    assert_eq!((moved.issued, moved.seen), (NOW + 5, NOW + 5));
}

#[test]
fn a_draining_backend_renews_nobody() {
    let cookies = cookies(&[1]);
    let mut pool = pool();
    pool.drain(BackendId::new(1));
    let choice = pool
        .choose_pinned(Incarnation::new(101), Duration::ZERO)
        .unwrap();
    let pin = Pin {
        incarnation: Incarnation::new(101),
        issued: NOW,
        seen: NOW,
    };
    assert_eq!(cookies.issue(Some(pin), choice, NOW + 20 * 3600), None);
}

#[test]
fn of_several_cookies_the_first_valid_one_counts() {
    let cookies = cookies(&[1]);
    let good = issued(&cookies, NOW);
    let name = cookies.name();
    let field = format!("{name}=forged; {good}");
    assert!(look_up(&cookies, &field, NOW).pin().is_some());
    let fields = [b"a=1".as_slice(), good.as_bytes()];
    assert!(cookies.look_up(fields.into_iter(), NOW).pin().is_some());
    let buried = format!("{name}=x; {name}=x; {name}=x; {name}=x; {good}");
    assert_eq!(look_up(&cookies, &buried, NOW), Lookup::Malformed);
}

#[test]
fn rules_that_make_no_safe_cookie_are_refused() {
    let refused = |change: fn(&mut CookieAffinity)| {
        let mut rules = rules(&[1]);
        change(&mut rules);
        AffinityCookies::new(&rules).unwrap_err()
    };
    for name in ["", "a b", "a=b", "a;b", "\u{e4}"] {
        let mut rules = rules(&[1]);
        rules.name = Some(name.to_owned());
        let error = AffinityCookies::new(&rules).unwrap_err();
        assert_eq!(error, CookieRulesError::Name, "{name}");
    }
    let long = refused(|rules| rules.name = Some("n".repeat(48)));
    assert_eq!(long, CookieRulesError::Name);
    let promise = refused(|rules| {
        rules.name = Some("__Host-x".to_owned());
        rules.transport = Transport::Insecure;
    });
    assert_eq!(promise, CookieRulesError::NamePromisesSecure);
    let idle = refused(|rules| rules.idle_max = Duration::ZERO);
    assert_eq!(idle, CookieRulesError::Time);
    let life = refused(|rules| rules.life_max = Duration::MAX);
    assert_eq!(life, CookieRulesError::Time);
}

#[test]
fn a_choice_for_one_request_leaves_the_client_its_cookie() {
    let pin = Pin {
        incarnation: Incarnation::new(999),
        issued: NOW,
        seen: NOW,
    };
    let cookies = cookies(&[1]);
    for pin in [None, Some(pin)] {
        assert!(cookies.issue(pin, choice(), NOW).is_some());
        assert_eq!(cookies.issue(pin, choice().once(), NOW), None);
    }
}

proptest! {
    #[test]
    fn no_bytes_of_a_client_panic_or_pass(field in proptest::collection::vec(any::<u8>(), 0..200)) {
        let cookies = cookies(&[1]);
        let lookup = cookies.look_up([field.as_slice()].into_iter(), NOW);
        prop_assert_eq!(lookup.pin(), None);
    }

    #[test]
    fn no_value_of_the_right_shape_passes(value in "[A-Za-z0-9_-]{48}", scope in ".{0,8}") {
        let mut rules = rules(&[1]);
        rules.scope = scope;
        let cookies = AffinityCookies::new(&rules).unwrap();
        for value in [format!("AQE{}", &value[3..]), value] {
            let lookup = look_up(&cookies, &format!("{}={value}", cookies.name()), NOW);
            prop_assert_eq!(lookup.pin(), None);
        }
    }
}
