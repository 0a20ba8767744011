//! `macro_rules!` where items stand: enough of it for the tables of the core (one arm, repetitions, the fragments
//! `ident`, `literal`, `meta`, `tt`). What is beyond that is a finding, never silence.
use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use std::collections::BTreeMap;

/// What a matcher has bound to a name.
#[derive(Clone, Debug)]
enum Bound {
    One(TokenStream),
    Many(Vec<Bindings>),
}

type Bindings = BTreeMap<String, Bound>;

/// A piece of a matcher or of a transcriber.
enum Piece {
    /// `$name` or `$name:fragment`.
    Name(String, Option<String>),
    /// `$( pieces ) separator *`.
    Repeat(Vec<Piece>, Option<String>),
    /// A group in its delimiters.
    Group(Delimiter, Vec<Piece>),
    /// A token that stands for itself.
    Token(TokenTree),
}

/// The items that `rules` (the body of a `macro_rules!`) makes of `input`.
///
/// # Errors
/// What is not understood, in words.
pub fn expand(rules: &TokenStream, input: &TokenStream) -> Result<TokenStream, String> {
    let trees: Vec<TokenTree> = rules.clone().into_iter().collect();
    let groups: Vec<&Group> = trees.iter().filter_map(as_group).collect();
    let [matcher, body] = groups.as_slice() else { return Err("a macro of other than one arm".into()) };
    let input: Vec<TokenTree> = input.clone().into_iter().collect();
    let (bindings, used) = matched(&pieces(&matcher.stream())?, &input).ok_or("the macro does not match")?;
    if used != input.len() {
        return Err(format!("the macro does not match from token {used} on"));
    }
    transcribed(&pieces(&body.stream())?, &bindings)
}

fn as_group(tree: &TokenTree) -> Option<&Group> {
    match tree {
        TokenTree::Group(group) => Some(group),
        _ => None,
    }
}

fn pieces(stream: &TokenStream) -> Result<Vec<Piece>, String> {
    let trees: Vec<TokenTree> = stream.clone().into_iter().collect();
    let is = |at: usize, sign: char| matches!(trees.get(at), Some(TokenTree::Punct(p)) if p.as_char() == sign);
    let mut all = Vec::new();
    let mut at = 0;
    while let Some(tree) = trees.get(at) {
        at += 1;
        match tree {
            TokenTree::Punct(sign) if sign.as_char() == '$' => match trees.get(at) {
                Some(TokenTree::Ident(name)) => {
                    let fragment = if is(at + 1, ':') { trees.get(at + 2) } else { None };
                    let fragment = fragment.filter(|tree| matches!(tree, TokenTree::Ident(_))).map(ToString::to_string);
                    at += if fragment.is_some() { 3 } else { 1 };
                    all.push(Piece::Name(name.to_string(), fragment));
                }
                Some(TokenTree::Group(group)) => {
                    let separator = if is(at + 1, '*') { None } else { trees.get(at + 1).map(ToString::to_string) };
                    at += if separator.is_some() { 3 } else { 2 };
                    if !is(at - 1, '*') {
                        return Err("a repetition other than `*`".into());
                    }
                    all.push(Piece::Repeat(pieces(&group.stream())?, separator));
                }
                _ => return Err("a lone `$`".into()),
            },
            TokenTree::Group(group) => all.push(Piece::Group(group.delimiter(), pieces(&group.stream())?)),
            other => all.push(Piece::Token(other.clone())),
        }
    }
    Ok(all)
}

/// What the pieces bind at the beginning of `input`, and how many of its trees they took.
fn matched(pieces: &[Piece], input: &[TokenTree]) -> Option<(Bindings, usize)> {
    let mut bindings = Bindings::new();
    let mut at = 0;
    for piece in pieces {
        let rest = input.get(at..)?;
        match piece {
            Piece::Token(token) => {
                (rest.first()?.to_string() == token.to_string()).then_some(())?;
                at += 1;
            }
            Piece::Group(delimiter, inside) => {
                let group = as_group(rest.first()?).filter(|group| group.delimiter() == *delimiter)?;
                let trees: Vec<TokenTree> = group.stream().into_iter().collect();
                let (bound, used) = matched(inside, &trees)?;
                (used == trees.len()).then_some(())?;
                bindings.extend(bound);
                at += 1;
            }
            Piece::Name(name, fragment) => {
                let len = fragment_len(fragment.as_deref()?, rest)?;
                bindings.insert(name.clone(), Bound::One(rest[..len].iter().cloned().collect()));
                at += len;
            }
            Piece::Repeat(inside, separator) => {
                let (rounds, used) = repeated(inside, separator.as_deref(), rest);
                for name in names(inside) {
                    bindings.insert(name, Bound::Many(rounds.clone()));
                }
                at += used;
            }
        }
    }
    Some((bindings, at))
}

fn repeated(inside: &[Piece], separator: Option<&str>, input: &[TokenTree]) -> (Vec<Bindings>, usize) {
    let mut rounds = Vec::new();
    let mut used = 0;
    loop {
        let between = usize::from(!rounds.is_empty() && separator.is_some());
        let separated = between == 0 || input.get(used).map(ToString::to_string).as_deref() == separator;
        let rest = input.get(used + between..).unwrap_or_default();
        match matched(inside, rest) {
            Some((bound, len)) if separated && len > 0 => {
                rounds.push(bound);
                used += between + len;
            }
            _ => return (rounds, used),
        }
    }
}

/// How many trees at the beginning of `input` are a fragment of this kind.
fn fragment_len(fragment: &str, input: &[TokenTree]) -> Option<usize> {
    let minus = matches!(input.first(), Some(TokenTree::Punct(sign)) if sign.as_char() == '-');
    match (fragment, input.first()?, input.get(usize::from(minus))) {
        ("ident", TokenTree::Ident(_), _) | ("tt", _, _) => Some(1),
        ("literal", _, Some(TokenTree::Literal(_))) => Some(1 + usize::from(minus)),
        // It always stands alone in the brackets of an attribute.
        ("meta", _, _) => Some(input.len()),
        _ => None,
    }
}

/// The names bound within `pieces`.
fn names(pieces: &[Piece]) -> Vec<String> {
    let mut all = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Name(name, _) => all.push(name.clone()),
            Piece::Repeat(inside, _) | Piece::Group(_, inside) => all.extend(names(inside)),
            Piece::Token(_) => {}
        }
    }
    all
}

fn transcribed(pieces: &[Piece], bindings: &Bindings) -> Result<TokenStream, String> {
    let mut all = TokenStream::new();
    for piece in pieces {
        match piece {
            Piece::Token(token) => all.extend([token.clone()]),
            Piece::Group(delimiter, inside) => {
                all.extend([TokenTree::from(Group::new(*delimiter, transcribed(inside, bindings)?))]);
            }
            Piece::Name(name, _) => match bindings.get(name) {
                Some(Bound::One(tokens)) => all.extend(tokens.clone()),
                _ => return Err(format!("`${name}` is not bound here")),
            },
            Piece::Repeat(inside, separator) => all.extend(rounds(inside, separator.as_deref(), bindings)?),
        }
    }
    Ok(all)
}

/// A repetition of a transcriber: one round for each that bound its names, outer names with them.
fn rounds(inside: &[Piece], separator: Option<&str>, bindings: &Bindings) -> Result<TokenStream, String> {
    let many = names(inside).into_iter().find_map(|name| match bindings.get(&name) {
        Some(Bound::Many(rounds)) => Some(rounds),
        _ => None,
    });
    let mut all = TokenStream::new();
    for (number, round) in many.ok_or("a repetition without a repeated name")?.iter().enumerate() {
        if let (Some(separator), true) = (separator, number > 0) {
            all.extend(separator.parse::<TokenStream>().map_err(|error| error.to_string())?);
        }
        let mut here = bindings.clone();
        here.extend(round.clone());
        all.extend(transcribed(inside, &here)?);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(rules: &str, input: &str) -> Result<String, String> {
        let tokens = |text: &str| text.parse::<TokenStream>().expect("tokens");
        expand(&tokens(rules), &tokens(input)).map(|made| made.to_string().replace(char::is_whitespace, ""))
    }

    #[test]
    fn a_table_becomes_what_its_rules_say() {
        let rules =
            "($($(#[$doc:meta])* $name:ident = $code:literal;)*) => { enum E { $($(#[$doc])* $name = $code,)* } }";
        let input = "#[a] #[b = 1] One = 1; Two = -2;";
        assert_eq!(expanded(rules, input).as_deref(), Ok("enumE{#[a]#[b=1]One=1,Two=-2,}"));
        assert_eq!(expanded("($($a:ident),*) => { $($a;)* f($($a),*) }", "x, y").as_deref(), Ok("x;y;f(x,y)"));
        assert_eq!(expanded("($a:ident) => { $($a)* }", "x").ok(), None);
    }

    #[test]
    fn what_does_not_match_or_is_beyond_it_is_an_error() {
        for (rules, input) in [
            ("($a:ident) => { $a }", "1"),
            ("($a:ident) => { $a }", "x y"),
            ("($a:expr) => { $a }", "1"),
            ("($a:ident) => { $b }", "x"),
            ("(a) => { } ; (b) => { }", "b"),
            ("($($a:ident)+) => { }", "b"),
        ] {
            assert!(expanded(rules, input).is_err(), "{rules} of {input}");
        }
    }
}
