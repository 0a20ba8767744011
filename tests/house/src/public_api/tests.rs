//! The reader on small packages.
use super::*;

fn surface(files: &[(&str, &str)]) -> Surface {
    let sources: Vec<Source> =
        files.iter().map(|(path, text)| Source::new(&format!("core/src/{path}"), text)).collect();
    Surface::of(&sources)
}

#[track_caller]
fn reads(files: &[(&str, &str)], lines: &[&str]) {
    let found = surface(files);
    assert_eq!(found.lines, lines);
    assert_eq!(found.findings, Vec::<String>::new());
}

#[test]
fn what_is_private_or_hidden_is_not_listed() {
    let root = "mod a; pub mod b; #[doc(hidden)] pub mod door { pub use crate::a::*; }
        struct Own; pub(crate) fn within() {} #[doc(hidden)] pub fn hidden() {} #[cfg(test)] pub fn tested() {}";
    let b = "pub struct Open { pub seen: u8, unseen: u8 }
        impl Open { fn f(&self) {} pub(crate) fn g(&self) {} #[doc(hidden)] pub fn h(&self) {} pub fn i(&self) {} }";
    let lines =
        ["pub mod b", "pub struct b::Open { private fields }", "pub fn b::Open::i(&self)", "pub b::Open::seen: u8"];
    reads(&[("lib.rs", root), ("a.rs", "pub struct A;"), ("b.rs", b)], &lines);
}

#[test]
fn what_is_exported_again_is_listed_under_its_shortest_path() {
    let root = "mod a; pub mod b; pub use a::{A, deep::Deep as D}; pub use b::B; pub use std::vec::Vec;";
    let a = "pub mod deep; pub struct A; pub struct Unused;";
    let b = "pub struct B; pub use crate::a::deep::*;";
    let files = [("lib.rs", root), ("a/mod.rs", a), ("a/deep.rs", "pub struct Deep; pub fn f() {}"), ("b.rs", b)];
    let lines = [
        "pub struct A",
        "pub struct B",
        "pub struct D",
        "pub use Vec of std::vec::Vec",
        "pub mod b",
        "pub use b::B of B",
        "pub use b::Deep of D",
        "pub fn b::f()",
    ];
    reads(&files, &lines);
}

#[test]
fn items_are_written_whole() {
    let root = "
        /// Words.
        #[non_exhaustive] #[repr(u8)] #[derive(Clone, core::fmt::Debug)]
        pub enum E { A = 1, #[doc(hidden)] B, C(u8, u16), D { /// Of it.
            x: Option<&'static str> } }
        pub trait T: Send { const N: usize; fn f(&mut self, dest: &mut [u8]); fn g(&self) -> u8 { 1 } }
        #[must_use]
        pub const fn f<'a, const N: usize>(mut a: &'a [u8; N], (b, c): (u8, u8)) -> Result<&'a str, E> where u8: Sized { x }
        pub fn g(x: impl Iterator<Item = (E, u64)> + '_, y: Box<dyn T>,) {}
        pub const LIMIT: u64 = 1 << 60;
        pub type Alias<T> = Vec<T>;
        pub struct P(pub u8);";
    let lines = [
        "pub type Alias<T> = Vec<T>",
        "pub enum E #[non_exhaustive] #[repr(u8)]",
        "impl Clone for E",
        "impl Debug for E",
        "E::A = 1",
        "E::C(u8, u16)",
        "E::D { x: Option<&'static str> }",
        "pub const LIMIT: u64",
        "pub struct P",
        "pub P::0: u8",
        "pub trait T: Send",
        "const T::N: usize",
        "fn T::f(&mut self, dest: &mut [u8])",
        "fn T::g(&self) -> u8 { provided }",
        "pub const fn f<'a, const N: usize>(a: &'a [u8; N], _: (u8, u8)) -> Result<&'a str, E> where u8: Sized #[must_use]",
        "pub fn g(x: impl Iterator<Item = (E, u64)> + '_, y: Box<dyn T>)",
    ];
    reads(&[("lib.rs", root)], &lines);
}

#[test]
fn impls_are_found_wherever_they_stand() {
    let root = "mod a; mod b; pub use a::A; mod own { pub trait Own {} }";
    let a = "pub struct Lost; pub struct A<'a>(&'a u8); impl<'a> A<'a> { pub const ZERO: u8 = 0; }";
    let b = "use crate::{a::A, own::Own}; use core::{fmt, ops::Add};
        impl A<'_> { pub fn mut_self(mut self) {} }
        impl fmt::Display for A<'_> { fn fmt(&self) {} }
        impl Own for A<'_> {}
        impl From<crate::a::Lost> for A<'_> {}
        impl Add<u8> for A<'_> { type Output = Self; fn add(self) {} }
        impl<'a> IntoIterator for &'a A<'_> { type Item = u8; }
        impl From<A<'_>> for u8 { fn from() {} }
        impl From<u16> for u8 { fn from() {} }";
    let lines = [
        "pub struct A<'a> { private fields }",
        "impl Add<u8> for A<'_> { Output = Self }",
        "impl Display for A<'_>",
        "impl From<A<'_>> for u8",
        "impl<'a> IntoIterator for &'a A<'_> { Item = u8 }",
        "pub const A::ZERO: u8",
        "pub fn A::mut_self(self)",
    ];
    reads(&[("lib.rs", root), ("a.rs", a), ("b.rs", b)], &lines);
}

#[test]
fn what_macros_make_is_listed() {
    let root = "macro_rules! words { ($($(#[$doc:meta])* $name:ident = $code:literal;)*) => {
            #[non_exhaustive] pub enum Word { $($(#[$doc])* $name = $code,)* }
            impl Word { pub const ALL: &[Self] = &[$(Self::$name,)*]; }
        } }
        words! { /// One.
            One = 1; Minus = -2; }";
    let lines =
        ["pub enum Word #[non_exhaustive]", "pub const Word::ALL: &[Self]", "Word::Minus = -2", "Word::One = 1"];
    reads(&[("lib.rs", root)], &lines);
    assert_eq!(surface(&[("lib.rs", "foreign! { x }")]).findings.len(), 1);
}

#[test]
fn a_type_that_nobody_can_name_is_a_finding() {
    let root =
        |body: &str| format!("mod a {{ pub struct Lost; pub struct Held; }} use a::Lost; pub use a::Held; {body}");
    for (body, found) in [
        ("pub fn f() -> Held { a::Lost }", 0),
        ("pub fn f(x: &[Lost]) {}", 1),
        ("pub fn f() -> Option<crate::a::Lost> { None }", 1),
        ("pub struct S { pub x: Lost }", 1),
        ("pub struct S { x: Lost }", 0),
        ("pub struct S; impl S { pub fn f(&self) -> Lost { Lost } fn g(&self) -> Lost { Lost } }", 1),
        ("pub enum E { A(Lost) }", 1),
    ] {
        assert_eq!(surface(&[("lib.rs", &root(body))]).findings.len(), found, "{body}");
    }
}

#[test]
fn differences_say_what_went_and_what_came() {
    let lines = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(differences(&lines("a b c"), &lines("a c d")), ["- b", "+ d"]);
    assert!(differences(&lines("a"), &lines("a")).is_empty());
}
