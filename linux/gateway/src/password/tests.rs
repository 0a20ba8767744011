//! What counts as a password, and when it is the right one.
use super::*;

/// As little as Argon2 allows: what is tested here does not depend on the cost.
const LITTLE: Cost = Cost { memory: 8, passes: 1, lanes: 1 };

fn password(text: &str) -> Password {
    Password::new(text).expect("a password")
}

#[test]
fn the_vector_of_the_reference_implementation_is_right() {
    // Argon2id, version 19, 64 MiB, two passes, one lane, of the reference implementation's own tests.
    let phc = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
    assert_eq!(verify(&password("password"), Some(phc), Cost::default()), Ok(Verdict::Right { rehash: true }));
    assert_eq!(verify(&password("Password"), Some(phc), Cost::default()), Ok(Verdict::Wrong));
}

#[test]
fn a_hash_is_right_for_its_password_alone_and_names_its_cost() {
    let phc = hash(&password("correct horse"), Cost::default()).expect("a hash");
    assert!(phc.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", phc.as_str());
    let again = hash(&password("correct horse"), Cost::default()).expect("a hash");
    assert_ne!(phc, again, "each has a salt of its own");
    assert_eq!(verify(&password("correct horse"), Some(&phc), Cost::default()), Ok(Verdict::Right { rehash: false }));
    assert_eq!(verify(&password("correct horse"), Some(&phc), LITTLE), Ok(Verdict::Right { rehash: true }));
    assert_eq!(verify(&password("correct horsf"), Some(&phc), Cost::default()), Ok(Verdict::Wrong));
}

#[test]
fn who_does_not_exist_costs_as_much_and_is_never_right() {
    let nobody = Stored::of_nobody(Cost::default()).expect("it is made up");
    assert_eq!(nobody.cost, Cost::default());
    assert!(nobody.hash.is_none());
    assert_eq!(verify(&password("x"), None, LITTLE), Ok(Verdict::Wrong));
}

#[test]
fn hashes_that_are_none_or_cost_too_much_are_refused() {
    let rest = "$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
    for (phc, want) in [
        (String::new(), HashError::Form),
        ("x".repeat(5000), HashError::Form),
        (format!("$argon2i$v=19$m=64,t=2,p=1{rest}"), HashError::Form),
        (format!("$argon2id$v=16$m=64,t=2,p=1{rest}"), HashError::Form),
        (format!("$argon2id$m=64,t=2,p=1{rest}"), HashError::Form),
        ("$argon2id$v=19$m=64,t=2,p=1$c29tZXNhbHQ".into(), HashError::Form),
        ("$argon2id$v=19$m=64,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMa".into(), HashError::Form),
        (format!("$argon2id$v=19$m=4194304,t=2,p=1{rest}"), HashError::Cost),
        (format!("$argon2id$v=19$m=64,t=4000000,p=1{rest}"), HashError::Cost),
    ] {
        assert_eq!(verify(&password("password"), Some(&phc), LITTLE), Err(want), "{phc}");
    }
}

#[test]
fn passwords_are_normalised_as_rfc_8265_says() {
    let phc = hash(&password("\u{e9}t\u{e9} 1"), LITTLE).expect("a hash");
    for (text, want) in [
        // Composed and decomposed accents, and other spaces, are the same.
        ("\u{e9}t\u{e9} 1", true),
        ("e\u{301}te\u{301} 1", true),
        ("\u{e9}t\u{e9}\u{3000}1", true),
        ("\u{e9}t\u{e9}\u{a0}1", true),
        // Case and width are not.
        ("\u{c9}t\u{e9} 1", false),
        ("\u{e9}t\u{e9} \u{ff11}", false),
    ] {
        let verdict = verify(&password(text), Some(&phc), LITTLE).expect("a verdict");
        assert_eq!(matches!(verdict, Verdict::Right { .. }), want, "{text:?}");
    }
}

#[test]
fn what_is_no_password() {
    let (longest, too_long) = ("a".repeat(LONGEST), "a".repeat(LONGEST + 1));
    for (text, want) in [
        ("a", None),
        ("correct horse \u{1f434}", None),
        (&longest, None),
        ("", Some(BadPassword::Empty)),
        (&too_long, Some(BadPassword::TooLong)),
        ("a\nb", Some(BadPassword::Character)),
        ("a\0", Some(BadPassword::Character)),
        ("\u{7f}", Some(BadPassword::Character)),
    ] {
        assert_eq!(Password::new(text).err(), want, "{text:?}");
    }
    assert_eq!(format!("{:?}", password("secret")), "Password(..)");
}
