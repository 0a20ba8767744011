//! One-time codes and recovery codes.
use crate::place::{add_user, at, for_each};
use underpass_gateway::store::{CodeId, HashOfCode, NewCode, Rhythm, Store, StoreError, UserId};
use zeroize::Zeroizing;

pub fn add_code(store: &mut dyn Store, user: UserId) -> CodeId {
    let code = NewCode {
        rhythm: Rhythm::Time { period: 30 },
        algorithm: 1,
        digits: 6,
        secret: Zeroizing::new(b"12345678901234567890".to_vec()),
    };
    store.add_code(at(0), user, &code).expect("a factor")
}

#[test]
fn a_code_is_accepted_once_and_none_before_it() {
    for_each(|store| {
        let alice = add_user(store, "alice");
        let (code, other) = (add_code(store, alice.id), add_code(store, alice.id));
        let highest = i64::MAX.unsigned_abs();
        for (step, want) in [
            (0, true),
            (0, false),
            (56_666_666, true),
            (56_666_666, false),
            (56_666_665, false),
            (0, false),
            (56_666_667, true),
            (highest, true),
            (highest, false),
        ] {
            assert_eq!(store.accept_step(code, step).expect("an answer"), want, "step {step}");
        }
        let refused = store.accept_step(code, highest + 1).expect_err("too large");
        assert!(matches!(refused, StoreError::TooLarge(_)), "{refused}");
        let last: Vec<_> = store.codes(alice.id).expect("a list").iter().map(|code| code.last).collect();
        assert_eq!(last, [Some(highest), None], "each factor counts for itself");
        assert!(store.accept_step(other, 5).expect("an answer"));
    });
}

#[test]
fn a_factor_is_as_it_was_made_and_accepts_nothing_once_it_is_gone() {
    for_each(|store| {
        let alice = add_user(store, "alice");
        let code = add_code(store, alice.id);
        let secret = Zeroizing::new(vec![7; 64]);
        let hotp = NewCode { rhythm: Rhythm::Counter, algorithm: 3, digits: 8, secret };
        store.add_code(at(0), alice.id, &hotp).expect("a factor");
        let codes = store.codes(alice.id).expect("a list");
        assert_eq!((codes[0].id, codes[0].code.rhythm, codes[0].code.digits), (code, Rhythm::Time { period: 30 }, 6));
        assert_eq!(codes[0].code.secret.as_slice(), b"12345678901234567890");
        assert_eq!((codes[1].code.rhythm, codes[1].code.algorithm, codes[1].code.digits), (Rhythm::Counter, 3, 8));
        let shown = format!("{codes:?}");
        assert!(!shown.contains("49, 50") && !shown.contains("7, 7"), "secrets do not show: {shown}");
        assert_eq!(store.remove_codes(at(1), alice.id).expect("removed"), 2);
        assert!(store.codes(alice.id).expect("a list").is_empty());
        assert!(!store.accept_step(code, 1).expect("an answer"));
        let bad = NewCode { rhythm: Rhythm::Counter, algorithm: 4, digits: 6, secret: Zeroizing::new(vec![1]) };
        store.add_code(at(1), alice.id, &bad).expect_err("no such algorithm");
        assert!(store.codes(alice.id).expect("a list").is_empty());
    });
}

#[test]
fn a_recovery_code_is_taken_once_by_its_user() {
    for_each(|store| {
        let (alice, bert) = (add_user(store, "alice"), add_user(store, "bert"));
        let hash = |byte| HashOfCode([byte; 32]);
        store.set_recovery(at(0), alice.id, &[hash(1), hash(2), hash(3)]).expect("codes");
        store.set_recovery(at(0), bert.id, &[hash(4)]).expect("codes");
        assert!(!store.take_recovery(bert.id, &hash(1)).expect("an answer"), "not his");
        assert!(store.take_recovery(alice.id, &hash(1)).expect("an answer"));
        assert!(!store.take_recovery(alice.id, &hash(1)).expect("an answer"));
        assert_eq!(store.recovery_left(alice.id).expect("a number"), 2);
        store.set_recovery(at(1), alice.id, &[hash(5)]).expect("new codes");
        assert!(!store.take_recovery(alice.id, &hash(2)).expect("an answer"), "old ones are gone");
        assert!(store.take_recovery(alice.id, &hash(5)).expect("an answer"));
        assert_eq!(store.recovery_left(bert.id).expect("a number"), 1);
    });
}
